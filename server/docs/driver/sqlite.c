/* SPDX-License-Identifier: Apache-2.0 */
/* The docs row in an SQLite file of its own, beside that of the sql row. */
#include <string.h>

#include "grpcc/arena.h"
#include "server/backend/sql/sql.h"
#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/docs/docs.h"

/* How long the question for FTS5 may take: nobody else uses the file yet. */
#define OPEN_MS 10000

static enum comb_status sqlite_check(struct comb_docs *docs, struct comb_ctx *ctx,
                                     struct comb_error *err)
{
    return comb_sql_check(docs->sql, ctx, err);
}

static void sqlite_status(struct comb_docs *docs, struct comb_store_status *ret_status)
{
    comb_sql_status(docs->sql, ret_status);
}

static void sqlite_close(struct comb_docs *docs)
{
    comb_sql_close(docs->sql);
    comb_memory_free(docs);
}

static const struct comb_docs_driver sqlite_driver = {
    .name = "sqlite",
    .check = sqlite_check,
    .status = sqlite_status,
    .close = sqlite_close,
};

static enum comb_status ask_for_fts5(struct comb_sql *sql, struct comb_ctx *ctx,
                                     struct comb_error *err)
{
    static const char text[] = "SELECT sqlite_compileoption_used('ENABLE_FTS5')";
    const struct comb_sql_statement statement = {.text = text};
    const struct comb_sql_request request = {COMB_SQL_READ, 0, &statement, 1};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(sql, ctx, &request, &result, err);
    if (status != COMB_OK || comb_sql_at(&result->rows[0], 0, 0)->integer == 1)
        return status;
    return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                          "this SQLite has no FTS5: install one that was built with "
                          "SQLITE_ENABLE_FTS5, as Debian's is, or give --docs mongodb://...");
}

static enum comb_status check_fts5(struct comb_sql *sql, struct comb_error *err)
{
    struct comb_ctx ctx = {
        .arena = grpcc_arena_new(0),
        .deadline_ns = comb_clock_monotonic_ns() + OPEN_MS * COMB_NS_PER_MS,
    };
    if (!ctx.arena)
        return comb_error_no_memory(err);
    enum comb_status status = ask_for_fts5(sql, &ctx, err);
    grpcc_arena_free(ctx.arena);
    return status;
}

enum comb_status comb_docs_sqlite_open(const struct comb_store_options *options,
                                       struct comb_docs **ret_docs, struct comb_error *err)
{
    const char *colon = memchr(options->url.ptr, ':', options->url.len);
    size_t skip = colon ? (size_t)(colon - options->url.ptr) + 1 : 0;
    struct comb_docs *docs = comb_memory_zalloc(sizeof *docs);
    if (!docs)
        return comb_error_no_memory(err);
    docs->driver = &sqlite_driver;
    enum comb_status status = comb_sql_sqlite_open(
        comb_str_of(options->url.ptr + skip, options->url.len - skip), &docs->sql, err);
    if (status == COMB_OK)
        status = check_fts5(docs->sql, err);
    if (status == COMB_OK)
        *ret_docs = docs;
    else
        sqlite_close(docs);
    return status;
}
