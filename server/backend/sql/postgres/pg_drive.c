/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that drives all connections, and the door before it. */
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/sql/postgres/postgres.h"
#include "server/core/clock.h"
#include "server/core/memory.h"

/* What a shed caller is told to wait. */
enum { RETRY_MS = 100 };
/* How often the age of what is unanswered is looked at. */
enum { STALL_CHECK_MS = 50 };
/* How long a close waits for what is on its way. */
enum { CLOSE_MS = 5000 };
enum { EVENTS_MAX = 32 };

/* ---- jobs ---- */

void comb_pg_job_free(struct comb_pg_job *job)
{
    grpcc_arena_free(job->arena);
    comb_memory_free(job);
}

static enum comb_pg_set_number set_of(enum comb_sql_kind kind)
{
    switch (kind) {
    case COMB_SQL_READ:
        return COMB_PG_READ;
    case COMB_SQL_SCAN:
        return COMB_PG_SCAN;
    case COMB_SQL_WRITE_LOCKED:
        return COMB_PG_LOCKED;
    case COMB_SQL_POLL:
        return COMB_PG_POLL;
    case COMB_SQL_WRITE:
    case COMB_SQL_HEARTBEAT:
        break;
    }
    return COMB_PG_WRITE;
}

static struct comb_pg_job *job_new(const struct comb_ctx *ctx,
                                   const struct comb_sql_request *request, comb_sql_done done,
                                   void *data)
{
    struct comb_pg_job *job = comb_memory_zalloc(sizeof *job);
    if (!job)
        return NULL;
    job->arena = grpcc_arena_new(COMB_SQL_REQUEST_BYTES_MAX);
    if (job->arena) {
        job->reply = grpcc_arena_zalloc(job->arena, sizeof *job->reply);
        job->statements =
            comb_sql_copy_statements(job->arena, request->statements, request->n_statements);
    }
    if (!job->reply || !job->statements) {
        comb_pg_job_free(job);
        return NULL;
    }
    job->reply->arena = &job->arena;
    job->reply->result.guard_failed = job->reply->result.constraint_failed = -1;
    job->n_statements = request->n_statements;
    job->set = set_of(request->kind);
    job->lock = request->lock;
    job->deadline_ns = ctx->deadline_ns;
    job->done = done;
    job->data = data;
    return job;
}

void comb_pg_answer(struct comb_pg *pg, struct comb_pg_job *job)
{
    if (job->answered)
        return;
    job->answered = true;
    atomic_fetch_sub_explicit(&pg->n_live, 1, memory_order_relaxed);
    if (job->live_next)
        job->live_next->live_previous = job->live_previous;
    if (job->live_previous)
        job->live_previous->live_next = job->live_next;
    else if (pg->live == job)
        pg->live = job->live_next;
    const struct comb_sql_result *result = &job->reply->result;
    bool has_result =
        job->status == COMB_OK || result->guard_failed >= 0 || result->constraint_failed >= 0;
    if (!has_result)
        atomic_fetch_add_explicit(&pg->failures, 1, memory_order_relaxed);
    job->done(job->data, job->status, has_result ? result : NULL,
              job->status == COMB_OK ? NULL : &job->err);
}

static void queue_put(struct comb_pg_set *set, struct comb_pg_job *job)
{
    job->next = NULL;
    if (set->last)
        set->last->next = job;
    else
        set->first = job;
    set->last = job;
}

void comb_pg_requeue(struct comb_pg *pg, struct comb_pg_job *job)
{
    struct comb_pg_set *set = &pg->sets[job->set];
    job->next = set->first;
    set->first = job;
    if (!set->last)
        set->last = job;
    atomic_fetch_add_explicit(&pg->waiting[job->set], 1, memory_order_relaxed);
}

static struct comb_pg_job *queue_take(struct comb_pg *pg, struct comb_pg_set *set)
{
    struct comb_pg_job *job = set->first;
    set->first = job->next;
    if (!set->first)
        set->last = NULL;
    job->next = NULL;
    atomic_fetch_sub_explicit(&pg->waiting[job->set], 1, memory_order_relaxed);
    return job;
}

/* ---- the door: any thread ---- */

void comb_pg_wake(struct comb_pg *pg)
{
    ssize_t written = write(pg->wake, &(uint64_t){1}, sizeof(uint64_t));
    (void)written; /* full: it is awake already */
}

