/* SPDX-License-Identifier: Apache-2.0 */
/* The store of sessions and tokens over the SQL row: what all dialects share. */
#include "comb/v1/errors.grpcc.h"
#include "server/auth/driver/dialect.h"
#include "server/backend/sql/sql_read.h"
#include "server/core/memory.h"
#include "server/mutation/plan.h"
#include "server/mutation/read.h"

#define GRANT "id, \"user\", label, generation, create_us, expire_us"
/* ?1 id */
static const char SESSION[] =
    "SELECT " GRANT ", revoked, refresh_serial FROM session WHERE id = ?1";
/* ?1 id */
static const char TOKEN[] = "SELECT " GRANT ", revoked, hash, scopes FROM token WHERE id = ?1";
/* ?1 id ?2 user ?3 label ?4 generation ?5 create_us ?6 expire_us ?7 serial */
static const char INSERT_SESSION[] = "INSERT INTO session (" GRANT ", refresh_serial)"
                                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
/* ?1 id ?2 serial before ?3 expire_us */
static const char REFRESH_SESSION[] =
    "UPDATE session SET refresh_serial = refresh_serial + 1, expire_us = ?3"
    " WHERE id = ?1 AND refresh_serial = ?2 AND revoked = 0";
/* ?1 id ?2 generation */
static const char KEEP_SESSION[] = "UPDATE session SET generation = ?2 WHERE id = ?1";
/* ?1 id ?2 generation */
static const char KEEP_TOKEN[] = "UPDATE token SET generation = ?2 WHERE id = ?1";
/* ?1 id */
static const char REVOKE_SESSION[] = "UPDATE session SET revoked = 1 WHERE id = ?1";
/* ?1 id ?2 user ?3 label ?4 generation ?5 create_us ?6 expire_us ?7 hash ?8 scopes */
static const char INSERT_TOKEN[] = "INSERT INTO token (" GRANT ", hash, scopes)"
                                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
/* ?1 id */
static const char REVOKE_TOKEN[] = "UPDATE token SET revoked = 1 WHERE id = ?1";
/* ?1 user */
static const char DELETE_SESSIONS[] = "DELETE FROM session WHERE \"user\" = ?1";
/* ?1 user */
static const char DELETE_TOKENS[] = "DELETE FROM token WHERE \"user\" = ?1";

struct auth_sql {
    struct comb_auth_store base;
    const struct auth_dialect *dialect;
    struct comb_sql *sql;
};

static const struct auth_dialect *dialect_of(const struct comb_auth_store *self)
{
    return ((const struct auth_sql *)self)->dialect;
}

/* ---- reads ---- */

static enum comb_status read_by_id(struct comb_auth_store *self, struct comb_ctx *ctx,
                                   const char *text, const struct comb_uuid *id,
                                   const struct comb_sql_rows **ret_rows, struct comb_error *err)
{
    const struct comb_sql_value key = comb_sql_uuid(id);
    return comb_read_rows(((const struct auth_sql *)self)->sql, ctx, COMB_SQL_READ, text, &key, 1,
                          ret_rows, err);
}

static enum comb_status to_grant(const struct comb_sql_rows *rows, struct comb_grant *ret_grant,
                                 struct comb_error *err)
{
    struct comb_grant grant = {
        .label = comb_sql_at(rows, 0, 2)->bytes,
        .generation = (uint64_t)comb_sql_at(rows, 0, 3)->integer,
        .create_us = comb_sql_at(rows, 0, 4)->integer,
        .expire_us = comb_sql_at(rows, 0, 5)->integer,
        .revoked = comb_sql_at(rows, 0, 6)->integer != 0,
    };
    if (!comb_sql_uuid_at(rows, 0, 0, &grant.id) || !comb_sql_uuid_at(rows, 0, 1, &grant.user))
        return comb_sql_row_damaged("session or token", err);
    *ret_grant = grant;
    return COMB_OK;
}

