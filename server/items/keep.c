/* SPDX-License-Identifier: Apache-2.0 */
#include "server/items/keep.h"

#include <pthread.h>

#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/core/memory.h"

#define PURGE_EVERY_MS 60000
#define PURGE_DEADLINE_MS 30000
/* Counting takes time. */
#define COUNT_EVERY_NS (600LL * 1000 * COMB_NS_PER_MS)

struct comb_items_keeper {
    struct comb_items_keep keep;
    pthread_t thread;
    int64_t counted_ns; /* the thread's own: when it last counted all */
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool is_stopping; /* under the lock */
};

/* ---- sifting ---- */

static enum comb_status sift(struct comb_items_store *store, comb_items_time_fn time_of,
                             struct comb_ctx *ctx, const struct comb_item *items, size_t n,
                             struct comb_items_sieve *sieve, size_t *ret_n, struct comb_error *err)
{
    comb_str ats[COMB_ITEM_SCAN_MAX];
    size_t n_ats = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t us = 0;
        /* What cannot be read is as old as what is around it. */
        bool goes = !time_of(ctx, &items[i], &us) || sieve->surplus > 0 ||
                    (sieve->before_us && us < sieve->before_us) ||
                    (sieve->from_us && us >= sieve->from_us);
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

enum comb_status comb_items_sift(struct comb_items_store *store, comb_items_time_fn time_of,
                                 struct comb_ctx *ctx, const struct comb_item_scan *scan,
                                 struct comb_items_sieve *sieve, size_t max, size_t *ret_n,
                                 struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    size_t n_gone = 1, n_all = 0;
    while (status == COMB_OK && n_gone > 0 && n_all < max) {
        const struct comb_item *items;
        struct comb_item_scan next = *scan;
        size_t n = 0;
        next.max = max - n_all < COMB_ITEM_SCAN_MAX ? max - n_all : COMB_ITEM_SCAN_MAX;
        n_gone = 0;
        status = store->driver->scan(store, ctx, &next, &items, &n, err);
        if (status == COMB_OK)
            status = sift(store, time_of, ctx, items, n, sieve, &n_gone, err);
        n_all += n_gone;
    }
    if (status == COMB_OK)
        *ret_n = n_all;
    return status;
}

enum comb_status comb_items_purge(const struct comb_items_keep *keep, struct comb_ctx *ctx,
                                  int64_t before_us, uint64_t keep_items, uint64_t *ret_removed,
                                  bool *ret_more, struct comb_error *err)
{
    struct comb_items_store *store = keep->store;
    const struct comb_item_scan scan = {.is_ascending = true};
    struct comb_items_sieve sieve = {.before_us = before_us};
    uint64_t there = 0;
    size_t n = 0;
    enum comb_status status =
        keep_items > 0 ? store->driver->count(store, ctx, &there, err) : COMB_OK;
    if (status != COMB_OK)
        return status;
    sieve.surplus = there > keep_items && keep_items > 0 ? there - keep_items : 0;
    if (before_us || sieve.surplus)
        status = comb_items_sift(store, keep->time_of, ctx, &scan, &sieve, COMB_ITEMS_PURGE_MAX, &n,
                                 err);
    if (status != COMB_OK)
        return status;
    *ret_removed = n;
    *ret_more = n == COMB_ITEMS_PURGE_MAX;
    return COMB_OK;
}

/* ---- the thread ---- */

static bool wait_for_stop(struct comb_items_keeper *keeper, int64_t until_ns)
{
    bool waits = true;
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->is_stopping && waits)
        waits = comb_cond_wait_until(&keeper->stop, &keeper->lock, until_ns);
    bool is_stopping = keeper->is_stopping;
    pthread_mutex_unlock(&keeper->lock);
    return is_stopping;
}

/* True: there is more that goes. */
static bool purge_once(struct comb_items_keeper *keeper)
{
    const struct comb_items_keep *keep = &keeper->keep;
    struct comb_ctx ctx = {.arena = grpcc_arena_new(0),
                           .deadline_ns = comb_clock_in_ms(PURGE_DEADLINE_MS)};
    int64_t now_ns = comb_clock_monotonic_ns();
    bool counts = !keeper->counted_ns || now_ns - keeper->counted_ns >= COUNT_EVERY_NS;
    struct comb_error err = {0};
    uint64_t removed = 0;
    bool more = false;
    enum comb_status status =
        ctx.arena
            ? comb_items_purge(keep, &ctx, keep->keep_us ? comb_clock_wall_us() - keep->keep_us : 0,
                               counts ? keep->keep_items : 0, &removed, &more, &err)
            : comb_error_no_memory(&err);
    if (status != COMB_OK)
        comb_log_error(COMB_LOG_DEBUG, keep->component, "old ones were not removed", &err);
    else if (counts && !more)
        keeper->counted_ns = now_ns;
    grpcc_arena_free(ctx.arena);
    return more;
}

static void *keep_purging(void *data)
{
    struct comb_items_keeper *keeper = data;
    while (!wait_for_stop(keeper, comb_clock_in_ms(PURGE_EVERY_MS)))
        while (purge_once(keeper) && !wait_for_stop(keeper, 0))
            continue;
    return NULL;
}

enum comb_status comb_items_keeper_new(const struct comb_items_keep *keep,
                                       struct comb_items_keeper **ret_keeper,
                                       struct comb_error *err)
{
    struct comb_items_keeper *keeper = comb_memory_zalloc(sizeof *keeper);
    if (!keeper)
        return comb_error_no_memory(err);
    keeper->keep = *keep;
    pthread_mutex_init(&keeper->lock, NULL);
    comb_cond_init(&keeper->stop);
    if (pthread_create(&keeper->thread, NULL, keep_purging, keeper) != 0) {
        pthread_cond_destroy(&keeper->stop);
        pthread_mutex_destroy(&keeper->lock);
        comb_memory_free(keeper);
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread that removes old items");
    }
    *ret_keeper = keeper;
    return COMB_OK;
}

void comb_items_keeper_free(struct comb_items_keeper *keeper)
{
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->is_stopping = true;
    pthread_cond_signal(&keeper->stop);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    pthread_cond_destroy(&keeper->stop);
    pthread_mutex_destroy(&keeper->lock);
    comb_memory_free(keeper);
}
