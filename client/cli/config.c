/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about the configuration. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "comb/v1/config.grpcc.h"

static void print_value(const struct comb_v1_config_entry *entry)
{
    printf("%s\n", entry->value);
}

static void print_state(const struct comb_v1_config_entry *entry)
{
    printf("%10" PRId64 "  %-19s  %-12s  %s\n", entry->revision, cli_time(entry->time),
           entry->actor[0] ? cli_name(entry->actor) : "-",
           entry->value[0] ? entry->value : "(deleted)");
}

static void print_line(const struct comb_v1_config_entry *entry)
{
    printf("%s = %s\n", entry->path, entry->value[0] ? entry->value : "(deleted)");
}

static void warn_stale(bool stale)
{
    if (stale)
        fprintf(stderr, "comb: the configuration's store is away: this is what was known last\n");
}

/* A revision as a number; false, said on stderr. */
static bool read_revision(const char *text, int64_t *ret_revision)
{
    char *end = NULL;
    errno = 0;
    long long revision = strtoll(text, &end, 10);
    if (errno || end == text || *end || revision < 0) {
        fprintf(stderr, "comb: \"%s\" is not a revision\n", text);
        return false;
    }
    *ret_revision = revision;
    return true;
}

static int config_get(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_config_get_request *request = comb_v1_config_get_request_new(cli->arena);
    struct comb_v1_config_get_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb config get PATH") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_config_get_request_set_path(request, argv[0]);
    if (comb_v1_config_get(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    warn_stale(response->stale);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    else
        print_value(response->entry);
    return CLI_OK;
}

/* PATH=VALUE; NULL, said on stderr. */
static struct comb_v1_config_change *read_change(struct cli *cli, const char *text)
{
    const char *equals = strchr(text, '=');
    struct comb_v1_config_change *change = comb_v1_config_change_new(cli->arena);
    if (!equals || !equals[1] || !change) {
        fprintf(stderr, "comb: \"%s\" is not PATH=JSON\n", text);
        return NULL;
    }
    change->path = grpcc_arena_strndup(cli->arena, text, (size_t)(equals - text));
    comb_v1_config_change_set_value(change, equals + 1);
    return change->path ? change : NULL;
}

static int config_set(struct cli *cli, int argc, char **argv)
{
    const char *expected = NULL;
    const struct cli_option options[] = {{"--expect", true, &expected}, {NULL, false, NULL}};
    struct comb_v1_config_set_request *request = comb_v1_config_set_request_new(cli->arena);
    struct comb_v1_config_set_response *response = NULL;
    int64_t revision = 0;
    if (!cli_arguments(options, &argc, argv, 1, 1000,
                       "comb config set [--expect REVISION] PATH=JSON...") ||
        (expected && !read_revision(expected, &revision)) || !cli_connect(cli))
        return CLI_USAGE;
    for (int i = 0; request && i < argc; i++) {
        struct comb_v1_config_change *change = read_change(cli, argv[i]);
        if (!change)
            return CLI_USAGE;
        if (expected)
            comb_v1_config_change_set_expected_revision(change, revision);
        if (!comb_v1_config_set_request_add_changes(cli->arena, request, change))
            return cli_no_memory();
    }
    if (!request)
        return cli_no_memory();
    if (comb_v1_config_set(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    else
        printf("%" PRId64 "\n", response->revision);
    return CLI_OK;
}

static int config_rm(struct cli *cli, int argc, char **argv)
{
    const char *expected = NULL;
    const struct cli_option options[] = {{"--expect", true, &expected}, {NULL, false, NULL}};
    struct comb_v1_config_delete_request *request = comb_v1_config_delete_request_new(cli->arena);
    struct comb_v1_config_delete_response *response = NULL;
    int64_t revision = 0;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb config rm [--expect REVISION] PATH") ||
        (expected && !read_revision(expected, &revision)) || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_config_delete_request_set_path(request, argv[0]);
    request->expected_revision = revision;
    if (comb_v1_config_delete(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    return CLI_OK;
}

static int config_ls(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_config_list_request *request = comb_v1_config_list_request_new(cli->arena);
    struct comb_v1_config_list_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 1, "comb config ls [PATH]") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_config_list_request_set_path(request, argc ? argv[0] : NULL);
    do {
        if (comb_v1_config_list(cli_channel(cli), cli->arena, NULL, request, &response,
                                &cli->err) != GRPCC_OK)
            return cli_fail(cli, argc ? argv[0] : "/");
        warn_stale(response->stale);
        for (size_t i = 0; i < response->n_entries; i++) {
            if (cli->json)
                cli_print_json(stdout, &response->entries[i]->base);
            else
                print_line(response->entries[i]);
        }
        comb_v1_config_list_request_set_page_token(request, response->next_page_token);
    } while (response->next_page_token[0]);
    return CLI_OK;
}

static int config_history(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_config_history_request *request = comb_v1_config_history_request_new(cli->arena);
    struct comb_v1_config_history_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb config history PATH") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_config_history_request_set_path(request, argv[0]);
    do {
        if (comb_v1_config_history(cli_channel(cli), cli->arena, NULL, request, &response,
                                   &cli->err) != GRPCC_OK)
            return cli_fail(cli, argv[0]);
        for (size_t i = 0; i < response->n_entries; i++) {
            if (cli->json)
                cli_print_json(stdout, &response->entries[i]->base);
            else
                print_state(response->entries[i]);
        }
        comb_v1_config_history_request_set_page_token(request, response->next_page_token);
    } while (response->next_page_token[0]);
    return CLI_OK;
}

static void print_told(const struct cli *cli, const struct comb_v1_config_watch_response *told)
{
    if (cli->json) {
        cli_print_json(stdout, &told->base);
    } else {
        for (size_t i = 0; i < told->n_entries; i++)
            print_line(told->entries[i]);
    }
    fflush(stdout);
}

/* One stream to its end. Raises request->after_revision to what has been told. */
static enum grpcc_status watch_once(struct cli *cli, struct comb_v1_config_watch_request *request)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_config_watch_response *told = NULL;
    struct comb_v1_config_watch_stream *stream =
        arena ? comb_v1_config_watch_stream_open(cli_channel(cli), NULL, request, &cli->err) : NULL;
    enum grpcc_status status = cli->err.status;
    while (stream && !ferror(stdout) &&
           comb_v1_config_watch_stream_read(stream, arena, &told, &cli->err) > 0) {
        print_told(cli, told);
        if (told->kind != COMB_V1_CONFIG_WATCH_KIND_SNAPSHOT)
            request->after_revision = told->revision;
        grpcc_arena_reset(arena);
    }
    if (stream)
        status = comb_v1_config_watch_stream_finish(stream, NULL, &cli->err);
    comb_v1_config_watch_stream_free(stream);
    grpcc_arena_free(arena);
    return status;
}

static int config_watch(struct cli *cli, int argc, char **argv)
{
    const char *after = NULL;
    const struct cli_option options[] = {{"--after", true, &after}, {NULL, false, NULL}};
    struct comb_v1_config_watch_request *request = comb_v1_config_watch_request_new(cli->arena);
    enum grpcc_status status = GRPCC_UNAVAILABLE;
    int64_t revision = 0;
    if (!cli_arguments(options, &argc, argv, 0, 1, "comb config watch [--after REVISION] [PATH]") ||
        (after && !read_revision(after, &revision)) || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_config_watch_request_set_path(request, argc ? argv[0] : NULL);
    request->after_revision = revision;
    /* Another replica goes on where one has drained or died, as long as something was told. */
    for (int64_t told = -1; status == GRPCC_UNAVAILABLE && told != request->after_revision;) {
        told = request->after_revision;
        status = watch_once(cli, request);
    }
    return ferror(stdout) ? CLI_OK : cli_fail(cli, argc ? argv[0] : "watch");
}

int cli_config(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"get", config_get},         {"set", config_set},     {"rm", config_rm}, {"ls", config_ls},
        {"history", config_history}, {"watch", config_watch}, {NULL, NULL}};
    return cli_subverb(cli, verbs, "config", argc, argv);
}
