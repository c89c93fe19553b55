/* SPDX-License-Identifier: Apache-2.0 */
/* The store of operations over the SQL row: what all dialects share. */
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/sql/sql_read.h"
#include "server/core/memory.h"
#include "server/mutation/plan.h"
#include "server/operations/driver/dialect.h"

/* Older than every id that there is. */
static const struct comb_uuid last_id = {
    {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}};
/* All states. */
#define STATES_ALL 0xffu

struct operations_sql {
    struct comb_operations_store base;
    const struct operations_dialect *dialect;
    struct comb_sql *sql;
};

static const struct operations_dialect *dialect_of(const struct comb_operations_store *self)
{
    return ((const struct operations_sql *)self)->dialect;
}

static enum comb_status run(struct comb_operations_store *self, struct comb_ctx *ctx,
                            enum comb_sql_kind kind, const char *text,
                            const struct comb_sql_value *params, size_t n_params,
                            const struct comb_sql_rows **ret_rows, struct comb_error *err)
{
    const struct operations_sql *store = (const struct operations_sql *)self;
    const struct comb_sql_statement statement = {text, params, n_params, false};
    const struct comb_sql_request request = {kind, 0, &statement, 1};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(store->sql, ctx, &request, &result, err);
    if (status == COMB_OK)
        *ret_rows = &result->rows[0];
    return status;
}

/* ---- reading ---- */

/* An id that may be NULL: nil. */
static bool id_at(const struct comb_sql_rows *rows, size_t row, size_t column,
                  struct comb_uuid *ret_id)
{
    *ret_id = (struct comb_uuid){0};
    return comb_sql_at(rows, row, column)->type == COMB_SQL_NULL ||
           comb_sql_uuid_at(rows, row, column, ret_id);
}

static struct comb_operation_progress progress_at(const struct comb_sql_value *columns)
{
    return (struct comb_operation_progress){.done = (uint64_t)columns[0].integer,
                                            .total = (uint64_t)columns[1].integer,
                                            .unit = columns[2].bytes,
                                            .message = columns[3].bytes};
}

static enum comb_status to_operation(const struct comb_sql_rows *rows, size_t row,
                                     struct comb_operation *ret_operation, struct comb_error *err)
{
    const struct comb_sql_value *column = comb_sql_at(rows, row, 0);
    struct comb_operation operation = {
        .kind = column[1].bytes,
        .state = (enum comb_operation_state)column[3].integer,
        .cancel_wanted = column[4].integer != 0,
        .progress = progress_at(&column[5]),
        .result = column[9].bytes,
        .code = (enum comb_status)column[10].integer,
        .reason = (int)column[11].integer,
        .status_message = column[12].bytes,
        .revision = (uint64_t)column[13].integer,
        .attempts = (uint32_t)column[14].integer,
        .fence = (uint64_t)column[15].integer,
        .create_us = column[17].integer,
        .start_us = column[18].integer,
        .update_us = column[19].integer,
        .end_us = column[20].integer,
    };
    if (!comb_sql_uuid_at(rows, row, 0, &operation.id) ||
        !comb_sql_uuid_at(rows, row, 2, &operation.owner) ||
        !id_at(rows, row, 16, &operation.holder))
        return comb_sql_row_damaged("operation", err);
    *ret_operation = operation;
    return COMB_OK;
}

static enum comb_status sql_get(struct comb_operations_store *self, struct comb_ctx *ctx,
                                const struct comb_uuid *id, struct comb_operation *ret_operation,
                                struct comb_error *err)
{
    const struct comb_sql_value key = comb_sql_uuid(id);
    const struct comb_sql_rows *rows;
    enum comb_status status =
        run(self, ctx, COMB_SQL_READ, dialect_of(self)->get, &key, 1, &rows, err);
    if (status != COMB_OK)
        return status;
    if (rows->n_rows == 0)
        return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_OPERATION_NOT_FOUND,
                              "there is no such operation");
    return to_operation(rows, 0, ret_operation, err);
}

static enum comb_status sql_list(struct comb_operations_store *self, struct comb_ctx *ctx,
                                 const struct comb_operation_filter *filter,
                                 const struct comb_uuid *before, size_t max,
                                 const struct comb_operation **ret_operations, size_t *ret_n,
                                 struct comb_error *err)
{
    static const struct comb_uuid nobody;
    const struct operations_dialect *dialect = dialect_of(self);
    const struct comb_sql_value params[] = {
        comb_sql_uuid(before ? before : &last_id),
        comb_sql_text(filter->kind),
        comb_sql_integer(filter->states ? filter->states : STATES_ALL),
        comb_sql_integer((int64_t)max),
        comb_sql_uuid(filter->owner ? filter->owner : &nobody),
    };
    const struct comb_sql_rows *rows;
    enum comb_status status =
        run(self, ctx, COMB_SQL_SCAN, filter->owner ? dialect->list_of : dialect->list, params,
            filter->owner ? 5 : 4, &rows, err);
    if (status != COMB_OK)
        return status;
    struct comb_operation *found = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *found);
    if (!found)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows && status == COMB_OK; i++)
        status = to_operation(rows, i, &found[i], err);
    if (status != COMB_OK)
        return status;
    *ret_operations = found;
    *ret_n = rows->n_rows;
    return COMB_OK;
}

