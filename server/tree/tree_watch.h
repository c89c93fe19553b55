/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches: the feed as it grows, to who asked. One thread serves all of them: it looks what each
 * one must be told and hands the events over one by one, as fast as their receiver takes them; who
 * is slow keeps nobody waiting, and a watch that has nothing to tell costs no thread.
 */
#ifndef COMB_TREE_WATCH_H
#define COMB_TREE_WATCH_H

#include "server/tree/tree.h"

/* Watches at the same time; above it OVERLOADED. */
#define COMB_TREE_WATCHES_MAX 1000
/* How often a watch asks whether its caller may still read what it watches: the bound of
 * CONSISTENCY 4.5. */
#define COMB_TREE_WATCH_CHECK_MS COMB_FACTS_BOUND_MS
/* Folders that a snapshot has seen and not yet listed. */
#define COMB_TREE_WATCH_FOLDERS_MAX 1000000

enum comb_tree_receiver_state {
    COMB_TREE_RECEIVER_READY = 0,
    COMB_TREE_RECEIVER_GONE,    /* cancelled: nothing can be sent any more */
    COMB_TREE_RECEIVER_DRAINING /* this process ends: the receiver should go elsewhere */
};

/* Who receives a watch's events. */
struct comb_tree_receiver {
    /* Takes one event, which need not live longer than the call; then, from any thread, also before
     * it returns, calls done(data, ok) once. */
    void (*send)(void *self, const struct comb_v1_tree_watch_response *event,
                 void (*done)(void *data, bool ok), void *data);
    enum comb_tree_receiver_state (*state)(void *self);
    /* The watch is over, self is not used again. err is never NULL; a watch has no good end. */
    void (*end)(void *self, const struct comb_error *err);
};

/*
 * Begins a watch. The caller's ctx, its principal and request live until receiver->end, which is
 * called exactly once if this succeeds, and not at all if it fails. Blocks a little (rights, the
 * feed's head).
 */
enum comb_status comb_tree_watch_start(struct comb_tree *tree, struct comb_ctx *ctx,
                                       const struct comb_v1_tree_watch_request *request,
                                       const struct comb_tree_receiver *receiver, void *self,
                                       struct comb_error *err) COMB_MUST_CHECK;

#endif
