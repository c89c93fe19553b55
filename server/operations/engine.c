/* SPDX-License-Identifier: Apache-2.0 */
#include "server/operations/engine.h"

#include <stdio.h>
#include <string.h>

#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/core/memory.h"
#include "server/core/random.h"
#include "server/operations/internal.h"

/* Looking for work and taking it. */
#define TAKE_MS_MAX 5000
/* Rows that one statement of the purge deletes. */
#define PURGE_ROWS 1000

/* ---- workers ---- */

/* Takes one, if there is one to take. */
static enum comb_status take(struct comb_operation_engine *engine, struct comb_ctx *ctx,
                             bool *ret_found, struct comb_operation_taken *ret_taken,
                             struct comb_error *err)
{
    struct comb_operations_store *store = engine->store;
    comb_str names = comb_str_from(engine->names);
    bool is_ready = false;
    enum comb_status status = store->driver->is_ready(store, ctx, names, &is_ready, err);
    if (status != COMB_OK || !is_ready)
        return status;
    status = store->driver->poison(store, ctx, COMB_OPERATION_ATTEMPTS_MAX, err);
    if (status == COMB_OK)
        status = store->driver->take(store, ctx, names, &engine->holder, engine->lease_us,
                                     ret_found, ret_taken, err);
    return status;
}

/* Takes and runs one; false: there was none, or the store does not answer. */
static bool serve(struct operation_worker *worker, struct grpcc_arena *arenas[3])
{
    struct comb_operation_engine *engine = worker->engine;
    struct comb_operation_taken taken;
    struct comb_error err = {0};
    bool found = false;
    /* The first of the arenas has what was taken, the others are its steps'. */
    grpcc_arena_reset(arenas[0]);
    int64_t sent_ns = comb_clock_boottime_ns();
    struct comb_ctx ctx = {.arena = arenas[0],
                           .deadline_ns = comb_clock_monotonic_ns() + TAKE_MS_MAX * COMB_NS_PER_MS};
    enum comb_status status = take(engine, &ctx, &found, &taken, &err);
    if (status != COMB_OK)
        comb_log_error(COMB_LOG_DEBUG, "operations", "could not look for operations", &err);
    if (!found)
        return false;
    /* There may be more, for others. */
    comb_operation_engine_wake(engine);
    operation_hold(&worker->run, &taken, sent_ns);
    operation_run(&worker->run, &taken, arenas + 1);
    operation_let_go(&worker->run);
    return true;
}

/* Waits for the next look, which one worker takes for all; false: it is to stop. */
static bool wait_for_look(struct comb_operation_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    while (!atomic_load(&engine->stopping)) {
        int64_t now_ns = comb_clock_monotonic_ns();
        if (now_ns >= engine->next_look_ns) {
            uint32_t jitter = 0;
            comb_random(&jitter, sizeof jitter);
            engine->next_look_ns =
                now_ns + (engine->poll_ms + jitter % (engine->poll_ms / 4 + 1)) * COMB_NS_PER_MS;
            break;
        }
        operation_wait_locked(engine, &engine->wake_workers,
                              (engine->next_look_ns - now_ns) / COMB_NS_PER_MS + 1);
    }
    pthread_mutex_unlock(&engine->lock);
    return !atomic_load(&engine->stopping);
}

static void *work(void *data)
{
    struct operation_worker *worker = data;
    struct grpcc_arena *arenas[3] = {grpcc_arena_new(0), grpcc_arena_new(0), grpcc_arena_new(0)};
    bool ok = arenas[0] && arenas[1] && arenas[2];
    while (ok && wait_for_look(worker->engine))
        while (!atomic_load(&worker->engine->stopping) && serve(worker, arenas))
            continue;
    for (size_t i = 0; i < 3; i++)
        grpcc_arena_free(arenas[i]);
    return NULL;
}

/* ---- the engine ---- */

enum comb_status comb_operation_engine_new(const struct comb_operation_engine_options *options,
                                           struct comb_operation_engine **ret_engine,
                                           struct comb_error *err)
{
    struct comb_operation_engine *engine = comb_memory_zalloc(sizeof *engine);
    if (!engine)
        return comb_error_no_memory(err);
    engine->store = options->store;
    engine->holder = comb_uuid_new();
    engine->lease_us = 1000LL * (options->lease_ms ? options->lease_ms : COMB_OPERATION_LEASE_MS);
    engine->poll_ms = options->poll_ms ? options->poll_ms : COMB_OPERATION_POLL_MS;
    engine->names[0] = ',';
    pthread_mutex_init(&engine->lock, NULL);
    comb_cond_init(&engine->wake_workers);
    comb_cond_init(&engine->wake_keeper);
    for (size_t i = 0; i < COMB_OPERATION_WORKERS; i++) {
        engine->workers[i].engine = engine;
        engine->workers[i].run.engine = engine;
    }
    *ret_engine = engine;
    return COMB_OK;
}

