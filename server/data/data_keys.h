/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of objects, wrapped by a key of the vault row that is in memory: the vault is asked once
 * a minute, not once a content. While it is away, what was read of it goes on to serve for
 * COMB_DATA_KEYS_LEASE_US.
 *
 * Threads: any.
 */
#ifndef COMB_DATA_KEYS_H
#define COMB_DATA_KEYS_H

#include "server/data/data_store.h"
#include "server/vault/keys.h"

/* How old what is in memory may be before the vault is asked again, and while it does not answer;
 * and between two such attempts. */
#define COMB_DATA_KEYS_FRESH_US (60LL * 1000000)
#define COMB_DATA_KEYS_LEASE_US (15LL * 60 * 1000000)
#define COMB_DATA_KEYS_RETRY_US (5LL * 1000000)

struct comb_data_keys;

/* vault is borrowed. RESOURCE_EXHAUSTED: no memory. */
enum comb_status comb_data_keys_new(struct comb_vault *vault, struct comb_data_keys **ret_keys,
                                    struct comb_error *err) COMB_MUST_CHECK;
void comb_data_keys_free(struct comb_data_keys *keys); /* NULL is fine */

/* Wraps an object's key with the newest version; the vault's key is made where there is none.
 * UNAVAILABLE. */
enum comb_status comb_data_keys_wrap(struct comb_data_keys *keys, struct comb_ctx *ctx,
                                     const struct comb_uuid *object, const uint8_t key[32],
                                     uint8_t ret_wrapped[COMB_DATA_WRAPPED_SIZE],
                                     struct comb_error *err) COMB_MUST_CHECK;
/* UNAVAILABLE; FAILED_PRECONDITION: the vault has not the key; DATA_LOSS: the row was changed. */
enum comb_status comb_data_keys_unwrap(struct comb_data_keys *keys, struct comb_ctx *ctx,
                                       const struct comb_uuid *object,
                                       const uint8_t wrapped[COMB_DATA_WRAPPED_SIZE],
                                       uint8_t ret_key[32], struct comb_error *err) COMB_MUST_CHECK;
/* A new version of the vault's key, once for each request; from now on it wraps. */
enum comb_status comb_data_keys_rotate(struct comb_data_keys *keys, struct comb_ctx *ctx,
                                       const struct comb_uuid *request,
                                       struct comb_error *err) COMB_MUST_CHECK;
/* Whether a version older than the newest that this process knows of has wrapped it. */
bool comb_data_keys_is_old(struct comb_data_keys *keys,
                           const uint8_t wrapped[COMB_DATA_WRAPPED_SIZE]);

#endif
