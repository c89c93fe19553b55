/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokens that are no JWTs, and how they are derived: with HMAC, from a vault key and what names
 * them, so that a repeated request is given the same one although none is stored in clear
 * (CONSISTENCY 6).
 *
 *   comb_pat_(ID SECRET)          a personal access token; only the hash of SECRET is stored
 *   comb_ref_(ID SERIAL SECRET)   a session's refresh token number SERIAL; nothing is stored of it
 *
 * ID is 16 bytes, SERIAL 8, big-endian, SECRET 32; what is in brackets is base64url.
 */
#ifndef COMB_AUTH_OPAQUE_H
#define COMB_AUTH_OPAQUE_H

#include "server/core/ctx.h"

#define COMB_OPAQUE_SECRET_SIZE 32
#define COMB_PAT_PREFIX "comb_pat_"
#define COMB_REFRESH_PREFIX "comb_ref_"

struct comb_opaque_key {
    uint8_t bytes[32];
};

struct comb_opaque {
    struct comb_uuid id;
    uint64_t serial; /* 0 for personal access tokens */
    uint8_t secret[COMB_OPAQUE_SECRET_SIZE];
};

/* The secret of the personal access token that a user asks for by a request id. */
enum comb_status comb_opaque_derive_pat(const struct comb_opaque_key *key,
                                        const struct comb_uuid *user,
                                        const struct comb_uuid *request,
                                        uint8_t ret_secret[COMB_OPAQUE_SECRET_SIZE],
                                        struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_opaque_derive_refresh(const struct comb_opaque_key *key,
                                            const struct comb_uuid *session, uint64_t serial,
                                            uint8_t ret_secret[COMB_OPAQUE_SECRET_SIZE],
                                            struct comb_error *err) COMB_MUST_CHECK;

/* In arena; NULL: no room. */
char *comb_opaque_pat_text(struct grpcc_arena *arena,
                           const struct comb_opaque *opaque) COMB_MUST_CHECK;
char *comb_opaque_refresh_text(struct grpcc_arena *arena,
                               const struct comb_opaque *opaque) COMB_MUST_CHECK;
/* False: not of that form. Whether the secret is right is the caller's to find out. */
bool comb_opaque_parse_pat(struct grpcc_arena *arena, comb_str text,
                           struct comb_opaque *ret_opaque) COMB_MUST_CHECK;
bool comb_opaque_parse_refresh(struct grpcc_arena *arena, comb_str text,
                               struct comb_opaque *ret_opaque) COMB_MUST_CHECK;

#endif
