/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log-in, sessions, personal access tokens, and who calls.
 *
 * An access token is believed by its signature, and by its session: not revoked, and made under the
 * generation that its user still has. What was once found out is remembered until the token
 * expires, forgotten by the feed, and used only while facts may be used.
 *
 * Threads: any, at once. What is returned lives in ctx->arena. Only comb_auth_peek() never blocks.
 */
#ifndef COMB_AUTH_H
#define COMB_AUTH_H

#include "server/auth/auth_store.h"
#include "server/auth/throttle.h"
#include "server/facts/facts.h"
#include "server/identity/identity.h"
#include "server/identity/user_message.h"
#include "server/permissions/access.h"
#include "server/tree/tree_write.h"
#include "server/vault/vault_driver.h"

struct comb_auth;

#define COMB_AUTH_ACCESS_S 600
#define COMB_AUTH_REFRESH_S (30LL * 24 * 3600)
#define COMB_AUTH_TOKEN_S (90LL * 24 * 3600)
#define COMB_AUTH_TOKEN_MAX_S (366LL * 24 * 3600)
/* Tokens that are remembered at once. */
#define COMB_AUTH_REMEMBERED_MAX 10000

/* What auth works with; all borrowed, all must live longer. */
struct comb_auth_parts {
    struct comb_auth_store *store;
    struct comb_identity *identity;
    struct comb_throttle *throttle;
    struct comb_vault *vault;
    struct comb_facts *facts; /* not started yet: auth listens to it */
    struct comb_access *access;
    struct comb_tree *tree;
    struct comb_mutations *mutations;
    struct comb_uuid installation; /* comb_sql_info.installation */
    /* Zero: the defaults above. */
    int64_t access_s, refresh_s;
};

/* Reads the keys from the vault: blocks. */
enum comb_status comb_auth_new(const struct comb_auth_parts *parts, struct comb_ctx *ctx,
                               struct comb_auth **ret_auth, struct comb_error *err) COMB_MUST_CHECK;
/* After facts have been freed, which call it. Wipes the keys. NULL is fine. */
void comb_auth_free(struct comb_auth *auth);

/* ---- who calls; the dispatcher's authenticator ---- */

/* From memory alone; false: not known, ask comb_auth_authenticate(). Never blocks. */
bool comb_auth_peek(struct comb_auth *auth, struct comb_ctx *ctx, comb_str bearer,
                    const struct comb_principal **ret_principal);
/* UNAUTHENTICATED: TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_REVOKED. */
enum comb_status comb_auth_authenticate(struct comb_auth *auth, struct comb_ctx *ctx,
                                        comb_str bearer,
                                        const struct comb_principal **ret_principal,
                                        struct comb_error *err) COMB_MUST_CHECK;

/* ---- sessions ---- */

/* Secrets: whoever has sent them wipes them (comb_auth_tokens_wipe). */
struct comb_auth_tokens {
    comb_str access, refresh;
    int64_t access_expire_us, refresh_expire_us;
};
void comb_auth_tokens_wipe(struct comb_auth_tokens *tokens);

/* UNAUTHENTICATED (CREDENTIALS_INVALID), also for who is disabled; RESOURCE_EXHAUSTED
 * (LOGIN_THROTTLED). */
enum comb_status comb_auth_login(struct comb_auth *auth, struct comb_ctx *ctx, comb_str login,
                                 comb_str password, comb_str label,
                                 struct comb_auth_tokens *ret_tokens, struct comb_user *ret_user,
                                 struct comb_error *err) COMB_MUST_CHECK;
/*
 * The next tokens of a session; the same request id gives the same refresh token again.
 * UNAUTHENTICATED: TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_REVOKED; REFRESH_REUSED, and the session
 * ends.
 */
enum comb_status comb_auth_refresh(struct comb_auth *auth, struct comb_ctx *ctx,
                                   const struct comb_request_key *key, comb_str refresh_token,
                                   struct comb_auth_tokens *ret_tokens,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* Ends what the call was made with: the session, or the personal access token. */
enum comb_status comb_auth_logout(struct comb_auth *auth, struct comb_ctx *ctx,
                                  const struct comb_request_key *key,
                                  struct comb_error *err) COMB_MUST_CHECK;

/* ---- personal access tokens ---- */

struct comb_auth_new_token {
    comb_str label;
    int64_t expire_us; /* 0: the default */
    const struct comb_scope *scopes;
    size_t n_scopes;
};
struct comb_auth_token {
    comb_str text; /* secret; see comb_auth_token_wipe */
    struct comb_uuid id;
    int64_t expire_us;
};
void comb_auth_token_wipe(struct comb_auth_token *token);

/* INVALID_ARGUMENT (FIELD_INVALID), PERMISSION_DENIED (SCOPE_EXCEEDED), NOT_FOUND
 * (NODE_NOT_FOUND). */
enum comb_status comb_auth_create_token(struct comb_auth *auth, struct comb_ctx *ctx,
                                        const struct comb_request_key *key,
                                        const struct comb_auth_new_token *new_token,
                                        struct comb_auth_token *ret_token,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* NOT_FOUND (TOKEN_NOT_FOUND), also for tokens of others; PERMISSION_DENIED (SCOPE_EXCEEDED). */
enum comb_status comb_auth_revoke_token(struct comb_auth *auth, struct comb_ctx *ctx,
                                        const struct comb_request_key *key,
                                        const struct comb_uuid *id,
                                        struct comb_error *err) COMB_MUST_CHECK;

/* The caller's own user, for WhoAmI. */
enum comb_status comb_auth_caller(struct comb_auth *auth, struct comb_ctx *ctx,
                                  struct comb_user *ret_user,
                                  struct comb_error *err) COMB_MUST_CHECK;

#endif
