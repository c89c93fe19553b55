/* SPDX-License-Identifier: Apache-2.0 */
#include "server/consumers/internal.h"

#include <stdio.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/core/memory.h"

/* How often who does not hold a consumer looks whether it may be taken. */
#define TAKE_MS 1000
#define TAKE_MS_MAX 5000
/* Between two batches that were not full: changes come one by one, and each batch is a write. */
#define LINGER_MS 50
/* Noting a failure is a service to people: it holds nothing up. */
#define NOTE_MS_MAX 1000
#define RETRY_MS_FIRST 100

bool comb_consumer_may_go_on(const struct comb_consumer_run *run)
{
    return comb_lease_is_held(&run->lease) && !atomic_load(&run->consumers->stopping);
}

/* ---- the place ---- */

/* Takes over a place whose state is somebody else's memory. */
static enum comb_status keep_place(struct comb_consumer_run *run,
                                   const struct comb_consumer_place *place, struct comb_error *err)
{
    char *state = NULL;
    if (place->state.len > 0) {
        state = comb_memory_dup(place->state);
        if (!state)
            return comb_error_no_memory(err);
    }
    comb_memory_free((char *)(uintptr_t)run->place.state.ptr);
    run->place = *place;
    run->place.state.ptr = state;
    run->is_unsure = false;
    atomic_store(&run->is_rebuilding, place->rebuild != COMB_REBUILD_NONE);
    return COMB_OK;
}

/* A write that moves the place, and perhaps sets an entry aside. */
struct move {
    struct comb_consumer_run *run;
    const struct comb_consumer_place *place;
    const struct comb_consumer_aside *aside; /* NULL: none */
};

static enum comb_status write_move(void *data, struct comb_ctx *ctx, bool *ret_held,
                                   struct comb_error *err)
{
    const struct move *move = data;
    const struct comb_lease *lease = &move->run->lease;
    struct comb_consumers_store *store = move->run->consumers->store;
    int64_t lease_us = comb_lease_keeper_lease_us(move->run->consumers->keeper);
    if (move->aside)
        return store->driver->set_aside(store, ctx, consumer_name(move->run), lease->fence,
                                        lease_us, move->place, move->aside, ret_held, err);
    return store->driver->advance(store, ctx, consumer_name(move->run), lease->fence, lease_us,
                                  move->place, ret_held, err);
}

/* The place has moved. */
static void moved(struct comb_consumer_run *run)
{
    run->attempts = run->tries = 0;
    run->is_noted = false;
    comb_backoff_reset(&run->backoff);
}

/* False: the lease is lost; what has been done is done again by who has it now. */
static bool move_to(struct comb_consumer_run *run, struct comb_ctx *ctx,
                    const struct comb_consumer_place *place,
                    const struct comb_consumer_aside *aside)
{
    struct move move = {run, place, aside};
    struct comb_error err;
    if (!comb_lease_write(&run->lease, ctx->arena, true, write_move, &move))
        return false;
    moved(run);
    if (keep_place(run, place, &err) != COMB_OK)
        run->is_unsure = true;
    return true;
}

static enum comb_status load_place(struct comb_consumer_run *run, struct comb_ctx *ctx,
                                   struct comb_error *err)
{
    struct comb_consumers_store *store = run->consumers->store;
    struct comb_consumer_place place;
    enum comb_status status = store->driver->place(store, ctx, consumer_name(run), &place, err);
    return status == COMB_OK ? keep_place(run, &place, err) : status;
}

static struct comb_consumer_aside aside_of(const struct comb_feed_record *record,
                                           enum comb_status code, comb_str message)
{
    return (struct comb_consumer_aside){
        .cursor = record->cursor,
        .kind = record->entry.kind,
        .subject = record->entry.subject,
        .revision = record->entry.revision,
        .time_us = record->time_us,
        .code = code,
        .message = message,
    };
}

