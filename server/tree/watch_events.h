/* SPDX-License-Identifier: Apache-2.0 */
/* One watch: what it must be told next. Used by one thread at a time. */
#ifndef COMB_TREE_WATCH_EVENTS_H
#define COMB_TREE_WATCH_EVENTS_H

#include "server/tree/feed_view.h"
#include "server/tree/tree_watch.h"

/* Feed entries, and nodes of a snapshot, that one round makes events of. */
#define TREE_WATCH_ROUND_MAX 200

/* Folders of a snapshot that wait to be listed, first in first out. */
struct tree_watch_folders {
    struct comb_uuid *ids;
    size_t first, n, capacity;
    comb_str state; /* of the page before, in ids[first]; owned */
};

struct tree_watch {
    struct comb_tree *tree;
    const struct comb_tree_receiver *receiver;
    void *self;
    struct comb_ctx ctx; /* its arena is this watch's own, emptied for each round */
    uint64_t generation; /* of the user when the watch began */
    struct tree_scope scope;
    struct comb_cursor at; /* where the feed is read on from */
    bool in_snapshot;
    struct tree_watch_folders folders;
    comb_str top_state; /* a snapshot of everything: the last workspace's slug; owned */
    bool top_listed;
    int64_t heartbeat_ns, heartbeat_due_ns, check_due_ns;
    bool more; /* the feed, or the snapshot, goes on right now */

    /* What this round made; sent one after the other. */
    struct comb_v1_tree_watch_response **events;
    size_t n_events, next_event, events_max;

    /* Of the thread that serves all (watch.c), under its lock. */
    enum { TREE_WATCH_IDLE = 0, TREE_WATCH_WORKING, TREE_WATCH_SENDING } state;
    bool dirty, failed;
    /* The round failed after it had made events: to be told when they are sent. */
    bool pending_end;
    struct comb_error end_error;
    struct tree_watches *watches;
    struct tree_watch *next;
};

/* Checks the request and fills all but the members of watch.c. ctx: the caller's. */
enum comb_status tree_watch_init(struct tree_watch *watch, struct comb_tree *tree,
                                 const struct comb_ctx *ctx,
                                 const struct comb_v1_tree_watch_request *request,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* Makes the next events, at least a heartbeat where one is due. Fails where the watch has to end;
 * what was made before that is to be sent first. Blocks. */
enum comb_status tree_watch_round(struct tree_watch *watch, struct comb_error *err) COMB_MUST_CHECK;
void tree_watch_done(struct tree_watch *watch);

#endif
