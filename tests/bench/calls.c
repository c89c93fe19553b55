/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "comb/v1/auth.grpcc.h"
#include "tests/bench/ids.h"

#define TIMEOUT_MS 600000

_Noreturn void calls_stop_with(const char *what, const struct grpcc_error *err)
{
    fprintf(stderr, "bench: %s: %s\n", what, err->message);
    exit(1);
}

struct grpcc_call_options calls_options(const struct calls *calls)
{
    return (struct grpcc_call_options){.size = sizeof(struct grpcc_call_options),
                                       .timeout_ms = TIMEOUT_MS,
                                       .metadata = &calls->token,
                                       .n_metadata = 1};
}

static void log_in(struct calls *calls)
{
    char path[600], password[128] = "";
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_v1_auth_login_request *request = comb_v1_auth_login_request_new(calls->arena);
    struct comb_v1_auth_login_response *response = NULL;
    snprintf(path, sizeof path, "%s/admin", calls->server.home);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(password, sizeof password, file))
        exit(1);
    fclose(file);
    password[strcspn(password, "\n")] = 0;
    comb_v1_auth_login_request_set_login(request, "admin");
    comb_v1_auth_login_request_set_password(request, password);
    if (comb_v1_auth_login(calls->channel, calls->arena, NULL, request, &response, &err))
        calls_stop_with("login", &err);
    snprintf(calls->authorization, sizeof calls->authorization, "Bearer %s",
             response->tokens->access_token);
    calls->token = (struct grpcc_metadata){"authorization", calls->authorization,
                                           strlen(calls->authorization)};
}

void calls_start(struct calls *calls, const char *combd, const char *folder, const char *sql)
{
    const char *arguments[] = {
        "--home",      calls->server.home, "--listen", "127.0.0.1:0",        "--admin-listen",
        "127.0.0.1:0", "--drain-delay-ms", "0",        sql ? "--sql" : NULL, sql,
        NULL};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (!calls->arena)
        calls->arena = grpcc_arena_new(0);
    snprintf(calls->server.home, sizeof calls->server.home, "%.200s/home", folder);
    (void)mkdir(calls->server.home, 0700);
    server_start(&calls->server, combd, arguments);
    calls->channel = grpcc_channel_new(calls->server.listen, NULL, &err);
    calls->admin = grpcc_channel_new(calls->server.admin, NULL, &err);
    if (!calls->channel || !calls->admin)
        calls_stop_with("channel", &err);
    log_in(calls);
}

void calls_end(struct calls *calls)
{
    grpcc_channel_free(calls->channel);
    grpcc_channel_free(calls->admin);
    server_stop(&calls->server);
}

const struct grpcc_method *calls_tree_method(const char *name)
{
    for (size_t i = 0; i < comb_v1_tree_service.n_methods; i++)
        if (strcmp(comb_v1_tree_service.methods[i].name, name) == 0)
            return &comb_v1_tree_service.methods[i];
    abort();
}

struct comb_v1_node_ref *calls_ref(struct grpcc_arena *arena, const char *id, const char *path)
{
    struct comb_v1_node_ref *made = comb_v1_node_ref_new(arena);
    comb_v1_node_ref_set_id(made, id);
    comb_v1_node_ref_set_path(made, path);
    return made;
}

char *calls_make_folder(struct calls *calls, const char *parent, const char *name,
                        const char *request_id)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_call_options options = calls_options(calls);
    struct comb_v1_tree_create_folder_request *request =
        comb_v1_tree_create_folder_request_new(calls->arena);
    struct comb_v1_tree_create_folder_response *response = NULL;
    request->parent = calls_ref(calls->arena, "", parent);
    comb_v1_tree_create_folder_request_set_name(request, name);
    comb_v1_tree_create_folder_request_set_request_id(
        request, request_id ? request_id : new_request_id(calls->arena));
    if (comb_v1_tree_create_folder(calls->channel, calls->arena, &options, request, &response,
                                   &err))
        calls_stop_with(name, &err);
    return response->node->id;
}

struct load_result calls_run(struct calls *calls, const struct grpcc_method *method,
                             unsigned in_flight, size_t n, load_request request, void *data)
{
    const struct load load = {.channel = calls->channel,
                              .method = method,
                              .metadata = &calls->token,
                              .n_metadata = 1,
                              .in_flight = in_flight,
                              .calls = n > in_flight ? n : in_flight,
                              .request = request,
                              .data = data};
    return load_run(&load);
}
