/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session with a transaction that only reads and stays open: one state of the database, read at
 * leisure. It has no transaction number, so no reader of the change feed waits for it.
 */
#include "server/backend/sql/postgres/postgres.h"
#include "server/core/clock.h"
#include "server/core/memory.h"

struct pg_snapshot {
    struct comb_sql_snapshot base;
    PGconn *pq;
};

/* Its reader may be at other things between two questions, for longer than other sessions may. */
static const char begin_text[] = "SET idle_in_transaction_session_timeout = '10min';"
                                 "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                                 "SELECT 1 FROM comb_store";
/* What one question may take. */
enum { READ_MS = 60000 };

static int64_t deadline_of(const struct comb_ctx *ctx)
{
    int left_ms = comb_ctx_left_ms(ctx);
    return comb_clock_steady_ns() + (left_ms < READ_MS ? left_ms : READ_MS) * COMB_NS_PER_MS;
}

enum comb_status comb_pg_snapshot_open(struct comb_sql *sql, struct comb_ctx *ctx,
                                       struct comb_sql_snapshot **ret_snapshot,
                                       struct comb_error *err)
{
    struct comb_error cause = {.status = COMB_OK};
    struct pg_snapshot *snapshot = comb_memory_zalloc(sizeof *snapshot);
    uint64_t incarnation;
    if (!snapshot)
        return comb_error_no_memory(err);
    snapshot->base.sql = sql;
    snapshot->pq = comb_pg_connect((struct comb_pg *)sql, COMB_PG_SCAN, &incarnation, &cause);
    PGresult *result =
        snapshot->pq ? comb_pg_ask(snapshot->pq, begin_text, NULL, 0, deadline_of(ctx), &cause)
                     : NULL;
    PQclear(result);
    if (!result) {
        comb_pg_snapshot_close(&snapshot->base);
        if (err)
            *err = cause;
        return cause.status;
    }
    *ret_snapshot = &snapshot->base;
    return COMB_OK;
}

enum comb_status comb_pg_snapshot_read(struct comb_sql_snapshot *base, struct comb_ctx *ctx,
                                       const struct comb_sql_statement *statement,
                                       const struct comb_sql_rows **ret_rows,
                                       struct comb_error *err)
{
    const struct pg_snapshot *snapshot = (const struct pg_snapshot *)base;
    const struct comb_pg_text plain = {.guard = false};
    struct comb_error cause = {.status = COMB_OK};
    size_t hidden;
    bool hides_all;
    struct comb_sql_rows *rows = grpcc_arena_calloc(ctx->arena, 1, sizeof *rows);
    char *text = comb_pg_text_translate(statement->text, false, &hidden, &hides_all);
    PGresult *result = NULL;
    if (!rows || !text)
        comb_error_no_memory(&cause);
    else
        result =
            comb_pg_ask_binary(snapshot->pq, text, statement, ctx->arena, deadline_of(ctx), &cause);
    comb_memory_free(text);
    enum comb_status status =
        result ? comb_pg_decode(ctx->arena, result, &plain, rows, &cause) : cause.status;
    if (status == COMB_OK)
        *ret_rows = rows;
    else if (err)
        *err = cause;
    return status;
}

void comb_pg_snapshot_close(struct comb_sql_snapshot *base)
{
    struct pg_snapshot *snapshot = (struct pg_snapshot *)base;
    PQfinish(snapshot->pq);
    comb_memory_free(snapshot);
}
