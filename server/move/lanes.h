/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several things at once, and yet in order: what is put is run by one of COMB_MOVE_AT_ONCE_MAX
 * threads, and taken out, when it is done, in the order in which it was put. From inside of
 * server/move.
 *
 * Threads: all functions by one thread. What is put belongs to the lanes until it is taken.
 */
#ifndef COMB_MOVE_LANES_H
#define COMB_MOVE_LANES_H

#include <stdbool.h>

#include "server/core/error.h"

struct move_lanes;

enum comb_status move_lanes_new(struct move_lanes **ret_lanes,
                                struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. Waits for what runs; what was not begun is not run. */
void move_lanes_free(struct move_lanes *lanes);

/* Whether one has to be taken before the next can be put. */
bool move_lanes_are_full(const struct move_lanes *lanes);
/* Has run(item) called. The lanes must not be full. */
void move_lanes_put(struct move_lanes *lanes, void (*run)(void *item), void *item);
/* The first of those that were put, once it has been run; NULL: there is none. */
void *move_lanes_take(struct move_lanes *lanes);

#endif
