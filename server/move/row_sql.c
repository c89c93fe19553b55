/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the sql row as a stream, and back. */
#include <string.h>
#include <time.h>

#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/move/move.h"
#include "server/move/record.h"
#include "server/move/tables.h"

/* What one page or one write may take. */
#define STEP_MS 60000
/* How often a write is tried again while the store is away, and after how long. */
#define AGAIN_MAX 100
#define AGAIN_PAUSE_MS 100
/* What is gathered for one write. */
#define WRITE_BYTES_MAX (4u << 20)

struct row_sql {
    struct comb_move_row base;
    struct comb_sql *sql;
    struct move_tables *tables;
    struct comb_sql_snapshot *snapshot; /* NULL: one for each give */
    bool holds;                         /* the snapshot is kept */

    /* of what comes in */
    const struct move_table *table; /* of the record before; NULL: none */
    struct comb_buf last;           /* the key up to which the table is here already */
    bool skips;                     /* that has not come yet */
    struct grpcc_arena *arena;      /* of what is gathered */
    struct comb_sql_statement statements[COMB_SQL_STATEMENTS_MAX];
    size_t n_statements, n_bytes;
};

static struct comb_ctx step(struct grpcc_arena *arena)
{
    return (struct comb_ctx){.arena = arena, .deadline_ns = comb_clock_in_ms(STEP_MS)};
}

/* ---- values ---- */

static bool put_value(struct comb_buf *buf, const struct comb_sql_value *value)
{
    uint64_t bits;
    move_put_u8(buf, (uint8_t)value->type);
    switch (value->type) {
    case COMB_SQL_NULL:
        break;
    case COMB_SQL_INTEGER:
        return move_put_u64(buf, (uint64_t)value->integer);
    case COMB_SQL_REAL:
        memcpy(&bits, &value->real, sizeof bits);
        return move_put_u64(buf, bits);
    case COMB_SQL_TEXT:
    case COMB_SQL_BLOB:
        return move_put_bytes(buf, value->bytes);
    }
    return !buf->failed;
}

/* Bytes are borrowed of *from. */
static bool get_value(comb_str *from, struct comb_sql_value *ret_value)
{
    uint8_t type;
    uint64_t bits = 0;
    if (!move_get_u8(from, &type) || type > COMB_SQL_BLOB)
        return false;
    *ret_value = (struct comb_sql_value){.type = (enum comb_sql_type)type};
    if (type == COMB_SQL_TEXT || type == COMB_SQL_BLOB)
        return move_get_bytes(from, &ret_value->bytes);
    if (type != COMB_SQL_NULL && !move_get_u64(from, &bits))
        return false;
    if (type == COMB_SQL_INTEGER)
        ret_value->integer = (int64_t)bits;
    else if (type == COMB_SQL_REAL)
        memcpy(&ret_value->real, &bits, sizeof bits);
    return true;
}

/* The first record of a part: its columns, so that a copy with others is refused. */
static bool put_columns(struct comb_buf *buf, const struct move_table *table)
{
    for (size_t i = 0; i < table->n_columns; i++)
        move_put_bytes(buf, comb_str_from(table->columns[i]));
    return !buf->failed;
}

static bool put_key(struct comb_buf *buf, const struct move_table *table,
                    const struct comb_sql_value *row)
{
    for (size_t i = 0; i < table->n_keys; i++)
        put_value(buf, &row[table->keys[i]]);
    return !buf->failed;
}

/* ---- out ---- */

static enum comb_status give_row(const struct comb_move_sink *sink, const struct move_table *table,
                                 const struct comb_sql_value *row, struct comb_buf *key,
                                 struct comb_buf *value, struct comb_error *err)
{
    comb_buf_clear(key);
    comb_buf_clear(value);
    bool ok = put_key(key, table, row);
    for (size_t i = 0; ok && i < table->n_columns; i++)
        ok = put_value(value, &row[i]);
    const struct comb_move_record record = {comb_str_from(table->name), comb_buf_str(key),
                                            comb_buf_str(value)};
    if (!ok)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "a row of %s is too large",
                              table->name);
    return sink->take(sink->data, &record, err);
}

