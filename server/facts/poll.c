/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The poll of the feed: one thread, at least every COMB_FACTS_POLL_MS, at once where somebody waits
 * or a change was announced. What it brings is applied to memory before memory is called current.
 */
#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/memory.h"
#include "server/facts/internal.h"

/* Entries that one request brings at most; with more to come the next one follows at once. */
#define POLL_ROWS 2000
/* A store that has not answered by then is down (CONSISTENCY 1.6). */
#define POLL_TIMEOUT_MS 500
/* How often deadlines of those who wait are looked at while a poll is under way. */
#define WAITERS_TICK_MS 20
#define POLL_ARENA_BYTES ((size_t)64 << 20)

struct comb_position comb_facts_position(struct comb_facts *facts)
{
    /* The incarnation first: see set_position(). */
    uint64_t incarnation = atomic_load_explicit(&facts->incarnation, memory_order_acquire);
    return (struct comb_position){
        .incarnation = incarnation,
        .sequence = atomic_load_explicit(&facts->sequence, memory_order_acquire),
    };
}

/* Who reads the new incarnation must not read the old one's sequence with it. */
static void set_position(struct comb_facts *facts, struct comb_position position)
{
    if (atomic_load_explicit(&facts->incarnation, memory_order_relaxed) != position.incarnation) {
        atomic_store_explicit(&facts->sequence, 0, memory_order_release);
        atomic_store_explicit(&facts->incarnation, position.incarnation, memory_order_release);
    }
    atomic_store_explicit(&facts->sequence, position.sequence, memory_order_release);
}

bool comb_facts_is_current(struct comb_facts *facts, const struct comb_ctx *ctx)
{
    if (facts->options.seeded_bug_no_barrier) {
        return true;
    }
    /* The time before the position: a poll that ends in between must not lend its time to an older
     * position. */
    int64_t good_ns = atomic_load_explicit(&facts->good_ns, memory_order_acquire);
    struct comb_position position = comb_facts_position(facts);
    if (ctx->strong || good_ns == 0 ||
        comb_clock_boottime_ns() - good_ns >= COMB_FACTS_BOUND_MS * COMB_NS_PER_MS) {
        return false;
    }
    return ctx->seen.sequence == 0 || (ctx->seen.incarnation == position.incarnation &&
                                       ctx->seen.sequence <= position.sequence);
}

void comb_facts_wait_for_poll(struct comb_facts *facts, struct comb_facts_waiter *waiter)
{
    pthread_mutex_lock(&facts->lock);
    bool down = facts->stop || !facts->started;
    bool shed = facts->n_waiters >= COMB_FACTS_WAITERS_MAX;
    if (!down && !shed) {
        waiter->poll = facts->polls_begun + 1;
        waiter->next = NULL;
        *facts->waiters_end = waiter;
        facts->waiters_end = &waiter->next;
        facts->n_waiters++;
        pthread_cond_broadcast(&facts->changed);
    }
    pthread_mutex_unlock(&facts->lock);

    struct comb_error err;
    if (down) {
        comb_error_set(&err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_DRAINING,
                       "the server is shutting down");
        waiter->done(waiter, err.status, &err);
    } else if (shed) {
        atomic_fetch_add(&facts->counters.shed, 1);
        comb_error_set(&err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_OVERLOADED,
                       "too many calls wait for the store");
        err.retryable = true;
        err.retry_ms = COMB_FACTS_BOUND_MS;
        waiter->done(waiter, err.status, &err);
    } else {
        atomic_fetch_add(&facts->counters.waits, 1);
    }
}

/* Takes out of the queue those who are content with the poll, or whose deadline has passed. */
static struct comb_facts_waiter *take_waiters_locked(struct comb_facts *facts, uint64_t poll,
                                                     int64_t deadline_ns)
{
    struct comb_facts_waiter *taken = NULL;
    struct comb_facts_waiter **taken_end = &taken;
    struct comb_facts_waiter **link = &facts->waiters;
    while (*link != NULL) {
        struct comb_facts_waiter *waiter = *link;
        if (waiter->poll > poll && waiter->deadline_ns > deadline_ns) {
            link = &waiter->next;
            continue;
        }
        *link = waiter->next;
        waiter->next = NULL;
        *taken_end = waiter;
        taken_end = &waiter->next;
        facts->n_waiters--;
    }
    facts->waiters_end = link;
    return taken;
}

