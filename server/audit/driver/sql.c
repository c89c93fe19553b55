/* SPDX-License-Identifier: Apache-2.0 */
/* The store of the audit trail over the SQL row: what all dialects share. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/audit/driver/dialect.h"
#include "server/backend/sql/sql_read.h"
#include "server/core/memory.h"
#include "server/mutation/plan.h"

enum { ID_SIZE = sizeof(struct comb_uuid), IDS_SIZE = 3 * ID_SIZE };
/* "[time,code]," */
enum { PAIR_TEXT_MAX = 40 };
/* ",18446744073709551615" */
enum { NUMBER_TEXT_MAX = 21 };

struct audit_sql {
    struct comb_audit_store base;
    const struct audit_dialect *dialect;
    struct comb_sql *sql;
};

static const struct audit_dialect *dialect_of(const struct comb_audit_store *self)
{
    return ((const struct audit_sql *)self)->dialect;
}

static enum comb_status read_rows(struct comb_audit_store *self, struct comb_ctx *ctx,
                                  enum comb_sql_kind kind, const char *text,
                                  const struct comb_sql_value *params, size_t n_params,
                                  const struct comb_sql_rows **ret_rows, struct comb_error *err)
{
    const struct audit_sql *store = (const struct audit_sql *)self;
    const struct comb_sql_statement statement = {text, params, n_params, false};
    const struct comb_sql_request request = {kind, 0, &statement, 1};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(store->sql, ctx, &request, &result, err);
    if (status == COMB_OK)
        *ret_rows = &result->rows[0];
    return status;
}

static bool bytes_at(const struct comb_sql_value *value, void *ret_bytes, size_t size)
{
    if (value->type != COMB_SQL_BLOB || value->bytes.len != size)
        return false;
    memcpy(ret_bytes, value->bytes.ptr, size);
    return true;
}

/* NULL is nil. */
static bool id_at(const struct comb_sql_value *value, struct comb_uuid *ret_id)
{
    *ret_id = (struct comb_uuid){0};
    return value->type == COMB_SQL_NULL || bytes_at(value, ret_id->bytes, ID_SIZE);
}

/* ---- the intake ---- */

static enum comb_status sql_put(struct comb_audit_store *self, struct comb_ctx *ctx,
                                const struct comb_audit_pending *records, size_t n,
                                struct comb_error *err)
{
    const struct audit_sql *store = (const struct audit_sql *)self;
    struct comb_sql_value params[COMB_AUDIT_PUT_MAX][2];
    struct comb_sql_statement statements[COMB_AUDIT_PUT_MAX];
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, statements, n};
    const struct comb_sql_result *result;
    if (n > COMB_AUDIT_PUT_MAX)
        return comb_error_set(err, COMB_INTERNAL, 0, "%zu audit records in one request", n);
    for (size_t i = 0; i < n; i++) {
        params[i][0] = comb_sql_uuid(&records[i].id);
        params[i][1] = comb_sql_blob(records[i].record);
        statements[i] = (struct comb_sql_statement){dialect_of(self)->put, params[i], 2, false};
    }
    return comb_sql_run(store->sql, ctx, &request, &result, err);
}

static enum comb_status sql_pending(struct comb_audit_store *self, struct comb_ctx *ctx, size_t max,
                                    const struct comb_audit_pending **ret_records, size_t *ret_n,
                                    struct comb_error *err)
{
    const struct comb_sql_value limit = comb_sql_integer((int64_t)max);
    const struct comb_sql_rows *rows;
    enum comb_status status =
        read_rows(self, ctx, COMB_SQL_SCAN, dialect_of(self)->pending, &limit, 1, &rows, err);
    if (status != COMB_OK)
        return status;
    struct comb_audit_pending *records =
        grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *records);
    if (!records)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows; i++) {
        const struct comb_sql_value *column = comb_sql_at(rows, i, 0);
        if (!bytes_at(&column[0], records[i].id.bytes, ID_SIZE))
            return comb_sql_row_damaged("audit_intake", err);
        records[i].record = column[1].bytes;
    }
    *ret_records = records;
    *ret_n = rows->n_rows;
    return COMB_OK;
}

