/* SPDX-License-Identifier: Apache-2.0 */
/* Locks: what there is of them, and how they change. */
#include "server/tree/driver/sql.h"

/* ?1 node ?2 its revision ?3 the fence before ?4 holder ?5 user ?6 until */
static const char CHANGE[] =
    "UPDATE node SET lock_fence = coalesce(lock_fence, 0) + 1, lock_holder = ?4, lock_user = ?5,"
    " lock_until = ?6 WHERE id = ?1 AND rev = ?2 AND coalesce(lock_fence, 0) = ?3";
/* ?1 … ?9: as COMB_TREE_LOCK_COLUMNS */
static const char TAKE[] =
    "INSERT INTO node_lock (node, token, mode, owner, session, login, note, create_us, expire_us)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
/* ?1 node ?2 token, 0: all */
static const char END[] = "DELETE FROM node_lock WHERE node = ?1 AND (token = ?2 OR ?2 = 0)";
/* ?1 node */
static const char LOCKS[] =
    "SELECT " COMB_TREE_LOCK_COLUMNS " FROM node_lock l WHERE l.node = ?1 ORDER BY l.token";

bool comb_tree_sql_lock(struct grpcc_arena *arena, const struct comb_sql_value *row,
                        struct comb_tree_lock *ret_lock)
{
    struct comb_tree_lock lock = {
        .token = (uint64_t)row[1].integer,
        .mode = (int)row[2].integer,
        .user = comb_tree_sql_uuid(&row[3]),
        .session = comb_tree_sql_uuid(&row[4]),
        .create_us = row[7].integer,
        .expire_us = row[8].integer,
    };

    if (!comb_tree_sql_bytes(arena, &row[5], &lock.login) ||
        !comb_tree_sql_bytes(arena, &row[6], &lock.note))
        return false;
    *ret_lock = lock;
    return true;
}

enum comb_status comb_tree_sql_locks(struct comb_tree_store *base, struct comb_ctx *ctx,
                                     const struct comb_uuid *id,
                                     struct comb_tree_lock_state *ret_state, struct comb_error *err)
{
    const struct comb_tree_sql *store = (const struct comb_tree_sql *)base;
    const struct comb_sql_value param = comb_sql_uuid(id);
    const struct comb_sql_statement statements[] = {
        {.text = store->dialect->locks_fence, .params = &param, .n_params = 1},
        {.text = LOCKS, .params = &param, .n_params = 1},
        {.text = comb_position_sql(store->sql)},
    };
    const struct comb_sql_request request = {
        .kind = COMB_SQL_READ, .statements = statements, .n_statements = 3};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(store->sql, ctx, &request, &result, err);

    if (status != COMB_OK)
        return status;
    const struct comb_sql_rows *fence = &result->rows[0], *rows = &result->rows[1];
    struct comb_tree_lock *locks = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *locks);
    if (!locks)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows; i++) {
        if (!comb_tree_sql_lock(ctx->arena, comb_sql_at(rows, i, 0), &locks[i]))
            return comb_error_no_memory(err);
    }
    comb_ctx_reach(ctx, comb_tree_sql_head(store, &result->rows[2]));
    *ret_state = (struct comb_tree_lock_state){
        .found = fence->n_rows > 0, .locks = locks, .n_locks = rows->n_rows};
    if (fence->n_rows > 0) {
        ret_state->fence = (uint64_t)comb_sql_at(fence, 0, 0)->integer;
        ret_state->now_us = comb_sql_at(fence, 0, 1)->integer;
    }
    return COMB_OK;
}

static enum comb_status plan_rows(const struct comb_tree_sql *store, struct comb_ctx *ctx,
                                  struct comb_plan *plan,
                                  const struct comb_tree_lock_change *change,
                                  struct comb_error *err)
{
    const struct comb_tree_lock *lock = change->taken ? change->taken : change->refreshed;
    enum comb_status status = COMB_OK;

    if (change->taken) {
        const struct comb_sql_value params[] = {
            comb_sql_uuid(&change->node),      comb_sql_integer((int64_t)lock->token),
            comb_sql_integer(lock->mode),      comb_sql_uuid(&lock->user),
            comb_sql_uuid(&lock->session),     comb_sql_text(lock->login),
            comb_sql_text(lock->note),         comb_sql_integer(lock->create_us),
            comb_sql_integer(lock->expire_us),
        };

        status = comb_tree_plan_statement(ctx, plan, TAKE, params, sizeof params / sizeof params[0],
                                          true, err);
        if (status == COMB_OK)
            status = comb_tree_plan_statement(ctx, plan, store->dialect->locks_sweep, NULL, 0,
                                              false, err);
    } else if (lock) {
        const struct comb_sql_value params[] = {comb_sql_uuid(&change->node),
                                                comb_sql_integer((int64_t)lock->token),
                                                comb_sql_integer(lock->expire_us)};

        status =
            comb_tree_plan_statement(ctx, plan, store->dialect->lock_refresh, params, 3, true, err);
    }
    if (status == COMB_OK && change->ends) {
        const struct comb_sql_value params[] = {comb_sql_uuid(&change->node),
                                                comb_sql_integer((int64_t)change->ended)};

        status = comb_tree_plan_statement(ctx, plan, END, params, 2, false, err);
    }
    return status;
}

enum comb_status comb_tree_sql_plan_lock(struct comb_tree_store *base, struct comb_ctx *ctx,
                                         struct comb_plan *plan,
                                         const struct comb_tree_lock_change *given,
                                         struct comb_error *err)
{
    struct comb_tree_lock_change *change = grpcc_arena_memdup(ctx->arena, given, sizeof *given);
    const struct comb_tree_lock *given_lock = given->taken ? given->taken : given->refreshed;
    struct comb_tree_lock *lock = NULL;

    if (given_lock)
        lock = grpcc_arena_memdup(ctx->arena, given_lock, sizeof *lock);
    if (!change || (given_lock && !lock))
        return comb_error_no_memory(err);
    change->taken = given->taken ? lock : NULL;
    change->refreshed = given->taken ? NULL : lock;
    const struct comb_sql_value params[] = {
        comb_sql_uuid(&change->node),
        comb_sql_integer((int64_t)change->revision),
        comb_sql_integer((int64_t)change->fence),
        change->holder ? comb_sql_integer((int64_t)change->holder) : comb_sql_null(),
        comb_tree_sql_id(&change->user),
        change->until_us ? comb_sql_integer(change->until_us) : comb_sql_null(),
    };
    enum comb_status status = comb_tree_plan_statement(ctx, plan, CHANGE, params,
                                                       sizeof params / sizeof params[0], true, err);

    if (status == COMB_OK)
        status = plan_rows((const struct comb_tree_sql *)base, ctx, plan, change, err);
    return status;
}
