/* SPDX-License-Identifier: Apache-2.0 */
/* Places: what moves, deletions and restorations have in common. */
#ifndef COMB_TREE_PLACE_H
#define COMB_TREE_PLACE_H

#include "server/tree/internal.h"

/* A name in a folder. */
struct tree_place {
    const struct comb_fact_link *links; /* the folder's chain */
    size_t n_links;
    comb_str name;
    const char *path; /* of the folder, where the request gave one; else NULL */
};

/* comb_access_resolve by id. */
enum comb_status tree_resolve_id(struct comb_tree *tree, struct comb_ctx *ctx,
                                 const struct comb_uuid *id,
                                 const struct comb_access_options *options,
                                 struct comb_access_node *ret_node,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* The node that is to be moved or deleted: write on it and on the folder that holds it, no root
 * (IS_ROOT), its etag. Adds the decision to the plan. */
enum comb_status tree_resolve_change(struct comb_tree *tree, struct comb_ctx *ctx,
                                     struct comb_plan *plan, const struct comb_v1_node_ref *ref,
                                     const struct comb_access_options *options, const char *etag,
                                     struct comb_access_node *ret_node,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* A folder to put something into: all of place but the name. Adds the decision to the plan. */
enum comb_status tree_place_resolve(struct comb_tree *tree, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_v1_node_ref *ref,
                                    const char *field, struct tree_place *place,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* What has the name there; NULL: nothing. presume_free: also where that is not known, for who
 * writes next and decides again where the name turns out to be taken. */
enum comb_status tree_place_existing(struct comb_tree *tree, struct comb_ctx *ctx,
                                     const struct tree_place *place, bool presume_free,
                                     const struct comb_node **ret_existing,
                                     struct comb_error *err) COMB_MUST_CHECK;

/*
 * A node that goes from the place of its chain to another, or to the purge node (to NULL). Sets the
 * plan's kind: what puts a folder below another one, also back from the bin, runs under
 * COMB_LOCK_MOVES and looks for a cycle, since two such writes that each see the other's folder
 * where it was can close one together.
 */
struct tree_placing {
    enum comb_feed_kind kind;
    const struct comb_fact_chain *chain;
    const struct tree_place *to;
    const struct comb_tree_claim *claim;
};
enum comb_status tree_plan_placing(struct comb_tree *tree, struct comb_ctx *ctx,
                                   struct comb_plan *plan, const struct tree_placing *placing,
                                   struct comb_node *ret_node,
                                   struct comb_error *err) COMB_MUST_CHECK;

/* "/a/b" of "/a/b/c"; NULL for NULL, for what has no parent, and without room. */
const char *tree_path_parent(struct grpcc_arena *arena, const char *path);
/* ALREADY_EXISTS (NAME_TAKEN). */
enum comb_status tree_name_taken(comb_str name, const char *field, struct comb_error *err);

#endif
