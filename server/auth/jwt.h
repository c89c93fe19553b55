/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA256. One algorithm, pinned: what
 * the token says about it is only compared. Nothing in a token is read before its signature has
 * been checked, but the name of the key.
 *
 * Not libjwt: the 1.10 of Debian 12 takes the algorithm from the token and decodes the claims
 * before it verifies.
 */
#ifndef COMB_AUTH_JWT_H
#define COMB_AUTH_JWT_H

#include "server/core/ctx.h"

/* Longest token that is looked at. */
#define COMB_JWT_BYTES_MAX 2048

struct comb_jwt_key {
    uint8_t bytes[32];
    uint32_t version;              /* of the vault's key: the token's "kid" */
    struct comb_uuid installation; /* the token's "iss" */
};

struct comb_jwt_claims {
    struct comb_uuid user;     /* "sub" */
    struct comb_uuid session;  /* "sid" */
    int64_t issue_s, expire_s; /* "iat", "exp" */
};

/* *ret_token in arena. */
enum comb_status comb_jwt_sign(struct grpcc_arena *arena, const struct comb_jwt_key *key,
                               const struct comb_jwt_claims *claims, comb_str *ret_token,
                               struct comb_error *err) COMB_MUST_CHECK;
/* UNAUTHENTICATED: TOKEN_INVALID, or TOKEN_EXPIRED where it is genuine but old. */
enum comb_status comb_jwt_verify(struct grpcc_arena *arena, const struct comb_jwt_key *key,
                                 comb_str token, int64_t now_us, struct comb_jwt_claims *ret_claims,
                                 struct comb_error *err) COMB_MUST_CHECK;

#endif
