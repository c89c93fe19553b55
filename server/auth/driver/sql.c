/* SPDX-License-Identifier: Apache-2.0 */
/* The store of sessions and tokens over the SQL row: what all dialects share. */
#include "comb/v1/errors.grpcc.h"
#include "server/auth/driver/dialect.h"
#include "server/backend/sql/sql_read.h"
#include "server/core/memory.h"
#include "server/mutation/plan.h"
#include "server/mutation/read.h"

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
    enum comb_status status = read_by_id(self, ctx, dialect_of(self)->session, id, &rows, err);
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
    enum comb_status status = read_by_id(self, ctx, dialect_of(self)->token, id, &rows, err);
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
    enum comb_status status =
        comb_plan_add(ctx, plan, dialect_of(self)->insert_session, params, 7, true, err);
    if (status == COMB_OK)
        status = add_forget(ctx, plan, dialect_of(self)->forget_sessions, forget_before_us, err);
    return status;
}

static enum comb_status sql_plan_refresh_session(struct comb_auth_store *self, struct comb_ctx *ctx,
                                                 struct comb_plan *plan, const struct comb_uuid *id,
                                                 uint64_t before, int64_t expire_us,
                                                 struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_uuid(id), comb_sql_integer((int64_t)before),
                                            comb_sql_integer(expire_us)};
    return comb_plan_add(ctx, plan, dialect_of(self)->refresh_session, params, 3, true, err);
}

static enum comb_status sql_plan_keep_session(struct comb_auth_store *self, struct comb_ctx *ctx,
                                              struct comb_plan *plan, const struct comb_uuid *id,
                                              uint64_t generation, struct comb_error *err)
{
    const int64_t number = (int64_t)generation;
    enum comb_status status =
        add_by_id(ctx, plan, dialect_of(self)->keep_session, id, &number, false, err);
    if (status == COMB_OK)
        status = add_by_id(ctx, plan, dialect_of(self)->keep_token, id, &number, false, err);
    return status;
}

static enum comb_status sql_plan_revoke_session(struct comb_auth_store *self, struct comb_ctx *ctx,
                                                struct comb_plan *plan, const struct comb_uuid *id,
                                                struct comb_error *err)
{
    return add_by_id(ctx, plan, dialect_of(self)->revoke_session, id, NULL, true, err);
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
    enum comb_status status =
        comb_plan_add(ctx, plan, dialect_of(self)->insert_token, params, 8, true, err);
    if (status == COMB_OK)
        status = add_forget(ctx, plan, dialect_of(self)->forget_tokens, forget_before_us, err);
    return status;
}

static enum comb_status sql_plan_revoke_token(struct comb_auth_store *self, struct comb_ctx *ctx,
                                              struct comb_plan *plan, const struct comb_uuid *id,
                                              struct comb_error *err)
{
    return add_by_id(ctx, plan, dialect_of(self)->revoke_token, id, NULL, true, err);
}

static enum comb_status sql_plan_forget_user(struct comb_auth_store *self, struct comb_ctx *ctx,
                                             struct comb_plan *plan, const struct comb_uuid *user,
                                             struct comb_error *err)
{
    enum comb_status status =
        add_by_id(ctx, plan, dialect_of(self)->delete_sessions, user, NULL, false, err);
    if (status == COMB_OK)
        status = add_by_id(ctx, plan, dialect_of(self)->delete_tokens, user, NULL, false, err);
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
