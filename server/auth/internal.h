/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the auth domain share; nobody else includes it. */
#ifndef COMB_AUTH_INTERNAL_H
#define COMB_AUTH_INTERNAL_H

#include "server/auth/auth.h"
#include "server/auth/jwt.h"
#include "server/auth/opaque.h"
#include "server/auth/remembered.h"

/* In a mapping of its own, left out of core dumps. */
struct auth_keys {
    struct comb_jwt_key jwt;
    struct comb_opaque_key opaque;
};

struct comb_auth {
    struct comb_auth_parts parts;
    struct auth_keys *keys;
    struct auth_remembered *remembered;
};

/* Ended sessions and tokens are kept that long: time enough to tell "expired" from "unknown". */
#define AUTH_FORGET_AFTER_US (24LL * 3600 * 1000000)

/* The user of a grant, where both still count; else TOKEN_REVOKED or TOKEN_EXPIRED. */
enum comb_status auth_check_grant(struct comb_auth *auth, struct comb_ctx *ctx,
                                  const struct comb_grant *grant, struct comb_user *ret_user,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* UNAUTHENTICATED with that reason, and what to do. */
enum comb_status auth_token_invalid(struct comb_error *err);
enum comb_status auth_token_revoked(struct comb_error *err);
enum comb_status auth_token_expired(struct comb_error *err);

/* Adds "this user still is what he was" to the plan: roles_revision is raised with whatever ends
 * tokens. */
enum comb_status auth_plan_user(struct comb_ctx *ctx, struct comb_plan *plan,
                                const struct comb_user *user,
                                struct comb_error *err) COMB_MUST_CHECK;

#endif
