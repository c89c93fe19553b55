/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/sql/sqlite/sqlite_conn.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/sql/sqlite/sqlite_error.h"

/* How long a lock of another program on the file is waited for. Our own threads never wait for each
 * other: there is one writer, and readers do not block it. */
enum { BUSY_MS = 200 };
enum { ROWS_FIRST = 16 };

static const char pragmas_writer[] = "PRAGMA synchronous = FULL;"
                                     "PRAGMA foreign_keys = ON;"
                                     "PRAGMA wal_autocheckpoint = 0;"
                                     "PRAGMA cache_size = -16384;"
                                     "PRAGMA temp_store = MEMORY";
static const char pragmas_reader[] = "PRAGMA query_only = ON;"
                                     "PRAGMA wal_autocheckpoint = 0;"
                                     "PRAGMA cache_size = -8192;"
                                     "PRAGMA temp_store = MEMORY";

static int note_wal_frames(void *data, sqlite3 *db, const char *name, int frames)
{
    struct comb_sqlite_conn *conn = data;
    (void)db;
    (void)name;
    conn->wal_frames = frames;
    return SQLITE_OK;
}

enum comb_status comb_sqlite_conn_open(struct comb_sqlite_conn *conn, const char *path,
                                       enum comb_sqlite_role role, struct comb_error *err)
{
    bool writer = role == COMB_SQLITE_WRITER;
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(path, &db, flags, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_busy_timeout(db, BUSY_MS);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, writer ? pragmas_writer : pragmas_reader, NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        enum comb_status status = comb_sqlite_error(err, code, db);
        sqlite3_close_v2(db);
        return status;
    }
    memset(conn, 0, sizeof *conn);
    conn->db = db;
    sqlite3_wal_hook(db, note_wal_frames, conn);
    return COMB_OK;
}

void comb_sqlite_conn_forget(struct comb_sqlite_conn *conn)
{
    for (size_t i = 0; i < COMB_SQLITE_STATEMENTS; i++)
        sqlite3_finalize(conn->prepared[i].statement);
    memset(conn->prepared, 0, sizeof conn->prepared);
    conn->n_prepared = 0;
}

void comb_sqlite_conn_close(struct comb_sqlite_conn *conn)
{
    if (!conn->db)
        return;
    comb_sqlite_conn_forget(conn);
    int code = sqlite3_close(conn->db);
    assert(code == SQLITE_OK); /* every statement has been finalized */
    (void)code;
    conn->db = NULL;
}

/* The prepared statement of text, whose address is its key. */
static int prepare(struct comb_sqlite_conn *conn, const char *text, sqlite3_stmt **ret_statement)
{
    size_t slot = ((uintptr_t)text >> 3) * 0x9E3779B97F4A7C15u >> 32;
    for (;; slot++) {
        slot &= COMB_SQLITE_STATEMENTS - 1;
        if (conn->prepared[slot].text == text) {
            *ret_statement = conn->prepared[slot].statement;
            assert(strcmp(sqlite3_sql(*ret_statement), text) == 0); /* text is static */
            return SQLITE_OK;
        }
        if (!conn->prepared[slot].text)
            break;
    }
    if (conn->n_prepared >= COMB_SQLITE_STATEMENTS / 4 * 3) {
        comb_sqlite_conn_forget(conn);
        return prepare(conn, text, ret_statement);
    }
    sqlite3_stmt *statement = NULL;
    const char *tail = "";
    int code = sqlite3_prepare_v3(conn->db, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, &tail);
    if (code != SQLITE_OK)
        return code;
    if (!statement || *tail) {
        sqlite3_finalize(statement);
        return SQLITE_MISUSE; /* not exactly one statement */
    }
    conn->prepared[slot].text = text;
    conn->prepared[slot].statement = statement;
    conn->n_prepared++;
    *ret_statement = statement;
    return SQLITE_OK;
}

int comb_sqlite_conn_do(struct comb_sqlite_conn *conn, const char *text)
{
    sqlite3_stmt *statement;
    int code = prepare(conn, text, &statement);
    if (code != SQLITE_OK)
        return code;
    code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
}

