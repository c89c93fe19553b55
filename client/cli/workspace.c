/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about workspaces. */
#include <string.h>

#include "client/cli/cli.h"
#include "comb/v1/workspaces.grpcc.h"

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

static int workspace_set(struct cli *cli, int argc, char **argv)
{
    const char *slug = NULL, *label = NULL, *description = NULL;
    const struct cli_option options[] = {{"--slug", true, &slug},
                                         {"--label", true, &label},
                                         {"--description", true, &description},
                                         {NULL, false, NULL}};
    struct comb_v1_workspaces_update_request *request =
        comb_v1_workspaces_update_request_new(cli->arena);
    struct comb_v1_workspaces_update_response *response = NULL;
    struct google_protobuf_field_mask *mask = google_protobuf_field_mask_new(cli->arena);
    if (!cli_arguments(options, &argc, argv, 1, 1,
                       "comb workspace set SLUG [--slug SLUG] [--label LABEL] "
                       "[--description TEXT]") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request || !mask || !cli_mask_if(cli, mask, slug, "slug") ||
        !cli_mask_if(cli, mask, label, "label") ||
        !cli_mask_if(cli, mask, description, "description"))
        return cli_no_memory();
    comb_v1_workspaces_update_request_set_workspace(request, argv[0]);
    comb_v1_workspaces_update_request_set_slug(request, slug);
    comb_v1_workspaces_update_request_set_label(request, label);
    comb_v1_workspaces_update_request_set_description(request, description);
    request->update_mask = mask;
    if (comb_v1_workspaces_update(cli_channel(cli), cli->arena, NULL, request, &response,
                                  &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_workspace(cli, response->workspace);
    return CLI_OK;
}

int cli_workspace(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {{"add", workspace_add},
                                            {"ls", workspace_list},
                                            {"show", workspace_show},
                                            {"set", workspace_set},
                                            {NULL, NULL}};
    return cli_subverb(cli, verbs, "workspace", argc, argv);
}