static enum comb_status sql_count_open(struct comb_operations_store *self, struct comb_ctx *ctx,
                                       const struct comb_uuid *owner, size_t *ret_n,
                                       struct comb_error *err)
{
    const struct comb_sql_value key = comb_sql_uuid(owner);
    const struct comb_sql_rows *rows;
    enum comb_status status =
        run(self, ctx, COMB_SQL_READ, dialect_of(self)->count_open, &key, 1, &rows, err);
    if (status == COMB_OK)
        *ret_n = (size_t)comb_sql_at(rows, 0, 0)->integer;
    return status;
}

static enum comb_status sql_count(struct comb_operations_store *self, struct comb_ctx *ctx,
                                  struct comb_operation_counts *ret_counts, struct comb_error *err)
{
    const struct comb_sql_rows *rows;
    enum comb_status status =
        run(self, ctx, COMB_SQL_SCAN, dialect_of(self)->count, NULL, 0, &rows, err);
    if (status != COMB_OK)
        return status;
    struct comb_operation_counts counts = {{0}};
    for (size_t i = 0; i < rows->n_rows; i++) {
        const struct comb_sql_value *column = comb_sql_at(rows, i, 0);
        if (column[0].integer < 0 || column[0].integer > COMB_OPERATION_CANCELLED)
            return comb_sql_row_damaged("operation", err);
        counts.by_state[column[0].integer] = (uint64_t)column[1].integer;
    }
    *ret_counts = counts;
    return COMB_OK;
}

/* ---- plans ---- */

/* The first five parameters of a new one. */
static void new_params(const struct comb_operation_new *new, struct comb_sql_value params[5])
{
    params[0] = comb_sql_uuid(&new->id);
    params[1] = comb_sql_uuid(&new->owner);
    params[2] = comb_sql_text(new->kind);
    params[3] = comb_sql_blob(new->arguments);
    params[4] = new->key.len > 0 ? comb_sql_text(new->key) : comb_sql_null();
}

static enum comb_status sql_plan_insert(struct comb_operations_store *self, struct comb_ctx *ctx,
                                        struct comb_plan *plan,
                                        const struct comb_operation_new *new, size_t open_max,
                                        struct comb_error *err)
{
    struct comb_sql_value params[6];
    new_params(new, params);
    params[5] = comb_sql_integer((int64_t)open_max);
    return comb_plan_add(ctx, plan, dialect_of(self)->insert, params, 6, true, err);
}

static enum comb_status sql_plan_cancel(struct comb_operations_store *self, struct comb_ctx *ctx,
                                        struct comb_plan *plan, const struct comb_uuid *id,
                                        uint64_t revision, struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_uuid(id), comb_sql_integer((int64_t)revision)};
    return comb_plan_add(ctx, plan, dialect_of(self)->cancel, params, 2, true, err);
}

static enum comb_status sql_plan_delete(struct comb_operations_store *self, struct comb_ctx *ctx,
                                        struct comb_plan *plan, const struct comb_uuid *id,
                                        struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_uuid(id)};
    return comb_plan_add(ctx, plan, dialect_of(self)->delete_one, params, 1, true, err);
}

static enum comb_status sql_plan_held(struct comb_operations_store *self, struct comb_ctx *ctx,
                                      struct comb_plan *plan, const struct comb_uuid *id,
                                      uint64_t fence, struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_uuid(id), comb_sql_integer((int64_t)fence)};
    return comb_plan_add(ctx, plan, dialect_of(self)->held, params, 2, true, err);
}

/* ---- taking and holding ---- */

static enum comb_status sql_make_due(struct comb_operations_store *self, struct comb_ctx *ctx,
                                     const struct comb_operation_new *new, int64_t interval_us,
                                     bool *ret_made, struct comb_error *err)
{
    struct comb_sql_value params[6];
    const struct comb_sql_rows *rows;
    new_params(new, params);
    params[5] = comb_sql_integer(interval_us);
    enum comb_status status =
        run(self, ctx, COMB_SQL_WRITE, dialect_of(self)->make_due, params, 6, &rows, err);
    if (status == COMB_OK)
        *ret_made = rows->n_rows > 0;
    return status;
}

