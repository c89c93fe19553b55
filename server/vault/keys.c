/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/keys.h"

#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/core/random.h"
#include "server/core/seal.h"

#define FOLDER "named-keys/"
/* Of rings that no service shows: below a folder that is the server's own. */
#define OWN_FOLDER "keys/rings/"
#define MAGIC "CV1"
#define MAGIC_SIZE 3
#define HEADER_SIZE (MAGIC_SIZE + 4)
#define WRITES_MAX 8

/*
 * A ring: all versions of a key, as the secret holds them. "CKR1", version_min (4 bytes,
 * big-endian), then of each version, the first one first: its time (8, big-endian, microseconds
 * since 1970), the request that made it (16), the key (32).
 */
#define RING_MAGIC "CKR1"
#define RING_HEAD 8
#define ENTRY_SIZE 56
#define ENTRY_KEY 24

struct ring {
    uint8_t *bytes; /* in ctx's arena, wiped with it */
    size_t size;
    uint32_t secret_version; /* of the secret that it lies in */
};

static uint64_t read_number(const uint8_t *bytes, size_t n)
{
    uint64_t number = 0;
    for (size_t i = 0; i < n; i++)
        number = number << 8 | bytes[i];
    return number;
}

static void write_number(uint8_t *bytes, size_t n, uint64_t number)
{
    for (size_t i = n; i > 0; i--, number >>= 8)
        bytes[i - 1] = (uint8_t)number;
}

static uint32_t count(const struct ring *ring)
{
    return (uint32_t)((ring->size - RING_HEAD) / ENTRY_SIZE);
}

static uint8_t *entry(const struct ring *ring, uint32_t version)
{
    return ring->bytes + RING_HEAD + (size_t)(version - 1) * ENTRY_SIZE;
}

static uint32_t version_min(const struct ring *ring)
{
    return (uint32_t)read_number(ring->bytes + 4, 4);
}

static enum comb_status path_of(struct comb_ctx *ctx, comb_str name, comb_str *ret_path,
                                struct comb_error *err)
{
    if (name.len == 0 || name.len > COMB_VAULT_PART_MAX || memchr(name.ptr, '/', name.len))
        return comb_error_field(err, "name", "must have 1 to %d bytes and no \"/\"",
                                COMB_VAULT_PART_MAX);
    char *path = grpcc_arena_printf(ctx->arena, FOLDER "%.*s", COMB_STR_ARG(name));
    if (!path)
        return comb_error_no_memory(err);
    *ret_path = comb_str_from(path);
    return COMB_OK;
}

/* A ring without versions, with room for n of them. */
static enum comb_status new_ring(struct comb_ctx *ctx, uint32_t n, struct ring *ret_ring,
                                 struct comb_error *err)
{
    size_t room = RING_HEAD + (size_t)n * ENTRY_SIZE;
    char *bytes = grpcc_arena_zalloc(ctx->arena, room);
    /* The copy is wiped with the arena; this one holds no secret. */
    char *wiped = bytes ? comb_vault_dup_secret(ctx->arena, bytes, room) : NULL;
    if (!wiped)
        return comb_error_no_memory(err);
    memcpy(wiped, RING_MAGIC, sizeof RING_MAGIC - 1);
    *ret_ring = (struct ring){.bytes = (uint8_t *)wiped, .size = RING_HEAD};
    write_number(ret_ring->bytes + 4, 4, 1);
    return COMB_OK;
}

/* Appends a new version. */
static void add_version(struct ring *ring, const struct comb_uuid *request)
{
    uint8_t *bytes = ring->bytes + ring->size;
    write_number(bytes, 8, (uint64_t)comb_clock_wall_us());
    memcpy(bytes + 8, request->bytes, sizeof request->bytes);
    comb_random(bytes + ENTRY_KEY, COMB_SEAL_KEY_SIZE);
    ring->size += ENTRY_SIZE;
}

static enum comb_status load(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                             struct ring *ret_ring, struct comb_error *err)
{
    struct comb_vault_secret secret;
    enum comb_status status = comb_vault_get(vault, ctx, path, 0, &secret, err);
    if (status == COMB_NOT_FOUND)
        return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_KEY_NOT_FOUND,
                              "the vault has no such key");
    if (status != COMB_OK)
        return status;
    size_t versions =
        secret.value.len < RING_HEAD ? 0 : (secret.value.len - RING_HEAD) / ENTRY_SIZE;
    if (versions == 0 || versions > COMB_VAULT_KEY_VERSIONS_MAX ||
        secret.value.len != RING_HEAD + versions * ENTRY_SIZE ||
        !comb_str_starts_with(secret.value, STR(RING_MAGIC)))
        return comb_error_set(err, COMB_DATA_LOSS, 0, "a key of the vault has an unknown form");
    status = new_ring(ctx, (uint32_t)versions + 1, ret_ring, err);
    if (status != COMB_OK)
        return status;
    memcpy(ret_ring->bytes, secret.value.ptr, secret.value.len);
    ret_ring->size = secret.value.len;
    ret_ring->secret_version = secret.version;
    return COMB_OK;
}

