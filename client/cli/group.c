/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about groups. */
#include <string.h>

#include "client/cli/cli.h"
#include "comb/v1/identity.grpcc.h"
#include "google/protobuf/field_mask.grpcc.h"

static void print_group(const struct cli *cli, const struct comb_v1_group *group)
{
    if (cli->json) {
        cli_print_json(stdout, &group->base);
        return;
    }
    printf("%-32s %s  %s\n", cli_name(group->path), group->id, cli_name(group->label));
}

/* Splits "/staff/berlin" into "/staff", in arena, and "berlin". */
static bool split_path(struct cli *cli, const char *path, char **ret_parent, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    *ret_name = slash ? slash + 1 : path;
    *ret_parent = slash ? grpcc_arena_printf(cli->arena, "%.*s", (int)(slash - path), path)
                        : grpcc_arena_strdup(cli->arena, "");
    return *ret_parent != NULL;
}

static int group_add(struct cli *cli, int argc, char **argv)
{
    const char *label = NULL, *name;
    char *parent;
    const struct cli_option options[] = {{"--label", true, &label}, {NULL, false, NULL}};
    struct comb_v1_identity_create_group_request *request =
        comb_v1_identity_create_group_request_new(cli->arena);
    struct comb_v1_identity_create_group_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb group add PATH [--label LABEL]") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request || !split_path(cli, argv[0], &parent, &name))
        return cli_no_memory();
    comb_v1_identity_create_group_request_set_parent(request, parent);
    comb_v1_identity_create_group_request_set_name(request, name);
    comb_v1_identity_create_group_request_set_label(request, label);
    if (comb_v1_identity_create_group(cli_channel(cli), cli->arena, NULL, request, &response,
                                      &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_group(cli, response->group);
    return CLI_OK;
}

static int group_list(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_identity_list_groups_request *request =
        comb_v1_identity_list_groups_request_new(cli->arena);
    struct comb_v1_identity_list_groups_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 1, "comb group ls [GROUP]") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_identity_list_groups_request_set_parent(request, argc ? argv[0] : "");
    do {
        if (comb_v1_identity_list_groups(cli_channel(cli), cli->arena, NULL, request, &response,
                                         &cli->err) != GRPCC_OK)
            return cli_fail(cli, argc ? argv[0] : "groups");
        for (size_t i = 0; i < response->n_groups; i++)
            print_group(cli, response->groups[i]);
        comb_v1_identity_list_groups_request_set_page_token(request, response->next_page_token);
    } while (response->next_page_token[0]);
    return CLI_OK;
}

static int group_show(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_identity_get_group_request *request =
        comb_v1_identity_get_group_request_new(cli->arena);
    struct comb_v1_identity_get_group_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb group show GROUP") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_identity_get_group_request_set_group(request, argv[0]);
    if (comb_v1_identity_get_group(cli_channel(cli), cli->arena, NULL, request, &response,
                                   &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_group(cli, response->group);
    return CLI_OK;
}

static int group_set(struct cli *cli, int argc, char **argv)
{
    const char *name = NULL, *label = NULL, *parent = NULL;
    const struct cli_option options[] = {{"--name", true, &name},
                                         {"--label", true, &label},
                                         {"--parent", true, &parent},
                                         {NULL, false, NULL}};
    struct comb_v1_identity_update_group_request *request =
        comb_v1_identity_update_group_request_new(cli->arena);
    struct comb_v1_identity_update_group_response *response = NULL;
    struct google_protobuf_field_mask *mask = google_protobuf_field_mask_new(cli->arena);
    if (!cli_arguments(options, &argc, argv, 1, 1,
                       "comb group set GROUP [--name NAME] [--label LABEL] [--parent GROUP]") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request || !mask || !cli_mask_if(cli, mask, name, "name") ||
        !cli_mask_if(cli, mask, label, "label") || !cli_mask_if(cli, mask, parent, "parent"))
        return cli_no_memory();
    comb_v1_identity_update_group_request_set_group(request, argv[0]);
    comb_v1_identity_update_group_request_set_name(request, name);
    comb_v1_identity_update_group_request_set_label(request, label);
    comb_v1_identity_update_group_request_set_parent(request, parent);
    request->update_mask = mask;
    if (comb_v1_identity_update_group(cli_channel(cli), cli->arena, NULL, request, &response,
                                      &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_group(cli, response->group);
    return CLI_OK;
}

static int group_remove(struct cli *cli, int argc, char **argv)
{
    const char *recursive = NULL;
    const struct cli_option options[] = {{"-r", false, &recursive}, {NULL, false, NULL}};
    struct comb_v1_identity_delete_group_request *request =
        comb_v1_identity_delete_group_request_new(cli->arena);
    struct comb_v1_identity_delete_group_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb group rm [-r] GROUP") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_identity_delete_group_request_set_group(request, argv[0]);
    request->recursive = recursive != NULL;
    if (comb_v1_identity_delete_group(cli_channel(cli), cli->arena, NULL, request, &response,
                                      &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return CLI_OK;
}

int cli_group(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {{"add", group_add},   {"ls", group_list},
                                            {"show", group_show}, {"set", group_set},
                                            {"rm", group_remove}, {NULL, NULL}};
    return cli_subverb(cli, verbs, "group", argc, argv);
}