enum comb_status comb_consumer_plan_held(const struct comb_consumer_run *run, struct comb_ctx *ctx,
                                         struct comb_plan *plan, struct comb_error *err)
{
    struct comb_consumers_store *store = run->consumers->store;
    return store->driver->plan_held(store, ctx, plan, consumer_name(run), run->lease.fence, err);
}

enum comb_status comb_consumer_plan_advance(const struct comb_consumer_run *run,
                                            struct comb_ctx *ctx, struct comb_plan *plan,
                                            const struct comb_feed_record *through,
                                            struct comb_error *err)
{
    struct comb_consumers *consumers = run->consumers;
    const struct comb_consumer_place place = {.cursor = through->cursor, .epoch = run->place.epoch};
    /* The cursor is far beyond it. */
    if (run->retried)
        return consumers->store->driver->plan_handled(consumers->store, ctx, plan,
                                                      consumer_name(run), run->lease.fence,
                                                      run->retried->cursor, err);
    return consumers->store->driver->plan_advance(
        consumers->store, ctx, plan, consumer_name(run), run->lease.fence,
        comb_lease_keeper_lease_us(consumers->keeper), &place, err);
}

enum comb_status comb_consumer_put_off(const struct comb_consumer_run *run, struct comb_ctx *ctx,
                                       const struct comb_feed_record *record, const char *why,
                                       bool *ret_kept, struct comb_error *err)
{
    struct comb_consumers_store *store = run->consumers->store;
    const struct comb_consumer_aside aside =
        aside_of(record, COMB_DEADLINE_EXCEEDED, comb_str_from(why));
    bool is_held = false, is_kept = false;
    enum comb_status status = store->driver->put_off(
        store, ctx, consumer_name(run), run->lease.fence, &aside, &is_held, &is_kept, err);
    if (status == COMB_OK && !is_held)
        status = comb_error_set(err, COMB_CANCELLED, 0, "another goes on");
    if (status == COMB_OK)
        *ret_kept = is_kept;
    return status;
}

/* ---- failures ---- */

bool consumer_error_passes(const struct comb_error *err)
{
    switch (err->status) {
    case COMB_UNAVAILABLE:
    case COMB_DEADLINE_EXCEEDED:
    case COMB_ABORTED:
    case COMB_CANCELLED:
        return true;
    default:
        return err->retryable || err->reason == COMB_V1_ERROR_REASON_STORE_FULL;
    }
}

enum consumer_outcome consumer_failed(struct comb_consumer_run *run, struct grpcc_arena *arena,
                                      const struct comb_error *why)
{
    struct comb_consumers_store *store = run->consumers->store;
    struct comb_ctx ctx = {.arena = arena,
                           .deadline_ns = comb_clock_monotonic_ns() + NOTE_MS_MAX * COMB_NS_PER_MS};
    struct comb_error err;
    bool is_held = false;
    atomic_fetch_add(&run->failures, 1);
    comb_log_error(run->is_noted ? COMB_LOG_DEBUG : COMB_LOG_WARN, "consumers",
                   "a consumer will try again", why);
    if (!run->is_noted && comb_lease_is_held(&run->lease))
        run->is_noted = store->driver->note(store, &ctx, consumer_name(run), run->lease.fence, why,
                                            &is_held, &err) == COMB_OK;
    return NOT_OURS;
}

enum consumer_outcome consumer_lease_lost(struct comb_consumer_run *run)
{
    atomic_fetch_add(&run->lost, 1);
    run->had_lease = false;
    atomic_store(&run->pending_us, 0);
    comb_lease_drop(&run->lease);
    comb_log(COMB_LOG_WARN, "consumers", "a consumer was left to others: its lease was not kept",
             comb_log_text("consumer", consumer_name(run)));
    return NOT_OURS;
}

/* ---- rebuilding ---- */

