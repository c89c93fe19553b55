/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/auth.h"

#include <assert.h>
#include <sys/mman.h>

#include "comb/v1/errors.grpcc.h"
#include "server/auth/internal.h"
#include "server/auth/token_scopes.h"
#include "server/core/clock.h"
#include "server/core/hash.h"
#include "server/core/memory.h"

/* Names of the vault's keys. */
#define JWT_KEY "auth-jwt"
#define OPAQUE_KEY "auth-opaque"

/* ---- making and ending ---- */

static void forget(void *data, const struct comb_feed_record *record)
{
    struct comb_auth *auth = data;
    if (!record)
        auth_remembered_forget(auth->remembered, NULL);
    else if (record->entry.kind == COMB_FEED_USER || record->entry.kind == COMB_FEED_TOKEN)
        auth_remembered_forget(auth->remembered, &record->entry.subject);
}

static enum comb_status map_keys(struct comb_auth *auth, struct comb_error *err)
{
    void *page =
        mmap(NULL, sizeof *auth->keys, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return comb_error_no_memory(err);
    auth->keys = page;
    (void)madvise(page, sizeof *auth->keys, MADV_DONTDUMP);
    return COMB_OK;
}

static enum comb_status read_keys(struct comb_auth *auth, struct comb_ctx *ctx,
                                  struct comb_error *err)
{
    uint32_t version;
    enum comb_status status = comb_vault_key(auth->parts.vault, ctx, STR(JWT_KEY),
                                             auth->keys->jwt.bytes, &auth->keys->jwt.version, err);
    if (status == COMB_OK)
        status = comb_vault_key(auth->parts.vault, ctx, STR(OPAQUE_KEY), auth->keys->opaque.bytes,
                                &version, err);
    auth->keys->jwt.installation = auth->parts.installation;
    return status;
}

enum comb_status comb_auth_new(const struct comb_auth_parts *parts, struct comb_ctx *ctx,
                               struct comb_auth **ret_auth, struct comb_error *err)
{
    assert(parts->store && parts->identity && parts->throttle && parts->vault && parts->facts &&
           parts->access && parts->tree && parts->mutations);
    struct comb_auth *auth = comb_memory_zalloc(sizeof *auth);
    if (!auth)
        return comb_error_no_memory(err);
    auth->parts = *parts;
    if (auth->parts.access_s == 0)
        auth->parts.access_s = COMB_AUTH_ACCESS_S;
    if (auth->parts.refresh_s == 0)
        auth->parts.refresh_s = COMB_AUTH_REFRESH_S;
    enum comb_status status = map_keys(auth, err);
    if (status == COMB_OK)
        status = read_keys(auth, ctx, err);
    if (status == COMB_OK)
        status = auth_remembered_new(COMB_AUTH_REMEMBERED_MAX, &auth->remembered, err);
    if (status == COMB_OK)
        status = comb_facts_listen(parts->facts, forget, auth, err);
    if (status == COMB_OK)
        *ret_auth = auth;
    else
        comb_auth_free(auth);
    return status;
}

void comb_auth_free(struct comb_auth *auth)
{
    if (!auth)
        return;
    if (auth->keys) {
        comb_memory_wipe(auth->keys, sizeof *auth->keys);
        munmap(auth->keys, sizeof *auth->keys);
    }
    auth_remembered_free(auth->remembered);
    comb_memory_free(auth);
}

/* ---- what is told to who is refused ---- */

enum comb_status auth_token_invalid(struct comb_error *err)
{
    return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_INVALID,
                          "the token is malformed, or not one of this installation; log in again");
}

enum comb_status auth_token_revoked(struct comb_error *err)
{
    return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_REVOKED,
                          "the token, its session or its user has been revoked or disabled; log in "
                          "again");
}

enum comb_status auth_token_expired(struct comb_error *err)
{
    return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_EXPIRED,
                          "the token has expired; log in again, or make a new one");
}

/* ---- who calls ---- */

enum comb_status auth_check_grant(struct comb_auth *auth, struct comb_ctx *ctx,
                                  const struct comb_grant *grant, struct comb_user *ret_user,
                                  struct comb_error *err)
{
    if (grant->revoked)
        return auth_token_revoked(err);
    if (grant->expire_us <= comb_clock_wall_us())
        return auth_token_expired(err);
    struct comb_user user;
    enum comb_status status =
        comb_identity_read_user_now(auth->parts.identity, ctx, &grant->user, &user, err);
    if (status == COMB_NOT_FOUND)
        return auth_token_revoked(err);
    if (status != COMB_OK)
        return status;
    if (user.disabled || user.generation != grant->generation)
        return auth_token_revoked(err);
    *ret_user = user;
    return COMB_OK;
}

enum comb_status auth_plan_user(struct comb_ctx *ctx, struct comb_plan *plan,
                                const struct comb_user *user, struct comb_error *err)
{
    const struct comb_decision decision = {.user = user->id,
                                           .roles_revision = user->roles_revision};
    return comb_tree_plan_decision(ctx, plan, &decision, err);
}