static enum comb_status save(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                             const struct ring *ring, struct comb_error *err)
{
    uint32_t version;
    return comb_vault_put(vault, ctx, path, comb_str_of(ring->bytes, ring->size),
                          ring->secret_version, &version, err);
}

static struct comb_vault_key_info info_of(const struct ring *ring)
{
    uint32_t newest = count(ring);
    return (struct comb_vault_key_info){.version = newest,
                                        .version_min = version_min(ring),
                                        .create_us = (int64_t)read_number(entry(ring, newest), 8)};
}

/* Whether a version was made by this request. */
static bool made_by(const struct ring *ring, const struct comb_uuid *request)
{
    for (uint32_t version = 1; version <= count(ring); version++) {
        if (memcmp(entry(ring, version) + 8, request->bytes, sizeof request->bytes) == 0)
            return true;
    }
    return false;
}

/* ---- making and rotating ---- */

enum comb_status comb_vault_keys_create(struct comb_vault *vault, struct comb_ctx *ctx,
                                        comb_str name, const struct comb_uuid *request,
                                        struct comb_vault_key_info *ret_info,
                                        struct comb_error *err)
{
    comb_str path;
    struct ring ring, there;
    enum comb_status status = path_of(ctx, name, &path, err);
    if (status == COMB_OK)
        status = new_ring(ctx, 1, &ring, err);
    if (status != COMB_OK)
        return status;
    add_version(&ring, request);
    status = save(vault, ctx, path, &ring, err);
    if (status == COMB_ABORTED) {
        status = load(vault, ctx, path, &there, err);
        if (status == COMB_OK && !made_by(&there, request))
            status = comb_error_set(err, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_KEY_TAKEN,
                                    "the vault has a key of that name already");
        ring = there;
    }
    if (status == COMB_OK)
        *ret_info = info_of(&ring);
    return status;
}

static enum comb_status rotate_once(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                    uint32_t least, const struct comb_uuid *request,
                                    struct comb_vault_key_info *ret_info, struct comb_error *err)
{
    struct ring ring;
    enum comb_status status = load(vault, ctx, path, &ring, err);
    if (status != COMB_OK)
        return status;
    if (!made_by(&ring, request)) {
        if (count(&ring) >= COMB_VAULT_KEY_VERSIONS_MAX)
            return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                                  "a key has at most %d versions; make another key",
                                  COMB_VAULT_KEY_VERSIONS_MAX);
        if (least > count(&ring) + 1)
            return comb_error_field(err, "version_min", "is above the new version, %u",
                                    count(&ring) + 1);
        add_version(&ring, request);
        if (least > version_min(&ring))
            write_number(ring.bytes + 4, 4, least);
        status = save(vault, ctx, path, &ring, err);
    }
    if (status == COMB_OK)
        *ret_info = info_of(&ring);
    return status;
}

static enum comb_status rotate_at(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                  uint32_t least, const struct comb_uuid *request,
                                  struct comb_vault_key_info *ret_info, struct comb_error *err)
{
    enum comb_status status = COMB_ABORTED;
    /* Somebody else may have rotated it in between. */
    for (int i = 0; i < WRITES_MAX && status == COMB_ABORTED; i++)
        status = rotate_once(vault, ctx, path, least, request, ret_info, err);
    return status;
}

enum comb_status comb_vault_keys_rotate(struct comb_vault *vault, struct comb_ctx *ctx,
                                        comb_str name, uint32_t least,
                                        const struct comb_uuid *request,
                                        struct comb_vault_key_info *ret_info,
                                        struct comb_error *err)
{
    comb_str path;
    enum comb_status status = path_of(ctx, name, &path, err);
    return status == COMB_OK ? rotate_at(vault, ctx, path, least, request, ret_info, err) : status;
}

enum comb_status comb_vault_keys_get(struct comb_vault *vault, struct comb_ctx *ctx, comb_str name,
                                     struct comb_vault_key_info *ret_info, struct comb_error *err)
{
    comb_str path;
    struct ring ring;
    enum comb_status status = path_of(ctx, name, &path, err);
    if (status == COMB_OK)
        status = load(vault, ctx, path, &ring, err);
    if (status == COMB_OK)
        *ret_info = info_of(&ring);
    return status;
}