static void answer_waiters(struct comb_facts_waiter *waiter, enum comb_status status,
                           const struct comb_error *err)
{
    while (waiter != NULL) {
        struct comb_facts_waiter *next = waiter->next; /* done may end the call that holds it */
        waiter->done(waiter, status, err);
        waiter = next;
    }
}

static void expire_waiters(struct comb_facts *facts)
{
    pthread_mutex_lock(&facts->lock);
    struct comb_facts_waiter *late = take_waiters_locked(facts, 0, comb_clock_monotonic_ns());
    pthread_mutex_unlock(&facts->lock);
    struct comb_error err;
    comb_error_set(&err, COMB_DEADLINE_EXCEEDED, 0, "the deadline passed while the store was read");
    answer_waiters(late, err.status, &err);
}

/* A request of the poll under way. */
struct poll {
    struct comb_facts *facts;
    struct comb_ctx ctx;
    size_t rows_max;
    enum comb_status status;
    struct comb_error err;
    struct comb_feed_news news;
    bool finished; /* under facts->lock */
};

static void poll_read(void *data, enum comb_status status, const struct comb_sql_result *result,
                      const struct comb_error *err)
{
    struct poll *poll = data;
    if (status == COMB_OK) {
        status = comb_feed_poll_decode(poll->facts->sql, poll->ctx.arena, &poll->facts->mark,
                                       poll->rows_max, result, &poll->news, &poll->err);
    } else if (err != NULL) {
        poll->err = *err;
    }
    struct comb_facts *facts = poll->facts;
    pthread_mutex_lock(&facts->lock);
    poll->status = status;
    poll->finished = true;
    pthread_cond_broadcast(&facts->changed);
    pthread_mutex_unlock(&facts->lock);
}

static void wait_locked(struct comb_facts *facts, int64_t wait_ns)
{
    (void)comb_cond_wait_until(&facts->changed, &facts->lock, comb_clock_monotonic_ns() + wait_ns);
}

static void poll_submit(struct poll *poll)
{
    struct comb_sql_value params[2];
    struct comb_sql_statement statements[COMB_FEED_POLL_STATEMENTS];
    struct comb_sql_request request = {.kind = COMB_SQL_POLL, .statements = statements};
    request.n_statements =
        comb_feed_poll(poll->facts->sql, &poll->facts->mark, poll->rows_max, statements, params);
    poll->ctx.deadline_ns = comb_clock_monotonic_ns() + POLL_TIMEOUT_MS * COMB_NS_PER_MS;
    comb_sql_submit(poll->facts->sql, &poll->ctx, &request, poll_read, poll);
}

static void poll_await(struct poll *poll)
{
    struct comb_facts *facts = poll->facts;
    pthread_mutex_lock(&facts->lock);
    while (!poll->finished) {
        wait_locked(facts, WAITERS_TICK_MS * COMB_NS_PER_MS);
        if (!poll->finished && facts->n_waiters > 0) {
            pthread_mutex_unlock(&facts->lock);
            expire_waiters(facts);
            pthread_mutex_lock(&facts->lock);
        }
    }
    pthread_mutex_unlock(&facts->lock);
}

/* Keeps what was seen. False: no memory. */
static bool keep_mark(struct comb_facts *facts, const struct comb_feed_mark *mark)
{
    char *snapshot = comb_memory_alloc(mark->snapshot.len + 1);
    if (snapshot == NULL) {
        return false;
    }
    memcpy(snapshot, mark->snapshot.ptr, mark->snapshot.len);
    comb_memory_free((void *)(uintptr_t)facts->mark.snapshot.ptr);
    facts->mark = *mark;
    facts->mark.snapshot.ptr = snapshot;
    return true;
}

static void tell_listeners(struct comb_facts *facts, const struct comb_feed_record *record)
{
    for (size_t l = 0; l < facts->n_listeners; l++) {
        facts->listeners[l].function(facts->listeners[l].data, record);
    }
}

/* Applies what came: memory first, then what says how new it is. */
static enum comb_status poll_apply(struct poll *poll, struct comb_error *err)
{
    struct comb_facts *facts = poll->facts;
    const struct comb_feed_news *news = &poll->news;
    uint64_t tick = atomic_load_explicit(&facts->tick, memory_order_relaxed) + 1;
    bool first = atomic_load_explicit(&facts->good_ns, memory_order_relaxed) == 0;
    if (!keep_mark(facts, &news->mark)) {
        return comb_error_no_memory(err);
    }
    if (news->lost) {
        comb_facts_forget(facts, tick);
    }
    for (size_t i = 0; i < news->n; i++) {
        comb_facts_apply(facts, poll->ctx.arena, &news->records[i], tick);
    }
    atomic_store_explicit(&facts->tick, tick, memory_order_release);
    bool taken_over = comb_facts_position(facts).incarnation != news->mark.position.incarnation;
    set_position(facts, news->mark.position);
    if (taken_over && facts->options.on_incarnation) {
        facts->options.on_incarnation(facts->options.on_incarnation_data,
                                      news->mark.position.incarnation);
    }
    if (news->lost && !first) {
        tell_listeners(facts, NULL);
    }
    for (size_t i = 0; i < news->n; i++) {
        tell_listeners(facts, &news->records[i]);
    }
    return COMB_OK;
}

