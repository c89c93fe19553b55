/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/memory.h"
#include "server/core/random.h"
#include "server/vault/vault_driver.h"

/* The server's own keys lie below the first path, those of the service's callers below the second.
 */
#define KEY_FOLDER "keys/"
#define NAMED_KEY_FOLDER "named-keys/"
#define KEY_SIZE 32

/* ---- arguments ---- */

static bool is_part(comb_str part)
{
    if (part.len == 0 || part.len > COMB_VAULT_PART_MAX || comb_str_equal(part, STR(".")) ||
        comb_str_equal(part, STR("..")))
        return false;
    for (size_t i = 0; i < part.len; i++) {
        char c = part.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            (c == '\0' || !strchr("-_.", c)))
            return false;
    }
    return true;
}

/* Paths go into URLs and logs of some drivers: a small alphabet spares all of them the escaping. */
static bool is_path(comb_str path)
{
    if (path.len == 0 || path.len > COMB_VAULT_PATH_MAX)
        return false;
    const char *slash;
    while ((slash = memchr(path.ptr, '/', path.len))) {
        size_t n = (size_t)(slash - path.ptr);
        if (!is_part(comb_str_of(path.ptr, n)))
            return false;
        path = comb_str_of(slash + 1, path.len - n - 1);
    }
    return is_part(path);
}

static enum comb_status check(const struct comb_ctx *ctx, comb_str path, struct comb_error *err)
{
    if (!is_path(path))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "a vault path has 1 to %d letters, digits, \"-\", \"_\", \".\", in "
                              "parts of at most %d between single \"/\"",
                              COMB_VAULT_PATH_MAX, COMB_VAULT_PART_MAX);
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

static enum comb_status put(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                            const struct comb_vault_put *put, uint32_t *ret_version,
                            struct comb_error *err)
{
    if (!vault->driver->put)
        return unimplemented(vault, "put", err);
    enum comb_status status = check(ctx, path, err);
    if (status != COMB_OK)
        return status;
    if (put->value.len > COMB_VAULT_VALUE_MAX || put->request_id.len > COMB_VAULT_REQUEST_ID_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "a secret has at most %d bytes, a request id %d",
                              COMB_VAULT_VALUE_MAX, COMB_VAULT_REQUEST_ID_MAX);
    uint32_t version = 0;
    status = vault->driver->put(vault, ctx, path, put, &version, err);
    if (status != COMB_OK)
        return status;
    if (version <= put->expected)
        return comb_error_set(err, COMB_INTERNAL, 0,
                              "the vault driver %s numbered a new version %u after %u",
                              vault->driver->name, version, put->expected);
    *ret_version = version;
    return COMB_OK;
}

enum comb_status comb_vault_put(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                comb_str value, uint32_t expected, uint32_t *ret_version,
                                struct comb_error *err)
{
    const struct comb_vault_put what = {.value = value, .expected = expected};
    return put(vault, ctx, path, &what, ret_version, err);
}

enum comb_status comb_vault_reused(struct comb_error *err)
{
    return comb_error_set_subject(err, COMB_INVALID_ARGUMENT,
                                  COMB_V1_ERROR_REASON_REQUEST_ID_REUSED, "request_id",
                                  "the request_id was used for another value");
}

enum comb_status comb_vault_put_once(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                     const struct comb_vault_put *what, uint32_t *ret_version,
                                     struct comb_error *err)
{
    enum comb_status status = put(vault, ctx, path, what, ret_version, err);
    if (status != COMB_ABORTED || what->request_id.len == 0)
        return status;
    struct comb_vault_secret made;
    if (comb_vault_get(vault, ctx, path, what->expected + 1, &made, NULL) != COMB_OK ||
        !comb_str_equal(made.request_id, what->request_id))
        return status;
    if (!comb_str_equal(made.value, what->value))
        return comb_vault_reused(err);
    *ret_version = made.version;
    return COMB_OK;
}

enum comb_status comb_vault_versions(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                     struct comb_vault_version **ret_versions, size_t *ret_n,
                                     struct comb_error *err)
{
    if (!vault->driver->versions)
        return unimplemented(vault, "tell versions", err);
    enum comb_status status = check(ctx, path, err);
    return status == COMB_OK ? vault->driver->versions(vault, ctx, path, ret_versions, ret_n, err)
                             : status;
}

enum comb_status comb_vault_list(struct comb_vault *vault, struct comb_ctx *ctx, comb_str folder,
                                 comb_str after, size_t limit, struct comb_vault_names *ret_names,
                                 struct comb_error *err)
{
    if (!vault->driver->list)
        return unimplemented(vault, "list", err);
    enum comb_status status = folder.len > 0 ? check(ctx, folder, err) : comb_ctx_check(ctx, err);
    if (status != COMB_OK)
        return status;
    if (limit == 0 || limit > COMB_VAULT_LIST_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "a page has 1 to %d names",
                              COMB_VAULT_LIST_MAX);
    status = vault->driver->list(vault, ctx, folder, after, limit, ret_names, err);
    if (status == COMB_OK && ret_names->n > 0)
        ret_names->last = ret_names->names[ret_names->n - 1];
    return status;
}

