/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/driver/json_secrets.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/core/hash.h"
#include "server/core/memory.h"
#include "server/core/random.h"
#include "server/core/seal.h"
#include "server/vault/vault_driver.h"

/* The layout of the text; another number is another layout. 1 had neither states nor request ids.
 */
#define JSON_SECRETS_FORMAT 2
#define JSON_SECRETS_FORMAT_OLDEST 1

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

void json_version_done(struct json_version *version)
{
    comb_memory_free(version->sealed);
    comb_memory_free(version->request_id);
}

static void secret_done(struct json_secret *secret)
{
    for (size_t i = 0; i < secret->n_versions; i++)
        json_version_done(&secret->versions[i]);
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

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

enum comb_status json_secrets_init(struct json_secrets *secrets, struct comb_error *err)
{
    void *page =
        mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return comb_error_no_memory(err);
    /* Both are a service to whoever reads the dump or the swap; neither is needed to work. */
    (void)madvise(page, page_size(), MADV_DONTDUMP);
    (void)mlock(page, page_size());
    comb_random(page, COMB_SEAL_KEY_SIZE);
    *secrets = (struct json_secrets){.memory_key = page};
    return COMB_OK;
}

enum comb_status json_secrets_value(const struct json_secrets *secrets,
                                    const struct json_version *version, struct grpcc_arena *arena,
                                    comb_str *ret_value, struct comb_error *err)
{
    return comb_seal_open(arena, secrets->memory_key,
                          comb_str_of(version->sealed, version->sealed_size), (comb_str){0},
                          ret_value, err);
}

static enum comb_status seal_value(struct json_secrets *secrets, comb_str value,
                                   struct json_version *version, struct comb_error *err)
{
    comb_str sealed;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    if (!arena)
        return comb_error_no_memory(err);
    enum comb_status status =
        comb_seal(arena, secrets->memory_key, value, (comb_str){0}, &sealed, err);
    if (status == COMB_OK) {
        version->sealed = comb_memory_dup(sealed);
        version->sealed_size = sealed.len;
        if (!version->sealed)
            status = comb_error_no_memory(err);
    }
    grpcc_arena_free(arena);
    return status;
}

static enum comb_status append_version(struct json_secrets *secrets, comb_str path,
                                       const struct json_version *version, struct comb_error *err)
{
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
        return comb_error_no_memory(err);
    }
    secret->versions = versions;
    versions[secret->n_versions++] = *version;
    return COMB_OK;
}

enum comb_status json_secrets_append(struct json_secrets *secrets, comb_str path,
                                     const comb_str *value, comb_str request_id,
                                     const struct json_version *times, struct comb_error *err)
{
    struct json_version version = {.create_us = times->create_us, .delete_us = times->delete_us};
    enum comb_status status = value ? seal_value(secrets, *value, &version, err) : COMB_OK;
    if (status == COMB_OK && request_id.len > 0) {
        version.request_id = comb_memory_dup(request_id);
        if (!version.request_id)
            status = comb_error_no_memory(err);
    }
    if (status == COMB_OK)
        status = append_version(secrets, path, &version, err);
    if (status != COMB_OK)
        json_version_done(&version);
    return status;
}

void json_secrets_take_back(struct json_secrets *secrets, comb_str path)
{
    struct json_secret *secret = json_secrets_find(secrets, path);
    if (!secret)
        return;
    json_version_done(&secret->versions[--secret->n_versions]);
    if (secret->n_versions > 0)
        return;
    secret_done(secret);
    *secret = secrets->items[--secrets->n_items];
}

void json_secrets_done(struct json_secrets *secrets)
{
    for (size_t i = 0; i < secrets->n_items; i++)
        secret_done(&secrets->items[i]);
    comb_memory_free(secrets->items);
    if (secrets->memory_key) {
        comb_memory_wipe(secrets->memory_key, COMB_SEAL_KEY_SIZE);
        (void)munmap(secrets->memory_key, page_size());
    }
    *secrets = (struct json_secrets){0};
}