/* ---- the heartbeat ---- */

static void beaten(void *data, enum comb_status status, const struct comb_sql_result *result,
                   const struct comb_error *err)
{
    struct comb_facts *facts = data;
    (void)status; /* what has come of it, the polls see */
    (void)result;
    (void)err;
    pthread_mutex_lock(&facts->lock);
    facts->beating = false;
    pthread_cond_broadcast(&facts->changed);
    pthread_mutex_unlock(&facts->lock);
}

static void beat(struct comb_facts *facts)
{
    struct comb_sql_statement statement = {.text = facts->heartbeat};
    struct comb_sql_request request = {
        .kind = COMB_SQL_HEARTBEAT, .statements = &statement, .n_statements = 1};
    struct comb_ctx ctx = {.deadline_ns =
                               comb_clock_monotonic_ns() + POLL_TIMEOUT_MS * COMB_NS_PER_MS};
    pthread_mutex_lock(&facts->lock);
    bool busy = facts->heartbeat == NULL || facts->beating || facts->stop;
    facts->beating |= !busy;
    pthread_mutex_unlock(&facts->lock);
    if (!busy) {
        comb_sql_submit(facts->sql, &ctx, &request, beaten, facts);
    }
}

/* Whether the store of this poll, which was started at start_ns, can still complete writes. */
static bool is_alive(struct comb_facts *facts, const struct comb_feed_mark *seen, uint64_t before,
                     int64_t start_ns)
{
    if (facts->heartbeat == NULL || seen->beat != before || facts->beat_ns == 0) {
        facts->beat_ns = start_ns;
    }
    return start_ns - facts->beat_ns < COMB_FACTS_BEAT_MS * COMB_NS_PER_MS;
}

/* One request of a poll. */
static enum comb_status poll_step(struct comb_facts *facts, struct grpcc_arena *arena,
                                  size_t rows_max, bool *ret_more, struct comb_error *err)
{
    struct poll poll = {.facts = facts, .ctx = {.arena = arena}, .rows_max = rows_max};
    int64_t start_ns = comb_clock_boottime_ns();
    uint64_t beat_before = facts->mark.beat;
    poll_submit(&poll);
    poll_await(&poll);
    if (poll.status != COMB_OK) {
        *err = poll.err;
        return poll.status;
    }
    enum comb_status status = poll_apply(&poll, err);
    *ret_more = poll.news.more;
    if (status == COMB_OK && !is_alive(facts, &facts->mark, beat_before, start_ns)) {
        status = comb_error_set(err, COMB_ABORTED, 0,
                                "it completes no writes: it may have been left behind");
    }
    if (status == COMB_OK && !*ret_more) {
        atomic_store_explicit(&facts->good_ns, start_ns, memory_order_release);
    }
    return status;
}

static void pause_poll(struct comb_facts *facts)
{
    pthread_mutex_lock(&facts->lock);
    wait_locked(facts, WAITERS_TICK_MS * COMB_NS_PER_MS);
    pthread_mutex_unlock(&facts->lock);
    expire_waiters(facts);
}

/* One poll: as many requests as it takes to reach the feed's end. It counts from the start of the
 * last one, which saw the end. */
static enum comb_status poll_once(struct comb_facts *facts, struct grpcc_arena *arena,
                                  struct comb_error *err)
{
    size_t rows_max = POLL_ROWS;
    int64_t give_up_ns = comb_clock_monotonic_ns() + COMB_FACTS_BEAT_MS * COMB_NS_PER_MS;
    for (bool more = true; more;) {
        grpcc_arena_reset(arena);
        beat(facts);
        enum comb_status status = poll_step(facts, arena, rows_max, &more, err);
        if (status == COMB_RESOURCE_EXHAUSTED && rows_max > 1) {
            rows_max /= 2; /* large entries: fewer of them fit into one answer */
        } else if (status == COMB_ABORTED && comb_clock_monotonic_ns() < give_up_ns) {
            more = true; /* the heartbeat may be on its way: this process was asleep, perhaps */
            pause_poll(facts);
        } else if (status != COMB_OK) {
            return status;
        }
    }
    atomic_fetch_add(&facts->counters.polls, 1);
    return COMB_OK;
}

