/* SPDX-License-Identifier: Apache-2.0 */
#include "server/data/data_keys.h"

#include <pthread.h>
#include <string.h>

#include "server/core/clock.h"
#include "server/core/memory.h"

/* The vault's key, in a folder of the server's own. */
static const char NAME[] = "data";

struct comb_data_keys {
    struct comb_vault *vault;
    pthread_mutex_t lock;         /* guards what follows */
    struct comb_vault_ring *ring; /* NULL: none yet */
    int64_t read_us;              /* when the vault was asked for it, CLOCK_BOOTTIME */
    int64_t tried_us;             /* when it was last asked in vain */
};

enum comb_status comb_data_keys_new(struct comb_vault *vault, struct comb_data_keys **ret_keys,
                                    struct comb_error *err)
{
    struct comb_data_keys *keys = comb_memory_zalloc(sizeof *keys);

    if (!keys)
        return comb_error_no_memory(err);
    keys->vault = vault;
    pthread_mutex_init(&keys->lock, NULL);
    *ret_keys = keys;
    return COMB_OK;
}

void comb_data_keys_free(struct comb_data_keys *keys)
{
    if (!keys)
        return;
    comb_vault_ring_free(keys->ring);
    pthread_mutex_destroy(&keys->lock);
    comb_memory_free(keys);
}

static int64_t now_us(void)
{
    return comb_clock_boottime_ns() / 1000;
}

/* Whether what is in memory will do without asking; least: the version that is needed. */
static bool is_fresh(struct comb_data_keys *keys, uint32_t least)
{
    int64_t now = now_us();
    bool fresh;

    pthread_mutex_lock(&keys->lock);
    fresh = keys->ring && comb_vault_ring_version(keys->ring) >= least &&
            now - keys->read_us < COMB_DATA_KEYS_LEASE_US &&
            (now - keys->read_us < COMB_DATA_KEYS_FRESH_US ||
             now - keys->tried_us < COMB_DATA_KEYS_RETRY_US);
    pthread_mutex_unlock(&keys->lock);
    return fresh;
}

/* The vault has not answered: whether what is in memory goes on. */
static bool goes_on(struct comb_data_keys *keys, uint32_t least, int64_t asked_us)
{
    bool does;

    pthread_mutex_lock(&keys->lock);
    keys->tried_us = asked_us;
    does = keys->ring && comb_vault_ring_version(keys->ring) >= least &&
           asked_us - keys->read_us < COMB_DATA_KEYS_LEASE_US;
    pthread_mutex_unlock(&keys->lock);
    return does;
}

/* Two threads may ask at once; a ring with fewer versions takes no place of one with more. */
static void keep(struct comb_data_keys *keys, struct comb_vault_ring *ring, int64_t asked_us)
{
    struct comb_vault_ring *old = ring;

    pthread_mutex_lock(&keys->lock);
    if (!keys->ring || comb_vault_ring_version(keys->ring) <= comb_vault_ring_version(ring)) {
        old = keys->ring;
        keys->ring = ring;
        keys->read_us = asked_us;
    }
    pthread_mutex_unlock(&keys->lock);
    comb_vault_ring_free(old);
}

/* Asks the vault. */
static enum comb_status ask(struct comb_data_keys *keys, struct comb_ctx *ctx, bool make,
                            uint32_t least, struct comb_error *err)
{
    struct comb_vault_ring *ring = NULL;
    struct comb_error why = {0};
    int64_t asked_us = now_us();
    enum comb_status status = comb_vault_ring_load(keys->vault, ctx, NAME, make, &ring, &why);

    if (status == COMB_OK) {
        keep(keys, ring, asked_us);
        return COMB_OK;
    }
    if (status == COMB_NOT_FOUND)
        status = comb_error_set(&why, COMB_FAILED_PRECONDITION, 0,
                                "the content is encrypted, and the vault row has no key for "
                                "contents: it is not the vault that this installation began with");
    else if (goes_on(keys, least, asked_us))
        return COMB_OK;
    if (err)
        *err = why;
    return status;
}