static enum consumer_outcome begin_rebuild(struct comb_consumer_run *run, struct comb_ctx *ctx,
                                           enum comb_rebuild why)
{
    /* The clock, since a restored row does not know how far a lost one had come. */
    uint64_t now_us = (uint64_t)comb_clock_wall_us(), next = run->place.epoch + 1;
    struct comb_consumer_place place = {.rebuild = why, .epoch = now_us > next ? now_us : next};
    struct comb_error err = {0};
    if (comb_feed_head(run->consumers->sql, ctx, &place.cursor, &err) != COMB_OK)
        return consumer_failed(run, ctx->arena, &err);
    comb_log(COMB_LOG_INFO, "consumers", "a consumer builds anew what it derives",
             comb_log_text("consumer", consumer_name(run)), comb_log_integer("why", why));
    return move_to(run, ctx, &place, NULL) ? GO_ON : consumer_lease_lost(run);
}

static enum consumer_outcome rebuild(struct comb_consumer_run *run, struct comb_ctx *ctx)
{
    struct comb_consumers_store *store = run->consumers->store;
    struct comb_error err = {0};
    if (run->place.cursor.incarnation == 0)
        return begin_rebuild(run, ctx,
                             run->place.rebuild == COMB_REBUILD_REQUESTED ? COMB_REBUILD_REQUESTED
                                                                          : COMB_REBUILD_NEW);
    if (!comb_sql_is_history(run->consumers->sql, run->place.cursor.incarnation))
        return begin_rebuild(run, ctx, COMB_REBUILD_HISTORY);
    struct comb_consumer_rebuild step = {.why = run->place.rebuild,
                                         .epoch = run->place.epoch,
                                         .state = run->place.state,
                                         .run = run,
                                         .from = run->place.cursor};
    enum comb_status status = COMB_OK;
    if (run->consumer.helps)
        step.is_last = true; /* who is helped builds all of it */
    else
        status = run->consumer.rebuild(run->consumer.data, ctx, &step, &err);
    if (status == COMB_OK && step.next_state.len > COMB_LEASE_STATE_BYTES_MAX)
        status = comb_error_set(&err, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL,
                                "a rebuild keeps %zu bytes of state", step.next_state.len);
    if (status == COMB_OK && step.is_last)
        status = store->driver->clear_aside(store, ctx, consumer_name(run), run->lease.fence, &err);
    if (status != COMB_OK)
        return consumer_failed(run, ctx->arena, &err);
    atomic_fetch_add(&run->rebuild_steps, 1);
    struct comb_consumer_place place = {.cursor = step.from, .epoch = run->place.epoch};
    if (!step.is_last) {
        place.rebuild = step.why;
        place.state = step.next_state;
    }
    return move_to(run, ctx, &place, NULL) ? GO_ON : consumer_lease_lost(run);
}

/* ---- consuming ---- */

static enum consumer_outcome set_aside(struct comb_consumer_run *run, struct comb_ctx *ctx,
                                       const struct comb_feed_record *record, enum comb_status code,
                                       const char *message)
{
    char subject[COMB_UUID_TEXT_LENGTH + 1];
    const struct comb_consumer_place place = {.cursor = record->cursor, .epoch = run->place.epoch};
    const struct comb_consumer_aside aside = aside_of(record, code, comb_str_from(message));
    if (!move_to(run, ctx, &place, &aside))
        return consumer_lease_lost(run);
    atomic_fetch_add(&run->set_aside, 1);
    comb_uuid_format(&record->entry.subject, subject);
    comb_log(COMB_LOG_WARN, "consumers", "a change was set aside",
             comb_log_text("consumer", consumer_name(run)),
             comb_log_text("subject", comb_str_from(subject)),
             comb_log_integer("kind", record->entry.kind),
             comb_log_text("fault", comb_str_from(message)));
    return GO_ON;
}

/* A batch failed. */
static enum consumer_outcome refused(struct comb_consumer_run *run, struct comb_ctx *ctx,
                                     const struct comb_feed_page *page,
                                     const struct comb_error *err)
{
    run->is_unsure = true;
    if (consumer_error_passes(err))
        return consumer_failed(run, ctx->arena, err);
    if (page->n > 1) {
        atomic_fetch_add(&run->failures, 1);
        run->careful = page->n;
        return GO_ON;
    }
    if (++run->tries < COMB_CONSUMER_TRIES)
        return consumer_failed(run, ctx->arena, err);
    return set_aside(run, ctx, &page->records[0], err->status, err->msg);
}