/* One page behind the row `after` (NULL: the first); *ret_last lives in ctx's arena. */
static enum comb_status give_page(const struct row_sql *row, struct comb_ctx *ctx,
                                  const struct comb_move_sink *sink, const struct move_table *table,
                                  struct comb_buf buffers[2], const struct comb_sql_value *after,
                                  const struct comb_sql_value **ret_last, struct comb_error *err)
{
    struct comb_sql_value params[MOVE_KEYS_MAX];
    const struct comb_sql_rows *rows;
    for (size_t i = 0; after && i < table->n_keys; i++)
        params[i] = after[table->keys[i]];
    const struct comb_sql_statement statement = {
        .text = after ? table->next : table->first,
        .params = params,
        .n_params = after ? table->n_keys : 0,
    };
    enum comb_status status = comb_sql_snapshot_read(row->snapshot, ctx, &statement, &rows, err);
    if (status != COMB_OK)
        return status;
    for (size_t i = 0; status == COMB_OK && i < rows->n_rows; i++)
        status = give_row(sink, table, comb_sql_at(rows, i, 0), &buffers[0], &buffers[1], err);
    *ret_last = rows->n_rows == MOVE_PAGE_ROWS ? comb_sql_at(rows, rows->n_rows - 1, 0) : NULL;
    return status;
}

static enum comb_status give_table(const struct row_sql *row, const struct comb_move_sink *sink,
                                   const struct move_table *table, struct comb_buf buffers[2],
                                   struct comb_error *err)
{
    /* A page's last row is asked from while its arena is still there. */
    struct grpcc_arena *arenas[2] = {grpcc_arena_new(0), grpcc_arena_new(0)};
    const struct comb_sql_value *last = NULL;
    enum comb_status status = arenas[0] && arenas[1] ? COMB_OK : comb_error_no_memory(err);
    comb_buf_clear(&buffers[1]);
    if (status == COMB_OK && !put_columns(&buffers[1], table))
        status = comb_error_no_memory(err);
    const struct comb_move_record columns = {comb_str_from(table->name), STR(""),
                                             comb_buf_str(&buffers[1])};
    if (status == COMB_OK)
        status = sink->take(sink->data, &columns, err);
    for (int turn = 0; status == COMB_OK; turn = !turn) {
        struct comb_ctx ctx = step(arenas[turn]);
        grpcc_arena_reset(arenas[turn]);
        status = give_page(row, &ctx, sink, table, buffers, last, &last, err);
        if (!last)
            break;
    }
    grpcc_arena_free(arenas[0]);
    grpcc_arena_free(arenas[1]);
    return status;
}

static enum comb_status open_snapshot(struct row_sql *row, struct comb_error *err)
{
    struct comb_ctx ctx = step(grpcc_arena_new(0));
    if (!ctx.arena)
        return comb_error_no_memory(err);
    enum comb_status status =
        row->snapshot ? COMB_OK : comb_sql_snapshot_open(row->sql, &ctx, &row->snapshot, err);
    grpcc_arena_free(ctx.arena);
    return status;
}

static void close_snapshot(struct row_sql *row)
{
    comb_sql_snapshot_close(row->snapshot);
    row->snapshot = NULL;
}

static enum comb_status sql_give(struct comb_move_row *self, const struct comb_move_sink *sink,
                                 struct comb_error *err)
{
    struct row_sql *row = (struct row_sql *)self;
    struct comb_buf buffers[2];
    comb_buf_init(&buffers[0], COMB_MOVE_KEY_BYTES_MAX);
    comb_buf_init(&buffers[1], COMB_MOVE_VALUE_BYTES_MAX);
    enum comb_status status = open_snapshot(row, err);
    for (size_t i = 0; status == COMB_OK && i < row->tables->n; i++)
        if (row->tables->items[i].kind != MOVE_TABLE_HISTORY)
            status = give_table(row, sink, &row->tables->items[i], buffers, err);
    if (!row->holds)
        close_snapshot(row);
    comb_buf_done_secret(&buffers[0]);
    comb_buf_done_secret(&buffers[1]);
    return status;
}

enum comb_status comb_move_sql_hold(struct comb_move_row *self,
                                    struct comb_sql_snapshot **ret_snapshot, struct comb_error *err)
{
    struct row_sql *row = (struct row_sql *)self;
    close_snapshot(row);
    enum comb_status status = open_snapshot(row, err);
    row->holds = status == COMB_OK;
    if (status == COMB_OK)
        *ret_snapshot = row->snapshot;
    return status;
}

/* ---- in ---- */