/* ---- using ---- */

/* What a ciphertext is bound to: its header, the key's name, the caller's context. */
static enum comb_status bind_to(struct comb_ctx *ctx, const uint8_t header[HEADER_SIZE],
                                comb_str name, comb_str context, comb_str *ret_bound,
                                struct comb_error *err)
{
    if (context.len > COMB_VAULT_CONTEXT_MAX)
        return comb_error_field(err, "context", "has at most %d bytes", COMB_VAULT_CONTEXT_MAX);
    size_t size = HEADER_SIZE + 1 + name.len + context.len;
    char *bound = grpcc_arena_zalloc(ctx->arena, size);
    if (!bound)
        return comb_error_no_memory(err);
    memcpy(bound, header, HEADER_SIZE);
    bound[HEADER_SIZE] = (char)name.len;
    memcpy(bound + HEADER_SIZE + 1, name.ptr, name.len);
    if (context.len > 0)
        memcpy(bound + HEADER_SIZE + 1 + name.len, context.ptr, context.len);
    *ret_bound = comb_str_of(bound, size);
    return COMB_OK;
}

static enum comb_status encrypt_with(const struct ring *ring, struct comb_ctx *ctx, comb_str name,
                                     comb_str plaintext, comb_str context, comb_str *ret_ciphertext,
                                     struct comb_error *err)
{
    comb_str bound, sealed;
    uint8_t header[HEADER_SIZE] = MAGIC;
    write_number(header + MAGIC_SIZE, 4, count(ring));
    enum comb_status status = bind_to(ctx, header, name, context, &bound, err);
    if (status == COMB_OK)
        status = comb_seal(ctx->arena, entry(ring, count(ring)) + ENTRY_KEY, plaintext, bound,
                           &sealed, err);
    char *whole =
        status == COMB_OK ? grpcc_arena_alloc(ctx->arena, HEADER_SIZE + sealed.len) : NULL;
    if (status == COMB_OK && !whole)
        status = comb_error_no_memory(err);
    if (status != COMB_OK)
        return status;
    memcpy(whole, header, HEADER_SIZE);
    memcpy(whole + HEADER_SIZE, sealed.ptr, sealed.len);
    *ret_ciphertext = comb_str_of(whole, HEADER_SIZE + sealed.len);
    return COMB_OK;
}

static enum comb_status not_ours(struct comb_error *err)
{
    return comb_error_field(err, "ciphertext",
                            "was not encrypted with this key in this context, or was changed");
}

uint32_t comb_vault_ciphertext_version(comb_str ciphertext)
{
    return ciphertext.len >= HEADER_SIZE && comb_str_starts_with(ciphertext, STR(MAGIC))
               ? (uint32_t)read_number((const uint8_t *)ciphertext.ptr + MAGIC_SIZE, 4)
               : 0;
}

static enum comb_status decrypt_with(const struct ring *ring, struct comb_ctx *ctx, comb_str name,
                                     comb_str ciphertext, comb_str context, comb_str *ret_plaintext,
                                     struct comb_error *err)
{
    comb_str bound, plain;
    uint32_t version = comb_vault_ciphertext_version(ciphertext);
    if (version == 0 || version > count(ring))
        return not_ours(err);
    if (version < version_min(ring))
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "it was encrypted with version %u of the key; the oldest that may "
                              "decrypt is %u",
                              version, version_min(ring));
    enum comb_status status =
        bind_to(ctx, (const uint8_t *)ciphertext.ptr, name, context, &bound, err);
    if (status == COMB_OK)
        status =
            comb_seal_open(ctx->arena, entry(ring, version) + ENTRY_KEY,
                           comb_str_of(ciphertext.ptr + HEADER_SIZE, ciphertext.len - HEADER_SIZE),
                           bound, &plain, err);
    if (status == COMB_INVALID_ARGUMENT)
        return not_ours(err);
    if (status != COMB_OK)
        return status;
    const char *copy = comb_vault_dup_secret(ctx->arena, plain.ptr, plain.len);
    comb_memory_wipe((char *)plain.ptr, plain.len);
    if (!copy)
        return comb_error_no_memory(err);
    *ret_plaintext = comb_str_of(copy, plain.len);
    return COMB_OK;
}

enum comb_status comb_vault_keys_encrypt(struct comb_vault *vault, struct comb_ctx *ctx,
                                         comb_str name, comb_str plaintext, comb_str context,
                                         comb_str *ret_ciphertext, uint32_t *ret_version,
                                         struct comb_error *err)
{
    comb_str path;
    struct ring ring;
    if (plaintext.len > COMB_VAULT_PLAINTEXT_MAX)
        return comb_error_field(err, "plaintext", "has at most %zu bytes",
                                COMB_VAULT_PLAINTEXT_MAX);
    enum comb_status status = path_of(ctx, name, &path, err);
    if (status == COMB_OK)
        status = load(vault, ctx, path, &ring, err);
    if (status == COMB_OK)
        status = encrypt_with(&ring, ctx, name, plaintext, context, ret_ciphertext, err);
    if (status == COMB_OK)
        *ret_version = count(&ring);
    return status;
}

