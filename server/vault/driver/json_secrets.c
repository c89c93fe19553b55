/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/driver/json_secrets.h"

#include <jansson.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/hash.h"
#include "server/core/memory.h"
#include "server/vault/vault_driver.h"

/* The layout of the text; another number is another layout. */
#define JSON_SECRETS_FORMAT 1

/*
 * jansson copies what it reads and writes, and frees the copies as they are. So its memory is wiped
 * when it is given back. malloc's own functions stay below, which is why it does no harm that the
 * setting is the whole process's, and that memory may have been taken before.
 */
static void wiping_free(void *pointer)
{
    if (!pointer)
        return;
    comb_memory_wipe(pointer, malloc_usable_size(pointer));
    free(pointer);
}

static void set_wiping_free(void)
{
    json_set_alloc_funcs(malloc, wiping_free);
}

static void wipe_in_jansson(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_wiping_free);
}

void json_bytes_free(struct json_bytes *bytes)
{
    if (bytes->data)
        comb_memory_wipe(bytes->data, bytes->size);
    comb_memory_free(bytes->data);
    *bytes = (struct json_bytes){0};
}

struct json_secret *json_secrets_find(const struct json_secrets *secrets, comb_str path)
{
    for (size_t i = 0; i < secrets->n_items; i++) {
        struct json_secret *secret = &secrets->items[i];
        if (comb_str_equal(comb_str_of(secret->path, secret->path_length), path))
            return secret;
    }
    return NULL;
}

static void version_done(struct json_version *version)
{
    if (version->value)
        comb_memory_wipe(version->value, version->value_size);
    comb_memory_free(version->value);
}

static void secret_done(struct json_secret *secret)
{
    for (size_t i = 0; i < secret->n_versions; i++)
        version_done(&secret->versions[i]);
    comb_memory_free(secret->versions);
    comb_memory_free(secret->path);
}

static struct json_secret *add_secret(struct json_secrets *secrets, comb_str path)
{
    struct json_secret *items =
        comb_memory_realloc(secrets->items, (secrets->n_items + 1) * sizeof *secrets->items);
    if (!items)
        return NULL;
    secrets->items = items;
    char *copy = comb_memory_alloc(path.len + 1);
    if (!copy)
        return NULL;
    memcpy(copy, path.ptr, path.len);
    copy[path.len] = '\0';
    struct json_secret *secret = &items[secrets->n_items++];
    *secret = (struct json_secret){.path = copy, .path_length = path.len};
    return secret;
}

enum comb_status json_secrets_append(struct json_secrets *secrets, comb_str path, comb_str value,
                                     int64_t create_us, struct comb_error *err)
{
    char *copy = comb_memory_alloc(value.len > 0 ? value.len : 1);
    if (!copy)
        return comb_error_no_memory(err);
    if (value.len > 0)
        memcpy(copy, value.ptr, value.len);
    struct json_version version = {.value = copy, .value_size = value.len, .create_us = create_us};
    bool is_new = false;
    struct json_secret *secret = json_secrets_find(secrets, path);
    if (!secret) {
        secret = add_secret(secrets, path);
        is_new = secret != NULL;
    }
    struct json_version *versions =
        secret ? comb_memory_realloc(secret->versions, (secret->n_versions + 1) * sizeof *versions)
               : NULL;
    if (!versions) {
        if (is_new) {
            secret_done(secret);
            secrets->n_items--;
        }
        version_done(&version);
        return comb_error_no_memory(err);
    }
    secret->versions = versions;
    versions[secret->n_versions++] = version;
    return COMB_OK;
}

void json_secrets_take_back(struct json_secrets *secrets, comb_str path)
{
    struct json_secret *secret = json_secrets_find(secrets, path);
    if (!secret)
        return;
    version_done(&secret->versions[--secret->n_versions]);
    if (secret->n_versions > 0)
        return;
    secret_done(secret);
    *secret = secrets->items[--secrets->n_items];
}

void json_secrets_free(struct json_secrets *secrets)
{
    for (size_t i = 0; i < secrets->n_items; i++)
        secret_done(&secrets->items[i]);
    comb_memory_free(secrets->items);
    *secrets = (struct json_secrets){0};
}

/* ---- text: {"format": 1, "secrets": {PATH: [{"create_us": N, "value": BASE64URL}, …]}} ---- */

