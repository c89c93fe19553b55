/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about logs. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/log_line.h"
#include "grpcc/json.h"

/* Entries of `comb log` unless -n says otherwise, before those that come with --follow, and of one
 * page. */
#define LINES_DEFAULT 50
#define FOLLOWED_DEFAULT 10
#define PAGE_MAX 1000
/* What --follow goes back when it begins or begins again: what may still have been on its way. */
#define FOLLOW_BACK_S 5
/* Entries that --follow remembers, so as to show none twice. */
#define SHOWN_MAX 4096
/* Tries to follow on, a second apart, while no server answers. */
#define TRIES_MAX 60
/* Lines of one call of append, of one of its messages, and the longest. */
#define CALL_LINES_MAX 1000
#define MESSAGE_LINES_MAX 100
#define LINE_BYTES_MAX 8192
#define USAGE                                                                                      \
    "comb log [WORD...] [--level LEVEL] [--service NAME] [--user USER] [--trace ID]\n"             \
    "  [--since TIME] [--until TIME] [-n N] [--oldest] [--follow] [--count minute|hour|day]\n"     \
    "comb log append --service NAME [--level LEVEL] [--user USER] [--trace ID] < LINES"

/* What the options say. */
struct wanted {
    const char *level, *service, *user, *trace, *since, *until, *n, *oldest, *follow, *count;
};

/* ---- what is looked for ---- */

/* NULL: no memory. */
static char *join(struct cli *cli, int argc, char **argv)
{
    size_t size = 1, len = 0;
    for (int i = 0; i < argc; i++)
        size += strlen(argv[i]) + 1;
    char *text = grpcc_arena_alloc(cli->arena, size);
    for (int i = 0; i < argc && text; i++)
        len += (size_t)snprintf(text + len, size - len, "%s%s", i > 0 ? " " : "", argv[i]);
    if (text)
        text[len] = '\0';
    return text;
}

/* NULL, said on stderr. */
static struct comb_v1_log_filter *make_filter(struct cli *cli, const struct wanted *wanted,
                                              int argc, char **argv)
{
    struct comb_v1_log_filter *filter = comb_v1_log_filter_new(cli->arena);
    char *text = join(cli, argc, argv);
    if (!filter || !text) {
        cli_no_memory();
        return NULL;
    }
    comb_v1_log_filter_set_text(filter, text);
    comb_v1_log_filter_set_service(filter, wanted->service);
    comb_v1_log_filter_set_user(filter, wanted->user);
    comb_v1_log_filter_set_trace_id(filter, wanted->trace);
    if ((wanted->level && !(filter->level = log_level_of(wanted->level))) ||
        (wanted->since && !(filter->since = cli_read_time(cli, wanted->since))) ||
        (wanted->until && !(filter->until = cli_read_time(cli, wanted->until))))
        return NULL;
    return filter;
}

/* ---- pages ---- */

static int list(struct cli *cli, struct comb_v1_log_filter *filter, bool is_oldest_first,
                size_t max)
{
    struct comb_v1_logs_query_request *request = comb_v1_logs_query_request_new(cli->arena);
    struct comb_v1_logs_query_response *page = NULL;
    struct grpcc_arena *arenas[] = {grpcc_arena_new(0), grpcc_arena_new(0)};
    int status = request && arenas[0] && arenas[1] ? CLI_OK : cli_no_memory();
    if (status == CLI_OK) {
        request->filter = filter;
        request->order_by = is_oldest_first ? COMB_V1_LOG_ORDER_OLDEST : COMB_V1_LOG_ORDER_NEWEST;
    }
    /* A page's token lives in its arena, until the next one is there. */
    for (unsigned turn = 0; status == CLI_OK && max > 0 && !ferror(stdout); turn++) {
        grpcc_arena_reset(arenas[turn % 2]);
        request->page_size = max < PAGE_MAX ? (int32_t)max : PAGE_MAX;
        if (comb_v1_logs_query(cli_channel(cli), arenas[turn % 2], NULL, request, &page,
                               &cli->err) != GRPCC_OK) {
            status = cli_fail(cli, "log");
            break;
        }
        for (size_t i = 0; i < page->n_entries; i++)
            log_print(cli, page->entries[i]);
        max -= page->n_entries < max ? page->n_entries : max;
        if (!page->next_page_token[0])
            break;
        comb_v1_logs_query_request_set_page_token(request, page->next_page_token);
    }
    grpcc_arena_free(arenas[0]);
    grpcc_arena_free(arenas[1]);
    return status;
}

