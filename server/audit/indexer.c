/* SPDX-License-Identifier: Apache-2.0 */
#include "server/audit/indexer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "server/audit/index.h"
#include "server/consumers/lease.h"
#include "server/core/backoff.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/core/memory.h"

#define COMPONENT "audit"
/* Of one round. */
#define ROUND_MS_MAX 10000
/* How often a replica that does not hold the lease asks whether it is free. */
#define TAKE_MS 2000
/* After a failure, at most. */
#define RETRY_FIRST_MS 200
#define RETRY_MS_MAX 5000
/* Between looks for items of lines that are gone, and how many a look passes. */
#define TIDY_MS 600000
#define TIDY_MAX 1024

struct comb_audit_indexer {
    struct comb_audit_indexer_parts parts;
    struct comb_lease_keeper *keeper;
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;

    /* of the thread alone */
    struct comb_lease lease;
    bool has_lease;
    uint64_t epoch;  /* of the lease that is held */
    int64_t take_ns; /* CLOCK_MONOTONIC: not before */
    int64_t tidy_ns; /* likewise */
    bool tidies_all; /* not only the oldest items: those of epochs before, too */
    char tidied[COMB_ITEM_ID_LENGTH + 1]; /* up to which place */
    struct comb_backoff backoff;
    bool has_complained;

    _Atomic uint64_t taken, lost, batches, lines, failures;
    _Atomic int64_t pending_us; /* when the oldest line was numbered that is known to wait */
    atomic_bool is_held;
};

/* ---- the lease ---- */

static void lose_lease(struct comb_audit_indexer *indexer)
{
    comb_lease_drop(&indexer->lease);
    atomic_fetch_add(&indexer->lost, 1);
    atomic_store(&indexer->pending_us, 0);
    indexer->has_lease = false;
    atomic_store(&indexer->is_held, false);
}

struct move {
    struct comb_audit_indexer *indexer;
    struct comb_consumer_place place;
};

static enum comb_status move_place(void *data, struct comb_ctx *ctx, bool *ret_held,
                                   struct comb_error *err)
{
    const struct move *move = data;
    const struct comb_audit_indexer *indexer = move->indexer;
    struct comb_consumers_store *leases = indexer->parts.leases;
    return leases->driver->advance(
        leases, ctx, comb_str_from(indexer->lease.name), indexer->lease.fence,
        comb_lease_keeper_lease_us(indexer->keeper), &move->place, ret_held, err);
}

/* The lease's row says where the index is. False: the lease is lost. */
static bool move_to(struct comb_audit_indexer *indexer, struct comb_ctx *ctx, uint64_t epoch,
                    uint64_t n)
{
    struct move move = {indexer, {.cursor = {indexer->parts.history, n}, .epoch = epoch}};
    if (!comb_lease_write(&indexer->lease, ctx->arena, true, move_place, &move)) {
        lose_lease(indexer);
        return false;
    }
    indexer->epoch = epoch;
    return true;
}

/* A new epoch, with no items yet. False: the lease is lost. */
static bool begin_anew(struct comb_audit_indexer *indexer, struct comb_ctx *ctx, uint64_t before)
{
    /* The clock, since a restored row does not know how far a lost one had come. */
    uint64_t now_us = (uint64_t)comb_clock_wall_us();
    if (!move_to(indexer, ctx, now_us > before ? now_us : before + 1, 0))
        return false;
    comb_log(COMB_LOG_INFO, COMPONENT, "the index of the trail is built anew",
             comb_log_integer("epoch", (int64_t)indexer->epoch));
    indexer->tidies_all = true;
    return true;
}

static enum comb_status take_lease(struct comb_audit_indexer *indexer, struct comb_ctx *ctx,
                                   struct comb_error *err)
{
    struct comb_lease_taken taken;
    bool found = false;
    indexer->take_ns = comb_clock_in_ms(TAKE_MS);
    enum comb_status status = comb_lease_take(&indexer->lease, ctx, &found, &taken, err);
    if (status != COMB_OK || !found)
        return status;
    indexer->has_lease = true;
    indexer->epoch = taken.place.epoch;
    indexer->tidies_all = true;
    indexer->tidied[0] = '\0';
    indexer->tidy_ns = 0;
    atomic_store(&indexer->is_held, true);
    atomic_fetch_add(&indexer->taken, 1);
    if (taken.place.rebuild != COMB_REBUILD_NONE ||
        taken.place.cursor.incarnation != indexer->parts.history)
        (void)begin_anew(indexer, ctx, indexer->epoch);
    return COMB_OK;
}

/* ---- lines become items ---- */

