/* SPDX-License-Identifier: Apache-2.0 */
/* What the two consumers that keep the index share: the nodes of a batch, and where a rebuild is.
 */
#ifndef COMB_SEARCH_WALK_H
#define COMB_SEARCH_WALK_H

#include "server/consumers/consumer.h"
#include "server/tree/tree_store.h"

/* Nodes of one page of a rebuild. */
#define COMB_SEARCH_WALK_MAX 500

/* What a rebuild does, one behind the other. */
enum comb_search_phase { COMB_SEARCH_WALKING = 0, COMB_SEARCH_SWEEPING, COMB_SEARCH_PRUNING };

/* Where a rebuild is. */
struct comb_search_progress {
    enum comb_search_phase phase;
    struct comb_uuid last; /* WALKING: the last node that was looked at */
    uint64_t nodes;        /* that were looked at */
};

/* state: comb_consumer_rebuild.state, of either consumer. DATA_LOSS: it is none. */
enum comb_status comb_search_progress_read(comb_str state,
                                           struct comb_search_progress *ret_progress,
                                           struct comb_error *err) COMB_MUST_CHECK;
/* In arena; ptr NULL: no memory. */
comb_str comb_search_progress_write(struct grpcc_arena *arena,
                                    const struct comb_search_progress *progress);

/* Whether an entry of the feed is about a node's attributes, place or content. */
bool comb_search_is_of_node(const struct comb_feed_entry *entry);
/* Whether a node is to be in the index; else it is the end of the tree, or on its way out of it. */
bool comb_search_is_indexed(const struct comb_node *node);

/* The nodes of some entries, each once; in arena. */
enum comb_status comb_search_nodes_of(struct grpcc_arena *arena,
                                      const struct comb_feed_record *records, size_t n,
                                      const struct comb_uuid **ret_ids, size_t *ret_n,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* Nodes as they are now, one for each id in order, at most COMB_TREE_DETAILS_MAX. Blocks. In ctx's
 * arena. */
enum comb_status comb_search_read_nodes(struct comb_tree_store *tree, struct comb_ctx *ctx,
                                        const struct comb_uuid *ids, size_t n,
                                        const struct comb_tree_details **ret_details,
                                        struct comb_error *err) COMB_MUST_CHECK;

#endif
