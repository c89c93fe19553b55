/* SPDX-License-Identifier: Apache-2.0 */
/* Retention of feed and request ids, in batches. */
#include "server/mutation/trim.h"

#include "server/core/clock.h"
#include "server/core/limits.h"
#include "server/mutation/feed.h"

/*
 * The oldest thousand entries are looked at, and cut off are those in front of the first that is
 * young enough: clocks jump, positions do not, and what is left must have no hole.
 */
static const char floor_sql[] =
    "UPDATE feed_floor SET seq = coalesce(("
    " SELECT max(seq) FROM (SELECT seq FROM feed ORDER BY seq LIMIT 1000)"
    " WHERE seq < coalesce(("
    "  SELECT min(seq) FROM (SELECT seq, time_us FROM feed ORDER BY seq LIMIT 1000)"
    "  WHERE time_us >= ?1), 9223372036854775807)), seq)";
static const char feed_sql[] = "DELETE FROM feed WHERE seq <= (SELECT seq FROM feed_floor)";
static const char requests_sql[] =
    "DELETE FROM request WHERE (principal, method, id) IN ("
    " SELECT principal, method, id FROM request WHERE time_us < ?1 LIMIT 1000)";

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
    const struct comb_sql_statement statements[] = {{floor_sql, &oldest, 1, false},
                                                    {.text = feed_sql}};
    return delete_all(sql, ctx, statements, 2, err);
}

enum comb_status comb_requests_trim(struct comb_sql *sql, struct comb_ctx *ctx,
                                    struct comb_error *err)
{
    /* An id may lie ahead of the clock, and is accepted that much longer after it was stored. */
    const struct comb_sql_value oldest =
        comb_sql_integer(comb_clock_wall_us() - COMB_REQUEST_ID_KEEP_US - COMB_REQUEST_ID_AHEAD_US);
    const struct comb_sql_statement statement = {requests_sql, &oldest, 1, false};
    return delete_all(sql, ctx, &statement, 1, err);
}
