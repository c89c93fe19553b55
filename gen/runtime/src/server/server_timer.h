/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines that the server gives to calls (grpcc_method_config.timeout_max_ms): core only knows
 * the clients' own. And, for calls without one, how long a message may wait for its reader. */
#ifndef GRPCC_SRC_SERVER_TIMER_H
#define GRPCC_SRC_SERVER_TIMER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/compiler.h"

struct grpcc_call;

/* A binary heap of calls, the next deadline first, and the thread that waits for it. */
struct grpcc_timers {
    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    struct grpcc_call **heap;
    size_t n;
    size_t capacity;
    pthread_t thread;
    int64_t wake_ns; /* when the thread wakes by itself; 0: it has not slept yet */
    bool running;
    bool stopping;
};

void grpcc_timers_init(struct grpcc_timers *timers);
void grpcc_timers_done(struct grpcc_timers *timers);
/* Cancels the call at its timer_ns, unless it is removed before: with DEADLINE_EXCEEDED, or where
 * timer_for_sends says so with RESOURCE_EXHAUSTED, if its message has waited for send_wait_max_ms,
 * else looks again. False: no room. */
bool grpcc_timers_add(struct grpcc_timers *timers, struct grpcc_call *call) GRPCC_MUST_CHECK;
void grpcc_timers_remove(struct grpcc_timers *timers, struct grpcc_call *call);

#endif
