/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/core/memory.h"
#include "server/core/random.h"
#include "server/vault/vault_driver.h"

/* Keys lie below this path. */
#define KEY_FOLDER "keys/"
#define KEY_SIZE 32

/* Paths go into URLs and logs of some drivers: a small alphabet spares all of them the escaping. */
static bool is_path(comb_str path)
{
    if (path.len == 0 || path.len > COMB_VAULT_PATH_MAX)
        return false;
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            (c == '\0' || !strchr("-_./", c)))
            return false;
    }
    return true;
}

static enum comb_status check(const struct comb_ctx *ctx, comb_str path, struct comb_error *err)
{
    if (!is_path(path))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "a vault path has 1 to %d letters, digits, \"-\", \"_\", \".\" and "
                              "\"/\"",
                              COMB_VAULT_PATH_MAX);
    return comb_ctx_check(ctx, err);
}

static enum comb_status unimplemented(const struct comb_vault *vault, const char *slot,
                                      struct comb_error *err)
{
    return comb_error_set(err, COMB_UNIMPLEMENTED, 0, "the vault driver %s cannot %s",
                          vault->driver->name, slot);
}

enum comb_status comb_vault_get(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                uint32_t version, struct comb_vault_secret *ret_secret,
                                struct comb_error *err)
{
    if (!vault->driver->get)
        return unimplemented(vault, "get", err);
    enum comb_status status = check(ctx, path, err);
    if (status != COMB_OK)
        return status;
    struct comb_vault_secret secret = {0};
    status = vault->driver->get(vault, ctx, path, version, &secret, err);
    if (status != COMB_OK)
        return status;
    if (secret.version == 0 || (version != 0 && secret.version != version) ||
        secret.value.len > COMB_VAULT_VALUE_MAX)
        return comb_error_set(err, COMB_INTERNAL, 0,
                              "the vault driver %s answered with another secret than asked for",
                              vault->driver->name);
    *ret_secret = secret;
    return COMB_OK;
}

enum comb_status comb_vault_put(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                comb_str value, uint32_t expected, uint32_t *ret_version,
                                struct comb_error *err)
{
    if (!vault->driver->put)
        return unimplemented(vault, "put", err);
    enum comb_status status = check(ctx, path, err);
    if (status != COMB_OK)
        return status;
    if (value.len > COMB_VAULT_VALUE_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "a secret has at most %d bytes",
                              COMB_VAULT_VALUE_MAX);
    uint32_t version = 0;
    status = vault->driver->put(vault, ctx, path, value, expected, &version, err);
    if (status != COMB_OK)
        return status;
    if (version <= expected)
        return comb_error_set(err, COMB_INTERNAL, 0,
                              "the vault driver %s numbered a new version %u after %u",
                              vault->driver->name, version, expected);
    *ret_version = version;
    return COMB_OK;
}

void comb_vault_close(struct comb_vault *vault)
{
    if (vault && vault->driver->close)
        vault->driver->close(vault);
}

static enum comb_status make_key(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                 struct comb_error *err)
{
    uint8_t key[KEY_SIZE];
    comb_random(key, sizeof key);
    uint32_t version;
    enum comb_status status =
        comb_vault_put(vault, ctx, path, comb_str_of(key, sizeof key), 0, &version, err);
    comb_memory_wipe(key, sizeof key);
    /* ABORTED: somebody else was first; his key is as good. */
    return status == COMB_ABORTED ? COMB_OK : status;
}

enum comb_status comb_vault_key(struct comb_vault *vault, struct comb_ctx *ctx, comb_str name,
                                uint8_t ret_key[32], uint32_t *ret_version, struct comb_error *err)
{
    char *text = grpcc_arena_printf(ctx->arena, KEY_FOLDER "%.*s", COMB_STR_ARG(name));
    if (!text)
        return comb_error_no_memory(err);
    comb_str path = comb_str_from(text);
    struct comb_vault_secret secret;
    enum comb_status status = comb_vault_get(vault, ctx, path, 0, &secret, err);
    if (status == COMB_NOT_FOUND) {
        status = make_key(vault, ctx, path, err);
        if (status == COMB_OK)
            status = comb_vault_get(vault, ctx, path, 0, &secret, err);
    }
    if (status != COMB_OK)
        return status;
    if (secret.value.len != KEY_SIZE)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "the vault's %s is no key of %d bytes", text,
                              KEY_SIZE);
    memcpy(ret_key, secret.value.ptr, KEY_SIZE);
    *ret_version = secret.version;
    return COMB_OK;
}
