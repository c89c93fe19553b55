/* SPDX-License-Identifier: Apache-2.0 */
#include "server/consumers/lease.h"

#include <pthread.h>
#include <time.h>

#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/core/memory.h"

/* Between two tries to write what must be written before the lease is over. */
#define WRITE_AGAIN_MS 50
/* A renewal that failed is tried again after this part of the lease. */
#define RETRY_PART 12

struct comb_lease_keeper {
    struct comb_consumers_store *store;
    struct comb_uuid holder;
    int64_t lease_us;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t wake; /* CLOCK_MONOTONIC */
    bool stopping;
    struct comb_lease *kept;
};

static int64_t part_ns(const struct comb_lease_keeper *keeper, int64_t times, int64_t of)
{
    return keeper->lease_us * 1000 * times / of;
}

/* ---- the keeper ---- */

static void extend_locked(struct comb_lease *lease, int64_t sent_ns)
{
    int64_t good_until_ns = sent_ns + part_ns(lease->keeper, 2, 3);
    lease->renew_ns = sent_ns + part_ns(lease->keeper, 1, 3);
    /* What has been lost stays so: its holder is on its way out. */
    if (comb_lease_is_held(lease) && good_until_ns > atomic_load(&lease->good_until_ns))
        atomic_store(&lease->good_until_ns, good_until_ns);
}

static bool is_kept_locked(const struct comb_lease_keeper *keeper, const struct comb_lease *lease,
                           uint64_t fence)
{
    for (const struct comb_lease *kept = keeper->kept; kept; kept = kept->next)
        if (kept == lease)
            return lease->fence == fence;
    return false;
}

/* Renews one lease, without the lock meanwhile. */
static void renew_locked(struct comb_lease_keeper *keeper, struct comb_lease *lease)
{
    const comb_str name = comb_str_from(lease->name);
    const uint64_t fence = lease->fence;
    int64_t sent_ns = comb_clock_boottime_ns();
    bool is_held = false;
    struct comb_error err = {0};
    struct comb_ctx ctx = {.arena = grpcc_arena_new(0),
                           .deadline_ns = comb_clock_monotonic_ns() + part_ns(keeper, 1, 6)};
    enum comb_status status = COMB_RESOURCE_EXHAUSTED;
    pthread_mutex_unlock(&keeper->lock);
    if (ctx.arena)
        status = keeper->store->driver->renew(keeper->store, &ctx, name, fence, keeper->lease_us,
                                              &is_held, &err);
    grpcc_arena_free(ctx.arena);
    if (status != COMB_OK)
        comb_log_error(COMB_LOG_DEBUG, "consumers", "a lease was not renewed", &err);
    pthread_mutex_lock(&keeper->lock);
    /* Its holder may have let it go meanwhile, and taken it anew. */
    if (!is_kept_locked(keeper, lease, fence))
        return;
    if (status != COMB_OK)
        lease->renew_ns = comb_clock_boottime_ns() + part_ns(keeper, 1, RETRY_PART);
    else if (is_held)
        extend_locked(lease, sent_ns);
    else
        atomic_store(&lease->good_until_ns, 0);
}

/* The lease whose turn it is; NULL: *ret_ns says how long to wait. */
static struct comb_lease *pick_locked(struct comb_lease_keeper *keeper, int64_t *ret_ns)
{
    int64_t now_ns = comb_clock_boottime_ns(), left_ns = part_ns(keeper, 1, 3);
    for (struct comb_lease *lease = keeper->kept; lease; lease = lease->next) {
        if (!comb_lease_is_held(lease))
            continue;
        if (lease->renew_ns <= now_ns)
            return lease;
        if (lease->renew_ns - now_ns < left_ns)
            left_ns = lease->renew_ns - now_ns;
    }
    *ret_ns = left_ns;
    return NULL;
}

static void *keep(void *data)
{
    struct comb_lease_keeper *keeper = data;
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->stopping) {
        int64_t ns = 0;
        struct comb_lease *lease = pick_locked(keeper, &ns);
        if (lease)
            renew_locked(keeper, lease);
        else
            (void)comb_cond_wait_until(&keeper->wake, &keeper->lock,
                                       comb_clock_monotonic_ns() + ns);
    }
    pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

static void free_parts(struct comb_lease_keeper *keeper)
{
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->lock);
    comb_memory_free(keeper);
}

enum comb_status comb_lease_keeper_new(struct comb_consumers_store *store, uint32_t lease_ms,
                                       const struct comb_uuid *holder,
                                       struct comb_lease_keeper **ret_keeper,
                                       struct comb_error *err)
{
    struct comb_lease_keeper *keeper = comb_memory_zalloc(sizeof *keeper);
    if (!keeper)
        return comb_error_no_memory(err);
    keeper->store = store;
    keeper->holder = holder ? *holder : comb_uuid_new();
    keeper->lease_us = 1000LL * (lease_ms ? lease_ms : COMB_LEASE_MS);
    pthread_mutex_init(&keeper->lock, NULL);
    comb_cond_init(&keeper->wake);
    if (pthread_create(&keeper->thread, NULL, keep, keeper) != 0) {
        free_parts(keeper);
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the leases");
    }
    *ret_keeper = keeper;
    return COMB_OK;
}

