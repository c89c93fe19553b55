/* SPDX-License-Identifier: Apache-2.0 */
/* Retention of feed and request ids, in batches. */
#include "server/mutation/trim.h"

#include "server/core/clock.h"
#include "server/core/limits.h"
#include "server/mutation/dialect.h"
#include "server/mutation/feed.h"

/* Runs the statements, the last one being a DELETE, until that finds nothing any more. */
static enum comb_status delete_all(struct comb_sql *sql, struct comb_ctx *ctx,
                                   const struct comb_sql_statement *statements, size_t n,
                                   struct comb_error *err)
{
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, statements, n};
    const struct comb_sql_result *result;
    enum comb_status status;
    do {
        status = comb_sql_run(sql, ctx, &request, &result, err);
    } while (status == COMB_OK && result->rows[n - 1].changes > 0);
    return status;
}

enum comb_status comb_feed_trim(struct comb_sql *sql, struct comb_ctx *ctx, int64_t keep_us,
                                struct comb_error *err)
{
    const struct comb_sql_value oldest = comb_sql_integer(comb_clock_wall_us() - keep_us);
    const struct comb_mutation_dialect *dialect = comb_mutation_dialect_of(sql);
    const struct comb_sql_statement statements[] = {{dialect->floor_raise, &oldest, 1, false},
                                                    {.text = dialect->feed_delete}};
    return delete_all(sql, ctx, statements, 2, err);
}

enum comb_status comb_requests_trim(struct comb_sql *sql, struct comb_ctx *ctx,
                                    struct comb_error *err)
{
    /* An id may lie ahead of the clock, and is accepted that much longer after it was stored. */
    const struct comb_sql_value oldest =
        comb_sql_integer(comb_clock_wall_us() - COMB_REQUEST_ID_KEEP_US - COMB_REQUEST_ID_AHEAD_US);
    const struct comb_sql_statement statement = {comb_mutation_dialect_of(sql)->request_delete,
                                                 &oldest, 1, false};
    return delete_all(sql, ctx, &statement, 1, err);
}
