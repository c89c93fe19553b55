/* SPDX-License-Identifier: Apache-2.0 */
/* The event form of the client: completions that wait for a thread of the program. */
#ifndef GRPCC_SRC_CLIENT_EVENTS_H
#define GRPCC_SRC_CLIENT_EVENTS_H

#include <stdbool.h>

#include "grpcc/channel.h"
#include "grpcc/events.h"

/* One completion; a member of what completes, so that telling of it needs no memory. */
struct grpcc_event {
    void (*run)(struct grpcc_event *event);
    struct grpcc_event *next; /* under events->lock */
};

struct grpcc_events_member;

struct grpcc_events_member_ops {
    /* False: its last reference is gone, it is about to leave. Called with the events' lock. */
    bool (*try_hold)(struct grpcc_events_member *member);
    void (*cancel)(struct grpcc_events_member *member);
    void (*release)(struct grpcc_events_member *member);
};

/* A call that reports to events, from its start to its last release. */
struct grpcc_events_member {
    struct grpcc_events *events; /* NULL: to the poller */
    const struct grpcc_events_member_ops *ops;
    struct grpcc_events_member *next, **link; /* in a list of events, under events->lock */
};

/* events NULL: nothing. False: they have been freed. */
bool grpcc_events_join(struct grpcc_events_member *member, struct grpcc_events *events,
                       const struct grpcc_events_member_ops *ops) GRPCC_MUST_CHECK;
/* May free events. */
void grpcc_events_leave(struct grpcc_events_member *member);

/* An operation begins that will be told by _tell, exactly once. False: events have been freed.
 * events NULL: true. */
bool grpcc_events_begin(struct grpcc_events *events) GRPCC_MUST_CHECK;
/* event->run(event), on a thread that dispatches, or here where events are NULL. */
void grpcc_events_tell(struct grpcc_events *events, struct grpcc_event *event);

/* options.events, or NULL where the options are none or older. */
struct grpcc_events *grpcc_events_of(const struct grpcc_call_options *options);

#endif