/* ---- counts ---- */

static enum comb_v1_log_period period_of(const char *text)
{
    static const char *const names[] = {"", "minute", "hour", "day"};
    for (int i = 1; i < (int)(sizeof names / sizeof names[0]); i++) {
        if (strcmp(names[i], text) == 0)
            return (enum comb_v1_log_period)i;
    }
    fprintf(stderr, "comb: --count takes minute, hour or day\n");
    return COMB_V1_LOG_PERIOD_UNSPECIFIED;
}

/* A period may go on in the next answer: it is printed when it is whole. */
static void add_counts(struct cli *cli, const struct comb_v1_logs_count_response *response,
                       struct comb_v1_log_count *open, struct google_protobuf_timestamp *period)
{
    for (size_t i = 0; i < response->n_counts; i++) {
        const struct comb_v1_log_count *count = response->counts[i];
        if (open->period && open->period->seconds != count->period->seconds) {
            log_print_count(cli, open);
            open->entries = open->errors = open->warnings = 0;
        }
        period->seconds = count->period->seconds;
        open->period = period;
        open->entries += count->entries;
        open->errors += count->errors;
        open->warnings += count->warnings;
    }
}

static int show_counts(struct cli *cli, struct comb_v1_log_filter *filter, const char *period)
{
    struct comb_v1_logs_count_request *request = comb_v1_logs_count_request_new(cli->arena);
    struct comb_v1_log_count *open = comb_v1_log_count_new(cli->arena);
    struct google_protobuf_timestamp *time = google_protobuf_timestamp_new(cli->arena);
    struct comb_v1_logs_count_response *response = NULL;
    if (!request || !open || !time)
        return cli_no_memory();
    request->filter = filter;
    request->period = period_of(period);
    if (!request->period)
        return CLI_USAGE;
    do {
        if (comb_v1_logs_count(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
            GRPCC_OK)
            return cli_fail(cli, "log");
        add_counts(cli, response, open, time);
        comb_v1_logs_count_request_set_page_token(request, response->next_page_token);
    } while (response->next_page_token[0]);
    if (open->period)
        log_print_count(cli, open);
    return CLI_OK;
}

/* No server, or one that ends: which gives up calls that nobody here has cancelled. */
static bool is_away(enum grpcc_status status)
{
    return status == GRPCC_UNAVAILABLE || status == GRPCC_CANCELLED;
}

/* ---- following ---- */

/* Of one `comb log --follow`. */
struct following {
    struct cli *cli;
    struct comb_v1_log_filter *filter;
    char shown[SHOWN_MAX][40]; /* ids, the newest over the oldest */
    size_t n_shown;
    int64_t reached_s; /* time of the newest */
};

static bool was_shown(const struct following *following, const char *id)
{
    size_t n = following->n_shown < SHOWN_MAX ? following->n_shown : SHOWN_MAX;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(following->shown[i], id) == 0)
            return true;
    }
    return false;
}

static void show(struct following *following, const struct comb_v1_log_entry *entry)
{
    if (was_shown(following, entry->id))
        return;
    log_print(following->cli, entry);
    snprintf(following->shown[following->n_shown++ % SHOWN_MAX], sizeof following->shown[0], "%s",
             entry->id);
    if (entry->time && entry->time->seconds > following->reached_s)
        following->reached_s = entry->time->seconds;
}

static void show_answer(struct following *following,
                        const struct comb_v1_logs_tail_response *answer)
{
    if (answer->gap && following->cli->json)
        cli_print_json(stdout, &answer->gap->base);
    else if (answer->gap)
        printf("-- entries of %s to %s may be missing\n", cli_time(answer->gap->since),
               cli_time(answer->gap->until));
    for (size_t i = 0; i < answer->n_entries; i++)
        show(following, answer->entries[i]);
    fflush(stdout);
}

