/* SPDX-License-Identifier: Apache-2.0 */
/* The store of leases over the SQL row: what all dialects share. */
#include "server/backend/sql/sql_read.h"
#include "server/consumers/driver/dialect.h"
#include "server/core/memory.h"
#include "server/mutation/plan.h"

struct consumers_sql {
    struct comb_consumers_store base;
    const struct consumers_dialect *dialect;
    struct comb_sql *sql;
};

static const struct consumers_dialect *dialect_of(const struct comb_consumers_store *self)
{
    return ((const struct consumers_sql *)self)->dialect;
}

static enum comb_status run(struct comb_consumers_store *self, struct comb_ctx *ctx,
                            enum comb_sql_kind kind, const struct comb_sql_statement *statements,
                            size_t n, const struct comb_sql_result **ret_result,
                            struct comb_error *err)
{
    const struct consumers_sql *store = (const struct consumers_sql *)self;
    const struct comb_sql_request request = {kind, 0, statements, n};
    return comb_sql_run(store->sql, ctx, &request, ret_result, err);
}

/* A guarded write of a holder: the first statement gives no row, and he is none any more. */
static enum comb_status write_held(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                   const struct comb_sql_statement *statements, size_t n,
                                   bool *ret_held, struct comb_error *err)
{
    const struct comb_sql_result *result = NULL;
    enum comb_status status = run(self, ctx, COMB_SQL_WRITE, statements, n, &result, err);
    if (status == COMB_ABORTED && result && result->guard_failed >= 0) {
        *ret_held = false;
        return COMB_OK;
    }
    if (status == COMB_OK)
        *ret_held = result->rows[0].n_rows > 0;
    return status;
}

/* Columns incarnation, seq, rebuild, state, epoch. */
static struct comb_consumer_place place_at(const struct comb_sql_value *columns)
{
    return (struct comb_consumer_place){
        .cursor = {(uint64_t)columns[0].integer, (uint64_t)columns[1].integer},
        .rebuild = (enum comb_rebuild)columns[2].integer,
        .state = columns[3].bytes,
        .epoch = (uint64_t)columns[4].integer,
    };
}

/* ---- holding ---- */

static enum comb_status sql_is_free(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                    comb_str name, bool *ret_free, struct comb_error *err)
{
    const struct comb_sql_value key = comb_sql_text(name);
    const struct comb_sql_statement statement = {dialect_of(self)->is_held, &key, 1, false};
    const struct comb_sql_result *result;
    enum comb_status status = run(self, ctx, COMB_SQL_READ, &statement, 1, &result, err);
    if (status == COMB_OK)
        *ret_free = result->rows[0].n_rows == 0;
    return status;
}

static enum comb_status sql_take(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                 comb_str name, const struct comb_uuid *holder, int64_t lease_us,
                                 bool *ret_found, struct comb_lease_taken *ret_taken,
                                 struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_text(name), comb_sql_uuid(holder),
                                            comb_sql_integer(lease_us)};
    const struct comb_sql_statement statements[] = {{dialect_of(self)->make, params, 1, false},
                                                    {dialect_of(self)->take, params, 3, false}};
    const struct comb_sql_result *result;
    enum comb_status status = run(self, ctx, COMB_SQL_WRITE, statements, 2, &result, err);
    if (status != COMB_OK)
        return status;
    const struct comb_sql_rows *rows = &result->rows[1];
    if (rows->n_rows > 0) {
        const struct comb_sql_value *column = comb_sql_at(rows, 0, 0);
        *ret_taken = (struct comb_lease_taken){.fence = (uint64_t)column[0].integer,
                                               .attempts = (uint32_t)column[1].integer,
                                               .place = place_at(&column[2])};
    }
    *ret_found = rows->n_rows > 0;
    return COMB_OK;
}

static enum comb_status sql_renew(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                  comb_str name, uint64_t fence, int64_t lease_us, bool *ret_held,
                                  struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_text(name), comb_sql_integer((int64_t)fence),
                                            comb_sql_integer(lease_us)};
    const struct comb_sql_statement statement = {dialect_of(self)->renew, params, 3, false};
    return write_held(self, ctx, &statement, 1, ret_held, err);
}

static enum comb_status sql_release(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                    comb_str name, uint64_t fence, bool *ret_held,
                                    struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_text(name), comb_sql_integer((int64_t)fence)};
    const struct comb_sql_statement statement = {dialect_of(self)->release, params, 2, false};
    return write_held(self, ctx, &statement, 1, ret_held, err);
}

/* ---- consuming ---- */

