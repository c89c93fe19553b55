/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/vault_server.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/backend/http/http.h"
#include "tests/support/support.h"

/* What Comb needs at the mount "kv". */
#define POLICY                                                                                     \
    "path \\\"kv/data/*\\\" {capabilities=[\\\"create\\\",\\\"read\\\",\\\"update\\\"]} "          \
    "path \\\"kv/metadata/*\\\" {capabilities=[\\\"read\\\",\\\"list\\\"]} "                       \
    "path \\\"kv/delete/*\\\" {capabilities=[\\\"update\\\"]} "                                    \
    "path \\\"kv/undelete/*\\\" {capabilities=[\\\"update\\\"]} "                                  \
    "path \\\"kv/destroy/*\\\" {capabilities=[\\\"update\\\"]}"

/* What Vault answers to body ("": none), for the caller to json_decref(); -1: it is away. */
static long ask(struct vault_server *server, const char *method, const char *path, const char *body,
                json_t **ret_answer)
{
    struct test_ctx test;
    struct comb_http *http = NULL;
    struct comb_http_response response;
    char target[256], base[64];
    const struct comb_http_header header = {STR("X-Vault-Token"),
                                            comb_str_from(server->root_token)};
    const char *const none[] = {NULL};
    struct comb_http_options options = {.domain = "test", .driver = "vault", .store = "Vault"};
    long code = -1;
    test_ctx_init(&test);
    snprintf(base, sizeof base, "vault://127.0.0.1:%d", server->port);
    snprintf(target, sizeof target, "/v1/%s", path);
    must_ok(comb_url_parse(test.ctx.arena, comb_str_from(base), 80, none, &options.url, &test.err),
            &test.err);
    must_ok(comb_http_open(&options, &http, &test.err), &test.err);
    const struct comb_http_request request = {.method = method,
                                              .target = comb_str_from(target),
                                              .headers = &header,
                                              .n_headers = server->root_token[0] ? 1 : 0,
                                              .body = comb_str_from(body)};
    if (comb_http_call(http, &test.ctx, &request, &response, &test.err) == COMB_OK) {
        code = response.code;
        *ret_answer = json_loadb(response.body.ptr, response.body.len, 0, NULL);
    }
    comb_http_close(http);
    test_ctx_done(&test);
    return code;
}

static json_t *must_ask(struct vault_server *server, const char *method, const char *path,
                        const char *body)
{
    json_t *answer = NULL;
    long code = ask(server, method, path, body, &answer);
    if (code < 200 || code > 299)
        fail_msg("%s %s: HTTP %ld", method, path, code);
    return answer;
}

/* Copies the string at data.member, or at member where data is NULL. */
static void take(const json_t *answer, const char *data, const char *member, char *ret_text,
                 size_t size)
{
    const json_t *object = data ? json_object_get(answer, data) : answer;
    const char *text = json_string_value(json_object_get(object, member));
    assert_non_null(text);
    snprintf(ret_text, size, "%s", text);
}

void vault_server_post(struct vault_server *server, const char *path, const char *body)
{
    json_decref(must_ask(server, "POST", path, body));
}

static void make_role(struct vault_server *server)
{
    char body[256], role[100], secret[100];
    snprintf(body, sizeof body,
             "{\"token_policies\":\"comb\",\"token_ttl\":\"%ss\",\"token_max_ttl\":\"%ss\"}",
             server->role_ttl_s ? server->role_ttl_s : "3600",
             server->role_most_s ? server->role_most_s : "7200");
    vault_server_post(server, "sys/auth/approle", "{\"type\":\"approle\"}");
    vault_server_post(server, "auth/approle/role/comb", body);
    json_t *answer = must_ask(server, "GET", "auth/approle/role/comb/role-id", "");
    take(answer, "data", "role_id", role, sizeof role);
    json_decref(answer);
    answer = must_ask(server, "POST", "auth/approle/role/comb/secret-id", "{}");
    take(answer, "data", "secret_id", secret, sizeof secret);
    json_decref(answer);
    snprintf(server->app_role, sizeof server->app_role, "%s:%s", role, secret);
}

void vault_server_await_engine(struct vault_server *server, const char *mount)
{
    char path[128];
    snprintf(path, sizeof path, "%s/config", mount);
    for (int i = 0; i < 200; i++) {
        json_t *answer = NULL;
        long code = ask(server, "GET", path, "", &answer);
        json_decref(answer);
        if (code == 200)
            return;
        usleep(50 * 1000);
    }
    fail_msg("the engine at %s does not come", mount);
}

static void set_up(struct vault_server *server)
{
    json_t *answer =
        must_ask(server, "PUT", "sys/init", "{\"secret_shares\":1,\"secret_threshold\":1}");
    take(answer, NULL, "root_token", server->root_token, sizeof server->root_token);
    const json_t *keys = json_object_get(answer, "keys");
    snprintf(server->unseal_key, sizeof server->unseal_key, "%s",
             json_string_value(json_array_get(keys, 0)));
    json_decref(answer);
    vault_server_unseal(server);
    vault_server_post(server, "sys/mounts/kv", "{\"type\":\"kv\",\"options\":{\"version\":\"2\"}}");
    vault_server_await_engine(server, "kv");
    vault_server_post(server, "sys/policies/acl/comb", "{\"policy\":\"" POLICY "\"}");
    make_role(server);
}

void vault_server_unseal(struct vault_server *server)
{
    char body[160];
    snprintf(body, sizeof body, "{\"key\":\"%s\"}", server->unseal_key);
    json_decref(must_ask(server, "PUT", "sys/unseal", body));
    /* It answers before it has become active. */
    for (int i = 0; i < 200; i++) {
        json_t *answer = NULL;
        long code = ask(server, "GET", "sys/health", "", &answer);
        json_decref(answer);
        if (code == 200)
            return;
        usleep(50 * 1000);
    }
    fail_msg("Vault stays sealed");
}

void vault_server_seal(struct vault_server *server)
{
    json_decref(must_ask(server, "PUT", "sys/seal", "{}"));
}

void vault_server_token(struct vault_server *server, const char *policy, char ret_text[128])
{
    char body[160];
    snprintf(body, sizeof body, "{\"policies\":[\"%s\"],\"ttl\":\"1h\"}", policy);
    json_t *answer = must_ask(server, "POST", "auth/token/create", body);
    take(answer, "auth", "client_token", ret_text, 128);
    json_decref(answer);
}

static bool listens(void *data)
{
    json_t *answer = NULL;
    long code = ask(data, "GET", "sys/seal-status", "", &answer);
    json_decref(answer);
    return code == 200;
}

void vault_server_start(struct vault_server *server)
{
    char listen[32];
    bool first = !server->process.folder;
    const char *program = getenv("VAULT_SLIM");
    assert_non_null(program);
    if (first) {
        store_process_init(&server->process);
        server->port = test_free_port();
        snprintf(server->url, sizeof server->url, "vault://127.0.0.1:%d/kv", server->port);
    }
    snprintf(listen, sizeof listen, "127.0.0.1:%d", server->port);
    char *data = test_path(server->process.folder, "data");
    const char *const argv[] = {program, "-listen", listen, "-dir", data, NULL};
    store_process_spawn(&server->process, argv);
    free(data);
    store_process_await(&server->process, listens, server);
    if (first)
        set_up(server);
}

void vault_server_done(struct vault_server *server)
{
    store_process_done(&server->process, SIGKILL);
    server->port = 0;
}
