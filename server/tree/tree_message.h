/* SPDX-License-Identifier: Apache-2.0 */
/* From a stored node to the comb.v1.Node that goes out, and the texts that stand for a revision. */
#ifndef COMB_TREE_MESSAGE_H
#define COMB_TREE_MESSAGE_H

#include "comb/v1/node.grpcc.h"
#include "server/facts/facts.h"
#include "server/tree/lock_store.h"

/* What a Node may carry beside what the node itself says. All zero: nothing. */
struct comb_tree_extra {
    const char *path;  /* NULL: not told */
    const char *title; /* the name shown for a workspace's root: its slug; NULL: the node's own */
    const struct comb_v1_folder_totals *totals;
    struct comb_v1_metadata *const *metadata;
    size_t n_metadata;
    enum comb_v1_rights rights; /* UNSPECIFIED: not told */
    const struct comb_tree_lock *locks;
    size_t n_locks;
};

/* The message, all of it in arena; RESOURCE_EXHAUSTED without room. extra may be NULL. */
enum comb_status comb_tree_node_message(struct grpcc_arena *arena, const struct comb_node *node,
                                        const struct comb_tree_extra *extra,
                                        struct comb_v1_node **ret_message,
                                        struct comb_error *err) COMB_MUST_CHECK;

enum comb_status comb_tree_lock_message(struct grpcc_arena *arena,
                                        const struct comb_tree_lock *lock,
                                        struct comb_v1_lock **ret_message,
                                        struct comb_error *err) COMB_MUST_CHECK;

/* Room for an etag and its NUL. */
#define COMB_TREE_ETAG_SIZE 36
/* The etag of a node at its revision: opaque to callers, never the same for two nodes. */
void comb_tree_etag(const struct comb_node *node, char ret_etag[COMB_TREE_ETAG_SIZE]);
/* OK where expected is empty or the node's etag; else FAILED_PRECONDITION (ETAG_MISMATCH) about
 * field. */
enum comb_status comb_tree_etag_check(const struct comb_node *node, comb_str expected,
                                      const char *field, struct comb_error *err) COMB_MUST_CHECK;

#endif
