/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completions on a thread of the program: for programs with a loop of their own (epoll, poll,
 * libuv, GLib). Calls that are started with `options.events` report there instead of on the
 * runtime's poller:
 *
 *     events = grpcc_events_new(&err);
 *     add grpcc_events_fd(events) to the loop, for reading, level-triggered
 *     x_y_start(channel, arena, &(struct grpcc_call_options){..., .events = events}, ...);
 *     when the descriptor is readable: grpcc_events_dispatch(events, 0);
 *
 * That holds for the `done` of unary calls, of reads, writes and ends of streams, for on_metadata
 * of calls that are started that way, and for the memory: the arenas are touched by the thread that
 * dispatches, and by no other. The blocking forms of the same stream work too and need no dispatch;
 * a `done` may make blocking calls, but holds up its loop. on_end may still come on any thread.
 */
#ifndef GRPCC_EVENTS_H
#define GRPCC_EVENTS_H

#include <stddef.h>

#include "grpcc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grpcc_events;

/* NULL and err: no memory, no descriptors, or the child of a fork. */
struct grpcc_events *grpcc_events_new(struct grpcc_error *err) GRPCC_MUST_CHECK;

/* Readable while there is something to dispatch. Borrowed: to be watched, not read. */
int grpcc_events_fd(const struct grpcc_events *events);

/*
 * Runs what has completed, in the order in which it did: what was there when it was called, and at
 * most max (0: no limit). How many it ran; 0 after a fork. Any thread, several at once: then one
 * stream's read and write may be told of at the same time. May be called within a `done`.
 */
size_t grpcc_events_dispatch(struct grpcc_events *events, size_t max);

/*
 * Cancels the calls that report here, waits until they have ended, and runs their `done` on this
 * thread: none runs after it has returned, but for those that other threads dispatch at the moment.
 * On the poller it does not wait, and what is left runs there. Streams may outlive it: what is
 * started on them then fails. May be called within a `done`, before or after channels and calls are
 * freed. Closes the descriptor: take it out of the loop before. NULL is fine.
 */
void grpcc_events_free(struct grpcc_events *events);

#ifdef __cplusplus
}
#endif

#endif
