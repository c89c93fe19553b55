/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/cli.h"
#include "comb/v1/auth.grpcc.h"
#include "google/protobuf/timestamp.grpcc.h"

#define DAY_S 86400

int cli_login(struct cli *cli, int argc, char **argv)
{
    const char *user = NULL, *password_file = NULL, *server = NULL;
    const struct cli_option options[] = {{"--user", true, &user},
                                         {"--password-file", true, &password_file},
                                         {"--server", true, &server},
                                         {NULL, false, NULL}};
    if (!cli_arguments(options, &argc, argv, 0, 0,
                       "comb login [--user LOGIN] [--password-file FILE] [--server ADDRESS]"))
        return CLI_USAGE;
    cli->server = server ? server : cli->server;
    user = user ? user : getenv("USER");
    char *password = cli_secret(cli, "password", password_file);
    if (!password || !user || !cli_connect(cli)) {
        if (!user)
            fprintf(stderr, "comb: say who you are with --user LOGIN\n");
        return CLI_USAGE;
    }
    enum grpcc_status status = comb_client_login(cli->client, user, password, "comb", &cli->err);
    explicit_bzero(password, strlen(password));
    if (status != GRPCC_OK)
        return cli_fail(cli, user);
    if (!cli->json)
        printf("logged in as %s at %s\n", user, cli->server);
    return CLI_OK;
}

int cli_logout(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    if (!cli_arguments(options, &argc, argv, 0, 0, "comb logout") || !cli_connect(cli))
        return CLI_USAGE;
    return comb_client_logout(cli->client, &cli->err) == GRPCC_OK ? CLI_OK
                                                                  : cli_fail(cli, "logout");
}

int cli_whoami(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_auth_who_am_i_request *request = comb_v1_auth_who_am_i_request_new(cli->arena);
    struct comb_v1_auth_who_am_i_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 0, "comb whoami") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    if (comb_v1_auth_who_am_i(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, "whoami");
    if (cli->json) {
        cli_print_json(stdout, &response->base);
        return CLI_OK;
    }
    const struct comb_v1_user *user = response->user;
    printf("%s%s%s%s\n", cli_name(user->login), user->display_name[0] ? " (" : "",
           cli_name(user->display_name), user->display_name[0] ? ")" : "");
    printf("  id        %s\n  server    %s\n", user->id, cli->server);
    printf("  token     %s, until %s%s\n", response->token_id, cli_time(response->expire_time),
           response->n_scopes ? ", narrowed" : "");
    if (user->administrator)
        puts("  administrator");
    return CLI_OK;
}

/* "read:ID" or "rw:" (all of the tree) as a scope of request. False, said on stderr. */
static bool add_scope(struct cli *cli, struct comb_v1_auth_create_token_request *request,
                      const char *text)
{
    const char *colon = strchr(text, ':');
    struct comb_v1_token_scope *scope = comb_v1_token_scope_new(cli->arena);
    size_t length = colon ? (size_t)(colon - text) : strlen(text);
    if (!scope)
        return cli_no_memory() == CLI_OK;
    if (length == 4 && strncmp(text, "read", 4) == 0)
        scope->rights = COMB_V1_RIGHTS_READ;
    else if (length == 5 && strncmp(text, "write", 5) == 0)
        scope->rights = COMB_V1_RIGHTS_WRITE;
    else if (length == 2 && strncmp(text, "rw", 2) == 0)
        scope->rights = COMB_V1_RIGHTS_READ_WRITE;
    else {
        fprintf(stderr, "comb: a scope is read, write or rw, and :ID of a node to narrow it to\n");
        return false;
    }
    comb_v1_token_scope_set_node_id(scope, colon ? colon + 1 : "");
    return comb_v1_auth_create_token_request_add_scopes(cli->arena, request, scope);
}

static int token_add(struct cli *cli, int argc, char **argv)
{
    const char *days = NULL, *scope = NULL;
    const struct cli_option options[] = {
        {"--days", true, &days}, {"--scope", true, &scope}, {NULL, false, NULL}};
    struct comb_v1_auth_create_token_request *request =
        comb_v1_auth_create_token_request_new(cli->arena);
    struct comb_v1_auth_create_token_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1,
                       "comb token add LABEL [--days N] [--scope RIGHTS[:ID]]") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_auth_create_token_request_set_label(request, argv[0]);
    if (scope && !add_scope(cli, request, scope))
        return CLI_USAGE;
    if (days) {
        request->expire_time = google_protobuf_timestamp_new(cli->arena);
        if (!request->expire_time)
            return cli_no_memory();
        request->expire_time->seconds = time(NULL) + strtol(days, NULL, 10) * DAY_S;
    }
    if (comb_v1_auth_create_token(cli_channel(cli), cli->arena, NULL, request, &response,
                                  &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    else
        printf("%s\nid %s, until %s; it is not shown again\n", response->token, response->token_id,
               cli_time(response->expire_time));
    return CLI_OK;
}

static int token_remove(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_auth_revoke_token_request *request =
        comb_v1_auth_revoke_token_request_new(cli->arena);
    struct comb_v1_auth_revoke_token_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb token rm ID") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_auth_revoke_token_request_set_token_id(request, argv[0]);
    if (comb_v1_auth_revoke_token(cli_channel(cli), cli->arena, NULL, request, &response,
                                  &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return CLI_OK;
}

int cli_token(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {{"add", token_add}, {"rm", token_remove}, {NULL, NULL}};
    return cli_subverb(cli, verbs, "token", argc, argv);
}
