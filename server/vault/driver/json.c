/* SPDX-License-Identifier: Apache-2.0 */
/* The json driver: all secrets in memory, the whole file written anew with every change. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/vault/driver/json_file.h"
#include "server/vault/driver/json_secrets.h"
#include "server/vault/vault_driver.h"

struct json_vault {
    struct comb_vault base;
    pthread_mutex_t lock; /* of all below */
    struct json_file *file;
    struct json_secrets secrets;
};

static enum comb_status with_domain(enum comb_status status, struct comb_error *err)
{
    if (status != COMB_OK && err)
        err->domain = "vault.json";
    return status;
}

static enum comb_status not_found(const char *what, struct comb_error *err)
{
    return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_SECRET_NOT_FOUND,
                          "the vault has no such secret or version%s", what);
}

static enum comb_status fill(struct json_vault *vault, struct comb_ctx *ctx,
                             const struct json_version *found, uint32_t version,
                             struct comb_vault_secret *ret_secret, struct comb_error *err)
{
    comb_str value;
    enum comb_status status = json_secrets_value(&vault->secrets, found, ctx->arena, &value, err);
    if (status != COMB_OK)
        return status;
    const char *copy = comb_vault_dup_secret(ctx->arena, value.ptr, value.len);
    comb_memory_wipe((char *)value.ptr, value.len);
    comb_str id = comb_str_from(found->request_id);
    const char *id_copy = comb_str_dup(ctx->arena, id);
    if (!copy || !id_copy)
        return comb_error_no_memory(err);
    *ret_secret = (struct comb_vault_secret){.value = comb_str_of(copy, value.len),
                                             .request_id = comb_str_of(id_copy, id.len),
                                             .version = version,
                                             .create_us = found->create_us};
    return COMB_OK;
}

static enum comb_status get_locked(struct json_vault *vault, struct comb_ctx *ctx, comb_str path,
                                   uint32_t version, struct comb_vault_secret *ret_secret,
                                   struct comb_error *err)
{
    const struct json_secret *secret = json_secrets_find(&vault->secrets, path);
    if (!secret || version > secret->n_versions)
        return not_found("", err);
    if (version == 0)
        version = (uint32_t)secret->n_versions;
    const struct json_version *found = &secret->versions[version - 1];
    if (!found->sealed)
        return not_found(": it was destroyed", err);
    if (found->delete_us != 0)
        return not_found(": it was deleted", err);
    return fill(vault, ctx, found, version, ret_secret, err);
}

static enum comb_status json_get(struct comb_vault *self, struct comb_ctx *ctx, comb_str path,
                                 uint32_t version, struct comb_vault_secret *ret_secret,
                                 struct comb_error *err)
{
    struct json_vault *vault = (struct json_vault *)self;
    pthread_mutex_lock(&vault->lock);
    enum comb_status status = get_locked(vault, ctx, path, version, ret_secret, err);
    pthread_mutex_unlock(&vault->lock);
    return with_domain(status, err);
}

static enum comb_status save_locked(struct json_vault *vault, struct comb_error *err)
{
    struct json_bytes text = {0};
    enum comb_status status = json_secrets_write(&vault->secrets, &text, err);
    if (status == COMB_OK)
        status = json_file_write(vault->file, comb_str_of(text.data, text.size), err);
    json_bytes_free(&text);
    return status;
}

static enum comb_status put_locked(struct json_vault *vault, comb_str path,
                                   const struct comb_vault_put *put, uint32_t *ret_version,
                                   struct comb_error *err)
{
    const struct json_secret *secret = json_secrets_find(&vault->secrets, path);
    size_t newest = secret ? secret->n_versions : 0;
    if (newest != put->expected)
        return comb_error_set(err, COMB_ABORTED, 0,
                              "the newest version of the secret is %zu, not %u", newest,
                              put->expected);
    struct comb_error local = {0};
    const struct json_version times = {.create_us = comb_clock_wall_us()};
    enum comb_status status =
        json_secrets_append(&vault->secrets, path, &put->value, put->request_id, &times, err);
    if (status != COMB_OK)
        return status;
    status = save_locked(vault, &local);
    /* Where it is open whether the file is the new one or the old one, memory goes with what later
     * readers of the file most likely find. */
    if (status != COMB_OK && !local.ambiguous)
        json_secrets_take_back(&vault->secrets, path);
    if (status == COMB_OK)
        *ret_version = put->expected + 1;
    else if (err)
        *err = local;
    return status;
}