static enum comb_status sql_bury(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                 struct comb_error *err)
{
    const struct comb_sql_statement statement = {.text = dialect_of(self)->bury};
    const struct comb_sql_result *result;
    return run(self, ctx, COMB_SQL_WRITE, &statement, 1, &result, err);
}

static enum comb_status sql_place(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                  comb_str name, struct comb_consumer_place *ret_place,
                                  struct comb_error *err)
{
    const struct comb_sql_value key = comb_sql_text(name);
    const struct comb_sql_statement statement = {dialect_of(self)->place, &key, 1, false};
    const struct comb_sql_result *result;
    enum comb_status status = run(self, ctx, COMB_SQL_READ, &statement, 1, &result, err);
    if (status != COMB_OK)
        return status;
    if (result->rows[0].n_rows == 0)
        return comb_error_set(err, COMB_NOT_FOUND, 0, "there is no such lease");
    *ret_place = place_at(comb_sql_at(&result->rows[0], 0, 0));
    return COMB_OK;
}

enum { ADVANCE_PARAMS = 8, ASIDE_PARAMS = 9 };

static void advance_params(comb_str name, uint64_t fence, int64_t lease_us,
                           const struct comb_consumer_place *place,
                           struct comb_sql_value params[ADVANCE_PARAMS])
{
    params[0] = comb_sql_text(name);
    params[1] = comb_sql_integer((int64_t)fence);
    params[2] = comb_sql_integer(lease_us);
    params[3] = comb_sql_integer((int64_t)place->cursor.incarnation);
    params[4] = comb_sql_integer((int64_t)place->cursor.sequence);
    params[5] = comb_sql_integer(place->rebuild);
    params[6] = comb_sql_blob(place->state);
    params[7] = comb_sql_integer((int64_t)place->epoch);
}

static enum comb_status sql_advance(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                    comb_str name, uint64_t fence, int64_t lease_us,
                                    const struct comb_consumer_place *place, bool *ret_held,
                                    struct comb_error *err)
{
    struct comb_sql_value params[ADVANCE_PARAMS];
    advance_params(name, fence, lease_us, place, params);
    const struct comb_sql_statement statement = {dialect_of(self)->advance, params, ADVANCE_PARAMS,
                                                 false};
    return write_held(self, ctx, &statement, 1, ret_held, err);
}

static void one_aside(comb_str name, struct comb_cursor cursor, struct comb_sql_value params[3])
{
    params[0] = comb_sql_text(name);
    params[1] = comb_sql_integer((int64_t)cursor.incarnation);
    params[2] = comb_sql_integer((int64_t)cursor.sequence);
}

static void aside_params(comb_str name, const struct comb_consumer_aside *aside,
                         struct comb_sql_value params[ASIDE_PARAMS])
{
    one_aside(name, aside->cursor, params);
    params[3] = comb_sql_integer(aside->kind);
    params[4] = comb_sql_uuid(&aside->subject);
    params[5] = comb_sql_integer((int64_t)aside->revision);
    params[6] = comb_sql_integer(aside->time_us);
    params[7] = comb_sql_integer(aside->code);
    params[8] = comb_sql_text(aside->message);
}

static enum comb_status sql_set_aside(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                      comb_str name, uint64_t fence, int64_t lease_us,
                                      const struct comb_consumer_place *place,
                                      const struct comb_consumer_aside *aside, bool *ret_held,
                                      struct comb_error *err)
{
    struct comb_sql_value advance[ADVANCE_PARAMS], entry[ASIDE_PARAMS];
    const struct comb_sql_value trim[] = {comb_sql_text(name),
                                          comb_sql_integer(COMB_CONSUMER_ASIDE_MAX)};
    advance_params(name, fence, lease_us, place, advance);
    aside_params(name, aside, entry);
    const struct comb_sql_statement statements[] = {
        {dialect_of(self)->advance, advance, ADVANCE_PARAMS, true},
        {dialect_of(self)->aside, entry, ASIDE_PARAMS, false},
        {dialect_of(self)->aside_trim, trim, 2, false},
    };
    return write_held(self, ctx, statements, 3, ret_held, err);
}

static enum comb_status sql_clear_aside(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                        comb_str name, uint64_t fence, struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_text(name), comb_sql_integer((int64_t)fence)};
    const struct comb_sql_statement statement = {dialect_of(self)->aside_clear, params, 2, false};
    const struct comb_sql_result *result;
    return run(self, ctx, COMB_SQL_WRITE, &statement, 1, &result, err);
}