/* COMB_ITEM_SCAN_MAX of them at most. */
static enum comb_status put_some(struct comb_audit_indexer *indexer, struct comb_ctx *ctx,
                                 const struct comb_audit_row *rows, size_t n,
                                 struct comb_error *err)
{
    struct comb_items_store *store = indexer->parts.items;
    struct comb_item items[COMB_ITEM_SCAN_MAX];
    size_t n_items = 0;
    enum comb_status status = COMB_OK;
    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        bool is = false;
        status = audit_to_item(ctx, indexer->epoch, &rows[i], &items[n_items], &is, err);
        n_items += is;
    }
    return status == COMB_OK && n_items > 0 ? store->driver->put(store, ctx, items, n_items, err)
                                            : status;
}

/* The lines behind number `reached`, up to a batch. */
static enum comb_status index_behind(struct comb_audit_indexer *indexer, struct comb_ctx *ctx,
                                     uint64_t reached, size_t *ret_n, bool *ret_held,
                                     struct comb_error *err)
{
    struct comb_audit_store *store = indexer->parts.store;
    const struct comb_audit_row *rows;
    enum comb_status status =
        store->driver->lines(store, ctx, reached, COMB_AUDIT_BATCH_MAX, &rows, ret_n, err);
    if (status != COMB_OK || *ret_n == 0)
        return status;
    atomic_store(&indexer->pending_us, rows[0].line.time_us);
    for (size_t at = 0; at < *ret_n && status == COMB_OK; at += COMB_ITEM_SCAN_MAX) {
        size_t n = *ret_n - at < COMB_ITEM_SCAN_MAX ? *ret_n - at : COMB_ITEM_SCAN_MAX;
        status = put_some(indexer, ctx, rows + at, n, err);
    }
    const uint64_t last = rows[*ret_n - 1].line.n;
    if (status == COMB_OK)
        status = audit_reach(indexer->parts.items, ctx, indexer->epoch, last, err);
    if (status != COMB_OK)
        return status;
    atomic_fetch_add(&indexer->lines, *ret_n);
    atomic_fetch_add(&indexer->batches, 1);
    *ret_held = move_to(indexer, ctx, indexer->epoch, last);
    return COMB_OK;
}

/* A batch. How far the index is is asked each time: it may have been lost meanwhile. *ret_n: how
 * many lines there were; *ret_held false: the lease is lost. */
static enum comb_status index_batch(struct comb_audit_indexer *indexer, struct comb_ctx *ctx,
                                    size_t *ret_n, bool *ret_held, struct comb_error *err)
{
    struct comb_audit_store *store = indexer->parts.store;
    struct comb_audit_end end;
    uint64_t reached = 0;
    enum comb_status status =
        audit_reached(indexer->parts.items, ctx, indexer->epoch, &reached, err);
    if (status == COMB_OK)
        status = store->driver->end(store, ctx, &end, err);
    if (status != COMB_OK)
        return status;
    /* The trail has lost its end: what is behind is not what it was. */
    if (end.n < reached)
        *ret_held = begin_anew(indexer, ctx, indexer->epoch);
    else if (end.n > reached)
        status = index_behind(indexer, ctx, reached, ret_n, ret_held, err);
    if (status == COMB_OK && *ret_n < COMB_AUDIT_BATCH_MAX)
        atomic_store(&indexer->pending_us, 0);
    return status;
}

/* ---- items of lines that are gone ---- */

/* Those that go, of items: of lines up to floor, and of epochs before. Never of a later one: who
 * has lost the lease and does not know it yet must not harm who has it now. */
static size_t choose(const struct comb_audit_indexer *indexer, const struct comb_item *items,
                     size_t n, uint64_t floor, comb_str *ret_places)
{
    size_t n_places = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t number = 0, epoch = 0;
        if (audit_item_read(&items[i], &number, &epoch) &&
            (epoch < indexer->epoch || (epoch == indexer->epoch && number <= floor)))
            ret_places[n_places++] = items[i].at;
    }
    return n_places;
}

/* One batch of the walk from the oldest item on. *ret_more: there is more to look at. */
static enum comb_status tidy_batch(struct comb_audit_indexer *indexer, struct comb_ctx *ctx,
                                   uint64_t floor, bool *ret_more, struct comb_error *err)
{
    struct comb_items_store *store = indexer->parts.items;
    const struct comb_item_scan scan = {
        .after = comb_str_from(indexer->tidied), .is_ascending = true, .max = COMB_ITEM_SCAN_MAX};
    const struct comb_item *items;
    comb_str places[COMB_ITEM_SCAN_MAX];
    size_t n = 0;
    enum comb_status status = store->driver->scan(store, ctx, &scan, &items, &n, err);
    if (status != COMB_OK)
        return status;
    size_t n_places = choose(indexer, items, n, floor, places);
    if (n_places > 0)
        status = store->driver->remove(store, ctx, places, n_places, err);
    if (status != COMB_OK)
        return status;
    *ret_more = n == COMB_ITEM_SCAN_MAX && (indexer->tidies_all || n_places > 0);
    if (*ret_more && items[n - 1].at.len == COMB_ITEM_ID_LENGTH)
        memcpy(indexer->tidied, items[n - 1].at.ptr, COMB_ITEM_ID_LENGTH);
    return COMB_OK;
}

