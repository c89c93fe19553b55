/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about activities. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/feed_line.h"

/* Activities of `comb feed` unless -n says otherwise, and of one page. */
#define LINES_DEFAULT 50
#define PAGE_MAX 1000
/* Between two looks of --follow. */
#define FOLLOW_MS 1000
#define USAGE                                                                                      \
    "comb feed [REF | --user LOGIN | --mine] [--all] [--unread] [--since TIME] [-n N]\n"           \
    "  [--follow] [--digest hour|day|week]\n"                                                      \
    "comb feed follow|unfollow REF | --user LOGIN; comb feed follows; comb feed unread;\n"         \
    "comb feed read [ID]; comb feed purge [--before TIME] [--keep N]"

static const struct cli_option none[] = {{NULL, false, NULL}};

/* ---- pages ---- */

/* What the options say. */
struct wanted {
    const char *user, *mine, *all, *unread, *since, *n, *follow, *digest;
};

static bool set_scope(struct cli *cli, const struct wanted *wanted, int argc, char **argv,
                      struct comb_v1_activity_scope *scope)
{
    if (wanted->user)
        comb_v1_activity_scope_set_user(scope, wanted->user);
    else if (argc > 0)
        scope->node = cli_ref(cli, argv[0]);
    else
        scope->mine = true;
    return argc == 0 || scope->node;
}

static bool print_one(struct feed_names *names, const struct comb_v1_activity *activity)
{
    if (names->cli->json)
        return feed_print_json(names, activity);
    feed_print(names, activity);
    return true;
}

/* Pages until there are max, newest first; *ret_newest, where it is not NULL, gets the first id. */
static int list(struct feed_names *names, struct comb_v1_activities_feed_request *request,
                size_t max)
{
    struct cli *cli = names->cli;
    struct comb_v1_activities_feed_response *page = NULL;
    do {
        request->page_size = max < PAGE_MAX ? (int32_t)max : PAGE_MAX;
        if (comb_v1_activities_feed(cli_channel(cli), cli->arena, NULL, request, &page,
                                    &cli->err) != GRPCC_OK)
            return cli_fail(cli, "feed");
        for (size_t i = 0; i < page->n_activities; i++) {
            if (!print_one(names, page->activities[i]))
                return cli_no_memory();
        }
        max -= page->n_activities < max ? page->n_activities : max;
        comb_v1_activities_feed_request_set_page_token(request, page->next_page_token);
    } while (max > 0 && page->next_page_token[0]);
    return CLI_OK;
}

/* The newest max of what is newer than request->after_id, oldest first; which is the newest from
 * now on. */
static int print_newer(struct feed_names *names, struct comb_v1_activities_feed_request *request,
                       size_t max, char newest[64])
{
    struct cli *cli = names->cli;
    struct comb_v1_activities_feed_response *page = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    int status = CLI_OK;
    if (!arena)
        return cli_no_memory();
    request->page_size = (int32_t)(max < PAGE_MAX ? max : PAGE_MAX);
    comb_v1_activities_feed_request_set_after_id(request, newest);
    if (comb_v1_activities_feed(cli_channel(cli), arena, NULL, request, &page, &cli->err) !=
        GRPCC_OK)
        status = cli_fail(cli, "feed");
    for (size_t i = status == CLI_OK ? page->n_activities : 0; i > 0 && status == CLI_OK; i--) {
        if (!print_one(names, page->activities[i - 1]))
            status = cli_no_memory();
    }
    if (status == CLI_OK && page->n_activities > 0)
        snprintf(newest, 64, "%s", page->activities[0]->id);
    grpcc_arena_free(arena);
    fflush(stdout);
    return status;
}

/* What there is, then what comes, until the output or the server ends. */
static int follow_feed(struct feed_names *names, struct comb_v1_activities_feed_request *request,
                       size_t max)
{
    const struct timespec pause = {.tv_sec = FOLLOW_MS / 1000};
    char newest[64] = "";
    int status = print_newer(names, request, max, newest);
    while (status == CLI_OK && !ferror(stdout)) {
        (void)nanosleep(&pause, NULL);
        status = print_newer(names, request, newest[0] ? PAGE_MAX : max, newest);
    }
    return status;
}

static int show_feed(struct cli *cli, const struct wanted *wanted, int argc, char **argv)
{
    struct feed_names names = {.cli = cli};
    struct comb_v1_activities_feed_request *request =
        comb_v1_activities_feed_request_new(cli->arena);
    long max = wanted->n ? strtol(wanted->n, NULL, 10) : LINES_DEFAULT;
    if (max <= 0) {
        fprintf(stderr, "comb: -n takes a number above 0\n");
        return CLI_USAGE;
    }
    if (!request || !(request->scope = comb_v1_activity_scope_new(cli->arena)))
        return cli_no_memory();
    if (!set_scope(cli, wanted, argc, argv, request->scope) ||
        (wanted->since && !(request->since = cli_read_time(cli, wanted->since))))
        return CLI_USAGE;
    request->unread = wanted->unread != NULL;
    request->include_own = wanted->all != NULL;
    return wanted->follow ? follow_feed(&names, request, (size_t)max)
                          : list(&names, request, (size_t)max);
}