static enum comb_status sql_waiting(struct comb_audit_store *self, struct comb_ctx *ctx, size_t max,
                                    size_t *ret_n, struct comb_error *err)
{
    const struct comb_sql_value limit = comb_sql_integer((int64_t)max);
    const struct comb_sql_rows *rows;
    enum comb_status status =
        read_rows(self, ctx, COMB_SQL_SCAN, dialect_of(self)->waiting, &limit, 1, &rows, err);
    if (status == COMB_OK)
        *ret_n = (size_t)comb_sql_at(rows, 0, 0)->integer;
    return status;
}

/* ---- the end of the trail ---- */

/* Columns n, number_us, hash. */
static bool end_at(const struct comb_sql_rows *rows, struct comb_audit_end *ret_end)
{
    const struct comb_sql_value *column = comb_sql_at(rows, 0, 0);
    *ret_end =
        (struct comb_audit_end){.n = (uint64_t)column[0].integer, .time_us = column[1].integer};
    return bytes_at(&column[2], ret_end->hash, sizeof ret_end->hash);
}

static enum comb_status sql_end(struct comb_audit_store *self, struct comb_ctx *ctx,
                                struct comb_audit_end *ret_end, struct comb_error *err)
{
    const struct comb_sql_rows *rows;
    struct comb_audit_end end;
    enum comb_status status =
        read_rows(self, ctx, COMB_SQL_READ, dialect_of(self)->end, NULL, 0, &rows, err);
    if (status != COMB_OK)
        return status;
    if (rows->n_rows != 1 || !end_at(rows, &end))
        return comb_sql_row_damaged("audit_end", err);
    *ret_end = end;
    return COMB_OK;
}

static enum comb_status sql_old(struct comb_audit_store *self, struct comb_ctx *ctx,
                                int64_t number_us, size_t max, struct comb_audit_end *ret_end,
                                struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_integer(number_us),
                                            comb_sql_integer((int64_t)max)};
    const struct comb_sql_rows *rows;
    struct comb_audit_end end = {0};
    enum comb_status status =
        read_rows(self, ctx, COMB_SQL_SCAN, dialect_of(self)->old, params, 2, &rows, err);
    if (status != COMB_OK)
        return status;
    if (rows->n_rows > 0 && !end_at(rows, &end))
        return comb_sql_row_damaged("audit", err);
    *ret_end = end;
    return COMB_OK;
}

/* ---- plans of the holder ---- */

/* What is sent of lines beside their records, which are in the store already. */
struct packed {
    uint8_t *ids, *hashes, *index;
    char *pairs;
    size_t pairs_len;
};

static bool pack(struct grpcc_arena *arena, const struct comb_audit_end *end,
                 const struct comb_audit_pending *records, const struct comb_audit_row *rows,
                 size_t n, struct packed *to)
{
    *to = (struct packed){
        .ids = grpcc_arena_alloc(arena, n * ID_SIZE),
        .hashes = grpcc_arena_alloc(arena, (n + 1) * COMB_AUDIT_HASH_SIZE),
        .index = grpcc_arena_alloc(arena, n * IDS_SIZE),
        .pairs = grpcc_arena_alloc(arena, n * PAIR_TEXT_MAX + sizeof "[]"),
    };
    if (!to->ids || !to->hashes || !to->index || !to->pairs)
        return false;
    memcpy(to->hashes, end->hash, COMB_AUDIT_HASH_SIZE);
    for (size_t i = 0; i < n; i++) {
        const struct comb_audit_index *index = &rows[i].index;
        memcpy(to->ids + i * ID_SIZE, records[i].id.bytes, ID_SIZE);
        memcpy(to->hashes + (i + 1) * COMB_AUDIT_HASH_SIZE, rows[i].line.hash,
               COMB_AUDIT_HASH_SIZE);
        memcpy(to->index + i * IDS_SIZE, index->user.bytes, ID_SIZE);
        memcpy(to->index + i * IDS_SIZE + ID_SIZE, index->node.bytes, ID_SIZE);
        memcpy(to->index + i * IDS_SIZE + 2 * ID_SIZE, index->intent.bytes, ID_SIZE);
        to->pairs_len += (size_t)snprintf(to->pairs + to->pairs_len, PAIR_TEXT_MAX, "%c[%lld,%u]",
                                          i ? ',' : '[', (long long)index->time_us, index->code);
    }
    to->pairs[to->pairs_len++] = ']';
    return true;
}