static enum comb_status tidy(struct comb_audit_indexer *indexer, struct comb_ctx *ctx,
                             struct comb_error *err)
{
    struct comb_audit_store *store = indexer->parts.store;
    struct comb_audit_seal floor = {.n = 0};
    bool has_floor = false, more = true;
    enum comb_status status =
        store->driver->seal(store, ctx, COMB_AUDIT_FLOOR, &has_floor, &floor, err);
    if (status == COMB_OK)
        status = audit_forget_before(indexer->parts.items, ctx, indexer->epoch, err);
    for (size_t n = 0; status == COMB_OK && more && n < TIDY_MAX; n += COMB_ITEM_SCAN_MAX) {
        if (!comb_lease_is_held(&indexer->lease))
            return COMB_OK;
        status = tidy_batch(indexer, ctx, has_floor ? floor.n : 0, &more, err);
    }
    if (status == COMB_OK && !more) {
        indexer->tidied[0] = '\0';
        indexer->tidies_all = false;
        indexer->tidy_ns = comb_clock_in_ms(TIDY_MS);
    }
    return status;
}

/* ---- the thread ---- */

static bool is_stopping(struct comb_audit_indexer *indexer)
{
    pthread_mutex_lock(&indexer->lock);
    bool stopping = indexer->stopping;
    pthread_mutex_unlock(&indexer->lock);
    return stopping;
}

/* One thing, and whether there is more to do at once. */
static enum comb_status do_round(struct comb_audit_indexer *indexer, struct comb_ctx *ctx,
                                 bool *ret_more, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    bool held = true;
    size_t n = 0;
    if (indexer->has_lease && !comb_lease_is_held(&indexer->lease))
        lose_lease(indexer);
    if (!indexer->has_lease) {
        if (comb_clock_monotonic_ns() >= indexer->take_ns)
            status = take_lease(indexer, ctx, err);
        *ret_more = status == COMB_OK && indexer->has_lease;
        return status;
    }
    status = index_batch(indexer, ctx, &n, &held, err);
    *ret_more = n == COMB_AUDIT_BATCH_MAX && held;
    if (status == COMB_OK && held && !*ret_more && comb_clock_monotonic_ns() >= indexer->tidy_ns)
        status = tidy(indexer, ctx, err);
    return status;
}

static void complain(struct comb_audit_indexer *indexer, const struct comb_error *err)
{
    atomic_fetch_add(&indexer->failures, 1);
    /* Once, until it is good again: a store that is away is told of elsewhere. */
    comb_log_error(indexer->has_complained ? COMB_LOG_DEBUG : COMB_LOG_WARN, COMPONENT,
                   "lines of the trail wait to be indexed", err);
    indexer->has_complained = true;
}

/* How long to wait then. */
static uint32_t work(struct comb_audit_indexer *indexer)
{
    bool more = true;
    while (more && !is_stopping(indexer)) {
        struct comb_error err = {0};
        struct comb_ctx ctx = {.arena = grpcc_arena_new(0),
                               .deadline_ns = comb_clock_in_ms(ROUND_MS_MAX)};
        more = false;
        enum comb_status status =
            ctx.arena ? do_round(indexer, &ctx, &more, &err) : comb_error_no_memory(&err);
        grpcc_arena_free(ctx.arena);
        if (status != COMB_OK) {
            complain(indexer, &err);
            return comb_backoff_next_ms(&indexer->backoff);
        }
        indexer->has_complained = false;
        comb_backoff_reset(&indexer->backoff);
    }
    return indexer->parts.poll_ms;
}

static void *run(void *data)
{
    struct comb_audit_indexer *indexer = data;
    while (!is_stopping(indexer)) {
        int64_t until_ns = comb_clock_in_ms(work(indexer));
        pthread_mutex_lock(&indexer->lock);
        while (!indexer->stopping && comb_cond_wait_until(&indexer->wake, &indexer->lock, until_ns))
            continue;
        pthread_mutex_unlock(&indexer->lock);
    }
    struct grpcc_arena *arena = grpcc_arena_new(0);
    /* Where the store is away it would not hear it, and the lease runs out by itself. */
    if (arena && indexer->has_lease && !indexer->has_complained)
        comb_lease_let_go(&indexer->lease, arena);
    if (indexer->has_lease)
        comb_lease_drop(&indexer->lease);
    grpcc_arena_free(arena);
    return NULL;
}

/* ---- life ---- */

