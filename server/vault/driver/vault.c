/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault driver: KV version 2 of HashiCorp Vault. A version of ours holds two members: the value
 * in base64url, since a secret is any bytes, and the id of the request that made it. That id lies
 * with the version itself, not in the secret's custom metadata: those are written by another
 * request, so that a crash between the two would forget it. Versions that others wrote, with
 * Vault's own program say, are read as the JSON object that they are.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/hashivault/hashivault.h"
#include "server/core/buf.h"
#include "server/core/clock.h"
#include "server/core/hash.h"
#include "server/core/memory.h"
#include "server/vault/vault_driver.h"

#define VALUE_MEMBER "comb_value"
#define REQUEST_MEMBER "comb_request"
#define TARGET_MAX 2048

struct vault {
    struct comb_vault base;
    struct comb_hashivault *store;
};

static struct comb_hashivault *store_of(struct comb_vault *self)
{
    return ((struct vault *)self)->store;
}

static enum comb_status with_domain(enum comb_status status, struct comb_error *err)
{
    if (status != COMB_OK && err)
        err->domain = "vault.hashivault";
    return status;
}

static enum comb_status not_found(const char *what, struct comb_error *err)
{
    return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_SECRET_NOT_FOUND,
                          "the vault has no such secret or version%s", what);
}

static enum comb_status strange(struct comb_error *err)
{
    return comb_error_set(err, COMB_DATA_LOSS, 0, "Vault answered in an unknown form");
}

/* Asks Vault for MOUNT/WHAT/PATH; paths are of characters that need no escaping. */
static enum comb_status ask(struct comb_vault *self, struct comb_ctx *ctx, const char *method,
                            const char *what, comb_str path, const char *query, const json_t *body,
                            struct comb_hashivault_answer *ret_answer, struct comb_error *err)
{
    char target[TARGET_MAX];
    int n = snprintf(target, sizeof target, "%.*s/%s/%.*s%s",
                     COMB_STR_ARG(comb_hashivault_mount(store_of(self))), what, COMB_STR_ARG(path),
                     query);
    return comb_hashivault_call(store_of(self), ctx, method, comb_str_of(target, (size_t)n), body,
                                ret_answer, err);
}

/* "2026-01-31T12:00:00.123456789Z"; 0: none, or in another form. */
static int64_t time_of(const json_t *text)
{
    struct tm tm = {0};
    const char *rest =
        json_is_string(text) ? strptime(json_string_value(text), "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    if (!rest)
        return 0;
    double fraction = *rest == '.' ? strtod(rest, NULL) : 0;
    return (int64_t)timegm(&tm) * COMB_US_PER_S + (int64_t)(fraction * COMB_US_PER_S);
}

/* ---- get ---- */

static enum comb_status keep_value(struct comb_ctx *ctx, const void *data, size_t size,
                                   comb_str *ret_value, struct comb_error *err)
{
    const char *copy = comb_vault_dup_secret(ctx->arena, data, size);
    if (!copy)
        return comb_error_no_memory(err);
    *ret_value = comb_str_of(copy, size);
    return COMB_OK;
}

/* A version that others wrote: its JSON object as text. */
static enum comb_status foreign_value(struct comb_ctx *ctx, const json_t *data, comb_str *ret_value,
                                      struct comb_error *err)
{
    size_t size = json_dumpb(data, NULL, 0, JSON_COMPACT);
    if (size > COMB_VAULT_VALUE_MAX)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                              "a secret has at most %d bytes", COMB_VAULT_VALUE_MAX);
    char *text = size > 0 ? comb_memory_alloc(size) : NULL;
    if (!text)
        return comb_error_no_memory(err);
    json_dumpb(data, text, size, JSON_COMPACT);
    enum comb_status status = keep_value(ctx, text, size, ret_value, err);
    comb_memory_wipe(text, size);
    comb_memory_free(text);
    return status;
}

