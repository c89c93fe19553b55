/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs for administrators: about one replica, on its admin side, and about the installation. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/admin_verbs.h"
#include "client/cli/operations.h"
#include "comb/v1/admin.grpcc.h"

#define ADMIN_DEFAULT "127.0.0.1:7071"

bool cli_connect_admin(struct cli *cli)
{
    if (!cli->server)
        cli->server = getenv("COMB_ADMIN_SERVER");
    if (!cli->server || !*cli->server)
        cli->server = ADMIN_DEFAULT;
    cli->trust_server = true;
    return cli_connect(cli);
}

static void print_info(const struct comb_v1_admin_info_response *info)
{
    printf("combd %s%s\n  replica   %s, since %s\n  stores of %s\n", info->version,
           info->draining ? ", draining" : "", info->replica_id, cli_time(info->start_time),
           info->installation_id);
    for (size_t i = 0; i < info->n_listen_addresses; i++)
        printf("  serves    %s\n", cli_name(info->listen_addresses[i]));
    for (size_t i = 0; i < info->n_admin_addresses; i++)
        printf("  admin     %s\n", cli_name(info->admin_addresses[i]));
    for (size_t i = 0; i < info->n_drivers; i++)
        printf("  %-9s %s (%s)%s\n", info->drivers[i]->row, cli_name(info->drivers[i]->url),
               cli_name(info->drivers[i]->store),
               info->drivers[i]->shared ? "" : ", one process only");
    for (size_t i = 0; i < info->n_counters; i++)
        printf("  %-32s %llu\n", info->counters[i]->name,
               (unsigned long long)info->counters[i]->value);
}

static int admin_info(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{"--server", true, &cli->server}, {NULL, false, NULL}};
    struct comb_v1_admin_info_request *request = comb_v1_admin_info_request_new(cli->arena);
    struct comb_v1_admin_info_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 0, "comb admin info [--server ADDRESS]") ||
        !cli_connect_admin(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    if (comb_v1_admin_info(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, cli->server);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    else
        print_info(response);
    return CLI_OK;
}

static int admin_drain(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{"--server", true, &cli->server}, {NULL, false, NULL}};
    struct comb_v1_admin_drain_request *request = comb_v1_admin_drain_request_new(cli->arena);
    struct comb_v1_admin_drain_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 0, "comb admin drain [--server ADDRESS]") ||
        !cli_connect_admin(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    if (comb_v1_admin_drain(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, cli->server);
    return CLI_OK;
}

static const char *state_name(enum comb_v1_admin_store_state state)
{
    static const char *const names[] = {"?", "starting", "up", "down"};
    return names[(unsigned)state < sizeof names / sizeof names[0] ? (unsigned)state : 0];
}

static void print_store(const struct comb_v1_admin_store *store)
{
    printf("%-9s %-8s %s%s%s\n", store->row, state_name(store->state), cli_name(store->url),
           store->server[0] ? "  " : "", cli_name(store->server));
    printf("          since %s, %u connections, %u in flight, %llu requests, %llu failed, "
           "%llu reconnects%s\n",
           cli_time(store->since_time), store->connections, store->in_flight,
           (unsigned long long)store->requests, (unsigned long long)store->failures,
           (unsigned long long)store->reconnects, store->shared ? "" : ", one process only");
    if (store->state == COMB_V1_ADMIN_STORE_STATE_DOWN)
        printf("          %s\n", cli_name(store->error));
}

static int admin_stores(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{"--server", true, &cli->server}, {NULL, false, NULL}};
    struct comb_v1_admin_stores_request *request = comb_v1_admin_stores_request_new(cli->arena);
    struct comb_v1_admin_stores_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 0, "comb admin stores [--server ADDRESS]") ||
        !cli_connect_admin(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    if (comb_v1_admin_stores(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, cli->server);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    for (size_t i = 0; !cli->json && i < response->n_stores; i++)
        print_store(response->stores[i]);
    return CLI_OK;
}

/* Exit status: CLI_UNAVAILABLE where a store cannot be used. */
static int admin_check(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{"--server", true, &cli->server}, {NULL, false, NULL}};
    struct comb_v1_admin_check_request *request = comb_v1_admin_check_request_new(cli->arena);
    struct comb_v1_admin_check_response *response = NULL;
    int status = CLI_OK;
    if (!cli_arguments(options, &argc, argv, 0, 16,
                       "comb admin check [--server ADDRESS] [ROW...]") ||
        !cli_connect_admin(cli))
        return CLI_USAGE;
    for (int i = 0; request && i < argc; i++)
        if (!comb_v1_admin_check_request_add_rows(cli->arena, request, argv[i]))
            request = NULL;
    if (!request)
        return cli_no_memory();
    if (comb_v1_admin_check(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, cli->server);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    for (size_t i = 0; i < response->n_checks; i++) {
        const struct comb_v1_admin_check *check = response->checks[i];
        if (!cli->json)
            printf("%-9s %-6s %s (%u ms)\n", check->row, check->ok ? "ok" : "FAILED",
                   cli_name(check->message), check->duration_ms);
        if (!check->ok)
            status = CLI_UNAVAILABLE;
    }
    for (size_t i = 0; !cli->json && i < response->n_warnings; i++)
        printf("%-9s %-6s %s\n", cli_name(response->warnings[i]->about), "warn",
               cli_name(response->warnings[i]->message));
    return status;
}

static int admin_statistics(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{"--server", true, &cli->server}, {NULL, false, NULL}};
    struct comb_v1_admin_statistics_request *request =
        comb_v1_admin_statistics_request_new(cli->arena);
    struct comb_v1_admin_statistics_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 16,
                       "comb admin statistics [--server ADDRESS] [GROUP...]") ||
        !cli_connect_admin(cli))
        return CLI_USAGE;
    for (int i = 0; request && i < argc; i++)
        if (!comb_v1_admin_statistics_request_add_groups(cli->arena, request, argv[i]))
            request = NULL;
    if (!request)
        return cli_no_memory();
    if (comb_v1_admin_statistics(cli_channel(cli), cli->arena, NULL, request, &response,
                                 &cli->err) != GRPCC_OK)
        return cli_fail(cli, cli->server);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    for (size_t i = 0; !cli->json && i < response->n_groups; i++) {
        const struct comb_v1_admin_statistics_group *group = response->groups[i];
        printf("%s\n", cli_name(group->name));
        for (size_t j = 0; j < group->n_counters; j++)
            printf("  %-24s %llu\n", cli_name(group->counters[j]->name),
                   (unsigned long long)group->counters[j]->value);
    }
    return CLI_OK;
}