enum comb_status comb_vault_keys_decrypt(struct comb_vault *vault, struct comb_ctx *ctx,
                                         comb_str name, comb_str ciphertext, comb_str context,
                                         comb_str *ret_plaintext, struct comb_error *err)
{
    comb_str path;
    struct ring ring;
    enum comb_status status = path_of(ctx, name, &path, err);
    if (status == COMB_OK && comb_vault_ciphertext_version(ciphertext) == 0)
        status = not_ours(err);
    if (status == COMB_OK)
        status = load(vault, ctx, path, &ring, err);
    return status == COMB_OK
               ? decrypt_with(&ring, ctx, name, ciphertext, context, ret_plaintext, err)
               : status;
}

/* ---- rings in memory ---- */

struct comb_vault_ring {
    struct ring ring; /* its bytes follow the struct */
    const char *name;
    uint8_t bytes[];
};

static enum comb_status own_path(struct comb_ctx *ctx, const char *name, comb_str *ret_path,
                                 struct comb_error *err)
{
    char *path = grpcc_arena_printf(ctx->arena, OWN_FOLDER "%s", name);
    if (!path)
        return comb_error_no_memory(err);
    *ret_path = comb_str_from(path);
    return COMB_OK;
}

/* Makes the first version, unless somebody has. */
static enum comb_status make_first(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                   struct ring *ret_ring, struct comb_error *err)
{
    const struct comb_uuid request = comb_uuid_new();
    enum comb_status status = new_ring(ctx, 1, ret_ring, err);
    if (status != COMB_OK)
        return status;
    add_version(ret_ring, &request);
    status = save(vault, ctx, path, ret_ring, err);
    return status == COMB_ABORTED ? load(vault, ctx, path, ret_ring, err) : status;
}

enum comb_status comb_vault_ring_load(struct comb_vault *vault, struct comb_ctx *ctx,
                                      const char *name, bool make,
                                      struct comb_vault_ring **ret_ring, struct comb_error *err)
{
    comb_str path;
    struct ring ring;
    enum comb_status status = own_path(ctx, name, &path, err);
    if (status == COMB_OK)
        status = load(vault, ctx, path, &ring, err);
    if (status == COMB_NOT_FOUND && make)
        status = make_first(vault, ctx, path, &ring, err);
    if (status != COMB_OK)
        return status;
    struct comb_vault_ring *copy = comb_memory_alloc(sizeof *copy + ring.size);
    if (!copy)
        return comb_error_no_memory(err);
    copy->ring = (struct ring){.bytes = copy->bytes, .size = ring.size};
    copy->name = name;
    memcpy(copy->bytes, ring.bytes, ring.size);
    *ret_ring = copy;
    return COMB_OK;
}

enum comb_status comb_vault_ring_rotate(struct comb_vault *vault, struct comb_ctx *ctx,
                                        const char *name, const struct comb_uuid *request,
                                        struct comb_error *err)
{
    comb_str path;
    struct comb_vault_key_info info;
    enum comb_status status = own_path(ctx, name, &path, err);
    return status == COMB_OK ? rotate_at(vault, ctx, path, 0, request, &info, err) : status;
}

void comb_vault_ring_free(struct comb_vault_ring *ring)
{
    if (!ring)
        return;
    comb_memory_wipe(ring->bytes, ring->ring.size);
    comb_memory_free(ring);
}

uint32_t comb_vault_ring_version(const struct comb_vault_ring *ring)
{
    return count(&ring->ring);
}

enum comb_status comb_vault_ring_encrypt(const struct comb_vault_ring *ring, struct comb_ctx *ctx,
                                         comb_str plaintext, comb_str context,
                                         comb_str *ret_ciphertext, struct comb_error *err)
{
    return encrypt_with(&ring->ring, ctx, comb_str_from(ring->name), plaintext, context,
                        ret_ciphertext, err);
}

enum comb_status comb_vault_ring_decrypt(const struct comb_vault_ring *ring, struct comb_ctx *ctx,
                                         comb_str ciphertext, comb_str context,
                                         comb_str *ret_plaintext, struct comb_error *err)
{
    return decrypt_with(&ring->ring, ctx, comb_str_from(ring->name), ciphertext, context,
                        ret_plaintext, err);
}