/* ---- text: {"format": 2, "secrets": {PATH: [VERSION, …]}}, a version being {"create_us": N,
 * "value": BASE64URL, "delete_us": N, "request_id": TEXT}. The last two may be absent; a version
 * without value is destroyed. ---- */

/* The value in base64url: a secret is any bytes, a JSON string is not. */
static bool add_value(const struct json_secrets *secrets, struct grpcc_arena *arena, json_t *object,
                      const struct json_version *version)
{
    comb_str value;
    if (json_secrets_value(secrets, version, arena, &value, NULL) != COMB_OK)
        return false;
    char *text = comb_base64url_encode(arena, value);
    bool added = text && json_object_set_new(object, "value", json_string(text)) == 0;
    comb_memory_wipe((char *)value.ptr, value.len);
    if (text)
        comb_memory_wipe(text, strlen(text));
    return added;
}

static json_t *version_to_json(const struct json_secrets *secrets, struct grpcc_arena *arena,
                               const struct json_version *version)
{
    json_t *object = json_pack("{s:I}", "create_us", (json_int_t)version->create_us);
    bool whole = object != NULL;
    if (whole && version->sealed)
        whole = add_value(secrets, arena, object, version);
    if (whole && version->delete_us != 0)
        whole = json_object_set_new(object, "delete_us", json_integer(version->delete_us)) == 0;
    if (whole && version->request_id)
        whole = json_object_set_new(object, "request_id", json_string(version->request_id)) == 0;
    if (whole)
        return object;
    json_decref(object);
    return NULL;
}

static bool add_to_json(const struct json_secrets *secrets, struct grpcc_arena *arena,
                        json_t *paths, const struct json_secret *secret)
{
    json_t *versions = json_array();
    if (!versions || json_object_setn_new(paths, secret->path, secret->path_length, versions) != 0)
        return false;
    for (size_t i = 0; i < secret->n_versions; i++) {
        json_t *object = version_to_json(secrets, arena, &secret->versions[i]);
        if (json_array_append_new(versions, object) != 0)
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
        whole = add_to_json(secrets, arena, paths, &secrets->items[i]);
    grpcc_arena_free(arena);
    json_t *top =
        whole ? json_pack("{s:i, s:O}", "format", JSON_SECRETS_FORMAT, "secrets", paths) : NULL;
    json_decref(paths);
    return top;
}

enum comb_status json_secrets_write(const struct json_secrets *secrets, struct json_bytes *ret_text,
                                    struct comb_error *err)
{
    comb_vault_wipe_json();
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
    json_int_t create_us = 0, delete_us = 0;
    const char *text = NULL, *request_id = NULL;
    if (json_unpack(object, "{s:I, s?s, s?I, s?s!}", "create_us", &create_us, "value", &text,
                    "delete_us", &delete_us, "request_id", &request_id) != 0)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "a secret of the vault has an unknown form");
    comb_str value = {0};
    if (text && !comb_base64url_decode(arena, comb_str_from(text), &value))
        return comb_error_set(err, COMB_DATA_LOSS, 0, "a secret of the vault is not base64url");
    const struct json_version times = {.create_us = create_us, .delete_us = delete_us};
    enum comb_status status = json_secrets_append(secrets, path, text ? &value : NULL,
                                                  comb_str_from(request_id), &times, err);
    if (value.len > 0)
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
    comb_vault_wipe_json();
    json_t *top = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    int format = 0;
    json_t *paths = NULL;
    enum comb_status status;
    if (!top || json_unpack(top, "{s:i, s:o!}", "format", &format, "secrets", &paths) != 0 ||
        format < JSON_SECRETS_FORMAT_OLDEST || format > JSON_SECRETS_FORMAT ||
        !json_is_object(paths))
        status =
            comb_error_set(err, COMB_DATA_LOSS, 0,
                           "the vault holds no secrets in the form %d of this version of combd",
                           JSON_SECRETS_FORMAT);
    else
        status = read_in_arena(secrets, paths, err);
    json_decref(top);
    return status;
}