/* Until the output or the server ends; true: something came. */
static bool follow_once(struct following *following, enum grpcc_status *ret_status)
{
    struct cli *cli = following->cli;
    struct comb_v1_logs_tail_request *request = comb_v1_logs_tail_request_new(cli->arena);
    struct comb_v1_logs_tail_response *answer = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_logs_tail_stream *stream = NULL;
    bool came = false;
    *ret_status = GRPCC_RESOURCE_EXHAUSTED;
    if (request && arena) {
        request->filter = following->filter;
        stream = comb_v1_logs_tail_stream_open(cli_channel(cli), NULL, request, &cli->err);
        *ret_status = stream ? GRPCC_OK : (enum grpcc_status)cli->err.status;
    }
    while (stream && !ferror(stdout) &&
           comb_v1_logs_tail_stream_read(stream, arena, &answer, &cli->err) == 1) {
        came = true;
        show_answer(following, answer);
        grpcc_arena_reset(arena);
    }
    if (stream && ferror(stdout))
        comb_v1_logs_tail_stream_cancel(stream);
    if (stream) {
        *ret_status = comb_v1_logs_tail_stream_finish(stream, arena, &cli->err);
        comb_v1_logs_tail_stream_free(stream);
    }
    grpcc_arena_free(arena);
    return came;
}