static int bind_one(sqlite3_stmt *statement, int at, const struct comb_sql_value *value)
{
    /* A NULL pointer would be bound as NULL, and an empty value is not that. */
    const char *bytes = value->bytes.ptr ? value->bytes.ptr : "";
    switch (value->type) {
    case COMB_SQL_NULL:
        return sqlite3_bind_null(statement, at);
    case COMB_SQL_INTEGER:
        return sqlite3_bind_int64(statement, at, value->integer);
    case COMB_SQL_REAL:
        return sqlite3_bind_double(statement, at, value->real);
    case COMB_SQL_TEXT:
        return sqlite3_bind_text64(statement, at, bytes, value->bytes.len, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case COMB_SQL_BLOB:
        return sqlite3_bind_blob64(statement, at, bytes, value->bytes.len, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

static int bind_all(sqlite3_stmt *statement, const struct comb_sql_statement *from)
{
    if ((size_t)sqlite3_bind_parameter_count(statement) != from->n_params)
        return SQLITE_RANGE;
    for (size_t i = 0; i < from->n_params; i++) {
        int code = bind_one(statement, (int)i + 1, &from->params[i]);
        if (code != SQLITE_OK)
            return code;
    }
    return SQLITE_OK;
}

static bool read_bytes(struct grpcc_arena *arena, const void *bytes, int len, comb_str *ret_bytes)
{
    void *copy = grpcc_arena_memdup(arena, bytes, (size_t)len);
    *ret_bytes = comb_str_of(copy, (size_t)len);
    return copy != NULL;
}

/* False: no room. */
static bool read_value(struct grpcc_arena *arena, sqlite3_stmt *statement, int column,
                       struct comb_sql_value *ret_value)
{
    *ret_value = comb_sql_null();
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        *ret_value = comb_sql_integer(sqlite3_column_int64(statement, column));
        return true;
    case SQLITE_FLOAT:
        *ret_value = comb_sql_real(sqlite3_column_double(statement, column));
        return true;
    case SQLITE_TEXT:
        ret_value->type = COMB_SQL_TEXT;
        return read_bytes(arena, sqlite3_column_text(statement, column),
                          sqlite3_column_bytes(statement, column), &ret_value->bytes);
    case SQLITE_BLOB:
        ret_value->type = COMB_SQL_BLOB;
        return read_bytes(arena, sqlite3_column_blob(statement, column),
                          sqlite3_column_bytes(statement, column), &ret_value->bytes);
    }
    return true;
}

/* The rows of one statement while they come. */
struct collector {
    struct grpcc_arena *arena;
    struct comb_sql_value *values;
    size_t n_rows, capacity;
    size_t n_columns; /* 0 while there is no row */
    size_t *left;     /* rows that the request may still return */
};

static enum comb_status collect_row(struct collector *to, sqlite3_stmt *statement,
                                    struct comb_error *err)
{
    if (*to->left == 0)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                              "the request returns more than %d rows", COMB_SQL_ROWS_MAX);
    /* Known for sure once there is a row: the first step prepares anew after a migration. */
    to->n_columns = (size_t)sqlite3_column_count(statement);
    if (to->n_rows == to->capacity) {
        size_t capacity = to->capacity ? to->capacity * 2 : ROWS_FIRST;
        struct comb_sql_value *values =
            grpcc_arena_calloc(to->arena, capacity * to->n_columns, sizeof(*values));
        if (!values)
            return comb_error_no_memory(err);
        if (to->n_rows)
            memcpy(values, to->values, to->n_rows * to->n_columns * sizeof(*values));
        to->values = values;
        to->capacity = capacity;
    }
    struct comb_sql_value *row = to->values + to->n_rows * to->n_columns;
    for (size_t i = 0; i < to->n_columns; i++) {
        if (!read_value(to->arena, statement, (int)i, &row[i]))
            return comb_error_no_memory(err);
    }
    to->n_rows++;
    --*to->left;
    return COMB_OK;
}

/* Steps a bound statement to its end. */
static enum comb_status step_all(sqlite3 *db, sqlite3_stmt *statement, struct collector *to,
                                 int *ret_code, struct comb_error *err)
{
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        enum comb_status status = collect_row(to, statement, err);
        if (status != COMB_OK)
            return status;
    }
    if (code == SQLITE_DONE)
        return COMB_OK;
    *ret_code = code;
    return comb_sqlite_error(err, code, db);
}

static enum comb_status run_one(struct comb_sqlite_conn *conn,
                                const struct comb_sql_statement *from, struct grpcc_arena *arena,
                                struct comb_sql_rows *ret_rows, size_t *left, int *ret_code,
                                struct comb_error *err)
{
    sqlite3_stmt *statement;
    int code = prepare(conn, from->text, &statement);
    if (code == SQLITE_OK)
        code = bind_all(statement, from);
    if (code != SQLITE_OK) {
        *ret_code = code;
        return comb_sqlite_error(err, code, conn->db);
    }
    struct collector to = {.arena = arena, .left = left};
    enum comb_status status = step_all(conn->db, statement, &to, ret_code, err);
    int64_t changes = sqlite3_stmt_readonly(statement) ? 0 : sqlite3_changes64(conn->db);
    sqlite3_reset(statement);
    /* Parameters are borrowed from the request, which ends before the statement does. */
    sqlite3_clear_bindings(statement);
    if (status == COMB_OK)
        *ret_rows = (struct comb_sql_rows){to.n_rows, to.n_columns, to.values, changes};
    return status;
}

enum comb_status comb_sqlite_execute(struct comb_sqlite_conn *conn,
                                     const struct comb_sql_statement *statements, size_t n,
                                     struct comb_sql_reply *reply, int *ret_code,
                                     struct comb_error *err)
{
    struct comb_sql_rows *rows = grpcc_arena_calloc(*reply->arena, n, sizeof(*rows));
    size_t left = COMB_SQL_ROWS_MAX;
    *ret_code = SQLITE_OK;
    reply->result =
        (struct comb_sql_result){.rows = rows, .guard_failed = -1, .constraint_failed = -1};
    if (!rows)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        enum comb_status status =
            run_one(conn, &statements[i], *reply->arena, &rows[i], &left, ret_code, err);
        if (status == COMB_ALREADY_EXISTS)
            reply->result.constraint_failed = (int)i;
        if (status != COMB_OK)
            return status;
        reply->result.n_rows = i + 1;
        if (statements[i].guard && rows[i].changes == 0 && rows[i].n_rows == 0) {
            reply->result.guard_failed = (int)i;
            return comb_error_set(err, COMB_ABORTED, 0, "what the write rests on has changed");
        }
    }
    return COMB_OK;
}
