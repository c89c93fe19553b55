/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an item is made of. Its place is the history of the feed and the number in it, so that items
 * are in the order of the feed, also over a store that was put back from a backup; a promoted
 * standby goes on with the same history. Its id is a hash of the place and the node: the same
 * change gives the same item whenever it is read.
 *
 * Its keys: "n" and the id of the node, and of each folder that was above it before or after the
 * change, so that a folder's items are found without looking at what is below it now; "u" and the
 * id of who did it. Its body: a packed comb.v1.Activity, with what was known at that time.
 */
#ifndef COMB_ACTIVITIES_RECORD_H
#define COMB_ACTIVITIES_RECORD_H

#include "comb/v1/activity.grpcc.h"
#include "server/items/items_driver.h"
#include "server/mutation/feed.h"

/* An item as it is read. */
struct activities_record {
    comb_str id, at;
    int64_t time_us;
    struct comb_uuid node, actor;         /* actor nil: the server */
    struct comb_uuid target, origin;      /* nil: none */
    const struct comb_v1_activity *known; /* what was known at that time; borrowed */
};

/* "n…" or "u…". ptr NULL: no room. */
comb_str activities_node_key(struct grpcc_arena *arena, const struct comb_uuid *node);
comb_str activities_user_key(struct grpcc_arena *arena, const struct comb_uuid *user);
/* The id in one. */
bool activities_read_key(comb_str key, char *ret_kind, struct comb_uuid *ret_id) COMB_MUST_CHECK;
/* The place of a number of a history. ptr NULL: no room. */
comb_str activities_place(struct grpcc_arena *arena, uint64_t history, uint64_t sequence);

/* *ret_is: whether the entry is about a node, and gives an item. */
enum comb_status activities_from_feed(struct comb_ctx *ctx, uint64_t history,
                                      const struct comb_feed_record *record,
                                      struct comb_item *ret_item, bool *ret_is,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* DATA_LOSS: it is damaged. */
enum comb_status activities_read_item(struct comb_ctx *ctx, const struct comb_item *item,
                                      struct activities_record *ret_record,
                                      struct comb_error *err) COMB_MUST_CHECK;

#endif
