/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/sql/sqlite/sqlite.h"
#include "server/backend/sql/sqlite/sqlite_error.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/memory.h"

/* What a shed caller is told to wait. */
enum { RETRY_MS = 100 };
/* Waits that the keeper ends before it gives the lock back. */
enum { EXPIRED_MAX = 64 };

static void job_free(struct comb_sqlite_job *job)
{
    grpcc_arena_free(job->arena);
    comb_memory_free(job);
}

static enum comb_sqlite_queue_number queue_of(enum comb_sql_kind kind)
{
    switch (kind) {
    case COMB_SQL_READ:
        return COMB_SQLITE_QUEUE_READ;
    case COMB_SQL_SCAN:
        return COMB_SQLITE_QUEUE_SCAN;
    case COMB_SQL_POLL:
        return COMB_SQLITE_QUEUE_POLL;
    case COMB_SQL_WRITE:
    case COMB_SQL_WRITE_LOCKED:
    case COMB_SQL_HEARTBEAT:
        break;
    }
    return COMB_SQLITE_QUEUE_WRITE;
}

static struct comb_sqlite_job *job_new(const struct comb_ctx *ctx,
                                       const struct comb_sql_request *request, comb_sql_done done,
                                       void *data)
{
    struct comb_sqlite_job *job = comb_memory_zalloc(sizeof *job);
    if (!job)
        return NULL;
    job->arena = grpcc_arena_new(COMB_SQL_REQUEST_BYTES_MAX);
    if (job->arena) {
        job->reply = grpcc_arena_zalloc(job->arena, sizeof *job->reply);
        job->statements =
            comb_sql_copy_statements(job->arena, request->statements, request->n_statements);
    }
    if (!job->reply || !job->statements) {
        job_free(job);
        return NULL;
    }
    job->reply->arena = &job->arena;
    job->n_statements = request->n_statements;
    job->deadline_ns = ctx->deadline_ns;
    job->done = done;
    job->data = data;
    job->write = queue_of(request->kind) == COMB_SQLITE_QUEUE_WRITE;
    return job;
}

static void live_add_locked(struct comb_sqlite *sqlite, struct comb_sqlite_job *job)
{
    job->live_next = sqlite->live;
    if (sqlite->live)
        sqlite->live->live_previous = job;
    sqlite->live = job;
    if (job->deadline_ns < sqlite->keeper_wakes_ns) {
        sqlite->keeper_wakes_ns = job->deadline_ns;
        pthread_cond_signal(&sqlite->keeper_wake);
    }
}

/* Marks the job as answered; false: somebody else did before. */
static bool claim_locked(struct comb_sqlite *sqlite, struct comb_sqlite_job *job)
{
    if (atomic_load_explicit(&job->answered, memory_order_relaxed))
        return false;
    atomic_store_explicit(&job->answered, true, memory_order_relaxed);
    if (job->live_next)
        job->live_next->live_previous = job->live_previous;
    if (job->live_previous)
        job->live_previous->live_next = job->live_next;
    else
        sqlite->live = job->live_next;
    return true;
}

static enum comb_status refuse_closing(struct comb_error *err)
{
    comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                   "the store is being closed");
    err->domain = comb_sqlite_domain;
    err->retryable = true;
    return COMB_UNAVAILABLE;
}

static enum comb_status refuse_full(struct comb_error *err)
{
    comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_OVERLOADED,
                   "%d requests wait for the store already", COMB_SQLITE_QUEUE_MAX);
    err->domain = comb_sqlite_domain;
    err->retryable = true;
    err->retry_ms = RETRY_MS;
    return COMB_UNAVAILABLE;
}

