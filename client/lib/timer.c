/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that wait for their next attempt: one thread per client, made when first needed. */
#include <errno.h>
#include <time.h>

#include "client/lib/call.h"

struct comb_timer {
    pthread_t thread;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    struct comb_call *waiting; /* soonest first */
    bool stopped;
    bool orphaned; /* nobody joins: the thread frees the timer itself */
};

static bool is_due(struct comb_call *call, int64_t now_ns)
{
    pthread_mutex_lock(&call->lock);
    bool due = call->cancelled || call->due_ns <= now_ns;
    pthread_mutex_unlock(&call->lock);
    return due;
}

/* The first call that need not wait any longer; NULL: all do. */
static struct comb_call *take_due_locked(struct comb_timer *timer)
{
    int64_t now = comb_now_ns();
    for (struct comb_call **link = &timer->waiting; *link; link = &(*link)->timer_next) {
        struct comb_call *call = *link;
        if (!is_due(call, now))
            continue;
        *link = call->timer_next;
        call->timer_next = NULL;
        return call;
    }
    return NULL;
}

static void wait_locked(struct comb_timer *timer)
{
    if (!timer->waiting) {
        pthread_cond_wait(&timer->changed, &timer->lock);
        return;
    }
    struct timespec until = {.tv_sec = (time_t)(timer->waiting->due_ns / COMB_NS_PER_S),
                             .tv_nsec = (long)(timer->waiting->due_ns % COMB_NS_PER_S)};
    pthread_cond_timedwait(&timer->changed, &timer->lock, &until);
}

static void timer_destroy(struct comb_timer *timer)
{
    pthread_cond_destroy(&timer->changed);
    pthread_mutex_destroy(&timer->lock);
    free(timer);
}

/* A call that waits holds its client, so that the timer is not stopped before it is empty. */
static void *timer_main(void *data)
{
    struct comb_timer *timer = data;
    pthread_mutex_lock(&timer->lock);
    while (!timer->stopped) {
        struct comb_call *call = take_due_locked(timer);
        if (!call) {
            wait_locked(timer);
            continue;
        }
        pthread_mutex_unlock(&timer->lock);
        comb_call_resume(call);
        pthread_mutex_lock(&timer->lock);
    }
    bool orphaned = timer->orphaned;
    pthread_mutex_unlock(&timer->lock);
    if (orphaned)
        timer_destroy(timer);
    return NULL;
}

static struct comb_timer *timer_new(void)
{
    pthread_condattr_t monotonic;
    struct comb_timer *timer = calloc(1, sizeof(*timer));
    if (!timer)
        return NULL;
    pthread_mutex_init(&timer->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&timer->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (comb_thread_start(&timer->thread, timer_main, timer))
        return timer;
    timer_destroy(timer);
    return NULL;
}

bool comb_timer_add(struct comb_client *client, struct comb_call *call)
{
    pthread_mutex_lock(&client->lock);
    if (!client->timer)
        client->timer = timer_new();
    struct comb_timer *timer = client->timer;
    pthread_mutex_unlock(&client->lock);
    if (!timer)
        return false;
    pthread_mutex_lock(&timer->lock);
    struct comb_call **link = &timer->waiting;
    while (*link && (*link)->due_ns <= call->due_ns)
        link = &(*link)->timer_next;
    call->timer_next = *link;
    *link = call;
    pthread_cond_signal(&timer->changed);
    pthread_mutex_unlock(&timer->lock);
    return true;
}

void comb_timer_wake(struct comb_client *client)
{
    pthread_mutex_lock(&client->lock);
    struct comb_timer *timer = client->timer;
    pthread_mutex_unlock(&client->lock);
    if (!timer)
        return;
    pthread_mutex_lock(&timer->lock);
    pthread_cond_signal(&timer->changed);
    pthread_mutex_unlock(&timer->lock);
}

void comb_timer_free(struct comb_timer *timer)
{
    if (!timer)
        return;
    bool own = pthread_equal(pthread_self(), timer->thread);
    pthread_mutex_lock(&timer->lock);
    timer->stopped = true;
    timer->orphaned = own;
    pthread_cond_signal(&timer->changed);
    pthread_mutex_unlock(&timer->lock);
    if (own) {
        pthread_detach(timer->thread);
        return;
    }
    pthread_join(timer->thread, NULL);
    timer_destroy(timer);
}