/* Other work of the consumer's. */
static enum consumer_outcome tend(struct comb_consumer_run *run, struct comb_ctx *ctx)
{
    struct comb_error err = {0};
    bool more = false;
    if (!run->consumer.tend)
        return IDLE;
    enum comb_status status = run->consumer.tend(run->consumer.data, ctx, run, &more, &err);
    if (status != COMB_OK)
        comb_log_error(COMB_LOG_DEBUG, "consumers", "a consumer could not tidy up", &err);
    return status == COMB_OK && more ? LINGER : IDLE;
}

/* The end of the feed: the place is kept where that tells the next holder something. */
static enum consumer_outcome at_end(struct comb_consumer_run *run, struct comb_ctx *ctx,
                                    struct comb_cursor end)
{
    const struct comb_consumer_place place = {.cursor = end, .epoch = run->place.epoch};
    atomic_store(&run->pending_us, 0);
    if ((run->attempts > 0 || run->is_noted || end.incarnation != run->place.cursor.incarnation) &&
        !move_to(run, ctx, &place, NULL))
        return consumer_lease_lost(run);
    return tend(run, ctx);
}

static enum consumer_outcome apply(struct comb_consumer_run *run, struct comb_ctx *ctx,
                                   const struct comb_feed_page *page)
{
    struct comb_consumer_place place = {.cursor = page->end, .epoch = run->place.epoch};
    struct comb_consumer_batch batch = {.records = page->records,
                                        .n = page->n,
                                        .n_done = page->n,
                                        .epoch = place.epoch,
                                        .run = run};
    struct comb_error err = {0};
    if (run->attempts > COMB_CONSUMER_ATTEMPTS_MAX) {
        snprintf(err.msg, sizeof err.msg,
                 "given up: each of the %u processes that handled it in a row ended or stood still",
                 (unsigned)COMB_CONSUMER_ATTEMPTS_MAX);
        return set_aside(run, ctx, &page->records[0], COMB_ABORTED, err.msg);
    }
    if (run->consumer.apply(run->consumer.data, ctx, &batch, &err) != COMB_OK)
        return refused(run, ctx, page, &err);
    if (batch.n_done < page->n)
        place.cursor = page->records[batch.n_done - 1].cursor;
    if (batch.has_advanced) {
        moved(run);
        run->place.cursor = page->end;
    } else if (!move_to(run, ctx, &place, NULL)) {
        return consumer_lease_lost(run);
    }
    atomic_fetch_add(&run->batches, 1);
    atomic_fetch_add(&run->entries, batch.n_done);
    run->careful -= run->careful > batch.n_done ? batch.n_done : run->careful;
    return GO_ON;
}

/* What was put off by another one, an entry a step. */
static enum consumer_outcome help(struct comb_consumer_run *run, struct comb_ctx *ctx)
{
    enum consumer_outcome outcome = consumer_retry(run, ctx);
    if (outcome != GO_ON || run->retry_ns == 0)
        return outcome;
    return at_end(run, ctx, run->place.cursor);
}

static enum consumer_outcome consume(struct comb_consumer_run *run, struct comb_ctx *ctx)
{
    size_t most = run->consumer.batch_max ? run->consumer.batch_max : COMB_CONSUMER_BATCH_MAX;
    size_t size = run->careful > 0 ? 1 : most;
    struct comb_feed_page page;
    struct comb_error err = {0};
    enum consumer_outcome retried = consumer_retry(run, ctx);
    if (retried != GO_ON)
        return retried;
    enum comb_status status =
        comb_feed_read(run->consumers->sql, ctx, run->place.cursor, size, &page, &err);
    if (status == COMB_OUT_OF_RANGE)
        return begin_rebuild(run, ctx, COMB_REBUILD_EXPIRED);
    if (status == COMB_INVALID_ARGUMENT)
        return begin_rebuild(run, ctx, COMB_REBUILD_HISTORY);
    if (status != COMB_OK)
        return consumer_failed(run, ctx->arena, &err);
    if (page.n == 0)
        return at_end(run, ctx, page.end);
    atomic_store(&run->pending_us, page.records[0].time_us);
    comb_ctx_see_reached(ctx);
    enum consumer_outcome outcome = apply(run, ctx, &page);
    bool is_behind = run->place.cursor.sequence != page.end.sequence;
    return outcome != GO_ON || is_behind || page.n == size ? outcome : LINGER;
}