enum comb_status comb_vault_change(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                   enum comb_vault_change change, const uint32_t *versions,
                                   size_t n_versions, struct comb_error *err)
{
    if (!vault->driver->change)
        return unimplemented(vault, "delete or destroy", err);
    enum comb_status status = check(ctx, path, err);
    if (status != COMB_OK)
        return status;
    if (n_versions == 0 || n_versions > COMB_VAULT_CHANGES_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "name 1 to %d versions",
                              COMB_VAULT_CHANGES_MAX);
    return vault->driver->change(vault, ctx, path, change, versions, n_versions, err);
}

enum comb_status comb_vault_check(struct comb_vault *vault, struct comb_ctx *ctx,
                                  struct comb_error *err)
{
    enum comb_status status = comb_ctx_check(ctx, err);
    return status == COMB_OK && vault->driver->check ? vault->driver->check(vault, ctx, err)
                                                     : status;
}

void comb_vault_status(struct comb_vault *vault, struct comb_store_status *ret_status)
{
    if (vault->driver->status)
        vault->driver->status(vault, ret_status);
    else
        *ret_status =
            (struct comb_store_status){.driver = vault->driver->name,
                                       .shared = vault->driver->caps & COMB_VAULT_CAP_SHARED,
                                       .state = COMB_STORE_UP};
}

void comb_vault_close(struct comb_vault *vault)
{
    if (vault && vault->driver->close)
        vault->driver->close(vault);
}

/* ---- keys of the server itself ---- */

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

bool comb_vault_path_is_reserved(comb_str path)
{
    static const char *const folders[] = {KEY_FOLDER, NAMED_KEY_FOLDER};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        comb_str folder = comb_str_from(folders[i]);
        comb_str name = comb_str_of(folder.ptr, folder.len - 1);
        if (comb_str_starts_with(path, folder) || comb_str_equal(path, name))
            return true;
    }
    return false;
}

/* ---- secrets in memory ---- */

struct wipe {
    char *data;
    size_t size;
};

static void wipe_on_free(void *data)
{
    struct wipe *wipe = data;
    comb_memory_wipe(wipe->data, wipe->size);
}

char *comb_vault_dup_secret(struct grpcc_arena *arena, const void *data, size_t size)
{
    struct wipe *wipe = grpcc_arena_zalloc(arena, sizeof *wipe);
    char *copy = grpcc_arena_zalloc(arena, size + 1);
    if (!wipe || !copy)
        return NULL;
    *wipe = (struct wipe){.data = copy, .size = size};
    if (!grpcc_arena_on_free(arena, wipe_on_free, wipe))
        return NULL;
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

/* ---- references ---- */

static enum comb_status not_referred(comb_str reference, const char *why, struct comb_error *err)
{
    return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_SECRET_NOT_FOUND,
                          "vault:%.*s refers to nothing: %s",
                          reference.len < 128 ? (int)reference.len : 128, reference.ptr, why);
}

/* The string member `key` of a secret that is a JSON object. */
static enum comb_status member_of(struct comb_ctx *ctx, comb_str reference, comb_str value,
                                  comb_str key, comb_str *ret_value, struct comb_error *err)
{
    enum comb_status status;
    comb_vault_wipe_json();
    json_t *object = json_loadb(value.ptr, value.len, JSON_REJECT_DUPLICATES, NULL);
    json_t *member = json_object_getn(object, key.ptr, key.len);
    if (!json_is_object(object)) {
        status = not_referred(reference, "the secret is no JSON object; leave \"#…\" away", err);
    } else if (!json_is_string(member)) {
        status = not_referred(reference, "the secret has no such member that is a string", err);
    } else {
        size_t size = json_string_length(member);
        const char *copy = comb_vault_dup_secret(ctx->arena, json_string_value(member), size);
        status = copy ? COMB_OK : comb_error_no_memory(err);
        if (copy)
            *ret_value = comb_str_of(copy, size);
    }
    json_decref(object);
    return status;
}

enum comb_status comb_vault_reference(struct comb_vault *vault, struct comb_ctx *ctx,
                                      comb_str reference, comb_str *ret_value,
                                      struct comb_error *err)
{
    const char *hash = reference.len > 0 ? memchr(reference.ptr, '#', reference.len) : NULL;
    comb_str path = hash ? comb_str_of(reference.ptr, (size_t)(hash - reference.ptr)) : reference;
    struct comb_vault_secret secret;
    if (comb_vault_path_is_reserved(path))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "vault:%.*s: that path is the server's own; keep the secret at "
                              "another",
                              COMB_STR_ARG(path));
    enum comb_status status = comb_vault_get(vault, ctx, path, 0, &secret, err);
    if (status == COMB_NOT_FOUND)
        return not_referred(reference, "put the secret there first", err);
    if (status != COMB_OK)
        return status;
    if (hash)
        return member_of(ctx, reference, secret.value,
                         comb_str_of(hash + 1, reference.len - path.len - 1), ret_value, err);
    *ret_value = secret.value;
    return COMB_OK;
}
