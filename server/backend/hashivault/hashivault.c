/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, calls with a token, and the questions of `check`. */
#include "server/backend/hashivault/hashivault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "server/backend/hashivault/internal.h"
#include "server/core/buf.h"
#include "server/core/cond.h"
#include "server/core/memory.h"

#define PORT_DEFAULT 8200
#define TARGET_MAX 2048
#define MOUNT_MAX 256

/* ---- one request ---- */

struct request_body {
    char *text;
    size_t size;
};

static bool dump(const json_t *body, struct request_body *ret_body)
{
    size_t size = body ? json_dumpb(body, NULL, 0, JSON_COMPACT) : 0;
    if (size == 0)
        return body == NULL;
    ret_body->text = comb_memory_alloc(size);
    ret_body->size = size;
    return ret_body->text && json_dumpb(body, ret_body->text, size, JSON_COMPACT) == size;
}

static void body_done(struct request_body *body)
{
    if (body->text)
        comb_memory_wipe(body->text, body->size);
    comb_memory_free(body->text);
}

/* Answers that callers look at; all others are errors. */
static enum comb_status sort_answer(struct comb_hashivault *vault,
                                    const struct comb_http_response *response,
                                    struct comb_hashivault_answer *ret_answer,
                                    struct comb_error *err)
{
    struct comb_error local;
    json_t *body = json_loadb(response->body.ptr, response->body.len, 0, NULL);
    if ((response->code >= 200 && response->code <= 299) || response->code == 400 ||
        response->code == 404) {
        *ret_answer = (struct comb_hashivault_answer){.code = response->code, .body = body};
        return COMB_OK;
    }
    enum comb_status status = hashivault_error_set(&local, response->code, body);
    json_decref(body);
    if (status == COMB_UNAVAILABLE)
        comb_http_set_state(vault->http, COMB_STORE_DOWN, &local);
    if (err)
        *err = local;
    return status;
}

enum comb_status hashivault_send(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                 const char *method, comb_str target, const json_t *body,
                                 comb_str token, bool trial,
                                 struct comb_hashivault_answer *ret_answer, struct comb_error *err)
{
    char path[TARGET_MAX];
    struct request_body text = {0};
    struct comb_http_response response;
    int n = snprintf(path, sizeof path, "/v1/%.*s", COMB_STR_ARG(target));
    if (n < 0 || (size_t)n >= sizeof path)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "the vault path is too long");
    const struct comb_http_header headers[] = {{STR("X-Vault-Request"), STR("true")},
                                               {STR("Content-Type"), STR("application/json")},
                                               {STR("X-Vault-Token"), token}};
    enum comb_status status = COMB_OK;
    if (!dump(body, &text))
        status = comb_error_no_memory(err);
    const struct comb_http_request request = {.method = method,
                                              .target = comb_str_of(path, (size_t)n),
                                              .headers = headers,
                                              .n_headers = token.len > 0 ? 3 : 2,
                                              .body = comb_str_of(text.text, text.size),
                                              .trial = trial};
    if (status == COMB_OK)
        status = comb_http_call(vault->http, ctx, &request, &response, err);
    body_done(&text);
    return status == COMB_OK ? sort_answer(vault, &response, ret_answer, err) : status;
}

static void wipe(comb_str token)
{
    if (token.len > 0)
        comb_memory_wipe((char *)token.ptr, token.len);
}

static enum comb_status call(struct comb_hashivault *vault, struct comb_ctx *ctx,
                             const char *method, comb_str target, const json_t *body, bool trial,
                             struct comb_hashivault_answer *ret_answer, struct comb_error *err)
{
    struct comb_error local = {0};
    enum comb_status status = COMB_OK;
    for (int attempt = 0; attempt < 2; attempt++) {
        comb_str token = {0};
        uint64_t generation = 0;
        status = hashivault_token(vault, ctx, &token, &generation, err);
        if (status != COMB_OK)
            return status;
        status =
            hashivault_send(vault, ctx, method, target, body, token, trial, ret_answer, &local);
        wipe(token);
        if (status == COMB_OK || local.native != 403 || vault->role_id.len == 0 || attempt > 0)
            break;
        /* Revoked, or ended while Vault was away; or the policy, which a new token does not help:
         * then the second attempt says so. */
        status = hashivault_replace_token(vault, ctx, generation, err);
        if (status != COMB_OK)
            return status;
    }
    if (status != COMB_OK && err)
        *err = local;
    return status;
}

enum comb_status comb_hashivault_call(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                      const char *method, comb_str target, const json_t *body,
                                      struct comb_hashivault_answer *ret_answer,
                                      struct comb_error *err)
{
    return call(vault, ctx, method, target, body, false, ret_answer, err);
}

/* ---- check ---- */