/* The newest that there are, oldest first. */
static int show_newest(struct following *following, size_t max)
{
    struct cli *cli = following->cli;
    struct comb_v1_logs_query_request *request = comb_v1_logs_query_request_new(cli->arena);
    struct comb_v1_logs_query_response *page = NULL;
    if (!request)
        return cli_no_memory();
    request->filter = following->filter;
    request->page_size = max < PAGE_MAX ? (int32_t)max : PAGE_MAX;
    if (comb_v1_logs_query(cli_channel(cli), cli->arena, NULL, request, &page, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, "log");
    for (size_t i = page->n_entries; i > 0; i--)
        show(following, page->entries[i - 1]);
    fflush(stdout);
    return CLI_OK;
}

/* On with another server, or the same one, when one goes. */
static int follow(struct cli *cli, struct comb_v1_log_filter *filter, size_t max)
{
    const struct timespec pause = {.tv_sec = 1};
    struct google_protobuf_timestamp *since = google_protobuf_timestamp_new(cli->arena);
    struct following *following = grpcc_arena_calloc(cli->arena, 1, sizeof *following);
    enum grpcc_status status = GRPCC_OK;
    if (!since || !following)
        return cli_no_memory();
    following->cli = cli;
    following->filter = filter;
    following->reached_s = time(NULL);
    int result = show_newest(following, max);
    filter->since = since;
    for (int tries = 0; result == CLI_OK && !ferror(stdout) && tries < TRIES_MAX; tries++) {
        since->seconds = following->reached_s - FOLLOW_BACK_S;
        if (follow_once(following, &status))
            tries = 0;
        if (!is_away(status))
            break;
        (void)nanosleep(&pause, NULL);
    }
    if (result != CLI_OK || ferror(stdout) || status == GRPCC_OK)
        return result;
    return cli_fail(cli, "log");
}

/* ---- appending ---- */

/* Lines of one call. */
struct lines {
    struct cli *cli;
    struct grpcc_arena *arena; /* of the entries */
    const struct comb_v1_log_entry *defaults;
    struct comb_v1_log_entry *entries[CALL_LINES_MAX];
    size_t n;
};

/* Sends the entries from `first` on, as many as a message takes. */
static bool send_batch(const struct lines *lines, size_t first, struct grpcc_arena *arena,
                       struct comb_v1_logs_append_stream *stream)
{
    struct comb_v1_logs_append_request *message = comb_v1_logs_append_request_new(arena);
    struct comb_v1_logs_append_batch *batch = comb_v1_logs_append_batch_new(arena);
    if (!message || !batch)
        return false;
    batch->entries = (struct comb_v1_log_entry **)lines->entries + first;
    batch->n_entries = lines->n - first < MESSAGE_LINES_MAX ? lines->n - first : MESSAGE_LINES_MAX;
    comb_v1_logs_append_request_set_batch(message, batch);
    return comb_v1_logs_append_stream_write(stream, message);
}

static enum grpcc_status send_once(struct lines *lines, const char *request_id)
{
    struct cli *cli = lines->cli;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_logs_append_request *first =
        arena ? comb_v1_logs_append_request_new(arena) : NULL;
    struct comb_v1_logs_append_header *header =
        arena ? comb_v1_logs_append_header_new(arena) : NULL;
    struct comb_v1_logs_append_response *response = NULL;
    struct comb_v1_logs_append_stream *stream = NULL;
    enum grpcc_status status = GRPCC_RESOURCE_EXHAUSTED;
    if (first && header)
        stream = comb_v1_logs_append_stream_open(cli_channel(cli), NULL, &cli->err);
    if (stream) {
        comb_v1_logs_append_header_set_request_id(header, request_id);
        comb_v1_logs_append_request_set_header(first, header);
        bool goes = comb_v1_logs_append_stream_write(stream, first);
        for (size_t i = 0; i < lines->n && goes; i += MESSAGE_LINES_MAX)
            goes = send_batch(lines, i, arena, stream);
        (void)(goes && comb_v1_logs_append_stream_close_send(stream));
        status = comb_v1_logs_append_stream_finish(stream, arena, &response, &cli->err);
        comb_v1_logs_append_stream_free(stream);
    } else if (first && header) {
        status = (enum grpcc_status)cli->err.status;
    }
    grpcc_arena_free(arena);
    return status;
}

/* Again under the same id while no server answers: what has arrived counts once. */
static int send_lines(struct lines *lines)
{
    const struct timespec pause = {.tv_sec = 1};
    const char *request_id = lines->n > 0 ? comb_request_id_new(lines->arena) : "";
    enum grpcc_status status = GRPCC_OK;
    if (!request_id)
        return cli_no_memory();
    for (int tries = 0; lines->n > 0 && tries < TRIES_MAX; tries++) {
        status = send_once(lines, request_id);
        if (!is_away(status))
            break;
        (void)nanosleep(&pause, NULL);
    }
    lines->n = 0;
    grpcc_arena_reset(lines->arena);
    return status == GRPCC_OK ? CLI_OK : cli_fail(lines->cli, "append");
}

/* NULL: no memory, or, said on stderr, a line that is no entry. */
static struct comb_v1_log_entry *read_line(struct lines *lines, char *text, size_t len)
{
    const struct comb_v1_log_entry *defaults = lines->defaults;
    struct comb_v1_log_entry *entry = NULL;
    void *decoded = NULL;
    struct timespec now;
    if (lines->cli->json) {
        if (grpcc_json_decode(lines->arena, &comb_v1_log_entry_descriptor, NULL, text, len,
                              &decoded, &lines->cli->err) != GRPCC_OK)
            fprintf(stderr, "comb: a line is no log entry: %s\n", lines->cli->err.message);
        entry = decoded;
    } else {
        entry = comb_v1_log_entry_new(lines->arena);
        text[len < LINE_BYTES_MAX ? len : LINE_BYTES_MAX] = '\0';
        if (entry)
            comb_v1_log_entry_set_message(entry, grpcc_arena_strdup(lines->arena, text));
    }
    if (!entry)
        return NULL;
    if (!entry->time && clock_gettime(CLOCK_REALTIME, &now) == 0 &&
        (entry->time = google_protobuf_timestamp_new(lines->arena))) {
        entry->time->seconds = now.tv_sec;
        entry->time->nanos = (int32_t)now.tv_nsec;
    }
    if (!entry->service[0])
        comb_v1_log_entry_set_service(entry, defaults->service);
    if (!entry->user[0])
        comb_v1_log_entry_set_user(entry, defaults->user);
    if (!entry->trace_id[0])
        comb_v1_log_entry_set_trace_id(entry, defaults->trace_id);
    if (!entry->level)
        entry->level = defaults->level;
    return grpcc_arena_failed(lines->arena) ? NULL : entry;
}

static int send_stdin(struct lines *lines)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t len;
    int status = CLI_OK;
    while (status == CLI_OK && (len = getline(&text, &room, stdin)) >= 0) {
        if (len > 0 && text[len - 1] == '\n')
            text[--len] = '\0';
        if (len == 0)
            continue;
        struct comb_v1_log_entry *entry = read_line(lines, text, (size_t)len);
        if (!entry)
            status = CLI_USAGE;
        else
            lines->entries[lines->n++] = entry;
        if (lines->n == CALL_LINES_MAX)
            status = send_lines(lines);
    }
    if (status == CLI_OK)
        status = send_lines(lines);
    free(text);
    return status;
}

