/* SPDX-License-Identifier: Apache-2.0 */
/* Removing items: by age and number, and those that a restored store has never had. */
#include "server/activities/internal.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"

#define PURGE_EVERY_MS 60000
#define PURGE_DEADLINE_MS 30000
/* Counting takes time. */
#define COUNT_EVERY_NS (600LL * 1000 * COMB_NS_PER_MS)

/* Which items of a scan go. */
struct sieve {
    int64_t before_us; /* 0: none by time; those older than it */
    int64_t from_us;   /* 0: none by time; those not older */
    uint64_t surplus;  /* so many whatever their time */
};

static enum comb_status sift(struct comb_activities *activities, struct comb_ctx *ctx,
                             const struct comb_item *items, size_t n, struct sieve *sieve,
                             size_t *ret_n, struct comb_error *err)
{
    struct comb_items_store *store = activities->parts.store;
    comb_str ats[COMB_ITEM_SCAN_MAX];
    size_t n_ats = 0;
    for (size_t i = 0; i < n; i++) {
        struct activities_record record;
        enum comb_status status = activities_read_item(ctx, &items[i], &record, err);
        /* What cannot be read is as old as what is around it. */
        bool goes = status != COMB_OK || sieve->surplus > 0 ||
                    (sieve->before_us && record.time_us < sieve->before_us) ||
                    (sieve->from_us && record.time_us >= sieve->from_us);
        if (sieve->surplus > 0)
            sieve->surplus--;
        if (goes)
            ats[n_ats++] = items[i].at;
    }
    enum comb_status status =
        n_ats > 0 ? store->driver->remove(store, ctx, ats, n_ats, err) : COMB_OK;
    if (status == COMB_OK)
        *ret_n = n_ats;
    return status;
}

/* Batches until one has nothing that goes, or max have gone. */
static enum comb_status sift_all(struct comb_activities *activities, struct comb_ctx *ctx,
                                 const struct comb_item_scan *scan, struct sieve *sieve, size_t max,
                                 size_t *ret_n, struct comb_error *err)
{
    struct comb_items_store *store = activities->parts.store;
    enum comb_status status = COMB_OK;
    size_t n_gone = 1;
    *ret_n = 0;
    while (status == COMB_OK && n_gone > 0 && *ret_n < max) {
        const struct comb_item *items;
        struct comb_item_scan next = *scan;
        size_t n = 0;
        next.max = max - *ret_n < COMB_ITEM_SCAN_MAX ? max - *ret_n : COMB_ITEM_SCAN_MAX;
        n_gone = 0;
        status = store->driver->scan(store, ctx, &next, &items, &n, err);
        if (status == COMB_OK)
            status = sift(activities, ctx, items, n, sieve, &n_gone, err);
        *ret_n += n_gone;
    }
    return status;
}

enum comb_status activities_cut(struct comb_activities *activities, struct comb_ctx *ctx,
                                uint64_t history, int64_t from_us, size_t max, size_t *ret_n,
                                struct comb_error *err)
{
    const struct comb_item_scan scan = {.before = activities_place(ctx->arena, history, 0)};
    struct sieve sieve = {.from_us = from_us};
    return scan.before.ptr ? sift_all(activities, ctx, &scan, &sieve, max, ret_n, err)
                           : comb_error_no_memory(err);
}

enum comb_status comb_activities_purge(struct comb_activities *activities, struct comb_ctx *ctx,
                                       int64_t before_us, uint64_t keep, uint64_t *ret_removed,
                                       bool *ret_more, struct comb_error *err)
{
    struct comb_items_store *store = activities->parts.store;
    const struct comb_item_scan scan = {.is_ascending = true};
    struct sieve sieve = {.before_us = before_us};
    uint64_t there = 0;
    size_t n = 0;
    enum comb_status status = keep > 0 ? store->driver->count(store, ctx, &there, err) : COMB_OK;
    if (status != COMB_OK)
        return status;
    sieve.surplus = there > keep ? there - keep : 0;
    if (!before_us && !sieve.surplus) {
        *ret_removed = 0;
        *ret_more = false;
        return COMB_OK;
    }
    status = sift_all(activities, ctx, &scan, &sieve, COMB_ACTIVITY_PURGE_MAX, &n, err);
    if (status != COMB_OK)
        return status;
    *ret_removed = n;
    *ret_more = n == COMB_ACTIVITY_PURGE_MAX;
    return COMB_OK;
}

/* ---- the purger ---- */

static bool wait_for_stop(struct comb_activities *activities)
{
    int64_t until_ns = comb_clock_in_ms(PURGE_EVERY_MS);
    bool waits = true;
    pthread_mutex_lock(&activities->lock);
    while (!activities->is_stopping && waits)
        waits = comb_cond_wait_until(&activities->stop, &activities->lock, until_ns);
    bool is_stopping = activities->is_stopping;
    pthread_mutex_unlock(&activities->lock);
    return is_stopping;
}

static void purge_once(struct comb_activities *activities)
{
    const struct comb_activities_parts *parts = &activities->parts;
    struct comb_ctx ctx = {.arena = grpcc_arena_new(0),
                           .deadline_ns = comb_clock_in_ms(PURGE_DEADLINE_MS)};
    int64_t now_ns = comb_clock_monotonic_ns();
    bool counts = !activities->counted_ns || now_ns - activities->counted_ns >= COUNT_EVERY_NS;
    struct comb_error err = {0};
    uint64_t removed = 0;
    bool more = false;
    enum comb_status status =
        ctx.arena
            ? comb_activities_purge(activities, &ctx,
                                    parts->keep_us ? comb_clock_wall_us() - parts->keep_us : 0,
                                    counts ? parts->keep_items : 0, &removed, &more, &err)
            : comb_error_no_memory(&err);
    if (status != COMB_OK)
        comb_log_error(COMB_LOG_DEBUG, "activities", "old ones were not removed", &err);
    else if (counts && !more)
        activities->counted_ns = now_ns;
    grpcc_arena_free(ctx.arena);
}

void *activities_keep_purging(void *data)
{
    struct comb_activities *activities = data;
    while (!wait_for_stop(activities))
        purge_once(activities);
    return NULL;
}
