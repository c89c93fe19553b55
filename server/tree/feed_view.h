/* SPDX-License-Identifier: Apache-2.0 */
/* Feed entries as a caller sees them: what belongs to his scope, what he may know of it. */
#ifndef COMB_TREE_FEED_VIEW_H
#define COMB_TREE_FEED_VIEW_H

#include "server/tree/internal.h"

/* Which nodes a reader of the feed wants. */
struct tree_scope {
    bool all; /* all that the caller may read; else: */
    struct comb_uuid folder;
    bool recursive;
};

/* What a feed entry means to a caller, by his rights as they are now. */
struct tree_sight {
    bool in_before, in_now;       /* the scope held the node before the change, and after it */
    bool reads_before, reads_now; /* the caller may read the folder that held it (and the node, as
                                     far as its entries are known); and the node where it is */
};

/* ctx->seen must cover the record, so that facts are not older. Blocks. */
enum comb_status tree_sight_of(struct comb_tree *tree, struct comb_ctx *ctx,
                               const struct tree_scope *scope,
                               const struct comb_feed_record *record, struct tree_sight *ret_sight,
                               struct comb_error *err) COMB_MUST_CHECK;
/* The change with all that the caller may know of it. */
enum comb_status tree_change_message(struct comb_ctx *ctx, const struct comb_feed_record *record,
                                     const struct tree_sight *sight,
                                     struct comb_v1_change **ret_change,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* The node of the entry as it was right after the change; without an id where it has no payload. */
enum comb_status tree_feed_node(struct comb_ctx *ctx, const struct comb_feed_entry *entry,
                                struct comb_v1_node **ret_node,
                                struct comb_error *err) COMB_MUST_CHECK;

/* Cursors: a position in text form. NULL: no room. */
char *tree_cursor_text(struct grpcc_arena *arena, struct comb_cursor cursor);
/* CURSOR_INVALID. */
enum comb_status tree_cursor_parse(struct grpcc_arena *arena, const char *text,
                                   struct comb_cursor *ret_cursor,
                                   struct comb_error *err) COMB_MUST_CHECK;

#endif