enum comb_status comb_audit_indexer_new(const struct comb_audit_indexer_parts *parts,
                                        struct comb_audit_indexer **ret_indexer,
                                        struct comb_error *err)
{
    struct comb_audit_indexer *indexer = comb_memory_zalloc(sizeof *indexer);
    if (!indexer)
        return comb_error_no_memory(err);
    indexer->parts = *parts;
    if (indexer->parts.poll_ms == 0)
        indexer->parts.poll_ms = COMB_AUDIT_INDEX_POLL_MS;
    indexer->backoff = (struct comb_backoff){RETRY_FIRST_MS, RETRY_MS_MAX, 0};
    pthread_mutex_init(&indexer->lock, NULL);
    comb_cond_init(&indexer->wake);
    *ret_indexer = indexer;
    return COMB_OK;
}

enum comb_status comb_audit_indexer_start(struct comb_audit_indexer *indexer,
                                          struct comb_error *err)
{
    const struct comb_audit_indexer_parts *parts = &indexer->parts;
    enum comb_status status = comb_lease_keeper_new(
        parts->leases, parts->lease_ms, comb_uuid_is_nil(&parts->holder) ? NULL : &parts->holder,
        &indexer->keeper, err);
    if (status != COMB_OK)
        return status;
    comb_lease_init(&indexer->lease, indexer->keeper, COMB_AUDIT_INDEX_LEASE_NAME);
    indexer->has_thread = pthread_create(&indexer->thread, NULL, run, indexer) == 0;
    if (!indexer->has_thread)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0,
                              "no thread for the audit trail's index");
    return COMB_OK;
}

void comb_audit_indexer_stop(struct comb_audit_indexer *indexer)
{
    if (!indexer || !indexer->has_thread)
        return;
    pthread_mutex_lock(&indexer->lock);
    indexer->stopping = true;
    pthread_mutex_unlock(&indexer->lock);
    pthread_cond_signal(&indexer->wake);
    pthread_join(indexer->thread, NULL);
    indexer->has_thread = false;
}

void comb_audit_indexer_free(struct comb_audit_indexer *indexer)
{
    if (!indexer)
        return;
    comb_audit_indexer_stop(indexer);
    comb_lease_keeper_free(indexer->keeper);
    pthread_cond_destroy(&indexer->wake);
    pthread_mutex_destroy(&indexer->lock);
    comb_memory_free(indexer);
}

/* ---- looking on ---- */

enum comb_status comb_audit_indexer_begin_anew(struct comb_audit_indexer *indexer,
                                               struct comb_ctx *ctx, struct comb_error *err)
{
    struct comb_consumers_store *leases = indexer->parts.leases;
    uint64_t epoch = 0;
    enum comb_status status =
        leases->driver->begin_anew(leases, ctx, STR(COMB_AUDIT_INDEX_LEASE_NAME), &epoch, err);
    if (status != COMB_NOT_FOUND)
        return status;
    return comb_error_set(err, COMB_UNAVAILABLE, 0, "there is no index of the audit trail yet");
}

void comb_audit_indexer_get_stats(struct comb_audit_indexer *indexer,
                                  struct comb_audit_indexer_stats *ret_stats)
{
    int64_t now_us = comb_clock_wall_us(), pending_us = atomic_load(&indexer->pending_us);
    *ret_stats = (struct comb_audit_indexer_stats){
        .is_held = atomic_load(&indexer->is_held),
        .taken = atomic_load(&indexer->taken),
        .lost = atomic_load(&indexer->lost),
        .batches = atomic_load(&indexer->batches),
        .lines = atomic_load(&indexer->lines),
        .failures = atomic_load(&indexer->failures),
        .lag_us = pending_us > 0 && now_us > pending_us ? now_us - pending_us : 0,
    };
}

enum comb_status comb_audit_indexer_lag(struct comb_audit_indexer *indexer, struct comb_ctx *ctx,
                                        size_t max, size_t *ret_n, int64_t *ret_oldest_us,
                                        struct comb_error *err)
{
    struct comb_audit_store *store = indexer->parts.store;
    struct comb_consumers_store *leases = indexer->parts.leases;
    struct comb_consumer_place place = {.epoch = 0};
    struct comb_audit_end end;
    const struct comb_audit_row *first;
    size_t n = 0;
    enum comb_status status =
        leases->driver->place(leases, ctx, STR(COMB_AUDIT_INDEX_LEASE_NAME), &place, err);
    if (status == COMB_OK)
        status = store->driver->end(store, ctx, &end, err);
    if (status == COMB_OK)
        status = store->driver->lines(store, ctx, place.cursor.sequence, 1, &first, &n, err);
    if (status != COMB_OK)
        return status;
    uint64_t behind = n > 0 ? end.n - first[0].line.n + 1 : 0;
    *ret_n = behind < max ? (size_t)behind : max;
    *ret_oldest_us = n > 0 ? first[0].line.time_us : 0;
    return COMB_OK;
}
