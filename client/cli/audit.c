/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about the audit trail. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/audit_file.h"
#include "client/cli/cli.h"
#include "comb/v1/audit.grpcc.h"
#include "comb/v1/identity.grpcc.h"
#include "comb/v1/tree.grpcc.h"

/* Entries of `comb audit ls` unless -n says otherwise, and of one page. */
#define LINES_DEFAULT 50
#define PAGE_MAX 1000
/* Between two looks of --follow. */
#define FOLLOW_MS 1000
/* A file with a public key. */
#define KEY_FILE_MAX 4096

/* ---- ls ---- */

static const char *const result_names[] = {"?", "done", "failed", "unknown"};
#define N_RESULTS ((int)(sizeof result_names / sizeof result_names[0]))

/* "Tree/Move" of "/comb.v1.Tree/Move". */
static const char *short_method(const char *method)
{
    static const char prefix[] = "/comb.v1.";
    if (!method[0])
        return "(the server)";
    return strncmp(method, prefix, sizeof prefix - 1) == 0 ? method + sizeof prefix - 1 : method;
}

static const char *result_text(const struct comb_v1_audit_entry *entry)
{
    int result = (int)entry->result;
    return result_names[result > 0 && result < N_RESULTS ? result : 0];
}

static void print_entry(const struct comb_v1_audit_entry *entry)
{
    static const char *const kinds[] = {"?", "change", "intent", "outcome", "refusal"};
    const struct comb_v1_audit_record *record = entry->record;
    unsigned kind = (unsigned)record->kind;
    const char *who = record->login[0] ? record->login : record->user_id[0] ? record->user_id : "-";
    printf("%8llu  %s  %-7s  %-7s  %-16s  %-24s  %s", (unsigned long long)entry->number,
           cli_time(record->time), kinds[kind < 5 ? kind : 0], result_text(entry), cli_name(who),
           cli_name(short_method(record->method)), record->peer[0] ? cli_name(record->peer) : "-");
    if (record->count > 1)
        printf("  %llu times", (unsigned long long)record->count);
    if (record->reason[0])
        printf("  %s", cli_name(record->reason));
    for (size_t i = 0; i < record->n_targets; i++)
        printf("  %s:%s", cli_name(record->targets[i]->kind), cli_name(record->targets[i]->id));
    if (record->before[0] || record->after[0])
        printf("  [%s -> %s]", record->before[0] ? cli_name(record->before) : "nothing",
               record->after[0] ? cli_name(record->after) : "nothing");
    putchar('\n');
}

static void print_entries(const struct cli *cli, const struct comb_v1_audit_query_response *page,
                          size_t max)
{
    for (size_t i = 0; i < page->n_entries && i < max; i++) {
        if (cli->json)
            cli_print_json(stdout, &page->entries[i]->base);
        else
            print_entry(page->entries[i]);
    }
    fflush(stdout);
}

/* What the options of ls say. */
struct wanted {
    const char *user, *method, *node, *text, *result, *since, *until, *follow, *n;
};

static bool set_user(struct cli *cli, const char *login, struct comb_v1_audit_filter *filter)
{
    struct comb_v1_identity_get_user_request *request =
        comb_v1_identity_get_user_request_new(cli->arena);
    struct comb_v1_identity_get_user_response *response = NULL;
    if (!request)
        return false;
    comb_v1_identity_get_user_request_set_user(request, login);
    if (comb_v1_identity_get_user(cli_channel(cli), cli->arena, NULL, request, &response,
                                  &cli->err) != GRPCC_OK)
        /* Who has been deleted is known by his id alone. */
        comb_v1_audit_filter_set_user_id(filter, login);
    else
        comb_v1_audit_filter_set_user_id(filter, response->user->id);
    return true;
}