static void count(struct comb_sqlite *sqlite, enum comb_sql_kind kind)
{
    _Atomic uint64_t *counter = &sqlite->reads;
    if (kind == COMB_SQL_WRITE || kind == COMB_SQL_WRITE_LOCKED)
        counter = &sqlite->writes;
    else if (kind == COMB_SQL_POLL || kind == COMB_SQL_HEARTBEAT)
        counter = &sqlite->polls;
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static enum comb_status enqueue(struct comb_sqlite *sqlite, enum comb_sql_kind kind,
                                struct comb_sqlite_job *job, struct comb_error *err)
{
    struct comb_sqlite_queue *queue = &sqlite->queues[queue_of(kind)];
    enum comb_status status = COMB_OK;
    pthread_mutex_lock(&sqlite->lock);
    if (sqlite->closing) {
        status = refuse_closing(err);
    } else if (queue->n >= COMB_SQLITE_QUEUE_MAX) {
        status = refuse_full(err);
    } else {
        if (queue->last)
            queue->last->next = job;
        else
            queue->first = job;
        queue->last = job;
        queue->n++;
        live_add_locked(sqlite, job);
        count(sqlite, kind);
        pthread_cond_signal(&queue->wake);
    }
    pthread_mutex_unlock(&sqlite->lock);
    return status;
}

void comb_sqlite_submit(struct comb_sql *sql, const struct comb_ctx *ctx,
                        const struct comb_sql_request *request, comb_sql_done done, void *data)
{
    struct comb_sqlite *sqlite = (struct comb_sqlite *)sql;
    struct comb_error err;
    enum comb_status status;
    struct comb_sqlite_job *job = job_new(ctx, request, done, data);
    if (job)
        status = enqueue(sqlite, request->kind, job, &err);
    else
        status = comb_error_no_memory(&err);
    if (status == COMB_OK)
        return;
    if (job)
        job_free(job);
    done(data, status, NULL, &err);
}

static struct comb_sqlite_job *pop_locked(struct comb_sqlite_queue *queue)
{
    struct comb_sqlite_job *job = queue->first;
    queue->first = job->next;
    if (!queue->first)
        queue->last = NULL;
    queue->n--;
    job->next = NULL;
    return job;
}

size_t comb_sqlite_take(struct comb_sqlite *sqlite, enum comb_sqlite_queue_number number,
                        struct comb_sqlite_job **ret_jobs, size_t max)
{
    struct comb_sqlite_queue *queue = &sqlite->queues[number];
    size_t n = 0;
    pthread_mutex_lock(&sqlite->lock);
    while (n == 0 && (queue->first || !sqlite->closing)) {
        if (!queue->first)
            pthread_cond_wait(&queue->wake, &sqlite->lock);
        while (queue->first && n < max) {
            struct comb_sqlite_job *job = pop_locked(queue);
            if (atomic_load_explicit(&job->answered, memory_order_relaxed)) {
                job_free(job); /* it has not run and never will */
                continue;
            }
            job->running = true;
            ret_jobs[n++] = job;
        }
    }
    pthread_mutex_unlock(&sqlite->lock);
    return n;
}

/* Whether a result goes with the status. */
static bool has_result(enum comb_status status)
{
    return status == COMB_OK || status == COMB_ABORTED || status == COMB_ALREADY_EXISTS;
}

void comb_sqlite_answer(struct comb_sqlite *sqlite, struct comb_sqlite_job *job)
{
    pthread_mutex_lock(&sqlite->lock);
    bool mine = claim_locked(sqlite, job);
    pthread_mutex_unlock(&sqlite->lock);
    if (mine && !has_result(job->status))
        atomic_fetch_add_explicit(&sqlite->failures, 1, memory_order_relaxed);
    if (mine)
        job->done(job->data, job->status, has_result(job->status) ? &job->reply->result : NULL,
                  job->status == COMB_OK ? NULL : &job->err);
    job_free(job);
}

/* A wait that has ended, apart from its job: that may be gone once the lock is given back. */
struct expired {
    comb_sql_done done;
    void *data;
    bool write;
    bool ran;
};

/* Claims what has passed its deadline; finds out when to look again. */
static size_t collect_expired_locked(struct comb_sqlite *sqlite, struct expired *expired,
                                     size_t max)
{
    int64_t now_ns = comb_clock_monotonic_ns();
    size_t n = 0;
    sqlite->keeper_wakes_ns = INT64_MAX;
    for (struct comb_sqlite_job *job = sqlite->live, *next; job; job = next) {
        next = job->live_next;
        if (job->deadline_ns <= now_ns && n < max) {
            expired[n++] = (struct expired){job->done, job->data, job->write, job->running};
            claim_locked(sqlite, job);
        } else if (job->deadline_ns < sqlite->keeper_wakes_ns) {
            sqlite->keeper_wakes_ns = job->deadline_ns;
        }
    }
    return n;
}

static void answer_expired(const struct expired *expired)
{
    struct comb_error err;
    comb_error_set(&err, COMB_DEADLINE_EXCEEDED, 0,
                   expired->ran ? "the store did not answer before the deadline"
                                : "the deadline passed before the store came to the request");
    err.domain = comb_sqlite_domain;
    err.ambiguous = expired->write && expired->ran;
    expired->done(expired->data, COMB_DEADLINE_EXCEEDED, NULL, &err);
}

/* Sleeps until wakes_ns of our clock, which tests may have moved against the kernel's. */
void *comb_sqlite_keeper(void *data)
{
    struct comb_sqlite *sqlite = data;
    struct expired expired[EXPIRED_MAX];
    pthread_mutex_lock(&sqlite->lock);
    while (!sqlite->workers_gone) {
        size_t n = collect_expired_locked(sqlite, expired, EXPIRED_MAX);
        if (n == 0) {
            (void)comb_cond_wait_until(&sqlite->keeper_wake, &sqlite->lock,
                                       sqlite->keeper_wakes_ns);
            continue;
        }
        pthread_mutex_unlock(&sqlite->lock);
        for (size_t i = 0; i < n; i++)
            answer_expired(&expired[i]);
        pthread_mutex_lock(&sqlite->lock);
    }
    pthread_mutex_unlock(&sqlite->lock);
    return NULL;
}

static void end_queued(struct comb_sqlite *sqlite, struct comb_sqlite_queue *queue)
{
    for (;;) {
        pthread_mutex_lock(&sqlite->lock);
        struct comb_sqlite_job *job = queue->first ? pop_locked(queue) : NULL;
        pthread_mutex_unlock(&sqlite->lock);
        if (!job)
            return;
        job->status = refuse_closing(&job->err);
        comb_sqlite_answer(sqlite, job);
    }
}

void comb_sqlite_refuse(struct comb_sqlite *sqlite)
{
    pthread_mutex_lock(&sqlite->lock);
    sqlite->closing = true;
    for (int i = 0; i < COMB_SQLITE_QUEUES; i++)
        pthread_cond_broadcast(&sqlite->queues[i].wake);
    pthread_mutex_unlock(&sqlite->lock);
    for (int i = 0; i < COMB_SQLITE_QUEUES; i++)
        end_queued(sqlite, &sqlite->queues[i]);
}
