/* SPDX-License-Identifier: Apache-2.0 */
/* The json driver: all secrets in memory, the whole file written anew with every change. */
#include <pthread.h>

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

struct wipe {
    char *data;
    size_t size;
};

static void wipe_on_free(void *data)
{
    struct wipe *wipe = data;
    comb_memory_wipe(wipe->data, wipe->size);
}

/* A copy in arena that is wiped with it; NULL: no room. */
static char *dup_secret(struct grpcc_arena *arena, const void *data, size_t size)
{
    struct wipe *wipe = grpcc_arena_zalloc(arena, sizeof *wipe);
    char *copy = grpcc_arena_zalloc(arena, size);
    if (!wipe || !copy)
        return NULL;
    *wipe = (struct wipe){.data = copy, .size = size};
    if (!grpcc_arena_on_free(arena, wipe_on_free, wipe))
        return NULL;
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

static enum comb_status get_locked(struct json_vault *vault, struct comb_ctx *ctx, comb_str path,
                                   uint32_t version, struct comb_vault_secret *ret_secret,
                                   struct comb_error *err)
{
    const struct json_secret *secret = json_secrets_find(&vault->secrets, path);
    if (!secret || version > secret->n_versions)
        return comb_error_set(err, COMB_NOT_FOUND, 0, "the vault has no such secret or version");
    if (version == 0)
        version = (uint32_t)secret->n_versions;
    const struct json_version *found = &secret->versions[version - 1];
    char *value = dup_secret(ctx->arena, found->value, found->value_size);
    if (!value)
        return comb_error_no_memory(err);
    *ret_secret = (struct comb_vault_secret){.value = comb_str_of(value, found->value_size),
                                             .version = version,
                                             .create_us = found->create_us};
    return COMB_OK;
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

static enum comb_status put_locked(struct json_vault *vault, comb_str path, comb_str value,
                                   uint32_t expected, uint32_t *ret_version, struct comb_error *err)
{
    const struct json_secret *secret = json_secrets_find(&vault->secrets, path);
    size_t newest = secret ? secret->n_versions : 0;
    if (newest != expected)
        return comb_error_set(err, COMB_ABORTED, 0,
                              "the newest version of the secret is %zu, not %u", newest, expected);
    struct comb_error local = {0};
    enum comb_status status =
        json_secrets_append(&vault->secrets, path, value, comb_clock_wall_us(), err);
    if (status != COMB_OK)
        return status;
    status = save_locked(vault, &local);
    /* Where it is open whether the file is the new one or the old one, memory goes with what later
     * readers of the file most likely find. */
    if (status != COMB_OK && !local.ambiguous)
        json_secrets_take_back(&vault->secrets, path);
    if (status == COMB_OK)
        *ret_version = expected + 1;
    else if (err)
        *err = local;
    return status;
}

static enum comb_status json_put(struct comb_vault *self, struct comb_ctx *ctx, comb_str path,
                                 comb_str value, uint32_t expected, uint32_t *ret_version,
                                 struct comb_error *err)
{
    (void)ctx; /* a deadline ends no write to a local file */
    struct json_vault *vault = (struct json_vault *)self;
    pthread_mutex_lock(&vault->lock);
    enum comb_status status = put_locked(vault, path, value, expected, ret_version, err);
    pthread_mutex_unlock(&vault->lock);
    return with_domain(status, err);
}

static void json_close(struct comb_vault *self)
{
    struct json_vault *vault = (struct json_vault *)self;
    json_secrets_free(&vault->secrets);
    json_file_close(vault->file);
    pthread_mutex_destroy(&vault->lock);
    comb_memory_free(vault);
}

static const struct comb_vault_driver json_driver = {
    .name = "json", .get = json_get, .put = json_put, .close = json_close};

static enum comb_status load(struct json_vault *vault, struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    if (!arena)
        return comb_error_no_memory(err);
    comb_str text = {0};
    enum comb_status status = json_file_read(vault->file, arena, &text, err);
    if (status == COMB_OK && text.ptr)
        status = json_secrets_read(&vault->secrets, text, err);
    else if (status == COMB_OK) /* the first start */
        status = save_locked(vault, err);
    if (text.ptr)
        comb_memory_wipe((char *)text.ptr, text.len);
    grpcc_arena_free(arena);
    return status;
}

enum comb_status comb_vault_json_open(comb_str path, struct comb_vault **ret_vault,
                                      struct comb_error *err)
{
    struct json_vault *vault = comb_memory_zalloc(sizeof *vault);
    if (!vault)
        return comb_error_no_memory(err);
    vault->base.driver = &json_driver;
    pthread_mutex_init(&vault->lock, NULL);
    enum comb_status status = json_file_open(path, &vault->file, err);
    if (status == COMB_OK)
        status = load(vault, err);
    if (status == COMB_OK)
        *ret_vault = &vault->base;
    else
        json_close(&vault->base);
    return with_domain(status, err);
}
