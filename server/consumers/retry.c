/* SPDX-License-Identifier: Apache-2.0 */
/* Entries that were set aside and are wanted: put off as they take long, or by an administrator. */
#include "server/consumers/internal.h"

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/log.h"

/* Between two looks for such entries, where there was none. */
#define RETRY_LOOK_MS 1000

/* A guarded write about an entry. */
struct mark {
    struct comb_consumer_run *run;
    struct comb_cursor cursor;
    bool is_handled, is_wanted;
    const struct comb_error *why;
};

static enum comb_status write_mark(void *data, struct comb_ctx *ctx, bool *ret_held,
                                   struct comb_error *err)
{
    const struct mark *mark = data;
    struct comb_consumers_store *store = mark->run->consumers->store;
    const comb_str of = consumer_asides_of(mark->run);
    uint64_t fence = mark->run->lease.fence;
    if (mark->is_handled)
        return store->driver->handled(store, ctx, consumer_name(mark->run), fence, of, mark->cursor,
                                      ret_held, err);
    return store->driver->mark_aside(store, ctx, consumer_name(mark->run), fence, of, mark->cursor,
                                     mark->is_wanted, mark->why, ret_held, err);
}

/* The entry as it stands in the feed. */
static enum comb_status read_entry(struct comb_consumer_run *run, struct comb_ctx *ctx,
                                   const struct comb_consumer_aside *aside,
                                   struct comb_feed_page *ret_page, struct comb_error *err)
{
    const struct comb_cursor before = {aside->cursor.incarnation, aside->cursor.sequence - 1};
    struct comb_feed_page page;
    enum comb_status status = comb_feed_read(run->consumers->sql, ctx, before, 1, &page, err);
    bool is_there = status == COMB_OK && page.n == 1 &&
                    page.records[0].cursor.sequence == aside->cursor.sequence;
    if (status == COMB_OUT_OF_RANGE || status == COMB_INVALID_ARGUMENT ||
        (status == COMB_OK && !is_there))
        return comb_error_set(err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_CURSOR_EXPIRED,
                              "the feed no longer has this change: only building anew helps");
    if (status == COMB_OK)
        *ret_page = page;
    return status;
}

static enum comb_status handle(struct comb_consumer_run *run, struct comb_ctx *ctx,
                               const struct comb_consumer_aside *aside, uint64_t epoch,
                               bool *ret_forgotten, struct comb_error *err)
{
    struct comb_feed_page page;
    enum comb_status status = read_entry(run, ctx, aside, &page, err);
    if (status != COMB_OK)
        return status;
    struct comb_consumer_batch batch = {
        .records = page.records, .n = page.n, .n_done = page.n, .epoch = epoch, .run = run};
    comb_ctx_see_reached(ctx);
    run->retried = aside;
    status = run->consumer.apply(run->consumer.data, ctx, &batch, err);
    run->retried = NULL;
    if (status == COMB_OK)
        *ret_forgotten = batch.has_advanced;
    return status;
}

/* The first entry that is wanted, if it is time to look, and the epoch that it is of. None is while
 * who is helped builds anew: that comes by all of them. */
static enum comb_status find_wanted(struct comb_consumer_run *run, struct comb_ctx *ctx,
                                    bool *ret_found, struct comb_consumer_aside *ret_aside,
                                    uint64_t *ret_epoch, struct comb_error *err)
{
    struct comb_consumers_store *store = run->consumers->store;
    struct comb_consumer_place place = run->place;
    bool is_helper = run->consumer.helps != NULL, found = false;
    *ret_found = false;
    if (run->is_helped || (run->careful > 0 && !is_helper) ||
        comb_clock_monotonic_ns() < run->retry_ns)
        return COMB_OK;
    run->retry_ns = comb_clock_in_ms(RETRY_LOOK_MS);
    enum comb_status status =
        store->driver->wanted_aside(store, ctx, consumer_asides_of(run), &found, ret_aside, err);
    if (status == COMB_OK && found && is_helper)
        status = store->driver->place(store, ctx, consumer_asides_of(run), &place, err);
    if (status != COMB_OK)
        return status;
    *ret_epoch = place.epoch;
    *ret_found = found && place.rebuild == COMB_REBUILD_NONE;
    return COMB_OK;
}

enum consumer_outcome consumer_retry(struct comb_consumer_run *run, struct comb_ctx *ctx)
{
    struct comb_consumer_aside aside;
    struct comb_error err = {0};
    uint64_t epoch = 0;
    bool found = false, is_forgotten = false;
    if (find_wanted(run, ctx, &found, &aside, &epoch, &err) != COMB_OK)
        return consumer_failed(run, ctx->arena, &err);
    if (!found)
        return GO_ON;
    /* No longer wanted at first: what its handling ends the process with does so once. What was put
     * off stays wanted, since processes end for other reasons, unless that has happened often. */
    struct mark mark = {.run = run, .cursor = aside.cursor};
    if ((!run->consumer.helps || run->attempts > COMB_CONSUMER_ATTEMPTS_CAREFUL) &&
        !comb_lease_write(&run->lease, ctx->arena, false, write_mark, &mark))
        return consumer_lease_lost(run);
    atomic_store(&run->pending_us, aside.time_us);
    enum comb_status status = handle(run, ctx, &aside, epoch, &is_forgotten, &err);
    bool waits = status != COMB_OK && consumer_error_passes(&err);
    if (status == COMB_OK && !is_forgotten) {
        mark.is_handled = true;
    } else if (status != COMB_OK) {
        mark.is_wanted = waits;
        mark.why = &err;
    }
    if (!is_forgotten && !comb_lease_write(&run->lease, ctx->arena, false, write_mark, &mark))
        return consumer_lease_lost(run);
    comb_log(COMB_LOG_INFO, "consumers", "a change that was set aside was handled again",
             comb_log_text("consumer", consumer_name(run)),
             comb_log_text("fault", comb_str_from(err.msg)));
    if (waits)
        return consumer_failed(run, ctx->arena, &err);
    run->retry_ns = 0;
    return GO_ON;
}