static enum comb_status sql_begin_anew(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                       comb_str name, uint64_t *ret_epoch, struct comb_error *err)
{
    const struct comb_sql_value key = comb_sql_text(name);
    const struct comb_sql_statement statements[] = {{dialect_of(self)->anew, &key, 1, false},
                                                    {dialect_of(self)->place, &key, 1, false}};
    const struct comb_sql_result *result;
    enum comb_status status = run(self, ctx, COMB_SQL_WRITE, statements, 2, &result, err);
    if (status != COMB_OK)
        return status;
    if (result->rows[1].n_rows == 0)
        return comb_error_set(err, COMB_NOT_FOUND, 0, "there is no such lease");
    struct comb_consumer_place place = place_at(comb_sql_at(&result->rows[1], 0, 0));
    /* One that is under way, and not only asked for, has its epoch already. */
    *ret_epoch = place.cursor.incarnation == 0 || place.epoch == 0 ? place.epoch : place.epoch - 1;
    return COMB_OK;
}

static enum comb_status sql_note(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                 comb_str name, uint64_t fence, const struct comb_error *why,
                                 bool *ret_held, struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_text(name), comb_sql_integer((int64_t)fence),
                                            comb_sql_integer(why->status),
                                            comb_sql_text(comb_str_from(why->msg))};
    const struct comb_sql_statement statement = {dialect_of(self)->note, params, 4, false};
    return write_held(self, ctx, &statement, 1, ret_held, err);
}

static enum comb_status sql_plan_held(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                      struct comb_plan *plan, comb_str name, uint64_t fence,
                                      struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_text(name), comb_sql_integer((int64_t)fence)};
    return comb_plan_add(ctx, plan, dialect_of(self)->held, params, 2, true, err);
}

static enum comb_status sql_plan_advance(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                         struct comb_plan *plan, comb_str name, uint64_t fence,
                                         int64_t lease_us, const struct comb_consumer_place *place,
                                         struct comb_error *err)
{
    struct comb_sql_value params[ADVANCE_PARAMS];
    advance_params(name, fence, lease_us, place, params);
    return comb_plan_add(ctx, plan, dialect_of(self)->advance, params, ADVANCE_PARAMS, true, err);
}

/* ---- looking on ---- */

static enum comb_status to_lease(const struct comb_sql_rows *rows, size_t row,
                                 struct comb_lease_info *ret_lease, struct comb_error *err)
{
    const struct comb_sql_value *column = comb_sql_at(rows, row, 0);
    struct comb_lease_info lease = {
        .name = column[0].bytes,
        .fence = (uint64_t)column[1].integer,
        .attempts = (uint32_t)column[2].integer,
        .is_held = column[3].integer != 0,
        .place = place_at(&column[5]),
        .advance_us = column[10].integer,
        .code = (enum comb_status)column[11].integer,
        .message = column[12].bytes,
        .fail_us = column[13].integer,
        .expire_us = column[14].integer,
        .n_aside = (uint64_t)column[15].integer,
        .n_wanted = (uint64_t)column[16].integer,
        .wanted_us = column[17].integer,
    };
    if (column[4].type != COMB_SQL_NULL && !comb_sql_uuid_at(rows, row, 4, &lease.holder))
        return comb_sql_row_damaged("lease", err);
    *ret_lease = lease;
    return COMB_OK;
}

static enum comb_status sql_list(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                 const struct comb_lease_info **ret_leases, size_t *ret_n,
                                 struct comb_error *err)
{
    const struct comb_sql_statement statement = {.text = dialect_of(self)->list};
    const struct comb_sql_result *result;
    enum comb_status status = run(self, ctx, COMB_SQL_SCAN, &statement, 1, &result, err);
    if (status != COMB_OK)
        return status;
    const struct comb_sql_rows *rows = &result->rows[0];
    struct comb_lease_info *leases = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *leases);
    if (!leases)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows && status == COMB_OK; i++)
        status = to_lease(rows, i, &leases[i], err);
    if (status != COMB_OK)
        return status;
    *ret_leases = leases;
    *ret_n = rows->n_rows;
    return COMB_OK;
}

static enum comb_status to_aside(const struct comb_sql_rows *rows, size_t row,
                                 struct comb_consumer_aside *ret_aside, struct comb_error *err)
{
    const struct comb_sql_value *column = comb_sql_at(rows, row, 0);
    struct comb_consumer_aside aside = {
        .cursor = {(uint64_t)column[0].integer, (uint64_t)column[1].integer},
        .kind = (enum comb_feed_kind)column[2].integer,
        .revision = (uint64_t)column[4].integer,
        .time_us = column[5].integer,
        .aside_us = column[6].integer,
        .code = (enum comb_status)column[7].integer,
        .message = column[8].bytes,
        .is_wanted = column[9].integer != 0,
    };
    if (!comb_sql_uuid_at(rows, row, 3, &aside.subject))
        return comb_sql_row_damaged("set_aside", err);
    *ret_aside = aside;
    return COMB_OK;
}