/* What a call is told whose poll failed: whatever it was, the store did not answer. */
static void translate(struct comb_error *err)
{
    struct comb_error cause = *err;
    comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                   "the store does not answer: %s", cause.msg);
    err->domain = "facts";
    err->native = cause.native;
    err->retryable = true;
    err->retry_ms = cause.retry_ms > COMB_FACTS_BOUND_MS ? cause.retry_ms : COMB_FACTS_BOUND_MS;
}

/* Until the next poll is due. False: the end. */
static bool poll_pause(struct comb_facts *facts, int64_t due_ns, uint64_t *ret_poll)
{
    pthread_mutex_lock(&facts->lock);
    while (!facts->stop && !facts->woken && facts->n_waiters == 0 &&
           comb_clock_monotonic_ns() < due_ns) {
        wait_locked(facts, due_ns - comb_clock_monotonic_ns());
    }
    facts->woken = false;
    bool go_on = !facts->stop;
    if (go_on) {
        *ret_poll = ++facts->polls_begun;
    }
    pthread_mutex_unlock(&facts->lock);
    return go_on;
}

static void *poll_thread(void *data)
{
    struct comb_facts *facts = data;
    struct grpcc_arena *arena = grpcc_arena_new(POLL_ARENA_BYTES);
    int64_t due_ns = comb_clock_monotonic_ns();
    uint64_t number;
    while (poll_pause(facts, due_ns, &number)) {
        due_ns = comb_clock_monotonic_ns() + COMB_FACTS_POLL_MS * COMB_NS_PER_MS;
        struct comb_error err = {0};
        enum comb_status status =
            arena == NULL ? comb_error_no_memory(&err) : poll_once(facts, arena, &err);
        if (status != COMB_OK) {
            translate(&err);
            status = err.status;
        }
        pthread_mutex_lock(&facts->lock);
        struct comb_facts_waiter *content = take_waiters_locked(facts, number, INT64_MIN);
        pthread_mutex_unlock(&facts->lock);
        answer_waiters(content, status, status == COMB_OK ? NULL : &err);
    }
    grpcc_arena_free(arena);
    return NULL;
}

void comb_facts_poll_init(struct comb_facts *facts)
{
    comb_cond_init(&facts->changed);
    pthread_mutex_init(&facts->lock, NULL);
    facts->waiters_end = &facts->waiters;
}

enum comb_status comb_facts_start(struct comb_facts *facts, struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(POLL_ARENA_BYTES);
    if (arena == NULL) {
        return comb_error_no_memory(err);
    }
    struct comb_error cause = {0};
    enum comb_status status = poll_once(facts, arena, &cause);
    grpcc_arena_free(arena);
    if (status != COMB_OK) {
        if (err != NULL) {
            *err = cause;
        }
        return status;
    }
    pthread_mutex_lock(&facts->lock);
    facts->started = true;
    pthread_mutex_unlock(&facts->lock);
    if (pthread_create(&facts->thread, NULL, poll_thread, facts) != 0) {
        facts->started = false;
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the poll");
    }
    return COMB_OK;
}

void comb_facts_wake(struct comb_facts *facts)
{
    pthread_mutex_lock(&facts->lock);
    facts->woken = true;
    pthread_cond_broadcast(&facts->changed);
    pthread_mutex_unlock(&facts->lock);
}

void comb_facts_poll_done(struct comb_facts *facts)
{
    pthread_mutex_lock(&facts->lock);
    bool started = facts->started;
    facts->stop = true;
    pthread_cond_broadcast(&facts->changed);
    pthread_mutex_unlock(&facts->lock);
    if (started) {
        pthread_join(facts->thread, NULL);
    }
    pthread_mutex_lock(&facts->lock);
    while (facts->beating) {
        pthread_cond_wait(&facts->changed, &facts->lock);
    }
    struct comb_facts_waiter *rest = take_waiters_locked(facts, UINT64_MAX, INT64_MAX);
    pthread_mutex_unlock(&facts->lock);
    struct comb_error err;
    comb_error_set(&err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_DRAINING,
                   "the server is shutting down");
    answer_waiters(rest, err.status, &err);
    pthread_cond_destroy(&facts->changed);
    pthread_mutex_destroy(&facts->lock);
}
