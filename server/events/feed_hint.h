/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hint by which replicas wake one another: "the change feed of this installation has grown", or
 * "an operation has changed". Without it, all is as right, and each replica finds out by its own
 * poll, later.
 *
 * Raised after each commit, published by a thread of its own, at most once in 2 ms, so that no
 * commit waits for the events row. Where that row is of this process alone, nothing happens.
 */
#ifndef COMB_EVENTS_FEED_HINT_H
#define COMB_EVENTS_FEED_HINT_H

#include "server/events/hub.h"

struct comb_feed_hint;

/*
 * wake: called when another replica has said so, or may have (losses); on the hub's thread, must
 * not block. hub: borrowed. what: "feed", "operations"; the topic is "comb.WHAT.INSTALLATION".
 */
enum comb_status comb_feed_hint_new(struct comb_hub *hub, bool shared, const char *what,
                                    const struct comb_uuid *installation, void (*wake)(void *data),
                                    void *data, struct comb_feed_hint **ret_hint,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* wake is not called any more when this returns. NULL is fine. */
void comb_feed_hint_free(struct comb_feed_hint *hint);

/* It is so. Any thread; never blocks. NULL is fine. */
void comb_feed_hint_raise(struct comb_feed_hint *hint);

#endif