/* Asks without a token whether Vault can be used at all. */
static enum comb_status check_health(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                     struct comb_error *err)
{
    char server[64];
    struct comb_hashivault_answer answer = {0};
    enum comb_status status = hashivault_send(vault, ctx, "GET", STR("sys/health?standbyok=true"),
                                              NULL, (comb_str){0}, true, &answer, err);
    const char *version = json_string_value(json_object_get(answer.body, "version"));
    if (status == COMB_OK && version) {
        snprintf(server, sizeof server, "Vault %s", version);
        comb_http_set_server(vault->http, comb_str_from(server));
    }
    json_decref(answer.body);
    return status;
}

static enum comb_status check_mount(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                    struct comb_error *err)
{
    char target[TARGET_MAX];
    struct comb_hashivault_answer answer = {0};
    snprintf(target, sizeof target, "sys/internal/ui/mounts/%.*s", COMB_STR_ARG(vault->mount));
    enum comb_status status =
        call(vault, ctx, "GET", comb_str_from(target), NULL, true, &answer, err);
    if (status != COMB_OK)
        return status;
    const json_t *data = json_object_get(answer.body, "data");
    const char *type = json_string_value(json_object_get(data, "type"));
    const char *version =
        json_string_value(json_object_get(json_object_get(data, "options"), "version"));
    if (answer.code != 200)
        status = comb_hashivault_refuse(&answer, err);
    else if (!type || strcmp(type, "kv") != 0 || !version || strcmp(version, "2") != 0)
        status = comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                                "Vault's mount %.*s is no KV engine of version 2: name one, or "
                                "make it: vault secrets enable -version=2 -path=MOUNT kv",
                                COMB_STR_ARG(vault->mount));
    json_decref(answer.body);
    return status;
}

static bool may(const json_t *capabilities, const char *what)
{
    for (size_t i = 0; i < json_array_size(capabilities); i++) {
        const char *one = json_string_value(json_array_get(capabilities, i));
        if (one && (strcmp(one, what) == 0 || strcmp(one, "root") == 0))
            return true;
    }
    return false;
}

/* What the driver does, on a path that it uses. */
static enum comb_status check_rights(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                     struct comb_error *err)
{
    static const char *const needed[] = {"create", "read", "update"};
    char path[TARGET_MAX];
    struct comb_hashivault_answer answer = {0};
    snprintf(path, sizeof path, "%.*s/data/keys/check", COMB_STR_ARG(vault->mount));
    json_t *body = json_pack("{s:[s]}", "paths", path);
    if (!body)
        return comb_error_no_memory(err);
    enum comb_status status =
        call(vault, ctx, "POST", STR("sys/capabilities-self"), body, true, &answer, err);
    json_decref(body);
    const json_t *capabilities = json_object_get(answer.body, "capabilities");
    for (size_t i = 0; status == COMB_OK && i < 3; i++) {
        if (answer.code != 200)
            status = comb_hashivault_refuse(&answer, err);
        else if (!may(capabilities, needed[i]))
            status = comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                                    "Vault's policy of the token lacks \"%s\" on %.100s: see the "
                                    "driver's README for what it needs",
                                    needed[i], path);
    }
    json_decref(answer.body);
    return status;
}

enum comb_status comb_hashivault_check(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                       struct comb_error *err)
{
    enum comb_status status = check_health(vault, ctx, err);
    if (status == COMB_OK)
        status = check_mount(vault, ctx, err);
    return status == COMB_OK ? check_rights(vault, ctx, err) : status;
}

void comb_hashivault_status(struct comb_hashivault *vault, struct comb_store_status *ret_status)
{
    comb_http_status(vault->http, ret_status);
}

/* ---- open and close ---- */

static bool is_mount(comb_str path)
{
    bool good = path.len > 0 && path.len <= MOUNT_MAX && path.ptr[0] != '/' &&
                path.ptr[path.len - 1] != '/';
    for (size_t i = 0; good && i < path.len; i++) {
        char c = path.ptr[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               (c != '\0' && strchr("-_./", c));
    }
    return good && !memmem(path.ptr, path.len, "//", 2) && !memmem(path.ptr, path.len, "..", 2);
}

static enum comb_status open_http(struct comb_hashivault *vault, const struct comb_url *url,
                                  struct comb_error *err)
{
    const struct comb_http_options options = {
        .domain = "vault.hashivault",
        .driver = "vault",
        .store = "Vault",
        .url = *url,
        .tls = comb_str_equal(comb_url_param(url, "tls"), STR("1")),
        .ca = comb_url_param(url, "ca"),
        .cert = comb_url_param(url, "cert"),
        .key = comb_url_param(url, "key"),
        .stall_ms = 3000,
    };
    comb_str tls = comb_url_param(url, "tls");
    if (tls.ptr && !comb_str_equal(tls, STR("1")) && !comb_str_equal(tls, STR("0")))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "tls= is 1 or 0");
    if (!options.tls && (options.ca.ptr || options.cert.ptr || options.key.ptr))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "ca=, cert= and key= are for TLS: add tls=1");
    return comb_http_open(&options, &vault->http, err);
}

