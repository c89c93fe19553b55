/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/server/server_pool.h"

#include "gen/runtime/src/core/core.h"
#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/server/call.h"
#include "gen/runtime/src/server/server.h"

bool grpcc_pool_init(struct grpcc_pool *pool)
{
    pool->workers = grpcc_memory_zalloc(pool->workers_max * sizeof(*pool->workers));
    return pool->workers != NULL;
}

void grpcc_pool_done(struct grpcc_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->n_workers; i++)
        pthread_join(pool->workers[i], NULL);
    grpcc_memory_free(pool->workers);
}

static struct grpcc_pool_queue *queue_of(struct grpcc_pool *pool, const struct grpcc_call *call)
{
    return grpcc_call_is_stream(call) ? &pool->streams : &pool->unary;
}

static void queue_push_locked(struct grpcc_pool_queue *queue, struct grpcc_call *call)
{
    call->link.next = NULL;
    call->link.previous = queue->last;
    if (queue->last)
        queue->last->link.next = call;
    else
        queue->first = call;
    queue->last = call;
    queue->length++;
    call->link.queued = true;
}

static void queue_remove_locked(struct grpcc_pool_queue *queue, struct grpcc_call *call)
{
    struct grpcc_pool_link *link = &call->link;
    if (link->previous)
        link->previous->link.next = link->next;
    else
        queue->first = link->next;
    if (link->next)
        link->next->link.previous = link->previous;
    else
        queue->last = link->previous;
    queue->length--;
    link->queued = false;
    link->next = NULL;
}

/* Moves what has waited too long at the head of queue to the list that is returned. */
static struct grpcc_call *queue_expire_locked(const struct grpcc_pool *pool,
                                              struct grpcc_pool_queue *queue, int64_t now_ns,
                                              struct grpcc_call *expired)
{
    struct grpcc_call *call = queue->first;
    while (call && !call->link.admitted && now_ns - call->link.queued_ns > pool->age_max_ns) {
        queue_remove_locked(queue, call);
        call->link.next = expired;
        expired = call;
        call = queue->first;
    }
    return expired;
}

/* The oldest call that may run now: streams only up to their share of the workers. */
static struct grpcc_call *pool_next_locked(struct grpcc_pool *pool)
{
    struct grpcc_call *unary = pool->unary.first;
    struct grpcc_call *stream =
        pool->n_streams_busy < pool->streams_max ? pool->streams.first : NULL;
    if (!unary || (stream && stream->link.queued_ns < unary->link.queued_ns))
        return stream;
    return unary;
}

static void *worker_main(void *data)
{
    struct grpcc_pool *pool = data;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct grpcc_call *call = pool_next_locked(pool);
        if (!call && pool->stopping)
            break;
        if (!call) {
            pool->n_idle++;
            pthread_cond_wait(&pool->changed, &pool->lock);
            pool->n_idle--;
            continue;
        }
        bool stream = grpcc_call_is_stream(call);
        bool aged =
            !call->link.admitted && grpcc_now_ns() - call->link.queued_ns > pool->age_max_ns;
        queue_remove_locked(queue_of(pool, call), call);
        pool->n_busy++;
        pool->n_streams_busy += stream;
        pthread_mutex_unlock(&pool->lock);
        if (aged)
            grpcc_call_shed(call, GRPCC_REFUSED_QUEUE_AGE);
        else
            grpcc_call_work(call);
        pthread_mutex_lock(&pool->lock);
        pool->n_busy--;
        pool->n_streams_busy -= stream;
        /* A stream that waits for its share is no longer held back; nobody else may have seen it.
         */
        if (stream && pool->streams.first && pool->n_idle)
            pthread_cond_signal(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Workers are started when there is work for them. */
static void pool_grow_locked(struct grpcc_pool *pool)
{
    if (pool->n_workers == pool->workers_max)
        return;
    if (grpcc_thread_start(&pool->workers[pool->n_workers], "grpcc-worker", worker_main, pool))
        pool->n_workers++;
}

bool grpcc_pool_submit(struct grpcc_pool *pool, struct grpcc_call *call, bool admitted)
{
    struct grpcc_call *expired = NULL;
    int64_t now_ns = grpcc_now_ns();
    pthread_mutex_lock(&pool->lock);
    expired = queue_expire_locked(pool, &pool->unary, now_ns, expired);
    expired = queue_expire_locked(pool, &pool->streams, now_ns, expired);
    size_t waiting = pool->unary.length + pool->streams.length;
    if (waiting >= pool->n_idle)
        pool_grow_locked(pool);
    /* What free workers are about to take does not wait. */
    size_t room = pool->queue_max + pool->workers_max - pool->n_busy;
    bool accepted = pool->n_workers > 0 && (admitted || waiting < room);
    if (accepted) {
        call->link.queued_ns = now_ns;
        call->link.admitted = admitted;
        queue_push_locked(queue_of(pool, call), call);
        pthread_cond_signal(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
    while (expired) {
        struct grpcc_call *next = expired->link.next;
        grpcc_call_shed(expired, GRPCC_REFUSED_QUEUE_AGE);
        expired = next;
    }
    return accepted;
}

bool grpcc_pool_withdraw(struct grpcc_pool *pool, struct grpcc_call *call)
{
    pthread_mutex_lock(&pool->lock);
    bool queued = call->link.queued;
    if (queued)
        queue_remove_locked(queue_of(pool, call), call);
    pthread_mutex_unlock(&pool->lock);
    return queued;
}

bool grpcc_pool_has(struct grpcc_pool *pool, const struct grpcc_call *call)
{
    pthread_mutex_lock(&pool->lock);
    bool queued = call->link.queued;
    pthread_mutex_unlock(&pool->lock);
    return queued;
}
