/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/client/client_alarm.h"

#include <time.h>

#include "gen/runtime/src/core/core.h"
#include "gen/runtime/src/message/memory.h"

struct grpcc_clock {
    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    struct grpcc_alarm *first, *last;
    pthread_t thread;
    bool running;
    bool stopping;
    bool detached; /* the thread frees it */
};

struct grpcc_clock *grpcc_clock_new(void)
{
    pthread_condattr_t monotonic;
    struct grpcc_clock *clock = grpcc_memory_zalloc(sizeof(*clock));
    if (!clock)
        return NULL;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&clock->lock, NULL);
    pthread_cond_init(&clock->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return clock;
}

static void destroy(struct grpcc_clock *clock)
{
    pthread_cond_destroy(&clock->changed);
    pthread_mutex_destroy(&clock->lock);
    grpcc_memory_free(clock);
}

void grpcc_clock_free(struct grpcc_clock *clock)
{
    if (!clock)
        return;
    pthread_mutex_lock(&clock->lock);
    bool running = clock->running;
    pthread_t thread = clock->thread;
    clock->stopping = true;
    clock->detached = running && pthread_equal(pthread_self(), thread);
    bool detached = clock->detached;
    pthread_cond_signal(&clock->changed);
    pthread_mutex_unlock(&clock->lock);
    if (detached) {
        pthread_detach(thread);
        return;
    }
    if (running)
        pthread_join(thread, NULL);
    destroy(clock);
}

/* ---- the list ---- */

static void remove_locked(struct grpcc_clock *clock, struct grpcc_alarm *alarm)
{
    if (alarm->previous)
        alarm->previous->next = alarm->next;
    else
        clock->first = alarm->next;
    if (alarm->next)
        alarm->next->previous = alarm->previous;
    else
        clock->last = alarm->previous;
    alarm->is_set = false;
}

/* From the end: most alarms are set for the same time from now, and so belong there. */
static void insert_locked(struct grpcc_clock *clock, struct grpcc_alarm *alarm)
{
    struct grpcc_alarm *before = clock->last;
    while (before && before->at_ns > alarm->at_ns)
        before = before->previous;
    alarm->previous = before;
    alarm->next = before ? before->next : clock->first;
    if (alarm->next)
        alarm->next->previous = alarm;
    else
        clock->last = alarm;
    if (before)
        before->next = alarm;
    else
        clock->first = alarm;
    alarm->is_set = true;
}

static void ring_first(struct grpcc_clock *clock)
{
    struct grpcc_alarm *alarm = clock->first;
    if (!alarm) {
        pthread_cond_wait(&clock->changed, &clock->lock);
        return;
    }
    if (alarm->at_ns > grpcc_now_ns()) {
        struct timespec until = {.tv_sec = alarm->at_ns / GRPCC_NS_PER_S,
                                 .tv_nsec = alarm->at_ns % GRPCC_NS_PER_S};
        pthread_cond_timedwait(&clock->changed, &clock->lock, &until);
        return;
    }
    remove_locked(clock, alarm);
    pthread_mutex_unlock(&clock->lock);
    alarm->ring(alarm);
    pthread_mutex_lock(&clock->lock);
}

static void *clock_main(void *data)
{
    struct grpcc_clock *clock = data;
    grpcc_core_poller_begin();
    pthread_mutex_lock(&clock->lock);
    while (!clock->stopping)
        ring_first(clock);
    bool detached = clock->detached;
    pthread_mutex_unlock(&clock->lock);
    if (detached)
        destroy(clock);
    return NULL;
}

bool grpcc_clock_set(struct grpcc_clock *clock, struct grpcc_alarm *alarm, int64_t at_ns)
{
    pthread_mutex_lock(&clock->lock);
    if (!clock->running)
        clock->running = grpcc_thread_start(&clock->thread, "grpcc-clock", clock_main, clock);
    bool set = clock->running;
    if (set) {
        alarm->at_ns = at_ns;
        insert_locked(clock, alarm);
        if (clock->first == alarm)
            pthread_cond_signal(&clock->changed);
    }
    pthread_mutex_unlock(&clock->lock);
    return set;
}

bool grpcc_clock_unset(struct grpcc_clock *clock, struct grpcc_alarm *alarm)
{
    pthread_mutex_lock(&clock->lock);
    bool was_set = alarm->is_set;
    if (was_set)
        remove_locked(clock, alarm);
    pthread_mutex_unlock(&clock->lock);
    return was_set;
}