static void count(struct comb_pg *pg, enum comb_sql_kind kind)
{
    _Atomic uint64_t *counter = &pg->reads;
    if (kind == COMB_SQL_WRITE || kind == COMB_SQL_WRITE_LOCKED)
        counter = &pg->writes;
    else if (kind == COMB_SQL_POLL || kind == COMB_SQL_HEARTBEAT)
        counter = &pg->polls;
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static enum comb_status enter(struct comb_pg *pg, struct comb_pg_job *job, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    bool first = false;
    pthread_mutex_lock(&pg->lock);
    if (pg->closing) {
        status = comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                                "the store is being closed");
    } else if (atomic_load_explicit(&pg->waiting[job->set], memory_order_relaxed) >=
               COMB_PG_QUEUE_MAX) {
        status = comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_OVERLOADED,
                                "%d requests wait for the store already", COMB_PG_QUEUE_MAX);
        err->retry_ms = RETRY_MS;
    } else {
        first = !pg->door;
        if (pg->door)
            pg->door_last->next = job;
        else
            pg->door = job;
        pg->door_last = job;
        atomic_fetch_add_explicit(&pg->n_live, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&pg->waiting[job->set], 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&pg->lock);
    if (first)
        comb_pg_wake(pg);
    return status;
}

void comb_pg_submit(struct comb_sql *sql, const struct comb_ctx *ctx,
                    const struct comb_sql_request *request, comb_sql_done done, void *data)
{
    struct comb_pg *pg = (struct comb_pg *)sql;
    struct comb_error err;
    struct comb_pg_job *job = job_new(ctx, request, done, data);
    enum comb_status status = COMB_OK;
    if (!job) {
        status = comb_error_no_memory(&err);
    } else {
        status = enter(pg, job, &err);
        if (status == COMB_OK) {
            count(pg, request->kind);
            return;
        }
        comb_pg_job_free(job);
    }
    err.domain = comb_pg_domain;
    err.retryable = true;
    done(data, status, NULL, &err);
}

/* ---- the thread ---- */

/* What has been submitted and connected since. True: the store is to be closed. */
static bool look_out(struct comb_pg *pg)
{
    PGconn *fresh[COMB_PG_CONNS_MAX] = {NULL};
    bool is_old[COMB_PG_CONNS_MAX] = {false};
    pthread_mutex_lock(&pg->lock);
    struct comb_pg_job *job = pg->door;
    pg->door = NULL;
    bool closing = pg->closing;
    for (size_t i = 0; i < pg->n_conns; i++) {
        is_old[i] = pg->conns[i].incarnation < pg->least;
        if (pg->conns[i].state != COMB_PG_FRESH)
            continue;
        fresh[i] = pg->conns[i].fresh;
        pg->conns[i].fresh = NULL;
        pg->conns[i].state = COMB_PG_READY;
    }
    pthread_mutex_unlock(&pg->lock);
    for (size_t i = 0; i < pg->n_conns; i++) {
        if (!fresh[i] || comb_pg_conn_adopt(&pg->conns[i], fresh[i]))
            continue;
        pthread_mutex_lock(&pg->lock);
        pg->conns[i].state = COMB_PG_WANTED;
        pthread_cond_signal(&pg->connect_wake);
        pthread_mutex_unlock(&pg->lock);
    }
    for (size_t i = 0; i < pg->n_conns; i++) {
        if (is_old[i] && pg->conns[i].pq)
            comb_pg_conn_drop(&pg->conns[i], "the database was left behind, another took over");
    }
    while (job) {
        struct comb_pg_job *next = job->next;
        queue_put(&pg->sets[job->set], job);
        job->live_next = pg->live;
        if (pg->live)
            pg->live->live_previous = job;
        pg->live = job;
        if (job->deadline_ns < pg->next_deadline_ns)
            pg->next_deadline_ns = job->deadline_ns;
        job = next;
    }
    return closing;
}

static struct comb_pg_conn *least_busy(struct comb_pg_set *set, const struct comb_pg_rule *rule)
{
    struct comb_pg_conn *best = NULL;
    for (unsigned i = 0; i < rule->connections; i++) {
        struct comb_pg_conn *conn = &set->conns[i];
        if (conn->pq && conn->n_transactions < rule->depth &&
            (!best || conn->n_transactions < best->n_transactions))
            best = conn;
    }
    return best;
}