/* The value in base64url: a secret is any bytes, a JSON string is not. */
static json_t *version_to_json(struct grpcc_arena *arena, const struct json_version *version)
{
    char *text = comb_base64url_encode(arena, comb_str_of(version->value, version->value_size));
    if (!text)
        return NULL;
    json_t *object =
        json_pack("{s:I, s:s}", "create_us", (json_int_t)version->create_us, "value", text);
    comb_memory_wipe(text, strlen(text));
    return object;
}

static bool add_to_json(struct grpcc_arena *arena, json_t *paths, const struct json_secret *secret)
{
    json_t *versions = json_array();
    if (!versions || json_object_setn_new(paths, secret->path, secret->path_length, versions) != 0)
        return false;
    for (size_t i = 0; i < secret->n_versions; i++) {
        if (json_array_append_new(versions, version_to_json(arena, &secret->versions[i])) != 0)
            return false;
    }
    return true;
}

static json_t *to_json(const struct json_secrets *secrets)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    json_t *paths = json_object();
    bool whole = arena && paths;
    for (size_t i = 0; whole && i < secrets->n_items; i++)
        whole = add_to_json(arena, paths, &secrets->items[i]);
    grpcc_arena_free(arena);
    json_t *top =
        whole ? json_pack("{s:i, s:O}", "format", JSON_SECRETS_FORMAT, "secrets", paths) : NULL;
    json_decref(paths);
    return top;
}

enum comb_status json_secrets_write(const struct json_secrets *secrets, struct json_bytes *ret_text,
                                    struct comb_error *err)
{
    wipe_in_jansson();
    json_t *top = to_json(secrets);
    size_t size = top ? json_dumpb(top, NULL, 0, JSON_COMPACT) : 0;
    char *text = size > 0 ? comb_memory_alloc(size) : NULL;
    bool whole = text && json_dumpb(top, text, size, JSON_COMPACT) == size;
    json_decref(top);
    if (!whole) {
        comb_memory_free(text);
        return comb_error_no_memory(err);
    }
    *ret_text = (struct json_bytes){.data = (uint8_t *)text, .size = size};
    return COMB_OK;
}

static enum comb_status read_version(struct json_secrets *secrets, struct grpcc_arena *arena,
                                     comb_str path, json_t *object, struct comb_error *err)
{
    json_int_t create_us = 0;
    const char *text = NULL;
    if (json_unpack(object, "{s:I, s:s!}", "create_us", &create_us, "value", &text) != 0)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "a secret of the vault has an unknown form");
    comb_str value;
    if (!comb_base64url_decode(arena, comb_str_from(text), &value))
        return comb_error_set(err, COMB_DATA_LOSS, 0, "a secret of the vault is not base64url");
    enum comb_status status = json_secrets_append(secrets, path, value, create_us, err);
    comb_memory_wipe((char *)value.ptr, value.len);
    return status;
}

static enum comb_status read_paths(struct json_secrets *secrets, struct grpcc_arena *arena,
                                   json_t *paths, struct comb_error *err)
{
    const char *path;
    size_t path_length;
    json_t *versions;
    json_object_keylen_foreach(paths, path, path_length, versions)
    {
        size_t n;
        json_t *version;
        json_array_foreach(versions, n, version)
        {
            enum comb_status status =
                read_version(secrets, arena, comb_str_of(path, path_length), version, err);
            if (status != COMB_OK)
                return status;
        }
    }
    return COMB_OK;
}

static enum comb_status read_in_arena(struct json_secrets *secrets, json_t *paths,
                                      struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    if (!arena)
        return comb_error_no_memory(err);
    enum comb_status status = read_paths(secrets, arena, paths, err);
    grpcc_arena_free(arena);
    return status;
}

enum comb_status json_secrets_read(struct json_secrets *secrets, comb_str text,
                                   struct comb_error *err)
{
    wipe_in_jansson();
    json_t *top = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    int format = 0;
    json_t *paths = NULL;
    enum comb_status status;
    if (!top || json_unpack(top, "{s:i, s:o!}", "format", &format, "secrets", &paths) != 0 ||
        format != JSON_SECRETS_FORMAT || !json_is_object(paths))
        status =
            comb_error_set(err, COMB_DATA_LOSS, 0,
                           "the vault holds no secrets in the form %d of this version of combd",
                           JSON_SECRETS_FORMAT);
    else
        status = read_in_arena(secrets, paths, err);
    json_decref(top);
    if (status != COMB_OK)
        json_secrets_free(secrets);
    return status;
}