static enum comb_status sql_is_ready(struct comb_operations_store *self, struct comb_ctx *ctx,
                                     comb_str kinds, bool *ret_ready, struct comb_error *err)
{
    const struct comb_sql_value key = comb_sql_text(kinds);
    const struct comb_sql_rows *rows;
    enum comb_status status =
        run(self, ctx, COMB_SQL_READ, dialect_of(self)->is_ready, &key, 1, &rows, err);
    if (status == COMB_OK)
        *ret_ready = rows->n_rows > 0;
    return status;
}

static enum comb_status sql_poison(struct comb_operations_store *self, struct comb_ctx *ctx,
                                   uint32_t attempts_max, struct comb_error *err)
{
    char why[COMB_ERROR_MESSAGE_MAX];
    snprintf(why, sizeof why,
             "given up: each of the %u processes that ran it in a row ended or stood still before "
             "a step was done",
             attempts_max);
    const struct comb_sql_value params[] = {comb_sql_integer(attempts_max),
                                            comb_sql_text(comb_str_from(why))};
    const struct comb_sql_rows *rows;
    return run(self, ctx, COMB_SQL_WRITE, dialect_of(self)->poison, params, 2, &rows, err);
}

static enum comb_status to_taken(const struct comb_sql_rows *rows,
                                 struct comb_operation_taken *ret_taken, struct comb_error *err)
{
    const struct comb_sql_value *column = comb_sql_at(rows, 0, 0);
    struct comb_operation_taken taken = {
        .kind = column[2].bytes,
        .arguments = column[3].bytes,
        .state = column[4].bytes,
        .progress = progress_at(&column[5]),
        .fence = (uint64_t)column[9].integer,
        .attempts = (uint32_t)column[10].integer,
        .cancel_wanted = column[11].integer != 0,
    };
    if (!comb_sql_uuid_at(rows, 0, 0, &taken.id) || !comb_sql_uuid_at(rows, 0, 1, &taken.owner))
        return comb_sql_row_damaged("operation", err);
    *ret_taken = taken;
    return COMB_OK;
}

static enum comb_status sql_take(struct comb_operations_store *self, struct comb_ctx *ctx,
                                 comb_str kinds, const struct comb_uuid *holder, int64_t lease_us,
                                 bool *ret_found, struct comb_operation_taken *ret_taken,
                                 struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_text(kinds), comb_sql_uuid(holder),
                                            comb_sql_integer(lease_us)};
    const struct comb_sql_rows *rows;
    enum comb_status status =
        run(self, ctx, COMB_SQL_WRITE, dialect_of(self)->take, params, 3, &rows, err);
    if (status != COMB_OK)
        return status;
    if (rows->n_rows > 0)
        status = to_taken(rows, ret_taken, err);
    if (status == COMB_OK)
        *ret_found = rows->n_rows > 0;
    return status;
}

/* A guarded write of a holder: no row, and he is none any more. The row, if any, is the wish to
 * cancel. */
static enum comb_status write_held(struct comb_operations_store *self, struct comb_ctx *ctx,
                                   const char *text, const struct comb_sql_value *params,
                                   size_t n_params, bool *ret_held, bool *ret_cancel,
                                   struct comb_error *err)
{
    const struct comb_sql_rows *rows;
    enum comb_status status = run(self, ctx, COMB_SQL_WRITE, text, params, n_params, &rows, err);
    if (status != COMB_OK)
        return status;
    *ret_held = rows->n_rows > 0;
    if (ret_cancel)
        *ret_cancel = rows->n_rows > 0 && comb_sql_at(rows, 0, 0)->integer != 0;
    return COMB_OK;
}

static enum comb_status sql_renew(struct comb_operations_store *self, struct comb_ctx *ctx,
                                  const struct comb_uuid *id, uint64_t fence, int64_t lease_us,
                                  bool *ret_held, bool *ret_cancel, struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_uuid(id), comb_sql_integer((int64_t)fence),
                                            comb_sql_integer(lease_us)};
    return write_held(self, ctx, dialect_of(self)->renew, params, 3, ret_held, ret_cancel, err);
}

