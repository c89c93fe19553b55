/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about workspaces, and about one replica's admin side. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "comb/v1/admin.grpcc.h"
#include "comb/v1/workspaces.grpcc.h"

#define ADMIN_DEFAULT "127.0.0.1:7071"

static void print_workspace(const struct cli *cli, const struct comb_v1_workspace *workspace)
{
    if (cli->json) {
        cli_print_json(stdout, &workspace->base);
        return;
    }
    printf("/%-23s %s  %s%s\n", cli_name(workspace->slug), workspace->id,
           cli_name(workspace->label),
           workspace->kind == COMB_V1_WORKSPACE_KIND_PERSONAL ? "  personal" : "");
}

/* What `--default` may be. */
static bool read_default(const char *text, enum comb_v1_rights *ret_rights)
{
    if (!text || strcmp(text, "none") == 0)
        *ret_rights = COMB_V1_RIGHTS_UNSPECIFIED;
    else if (strcmp(text, "read") == 0)
        *ret_rights = COMB_V1_RIGHTS_READ;
    else if (strcmp(text, "rw") == 0)
        *ret_rights = COMB_V1_RIGHTS_READ_WRITE;
    else {
        fprintf(stderr, "comb: --default takes none, read or rw\n");
        return false;
    }
    return true;
}

static int workspace_add(struct cli *cli, int argc, char **argv)
{
    const char *label = NULL, *owner = NULL, *rights = NULL;
    const struct cli_option options[] = {{"--label", true, &label},
                                         {"--owner", true, &owner},
                                         {"--default", true, &rights},
                                         {NULL, false, NULL}};
    struct comb_v1_workspaces_create_request *request =
        comb_v1_workspaces_create_request_new(cli->arena);
    struct comb_v1_workspaces_create_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1,
                       "comb workspace add SLUG [--label LABEL] [--owner USER] "
                       "[--default none|read|rw]") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_workspaces_create_request_set_slug(request, argv[0]);
    comb_v1_workspaces_create_request_set_label(request, label);
    comb_v1_workspaces_create_request_set_owner(request, owner);
    if (!read_default(rights, &request->default_rights))
        return CLI_USAGE;
    if (comb_v1_workspaces_create(cli_channel(cli), cli->arena, NULL, request, &response,
                                  &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_workspace(cli, response->workspace);
    return CLI_OK;
}

static int workspace_list(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_workspaces_list_request *request =
        comb_v1_workspaces_list_request_new(cli->arena);
    struct comb_v1_workspaces_list_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 0, "comb workspace ls") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    do {
        if (comb_v1_workspaces_list(cli_channel(cli), cli->arena, NULL, request, &response,
                                    &cli->err) != GRPCC_OK)
            return cli_fail(cli, "workspaces");
        for (size_t i = 0; i < response->n_workspaces; i++)
            print_workspace(cli, response->workspaces[i]);
        comb_v1_workspaces_list_request_set_page_token(request, response->next_page_token);
    } while (response->next_page_token[0]);
    return CLI_OK;
}

static int workspace_show(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_workspaces_get_request *request = comb_v1_workspaces_get_request_new(cli->arena);
    struct comb_v1_workspaces_get_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb workspace show SLUG") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_workspaces_get_request_set_workspace(request, argv[0]);
    if (comb_v1_workspaces_get(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_workspace(cli, response->workspace);
    return CLI_OK;
}

int cli_workspace(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"add", workspace_add}, {"ls", workspace_list}, {"show", workspace_show}, {NULL, NULL}};
    return cli_subverb(cli, verbs, "workspace", argc, argv);
}

/* ---- one replica ---- */

/* The admin side has an address of its own; the session is the same. */
static bool connect_admin(struct cli *cli)
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
        !connect_admin(cli))
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
        !connect_admin(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    if (comb_v1_admin_drain(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, cli->server);
    return CLI_OK;
}

int cli_admin(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"info", admin_info}, {"drain", admin_drain}, {NULL, NULL}};
    return cli_subverb(cli, verbs, "admin", argc, argv);
}