static enum comb_status sql_is_empty(struct comb_move_row *self, bool *ret_empty,
                                     struct comb_error *err)
{
    /* An installation has its first administrator from its first start on. */
    static const char used[] = "SELECT count(*) FROM (SELECT id FROM \"user\" LIMIT 1) AS one";
    struct row_sql *row = (struct row_sql *)self;
    struct comb_ctx ctx = step(grpcc_arena_new(0));
    const struct comb_sql_statement statement = {.text = used};
    const struct comb_sql_request request = {COMB_SQL_READ, 0, &statement, 1};
    const struct comb_sql_result *result;
    if (!ctx.arena)
        return comb_error_no_memory(err);
    enum comb_status status = comb_sql_run(row->sql, &ctx, &request, &result, err);
    if (status == COMB_OK)
        *ret_empty = comb_sql_at(&result->rows[0], 0, 0)->integer == 0;
    grpcc_arena_free(ctx.arena);
    return status;
}

/* In one transaction: what the steps of the schema have put there. */
static enum comb_status sql_prepare(struct comb_move_row *self, struct comb_error *err)
{
    struct row_sql *row = (struct row_sql *)self;
    struct comb_sql_statement statements[COMB_SQL_STATEMENTS_MAX];
    struct comb_ctx ctx = step(grpcc_arena_new(0));
    const struct comb_sql_result *result;
    size_t n = 0;
    if (!ctx.arena)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < row->tables->n && n < COMB_SQL_STATEMENTS_MAX; i++)
        if (row->tables->items[i].kind != MOVE_TABLE_HISTORY)
            statements[n++] = (struct comb_sql_statement){.text = row->tables->items[i].clear};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, statements, n};
    enum comb_status status = comb_sql_run(row->sql, &ctx, &request, &result, err);
    grpcc_arena_free(ctx.arena);
    return status;
}

/* What is written here may be written twice: a store that stalls for a moment ends no copy. */
static enum comb_status write_again(struct row_sql *row, struct grpcc_arena *arena,
                                    const struct comb_sql_request *request, struct comb_error *err)
{
    const struct timespec pause = {.tv_nsec = AGAIN_PAUSE_MS * COMB_NS_PER_MS};
    const struct comb_sql_result *result;
    enum comb_status status = COMB_UNAVAILABLE;
    for (int i = 0; i < AGAIN_MAX && status == COMB_UNAVAILABLE; i++) {
        struct comb_ctx ctx = step(arena);
        if (i > 0)
            nanosleep(&pause, NULL);
        status = comb_sql_run(row->sql, &ctx, request, &result, err);
    }
    return status;
}

static enum comb_status sql_flush(struct comb_move_row *self, struct comb_error *err)
{
    struct row_sql *row = (struct row_sql *)self;
    if (row->n_statements == 0)
        return COMB_OK;
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, row->statements, row->n_statements};
    enum comb_status status = write_again(row, row->arena, &request, err);
    row->n_statements = row->n_bytes = 0;
    grpcc_arena_reset(row->arena);
    return status;
}

/* The key of the table's last row: what was copied is copied in order, so all up to it is here. */
static enum comb_status find_last(struct row_sql *row, struct comb_error *err)
{
    struct comb_ctx ctx = step(grpcc_arena_new(0));
    const struct comb_sql_statement statement = {.text = row->table->newest};
    const struct comb_sql_rows *rows;
    if (!ctx.arena)
        return comb_error_no_memory(err);
    enum comb_status status = open_snapshot(row, err);
    if (status == COMB_OK)
        status = comb_sql_snapshot_read(row->snapshot, &ctx, &statement, &rows, err);
    comb_buf_clear(&row->last);
    row->skips = status == COMB_OK && rows->n_rows == 1;
    for (size_t i = 0; row->skips && i < row->table->n_keys; i++)
        if (!put_value(&row->last, comb_sql_at(rows, 0, i)))
            status = comb_error_no_memory(err);
    close_snapshot(row);
    grpcc_arena_free(ctx.arena);
    return status;
}