static enum comb_status sql_save(struct comb_operations_store *self, struct comb_ctx *ctx,
                                 const struct comb_uuid *id, uint64_t fence, int64_t lease_us,
                                 comb_str state, const struct comb_operation_progress *progress,
                                 bool *ret_held, bool *ret_cancel, struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_uuid(id),
                                            comb_sql_integer((int64_t)fence),
                                            comb_sql_integer(lease_us),
                                            comb_sql_blob(state),
                                            comb_sql_integer((int64_t)progress->done),
                                            comb_sql_integer((int64_t)progress->total),
                                            comb_sql_text(progress->unit),
                                            comb_sql_text(progress->message)};
    return write_held(self, ctx, dialect_of(self)->save, params, 8, ret_held, ret_cancel, err);
}

static enum comb_status sql_bury(struct comb_operations_store *self, struct comb_ctx *ctx,
                                 struct comb_error *err)
{
    const struct comb_sql_rows *rows;
    return run(self, ctx, COMB_SQL_WRITE, dialect_of(self)->bury, NULL, 0, &rows, err);
}

static enum comb_status sql_release(struct comb_operations_store *self, struct comb_ctx *ctx,
                                    const struct comb_uuid *id, uint64_t fence, int64_t delay_us,
                                    bool is_counted, const struct comb_error *why, bool *ret_held,
                                    struct comb_error *err)
{
    const struct comb_sql_value params[] = {
        comb_sql_uuid(id),
        comb_sql_integer((int64_t)fence),
        comb_sql_integer(delay_us),
        comb_sql_integer(is_counted),
        comb_sql_integer(why ? why->status : COMB_OK),
        comb_sql_integer(why ? why->reason : 0),
        comb_sql_text(comb_str_from(why ? why->msg : "")),
    };
    return write_held(self, ctx, dialect_of(self)->release, params, 7, ret_held, NULL, err);
}

static enum comb_status sql_end(struct comb_operations_store *self, struct comb_ctx *ctx,
                                const struct comb_uuid *id, uint64_t fence,
                                const struct comb_operation_end *end, bool *ret_held,
                                struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_uuid(id),
                                            comb_sql_integer((int64_t)fence),
                                            comb_sql_integer(end->state),
                                            comb_sql_blob(end->result),
                                            comb_sql_integer(end->code),
                                            comb_sql_integer(end->reason),
                                            comb_sql_text(end->message),
                                            comb_sql_integer((int64_t)end->progress.done),
                                            comb_sql_integer((int64_t)end->progress.total),
                                            comb_sql_text(end->progress.unit),
                                            comb_sql_text(end->progress.message)};
    return write_held(self, ctx, dialect_of(self)->end, params, 11, ret_held, NULL, err);
}

static enum comb_status sql_purge(struct comb_operations_store *self, struct comb_ctx *ctx,
                                  int64_t keep_us, int64_t own_keep_us, size_t max, size_t *ret_n,
                                  struct comb_error *err)
{
    static const struct comb_uuid nil;
    const struct comb_sql_value params[] = {comb_sql_integer(keep_us),
                                            comb_sql_integer(own_keep_us), comb_sql_uuid(&nil),
                                            comb_sql_integer((int64_t)max)};
    const struct comb_sql_rows *rows;
    enum comb_status status =
        run(self, ctx, COMB_SQL_WRITE, dialect_of(self)->purge, params, 4, &rows, err);
    if (status == COMB_OK)
        *ret_n = (size_t)rows->changes;
    return status;
}

static void sql_close(struct comb_operations_store *self)
{
    comb_memory_free(self);
}

static const struct comb_operations_store_driver driver = {
    .name = "sql",
    .get = sql_get,
    .list = sql_list,
    .count_open = sql_count_open,
    .count = sql_count,
    .plan_insert = sql_plan_insert,
    .plan_cancel = sql_plan_cancel,
    .plan_delete = sql_plan_delete,
    .make_due = sql_make_due,
    .is_ready = sql_is_ready,
    .poison = sql_poison,
    .take = sql_take,
    .renew = sql_renew,
    .save = sql_save,
    .release = sql_release,
    .bury = sql_bury,
    .end = sql_end,
    .plan_held = sql_plan_held,
    .purge = sql_purge,
    .close = sql_close,
};

const struct comb_sql_schema *const comb_operations_schemas[] = {
    &comb_operations_schema_sqlite, &comb_operations_schema_postgres, NULL};

enum comb_status comb_operations_store_open(struct comb_sql *sql,
                                            struct comb_operations_store **ret_store,
                                            struct comb_error *err)
{
    const struct comb_sql_schema *schema = comb_sql_schema_of(sql, comb_operations_schemas, err);
    if (!schema)
        return COMB_INTERNAL;
    struct operations_sql *store = comb_memory_zalloc(sizeof *store);
    if (!store)
        return comb_error_no_memory(err);
    store->base.driver = &driver;
    store->dialect = schema->dialect;
    store->sql = sql;
    *ret_store = &store->base;
    return COMB_OK;
}
