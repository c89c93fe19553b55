/* SPDX-License-Identifier: Apache-2.0 */
/* Documents in the SQLite file of the docs row. */
#include "server/backend/sql/sql.h"
#include "server/backend/sql/sql_read.h"
#include "server/core/memory.h"
#include "server/documents/driver/internal.h"

#define COLUMNS                                                                                    \
    "at, made, due, k0, k1, k2, k3, k4, k5, k6, k7, revision, is_deleted, body, requests,"         \
    " create_us, update_us, expire_us"
/* By position in COLUMNS. */
enum { REVISION = COMB_DOCUMENT_ORDERS, IS_DELETED, BODY, REQUESTS, CREATE, UPDATE, EXPIRE, ALL };

#define SCAN(column, direction)                                                                    \
    "SELECT " COLUMNS " FROM document WHERE " column " >= ?1 AND " column                          \
    " < ?2 ORDER BY " column direction " LIMIT ?3"
#define SCANS(column)                                                                              \
    {                                                                                              \
        SCAN(column, ""), SCAN(column, " DESC")                                                    \
    }
#define KEY_INDEX(column)                                                                          \
    "CREATE INDEX document_" column " ON document (" column ") WHERE " column " IS NOT NULL;"

/* By order, and whether it is descending. */
static const char *const scans[COMB_DOCUMENT_ORDERS][2] = {
    SCANS("at"), SCANS("made"), SCANS("due"), SCANS("k0"), SCANS("k1"), SCANS("k2"),
    SCANS("k3"), SCANS("k4"),   SCANS("k5"),  SCANS("k6"), SCANS("k7"),
};
static const char get_text[] = "SELECT " COLUMNS " FROM document WHERE at = ?1";
static const char count_text[] =
    "SELECT count(*) FROM (SELECT 1 FROM document WHERE at >= ?1 AND at < ?2 LIMIT ?3)";
static const char insert_text[] =
    "INSERT INTO document (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,"
    " ?13, ?14, ?15, ?16, ?17, ?18)";
static const char update_text[] =
    "UPDATE document SET made = ?2, due = ?3, k0 = ?4, k1 = ?5, k2 = ?6, k3 = ?7, k4 = ?8, k5 = ?9,"
    " k6 = ?10, k7 = ?11, revision = ?12, is_deleted = ?13, body = ?14, requests = ?15,"
    " create_us = ?16, update_us = ?17, expire_us = ?18 WHERE at = ?1 AND revision = ?19";
static const char set_keys_text[] =
    "UPDATE document SET made = ?2, k0 = ?4, k1 = ?5, k2 = ?6, k3 = ?7, k4 = ?8, k5 = ?9, k6 = ?10,"
    " k7 = ?11 WHERE at = ?1 AND revision = ?12";
static const char remove_text[] = "DELETE FROM document WHERE at = ?1 AND revision = ?2";

static const struct comb_sql_migration steps[] = {
    {"documents", 1,
     "CREATE TABLE document (at TEXT PRIMARY KEY NOT NULL, made TEXT, due TEXT, k0 TEXT, k1 TEXT,"
     " k2 TEXT, k3 TEXT, k4 TEXT, k5 TEXT, k6 TEXT, k7 TEXT, revision INTEGER NOT NULL,"
     " is_deleted INTEGER NOT NULL, body TEXT NOT NULL, requests BLOB NOT NULL,"
     " create_us INTEGER NOT NULL, update_us INTEGER NOT NULL, expire_us INTEGER NOT NULL)"
     " STRICT;" KEY_INDEX("made") KEY_INDEX("due") KEY_INDEX("k0") KEY_INDEX("k1") KEY_INDEX("k2")
         KEY_INDEX("k3") KEY_INDEX("k4") KEY_INDEX("k5") KEY_INDEX("k6") KEY_INDEX("k7")},
};

struct sqlite {
    struct comb_documents_store base;
    struct comb_sql *sql;
};

static enum comb_status run(struct comb_documents_store *self, struct comb_ctx *ctx,
                            const struct comb_sql_request *request,
                            const struct comb_sql_result **ret_result, struct comb_error *err)
{
    return comb_sql_run(((struct sqlite *)self)->sql, ctx, request, ret_result, err);
}

/* ---- reading ---- */

static void to_record(const struct comb_sql_value *columns, struct comb_document_record *ret)
{
    for (int i = 0; i < COMB_DOCUMENT_ORDERS; i++)
        ret->texts[i] = columns[i].type == COMB_SQL_TEXT ? columns[i].bytes : (comb_str){0};
    ret->revision = columns[REVISION].integer;
    ret->is_deleted = columns[IS_DELETED].integer != 0;
    ret->body = columns[BODY].bytes;
    ret->requests = columns[REQUESTS].bytes;
    ret->create_us = columns[CREATE].integer;
    ret->update_us = columns[UPDATE].integer;
    ret->expire_us = columns[EXPIRE].integer;
}

/* The rows of all statements. */
static enum comb_status take_records(const struct comb_sql_result *result, struct comb_ctx *ctx,
                                     const struct comb_document_record **ret_records, size_t *ret_n,
                                     struct comb_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < result->n_rows; i++)
        n += result->rows[i].n_rows;
    struct comb_document_record *records = grpcc_arena_calloc(ctx->arena, n, sizeof *records);
    if (!records)
        return comb_error_no_memory(err);
    *ret_records = records;
    *ret_n = n;
    for (size_t i = 0; i < result->n_rows; i++) {
        for (size_t row = 0; row < result->rows[i].n_rows; row++)
            to_record(comb_sql_at(&result->rows[i], row, 0), records++);
    }
    return COMB_OK;
}