static enum comb_status sql_plan_append(struct comb_audit_store *self, struct comb_ctx *ctx,
                                        struct comb_plan *plan, const struct comb_audit_end *end,
                                        const struct comb_audit_pending *records,
                                        const struct comb_audit_row *rows, size_t n,
                                        struct comb_error *err)
{
    const struct audit_dialect *dialect = dialect_of(self);
    struct packed packed;
    if (n == 0 || n > COMB_AUDIT_BATCH_MAX)
        return comb_error_set(err, COMB_INTERNAL, 0, "%zu lines in one request", n);
    if (!pack(ctx->arena, end, records, rows, n, &packed))
        return comb_error_no_memory(err);
    const struct comb_audit_line *last = &rows[n - 1].line;
    const struct comb_sql_value ids = comb_sql_blob(comb_str_of(packed.ids, n * ID_SIZE));
    const struct comb_sql_value pairs = comb_sql_text(comb_str_of(packed.pairs, packed.pairs_len));
    const struct comb_sql_value before =
        comb_sql_blob(comb_str_of(end->hash, COMB_AUDIT_HASH_SIZE));
    const struct comb_sql_value after =
        comb_sql_blob(comb_str_of(last->hash, COMB_AUDIT_HASH_SIZE));
    const struct comb_sql_value move[] = {comb_sql_integer((int64_t)end->n), before,
                                          comb_sql_integer((int64_t)last->n),
                                          comb_sql_integer(last->time_us), after};
    const struct comb_sql_value append[] = {
        comb_sql_integer((int64_t)end->n),
        comb_sql_integer(last->time_us),
        ids,
        comb_sql_blob(comb_str_of(packed.hashes, (n + 1) * COMB_AUDIT_HASH_SIZE)),
        comb_sql_blob(comb_str_of(packed.index, n * IDS_SIZE)),
        pairs,
    };
    const struct comb_sql_value take[] = {ids, pairs};
    enum comb_status status = comb_plan_add(ctx, plan, dialect->move_end, move, 5, true, err);
    if (status == COMB_OK)
        status = comb_plan_add(ctx, plan, dialect->append, append, 6, false, err);
    if (status == COMB_OK)
        status = comb_plan_add(ctx, plan, dialect->take, take, 2, false, err);
    return status;
}

static enum comb_status sql_plan_seal(struct comb_audit_store *self, struct comb_ctx *ctx,
                                      struct comb_plan *plan, const struct comb_audit_seal *seal,
                                      struct comb_error *err)
{
    const struct comb_sql_value params[] = {
        comb_sql_integer(seal->kind),
        comb_sql_integer((int64_t)seal->n),
        comb_sql_integer(seal->time_us),
        comb_sql_integer(seal->key_version),
        comb_sql_blob(comb_str_of(seal->hash, sizeof seal->hash)),
        comb_sql_blob(comb_str_of(seal->signature, sizeof seal->signature)),
    };
    return comb_plan_add(ctx, plan, dialect_of(self)->seal_put, params, 6, false, err);
}

static enum comb_status sql_plan_trim(struct comb_audit_store *self, struct comb_ctx *ctx,
                                      struct comb_plan *plan, uint64_t n, struct comb_error *err)
{
    const struct comb_sql_value param = comb_sql_integer((int64_t)n);
    return comb_plan_add(ctx, plan, dialect_of(self)->trim, &param, 1, false, err);
}

static enum comb_status sql_commit(struct comb_audit_store *self, struct comb_ctx *ctx,
                                   const struct comb_plan *plan, bool *ret_held,
                                   struct comb_error *err)
{
    const struct audit_sql *store = (const struct audit_sql *)self;
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, plan->statements,
                                             plan->n_statements};
    const struct comb_sql_result *result = NULL;
    enum comb_status status = comb_sql_run(store->sql, ctx, &request, &result, err);
    bool refused = status == COMB_ABORTED && result && result->guard_failed >= 0;
    if (status != COMB_OK && !refused)
        return status;
    *ret_held = !refused;
    return COMB_OK;
}