void comb_lease_keeper_free(struct comb_lease_keeper *keeper)
{
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->stopping = true;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    free_parts(keeper);
}

int64_t comb_lease_keeper_lease_us(const struct comb_lease_keeper *keeper)
{
    return keeper->lease_us;
}

const struct comb_uuid *comb_lease_keeper_holder(const struct comb_lease_keeper *keeper)
{
    return &keeper->holder;
}

/* ---- leases ---- */

void comb_lease_init(struct comb_lease *lease, struct comb_lease_keeper *keeper, const char *name)
{
    *lease = (struct comb_lease){.name = name, .keeper = keeper};
}

bool comb_lease_is_held(const struct comb_lease *lease)
{
    return comb_clock_boottime_ns() < atomic_load(&lease->good_until_ns);
}

enum comb_status comb_lease_take(struct comb_lease *lease, struct comb_ctx *ctx, bool *ret_found,
                                 struct comb_lease_taken *ret_taken, struct comb_error *err)
{
    struct comb_lease_keeper *keeper = lease->keeper;
    struct comb_consumers_store *store = keeper->store;
    const comb_str name = comb_str_from(lease->name);
    bool is_free = false, found = false;
    int64_t sent_ns = comb_clock_boottime_ns();
    enum comb_status status = store->driver->is_free(store, ctx, name, &is_free, err);
    if (status == COMB_OK && is_free)
        status = store->driver->take(store, ctx, name, &keeper->holder, keeper->lease_us, &found,
                                     ret_taken, err);
    if (status != COMB_OK)
        return status;
    *ret_found = found;
    if (!found)
        return COMB_OK;
    pthread_mutex_lock(&keeper->lock);
    lease->fence = ret_taken->fence;
    lease->renew_ns = sent_ns + part_ns(keeper, 1, 3);
    atomic_store(&lease->good_until_ns, sent_ns + part_ns(keeper, 2, 3));
    if (!lease->is_kept) {
        lease->next = keeper->kept;
        keeper->kept = lease;
    }
    lease->is_kept = true;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->lock);
    return COMB_OK;
}

static void pause_ms(long ms)
{
    const struct timespec pause = {0, ms * COMB_NS_PER_MS};
    (void)nanosleep(&pause, NULL);
}

bool comb_lease_write(struct comb_lease *lease, struct grpcc_arena *arena, bool extends,
                      comb_lease_write_fn write, void *data)
{
    struct comb_lease_keeper *keeper = lease->keeper;
    struct comb_ctx ctx = {.arena = arena};
    while (comb_lease_is_held(lease)) {
        int64_t sent_ns = comb_clock_boottime_ns();
        int64_t left_ns = atomic_load(&lease->good_until_ns) - sent_ns;
        bool is_held = false;
        struct comb_error err = {0};
        ctx.deadline_ns = comb_clock_monotonic_ns() + left_ns;
        enum comb_status status = write(data, &ctx, &is_held, &err);
        if (status == COMB_OK && !is_held)
            break;
        if (status == COMB_OK) {
            pthread_mutex_lock(&keeper->lock);
            if (extends)
                extend_locked(lease, sent_ns);
            pthread_mutex_unlock(&keeper->lock);
            return true;
        }
        comb_log_error(COMB_LOG_DEBUG, "consumers", "a write must be repeated", &err);
        pause_ms(WRITE_AGAIN_MS);
    }
    comb_lease_drop(lease);
    return false;
}

static enum comb_status release(void *data, struct comb_ctx *ctx, bool *ret_held,
                                struct comb_error *err)
{
    const struct comb_lease *lease = data;
    struct comb_consumers_store *store = lease->keeper->store;
    return store->driver->release(store, ctx, comb_str_from(lease->name), lease->fence, ret_held,
                                  err);
}

void comb_lease_let_go(struct comb_lease *lease, struct grpcc_arena *arena)
{
    /* Where the store does not answer, the lease runs out by itself. */
    if (comb_lease_write(lease, arena, false, release, lease))
        comb_lease_drop(lease);
}

void comb_lease_drop(struct comb_lease *lease)
{
    struct comb_lease_keeper *keeper = lease->keeper;
    pthread_mutex_lock(&keeper->lock);
    atomic_store(&lease->good_until_ns, 0);
    for (struct comb_lease **at = &keeper->kept; *at; at = &(*at)->next) {
        if (*at == lease) {
            *at = lease->next;
            break;
        }
    }
    lease->is_kept = false;
    pthread_mutex_unlock(&keeper->lock);
}
