/* SPDX-License-Identifier: Apache-2.0 */
/* Running one operation that has been taken, step by step. */
#include <stdio.h>
#include <time.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/log.h"
#include "server/operations/internal.h"

/* Between two tries to write what must be written before the lease is over. */
#define WRITE_AGAIN_MS 50

/* What is to be written of an operation. */
enum write_what { WRITE_SAVE, WRITE_RELEASE, WRITE_END };
struct write {
    enum write_what what;
    const struct comb_operation_step *step; /* SAVE */
    int64_t delay_us;                       /* RELEASE, and what follows */
    bool is_counted;
    const struct comb_error *why;
    const struct comb_operation_end *end; /* END */
};

static enum comb_status write_once(struct comb_operation_run *run, struct comb_ctx *ctx,
                                   const struct write *write, bool *ret_held, bool *ret_cancel,
                                   struct comb_error *err)
{
    struct comb_operation_engine *engine = run->engine;
    struct comb_operations_store *store = engine->store;
    switch (write->what) {
    case WRITE_SAVE:
        return store->driver->save(store, ctx, &run->id, run->fence, engine->lease_us,
                                   write->step->next_state, &write->step->progress, ret_held,
                                   ret_cancel, err);
    case WRITE_RELEASE:
        return store->driver->release(store, ctx, &run->id, run->fence, write->delay_us,
                                      write->is_counted, write->why, ret_held, err);
    case WRITE_END:
        break;
    }
    return store->driver->end(store, ctx, &run->id, run->fence, write->end, ret_held, err);
}

static void pause_ms(long ms)
{
    const struct timespec pause = {0, ms * COMB_NS_PER_MS};
    (void)nanosleep(&pause, NULL);
}

/*
 * Writes while this process holds the operation; false: it does not any more. A write whose answer
 * was lost is repeated. Where that was an end or a release, and the guard then says that nothing is
 * held, it did happen: nobody else can have taken what the lease still keeps.
 */
static bool write_held(struct comb_operation_run *run, struct grpcc_arena *arena,
                       const struct write *write)
{
    struct comb_ctx ctx = {.arena = arena};
    bool may_have_ended = false;
    while (operation_is_held(run)) {
        int64_t sent_ns = comb_clock_boottime_ns();
        int64_t left_ns = atomic_load(&run->good_until_ns) - sent_ns;
        bool is_held = false, cancel = false;
        struct comb_error err = {0};
        ctx.deadline_ns = comb_clock_monotonic_ns() + left_ns;
        enum comb_status status = write_once(run, &ctx, write, &is_held, &cancel, &err);
        if (status == COMB_OK) {
            if (is_held && write->what == WRITE_SAVE)
                operation_held(run, sent_ns, cancel);
            return is_held || may_have_ended;
        }
        may_have_ended |= err.ambiguous && write->what != WRITE_SAVE;
        comb_log_error(COMB_LOG_DEBUG, "operations", "a write must be repeated", &err);
        pause_ms(WRITE_AGAIN_MS);
    }
    return false;
}

/* ---- how an attempt ends ---- */

static void count(struct comb_operation_run *run, uint64_t *counter)
{
    pthread_mutex_lock(&run->engine->lock);
    (*counter)++;
    pthread_mutex_unlock(&run->engine->lock);
}

static void tell(enum comb_log_level level, const char *message,
                 const struct comb_operation_run *run, const struct comb_operation_kind *kind,
                 const char *fault)
{
    char id[COMB_UUID_TEXT_LENGTH + 1];
    comb_uuid_format(&run->id, id);
    comb_log(level, "operations", message, comb_log_text("kind", comb_str_from(kind->name)),
             comb_log_text("id", comb_str_from(id)), comb_log_integer("attempt", run->attempts),
             comb_log_text("fault", comb_str_from(fault)));
}

static void lost(struct comb_operation_run *run, const struct comb_operation_kind *kind)
{
    count(run, &run->engine->stats.lost);
    tell(COMB_LOG_WARN, "an operation was left to others: its lease was not kept", run, kind, "");
}

static void end(struct comb_operation_run *run, const struct comb_operation_kind *kind,
                struct grpcc_arena *arena, const struct comb_operation_end *end)
{
    struct comb_operation_stats *stats = &run->engine->stats;
    const struct write write = {.what = WRITE_END, .end = end};
    if (!write_held(run, arena, &write)) {
        lost(run, kind);
        return;
    }
    count(run, end->state == COMB_OPERATION_DONE     ? &stats->done
               : end->state == COMB_OPERATION_FAILED ? &stats->failed
                                                     : &stats->cancelled);
    if (end->state == COMB_OPERATION_FAILED)
        tell(COMB_LOG_WARN, "an operation has failed", run, kind, end->message.ptr);
}

static void end_cancelled(struct comb_operation_run *run, const struct comb_operation_kind *kind,
                          struct grpcc_arena *arena, const struct comb_operation_progress *progress)
{
    const struct comb_operation_end cancelled = {.state = COMB_OPERATION_CANCELLED,
                                                 .progress = *progress,
                                                 .code = COMB_CANCELLED,
                                                 .message = STR("cancelled by request")};
    end(run, kind, arena, &cancelled);
}

static void release(struct comb_operation_run *run, const struct comb_operation_kind *kind,
                    struct grpcc_arena *arena, int64_t delay_us, const struct comb_error *why)
{
    const struct write write = {
        .what = WRITE_RELEASE, .delay_us = delay_us, .is_counted = why != NULL, .why = why};
    if (!write_held(run, arena, &write)) {
        lost(run, kind);
        return;
    }
    count(run, &run->engine->stats.released);
    if (why)
        tell(COMB_LOG_INFO, "an operation will be tried again", run, kind, why->msg);
}