static enum comb_status value_of(struct comb_ctx *ctx, const json_t *data, comb_str *ret_value,
                                 struct comb_error *err)
{
    const json_t *text = json_object_get(data, VALUE_MEMBER);
    if (!json_is_string(text))
        return foreign_value(ctx, data, ret_value, err);
    comb_str value;
    if (!comb_base64url_decode(
            ctx->arena, comb_str_of(json_string_value(text), json_string_length(text)), &value))
        return strange(err);
    enum comb_status status = keep_value(ctx, value.ptr, value.len, ret_value, err);
    if (value.len > 0)
        comb_memory_wipe((char *)value.ptr, value.len);
    return status;
}

static enum comb_status read_secret(struct comb_ctx *ctx, const json_t *body,
                                    struct comb_vault_secret *ret_secret, struct comb_error *err)
{
    const json_t *outer = json_object_get(body, "data"), *data = json_object_get(outer, "data");
    const json_t *metadata = json_object_get(outer, "metadata");
    const json_t *request_id = json_object_get(data, REQUEST_MEMBER);
    json_int_t version = json_integer_value(json_object_get(metadata, "version"));
    if (!json_is_object(data) || version < 1 || version > UINT32_MAX)
        return strange(err);
    struct comb_vault_secret secret = {.version = (uint32_t)version,
                                       .create_us =
                                           time_of(json_object_get(metadata, "created_time"))};
    enum comb_status status = value_of(ctx, data, &secret.value, err);
    if (status == COMB_OK && json_is_string(request_id)) {
        size_t len = json_string_length(request_id);
        secret.request_id =
            comb_str_of(grpcc_arena_strndup(ctx->arena, json_string_value(request_id), len), len);
        if (!secret.request_id.ptr)
            status = comb_error_no_memory(err);
    }
    if (status == COMB_OK)
        *ret_secret = secret;
    return status;
}

static enum comb_status vault_get(struct comb_vault *self, struct comb_ctx *ctx, comb_str path,
                                  uint32_t version, struct comb_vault_secret *ret_secret,
                                  struct comb_error *err)
{
    char query[32] = "";
    struct comb_hashivault_answer answer = {0};
    if (version > 0)
        snprintf(query, sizeof query, "?version=%u", version);
    enum comb_status status = ask(self, ctx, "GET", "data", path, query, NULL, &answer, err);
    if (status != COMB_OK)
        return status;
    if (answer.code == 404 && json_is_object(json_object_get(answer.body, "data")))
        status = not_found(": it was deleted or destroyed", err);
    else if (answer.code == 404 && json_array_size(json_object_get(answer.body, "errors")) == 0)
        status = not_found("", err);
    else if (answer.code != 200)
        status = comb_hashivault_refuse(&answer, err);
    else
        status = read_secret(ctx, answer.body, ret_secret, err);
    json_decref(answer.body);
    return with_domain(status, err);
}

/* ---- put ---- */

static json_t *put_body(struct comb_ctx *ctx, const struct comb_vault_put *put)
{
    char *value = comb_base64url_encode(ctx->arena, put->value);
    if (!value)
        return NULL;
    json_t *data = json_pack("{s:s}", VALUE_MEMBER, value);
    comb_memory_wipe(value, strlen(value));
    if (data && put->request_id.len > 0 &&
        json_object_set_new(data, REQUEST_MEMBER,
                            json_stringn(put->request_id.ptr, put->request_id.len)) != 0) {
        json_decref(data);
        return NULL;
    }
    return json_pack("{s:{s:I}, s:o}", "options", "cas", (json_int_t)put->expected, "data", data);
}