static enum comb_status json_put(struct comb_vault *self, struct comb_ctx *ctx, comb_str path,
                                 const struct comb_vault_put *put, uint32_t *ret_version,
                                 struct comb_error *err)
{
    (void)ctx; /* a deadline ends no write to a local file */
    struct json_vault *vault = (struct json_vault *)self;
    pthread_mutex_lock(&vault->lock);
    enum comb_status status = put_locked(vault, path, put, ret_version, err);
    pthread_mutex_unlock(&vault->lock);
    return with_domain(status, err);
}

/* ---- versions ---- */

static enum comb_status versions_locked(struct json_vault *vault, struct comb_ctx *ctx,
                                        comb_str path, struct comb_vault_version **ret_versions,
                                        size_t *ret_n, struct comb_error *err)
{
    const struct json_secret *secret = json_secrets_find(&vault->secrets, path);
    if (!secret)
        return not_found("", err);
    struct comb_vault_version *versions =
        grpcc_arena_calloc(ctx->arena, secret->n_versions, sizeof *versions);
    if (!versions)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < secret->n_versions; i++) {
        const struct json_version *version = &secret->versions[i];
        versions[i] = (struct comb_vault_version){.version = (uint32_t)i + 1,
                                                  .create_us = version->create_us,
                                                  .delete_us = version->delete_us,
                                                  .destroyed = !version->sealed};
    }
    *ret_versions = versions;
    *ret_n = secret->n_versions;
    return COMB_OK;
}

static enum comb_status json_versions(struct comb_vault *self, struct comb_ctx *ctx, comb_str path,
                                      struct comb_vault_version **ret_versions, size_t *ret_n,
                                      struct comb_error *err)
{
    struct json_vault *vault = (struct json_vault *)self;
    pthread_mutex_lock(&vault->lock);
    enum comb_status status = versions_locked(vault, ctx, path, ret_versions, ret_n, err);
    pthread_mutex_unlock(&vault->lock);
    return with_domain(status, err);
}

static void apply(struct json_version *version, enum comb_vault_change change, int64_t now_us)
{
    switch (change) {
    case COMB_VAULT_DELETE:
        if (version->delete_us == 0 && version->sealed)
            version->delete_us = now_us;
        break;
    case COMB_VAULT_UNDELETE:
        version->delete_us = 0;
        break;
    case COMB_VAULT_DESTROY:
        version->sealed = NULL;
        break;
    }
}

/* Saves what was changed; before holds all versions as they were. */
static enum comb_status settle(struct json_vault *vault, struct json_secret *secret,
                               struct json_version *before, struct comb_error *err)
{
    struct comb_error local = {0};
    enum comb_status status = save_locked(vault, &local);
    if (status != COMB_OK && !local.ambiguous)
        memcpy(secret->versions, before, secret->n_versions * sizeof *before);
    for (size_t i = 0; i < secret->n_versions; i++) {
        if (!secret->versions[i].sealed && before[i].sealed)
            comb_memory_free(before[i].sealed);
    }
    if (status != COMB_OK && err)
        *err = local;
    return status;
}

static enum comb_status change_locked(struct json_vault *vault, comb_str path,
                                      enum comb_vault_change change, const uint32_t *versions,
                                      size_t n_versions, struct comb_error *err)
{
    struct json_secret *secret = json_secrets_find(&vault->secrets, path);
    if (!secret)
        return not_found("", err);
    struct json_version *before = comb_memory_alloc(secret->n_versions * sizeof *before);
    if (!before)
        return comb_error_no_memory(err);
    memcpy(before, secret->versions, secret->n_versions * sizeof *before);
    int64_t now_us = comb_clock_wall_us();
    for (size_t i = 0; i < n_versions; i++) {
        if (versions[i] > 0 && versions[i] <= secret->n_versions)
            apply(&secret->versions[versions[i] - 1], change, now_us);
    }
    enum comb_status status = settle(vault, secret, before, err);
    comb_memory_free(before);
    return status;
}

static enum comb_status json_change(struct comb_vault *self, struct comb_ctx *ctx, comb_str path,
                                    enum comb_vault_change change, const uint32_t *versions,
                                    size_t n_versions, struct comb_error *err)
{
    (void)ctx; /* as in json_put() */
    struct json_vault *vault = (struct json_vault *)self;
    pthread_mutex_lock(&vault->lock);
    enum comb_status status = change_locked(vault, path, change, versions, n_versions, err);
    pthread_mutex_unlock(&vault->lock);
    return with_domain(status, err);
}

/* ---- list ---- */

static int compare_names(const void *a, const void *b)
{
    return comb_str_compare(*(const comb_str *)a, *(const comb_str *)b);
}