static int admin_log_level(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{"--server", true, &cli->server}, {NULL, false, NULL}};
    struct comb_v1_admin_set_log_level_request *request =
        comb_v1_admin_set_log_level_request_new(cli->arena);
    struct comb_v1_admin_set_log_level_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1,
                       "comb admin log-level [--server ADDRESS] LEVELS") ||
        !cli_connect_admin(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_admin_set_log_level_request_set_levels(request, argv[0]);
    if (comb_v1_admin_set_log_level(cli_channel(cli), cli->arena, NULL, request, &response,
                                    &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return CLI_OK;
}

/* ---- the installation, on the API's side ---- */

/* Begins an operation of that kind: `usage` with [--wait]. */
static int start_kind(struct cli *cli, int argc, char **argv, const char *kind, const char *usage)
{
    const char *wait = NULL;
    const struct cli_option options[] = {{"--wait", false, &wait}, {NULL, false, NULL}};
    struct comb_v1_operations_start_request *request =
        comb_v1_operations_start_request_new(cli->arena);
    struct comb_v1_operations_start_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 0, usage) || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_operations_start_request_set_kind(request, kind);
    if (comb_v1_operations_start(cli_channel(cli), cli->arena, NULL, request, &response,
                                 &cli->err) != GRPCC_OK)
        return cli_fail(cli, kind);
    if (wait)
        return cli_wait_operation(cli, response->operation->id);
    cli_print_operation(cli, response->operation);
    return CLI_OK;
}

static int admin_sweep(struct cli *cli, int argc, char **argv)
{
    return start_kind(cli, argc, argv, "data.sweep", "comb admin sweep [--wait]");
}

static int admin_encrypt(struct cli *cli, int argc, char **argv)
{
    return start_kind(cli, argc, argv, "data.encrypt", "comb admin encrypt [--wait]");
}

static int admin_rotate_keys(struct cli *cli, int argc, char **argv)
{
    return start_kind(cli, argc, argv, "data.rotate-keys", "comb admin rotate-keys [--wait]");
}

int cli_admin(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {{"info", admin_info},
                                            {"stores", admin_stores},
                                            {"check", admin_check},
                                            {"statistics", admin_statistics},
                                            {"log-level", admin_log_level},
                                            {"drain", admin_drain},
                                            {"sweep", admin_sweep},
                                            {"encrypt", admin_encrypt},
                                            {"rotate-keys", admin_rotate_keys},
                                            {"consumers", cli_admin_consumers},
                                            {"set-aside", cli_admin_set_aside},
                                            {"retry", cli_admin_retry},
                                            {"backup", cli_admin_backup},
                                            {"move-row", cli_admin_move_row},
                                            {NULL, NULL}};
    return cli_subverb(cli, verbs, "admin", argc, argv);
}