static enum comb_status sqlite_get(struct comb_documents_store *self, struct comb_ctx *ctx,
                                   const comb_str *ats, size_t n,
                                   const struct comb_document_record **ret_records, size_t *ret_n,
                                   struct comb_error *err)
{
    struct comb_sql_value params[COMB_DOCUMENT_RECORDS_MAX];
    struct comb_sql_statement statements[COMB_DOCUMENT_RECORDS_MAX];
    for (size_t i = 0; i < n; i++) {
        params[i] = comb_sql_text(ats[i]);
        statements[i] = (struct comb_sql_statement){get_text, &params[i], 1, false};
    }
    const struct comb_sql_request request = {COMB_SQL_READ, 0, statements, n};
    const struct comb_sql_result *result;
    enum comb_status status = run(self, ctx, &request, &result, err);
    return status == COMB_OK ? take_records(result, ctx, ret_records, ret_n, err) : status;
}

static enum comb_status sqlite_scan(struct comb_documents_store *self, struct comb_ctx *ctx,
                                    const struct comb_document_scan *scan,
                                    const struct comb_document_record **ret_records, size_t *ret_n,
                                    struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_text(scan->from), comb_sql_text(scan->to),
                                            comb_sql_integer((int64_t)scan->max)};
    const struct comb_sql_statement statement = {scans[scan->order][scan->is_descending], params, 3,
                                                 false};
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, &statement, 1};
    const struct comb_sql_result *result;
    enum comb_status status = run(self, ctx, &request, &result, err);
    return status == COMB_OK ? take_records(result, ctx, ret_records, ret_n, err) : status;
}

static enum comb_status sqlite_count(struct comb_documents_store *self, struct comb_ctx *ctx,
                                     comb_str from, comb_str to, size_t max, size_t *ret_n,
                                     struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_text(from), comb_sql_text(to),
                                            comb_sql_integer((int64_t)max)};
    const struct comb_sql_statement statement = {count_text, params, 3, false};
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, &statement, 1};
    const struct comb_sql_result *result;
    enum comb_status status = run(self, ctx, &request, &result, err);
    if (status == COMB_OK)
        *ret_n = (size_t)comb_sql_at(&result->rows[0], 0, 0)->integer;
    return status;
}

/* ---- writing ---- */

/* In the order of COLUMNS. */
static void to_params(const struct comb_document_record *record, struct comb_sql_value *params)
{
    for (int i = 0; i < COMB_DOCUMENT_ORDERS; i++)
        params[i] = record->texts[i].ptr ? comb_sql_text(record->texts[i]) : comb_sql_null();
    params[REVISION] = comb_sql_integer(record->revision);
    params[IS_DELETED] = comb_sql_integer(record->is_deleted);
    params[BODY] = comb_sql_text(record->body);
    params[REQUESTS] = comb_sql_blob(record->requests);
    params[CREATE] = comb_sql_integer(record->create_us);
    params[UPDATE] = comb_sql_integer(record->update_us);
    params[EXPIRE] = comb_sql_integer(record->expire_us);
}

static enum comb_status write_one(struct comb_documents_store *self, struct comb_ctx *ctx,
                                  const struct comb_sql_statement *statement,
                                  struct comb_error *err)
{
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, statement, 1};
    const struct comb_sql_result *result;
    return run(self, ctx, &request, &result, err);
}

static enum comb_status sqlite_write(struct comb_documents_store *self, struct comb_ctx *ctx,
                                     const struct comb_document_record *record, int64_t replaced,
                                     bool *ret_written, struct comb_error *err)
{
    struct comb_sql_value params[ALL + 1];
    to_params(record, params);
    params[ALL] = comb_sql_integer(replaced);
    const struct comb_sql_statement statement = {replaced ? update_text : insert_text, params,
                                                 replaced ? ALL + 1 : ALL, replaced != 0};
    enum comb_status status = write_one(self, ctx, &statement, err);
    if (status != COMB_OK && status != COMB_ABORTED && status != COMB_ALREADY_EXISTS)
        return status;
    *ret_written = status == COMB_OK;
    return COMB_OK;
}

static enum comb_status sqlite_set_keys(struct comb_documents_store *self, struct comb_ctx *ctx,
                                        const struct comb_document_record *record,
                                        struct comb_error *err)
{
    struct comb_sql_value params[ALL];
    to_params(record, params);
    const struct comb_sql_statement statement = {set_keys_text, params, REVISION + 1, false};
    return write_one(self, ctx, &statement, err);
}

static enum comb_status sqlite_remove(struct comb_documents_store *self, struct comb_ctx *ctx,
                                      comb_str at, int64_t revision, struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_text(at), comb_sql_integer(revision)};
    const struct comb_sql_statement statement = {remove_text, params, 2, false};
    return write_one(self, ctx, &statement, err);
}

static void sqlite_close(struct comb_documents_store *self)
{
    comb_memory_free(self);
}

static const struct comb_documents_driver sqlite_driver = {
    .name = "sqlite",
    .get = sqlite_get,
    .scan = sqlite_scan,
    .count = sqlite_count,
    .write = sqlite_write,
    .set_keys = sqlite_set_keys,
    .remove = sqlite_remove,
    .close = sqlite_close,
};

enum comb_status documents_sqlite_open(struct comb_sql *sql,
                                       struct comb_documents_store **ret_store,
                                       struct comb_error *err)
{
    enum comb_status status = comb_sql_migrate(sql, steps, sizeof steps / sizeof steps[0], err);
    if (status != COMB_OK)
        return status;
    struct sqlite *store = comb_memory_zalloc(sizeof *store);
    if (!store)
        return comb_error_no_memory(err);
    store->base.driver = &sqlite_driver;
    store->sql = sql;
    *ret_store = &store->base;
    return COMB_OK;
}