/* ---- digests ---- */

static enum comb_v1_activity_period period_of(const char *text)
{
    static const char *const names[] = {"", "hour", "day", "week"};
    for (int i = 1; i < (int)(sizeof names / sizeof names[0]); i++) {
        if (strcmp(names[i], text) == 0)
            return (enum comb_v1_activity_period)i;
    }
    fprintf(stderr, "comb: --digest takes hour, day or week\n");
    return COMB_V1_ACTIVITY_PERIOD_UNSPECIFIED;
}

static int show_digest(struct cli *cli, const struct wanted *wanted, int argc, char **argv)
{
    struct feed_names names = {.cli = cli};
    struct comb_v1_activities_digest_request *request =
        comb_v1_activities_digest_request_new(cli->arena);
    struct comb_v1_activities_digest_response *response = NULL;
    if (!request || !(request->scope = comb_v1_activity_scope_new(cli->arena)))
        return cli_no_memory();
    request->period = period_of(wanted->digest);
    if (!request->period || !set_scope(cli, wanted, argc, argv, request->scope) ||
        (wanted->since && !(request->since = cli_read_time(cli, wanted->since))))
        return CLI_USAGE;
    request->include_own = wanted->all != NULL;
    if (comb_v1_activities_digest(cli_channel(cli), cli->arena, NULL, request, &response,
                                  &cli->err) != GRPCC_OK)
        return cli_fail(cli, "feed");
    if (cli->json) {
        cli_print_json(stdout, &response->base);
        return CLI_OK;
    }
    for (size_t i = 0; i < response->n_lines; i++)
        feed_print_digest(&names, response->lines[i]);
    if (!response->complete)
        fprintf(stderr, "comb: these are too many: nothing before %s is counted\n",
                cli_time(response->reached));
    return CLI_OK;
}

/* ---- what is followed and read ---- */

static int feed_follow(struct cli *cli, int argc, char **argv)
{
    const char *user = NULL;
    const struct cli_option options[] = {{"--user", true, &user}, {NULL, false, NULL}};
    struct comb_v1_activities_follow_request *request =
        comb_v1_activities_follow_request_new(cli->arena);
    struct comb_v1_activities_follow_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 1, USAGE) || !user == !argc) {
        fprintf(stderr, "comb: follow a REF, or --user LOGIN\n");
        return CLI_USAGE;
    }
    if (!cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_activities_follow_request_set_user(request, user);
    if (argc && !(request->node = cli_ref(cli, argv[0])))
        return CLI_USAGE;
    if (comb_v1_activities_follow(cli_channel(cli), cli->arena, NULL, request, &response,
                                  &cli->err) != GRPCC_OK)
        return cli_fail(cli, argc ? argv[0] : user);
    if (cli->json)
        cli_print_json(stdout, &response->follow->base);
    return CLI_OK;
}

static int feed_unfollow(struct cli *cli, int argc, char **argv)
{
    const char *user = NULL;
    const struct cli_option options[] = {{"--user", true, &user}, {NULL, false, NULL}};
    struct comb_v1_activities_unfollow_request *request =
        comb_v1_activities_unfollow_request_new(cli->arena);
    struct comb_v1_activities_unfollow_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 1, USAGE) || !user == !argc) {
        fprintf(stderr, "comb: unfollow a REF, or --user LOGIN\n");
        return CLI_USAGE;
    }
    if (!cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_activities_unfollow_request_set_user(request, user);
    if (argc && !(request->node = cli_ref(cli, argv[0])))
        return CLI_USAGE;
    if (comb_v1_activities_unfollow(cli_channel(cli), cli->arena, NULL, request, &response,
                                    &cli->err) != GRPCC_OK)
        return cli_fail(cli, argc ? argv[0] : user);
    return CLI_OK;
}