static enum comb_status sql_get_session(struct comb_auth_store *self, struct comb_ctx *ctx,
                                        const struct comb_uuid *id,
                                        struct comb_session *ret_session, struct comb_error *err)
{
    const struct comb_sql_rows *rows;
    enum comb_status status = read_by_id(self, ctx, SESSION, id, &rows, err);
    if (status != COMB_OK)
        return status;
    if (rows->n_rows == 0)
        return comb_error_set(err, COMB_NOT_FOUND, 0, "there is no such session");
    struct comb_session session = {.serial = (uint64_t)comb_sql_at(rows, 0, 7)->integer};
    status = to_grant(rows, &session.grant, err);
    if (status == COMB_OK)
        *ret_session = session;
    return status;
}

static enum comb_status sql_get_token(struct comb_auth_store *self, struct comb_ctx *ctx,
                                      const struct comb_uuid *id, struct comb_token *ret_token,
                                      struct comb_error *err)
{
    const struct comb_sql_rows *rows;
    enum comb_status status = read_by_id(self, ctx, TOKEN, id, &rows, err);
    if (status != COMB_OK)
        return status;
    if (rows->n_rows == 0)
        return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_TOKEN_NOT_FOUND,
                              "there is no such token");
    struct comb_token token = {.hash = comb_sql_at(rows, 0, 7)->bytes,
                               .scopes = comb_sql_at(rows, 0, 8)->bytes};
    status = to_grant(rows, &token.grant, err);
    if (status == COMB_OK)
        *ret_token = token;
    return status;
}

/* ---- pieces of plans ---- */

/* A statement whose first parameter is an id, and whose second, if any, a number. */
static enum comb_status add_by_id(struct comb_ctx *ctx, struct comb_plan *plan, const char *text,
                                  const struct comb_uuid *id, const int64_t *number, bool guard,
                                  struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_uuid(id),
                                            comb_sql_integer(number ? *number : 0)};
    return comb_plan_add(ctx, plan, text, params, number ? 2 : 1, guard, err);
}

static enum comb_status add_forget(struct comb_ctx *ctx, struct comb_plan *plan, const char *text,
                                   int64_t before_us, struct comb_error *err)
{
    const struct comb_sql_value before = comb_sql_integer(before_us);
    return comb_plan_add(ctx, plan, text, &before, 1, false, err);
}

static enum comb_status sql_plan_insert_session(struct comb_auth_store *self, struct comb_ctx *ctx,
                                                struct comb_plan *plan,
                                                const struct comb_session *session,
                                                int64_t forget_before_us, struct comb_error *err)
{
    const struct comb_grant *grant = &session->grant;
    const struct comb_sql_value params[] = {comb_sql_uuid(&grant->id),
                                            comb_sql_uuid(&grant->user),
                                            comb_sql_text(grant->label),
                                            comb_sql_integer((int64_t)grant->generation),
                                            comb_sql_integer(grant->create_us),
                                            comb_sql_integer(grant->expire_us),
                                            comb_sql_integer((int64_t)session->serial)};
    enum comb_status status = comb_plan_add(ctx, plan, INSERT_SESSION, params, 7, true, err);
    if (status == COMB_OK)
        status = add_forget(ctx, plan, dialect_of(self)->forget_sessions, forget_before_us, err);
    return status;
}

static enum comb_status sql_plan_refresh_session(struct comb_auth_store *self, struct comb_ctx *ctx,
                                                 struct comb_plan *plan, const struct comb_uuid *id,
                                                 uint64_t before, int64_t expire_us,
                                                 struct comb_error *err)
{
    (void)self;
    const struct comb_sql_value params[] = {comb_sql_uuid(id), comb_sql_integer((int64_t)before),
                                            comb_sql_integer(expire_us)};
    return comb_plan_add(ctx, plan, REFRESH_SESSION, params, 3, true, err);
}

