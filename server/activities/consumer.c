/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consumer of the feed. It adds items, which may be done twice and late. Building anew reads
 * the feed as far as it goes back and leaves older items as they are: nothing else has them.
 */
#include "server/activities/internal.h"
#include "server/core/clock.h"

/* Of the feed's oldest entries: the first one's time may be behind that of those after it. */
enum { OLDEST_LOOKED_AT = 100 };
/* Items that a step of a rebuild removes. */
enum { CUT_MAX = 1000 };

static uint64_t history_of(const struct comb_activities *activities)
{
    struct comb_sql_info info;
    comb_sql_get_info(activities->parts.sql, &info);
    return info.history_since;
}

static enum comb_status put(struct comb_activities *activities, struct comb_ctx *ctx,
                            const struct comb_consumer_run *run, const struct comb_item *items,
                            size_t n, struct comb_error *err)
{
    struct comb_items_store *store = activities->parts.store;
    if (n == 0)
        return COMB_OK;
    if (!comb_consumer_may_go_on(run))
        return comb_error_set(err, COMB_CANCELLED, 0, "another server makes activities now");
    return store->driver->put(store, ctx, items, n, err);
}

static enum comb_status apply(void *data, struct comb_ctx *ctx, struct comb_consumer_batch *batch,
                              struct comb_error *err)
{
    struct comb_activities *activities = data;
    struct comb_item items[COMB_ITEM_SCAN_MAX];
    uint64_t history = history_of(activities);
    enum comb_status status = COMB_OK;
    size_t n = 0;
    for (size_t i = 0; i < batch->n && status == COMB_OK; i++) {
        bool is = false;
        status = activities_from_feed(ctx, history, &batch->records[i], &items[n], &is, err);
        n += status == COMB_OK && is;
        if (status == COMB_OK && n == COMB_ITEM_SCAN_MAX) {
            status = put(activities, ctx, batch->run, items, n, err);
            n = 0;
        }
    }
    return status == COMB_OK ? put(activities, ctx, batch->run, items, n, err) : status;
}

/*
 * The store was put back from a backup. What the feed still has comes again under the new history,
 * and what was done after the backup is undone: items of older histories from the feed's oldest
 * entry on are removed.
 */
static enum comb_status forget(struct comb_activities *activities, struct comb_ctx *ctx,
                               struct comb_cursor oldest, bool *ret_over, struct comb_error *err)
{
    struct comb_feed_page page;
    int64_t from_us = INT64_MAX;
    size_t n = 0;
    enum comb_status status =
        comb_feed_read(activities->parts.sql, ctx, oldest, OLDEST_LOOKED_AT, &page, err);
    if (status != COMB_OK)
        return status;
    for (size_t i = 0; i < page.n; i++) {
        if (page.records[i].time_us < from_us)
            from_us = page.records[i].time_us;
    }
    status = activities_cut(activities, ctx, history_of(activities), from_us, CUT_MAX, &n, err);
    if (status == COMB_OK)
        *ret_over = n < CUT_MAX;
    return status;
}

static enum comb_status rebuild(void *data, struct comb_ctx *ctx,
                                struct comb_consumer_rebuild *step, struct comb_error *err)
{
    struct comb_activities *activities = data;
    struct comb_cursor oldest;
    bool is_over = true;
    enum comb_status status = comb_feed_oldest(activities->parts.sql, ctx, &oldest, err);
    if (status == COMB_OK && step->why == COMB_REBUILD_HISTORY)
        status = forget(activities, ctx, oldest, &is_over, err);
    if (status != COMB_OK)
        return status;
    step->from = oldest;
    step->is_last = is_over;
    return COMB_OK;
}

struct comb_consumer comb_activities_consumer(struct comb_activities *activities)
{
    return (struct comb_consumer){
        .name = COMB_ACTIVITIES_CONSUMER, .apply = apply, .rebuild = rebuild, .data = activities};
}