static enum comb_status refresh(struct comb_data_keys *keys, struct comb_ctx *ctx, bool make,
                                uint32_t least, struct comb_error *err)
{
    return is_fresh(keys, least) ? COMB_OK : ask(keys, ctx, make, least, err);
}

/* A context for things that are not kept. */
static enum comb_status begin(const struct comb_ctx *ctx, struct comb_ctx *ret_own,
                              struct comb_error *err)
{
    *ret_own = *ctx;
    ret_own->arena = grpcc_arena_new(0);
    return ret_own->arena ? COMB_OK : comb_error_no_memory(err);
}

enum comb_status comb_data_keys_wrap(struct comb_data_keys *keys, struct comb_ctx *ctx,
                                     const struct comb_uuid *object, const uint8_t key[32],
                                     uint8_t ret_wrapped[COMB_DATA_WRAPPED_SIZE],
                                     struct comb_error *err)
{
    struct comb_ctx own;
    comb_str wrapped = {0};
    enum comb_status status = begin(ctx, &own, err);

    if (status != COMB_OK)
        return status;
    status = refresh(keys, &own, true, 0, err);
    if (status == COMB_OK) {
        pthread_mutex_lock(&keys->lock);
        status = comb_vault_ring_encrypt(keys->ring, &own, comb_str_of(key, 32),
                                         comb_uuid_bytes(object), &wrapped, err);
        pthread_mutex_unlock(&keys->lock);
    }
    if (status == COMB_OK && wrapped.len != COMB_DATA_WRAPPED_SIZE)
        status = comb_error_set(err, COMB_INTERNAL, 0, "a wrapped key has an unknown size");
    if (status == COMB_OK)
        memcpy(ret_wrapped, wrapped.ptr, COMB_DATA_WRAPPED_SIZE);
    grpcc_arena_free(own.arena);
    return status;
}

enum comb_status comb_data_keys_unwrap(struct comb_data_keys *keys, struct comb_ctx *ctx,
                                       const struct comb_uuid *object,
                                       const uint8_t wrapped[COMB_DATA_WRAPPED_SIZE],
                                       uint8_t ret_key[32], struct comb_error *err)
{
    const comb_str ciphertext = comb_str_of(wrapped, COMB_DATA_WRAPPED_SIZE);
    struct comb_ctx own;
    comb_str key = {0};
    enum comb_status status = begin(ctx, &own, err);

    if (status != COMB_OK)
        return status;
    status = refresh(keys, &own, false, comb_vault_ciphertext_version(ciphertext), err);
    if (status == COMB_OK) {
        pthread_mutex_lock(&keys->lock);
        status = comb_vault_ring_decrypt(keys->ring, &own, ciphertext, comb_uuid_bytes(object),
                                         &key, err);
        pthread_mutex_unlock(&keys->lock);
        if (status == COMB_INVALID_ARGUMENT || (status == COMB_OK && key.len != 32))
            status = comb_error_set(err, COMB_DATA_LOSS, 0,
                                    "the key of the content was changed, or was made by another "
                                    "vault row");
    }
    if (status == COMB_OK)
        memcpy(ret_key, key.ptr, 32);
    grpcc_arena_free(own.arena);
    return status;
}

enum comb_status comb_data_keys_rotate(struct comb_data_keys *keys, struct comb_ctx *ctx,
                                       const struct comb_uuid *request, struct comb_error *err)
{
    enum comb_status status = ask(keys, ctx, true, 0, err);

    if (status == COMB_OK)
        status = comb_vault_ring_rotate(keys->vault, ctx, NAME, request, err);
    return status == COMB_OK ? ask(keys, ctx, false, 0, err) : status;
}

bool comb_data_keys_is_old(struct comb_data_keys *keys,
                           const uint8_t wrapped[COMB_DATA_WRAPPED_SIZE])
{
    uint32_t version = comb_vault_ciphertext_version(comb_str_of(wrapped, COMB_DATA_WRAPPED_SIZE));
    bool is_old;

    pthread_mutex_lock(&keys->lock);
    is_old = keys->ring && version < comb_vault_ring_version(keys->ring);
    pthread_mutex_unlock(&keys->lock);
    return is_old;
}