static bool set_node(struct cli *cli, const char *ref, struct comb_v1_audit_filter *filter)
{
    struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(cli->arena);
    struct comb_v1_tree_stat_response *response = NULL;
    if (!request || !(request->node = cli_ref(cli, ref)))
        return false;
    if (comb_v1_tree_stat(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        comb_v1_audit_filter_set_node_id(filter, ref);
    else
        comb_v1_audit_filter_set_node_id(filter, response->node->id);
    return true;
}

static bool set_result(const char *text, struct comb_v1_audit_filter *filter)
{
    for (int i = 1; i < N_RESULTS; i++) {
        if (strcmp(result_names[i], text) == 0) {
            filter->result = (enum comb_v1_audit_result)i;
            return true;
        }
    }
    fprintf(stderr, "comb: --result takes done, failed or unknown\n");
    return false;
}

/* "Tree/Move" for "/comb.v1.Tree/Move"; "Tree/" for all of a service. */
static bool set_method(struct cli *cli, const char *text, struct comb_v1_audit_filter *filter)
{
    const char *name = text[0] == '/' ? text : grpcc_arena_printf(cli->arena, "/comb.v1.%s", text);
    if (name)
        comb_v1_audit_filter_set_method(filter, name);
    return name != NULL;
}

static bool read_filter(struct cli *cli, const struct wanted *wanted,
                        struct comb_v1_audit_filter *filter)
{
    if (wanted->result && !set_result(wanted->result, filter))
        return false;
    if (wanted->method && !set_method(cli, wanted->method, filter))
        return false;
    if (wanted->text)
        comb_v1_audit_filter_set_text(filter, wanted->text);
    if (wanted->since && !(filter->since = cli_read_time(cli, wanted->since)))
        return false;
    if (wanted->until && !(filter->until = cli_read_time(cli, wanted->until)))
        return false;
    if (wanted->user && !set_user(cli, wanted->user, filter))
        return false;
    return !wanted->node || set_node(cli, wanted->node, filter);
}

/* Pages until there are max, newest first. */
static int list(struct cli *cli, struct comb_v1_audit_query_request *request, size_t max)
{
    struct comb_v1_audit_query_response *page = NULL;
    do {
        request->page_size = max < PAGE_MAX ? (int32_t)max : PAGE_MAX;
        if (comb_v1_audit_query(cli_channel(cli), cli->arena, NULL, request, &page, &cli->err) !=
            GRPCC_OK)
            return cli_fail(cli, "audit");
        print_entries(cli, page, max);
        max -= page->n_entries < max ? page->n_entries : max;
        comb_v1_audit_query_request_set_page_token(request, page->next_page_token);
    } while (max > 0 && page->next_page_token[0]);
    return CLI_OK;
}

/* What comes from now on, until the output or the server ends. */
static int follow(struct cli *cli, struct comb_v1_audit_query_request *request)
{
    const struct timespec pause = {.tv_sec = FOLLOW_MS / 1000};
    struct comb_v1_audit_query_response *page = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    int status = CLI_OK;
    if (!arena)
        return cli_no_memory();
    /* The newest there is. */
    request->page_size = 1;
    const struct comb_v1_audit_filter *filter = request->filter;
    request->filter = NULL;
    if (comb_v1_audit_query(cli_channel(cli), arena, NULL, request, &page, &cli->err) != GRPCC_OK)
        status = cli_fail(cli, "audit");
    comb_v1_audit_query_request_set_after_number(
        request, status == CLI_OK && page->n_entries ? page->entries[0]->number : 0);
    request->filter = (struct comb_v1_audit_filter *)filter;
    request->page_size = PAGE_MAX;
    while (status == CLI_OK && !ferror(stdout)) {
        grpcc_arena_reset(arena);
        if (comb_v1_audit_query(cli_channel(cli), arena, NULL, request, &page, &cli->err) !=
            GRPCC_OK) {
            status = cli_fail(cli, "audit");
            break;
        }
        print_entries(cli, page, SIZE_MAX);
        bool moved = page->last_number != request->after_number;
        comb_v1_audit_query_request_set_after_number(request, page->last_number);
        if (!moved)
            (void)nanosleep(&pause, NULL);
    }
    grpcc_arena_free(arena);
    return status;
}

static int audit_ls(struct cli *cli, int argc, char **argv)
{
    struct wanted wanted = {0};
    const struct cli_option options[] = {
        {"--user", true, &wanted.user},
        {"--method", true, &wanted.method},
        {"--node", true, &wanted.node},
        {"--text", true, &wanted.text},
        {"--result", true, &wanted.result},
        {"--since", true, &wanted.since},
        {"--until", true, &wanted.until},
        {"--follow", false, &wanted.follow},
        {"-n", true, &wanted.n},
        {NULL, false, NULL},
    };
    struct comb_v1_audit_query_request *request = comb_v1_audit_query_request_new(cli->arena);
    if (!cli_arguments(
            options, &argc, argv, 0, 0,
            "comb audit [ls] [--user LOGIN] [--method SERVICE/[METHOD]] [--node REF]\n"
            "  [--text WORDS] [--result done|failed|unknown] [--since TIME] [--until TIME]\n"
            "  [-n N] [--follow]"))
        return CLI_USAGE;
    long max = wanted.n ? strtol(wanted.n, NULL, 10) : LINES_DEFAULT;
    if (max <= 0) {
        fprintf(stderr, "comb: -n takes a number above 0\n");
        return CLI_USAGE;
    }
    if (!cli_connect(cli))
        return CLI_USAGE;
    if (!request || !(request->filter = comb_v1_audit_filter_new(cli->arena)))
        return cli_no_memory();
    if (!read_filter(cli, &wanted, request->filter))
        return CLI_USAGE;
    return wanted.follow ? follow(cli, request) : list(cli, request, (size_t)max);
}

/* ---- verify ---- */

static bool read_key(struct cli *cli, const char *path, uint8_t key[COMB_AUDIT_KEY_SIZE])
{
    char *pem = grpcc_arena_alloc(cli->arena, KEY_FILE_MAX);
    FILE *file = pem ? fopen(path, "re") : NULL;
    size_t size = file ? fread(pem, 1, KEY_FILE_MAX, file) : 0;
    bool ok = file && comb_audit_key_from_pem(pem, size, key);
    if (!file)
        fprintf(stderr, "comb: %s: %s\n", path, strerror(errno));
    else if (!ok)
        fprintf(stderr, "comb: %s: is no public key of `comb audit key`\n", path);
    if (file)
        (void)fclose(file);
    return ok;
}

/* What a check has come to, whoever made it; also the exit status. */
static int print_verdict(struct cli *cli, const struct comb_v1_audit_verify_response *verdict)
{
    if (cli->json)
        cli_print_json(stdout, &verdict->base);
    else if (verdict->fault != COMB_V1_AUDIT_FAULT_UNSPECIFIED)
        printf("broken: %s\n", verdict->message);
    else
        printf("whole: %llu lines from %llu on, signed up to line %llu\n",
               (unsigned long long)verdict->checked, (unsigned long long)verdict->first_number,
               (unsigned long long)verdict->signed_number);
    return verdict->fault == COMB_V1_AUDIT_FAULT_UNSPECIFIED ? CLI_OK : CLI_FAILED;
}

static int verify_file(struct cli *cli, const char *path, const char *key_path)
{
    uint8_t key[COMB_AUDIT_KEY_SIZE];
    struct comb_audit_verifier verifier;
    struct comb_v1_audit_verify_response *verdict = comb_v1_audit_verify_response_new(cli->arena);
    uint64_t signed_n = 0;
    size_t line = 0;
    char text[160];
    if (!verdict)
        return cli_no_memory();
    if (!read_key(cli, key_path, key))
        return CLI_USAGE;
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *in = is_stdin ? stdin : fopen(path, "re");
    if (!in) {
        fprintf(stderr, "comb: %s: %s\n", path, strerror(errno));
        return CLI_USAGE;
    }
    enum cli_audit_check status = cli_audit_check(in, key, &verifier, &signed_n, &line);
    if (!is_stdin)
        (void)fclose(in);
    if (status == CLI_AUDIT_NO_MEMORY)
        return cli_no_memory();
    if (status == CLI_AUDIT_MALFORMED) {
        printf("broken: %s:%zu is not as `comb audit export` writes it\n", path, line);
        return CLI_FAILED;
    }
    comb_audit_finding_text(&verifier.finding, text, sizeof text);
    verdict->checked = verdict->total = verifier.checked;
    verdict->done = true;
    verdict->fault = (enum comb_v1_audit_fault)verifier.finding.fault;
    verdict->number = verifier.finding.n;
    verdict->other_number = verifier.finding.other;
    verdict->signed_number = signed_n;
    verdict->first_number = verifier.first;
    verdict->message = text;
    return print_verdict(cli, verdict);
}

static int verify_server(struct cli *cli)
{
    struct comb_v1_audit_verify_request *request = comb_v1_audit_verify_request_new(cli->arena);
    struct comb_v1_audit_verify_response *now = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    int more = -1, status = CLI_FAILED;
    bool is_done = false;
    if (!cli_connect(cli)) {
        grpcc_arena_free(arena);
        return CLI_USAGE;
    }
    if (!request || !arena) {
        grpcc_arena_free(arena);
        return cli_no_memory();
    }
    struct comb_v1_audit_verify_stream *stream =
        comb_v1_audit_verify_stream_open(cli_channel(cli), NULL, request, &cli->err);
    while (stream &&
           (more = comb_v1_audit_verify_stream_read(stream, arena, &now, &cli->err)) == 1) {
        if (now->done) {
            is_done = true;
            status = print_verdict(cli, now);
        }
        grpcc_arena_reset(arena);
    }
    if (more == 0 && comb_v1_audit_verify_stream_finish(stream, cli->arena, &cli->err) != GRPCC_OK)
        more = -1;
    if (more < 0 && !is_done)
        status = cli_fail(cli, "audit");
    comb_v1_audit_verify_stream_free(stream);
    grpcc_arena_free(arena);
    return status;
}

static int audit_verify(struct cli *cli, int argc, char **argv)
{
    const char *file = NULL, *key = NULL;
    const struct cli_option options[] = {
        {"--file", true, &file}, {"--key", true, &key}, {NULL, false, NULL}};
    if (!cli_arguments(options, &argc, argv, 0, 0,
                       "comb audit verify [--file EXPORT|- --key PUBLIC-KEY.pem]"))
        return CLI_USAGE;
    if (!file != !key) {
        fprintf(stderr, "comb: --file and --key belong together\n");
        return CLI_USAGE;
    }
    return file ? verify_file(cli, file, key) : verify_server(cli);
}

/* ---- export, key ---- */

static int audit_export(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_audit_export_request *request = comb_v1_audit_export_request_new(cli->arena);
    struct comb_v1_audit_export_response *part = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    int more = -1;
    if (!cli_arguments(options, &argc, argv, 0, 0, "comb audit export > FILE") ||
        !cli_connect(cli)) {
        grpcc_arena_free(arena);
        return CLI_USAGE;
    }
    if (!request || !arena) {
        grpcc_arena_free(arena);
        return cli_no_memory();
    }
    struct comb_v1_audit_export_stream *stream =
        comb_v1_audit_export_stream_open(cli_channel(cli), NULL, request, &cli->err);
    while (stream && !ferror(stdout) &&
           (more = comb_v1_audit_export_stream_read(stream, arena, &part, &cli->err)) == 1) {
        cli_audit_write(stdout, part);
        grpcc_arena_reset(arena);
    }
    if (more == 0 && comb_v1_audit_export_stream_finish(stream, cli->arena, &cli->err) != GRPCC_OK)
        more = -1;
    int status = more < 0 ? cli_fail(cli, "audit") : CLI_OK;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "comb: the export could not be written: %s\n", strerror(errno));
        status = CLI_FAILED;
    }
    comb_v1_audit_export_stream_free(stream);
    grpcc_arena_free(arena);
    return status;
}

static int audit_key(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_audit_get_key_request *request = comb_v1_audit_get_key_request_new(cli->arena);
    struct comb_v1_audit_get_key_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 0, "comb audit key > PUBLIC-KEY.pem") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    if (comb_v1_audit_get_key(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, "audit");
    if (cli->json)
        cli_print_json(stdout, &response->base);
    else
        fputs(response->public_key, stdout);
    return CLI_OK;
}

static int audit_reindex(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_audit_reindex_request *request = comb_v1_audit_reindex_request_new(cli->arena);
    struct comb_v1_audit_reindex_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 0, "comb audit reindex") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    if (comb_v1_audit_reindex(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, "audit");
    if (!cli->json)
        puts("the index of the trail is built anew");
    return CLI_OK;
}

int cli_audit(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"ls", audit_ls},   {"verify", audit_verify},   {"export", audit_export},
        {"key", audit_key}, {"reindex", audit_reindex}, {NULL, NULL},
    };
    /* `comb audit --follow` is about the lines. */
    if (argc == 0 || argv[0][0] == '-')
        return audit_ls(cli, argc, argv);
    return cli_subverb(cli, verbs, "audit", argc, argv);
}