static enum comb_status vault_put(struct comb_vault *self, struct comb_ctx *ctx, comb_str path,
                                  const struct comb_vault_put *put, uint32_t *ret_version,
                                  struct comb_error *err)
{
    struct comb_hashivault_answer answer = {0};
    json_t *body = put_body(ctx, put);
    if (!body)
        return comb_error_no_memory(err);
    enum comb_status status = ask(self, ctx, "POST", "data", path, "", body, &answer, err);
    json_decref(body);
    if (status != COMB_OK)
        return status;
    json_int_t version =
        json_integer_value(json_object_get(json_object_get(answer.body, "data"), "version"));
    /* Vault has no code of its own for it. */
    if (answer.code == 400 &&
        comb_hashivault_says(&answer, "check-and-set parameter did not match"))
        status = comb_error_set(err, COMB_ABORTED, 0, "the newest version of the secret is not %u",
                                put->expected);
    else if (answer.code != 200)
        status = comb_hashivault_refuse(&answer, err);
    else if (version < 1 || version > UINT32_MAX)
        status = strange(err);
    else
        *ret_version = (uint32_t)version;
    json_decref(answer.body);
    return with_domain(status, err);
}

/* ---- versions ---- */

static int compare_versions(const void *a, const void *b)
{
    const struct comb_vault_version *one = a, *other = b;
    return (one->version > other->version) - (one->version < other->version);
}

static enum comb_status read_versions(struct comb_ctx *ctx, const json_t *body,
                                      struct comb_vault_version **ret_versions, size_t *ret_n,
                                      struct comb_error *err)
{
    json_t *all = json_object_get(json_object_get(body, "data"), "versions"), *one;
    struct comb_vault_version *versions =
        grpcc_arena_calloc(ctx->arena, json_object_size(all) + 1, sizeof *versions);
    const char *number;
    size_t n = 0;
    if (!versions)
        return comb_error_no_memory(err);
    int64_t now_us = comb_clock_wall_us();
    json_object_foreach(all, number, one)
    {
        int64_t delete_us = time_of(json_object_get(one, "deletion_time"));
        versions[n++] = (struct comb_vault_version){
            .version = (uint32_t)strtoul(number, NULL, 10),
            .create_us = time_of(json_object_get(one, "created_time")),
            /* One in the future is a version that will end by itself. */
            .delete_us = delete_us <= now_us + COMB_US_PER_S ? delete_us : 0,
            .destroyed = json_is_true(json_object_get(one, "destroyed"))};
    }
    qsort(versions, n, sizeof *versions, compare_versions);
    *ret_versions = versions;
    *ret_n = n;
    return COMB_OK;
}

static enum comb_status vault_versions(struct comb_vault *self, struct comb_ctx *ctx, comb_str path,
                                       struct comb_vault_version **ret_versions, size_t *ret_n,
                                       struct comb_error *err)
{
    struct comb_hashivault_answer answer = {0};
    enum comb_status status = ask(self, ctx, "GET", "metadata", path, "", NULL, &answer, err);
    if (status != COMB_OK)
        return status;
    if (answer.code == 404 && json_array_size(json_object_get(answer.body, "errors")) == 0)
        status = not_found("", err);
    else if (answer.code != 200)
        status = comb_hashivault_refuse(&answer, err);
    else
        status = read_versions(ctx, answer.body, ret_versions, ret_n, err);
    json_decref(answer.body);
    return with_domain(status, err);
}

/* The versions of list that there are: Vault's own answers differ for others. */
static json_t *existing(const uint32_t *list, size_t n_list,
                        const struct comb_vault_version *versions, size_t n_versions)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < n_list; i++) {
        for (size_t k = 0; k < n_versions; k++) {
            if (versions[k].version == list[i])
                json_array_append_new(array, json_integer(list[i]));
        }
    }
    return array;
}

static enum comb_status vault_change(struct comb_vault *self, struct comb_ctx *ctx, comb_str path,
                                     enum comb_vault_change change, const uint32_t *versions,
                                     size_t n_versions, struct comb_error *err)
{
    static const char *const actions[] = {[COMB_VAULT_DELETE] = "delete",
                                          [COMB_VAULT_UNDELETE] = "undelete",
                                          [COMB_VAULT_DESTROY] = "destroy"};
    struct comb_vault_version *known = NULL;
    struct comb_hashivault_answer answer = {0};
    size_t n_known = 0;
    enum comb_status status = vault_versions(self, ctx, path, &known, &n_known, err);
    if (status != COMB_OK)
        return status;
    json_t *array = existing(versions, n_versions, known, n_known);
    size_t n = json_array_size(array);
    json_t *body = json_pack("{s:o}", "versions", array);
    if (!body)
        return comb_error_no_memory(err);
    if (n > 0)
        status = ask(self, ctx, "POST", actions[change], path, "", body, &answer, err);
    json_decref(body);
    if (status == COMB_OK && n > 0 && (answer.code < 200 || answer.code > 299))
        status = comb_hashivault_refuse(&answer, err);
    json_decref(answer.body);
    return with_domain(status, err);
}

