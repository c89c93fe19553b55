/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of sessions and personal access tokens. Rows and statements; no secrets: of a token
 * only its hash is stored, a session's refresh tokens are derived from its id and a serial number.
 *
 * Slots: any thread, at once. Those that read block and obey ctx's deadline; what they return lives
 * in ctx->arena. plan_ slots never block and fail only without room.
 */
#ifndef COMB_AUTH_STORE_H
#define COMB_AUTH_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/ctx.h"
#include "server/mutation/mutation.h"

/* A session, or a personal access token: what both have. */
struct comb_grant {
    struct comb_uuid id, user;
    comb_str label;
    uint64_t generation; /* of the user when it was made: it counts while the user has the same */
    int64_t create_us, expire_us;
    bool revoked;
};

struct comb_session {
    struct comb_grant grant;
    uint64_t serial; /* of the refresh token that is valid now */
};

struct comb_token {
    struct comb_grant grant;
    comb_str hash;   /* SHA-256 of its secret */
    comb_str scopes; /* packed, see token_scopes.h; "": not narrowed */
};

struct comb_auth_store;

struct comb_auth_store_driver {
    const char *name; /* "sql" */
    /* NOT_FOUND, without a reason. */
    enum comb_status (*get_session)(struct comb_auth_store *self, struct comb_ctx *ctx,
                                    const struct comb_uuid *id, struct comb_session *ret_session,
                                    struct comb_error *err);
    /* NOT_FOUND, reason TOKEN_NOT_FOUND. */
    enum comb_status (*get_token)(struct comb_auth_store *self, struct comb_ctx *ctx,
                                  const struct comb_uuid *id, struct comb_token *ret_token,
                                  struct comb_error *err);

    /* ---- pieces of plans ---- */

    /* Serial 1. Also forgets a few sessions that ended before forget_before_us. */
    enum comb_status (*plan_insert_session)(struct comb_auth_store *self, struct comb_ctx *ctx,
                                            struct comb_plan *plan,
                                            const struct comb_session *session,
                                            int64_t forget_before_us, struct comb_error *err);
    /* The next serial and a new end; guarded: not revoked, and the serial is `before`. */
    enum comb_status (*plan_refresh_session)(struct comb_auth_store *self, struct comb_ctx *ctx,
                                             struct comb_plan *plan, const struct comb_uuid *id,
                                             uint64_t before, int64_t expire_us,
                                             struct comb_error *err);
    /* The session outlives the end of its user's others: it gets his new generation. Changes
     * nothing where id is no session. */
    enum comb_status (*plan_keep_session)(struct comb_auth_store *self, struct comb_ctx *ctx,
                                          struct comb_plan *plan, const struct comb_uuid *id,
                                          uint64_t generation, struct comb_error *err);
    enum comb_status (*plan_revoke_session)(struct comb_auth_store *self, struct comb_ctx *ctx,
                                            struct comb_plan *plan, const struct comb_uuid *id,
                                            struct comb_error *err);
    /* Also forgets a few tokens that ended before forget_before_us. */
    enum comb_status (*plan_insert_token)(struct comb_auth_store *self, struct comb_ctx *ctx,
                                          struct comb_plan *plan, const struct comb_token *token,
                                          int64_t forget_before_us, struct comb_error *err);
    enum comb_status (*plan_revoke_token)(struct comb_auth_store *self, struct comb_ctx *ctx,
                                          struct comb_plan *plan, const struct comb_uuid *id,
                                          struct comb_error *err);
    /* All sessions and tokens of a user who is being deleted. */
    enum comb_status (*plan_forget_user)(struct comb_auth_store *self, struct comb_ctx *ctx,
                                         struct comb_plan *plan, const struct comb_uuid *user,
                                         struct comb_error *err);
    void (*close)(struct comb_auth_store *self);
};

struct comb_auth_store {
    const struct comb_auth_store_driver *driver;
};

/* Over an open row, which must live longer. */
enum comb_status comb_auth_store_open(struct comb_sql *sql, struct comb_auth_store **ret_store,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_auth_store_close(struct comb_auth_store *store);

/* Tables session and token, for comb_sql_migrate_schema. */
extern const struct comb_sql_schema *const comb_auth_schemas[];

#endif
