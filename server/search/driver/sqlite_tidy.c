/* SPDX-License-Identifier: Apache-2.0 */
/* What takes documents out of the search index in SQLite, a bounded number at a time. */
#include "server/backend/sql/sql_read.h"
#include "server/core/clock.h"
#include "server/search/driver/sqlite_internal.h"

/* ?3 now */
#define DEAD                                                                                       \
    "dead_us = ?3, parent = NULL, name = '', media = '', blob = NULL, outcome = 0, reason = 0,"    \
    " text = x''"

static const char to_prune_sql[] = SEARCH_SQLITE_TO_PRUNE;
/* Nothing is done where it has become a document again. */
static const char still_to_prune_sql[] =
    "UPDATE search_doc SET below = 1 WHERE id = ?1 AND below = 1";
static const char prune_text_sql[] =
    "DELETE FROM search_text WHERE rowid IN (" SEARCH_SQLITE_BELOW ")";
static const char prune_name_sql[] =
    "DELETE FROM search_name WHERE rowid IN (" SEARCH_SQLITE_BELOW ")";
/* ?3 now ?4 revision; those of a folder are to be worked off in their turn. */
static const char prune_sql[] = "UPDATE search_doc SET rev = ?4, below = is_folder, " DEAD
                                " WHERE place IN (" SEARCH_SQLITE_BELOW ")";
static const char pruned_sql[] = "UPDATE search_doc SET below = 0 WHERE id = ?1"
                                 " AND NOT EXISTS (SELECT 1 FROM search_doc WHERE parent = ?1)";
static const char sweep_text_sql[] =
    "DELETE FROM search_text WHERE rowid IN (" SEARCH_SQLITE_SWEPT ")";
static const char sweep_name_sql[] =
    "DELETE FROM search_name WHERE rowid IN (" SEARCH_SQLITE_SWEPT ")";
static const char sweep_sql[] = "UPDATE search_doc SET epoch = ?1, rev = 0, below = 0, " DEAD
                                " WHERE place IN (" SEARCH_SQLITE_SWEPT ")";
static const char purge_text_sql[] =
    "DELETE FROM search_text WHERE rowid IN (" SEARCH_SQLITE_PURGED ")";
static const char purge_sql[] = "DELETE FROM search_doc WHERE place IN (" SEARCH_SQLITE_PURGED ")";
static const char sweep_content_text_sql[] =
    "UPDATE search_text SET content = '' WHERE rowid IN (" SEARCH_SQLITE_SWEPT_CONTENT ")";
static const char sweep_content_sql[] =
    "UPDATE search_doc SET content_epoch = ?1, content_rev = 0, blob = NULL, outcome = 0,"
    " reason = 0, text = x'' WHERE place IN (" SEARCH_SQLITE_SWEPT_CONTENT ")";

/* Statements over the same rows; the last one changes what they are found by. */
static enum comb_status run_all(struct comb_search_store *self, struct comb_ctx *ctx,
                                const struct comb_sql_statement *statements, size_t n,
                                size_t *ret_n, struct comb_error *err)
{
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, statements, n};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(search_sqlite_of(self), ctx, &request, &result, err);
    if (status == COMB_OK)
        *ret_n = (size_t)result->rows[n - 1].changes;
    return status;
}

enum comb_status search_sqlite_sweep(struct comb_search_store *self, struct comb_ctx *ctx,
                                     uint64_t epoch, size_t max, size_t *ret_n,
                                     struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_integer((int64_t)epoch),
                                            comb_sql_integer((int64_t)max),
                                            comb_sql_integer(comb_clock_wall_us())};
    const struct comb_sql_statement statements[] = {{sweep_text_sql, params, 2, false},
                                                    {sweep_name_sql, params, 2, false},
                                                    {sweep_sql, params, 3, false}};
    return run_all(self, ctx, statements, 3, ret_n, err);
}

enum comb_status search_sqlite_sweep_content(struct comb_search_store *self, struct comb_ctx *ctx,
                                             uint64_t epoch, size_t max, size_t *ret_n,
                                             struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_integer((int64_t)epoch),
                                            comb_sql_integer((int64_t)max)};
    const struct comb_sql_statement statements[] = {{sweep_content_text_sql, params, 2, false},
                                                    {sweep_content_sql, params, 2, false}};
    return run_all(self, ctx, statements, 2, ret_n, err);
}

enum comb_status search_sqlite_purge(struct comb_search_store *self, struct comb_ctx *ctx,
                                     int64_t age_us, size_t max, size_t *ret_n,
                                     struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_integer(comb_clock_wall_us() - age_us),
                                            comb_sql_integer((int64_t)max)};
    const struct comb_sql_statement statements[] = {{purge_text_sql, params, 2, false},
                                                    {purge_sql, params, 2, false}};
    return run_all(self, ctx, statements, 2, ret_n, err);
}

/* Takes out some of what lies below a tombstone; the last time, its mark. */
static enum comb_status prune_below(struct comb_search_store *self, struct comb_ctx *ctx,
                                    const struct comb_sql_value *id, size_t max, size_t *ret_n,
                                    struct comb_error *err)
{
    const struct comb_sql_value params[] = {*id, comb_sql_integer((int64_t)max),
                                            comb_sql_integer(comb_clock_wall_us()),
                                            comb_sql_integer((int64_t)COMB_SEARCH_REVISION_GONE)};
    const struct comb_sql_statement statements[] = {{still_to_prune_sql, params, 1, true},
                                                    {prune_text_sql, params, 2, false},
                                                    {prune_name_sql, params, 2, false},
                                                    {prune_sql, params, 4, false},
                                                    {pruned_sql, params, 1, false}};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, statements, 5};
    const struct comb_sql_result *result = NULL;
    enum comb_status status = comb_sql_run(search_sqlite_of(self), ctx, &request, &result, err);
    if (status == COMB_ABORTED && result && result->guard_failed == 0) {
        *ret_n = 1;
        return COMB_OK;
    }
    if (status == COMB_OK)
        *ret_n = (size_t)(result->rows[3].changes + result->rows[4].changes);
    return status;
}

enum comb_status search_sqlite_prune(struct comb_search_store *self, struct comb_ctx *ctx,
                                     size_t max, size_t *ret_n, struct comb_error *err)
{
    const struct comb_sql_statement statement = {.text = to_prune_sql};
    const struct comb_sql_request request = {COMB_SQL_READ, 0, &statement, 1};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(search_sqlite_of(self), ctx, &request, &result, err);
    if (status != COMB_OK)
        return status;
    if (result->rows[0].n_rows == 0) {
        *ret_n = 0;
        return COMB_OK;
    }
    return prune_below(self, ctx, comb_sql_at(&result->rows[0], 0, 0), max, ret_n, err);
}