/* What a copy before this one has put there may have changed since. */
static enum comb_status clear_table(struct row_sql *row, struct comb_error *err)
{
    struct comb_ctx ctx = step(grpcc_arena_new(0));
    const struct comb_sql_statement statement = {.text = row->table->clear};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    const struct comb_sql_result *result;
    if (!ctx.arena)
        return comb_error_no_memory(err);
    enum comb_status status = COMB_OK;
    int64_t changed = 1;
    while (status == COMB_OK && changed > 0) {
        ctx.deadline_ns = comb_clock_in_ms(STEP_MS);
        status = comb_sql_run(row->sql, &ctx, &request, &result, err);
        changed = status == COMB_OK ? result->rows[0].changes : 0;
        grpcc_arena_reset(ctx.arena);
    }
    grpcc_arena_free(ctx.arena);
    return status;
}

static enum comb_status begin_table(struct row_sql *row, const struct comb_move_record *record,
                                    struct comb_error *err)
{
    struct comb_buf columns;
    enum comb_status status = sql_flush(&row->base, err);
    if (status != COMB_OK)
        return status;
    row->table = move_tables_find(row->tables, record->part);
    comb_buf_init(&columns, COMB_MOVE_VALUE_BYTES_MAX);
    bool same = row->table && put_columns(&columns, row->table) &&
                comb_str_equal(comb_buf_str(&columns), record->value);
    comb_buf_done(&columns);
    if (!same)
        return comb_error_set(
            err, COMB_FAILED_PRECONDITION, 0,
            "the table %.*s is another one there: use the version of Comb that it "
            "was written by",
            COMB_STR_ARG(record->part));
    row->skips = false;
    return row->table->kind == MOVE_TABLE_LIVE ? clear_table(row, err) : find_last(row, err);
}

static enum comb_status gather(struct row_sql *row, comb_str value, struct comb_error *err)
{
    const struct move_table *table = row->table;
    struct comb_sql_value *params =
        grpcc_arena_calloc(row->arena, table->n_columns, sizeof *params);
    char *copy = grpcc_arena_memdup(row->arena, value.ptr, value.len);
    if (!params || !copy)
        return comb_error_no_memory(err);
    comb_str rest = comb_str_of(copy, value.len);
    for (size_t i = 0; i < table->n_columns; i++)
        if (!get_value(&rest, &params[i]))
            return comb_error_set(err, COMB_DATA_LOSS, 0, "a row of %s is damaged", table->name);
    row->statements[row->n_statements++] =
        (struct comb_sql_statement){table->insert, params, table->n_columns, false};
    row->n_bytes += value.len;
    return row->n_statements == COMB_SQL_STATEMENTS_MAX || row->n_bytes >= WRITE_BYTES_MAX
               ? sql_flush(&row->base, err)
               : COMB_OK;
}

static enum comb_status sql_take(struct comb_move_row *self, const struct comb_move_record *record,
                                 struct comb_error *err)
{
    struct row_sql *row = (struct row_sql *)self;
    if (record->key.len == 0)
        return begin_table(row, record, err);
    if (!row->table || !comb_str_equal(record->part, comb_str_from(row->table->name)))
        return comb_error_set(err, COMB_DATA_LOSS, 0, "the table %.*s begins in its middle",
                              COMB_STR_ARG(record->part));
    if (row->skips) {
        row->skips = !comb_str_equal(record->key, comb_buf_str(&row->last));
        return COMB_OK;
    }
    return gather(row, record->value, err);
}

/* ---- life ---- */

static void sql_free(struct comb_move_row *self)
{
    struct row_sql *row = (struct row_sql *)self;
    close_snapshot(row);
    move_tables_free(row->tables);
    comb_buf_done(&row->last);
    grpcc_arena_free(row->arena);
    comb_memory_free(row);
}

static const struct comb_move_row_ops ops = {
    .name = "sql",
    .give = sql_give,
    .is_empty = sql_is_empty,
    .prepare = sql_prepare,
    .take = sql_take,
    .flush = sql_flush,
    .free = sql_free,
};

enum comb_status comb_move_sql_new(struct comb_sql *sql, struct comb_move_row **ret_row,
                                   struct comb_error *err)
{
    struct row_sql *row = comb_memory_zalloc(sizeof *row);
    if (!row)
        return comb_error_no_memory(err);
    row->base.ops = &ops;
    row->sql = sql;
    comb_buf_init(&row->last, COMB_MOVE_KEY_BYTES_MAX);
    row->arena = grpcc_arena_new(0);
    enum comb_status status =
        row->arena ? move_tables_read(sql, &row->tables, err) : comb_error_no_memory(err);
    if (status != COMB_OK) {
        sql_free(&row->base);
        return status;
    }
    *ret_row = &row->base;
    return COMB_OK;
}