static int feed_follows(struct cli *cli, int argc, char **argv)
{
    struct feed_names names = {.cli = cli};
    struct comb_v1_activities_list_follows_request *request =
        comb_v1_activities_list_follows_request_new(cli->arena);
    struct comb_v1_activities_list_follows_response *response = NULL;
    if (!cli_arguments(none, &argc, argv, 0, 0, USAGE) || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    if (comb_v1_activities_list_follows(cli_channel(cli), cli->arena, NULL, request, &response,
                                        &cli->err) != GRPCC_OK)
        return cli_fail(cli, "follows");
    for (size_t i = 0; i < response->n_follows; i++) {
        const struct comb_v1_activity_follow *follow = response->follows[i];
        if (cli->json)
            cli_print_json(stdout, &follow->base);
        else if (follow->user_id[0])
            printf("%s  user:%s\n", cli_time(follow->create_time),
                   cli_name(feed_login(&names, follow->user_id)));
        else
            printf("%s  %s\n", cli_time(follow->create_time),
                   cli_name(follow->path[0] ? follow->path : follow->node_id));
    }
    return CLI_OK;
}

static int feed_unread(struct cli *cli, int argc, char **argv)
{
    struct comb_v1_activities_unread_request *request =
        comb_v1_activities_unread_request_new(cli->arena);
    struct comb_v1_activities_unread_response *response = NULL;
    if (!cli_arguments(none, &argc, argv, 0, 0, USAGE) || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    if (comb_v1_activities_unread(cli_channel(cli), cli->arena, NULL, request, &response,
                                  &cli->err) != GRPCC_OK)
        return cli_fail(cli, "unread");
    if (cli->json)
        cli_print_json(stdout, &response->base);
    else
        printf("%s%u\n", response->at_least ? "at least " : "", response->count);
    return CLI_OK;
}

static int feed_read(struct cli *cli, int argc, char **argv)
{
    struct comb_v1_activities_mark_read_request *request =
        comb_v1_activities_mark_read_request_new(cli->arena);
    struct comb_v1_activities_mark_read_response *response = NULL;
    static const char urn[] = "urn:comb:activity:";
    if (!cli_arguments(none, &argc, argv, 0, 1, USAGE) || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    /* As it stands in JSON, too. */
    if (argc && strncmp(argv[0], urn, sizeof urn - 1) == 0)
        argv[0] += sizeof urn - 1;
    comb_v1_activities_mark_read_request_set_activity_id(request, argc ? argv[0] : NULL);
    if (comb_v1_activities_mark_read(cli_channel(cli), cli->arena, NULL, request, &response,
                                     &cli->err) != GRPCC_OK)
        return cli_fail(cli, "read");
    return CLI_OK;
}

/* All that there is to remove, a call after the other. */
static int feed_purge(struct cli *cli, int argc, char **argv)
{
    const char *before = NULL, *keep = NULL;
    const struct cli_option options[] = {
        {"--before", true, &before}, {"--keep", true, &keep}, {NULL, false, NULL}};
    struct comb_v1_activities_purge_request *request =
        comb_v1_activities_purge_request_new(cli->arena);
    struct comb_v1_activities_purge_response *response = NULL;
    unsigned long long removed = 0;
    if (!cli_arguments(options, &argc, argv, 0, 0, USAGE) || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    if (before && !(request->before = cli_read_time(cli, before)))
        return CLI_USAGE;
    request->keep = keep ? strtoull(keep, NULL, 10) : 0;
    do {
        comb_v1_activities_purge_request_set_request_id(request, NULL);
        if (comb_v1_activities_purge(cli_channel(cli), cli->arena, NULL, request, &response,
                                     &cli->err) != GRPCC_OK)
            return cli_fail(cli, "purge");
        removed += response->removed;
    } while (response->more);
    printf("%llu\n", removed);
    return CLI_OK;
}

int cli_feed(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {{"follow", feed_follow},
                                            {"unfollow", feed_unfollow},
                                            {"follows", feed_follows},
                                            {"unread", feed_unread},
                                            {"read", feed_read},
                                            {"purge", feed_purge},
                                            {NULL, NULL}};
    struct wanted wanted = {0};
    const struct cli_option options[] = {{"--user", true, &wanted.user},
                                         {"--mine", false, &wanted.mine},
                                         {"--all", false, &wanted.all},
                                         {"--unread", false, &wanted.unread},
                                         {"--since", true, &wanted.since},
                                         {"-n", true, &wanted.n},
                                         {"--follow", false, &wanted.follow},
                                         {"--digest", true, &wanted.digest},
                                         {NULL, false, NULL}};
    for (const struct cli_verb *verb = verbs; argc > 0 && verb->name; verb++) {
        if (strcmp(verb->name, argv[0]) == 0)
            return verb->run(cli, argc - 1, argv + 1);
    }
    if (!cli_arguments(options, &argc, argv, 0, 1, USAGE))
        return CLI_USAGE;
    if ((argc > 0) + (wanted.user != NULL) + (wanted.mine != NULL) > 1) {
        fprintf(stderr, "comb: a REF, --user or --mine: one of them\n");
        return CLI_USAGE;
    }
    if (!cli_connect(cli))
        return CLI_USAGE;
    return wanted.digest ? show_digest(cli, &wanted, argc, argv)
                         : show_feed(cli, &wanted, argc, argv);
}