static int log_append(struct cli *cli, int argc, char **argv)
{
    struct wanted wanted = {0};
    const struct cli_option options[] = {
        {"--service", true, &wanted.service},
        {"--level", true, &wanted.level},
        {"--user", true, &wanted.user},
        {"--trace", true, &wanted.trace},
        {NULL, false, NULL},
    };
    struct lines *lines = grpcc_arena_calloc(cli->arena, 1, sizeof *lines);
    struct comb_v1_log_entry *defaults = comb_v1_log_entry_new(cli->arena);
    if (!cli_arguments(options, &argc, argv, 0, 0, USAGE))
        return CLI_USAGE;
    if (!wanted.service && !cli->json) {
        fprintf(stderr, "comb: --service says what logs\n");
        return CLI_USAGE;
    }
    if (!lines || !defaults)
        return cli_no_memory();
    comb_v1_log_entry_set_service(defaults, wanted.service);
    comb_v1_log_entry_set_user(defaults, wanted.user);
    comb_v1_log_entry_set_trace_id(defaults, wanted.trace);
    if (wanted.level && !(defaults->level = log_level_of(wanted.level)))
        return CLI_USAGE;
    if (!cli_connect(cli))
        return CLI_USAGE;
    *lines = (struct lines){.cli = cli, .arena = grpcc_arena_new(0), .defaults = defaults};
    int status = lines->arena ? send_stdin(lines) : cli_no_memory();
    grpcc_arena_free(lines->arena);
    return status;
}

int cli_log(struct cli *cli, int argc, char **argv)
{
    struct wanted wanted = {0};
    const struct cli_option options[] = {
        {"--level", true, &wanted.level},
        {"--service", true, &wanted.service},
        {"--user", true, &wanted.user},
        {"--trace", true, &wanted.trace},
        {"--since", true, &wanted.since},
        {"--until", true, &wanted.until},
        {"-n", true, &wanted.n},
        {"--oldest", false, &wanted.oldest},
        {"--follow", false, &wanted.follow},
        {"--count", true, &wanted.count},
        {NULL, false, NULL},
    };
    if (argc > 0 && strcmp(argv[0], "append") == 0)
        return log_append(cli, argc - 1, argv + 1);
    if (!cli_arguments(options, &argc, argv, 0, 100, USAGE))
        return CLI_USAGE;
    long max =
        wanted.n ? strtol(wanted.n, NULL, 10) : (wanted.follow ? FOLLOWED_DEFAULT : LINES_DEFAULT);
    if (max <= 0 || (wanted.follow && (wanted.until || wanted.oldest || wanted.count))) {
        fprintf(stderr, "comb: -n takes a number above 0; --follow goes without --until, --oldest "
                        "and --count\n");
        return CLI_USAGE;
    }
    struct comb_v1_log_filter *filter = make_filter(cli, &wanted, argc, argv);
    if (!filter || !cli_connect(cli))
        return CLI_USAGE;
    if (wanted.count)
        return show_counts(cli, filter, wanted.count);
    return wanted.follow ? follow(cli, filter, (size_t)max)
                         : list(cli, filter, wanted.oldest != NULL, (size_t)max);
}
