/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 of a content, which can be put down and taken up again: the state travels with an upload,
 * so that any replica goes on where another stopped, and nothing is read twice.
 */
#ifndef COMB_DATA_CONTENT_HASH_H
#define COMB_DATA_CONTENT_HASH_H

#include <openssl/sha.h>

#include "server/core/hash.h"
#include "server/data/data_store.h"

struct comb_content_hash {
    SHA256_CTX sha;
    uint64_t bytes; /* hashed so far */
};

void comb_content_hash_init(struct comb_content_hash *hash);
void comb_content_hash_update(struct comb_content_hash *hash, comb_str bytes);
/* The digest of all so far; hash can go on. */
void comb_content_hash_digest(const struct comb_content_hash *hash,
                              uint8_t ret_digest[COMB_SHA256_SIZE]);

/* The state, the same on every machine; in buffer, of which it is a view. */
struct comb_data_hashed comb_content_hash_save(const struct comb_content_hash *hash,
                                               char buffer[COMB_DATA_HASH_STATE_MAX]);
/* False: not what _save wrote; *ret_hash is untouched. */
bool comb_content_hash_load(const struct comb_data_hashed *saved,
                            struct comb_content_hash *ret_hash) COMB_MUST_CHECK;

#endif