enum comb_status comb_operation_engine_add(struct comb_operation_engine *engine,
                                           const struct comb_operation_kind *kind,
                                           struct comb_error *err)
{
    size_t length = strlen(engine->names), left = sizeof engine->names - length;
    if (engine->n_kinds == COMB_OPERATION_KINDS_MAX ||
        strlen(kind->name) > COMB_OPERATION_KIND_BYTES_MAX)
        return comb_error_set(err, COMB_INTERNAL, 0, "no room for the operation kind %.80s",
                              kind->name);
    snprintf(engine->names + length, left, "%s,", kind->name);
    engine->kinds[engine->n_kinds++] = *kind;
    return COMB_OK;
}

const struct comb_operation_kind *
comb_operation_engine_kind(const struct comb_operation_engine *engine, comb_str name)
{
    for (size_t i = 0; i < engine->n_kinds; i++)
        if (comb_str_equal(comb_str_from(engine->kinds[i].name), name))
            return &engine->kinds[i];
    return NULL;
}

void comb_operation_engine_listen(struct comb_operation_engine *engine, void (*changed)(void *data),
                                  void *data)
{
    engine->changed = changed;
    engine->changed_data = data;
}

enum comb_status comb_operation_engine_start(struct comb_operation_engine *engine,
                                             struct comb_error *err)
{
    engine->has_keeper = pthread_create(&engine->keeper, NULL, operation_keep, engine) == 0;
    /* The keeper looks at workers by their number. */
    pthread_mutex_lock(&engine->lock);
    while (engine->has_keeper && engine->n_workers < COMB_OPERATION_WORKERS) {
        struct operation_worker *worker = &engine->workers[engine->n_workers];
        if (pthread_create(&worker->thread, NULL, work, worker) != 0)
            break;
        engine->n_workers++;
    }
    bool ok = engine->n_workers == COMB_OPERATION_WORKERS;
    pthread_mutex_unlock(&engine->lock);
    if (ok)
        return COMB_OK;
    comb_operation_engine_stop(engine);
    return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the operations");
}

void comb_operation_engine_wake(struct comb_operation_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    engine->next_look_ns = 0;
    pthread_cond_signal(&engine->wake_workers);
    pthread_mutex_unlock(&engine->lock);
}

void comb_operation_engine_stop(struct comb_operation_engine *engine)
{
    if (!engine)
        return;
    pthread_mutex_lock(&engine->lock);
    atomic_store(&engine->stopping, true);
    pthread_cond_broadcast(&engine->wake_workers);
    pthread_mutex_unlock(&engine->lock);
    for (size_t i = 0; i < engine->n_workers; i++)
        pthread_join(engine->workers[i].thread, NULL);
    /* Leases are kept while the last steps run. */
    pthread_mutex_lock(&engine->lock);
    engine->n_workers = 0;
    engine->keeper_stopping = true;
    pthread_cond_signal(&engine->wake_keeper);
    pthread_mutex_unlock(&engine->lock);
    if (engine->has_keeper)
        pthread_join(engine->keeper, NULL);
    engine->has_keeper = false;
}

void comb_operation_engine_free(struct comb_operation_engine *engine)
{
    if (!engine)
        return;
    comb_operation_engine_stop(engine);
    pthread_cond_destroy(&engine->wake_keeper);
    pthread_cond_destroy(&engine->wake_workers);
    pthread_mutex_destroy(&engine->lock);
    comb_memory_free(engine);
}

/* ---- for the janitor ---- */

enum comb_status comb_operation_engine_make_due(struct comb_operation_engine *engine,
                                                struct comb_ctx *ctx, const char *kind,
                                                int64_t interval_us, struct comb_error *err)
{
    const struct comb_operation_new new = {
        .id = comb_uuid_new(), .kind = comb_str_from(kind), .key = comb_str_from(kind)};
    bool made = false;
    enum comb_status status =
        engine->store->driver->make_due(engine->store, ctx, &new, interval_us, &made, err);
    if (status == COMB_OK && made)
        comb_operation_engine_wake(engine);
    return status;
}

enum comb_status comb_operation_engine_purge(struct comb_operation_engine *engine,
                                             struct comb_ctx *ctx, struct comb_error *err)
{
    size_t n = PURGE_ROWS;
    enum comb_status status = COMB_OK;
    while (status == COMB_OK && n == PURGE_ROWS)
        status = engine->store->driver->purge(engine->store, ctx, COMB_OPERATION_KEEP_US,
                                              COMB_OPERATION_OWN_KEEP_US, PURGE_ROWS, &n, err);
    return status;
}

void comb_operation_engine_get_stats(struct comb_operation_engine *engine,
                                     struct comb_operation_stats *ret_stats)
{
    pthread_mutex_lock(&engine->lock);
    *ret_stats = engine->stats;
    pthread_mutex_unlock(&engine->lock);
}