static enum comb_status read_url(struct comb_hashivault *vault, comb_str text,
                                 struct grpcc_arena *arena, struct comb_error *err)
{
    static const char *const names[] = {"tls", "ca", "cert", "key", NULL};
    struct comb_url url;
    enum comb_status status = comb_url_parse(arena, text, PORT_DEFAULT, names, &url, err);
    if (status != COMB_OK)
        return status;
    if (!is_mount(url.path) || url.user.len > 0)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "a vault's URL is vault://HOST:PORT/MOUNT, MOUNT being the path of a "
                              "KV engine of version 2");
    vault->mount_text = comb_memory_dup(url.path);
    if (!vault->mount_text)
        return comb_error_no_memory(err);
    vault->mount = comb_str_from(vault->mount_text);
    return open_http(vault, &url, err);
}

static enum comb_status take_credentials(struct comb_hashivault *vault, comb_str credentials,
                                         struct comb_error *err)
{
    const char *colon = credentials.len > 0 ? memchr(credentials.ptr, ':', credentials.len) : NULL;
    size_t before = colon ? (size_t)(colon - credentials.ptr) : 0;
    for (size_t i = 0; i < credentials.len; i++) {
        if ((unsigned char)credentials.ptr[i] <= ' ' || (unsigned char)credentials.ptr[i] > '~')
            return comb_error_set(
                err, COMB_INVALID_ARGUMENT, 0,
                "a vault's token or ROLE_ID:SECRET_ID is one line without spaces");
    }
    if (credentials.len == 0 || credentials.len > TOKEN_MAX || (colon && before == 0) ||
        (colon && before + 1 == credentials.len))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "give --vault-token-file, or --vault-approle-file with "
                              "ROLE_ID:SECRET_ID");
    if (colon) {
        vault->role_id = comb_str_of(credentials.ptr, before);
        vault->secret_id = comb_str_of(colon + 1, credentials.len - before - 1);
    } else {
        memcpy(vault->token->text, credentials.ptr, credentials.len);
        vault->token->len = credentials.len;
    }
    return COMB_OK;
}

static enum comb_status map_token(struct comb_hashivault *vault, struct comb_error *err)
{
    void *pages = mmap(NULL, sizeof *vault->token, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return comb_error_no_memory(err);
    /* Both are a service to whoever reads the dump or the swap; neither is needed to work. */
    (void)madvise(pages, sizeof *vault->token, MADV_DONTDUMP);
    (void)mlock(pages, sizeof *vault->token);
    vault->token = pages;
    return COMB_OK;
}

static enum comb_status start(struct comb_hashivault *vault,
                              const struct comb_store_options *options, struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    if (!arena)
        return comb_error_no_memory(err);
    enum comb_status status = map_token(vault, err);
    if (status == COMB_OK)
        status = take_credentials(vault, options->credentials, err);
    if (status == COMB_OK)
        status = read_url(vault, options->url, arena, err);
    grpcc_arena_free(arena);
    if (status != COMB_OK)
        return status;
    vault->has_keeper = pthread_create(&vault->keeper, NULL, hashivault_keep, vault) == 0;
    return vault->has_keeper ? COMB_OK : comb_error_no_memory(err);
}

enum comb_status comb_hashivault_open(const struct comb_store_options *options,
                                      struct comb_hashivault **ret_vault, struct comb_error *err)
{
    struct comb_hashivault *vault = comb_memory_zalloc(sizeof *vault);
    if (!vault)
        return comb_error_no_memory(err);
    vault->renew_ns = INT64_MAX;
    pthread_mutex_init(&vault->lock, NULL);
    pthread_mutex_init(&vault->rest_lock, NULL);
    comb_cond_init(&vault->rest);
    enum comb_status status = start(vault, options, err);
    if (status == COMB_OK)
        *ret_vault = vault;
    else
        comb_hashivault_close(vault);
    return status;
}

void comb_hashivault_close(struct comb_hashivault *vault)
{
    if (!vault)
        return;
    pthread_mutex_lock(&vault->rest_lock);
    vault->stop = true;
    pthread_cond_broadcast(&vault->rest);
    pthread_mutex_unlock(&vault->rest_lock);
    if (vault->has_keeper)
        pthread_join(vault->keeper, NULL);
    comb_http_close(vault->http);
    if (vault->token) {
        comb_memory_wipe(vault->token, sizeof *vault->token);
        (void)munmap(vault->token, sizeof *vault->token);
    }
    comb_memory_free(vault->mount_text);
    pthread_cond_destroy(&vault->rest);
    pthread_mutex_destroy(&vault->rest_lock);
    pthread_mutex_destroy(&vault->lock);
    comb_memory_free(vault);
}

comb_str comb_hashivault_mount(const struct comb_hashivault *vault)
{
    return vault->mount;
}