static enum comb_status check_jwt(struct comb_auth *auth, struct comb_ctx *ctx, comb_str bearer,
                                  struct comb_principal *ret_principal, struct comb_error *err)
{
    struct comb_jwt_claims claims;
    struct comb_session session;
    struct comb_user user;
    enum comb_status status =
        comb_jwt_verify(ctx->arena, &auth->keys->jwt, bearer, comb_clock_wall_us(), &claims, err);
    if (status != COMB_OK)
        return status;
    status = auth->parts.store->driver->get_session(auth->parts.store, ctx, &claims.session,
                                                    &session, err);
    if (status == COMB_NOT_FOUND)
        return auth_token_revoked(err);
    if (status == COMB_OK)
        status = auth_check_grant(auth, ctx, &session.grant, &user, err);
    if (status != COMB_OK)
        return status;
    if (!comb_uuid_equal(&claims.user, &session.grant.user))
        return auth_token_invalid(err);
    *ret_principal = (struct comb_principal){.user = user.id,
                                             .login = user.login,
                                             .administrator = comb_user_is_administrator(&user),
                                             .token = session.grant.id,
                                             .expire_us = claims.expire_s * COMB_US_PER_S};
    return COMB_OK;
}

static bool is_secret_of(const struct comb_token *token, const struct comb_opaque *opaque)
{
    uint8_t hash[COMB_SHA256_SIZE];
    return comb_sha256(comb_str_of(opaque->secret, sizeof opaque->secret), hash, NULL) == COMB_OK &&
           comb_secret_equal(token->hash, comb_str_of(hash, sizeof hash));
}

static enum comb_status check_pat(struct comb_auth *auth, struct comb_ctx *ctx, comb_str bearer,
                                  struct comb_principal *ret_principal, struct comb_error *err)
{
    struct comb_opaque opaque;
    if (!comb_opaque_parse_pat(ctx->arena, bearer, &opaque))
        return auth_token_invalid(err);
    struct comb_token token;
    struct comb_user user;
    enum comb_status status =
        auth->parts.store->driver->get_token(auth->parts.store, ctx, &opaque.id, &token, err);
    bool is_right = status == COMB_OK && is_secret_of(&token, &opaque);
    comb_memory_wipe(&opaque, sizeof opaque);
    if (status == COMB_NOT_FOUND || (status == COMB_OK && !is_right))
        return auth_token_invalid(err);
    if (status == COMB_OK)
        status = auth_check_grant(auth, ctx, &token.grant, &user, err);
    if (status != COMB_OK)
        return status;
    struct comb_principal principal = {
        .user = user.id,
        .login = user.login,
        .token = token.grant.id,
        .expire_us = token.grant.expire_us,
    };
    status =
        auth_scopes_unpack(ctx->arena, token.scopes, &principal.scopes, &principal.n_scopes, err);
    if (status != COMB_OK)
        return status;
    principal.administrator = principal.n_scopes == 0 && comb_user_is_administrator(&user);
    *ret_principal = principal;
    return COMB_OK;
}

bool comb_auth_peek(struct comb_auth *auth, struct comb_ctx *ctx, comb_str bearer,
                    const struct comb_principal **ret_principal)
{
    if (!comb_facts_is_current(auth->parts.facts, ctx))
        return false;
    const struct comb_principal *principal =
        auth_remembered_find(auth->remembered, ctx->arena, bearer);
    if (principal)
        *ret_principal = principal;
    return principal != NULL;
}

enum comb_status comb_auth_authenticate(struct comb_auth *auth, struct comb_ctx *ctx,
                                        comb_str bearer,
                                        const struct comb_principal **ret_principal,
                                        struct comb_error *err)
{
    if (comb_auth_peek(auth, ctx, bearer, ret_principal))
        return COMB_OK;
    struct comb_principal *principal = grpcc_arena_zalloc(ctx->arena, sizeof *principal);
    if (!principal)
        return comb_error_no_memory(err);
    uint64_t era = auth_remembered_era(auth->remembered);
    enum comb_status status;
    if (comb_str_starts_with(bearer, STR(COMB_PAT_PREFIX)))
        status = check_pat(auth, ctx, bearer, principal, err);
    else if (comb_str_starts_with(bearer, STR(COMB_REFRESH_PREFIX)))
        status = comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_INVALID,
                                "this is a refresh token: it is for comb.v1.Auth/Refresh alone");
    else
        status = check_jwt(auth, ctx, bearer, principal, err);
    if (status != COMB_OK)
        return status;
    auth_remembered_add(auth->remembered, bearer, principal, era);
    *ret_principal = principal;
    return COMB_OK;
}

enum comb_status comb_auth_caller(struct comb_auth *auth, struct comb_ctx *ctx,
                                  struct comb_user *ret_user, struct comb_error *err)
{
    char *id = comb_uuid_text(ctx->arena, &ctx->principal->user);
    if (!id)
        return comb_error_no_memory(err);
    return comb_identity_read_user(auth->parts.identity, ctx, comb_str_from(id), ret_user, err);
}