/* ---- the thread ---- */

static enum consumer_outcome take(struct comb_consumer_run *run, struct grpcc_arena *arena)
{
    struct comb_ctx ctx = {.arena = arena,
                           .deadline_ns = comb_clock_monotonic_ns() + TAKE_MS_MAX * COMB_NS_PER_MS};
    struct comb_lease_taken taken;
    struct comb_error err = {0};
    bool found = false;
    enum comb_status status = comb_lease_take(&run->lease, &ctx, &found, &taken, &err);
    if (status == COMB_OK && found)
        status = keep_place(run, &taken.place, &err);
    if (status != COMB_OK)
        comb_log_error(COMB_LOG_DEBUG, "consumers", "could not look for a lease", &err);
    if (status != COMB_OK || !found)
        return NOT_OURS;
    run->had_lease = true;
    run->attempts = taken.attempts;
    run->tries = 0;
    run->is_noted = false;
    run->careful = taken.attempts > COMB_CONSUMER_ATTEMPTS_CAREFUL ? COMB_CONSUMER_BATCH_MAX : 0;
    atomic_fetch_add(&run->taken, 1);
    return GO_ON;
}

static enum consumer_outcome step(struct comb_consumer_run *run, struct grpcc_arena *arena)
{
    struct comb_ctx ctx = {.arena = arena,
                           .deadline_ns = comb_clock_monotonic_ns() +
                                          COMB_CONSUMER_BATCH_MS_MAX * COMB_NS_PER_MS};
    struct comb_error err = {0};
    if (!comb_lease_is_held(&run->lease))
        return run->had_lease ? consumer_lease_lost(run) : take(run, arena);
    if (run->is_unsure && load_place(run, &ctx, &err) != COMB_OK)
        return consumer_failed(run, arena, &err);
    if (run->place.rebuild != COMB_REBUILD_NONE)
        return rebuild(run, &ctx);
    return run->consumer.helps ? help(run, &ctx) : consume(run, &ctx);
}

static int64_t wait_ms(struct comb_consumer_run *run, enum consumer_outcome outcome)
{
    switch (outcome) {
    case GO_ON:
        return 0;
    case LINGER:
        return LINGER_MS;
    case IDLE:
        return run->consumers->poll_ms;
    case NOT_OURS:
        break;
    }
    return run->had_lease ? comb_backoff_next_ms(&run->backoff) : TAKE_MS;
}

/* Waits ms, at IDLE until somebody wakes. */
static void wait(struct comb_consumer_run *run, enum consumer_outcome outcome, uint64_t *wakes)
{
    struct comb_consumers *consumers = run->consumers;
    int64_t until_ns = comb_clock_in_ms(wait_ms(run, outcome));
    bool waits = true;
    pthread_mutex_lock(&consumers->lock);
    while (!atomic_load(&consumers->stopping) && waits &&
           !(outcome == IDLE && *wakes != consumers->wakes))
        waits = comb_cond_wait_until(&consumers->wake, &consumers->lock, until_ns);
    *wakes = consumers->wakes;
    pthread_mutex_unlock(&consumers->lock);
}

