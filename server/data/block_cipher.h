/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of the data row, encrypted by block (docs/encryption.md), so that a range is read without
 * what comes before it. AES-256-GCM; a block is 64 KiB of the content, but for the last one, and is
 * stored as its ciphertext and a tag of 16 bytes.
 *
 * Each object has a random key of its own, which encrypts nothing else: an object is written once,
 * and what is sent again becomes another object. So the block's number is nonce enough. Object,
 * number and whether the block is the last one are authenticated with it: a block that is changed,
 * put elsewhere or missing is noticed. An empty content is one empty block.
 *
 * Threads: one per cipher.
 */
#ifndef COMB_DATA_BLOCK_CIPHER_H
#define COMB_DATA_BLOCK_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/error.h"
#include "server/core/str.h"
#include "server/core/uuid.h"

#define COMB_BLOCK_BYTES 65536u
#define COMB_BLOCK_TAG_BYTES 16u
#define COMB_BLOCK_STORED_BYTES (COMB_BLOCK_BYTES + COMB_BLOCK_TAG_BYTES)
#define COMB_BLOCK_KEY_BYTES 32

/* Blocks of a content of that size, and the bytes that they take in the store. */
uint64_t comb_blocks_of(uint64_t size);
uint64_t comb_blocks_stored(uint64_t size);

struct comb_block_cipher;

/* To seal, or to open. RESOURCE_EXHAUSTED: no memory. */
enum comb_status comb_block_cipher_new(bool seals, const uint8_t key[COMB_BLOCK_KEY_BYTES],
                                       const struct comb_uuid *object,
                                       struct comb_block_cipher **ret_cipher,
                                       struct comb_error *err) COMB_MUST_CHECK;
void comb_block_cipher_free(struct comb_block_cipher *cipher); /* NULL is fine */

/* ret_stored: plain.len + COMB_BLOCK_TAG_BYTES bytes, not where plain lies. No number twice. */
enum comb_status comb_block_seal(struct comb_block_cipher *cipher, uint64_t number, bool is_last,
                                 comb_str plain, void *ret_stored,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* Opens where it lies: its first len - COMB_BLOCK_TAG_BYTES bytes become the content. DATA_LOSS: it
 * is not what was sealed as this block of this object; the bytes are wiped. */
enum comb_status comb_block_open(struct comb_block_cipher *cipher, uint64_t number, bool is_last,
                                 void *stored, size_t len, struct comb_error *err) COMB_MUST_CHECK;

#endif