static bool is_passing(const struct comb_error *err)
{
    return err->retryable || err->status == COMB_UNAVAILABLE ||
           err->status == COMB_DEADLINE_EXCEEDED || err->status == COMB_ABORTED;
}

static int64_t retry_us(uint32_t attempts)
{
    int64_t ms = COMB_OPERATION_RETRY_MS;
    for (uint32_t i = 1; i < attempts && ms < COMB_OPERATION_RETRY_MS_MAX; i++)
        ms *= 2;
    return (ms < COMB_OPERATION_RETRY_MS_MAX ? ms : COMB_OPERATION_RETRY_MS_MAX) * 1000;
}

static void failed(struct comb_operation_run *run, const struct comb_operation_kind *kind,
                   struct grpcc_arena *arena, const struct comb_operation_progress *progress,
                   const struct comb_error *err)
{
    if (is_passing(err) && run->attempts < COMB_OPERATION_ATTEMPTS_MAX) {
        release(run, kind, arena, retry_us(run->attempts), err);
        return;
    }
    const struct comb_operation_end end_failed = {.state = COMB_OPERATION_FAILED,
                                                  .progress = *progress,
                                                  .code = err->status,
                                                  .reason = err->reason,
                                                  .message = comb_str_from(err->msg)};
    end(run, kind, arena, &end_failed);
}

/* ---- steps ---- */

/* What a kind gave is within the limits: else it is a bug of the kind. */
static enum comb_status check_step(const struct comb_operation_step *step, struct comb_error *err)
{
    if (step->next_state.len <= COMB_OPERATION_STATE_MAX &&
        step->result.len <= COMB_OPERATION_RESULT_MAX &&
        step->progress.unit.len <= COMB_OPERATION_UNIT_BYTES_MAX &&
        step->progress.message.len <= COMB_OPERATION_MESSAGE_BYTES_MAX)
        return COMB_OK;
    return comb_error_set(err, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL,
                          "a step gave %zu bytes of state, %zu of result", step->next_state.len,
                          step->result.len);
}

/* What the next step begins with outlives the arena of the one before this. */
static enum comb_status keep(struct grpcc_arena *arena, struct comb_operation_step *step,
                             struct comb_error *err)
{
    comb_str *const kept[] = {&step->next_state, &step->progress.unit, &step->progress.message};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        char *copy = grpcc_arena_memdup(arena, kept[i]->ptr, kept[i]->len);
        if (!copy)
            return comb_error_no_memory(err);
        kept[i]->ptr = copy;
    }
    return COMB_OK;
}

static enum comb_status do_step(struct comb_operation_run *run,
                                const struct comb_operation_kind *kind, struct grpcc_arena *arena,
                                struct comb_operation_step *step, struct comb_error *err)
{
    struct comb_ctx ctx = {.arena = arena,
                           .deadline_ns = comb_clock_monotonic_ns() +
                                          COMB_OPERATION_STEP_MS_MAX * COMB_NS_PER_MS};
    step->next_state = step->state;
    step->run = run;
    enum comb_status status = kind->step(kind->data, &ctx, step, err);
    count(run, &run->engine->stats.steps);
    if (status == COMB_OK)
        status = check_step(step, err);
    return status == COMB_OK ? keep(arena, step, err) : status;
}

/* After a step that went well. True: there is another one, of the state that has been saved. */
static bool after_step(struct comb_operation_run *run, const struct comb_operation_kind *kind,
                       struct grpcc_arena *arena, struct comb_operation_step *step)
{
    if (step->is_last) {
        const struct comb_operation_end done = {
            .state = COMB_OPERATION_DONE, .progress = step->progress, .result = step->result};
        end(run, kind, arena, &done);
        return false;
    }
    const struct write save = {.what = WRITE_SAVE, .step = step};
    if (!write_held(run, arena, &save)) {
        lost(run, kind);
        return false;
    }
    run->attempts = 1;
    step->state = step->next_state;
    if (run->engine->changed)
        run->engine->changed(run->engine->changed_data);
    return true;
}

/* True: there is another step. */
static bool go_on(struct comb_operation_run *run, const struct comb_operation_kind *kind,
                  struct grpcc_arena *arena, struct comb_operation_step *step)
{
    struct comb_error err = {0};
    if (atomic_load(&run->cancel)) {
        end_cancelled(run, kind, arena, &step->progress);
        return false;
    }
    if (atomic_load(&run->engine->stopping)) {
        release(run, kind, arena, 0, NULL);
        return false;
    }
    struct comb_operation_progress before = step->progress;
    if (do_step(run, kind, arena, step, &err) == COMB_OK)
        return after_step(run, kind, arena, step);
    if (atomic_load(&run->cancel))
        end_cancelled(run, kind, arena, &before);
    else if (atomic_load(&run->engine->stopping))
        release(run, kind, arena, 0, NULL);
    else
        failed(run, kind, arena, &before, &err);
    return false;
}

void operation_run(struct comb_operation_run *run, const struct comb_operation_taken *taken,
                   struct grpcc_arena *arenas[2])
{
    struct comb_operation_engine *engine = run->engine;
    const struct comb_operation_kind *kind = comb_operation_engine_kind(engine, taken->kind);
    struct comb_operation_step step = {.id = taken->id,
                                       .owner = taken->owner,
                                       .arguments = taken->arguments,
                                       .state = taken->state,
                                       .progress = taken->progress};
    bool more = kind != NULL; /* it took none of others */
    /* A step's state lives in the arena of the step before. */
    for (unsigned i = 0; more; i++) {
        grpcc_arena_reset(arenas[i % 2]);
        more = go_on(run, kind, arenas[i % 2], &step);
    }
    if (engine->changed)
        engine->changed(engine->changed_data);
}