/* ---- list ---- */

static int compare_names(const void *a, const void *b)
{
    return comb_str_compare(*(const comb_str *)a, *(const comb_str *)b);
}

static enum comb_status read_names(struct comb_ctx *ctx, const json_t *body, comb_str after,
                                   size_t limit, struct comb_vault_names *ret_names,
                                   struct comb_error *err)
{
    const json_t *keys = json_object_get(json_object_get(body, "data"), "keys");
    size_t n = 0;
    comb_str *names = grpcc_arena_calloc(ctx->arena, json_array_size(keys) + 1, sizeof *names);
    if (!names)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *key = json_array_get(keys, i);
        comb_str name = comb_str_of(json_string_value(key), json_string_length(key));
        if (!name.ptr || comb_str_compare(name, after) <= 0)
            continue;
        name.ptr = comb_str_dup(ctx->arena, name);
        if (!name.ptr)
            return comb_error_no_memory(err);
        names[n++] = name;
    }
    qsort(names, n, sizeof *names, compare_names);
    *ret_names =
        (struct comb_vault_names){.names = names, .n = n < limit ? n : limit, .more = n > limit};
    return COMB_OK;
}

static enum comb_status vault_list(struct comb_vault *self, struct comb_ctx *ctx, comb_str folder,
                                   comb_str after, size_t limit, struct comb_vault_names *ret_names,
                                   struct comb_error *err)
{
    struct comb_hashivault_answer answer = {0};
    enum comb_status status =
        ask(self, ctx, "GET", "metadata", folder, folder.len > 0 ? "/?list=true" : "?list=true",
            NULL, &answer, err);
    if (status != COMB_OK)
        return status;
    if (answer.code == 404 && json_array_size(json_object_get(answer.body, "errors")) == 0)
        *ret_names = (struct comb_vault_names){0};
    else if (answer.code != 200)
        status = comb_hashivault_refuse(&answer, err);
    else
        status = read_names(ctx, answer.body, after, limit, ret_names, err);
    json_decref(answer.body);
    return with_domain(status, err);
}

/* ---- open and close ---- */

static enum comb_status vault_check(struct comb_vault *self, struct comb_ctx *ctx,
                                    struct comb_error *err)
{
    return with_domain(comb_hashivault_check(store_of(self), ctx, err), err);
}

static void vault_status(struct comb_vault *self, struct comb_store_status *ret_status)
{
    comb_hashivault_status(store_of(self), ret_status);
}

static void vault_close(struct comb_vault *self)
{
    comb_hashivault_close(store_of(self));
    comb_memory_free(self);
}

static const struct comb_vault_driver vault_driver = {
    .name = "vault",
    .caps = COMB_VAULT_CAP_SHARED,
    .get = vault_get,
    .put = vault_put,
    .versions = vault_versions,
    .list = vault_list,
    .change = vault_change,
    .check = vault_check,
    .status = vault_status,
    .close = vault_close,
};

enum comb_status comb_vault_hashivault_open(const struct comb_store_options *options,
                                            struct comb_vault **ret_vault, struct comb_error *err)
{
    comb_vault_wipe_json();
    struct vault *vault = comb_memory_zalloc(sizeof *vault);
    if (!vault)
        return comb_error_no_memory(err);
    vault->base.driver = &vault_driver;
    enum comb_status status = comb_hashivault_open(options, &vault->store, err);
    if (status == COMB_OK)
        *ret_vault = &vault->base;
    else
        comb_memory_free(vault);
    return with_domain(status, err);
}
