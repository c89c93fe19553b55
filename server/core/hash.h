/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, HMAC and the text forms of their results, over OpenSSL. Threads: any, one per object. */
#ifndef COMB_CORE_HASH_H
#define COMB_CORE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/arena.h"
#include "server/core/error.h"
#include "server/core/str.h"

#define COMB_SHA256_SIZE 32

/* A running SHA-256. */
struct comb_sha256 {
    void *context;
};

/* RESOURCE_EXHAUSTED: no memory. */
enum comb_status comb_sha256_init(struct comb_sha256 *sha, struct comb_error *err) COMB_MUST_CHECK;
void comb_sha256_update(struct comb_sha256 *sha, const void *data, size_t len);
/* The digest of all so far; sha begins anew. */
void comb_sha256_finish(struct comb_sha256 *sha, uint8_t ret_digest[COMB_SHA256_SIZE]);
void comb_sha256_done(struct comb_sha256 *sha);

/* Of data in one piece. */
enum comb_status comb_sha256(comb_str data, uint8_t ret_digest[COMB_SHA256_SIZE],
                             struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_hmac_sha256(comb_str key, comb_str data, uint8_t ret_mac[COMB_SHA256_SIZE],
                                  struct comb_error *err) COMB_MUST_CHECK;
/* Compares secrets in a time that does not depend on where they differ. */
bool comb_secret_equal(comb_str a, comb_str b);

/* Lower case hex in arena, NUL-terminated; NULL: no room. */
char *comb_hex_encode(struct grpcc_arena *arena, comb_str data) COMB_MUST_CHECK;
/* Either case; false: not hex of exactly size bytes. */
bool comb_hex_decode(comb_str text, void *ret_data, size_t size) COMB_MUST_CHECK;

/* base64url without padding (RFC 4648 section 5), NUL-terminated, in arena; NULL: no room. */
char *comb_base64url_encode(struct grpcc_arena *arena, comb_str data) COMB_MUST_CHECK;
/* False: not canonical base64url, or no room. */
bool comb_base64url_decode(struct grpcc_arena *arena, comb_str text,
                           comb_str *ret_data) COMB_MUST_CHECK;

#endif
