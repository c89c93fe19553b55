/* SPDX-License-Identifier: Apache-2.0 */
/* A connection with a read transaction that stays open: one state of the file, read at leisure. */
#include "server/backend/sql/sqlite/sqlite.h"
#include "server/backend/sql/sqlite/sqlite_error.h"
#include "server/core/memory.h"

struct sqlite_snapshot {
    struct comb_sql_snapshot base;
    struct comb_sqlite_conn conn;
};

enum comb_status comb_sqlite_snapshot_open(struct comb_sql *sql, struct comb_ctx *ctx,
                                           struct comb_sql_snapshot **ret_snapshot,
                                           struct comb_error *err)
{
    (void)ctx;
    const struct comb_sqlite *sqlite = (const struct comb_sqlite *)sql;
    struct sqlite_snapshot *snapshot = comb_memory_zalloc(sizeof *snapshot);
    if (!snapshot)
        return comb_error_no_memory(err);
    snapshot->base.sql = sql;
    enum comb_status status =
        comb_sqlite_conn_open(&snapshot->conn, sqlite->path, COMB_SQLITE_READER, err);
    int code = SQLITE_OK;
    if (status == COMB_OK)
        code = comb_sqlite_conn_do(&snapshot->conn, "BEGIN");
    /* The transaction has its state from its first read on. */
    if (status == COMB_OK && code == SQLITE_OK)
        code = comb_sqlite_conn_do(&snapshot->conn, "SELECT 1 FROM comb_installation");
    if (code != SQLITE_OK)
        status = comb_sqlite_error(err, code, snapshot->conn.db);
    if (status != COMB_OK) {
        comb_sqlite_snapshot_close(&snapshot->base);
        return status;
    }
    *ret_snapshot = &snapshot->base;
    return COMB_OK;
}

enum comb_status comb_sqlite_snapshot_read(struct comb_sql_snapshot *base, struct comb_ctx *ctx,
                                           const struct comb_sql_statement *statement,
                                           const struct comb_sql_rows **ret_rows,
                                           struct comb_error *err)
{
    struct sqlite_snapshot *snapshot = (struct sqlite_snapshot *)base;
    struct comb_sql_reply reply = {.arena = &ctx->arena};
    int code;
    enum comb_status status =
        comb_sqlite_execute(&snapshot->conn, statement, 1, &reply, &code, err);
    /* Texts are not static here, and their addresses no keys. */
    comb_sqlite_conn_forget(&snapshot->conn);
    if (status == COMB_OK)
        *ret_rows = &reply.result.rows[0];
    return status;
}

void comb_sqlite_snapshot_close(struct comb_sql_snapshot *base)
{
    struct sqlite_snapshot *snapshot = (struct sqlite_snapshot *)base;
    comb_sqlite_conn_close(&snapshot->conn);
    comb_memory_free(snapshot);
}