static enum comb_status sql_list_aside(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                       comb_str name, struct comb_cursor after, size_t max,
                                       const struct comb_consumer_aside **ret_asides, size_t *ret_n,
                                       struct comb_error *err)
{
    const struct comb_sql_value params[] = {
        comb_sql_text(name), comb_sql_integer((int64_t)after.incarnation),
        comb_sql_integer((int64_t)after.sequence), comb_sql_integer((int64_t)max)};
    const struct comb_sql_statement statement = {dialect_of(self)->list_aside, params, 4, false};
    const struct comb_sql_result *result;
    enum comb_status status = run(self, ctx, COMB_SQL_SCAN, &statement, 1, &result, err);
    if (status != COMB_OK)
        return status;
    const struct comb_sql_rows *rows = &result->rows[0];
    struct comb_consumer_aside *asides =
        grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *asides);
    if (!asides)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows && status == COMB_OK; i++)
        status = to_aside(rows, i, &asides[i], err);
    if (status != COMB_OK)
        return status;
    *ret_asides = asides;
    *ret_n = rows->n_rows;
    return COMB_OK;
}

/* ---- what was set aside, again ---- */

static enum comb_status sql_want_aside(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                       comb_str name, const struct comb_cursor *cursors, size_t n,
                                       size_t *ret_n, struct comb_error *err)
{
    const struct comb_sql_value all = comb_sql_text(name);
    struct comb_sql_statement *statements =
        grpcc_arena_calloc(ctx->arena, n + 1, sizeof *statements);
    struct comb_sql_value(*params)[3] = grpcc_arena_calloc(ctx->arena, n + 1, sizeof *params);
    const struct comb_sql_result *result;
    if (!statements || !params)
        return comb_error_no_memory(err);
    statements[0] = (struct comb_sql_statement){dialect_of(self)->want_all_aside, &all, 1, false};
    for (size_t i = 0; i < n; i++) {
        one_aside(name, cursors[i], params[i]);
        statements[i] =
            (struct comb_sql_statement){dialect_of(self)->want_aside, params[i], 3, false};
    }
    size_t n_statements = n ? n : 1, changed = 0;
    enum comb_status status =
        run(self, ctx, COMB_SQL_WRITE, statements, n_statements, &result, err);
    if (status != COMB_OK)
        return status;
    for (size_t i = 0; i < n_statements; i++)
        changed += (size_t)result->rows[i].changes;
    *ret_n = changed;
    return COMB_OK;
}

static enum comb_status sql_wanted_aside(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                         comb_str name, bool *ret_found,
                                         struct comb_consumer_aside *ret_aside,
                                         struct comb_error *err)
{
    const struct comb_sql_value key = comb_sql_text(name);
    const struct comb_sql_statement statement = {dialect_of(self)->wanted_aside, &key, 1, false};
    const struct comb_sql_result *result;
    enum comb_status status = run(self, ctx, COMB_SQL_READ, &statement, 1, &result, err);
    if (status != COMB_OK)
        return status;
    bool is_there = result->rows[0].n_rows > 0;
    if (is_there)
        status = to_aside(&result->rows[0], 0, ret_aside, err);
    if (status == COMB_OK)
        *ret_found = is_there;
    return status;
}

enum { ABOUT_MAX = 2 };

/* Statements about an entry, up to ABOUT_MAX, behind the guard. */
static enum comb_status write_aside(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                    comb_str name, uint64_t fence,
                                    const struct comb_sql_statement *about, size_t n,
                                    bool *ret_held, struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_text(name), comb_sql_integer((int64_t)fence)};
    struct comb_sql_statement statements[1 + ABOUT_MAX] = {
        {dialect_of(self)->held, params, 2, true}};
    const struct comb_sql_result *result = NULL;
    for (size_t i = 0; i < n; i++)
        statements[1 + i] = about[i];
    enum comb_status status = run(self, ctx, COMB_SQL_WRITE, statements, 1 + n, &result, err);
    bool is_refused = status == COMB_ABORTED && result && result->guard_failed >= 0;
    if (status == COMB_OK || is_refused)
        *ret_held = !is_refused;
    return is_refused ? COMB_OK : status;
}

