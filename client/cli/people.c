/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about users and roles. */
#include <limits.h>
#include <string.h>

#include "client/cli/cli.h"
#include "comb/v1/identity.grpcc.h"
#include "google/protobuf/field_mask.grpcc.h"

static void print_user(const struct cli *cli, const struct comb_v1_user *user)
{
    if (cli->json) {
        cli_print_json(stdout, &user->base);
        return;
    }
    printf("%-24s %s  %s%s%s\n", cli_name(user->login), user->id, cli_name(user->display_name),
           user->administrator ? "  administrator" : "", user->disabled ? "  disabled" : "");
}

static void print_role(const struct cli *cli, const struct comb_v1_role *role)
{
    if (cli->json) {
        cli_print_json(stdout, &role->base);
        return;
    }
    printf("%-24s %s  %s%s%s\n", cli_name(role->name), role->id, cli_name(role->label),
           role->override ? "  override" : "", role->built_in ? "  built in" : "");
}

/* ---- users ---- */

static int user_add(struct cli *cli, int argc, char **argv)
{
    const char *name = NULL, *email = NULL, *file = NULL, *none = NULL, *group = NULL;
    const struct cli_option options[] = {
        {"--name", true, &name},          {"--email", true, &email},
        {"--password-file", true, &file}, {"--no-password", false, &none},
        {"--group", true, &group},        {NULL, false, NULL}};
    struct comb_v1_identity_create_user_request *request =
        comb_v1_identity_create_user_request_new(cli->arena);
    struct comb_v1_identity_create_user_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, INT_MAX,
                       "comb user add LOGIN [ROLE...] [--name NAME] [--email ADDRESS] "
                       "[--password-file FILE | --no-password] [--group PATH]"))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_identity_create_user_request_set_login(request, argv[0]);
    comb_v1_identity_create_user_request_set_display_name(request, name);
    comb_v1_identity_create_user_request_set_email(request, email);
    comb_v1_identity_create_user_request_set_group(request, group);
    for (int i = 1; i < argc; i++)
        if (!comb_v1_identity_create_user_request_add_roles(cli->arena, request, argv[i]))
            return cli_no_memory();
    const char *password = none ? "" : cli_secret(cli, "password", file);
    if (!password || !cli_connect(cli))
        return CLI_USAGE;
    comb_v1_identity_create_user_request_set_password(request, password);
    if (comb_v1_identity_create_user(cli_channel(cli), cli->arena, NULL, request, &response,
                                     &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_user(cli, response->user);
    return CLI_OK;
}

static int user_list(struct cli *cli, int argc, char **argv)
{
    const char *group = NULL;
    const struct cli_option options[] = {{"--group", true, &group}, {NULL, false, NULL}};
    struct comb_v1_identity_list_users_request *request =
        comb_v1_identity_list_users_request_new(cli->arena);
    struct comb_v1_identity_list_users_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 1, "comb user ls [PREFIX] [--group PATH]") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_identity_list_users_request_set_login_prefix(request, argc ? argv[0] : "");
    comb_v1_identity_list_users_request_set_group(request, group);
    do {
        if (comb_v1_identity_list_users(cli_channel(cli), cli->arena, NULL, request, &response,
                                        &cli->err) != GRPCC_OK)
            return cli_fail(cli, "users");
        for (size_t i = 0; i < response->n_users; i++)
            print_user(cli, response->users[i]);
        comb_v1_identity_list_users_request_set_page_token(request, response->next_page_token);
    } while (response->next_page_token[0]);
    return CLI_OK;
}

