/* SPDX-License-Identifier: Apache-2.0 */
/* `comb replicas`: who there is, as the library found them, and how they do. */
#include <stdio.h>
#include <time.h>

#include "client/cli/cli.h"
#include "comb/statistics.h"
#include "comb/v1/registry.grpcc.h"

/* So long the library may take to find and to reach the others. */
enum { LOOK_MS = 50, LOOKS_MAX = 60 };

static int say_hello(struct cli *cli)
{
    struct comb_v1_registry_list_request *request = comb_v1_registry_list_request_new(cli->arena);
    struct comb_v1_registry_list_response *response = NULL;
    if (!request)
        return cli_no_memory();
    request->page_size = 1;
    if (comb_v1_registry_list(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, cli->server);
    return CLI_OK;
}

/* The list has been asked for, and all on it are connected; or one that is not takes long. */
static int await_list(struct cli *cli)
{
    struct comb_statistics seen = {.size = sizeof seen};
    const struct timespec pause = {0, LOOK_MS * 1000000L};
    for (int i = 0; i < LOOKS_MAX; i++) {
        int status = say_hello(cli);
        if (status != CLI_OK)
            return status;
        comb_client_statistics(cli->client, &seen);
        if ((cli->pinned || seen.discoveries > 0) && seen.replicas_good == seen.replicas)
            break;
        nanosleep(&pause, NULL);
    }
    return CLI_OK;
}

static void print_replica(const struct comb_replica_state *state)
{
    const char *how = state->ejected      ? "does not answer"
                      : !state->connected ? "not connected"
                      : state->listed     ? "serves"
                                          : "not in the registry";
    printf("%-28s %-20s %8.1f ms %6llu calls %4llu failed%s\n", cli_name(state->target), how,
           (double)state->latency_us / 1000, (unsigned long long)state->attempts,
           (unsigned long long)state->failures, state->named ? "" : "  found");
}

int cli_replicas(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    if (!cli_arguments(options, &argc, argv, 0, 0, "comb replicas") || !cli_connect(cli))
        return CLI_USAGE;
    int status = await_list(cli);
    if (status != CLI_OK)
        return status;
    if (cli->json) {
        const char *dump = comb_client_dump(cli->client, cli->arena);
        if (!dump)
            return cli_no_memory();
        puts(dump);
        return CLI_OK;
    }
    struct comb_replica_state **states = comb_client_replicas(cli->client, cli->arena);
    for (size_t i = 0; states && states[i]; i++)
        print_replica(states[i]);
    return states ? CLI_OK : cli_no_memory();
}