static enum comb_status sql_plan_keep_session(struct comb_auth_store *self, struct comb_ctx *ctx,
                                              struct comb_plan *plan, const struct comb_uuid *id,
                                              uint64_t generation, struct comb_error *err)
{
    (void)self;
    const int64_t number = (int64_t)generation;
    enum comb_status status = add_by_id(ctx, plan, KEEP_SESSION, id, &number, false, err);
    if (status == COMB_OK)
        status = add_by_id(ctx, plan, KEEP_TOKEN, id, &number, false, err);
    return status;
}

static enum comb_status sql_plan_revoke_session(struct comb_auth_store *self, struct comb_ctx *ctx,
                                                struct comb_plan *plan, const struct comb_uuid *id,
                                                struct comb_error *err)
{
    (void)self;
    return add_by_id(ctx, plan, REVOKE_SESSION, id, NULL, true, err);
}

static enum comb_status sql_plan_insert_token(struct comb_auth_store *self, struct comb_ctx *ctx,
                                              struct comb_plan *plan,
                                              const struct comb_token *token,
                                              int64_t forget_before_us, struct comb_error *err)
{
    const struct comb_grant *grant = &token->grant;
    const struct comb_sql_value params[] = {
        comb_sql_uuid(&grant->id),          comb_sql_uuid(&grant->user),
        comb_sql_text(grant->label),        comb_sql_integer((int64_t)grant->generation),
        comb_sql_integer(grant->create_us), comb_sql_integer(grant->expire_us),
        comb_sql_blob(token->hash),         comb_sql_blob(token->scopes)};
    enum comb_status status = comb_plan_add(ctx, plan, INSERT_TOKEN, params, 8, true, err);
    if (status == COMB_OK)
        status = add_forget(ctx, plan, dialect_of(self)->forget_tokens, forget_before_us, err);
    return status;
}

static enum comb_status sql_plan_revoke_token(struct comb_auth_store *self, struct comb_ctx *ctx,
                                              struct comb_plan *plan, const struct comb_uuid *id,
                                              struct comb_error *err)
{
    (void)self;
    return add_by_id(ctx, plan, REVOKE_TOKEN, id, NULL, true, err);
}

static enum comb_status sql_plan_forget_user(struct comb_auth_store *self, struct comb_ctx *ctx,
                                             struct comb_plan *plan, const struct comb_uuid *user,
                                             struct comb_error *err)
{
    (void)self;
    enum comb_status status = add_by_id(ctx, plan, DELETE_SESSIONS, user, NULL, false, err);
    if (status == COMB_OK)
        status = add_by_id(ctx, plan, DELETE_TOKENS, user, NULL, false, err);
    return status;
}

static void sql_close(struct comb_auth_store *self)
{
    comb_memory_free(self);
}

static const struct comb_auth_store_driver driver = {
    .name = "sql",
    .get_session = sql_get_session,
    .get_token = sql_get_token,
    .plan_insert_session = sql_plan_insert_session,
    .plan_refresh_session = sql_plan_refresh_session,
    .plan_keep_session = sql_plan_keep_session,
    .plan_revoke_session = sql_plan_revoke_session,
    .plan_insert_token = sql_plan_insert_token,
    .plan_revoke_token = sql_plan_revoke_token,
    .plan_forget_user = sql_plan_forget_user,
    .close = sql_close,
};

const struct comb_sql_schema *const comb_auth_schemas[] = {
    &comb_auth_schema_sqlite,
    &comb_auth_schema_postgres,
    NULL,
};

enum comb_status comb_auth_store_open(struct comb_sql *sql, struct comb_auth_store **ret_store,
                                      struct comb_error *err)
{
    const struct comb_sql_schema *schema = comb_sql_schema_of(sql, comb_auth_schemas, err);
    if (!schema)
        return COMB_INTERNAL;
    struct auth_sql *store = comb_memory_zalloc(sizeof *store);
    if (!store)
        return comb_error_no_memory(err);
    store->base.driver = &driver;
    store->dialect = schema->dialect;
    store->sql = sql;
    *ret_store = &store->base;
    return COMB_OK;
}