/* One transaction: of the next requests, as many as may share it. */
static void send_some(struct comb_pg *pg, struct comb_pg_set *set, struct comb_pg_conn *conn)
{
    unsigned n = 0, max = comb_pg_rules[conn->set].batch;
    while (set->first && n < max && !(n > 0 && set->first->alone)) {
        struct comb_pg_job *job = queue_take(pg, set);
        enum comb_status status =
            job->answered ? COMB_CANCELLED : comb_pg_conn_send(conn, job, &job->err);
        if (status == COMB_OK) {
            n = job->alone ? max : n + 1;
            continue;
        }
        /* Never executed: without its Sync nothing of it is. */
        if (status == COMB_UNAVAILABLE) {
            char why[COMB_ERROR_MESSAGE_MAX];
            memcpy(why, job->err.msg, sizeof why);
            comb_pg_requeue(pg, job);
            comb_pg_conn_drop(conn, why);
            return;
        }
        job->status = status;
        comb_pg_answer(pg, job);
        comb_pg_job_free(job);
    }
    if (n > 0 && !comb_pg_conn_end_transaction(conn))
        comb_pg_conn_drop(conn, PQerrorMessage(conn->pq));
}

static void send_queue(struct comb_pg *pg, enum comb_pg_set_number number)
{
    struct comb_pg_set *set = &pg->sets[number];
    while (set->first) {
        struct comb_pg_conn *conn = least_busy(set, &comb_pg_rules[number]);
        if (!conn)
            return;
        send_some(pg, set, conn);
    }
}

static void flush_all(struct comb_pg *pg)
{
    for (size_t i = 0; i < pg->n_conns; i++) {
        struct comb_pg_conn *conn = &pg->conns[i];
        if (conn->pq && conn->n > 0 && !comb_pg_conn_flush(conn))
            comb_pg_conn_drop(conn, PQerrorMessage(conn->pq));
    }
}

/* Ends the waits that are over; what has been sent stays where it is. */
static void expire(struct comb_pg *pg, int64_t now_ns)
{
    if (now_ns < pg->next_deadline_ns)
        return;
    int64_t next_ns = INT64_MAX;
    for (struct comb_pg_job *job = pg->live, *after; job; job = after) {
        after = job->live_next;
        if (job->deadline_ns > now_ns) {
            next_ns = job->deadline_ns < next_ns ? job->deadline_ns : next_ns;
            continue;
        }
        job->status = comb_error_set(&job->err, COMB_DEADLINE_EXCEEDED, 0,
                                     "the deadline passed while the store was at work");
        job->err.domain = comb_pg_domain;
        job->err.ambiguous = job->sent && (job->set == COMB_PG_WRITE || job->set == COMB_PG_LOCKED);
        comb_pg_answer(pg, job);
    }
    pg->next_deadline_ns = next_ns;
}

static void drop_set(struct comb_pg *pg, enum comb_pg_set_number number, const char *why)
{
    for (unsigned i = 0; i < comb_pg_rules[number].connections; i++) {
        if (pg->sets[number].conns[i].pq)
            comb_pg_conn_drop(&pg->sets[number].conns[i], why);
    }
}

/* Whether the server says nothing to anybody: the poll, which asks it all the time and briefly, has
 * been without a connection for a while. */
static bool is_away(const struct comb_pg *pg, int64_t steady_ns)
{
    const struct comb_pg_set *poll = &pg->sets[COMB_PG_POLL];
    return poll->n_ready == 0 &&
           steady_ns - poll->down_since_ns > 2 * COMB_PG_PATIENCE_MS * COMB_NS_PER_MS;
}

/* How long the oldest request of a set may be unanswered. A scan takes long, but not from a server
 * that is away. */
static int64_t stall_limit_ns(const struct comb_pg *pg, const struct comb_pg_conn *conn,
                              int64_t steady_ns)
{
    if (conn->set == COMB_PG_SCAN && is_away(pg, steady_ns))
        return COMB_PG_PATIENCE_MS * COMB_NS_PER_MS;
    return (int64_t)comb_pg_rules[conn->set].stall_ms * COMB_NS_PER_MS;
}

/* A server that is frozen keeps its connections: only its silence shows it (CONSISTENCY 1.6). */
static void drop_stalled(struct comb_pg *pg, int64_t steady_ns)
{
    for (size_t i = 0; i < pg->n_conns; i++) {
        const struct comb_pg_conn *conn = &pg->conns[i];
        int64_t since_ns = conn->head_since_ns;
        if (!conn->pq || conn->n == 0 ||
            steady_ns - since_ns <= stall_limit_ns(pg, conn, steady_ns))
            continue;
        drop_set(pg, conn->set, "the database does not answer");
        /* Callers have waited through its silence: that is of their patience, not on top of it. */
        pg->sets[conn->set].down_since_ns = since_ns;
    }
}

