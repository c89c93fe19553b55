/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail's life, and the thread that numbers, signs and trims. */
#include "server/audit/audit.h"

#include "server/audit/internal.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/core/memory.h"

/* After a wake: what comes right behind goes into the same batch. */
#define GATHER_MS 20
/* How often a replica that does not hold the lease asks whether it is free. */
#define TAKE_MS 2000
#define TRIM_MS 600000
/* Each request of the last round: who stops does not wait for stores that are away. */
#define LAST_ROUND_MS_MAX 2000
/* After a head could not be signed. */
#define SEAL_AGAIN_MS 5000

static struct comb_ctx round_ctx(struct comb_audit *audit, struct grpcc_arena *arena)
{
    pthread_mutex_lock(&audit->lock);
    int64_t ms = audit->stopping ? LAST_ROUND_MS_MAX : AUDIT_ROUND_MS_MAX;
    pthread_mutex_unlock(&audit->lock);
    return (struct comb_ctx){.arena = arena, .deadline_ns = comb_clock_in_ms(ms)};
}

static void complain(struct comb_audit *audit, const char *what, const struct comb_error *err)
{
    atomic_fetch_add(&audit->failures, 1);
    /* Once, until it is good again: a store that is away is told of elsewhere. */
    comb_log_error(audit->has_complained ? COMB_LOG_DEBUG : COMB_LOG_WARN, "audit", what, err);
    audit->has_complained = true;
}

static void lose_lease(struct comb_audit *audit)
{
    comb_lease_drop(&audit->lease);
    atomic_fetch_add(&audit->lost, 1);
    atomic_store(&audit->pending_us, 0);
    audit->has_lease = audit->knows_end = false;
    atomic_store(&audit->is_held, false);
}

static bool hold(struct comb_audit *audit, struct comb_ctx *ctx)
{
    struct comb_lease_taken taken;
    struct comb_error err = {0};
    bool found = false;
    if (audit->has_lease && comb_lease_is_held(&audit->lease))
        return true;
    if (audit->has_lease)
        lose_lease(audit);
    if (comb_clock_monotonic_ns() < audit->take_ns)
        return false;
    audit->take_ns = comb_clock_in_ms(TAKE_MS);
    enum comb_status status = comb_lease_take(&audit->lease, ctx, &found, &taken, &err);
    if (status != COMB_OK)
        complain(audit, "the lease of the audit trail", &err);
    audit->has_lease = status == COMB_OK && found;
    atomic_store(&audit->is_held, audit->has_lease);
    atomic_fetch_add(&audit->taken, audit->has_lease);
    return audit->has_lease;
}

/* One thing that the holder does; false: he is none any more, or it failed. */
static bool do_one(struct comb_audit *audit, const char *what,
                   enum comb_status (*thing)(struct comb_audit *audit, struct comb_ctx *ctx,
                                             bool *ret_held, struct comb_error *err))
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_error err = {0};
    bool held = true;
    if (!arena)
        return false;
    struct comb_ctx ctx = round_ctx(audit, arena);
    enum comb_status status = thing(audit, &ctx, &held, &err);
    grpcc_arena_free(arena);
    if (status != COMB_OK) {
        /* What was answered ambiguously may have been written. */
        audit->knows_end = false;
        complain(audit, what, &err);
    } else if (!held) {
        lose_lease(audit);
    } else {
        audit->has_complained = false;
    }
    return status == COMB_OK && held;
}

static bool is_due(int64_t *when_ns, uint32_t every_ms)
{
    if (comb_clock_monotonic_ns() < *when_ns)
        return false;
    *when_ns = comb_clock_in_ms(every_ms);
    return true;
}

static void do_round(struct comb_audit *audit, bool is_last)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_error err = {0};
    if (!arena)
        return;
    struct comb_ctx ctx = round_ctx(audit, arena);
    if (audit_flush(audit, &ctx, is_last, &err) != COMB_OK)
        complain(audit, "records of the audit trail wait to be written", &err);
    bool holds = hold(audit, &ctx);
    grpcc_arena_free(arena);
    if (!holds || !do_one(audit, "the audit trail is not numbered", audit_number))
        return;
    if ((is_last || is_due(&audit->seal_ns, audit->parts.seal_ms)) &&
        !do_one(audit, "the audit trail's head is not signed", audit_seal))
        audit->seal_ns = comb_clock_in_ms(SEAL_AGAIN_MS);
    if (audit->parts.keep_us > 0 && audit->has_lease && audit->sealed > 0 &&
        is_due(&audit->trim_ns, TRIM_MS))
        (void)do_one(audit, "the audit trail is not trimmed", audit_trim);
}

/* False: it is to stop. */
static bool wait_for_work(struct comb_audit *audit)
{
    int64_t until_ns = comb_clock_in_ms(audit->parts.poll_ms);
    pthread_mutex_lock(&audit->lock);
    while (!audit->stopping && !audit->woken &&
           comb_cond_wait_until(&audit->wake, &audit->lock, until_ns))
        continue;
    if (audit->woken) {
        until_ns = comb_clock_in_ms(GATHER_MS);
        while (!audit->stopping && comb_cond_wait_until(&audit->wake, &audit->lock, until_ns))
            continue;
    }
    audit->woken = false;
    bool goes_on = !audit->stopping;
    pthread_mutex_unlock(&audit->lock);
    return goes_on;
}