static int user_show(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_identity_get_user_request *request =
        comb_v1_identity_get_user_request_new(cli->arena);
    struct comb_v1_identity_get_user_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb user show USER") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_identity_get_user_request_set_user(request, argv[0]);
    if (comb_v1_identity_get_user(cli_channel(cli), cli->arena, NULL, request, &response,
                                  &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_user(cli, response->user);
    return CLI_OK;
}

bool cli_mask_if(struct cli *cli, struct google_protobuf_field_mask *mask, const char *value,
                 const char *path)
{
    return !value || google_protobuf_field_mask_add_paths(cli->arena, mask, path);
}

/* The passwords of `user set --password`: the new one and, for one's own, the old one. */
static bool read_passwords(struct cli *cli, struct comb_v1_identity_update_user_request *request,
                           bool own)
{
    char *old = own ? cli_secret(cli, "old password", NULL) : NULL;
    char *new_one = own && !old ? NULL : cli_secret(cli, "new password", NULL);
    comb_v1_identity_update_user_request_set_old_password(request, old);
    comb_v1_identity_update_user_request_set_password(request, new_one);
    return new_one != NULL;
}

static int user_set(struct cli *cli, int argc, char **argv)
{
    const char *login = NULL, *name = NULL, *email = NULL, *password = NULL, *own = NULL,
               *disable = NULL, *enable = NULL, *group = NULL;
    const struct cli_option options[] = {{"--login", true, &login},
                                         {"--name", true, &name},
                                         {"--email", true, &email},
                                         {"--password", false, &password},
                                         {"--own-password", false, &own},
                                         {"--disable", false, &disable},
                                         {"--enable", false, &enable},
                                         {"--group", true, &group},
                                         {NULL, false, NULL}};
    struct comb_v1_identity_update_user_request *request =
        comb_v1_identity_update_user_request_new(cli->arena);
    struct comb_v1_identity_update_user_response *response = NULL;
    struct google_protobuf_field_mask *mask = google_protobuf_field_mask_new(cli->arena);
    if (!cli_arguments(options, &argc, argv, 1, 1,
                       "comb user set USER [--login LOGIN] [--name NAME] [--email ADDRESS] "
                       "[--password | --own-password] [--disable | --enable] [--group PATH]"))
        return CLI_USAGE;
    password = password ? password : own;
    const char *state = disable ? disable : enable;
    if (!request || !mask || !cli_mask_if(cli, mask, login, "login") ||
        !cli_mask_if(cli, mask, name, "display_name") || !cli_mask_if(cli, mask, email, "email") ||
        !cli_mask_if(cli, mask, password, "password") ||
        !cli_mask_if(cli, mask, state, "disabled") || !cli_mask_if(cli, mask, group, "group"))
        return cli_no_memory();
    comb_v1_identity_update_user_request_set_user(request, argv[0]);
    comb_v1_identity_update_user_request_set_login(request, login);
    comb_v1_identity_update_user_request_set_display_name(request, name);
    comb_v1_identity_update_user_request_set_email(request, email);
    comb_v1_identity_update_user_request_set_group(request, group);
    request->disabled = disable != NULL;
    request->update_mask = mask;
    if ((password && !read_passwords(cli, request, own != NULL)) || !cli_connect(cli))
        return CLI_USAGE;
    if (comb_v1_identity_update_user(cli_channel(cli), cli->arena, NULL, request, &response,
                                     &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_user(cli, response->user);
    return CLI_OK;
}

static int user_remove(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_identity_delete_user_request *request =
        comb_v1_identity_delete_user_request_new(cli->arena);
    struct comb_v1_identity_delete_user_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb user rm USER") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_identity_delete_user_request_set_user(request, argv[0]);
    if (comb_v1_identity_delete_user(cli_channel(cli), cli->arena, NULL, request, &response,
                                     &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return CLI_OK;
}

static int user_roles(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_identity_set_roles_request *request =
        comb_v1_identity_set_roles_request_new(cli->arena);
    struct comb_v1_identity_set_roles_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, INT_MAX, "comb user roles USER [ROLE...]") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_identity_set_roles_request_set_user(request, argv[0]);
    for (int i = 1; i < argc; i++)
        if (!comb_v1_identity_set_roles_request_add_roles(cli->arena, request, argv[i]))
            return cli_no_memory();
    if (comb_v1_identity_set_roles(cli_channel(cli), cli->arena, NULL, request, &response,
                                   &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_user(cli, response->user);
    return CLI_OK;
}

int cli_user(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"add", user_add},   {"ls", user_list},     {"show", user_show}, {"set", user_set},
        {"rm", user_remove}, {"roles", user_roles}, {NULL, NULL}};
    return cli_subverb(cli, verbs, "user", argc, argv);
}

/* ---- roles ---- */

static int role_add(struct cli *cli, int argc, char **argv)
{
    const char *label = NULL, *override = NULL;
    const struct cli_option options[] = {
        {"--label", true, &label}, {"--override", false, &override}, {NULL, false, NULL}};
    struct comb_v1_identity_create_role_request *request =
        comb_v1_identity_create_role_request_new(cli->arena);
    struct comb_v1_identity_create_role_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1,
                       "comb role add NAME [--label LABEL] [--override]") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_identity_create_role_request_set_name(request, argv[0]);
    comb_v1_identity_create_role_request_set_label(request, label);
    request->override = override != NULL;
    if (comb_v1_identity_create_role(cli_channel(cli), cli->arena, NULL, request, &response,
                                     &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_role(cli, response->role);
    return CLI_OK;
}

static int role_list(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_identity_list_roles_request *request =
        comb_v1_identity_list_roles_request_new(cli->arena);
    struct comb_v1_identity_list_roles_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 0, "comb role ls") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    do {
        if (comb_v1_identity_list_roles(cli_channel(cli), cli->arena, NULL, request, &response,
                                        &cli->err) != GRPCC_OK)
            return cli_fail(cli, "roles");
        for (size_t i = 0; i < response->n_roles; i++)
            print_role(cli, response->roles[i]);
        comb_v1_identity_list_roles_request_set_page_token(request, response->next_page_token);
    } while (response->next_page_token[0]);
    return CLI_OK;
}

static int role_show(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_identity_get_role_request *request =
        comb_v1_identity_get_role_request_new(cli->arena);
    struct comb_v1_identity_get_role_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb role show ROLE") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_identity_get_role_request_set_role(request, argv[0]);
    if (comb_v1_identity_get_role(cli_channel(cli), cli->arena, NULL, request, &response,
                                  &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_role(cli, response->role);
    return CLI_OK;
}

static int role_set(struct cli *cli, int argc, char **argv)
{
    const char *name = NULL, *label = NULL, *override = NULL, *ordinary = NULL;
    const struct cli_option options[] = {{"--name", true, &name},
                                         {"--label", true, &label},
                                         {"--override", false, &override},
                                         {"--no-override", false, &ordinary},
                                         {NULL, false, NULL}};
    struct comb_v1_identity_update_role_request *request =
        comb_v1_identity_update_role_request_new(cli->arena);
    struct comb_v1_identity_update_role_response *response = NULL;
    struct google_protobuf_field_mask *mask = google_protobuf_field_mask_new(cli->arena);
    if (!cli_arguments(options, &argc, argv, 1, 1,
                       "comb role set ROLE [--name NAME] [--label LABEL] "
                       "[--override | --no-override]") ||
        !cli_connect(cli))
        return CLI_USAGE;
    const char *state = override ? override : ordinary;
    if (!request || !mask || !cli_mask_if(cli, mask, name, "name") ||
        !cli_mask_if(cli, mask, label, "label") || !cli_mask_if(cli, mask, state, "override"))
        return cli_no_memory();
    comb_v1_identity_update_role_request_set_role(request, argv[0]);
    comb_v1_identity_update_role_request_set_name(request, name);
    comb_v1_identity_update_role_request_set_label(request, label);
    request->override = override != NULL;
    request->update_mask = mask;
    if (comb_v1_identity_update_role(cli_channel(cli), cli->arena, NULL, request, &response,
                                     &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_role(cli, response->role);
    return CLI_OK;
}

static int role_remove(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_identity_delete_role_request *request =
        comb_v1_identity_delete_role_request_new(cli->arena);
    struct comb_v1_identity_delete_role_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb role rm ROLE") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_identity_delete_role_request_set_role(request, argv[0]);
    if (comb_v1_identity_delete_role(cli_channel(cli), cli->arena, NULL, request, &response,
                                     &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return CLI_OK;
}

int cli_role(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {{"add", role_add},   {"ls", role_list},
                                            {"show", role_show}, {"set", role_set},
                                            {"rm", role_remove}, {NULL, NULL}};
    return cli_subverb(cli, verbs, "role", argc, argv);
}