static enum comb_status sql_mark_aside(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                       comb_str name, uint64_t fence, comb_str of,
                                       struct comb_cursor cursor, bool is_wanted,
                                       const struct comb_error *why, bool *ret_held,
                                       struct comb_error *err)
{
    struct comb_sql_value params[6];
    one_aside(of, cursor, params);
    params[3] = comb_sql_integer(is_wanted);
    if (why) {
        params[4] = comb_sql_integer(why->status);
        params[5] = comb_sql_text(comb_str_from(why->msg));
    }
    const struct comb_sql_statement statement = {why ? dialect_of(self)->note_aside
                                                     : dialect_of(self)->mark_aside,
                                                 params, why ? 6 : 4, false};
    return write_aside(self, ctx, name, fence, &statement, 1, ret_held, err);
}

static enum comb_status sql_handled(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                    comb_str name, uint64_t fence, comb_str of,
                                    struct comb_cursor cursor, bool *ret_held,
                                    struct comb_error *err)
{
    struct comb_sql_value params[3];
    one_aside(of, cursor, params);
    const struct comb_sql_statement statement = {dialect_of(self)->forget_aside, params, 3, false};
    return write_aside(self, ctx, name, fence, &statement, 1, ret_held, err);
}

static enum comb_status sql_put_off(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                    comb_str name, uint64_t fence,
                                    const struct comb_consumer_aside *aside, bool *ret_held,
                                    bool *ret_kept, struct comb_error *err)
{
    struct comb_sql_value entry[ASIDE_PARAMS];
    const struct comb_sql_statement count = {dialect_of(self)->count_wanted, entry, 1, false};
    const struct comb_sql_statement statements[ABOUT_MAX] = {
        {dialect_of(self)->aside, entry, ASIDE_PARAMS, false},
        {dialect_of(self)->want_aside, entry, 3, false}};
    const struct comb_sql_result *result;
    aside_params(name, aside, entry);
    /* Only the holder adds to them, so that what was counted holds. */
    enum comb_status status = run(self, ctx, COMB_SQL_READ, &count, 1, &result, err);
    if (status != COMB_OK)
        return status;
    bool has_room = comb_sql_at(&result->rows[0], 0, 0)->integer < COMB_CONSUMER_PUT_OFF_MAX;
    *ret_held = true;
    if (has_room)
        status = write_aside(self, ctx, name, fence, statements, ABOUT_MAX, ret_held, err);
    if (status == COMB_OK)
        *ret_kept = has_room;
    return status;
}

static enum comb_status sql_plan_handled(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                         struct comb_plan *plan, comb_str name, uint64_t fence,
                                         struct comb_cursor cursor, struct comb_error *err)
{
    struct comb_sql_value params[3];
    one_aside(name, cursor, params);
    enum comb_status status = sql_plan_held(self, ctx, plan, name, fence, err);
    if (status != COMB_OK)
        return status;
    return comb_plan_add(ctx, plan, dialect_of(self)->forget_aside, params, 3, false, err);
}

static void sql_close(struct comb_consumers_store *self)
{
    comb_memory_free(self);
}

static const struct comb_consumers_store_driver driver = {
    .name = "sql",
    .is_free = sql_is_free,
    .take = sql_take,
    .renew = sql_renew,
    .release = sql_release,
    .bury = sql_bury,
    .place = sql_place,
    .advance = sql_advance,
    .set_aside = sql_set_aside,
    .put_off = sql_put_off,
    .clear_aside = sql_clear_aside,
    .note = sql_note,
    .begin_anew = sql_begin_anew,
    .plan_held = sql_plan_held,
    .plan_advance = sql_plan_advance,
    .list = sql_list,
    .list_aside = sql_list_aside,
    .want_aside = sql_want_aside,
    .wanted_aside = sql_wanted_aside,
    .mark_aside = sql_mark_aside,
    .handled = sql_handled,
    .plan_handled = sql_plan_handled,
    .close = sql_close,
};

const struct comb_sql_schema *const comb_consumers_schemas[] = {
    &comb_consumers_schema_sqlite, &comb_consumers_schema_postgres, NULL};

enum comb_status comb_consumers_store_open(struct comb_sql *sql,
                                           struct comb_consumers_store **ret_store,
                                           struct comb_error *err)
{
    const struct comb_sql_schema *schema = comb_sql_schema_of(sql, comb_consumers_schemas, err);
    if (!schema)
        return COMB_INTERNAL;
    struct consumers_sql *store = comb_memory_zalloc(sizeof *store);
    if (!store)
        return comb_error_no_memory(err);
    store->base.driver = &driver;
    store->dialect = schema->dialect;
    store->sql = sql;
    *ret_store = &store->base;
    return COMB_OK;
}
