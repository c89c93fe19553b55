/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about the service registry: who serves, where. */
#include <string.h>

#include "client/cli/cli.h"
#include "comb/v1/registry.grpcc.h"

static void print_entry(const struct comb_v1_registry_entry *entry)
{
    printf("%-12s %-36s %s", cli_name(entry->service), cli_name(entry->id),
           cli_name(entry->version));
    for (size_t i = 0; i < entry->n_addresses; i++)
        printf("  %s", cli_name(entry->addresses[i]));
    for (size_t i = 0; i < entry->n_admin_addresses; i++)
        printf("  admin=%s", cli_name(entry->admin_addresses[i]));
    if (entry->load)
        printf("  calls=%u", entry->load->calls_in_flight);
    printf("%s\n", entry->draining ? "  draining" : "");
}

static void say_stale(bool stale)
{
    if (stale)
        fprintf(stderr, "comb: the registry's store is away: this is what was known before\n");
}

static int list_page(struct cli *cli, struct comb_v1_registry_list_request *request,
                     struct comb_v1_registry_list_response **ret_response)
{
    struct comb_v1_registry_list_response *response = NULL;
    if (comb_v1_registry_list(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, "registry");
    if (cli->json)
        cli_print_json(stdout, &response->base);
    for (size_t i = 0; i < response->n_entries && !cli->json; i++)
        print_entry(response->entries[i]);
    *ret_response = response;
    return CLI_OK;
}

static int registry_ls(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_registry_list_request *request = comb_v1_registry_list_request_new(cli->arena);
    struct comb_v1_registry_list_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 1, "comb registry ls [SERVICE]") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    if (argc)
        comb_v1_registry_list_request_set_service(request, argv[0]);
    int status = list_page(cli, request, &response);
    while (status == CLI_OK && response->next_page_token[0]) {
        comb_v1_registry_list_request_set_page_token(request, response->next_page_token);
        status = list_page(cli, request, &response);
    }
    if (status == CLI_OK)
        say_stale(response->stale);
    return status;
}

static void print_changes(const struct comb_v1_registry_watch_response *changes)
{
    for (size_t i = 0; i < changes->n_entries; i++)
        print_entry(changes->entries[i]);
    for (size_t i = 0; i < changes->n_removed; i++)
        printf("%-12s %-36s removed\n", cli_name(changes->removed[i]->service),
               cli_name(changes->removed[i]->id));
    say_stale(changes->stale);
}

static int registry_watch(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_registry_watch_request *request = comb_v1_registry_watch_request_new(cli->arena);
    struct comb_v1_registry_watch_response *changes = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    int more = -1;
    if (!cli_arguments(options, &argc, argv, 0, 1, "comb registry watch [SERVICE]") ||
        !cli_connect(cli)) {
        grpcc_arena_free(arena);
        return CLI_USAGE;
    }
    if (!request || !arena) {
        grpcc_arena_free(arena);
        return cli_no_memory();
    }
    if (argc)
        comb_v1_registry_watch_request_set_service(request, argv[0]);
    struct comb_v1_registry_watch_stream *stream =
        comb_v1_registry_watch_stream_open(cli_channel(cli), NULL, request, &cli->err);
    while (stream &&
           (more = comb_v1_registry_watch_stream_read(stream, arena, &changes, &cli->err)) == 1) {
        if (cli->json)
            cli_print_json(stdout, &changes->base);
        else
            print_changes(changes);
        fflush(stdout);
        grpcc_arena_reset(arena);
        if (ferror(stdout))
            break;
    }
    if (more == 0 &&
        comb_v1_registry_watch_stream_finish(stream, cli->arena, &cli->err) != GRPCC_OK)
        more = -1;
    int status = more < 0 ? cli_fail(cli, "registry") : CLI_OK;
    comb_v1_registry_watch_stream_free(stream);
    grpcc_arena_free(arena);
    return status;
}

int cli_registry(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"ls", registry_ls}, {"watch", registry_watch}, {NULL, NULL}};
    return cli_subverb(cli, verbs, "registry", argc, argv);
}