static void *run(void *data)
{
    struct comb_audit *audit = data;
    while (wait_for_work(audit))
        do_round(audit, false);
    do_round(audit, true);
    struct grpcc_arena *arena = grpcc_arena_new(0);
    /* Where the store is away it would not hear it, and the lease runs out by itself. */
    if (arena && audit->has_lease && !audit->has_complained)
        comb_lease_let_go(&audit->lease, arena);
    if (audit->has_lease)
        comb_lease_drop(&audit->lease);
    grpcc_arena_free(arena);
    return NULL;
}

enum comb_status comb_audit_new(const struct comb_audit_parts *parts, struct comb_audit **ret_audit,
                                struct comb_error *err)
{
    struct comb_audit *audit = comb_memory_zalloc(sizeof *audit);
    if (!audit)
        return comb_error_no_memory(err);
    audit->parts = *parts;
    if (audit->parts.poll_ms == 0)
        audit->parts.poll_ms = COMB_AUDIT_POLL_MS;
    if (audit->parts.seal_ms == 0)
        audit->parts.seal_ms = COMB_AUDIT_SEAL_MS;
    comb_uuid_format(&parts->installation, audit->installation);
    pthread_mutex_init(&audit->lock, NULL);
    pthread_mutex_init(&audit->key_lock, NULL);
    comb_cond_init(&audit->wake);
    *ret_audit = audit;
    return COMB_OK;
}

enum comb_status comb_audit_start(struct comb_audit *audit, struct comb_error *err)
{
    enum comb_status status = comb_lease_keeper_new(
        audit->parts.leases, audit->parts.lease_ms,
        comb_uuid_is_nil(&audit->parts.holder) ? NULL : &audit->parts.holder, &audit->keeper, err);
    if (status != COMB_OK)
        return status;
    comb_lease_init(&audit->lease, audit->keeper, COMB_AUDIT_LEASE_NAME);
    /* Not at once: who has just started has little to sign. */
    audit->seal_ns = comb_clock_in_ms(audit->parts.seal_ms);
    audit->has_thread = pthread_create(&audit->thread, NULL, run, audit) == 0;
    if (!audit->has_thread)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the audit trail");
    return COMB_OK;
}

void comb_audit_wake(struct comb_audit *audit)
{
    pthread_mutex_lock(&audit->lock);
    bool is_first = !audit->woken;
    audit->woken = true;
    pthread_mutex_unlock(&audit->lock);
    if (is_first)
        pthread_cond_signal(&audit->wake);
}

void comb_audit_stop(struct comb_audit *audit)
{
    if (!audit || !audit->has_thread)
        return;
    pthread_mutex_lock(&audit->lock);
    audit->stopping = true;
    pthread_mutex_unlock(&audit->lock);
    pthread_cond_signal(&audit->wake);
    pthread_join(audit->thread, NULL);
    audit->has_thread = false;
}

void comb_audit_free(struct comb_audit *audit)
{
    if (!audit)
        return;
    comb_audit_stop(audit);
    comb_lease_keeper_free(audit->keeper);
    audit_forget(audit);
    comb_memory_wipe(audit->private_key, sizeof audit->private_key);
    pthread_cond_destroy(&audit->wake);
    pthread_mutex_destroy(&audit->key_lock);
    pthread_mutex_destroy(&audit->lock);
    comb_memory_free(audit);
}

void comb_audit_get_stats(struct comb_audit *audit, struct comb_audit_stats *ret_stats)
{
    int64_t now_us = comb_clock_wall_us(), pending_us = atomic_load(&audit->pending_us);
    *ret_stats = (struct comb_audit_stats){
        .is_held = atomic_load(&audit->is_held),
        .taken = atomic_load(&audit->taken),
        .lost = atomic_load(&audit->lost),
        .numbered = atomic_load(&audit->numbered),
        .batches = atomic_load(&audit->batches),
        .signed_n = atomic_load(&audit->signed_n),
        .failures = atomic_load(&audit->failures),
        .lag_us = pending_us > 0 && now_us > pending_us ? now_us - pending_us : 0,
    };
    pthread_mutex_lock(&audit->lock);
    ret_stats->refusals = audit->refused;
    ret_stats->outcomes_lost = audit->outcomes_lost;
    pthread_mutex_unlock(&audit->lock);
}

enum comb_status comb_audit_lag(struct comb_audit *audit, struct comb_ctx *ctx, size_t max,
                                size_t *ret_n, int64_t *ret_oldest_us, struct comb_error *err)
{
    const struct comb_audit_store_driver *driver = audit->parts.store->driver;
    const struct comb_audit_pending *first;
    size_t n = 0, n_first = 0;
    enum comb_status status = driver->waiting(audit->parts.store, ctx, max, &n, err);
    if (status == COMB_OK)
        status = driver->pending(audit->parts.store, ctx, 1, &first, &n_first, err);
    if (status != COMB_OK)
        return status;
    *ret_n = n;
    *ret_oldest_us = n_first > 0 ? comb_uuid_time_ms(&first[0].id) * AUDIT_US_PER_MS : 0;
    return COMB_OK;
}
