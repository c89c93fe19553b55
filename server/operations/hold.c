/* SPDX-License-Identifier: Apache-2.0 */
/* Holding operations: leases, and the thread that renews them. */

#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/operations/internal.h"

/* A renewal that failed is tried again after this part of the lease. */
#define RETRY_PART 12

static int64_t part_ns(const struct comb_operation_engine *engine, int64_t times, int64_t of)
{
    return engine->lease_us * 1000 * times / of;
}

void operation_hold(struct comb_operation_run *run, const struct comb_operation_taken *taken,
                    int64_t sent_ns)
{
    struct comb_operation_engine *engine = run->engine;
    pthread_mutex_lock(&engine->lock);
    run->is_held = true;
    run->id = taken->id;
    run->fence = taken->fence;
    run->attempts = taken->attempts;
    run->renew_ns = sent_ns + part_ns(engine, 1, 3);
    atomic_store(&run->good_until_ns, sent_ns + part_ns(engine, 2, 3));
    atomic_store(&run->cancel, taken->cancel_wanted);
    engine->stats.taken++;
    engine->stats.running++;
    pthread_cond_signal(&engine->wake_keeper);
    pthread_mutex_unlock(&engine->lock);
}

static void held_locked(struct comb_operation_run *run, int64_t sent_ns, bool cancel)
{
    int64_t good_until_ns = sent_ns + part_ns(run->engine, 2, 3);
    run->renew_ns = sent_ns + part_ns(run->engine, 1, 3);
    /* What has been lost, or given up, stays so: its worker is on its way out. */
    if (operation_is_held(run) && good_until_ns > atomic_load(&run->good_until_ns))
        atomic_store(&run->good_until_ns, good_until_ns);
    if (cancel)
        atomic_store(&run->cancel, true);
}

void operation_held(struct comb_operation_run *run, int64_t sent_ns, bool cancel)
{
    pthread_mutex_lock(&run->engine->lock);
    held_locked(run, sent_ns, cancel);
    pthread_mutex_unlock(&run->engine->lock);
}

void operation_lost(struct comb_operation_run *run)
{
    atomic_store(&run->good_until_ns, 0);
}

void operation_let_go(struct comb_operation_run *run)
{
    struct comb_operation_engine *engine = run->engine;
    pthread_mutex_lock(&engine->lock);
    run->is_held = false;
    engine->stats.running--;
    pthread_mutex_unlock(&engine->lock);
}

bool operation_is_held(const struct comb_operation_run *run)
{
    return comb_clock_boottime_ns() < atomic_load(&run->good_until_ns);
}

bool comb_operation_may_go_on(const struct comb_operation_run *run)
{
    return operation_is_held(run) && !atomic_load(&run->cancel) &&
           !atomic_load(&run->engine->stopping);
}

enum comb_status comb_operation_plan_held(const struct comb_operation_run *run,
                                          struct comb_ctx *ctx, struct comb_plan *plan,
                                          struct comb_error *err)
{
    struct comb_operations_store *store = run->engine->store;
    return store->driver->plan_held(store, ctx, plan, &run->id, run->fence, err);
}

void operation_wait_locked(struct comb_operation_engine *engine, pthread_cond_t *condition,
                           int64_t ms)
{
    (void)comb_cond_wait_until(condition, &engine->lock, comb_clock_in_ms(ms));
}

/* Renews one lease, without the lock meanwhile. */
static void renew_locked(struct comb_operation_run *run)
{
    struct comb_operation_engine *engine = run->engine;
    const struct comb_uuid id = run->id;
    const uint64_t fence = run->fence;
    int64_t sent_ns = comb_clock_boottime_ns();
    bool is_held = false, cancel = false;
    struct comb_error err = {0};
    struct comb_ctx ctx = {.arena = grpcc_arena_new(0),
                           .deadline_ns = comb_clock_monotonic_ns() + part_ns(engine, 1, 6)};
    enum comb_status status = COMB_RESOURCE_EXHAUSTED;
    pthread_mutex_unlock(&engine->lock);
    if (ctx.arena)
        status = engine->store->driver->renew(engine->store, &ctx, &id, fence, engine->lease_us,
                                              &is_held, &cancel, &err);
    grpcc_arena_free(ctx.arena);
    if (status != COMB_OK)
        comb_log_error(COMB_LOG_DEBUG, "operations", "a lease was not renewed", &err);
    pthread_mutex_lock(&engine->lock);
    /* The worker may have ended this one meanwhile, and taken another. */
    if (!run->is_held || run->fence != fence || !comb_uuid_equal(&run->id, &id))
        return;
    if (status != COMB_OK)
        run->renew_ns = comb_clock_boottime_ns() + part_ns(engine, 1, RETRY_PART);
    else if (is_held)
        held_locked(run, sent_ns, cancel);
    else
        operation_lost(run);
}

/* The run whose turn it is; NULL: *ret_ms says when to look again. */
static struct comb_operation_run *pick_locked(struct comb_operation_engine *engine, int64_t *ret_ms)
{
    int64_t now_ns = comb_clock_boottime_ns(), left_ns = part_ns(engine, 1, 3);
    for (size_t i = 0; i < engine->n_workers; i++) {
        struct comb_operation_run *run = &engine->workers[i].run;
        if (!run->is_held || !operation_is_held(run))
            continue;
        if (run->renew_ns <= now_ns)
            return run;
        if (run->renew_ns - now_ns < left_ns)
            left_ns = run->renew_ns - now_ns;
    }
    *ret_ms = left_ns / COMB_NS_PER_MS + 1;
    return NULL;
}

void *operation_keep(void *data)
{
    struct comb_operation_engine *engine = data;
    pthread_mutex_lock(&engine->lock);
    while (!engine->keeper_stopping) {
        int64_t ms = 0;
        struct comb_operation_run *run = pick_locked(engine, &ms);
        if (run)
            renew_locked(run);
        else
            operation_wait_locked(engine, &engine->wake_keeper, ms);
    }
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}