static enum comb_status sql_seal(struct comb_audit_store *self, struct comb_ctx *ctx,
                                 enum comb_audit_seal_kind kind, bool *ret_found,
                                 struct comb_audit_seal *ret_seal, struct comb_error *err)
{
    const struct comb_sql_value param = comb_sql_integer(kind);
    const struct comb_sql_rows *rows;
    enum comb_status status =
        read_rows(self, ctx, COMB_SQL_READ, dialect_of(self)->seal, &param, 1, &rows, err);
    if (status != COMB_OK)
        return status;
    *ret_found = rows->n_rows > 0;
    if (rows->n_rows == 0)
        return COMB_OK;
    const struct comb_sql_value *column = comb_sql_at(rows, 0, 0);
    struct comb_audit_seal seal = {.kind = kind,
                                   .n = (uint64_t)column[0].integer,
                                   .time_us = column[1].integer,
                                   .key_version = (uint32_t)column[2].integer};
    /* One of another form is one that nobody signed. */
    if (!bytes_at(&column[3], seal.hash, sizeof seal.hash) ||
        !bytes_at(&column[4], seal.signature, sizeof seal.signature))
        memset(seal.signature, 0, sizeof seal.signature);
    *ret_seal = seal;
    return COMB_OK;
}

/* ---- reading ---- */

/* A line whose hashes are no hashes is there, and a changed one. */
static void row_at(const struct comb_sql_value *column, struct comb_audit_row *ret_row)
{
    struct comb_audit_row row = {
        .line = {.n = (uint64_t)column[0].integer,
                 .time_us = column[1].integer,
                 .record = column[2].bytes.ptr,
                 .record_size = column[2].bytes.len},
        .index = {.time_us = column[5].integer, .code = (uint32_t)column[9].integer},
    };
    if (!bytes_at(&column[3], row.line.before, sizeof row.line.before) ||
        !bytes_at(&column[4], row.line.hash, sizeof row.line.hash))
        memset(row.line.hash, 0, sizeof row.line.hash);
    if (!id_at(&column[6], &row.index.user) || !id_at(&column[7], &row.index.node) ||
        !id_at(&column[8], &row.index.intent))
        row.index.time_us = INT64_MIN;
    *ret_row = row;
}

static enum comb_status sql_lines(struct comb_audit_store *self, struct comb_ctx *ctx,
                                  uint64_t after, size_t max,
                                  const struct comb_audit_row **ret_rows, size_t *ret_n,
                                  struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_integer((int64_t)after),
                                            comb_sql_integer((int64_t)max)};
    const struct comb_sql_rows *found;
    enum comb_status status =
        read_rows(self, ctx, COMB_SQL_SCAN, dialect_of(self)->lines, params, 2, &found, err);
    if (status != COMB_OK)
        return status;
    struct comb_audit_row *rows = grpcc_arena_calloc(ctx->arena, found->n_rows, sizeof *rows);
    if (!rows)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < found->n_rows; i++)
        row_at(comb_sql_at(found, i, 0), &rows[i]);
    *ret_rows = rows;
    *ret_n = found->n_rows;
    return COMB_OK;
}

static enum comb_status to_hits(struct comb_ctx *ctx, const struct comb_sql_rows *rows,
                                const struct comb_audit_hit **ret_hits, size_t *ret_n,
                                struct comb_error *err)
{
    struct comb_audit_hit *hits = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *hits);
    if (!hits)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows; i++) {
        const struct comb_sql_value *column = comb_sql_at(rows, i, 0);
        hits[i] = (struct comb_audit_hit){
            .n = (uint64_t)column[0].integer,
            .time_us = column[1].integer,
            .number_us = column[2].integer,
            .record = column[3].bytes,
            .has_outcome = column[4].type != COMB_SQL_NULL,
            .outcome = (uint32_t)column[4].integer,
        };
    }
    *ret_hits = hits;
    *ret_n = rows->n_rows;
    return COMB_OK;
}

static enum comb_status sql_follow(struct comb_audit_store *self, struct comb_ctx *ctx,
                                   uint64_t after, size_t max,
                                   const struct comb_audit_hit **ret_hits, size_t *ret_n,
                                   struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_integer((int64_t)after),
                                            comb_sql_integer((int64_t)max)};
    const struct comb_sql_rows *rows;
    enum comb_status status =
        read_rows(self, ctx, COMB_SQL_SCAN, dialect_of(self)->follow, params, 2, &rows, err);
    return status == COMB_OK ? to_hits(ctx, rows, ret_hits, ret_n, err) : status;
}

