/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time at which the client does something by itself: core's C API has no timers. */
#ifndef GRPCC_SRC_CLIENT_ALARM_H
#define GRPCC_SRC_CLIENT_ALARM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "grpcc/compiler.h"

struct grpcc_alarm {
    void (*ring)(struct grpcc_alarm *alarm); /* on the clock's thread, which must not block */
    int64_t at_ns;                           /* CLOCK_MONOTONIC */
    struct grpcc_alarm *next, *previous;     /* under clock->lock */
    bool is_set;                             /* the same */
};

/* The alarms of a process' channels, the next one first, and the thread that waits for them. */
struct grpcc_clock;

/* NULL without memory. The thread starts with the first alarm. */
struct grpcc_clock *grpcc_clock_new(void) GRPCC_MUST_CHECK;
/* No alarm may be set. May be called on its own thread. NULL is fine. */
void grpcc_clock_free(struct grpcc_clock *clock);
/* Sets an alarm that is not set. False: no thread; it will not ring. */
bool grpcc_clock_set(struct grpcc_clock *clock, struct grpcc_alarm *alarm,
                     int64_t at_ns) GRPCC_MUST_CHECK;
/* False: it was not set: it has rung, or is about to. */
bool grpcc_clock_unset(struct grpcc_clock *clock, struct grpcc_alarm *alarm);

#endif