static void *work(void *data)
{
    struct comb_consumer_run *run = data;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    uint64_t wakes = 0;
    while (arena && !atomic_load(&run->consumers->stopping)) {
        enum consumer_outcome outcome = step(run, arena);
        if (outcome != GO_ON)
            wait(run, outcome, &wakes);
        grpcc_arena_reset(arena);
    }
    if (arena && run->had_lease)
        comb_lease_let_go(&run->lease, arena);
    grpcc_arena_free(arena);
    return NULL;
}

/* ---- all of them ---- */

enum comb_status comb_consumers_new(const struct comb_consumers_options *options,
                                    struct comb_consumers **ret_consumers, struct comb_error *err)
{
    struct comb_consumers *consumers = comb_memory_zalloc(sizeof *consumers);
    if (!consumers)
        return comb_error_no_memory(err);
    consumers->sql = options->sql;
    consumers->store = options->store;
    consumers->poll_ms = options->poll_ms ? options->poll_ms : COMB_CONSUMER_POLL_MS;
    enum comb_status status = comb_lease_keeper_new(options->store, options->lease_ms,
                                                    options->holder, &consumers->keeper, err);
    if (status != COMB_OK) {
        comb_memory_free(consumers);
        return status;
    }
    pthread_mutex_init(&consumers->lock, NULL);
    comb_cond_init(&consumers->wake);
    *ret_consumers = consumers;
    return COMB_OK;
}

enum comb_status comb_consumers_add(struct comb_consumers *consumers,
                                    const struct comb_consumer *consumer, struct comb_error *err)
{
    if (consumers->n_runs == COMB_CONSUMERS_MAX ||
        strlen(consumer->name) > COMB_LEASE_NAME_BYTES_MAX)
        return comb_error_set(err, COMB_INTERNAL, 0, "no room for the consumer %.80s",
                              consumer->name);
    for (size_t i = 0; consumer->helps && i < consumers->n_runs; i++)
        if (strcmp(consumers->runs[i].consumer.name, consumer->helps) == 0)
            consumers->runs[i].is_helped = true;
    struct comb_consumer_run *run = &consumers->runs[consumers->n_runs++];
    run->consumers = consumers;
    run->consumer = *consumer;
    run->backoff = (struct comb_backoff){RETRY_MS_FIRST, COMB_CONSUMER_RETRY_MS_MAX, 0};
    comb_lease_init(&run->lease, consumers->keeper, consumer->name);
    return COMB_OK;
}

enum comb_status comb_consumers_start(struct comb_consumers *consumers, struct comb_error *err)
{
    for (size_t i = 0; i < consumers->n_runs; i++) {
        struct comb_consumer_run *run = &consumers->runs[i];
        if (pthread_create(&run->thread, NULL, work, run) != 0) {
            comb_consumers_stop(consumers);
            return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the consumers");
        }
        run->has_thread = true;
    }
    return COMB_OK;
}

void comb_consumers_wake(struct comb_consumers *consumers)
{
    pthread_mutex_lock(&consumers->lock);
    consumers->wakes++;
    pthread_cond_broadcast(&consumers->wake);
    pthread_mutex_unlock(&consumers->lock);
}

void comb_consumers_stop(struct comb_consumers *consumers)
{
    if (!consumers)
        return;
    pthread_mutex_lock(&consumers->lock);
    atomic_store(&consumers->stopping, true);
    pthread_cond_broadcast(&consumers->wake);
    pthread_mutex_unlock(&consumers->lock);
    for (size_t i = 0; i < consumers->n_runs; i++) {
        if (consumers->runs[i].has_thread)
            pthread_join(consumers->runs[i].thread, NULL);
        consumers->runs[i].has_thread = false;
    }
}

void comb_consumers_free(struct comb_consumers *consumers)
{
    if (!consumers)
        return;
    comb_consumers_stop(consumers);
    comb_lease_keeper_free(consumers->keeper);
    for (size_t i = 0; i < consumers->n_runs; i++)
        comb_memory_free((char *)(uintptr_t)consumers->runs[i].place.state.ptr);
    pthread_cond_destroy(&consumers->wake);
    pthread_mutex_destroy(&consumers->lock);
    comb_memory_free(consumers);
}
