/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/server/server_timer.h"

#include <time.h>

#include "gen/runtime/src/core/core.h"
#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/server/call.h"
#include "gen/runtime/src/server/server.h"

void grpcc_timers_init(struct grpcc_timers *timers)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&timers->lock, NULL);
    pthread_cond_init(&timers->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void grpcc_timers_done(struct grpcc_timers *timers)
{
    pthread_mutex_lock(&timers->lock);
    timers->stopping = true;
    pthread_cond_signal(&timers->changed);
    bool running = timers->running;
    pthread_mutex_unlock(&timers->lock);
    if (running)
        pthread_join(timers->thread, NULL);
    grpcc_memory_free(timers->heap);
    pthread_cond_destroy(&timers->changed);
    pthread_mutex_destroy(&timers->lock);
}

static void heap_put(struct grpcc_timers *timers, size_t index, struct grpcc_call *call)
{
    timers->heap[index] = call;
    call->timer_index = index + 1;
}

/* Moves the call from index towards the root, then towards the leaves, to where it belongs. */
static void heap_settle(struct grpcc_timers *timers, size_t index, struct grpcc_call *call)
{
    while (index > 0 && timers->heap[(index - 1) / 2]->timer_ns > call->timer_ns) {
        heap_put(timers, index, timers->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * index + 1;
        if (child + 1 < timers->n &&
            timers->heap[child + 1]->timer_ns < timers->heap[child]->timer_ns)
            child++;
        if (child >= timers->n || timers->heap[child]->timer_ns >= call->timer_ns)
            break;
        heap_put(timers, index, timers->heap[child]);
        index = child;
    }
    heap_put(timers, index, call);
}

static void remove_locked(struct grpcc_timers *timers, struct grpcc_call *call)
{
    if (!call->timer_index)
        return;
    size_t index = call->timer_index - 1;
    call->timer_index = 0;
    struct grpcc_call *last = timers->heap[--timers->n];
    if (last != call)
        heap_settle(timers, index, last);
}

/* False: the message under way has waited for its reader too long. Else the time of the next look.
 */
static bool send_goes_on(struct grpcc_call *call)
{
    int64_t now = grpcc_now_ns();
    int64_t wait_ns = (int64_t)call->server->options.send_wait_max_ms * GRPCC_NS_PER_MS;
    pthread_mutex_lock(&call->lock);
    int64_t since_ns = call->send_busy ? call->send_since_ns : now;
    pthread_mutex_unlock(&call->lock);
    call->timer_ns = since_ns + wait_ns;
    return call->timer_ns > now;
}

static void *timers_main(void *data)
{
    struct grpcc_timers *timers = data;
    pthread_mutex_lock(&timers->lock);
    while (!timers->stopping) {
        if (timers->n == 0) {
            timers->wake_ns = INT64_MAX;
            pthread_cond_wait(&timers->changed, &timers->lock);
            continue;
        }
        struct grpcc_call *call = timers->heap[0];
        if (call->timer_ns > grpcc_now_ns()) {
            struct timespec until = {.tv_sec = call->timer_ns / GRPCC_NS_PER_S,
                                     .tv_nsec = call->timer_ns % GRPCC_NS_PER_S};
            timers->wake_ns = call->timer_ns;
            pthread_cond_timedwait(&timers->changed, &timers->lock, &until);
            continue;
        }
        remove_locked(timers, call);
        /* Under the lock: a call removes itself here before it lets go of its core call. */
        if (!call->timer_for_sends)
            grpc_call_cancel_with_status(call->core, GRPC_STATUS_DEADLINE_EXCEEDED,
                                         "the method's time limit has passed", NULL);
        else if (send_goes_on(call))
            heap_settle(timers, timers->n++, call);
        else
            grpc_call_cancel_with_status(call->core, GRPC_STATUS_RESOURCE_EXHAUSTED,
                                         "the client does not read what it is sent", NULL);
    }
    pthread_mutex_unlock(&timers->lock);
    return NULL;
}

static bool add_locked(struct grpcc_timers *timers, struct grpcc_call *call)
{
    if (!timers->running)
        timers->running = grpcc_thread_start(&timers->thread, "grpcc-timer", timers_main, timers);
    if (!timers->running)
        return false;
    if (timers->n == timers->capacity) {
        size_t capacity = timers->capacity ? timers->capacity * 2 : 64;
        struct grpcc_call **heap =
            grpcc_memory_realloc(timers->heap, capacity * sizeof(*timers->heap));
        if (!heap)
            return false;
        timers->heap = heap;
        timers->capacity = capacity;
    }
    heap_settle(timers, timers->n++, call);
    return true;
}

bool grpcc_timers_add(struct grpcc_timers *timers, struct grpcc_call *call)
{
    pthread_mutex_lock(&timers->lock);
    bool added = add_locked(timers, call);
    /* A thread that sleeps for a call that is gone wakes early enough for this one: under load it
     * is woken once in a time limit, not once in a call. */
    if (added && call->timer_ns < timers->wake_ns)
        pthread_cond_signal(&timers->changed);
    pthread_mutex_unlock(&timers->lock);
    return added;
}

void grpcc_timers_remove(struct grpcc_timers *timers, struct grpcc_call *call)
{
    pthread_mutex_lock(&timers->lock);
    remove_locked(timers, call);
    pthread_mutex_unlock(&timers->lock);
}