/* All names right below folder, borrowed from the secrets, unordered, folders repeated. */
static size_t names_below(const struct json_secrets *secrets, comb_str folder, comb_str *names)
{
    size_t n = 0, skip = folder.len > 0 ? folder.len + 1 : 0;
    for (size_t i = 0; i < secrets->n_items; i++) {
        comb_str path = comb_str_of(secrets->items[i].path, secrets->items[i].path_length);
        if (path.len <= skip || !comb_str_starts_with(path, folder) ||
            (skip > 0 && path.ptr[folder.len] != '/'))
            continue;
        comb_str name = comb_str_of(path.ptr + skip, path.len - skip);
        const char *slash = memchr(name.ptr, '/', name.len);
        if (slash)
            name.len = (size_t)(slash - name.ptr) + 1;
        names[n++] = name;
    }
    return n;
}

static enum comb_status list_locked(struct json_vault *vault, struct comb_ctx *ctx, comb_str folder,
                                    comb_str after, size_t limit,
                                    struct comb_vault_names *ret_names, struct comb_error *err)
{
    comb_str *names = grpcc_arena_calloc(ctx->arena, vault->secrets.n_items + 1, sizeof *names);
    if (!names)
        return comb_error_no_memory(err);
    size_t all = names_below(&vault->secrets, folder, names), n = 0;
    bool more = false;
    qsort(names, all, sizeof *names, compare_names);
    for (size_t i = 0; i < all && !more; i++) {
        if (comb_str_compare(names[i], after) <= 0 ||
            (n > 0 && comb_str_equal(names[i], names[n - 1])))
            continue;
        more = n == limit;
        if (more)
            break;
        const char *copy = comb_str_dup(ctx->arena, names[i]);
        if (!copy)
            return comb_error_no_memory(err);
        names[n++] = comb_str_of(copy, names[i].len);
    }
    *ret_names = (struct comb_vault_names){.names = names, .n = n, .more = more};
    return COMB_OK;
}

static enum comb_status json_list(struct comb_vault *self, struct comb_ctx *ctx, comb_str folder,
                                  comb_str after, size_t limit, struct comb_vault_names *ret_names,
                                  struct comb_error *err)
{
    struct json_vault *vault = (struct json_vault *)self;
    pthread_mutex_lock(&vault->lock);
    enum comb_status status = list_locked(vault, ctx, folder, after, limit, ret_names, err);
    pthread_mutex_unlock(&vault->lock);
    return with_domain(status, err);
}

/* ---- open and close ---- */

/* The file was read and its lock is held: what could fail, has failed. */
static enum comb_status json_check(struct comb_vault *self, struct comb_ctx *ctx,
                                   struct comb_error *err)
{
    struct json_vault *vault = (struct json_vault *)self;
    (void)ctx;
    pthread_mutex_lock(&vault->lock);
    enum comb_status status = json_file_try(vault->file, err);
    pthread_mutex_unlock(&vault->lock);
    return status;
}

static void json_close(struct comb_vault *self)
{
    struct json_vault *vault = (struct json_vault *)self;
    json_secrets_done(&vault->secrets);
    json_file_close(vault->file);
    pthread_mutex_destroy(&vault->lock);
    comb_memory_free(vault);
}

static const struct comb_vault_driver json_driver = {
    .name = "json",
    .get = json_get,
    .put = json_put,
    .versions = json_versions,
    .list = json_list,
    .change = json_change,
    .check = json_check,
    .close = json_close,
};

static enum comb_status load(struct json_vault *vault, struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    if (!arena)
        return comb_error_no_memory(err);
    comb_str text = {0};
    enum comb_status status = json_file_read(vault->file, arena, &text, err);
    if (status == COMB_OK && text.ptr)
        status = json_secrets_read(&vault->secrets, text, err);
    /* At the first start there is nothing; and what lies under another key is sealed anew. */
    if (status == COMB_OK && json_file_is_stale(vault->file))
        status = save_locked(vault, err);
    if (text.ptr)
        comb_memory_wipe((char *)text.ptr, text.len);
    grpcc_arena_free(arena);
    return status;
}

enum comb_status comb_vault_json_open(const struct comb_store_options *options,
                                      struct comb_vault **ret_vault, struct comb_error *err)
{
    comb_str path = options->url;
    if (comb_str_starts_with(path, STR("json:")))
        path = comb_str_of(path.ptr + 5, path.len - 5);
    struct json_vault *vault = comb_memory_zalloc(sizeof *vault);
    if (!vault)
        return comb_error_no_memory(err);
    vault->base.driver = &json_driver;
    pthread_mutex_init(&vault->lock, NULL);
    enum comb_status status = json_secrets_init(&vault->secrets, err);
    if (status == COMB_OK)
        status = json_file_open(path, options->credentials, &vault->file, err);
    if (status == COMB_OK)
        status = load(vault, err);
    if (status == COMB_OK)
        *ret_vault = &vault->base;
    else
        json_close(&vault->base);
    return with_domain(status, err);
}