static void end_queue(struct comb_pg *pg, struct comb_pg_set *set, const struct comb_error *err)
{
    while (set->first) {
        struct comb_pg_job *job = queue_take(pg, set);
        job->status = err->status;
        job->err = *err;
        comb_pg_answer(pg, job);
        comb_pg_job_free(job);
    }
}

/* A set that has been without a connection for longer than callers have patience. */
static void refuse_down(struct comb_pg *pg, int64_t steady_ns)
{
    struct comb_error err;
    for (int i = 0; i < COMB_PG_SETS; i++) {
        struct comb_pg_set *set = &pg->sets[i];
        if (set->n_ready > 0 || !set->first ||
            steady_ns - set->down_since_ns < COMB_PG_PATIENCE_MS * COMB_NS_PER_MS)
            continue;
        pthread_mutex_lock(&pg->lock);
        err = pg->connect_err;
        pthread_mutex_unlock(&pg->lock);
        if (err.status != COMB_UNAVAILABLE)
            comb_pg_unreachable(&err, err.status == COMB_OK ? "no connection yet" : err.msg);
        err.retry_ms = COMB_PG_AWAY_MS;
        end_queue(pg, set, &err);
    }
}

static int timeout_ms(const struct comb_pg *pg, int64_t now_ns)
{
    bool busy = false;
    for (int i = 0; i < COMB_PG_SETS; i++)
        busy |= pg->sets[i].first != NULL;
    for (size_t i = 0; i < pg->n_conns && !busy; i++)
        busy = pg->conns[i].n > 0;
    if (!busy)
        return -1;
    int64_t left_ms = (pg->next_deadline_ns - now_ns) / COMB_NS_PER_MS + 1;
    if (left_ms < 0)
        return 0;
    return left_ms < STALL_CHECK_MS ? (int)left_ms : STALL_CHECK_MS;
}

static void wait_for_events(struct comb_pg *pg, int milliseconds)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(pg->epoll, events, EVENTS_MAX, milliseconds);
    for (int i = 0; i < n; i++) {
        struct comb_pg_conn *conn = events[i].data.ptr;
        if (!conn) {
            uint64_t times;
            ssize_t got = read(pg->wake, &times, sizeof times);
            (void)got;
        } else if (conn->pq && !comb_pg_conn_receive(conn)) {
            comb_pg_conn_drop(conn, PQerrorMessage(conn->pq));
        }
    }
}

static bool is_quiet(const struct comb_pg *pg)
{
    for (size_t i = 0; i < pg->n_conns; i++) {
        if (pg->conns[i].n > 0)
            return false;
    }
    return true;
}

static void refuse_queues(struct comb_pg *pg)
{
    struct comb_error err;
    comb_error_set(&err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                   "the store is being closed");
    err.domain = comb_pg_domain;
    err.retryable = true;
    for (int i = 0; i < COMB_PG_SETS; i++)
        end_queue(pg, &pg->sets[i], &err);
}

void *comb_pg_drive(void *data)
{
    struct comb_pg *pg = data;
    int64_t close_ns = INT64_MAX;
    for (;;) {
        bool closing = look_out(pg);
        int64_t now_ns = comb_clock_monotonic_ns(), steady_ns = comb_clock_steady_ns();
        expire(pg, now_ns);
        if (closing) {
            if (!pg->refusing)
                close_ns = steady_ns + CLOSE_MS * COMB_NS_PER_MS;
            pg->refusing = true;
            refuse_queues(pg);
            if (is_quiet(pg) || steady_ns > close_ns)
                break;
        }
        for (int i = 0; i < COMB_PG_SETS; i++)
            send_queue(pg, (enum comb_pg_set_number)i);
        flush_all(pg);
        drop_stalled(pg, steady_ns);
        refuse_down(pg, steady_ns);
        wait_for_events(pg, timeout_ms(pg, now_ns));
    }
    for (int i = 0; i < COMB_PG_SETS; i++)
        drop_set(pg, (enum comb_pg_set_number)i, "the store is being closed");
    refuse_queues(pg);
    return NULL;
}