/* "[1,2]" */
static comb_str to_json(struct grpcc_arena *arena, const uint64_t *numbers, size_t n)
{
    char *text = grpcc_arena_alloc(arena, n * NUMBER_TEXT_MAX + sizeof "[]");
    size_t len = 0;
    if (!text)
        return (comb_str){0};
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, NUMBER_TEXT_MAX + 1, "%c%" PRIu64, i ? ',' : '[',
                                numbers[i]);
    text[len++] = ']';
    return comb_str_of(text, len);
}

static enum comb_status sql_by_number(struct comb_audit_store *self, struct comb_ctx *ctx,
                                      const uint64_t *numbers, size_t n,
                                      const struct comb_audit_hit **ret_hits, size_t *ret_n,
                                      struct comb_error *err)
{
    const struct comb_sql_rows *rows;
    if (n == 0 || n > COMB_AUDIT_BATCH_MAX)
        return comb_error_set(err, COMB_INTERNAL, 0, "%zu lines in one request", n);
    const comb_str json = to_json(ctx->arena, numbers, n);
    const struct comb_sql_value param = comb_sql_text(json);
    if (!json.ptr)
        return comb_error_no_memory(err);
    enum comb_status status =
        read_rows(self, ctx, COMB_SQL_SCAN, dialect_of(self)->by_number, &param, 1, &rows, err);
    return status == COMB_OK ? to_hits(ctx, rows, ret_hits, ret_n, err) : status;
}

static enum comb_status sql_search(struct comb_audit_store *self, struct comb_ctx *ctx,
                                   const struct comb_audit_search *search, size_t max,
                                   const struct comb_audit_hit **ret_hits, size_t *ret_n,
                                   struct comb_error *err)
{
    const struct audit_dialect *dialect = dialect_of(self);
    const struct comb_uuid *id = search->user;
    const char *text = id               ? dialect->search_user
                       : search->failed ? dialect->search_failed
                                        : dialect->search_all;
    const struct comb_sql_value params[] = {
        comb_sql_integer(search->before_us),      comb_sql_integer((int64_t)search->before_n),
        comb_sql_integer(search->since_us),       comb_sql_integer((int64_t)max),
        id ? comb_sql_uuid(id) : comb_sql_null(),
    };
    const struct comb_sql_rows *rows;
    enum comb_status status =
        read_rows(self, ctx, COMB_SQL_SCAN, text, params, id ? 5 : 4, &rows, err);
    return status == COMB_OK ? to_hits(ctx, rows, ret_hits, ret_n, err) : status;
}

/* ---- the store ---- */

static void sql_close(struct comb_audit_store *self)
{
    comb_memory_free(self);
}

static const struct comb_audit_store_driver driver = {
    .name = "sql",
    .put = sql_put,
    .pending = sql_pending,
    .waiting = sql_waiting,
    .end = sql_end,
    .plan_append = sql_plan_append,
    .plan_seal = sql_plan_seal,
    .plan_trim = sql_plan_trim,
    .commit = sql_commit,
    .seal = sql_seal,
    .lines = sql_lines,
    .follow = sql_follow,
    .by_number = sql_by_number,
    .search = sql_search,
    .old = sql_old,
    .close = sql_close,
};

const struct comb_sql_schema *const comb_audit_schemas[] = {&comb_audit_schema_sqlite,
                                                            &comb_audit_schema_postgres, NULL};

enum comb_status comb_audit_store_open(struct comb_sql *sql, struct comb_audit_store **ret_store,
                                       struct comb_error *err)
{
    const struct comb_sql_schema *schema = comb_sql_schema_of(sql, comb_audit_schemas, err);
    struct audit_sql *store = schema ? comb_memory_zalloc(sizeof *store) : NULL;
    if (!schema)
        return COMB_INTERNAL;
    if (!store)
        return comb_error_no_memory(err);
    store->base.driver = &driver;
    store->dialect = schema->dialect;
    store->sql = sql;
    *ret_store = &store->base;
    return COMB_OK;
}
