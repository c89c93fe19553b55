/* SPDX-License-Identifier: Apache-2.0 */
/* From a resolved node to what a caller sees of it. */
#ifndef COMB_TREE_VIEW_H
#define COMB_TREE_VIEW_H

#include "server/tree/internal.h"

/* What needs details. */
#define TREE_WITH_DETAILS (COMB_TREE_WITH_TOTALS | COMB_TREE_WITH_METADATA | COMB_TREE_WITH_LOCKS)

/* All but that. */
enum comb_status tree_view_fill(struct comb_ctx *ctx, const struct comb_access_node *node,
                                uint32_t with, struct comb_tree_view *ret_view,
                                struct comb_error *err) COMB_MUST_CHECK;
/* Metadata, totals and locks, and the node as it was in the same snapshot. */
enum comb_status tree_view_add_details(struct comb_ctx *ctx,
                                       const struct comb_tree_details *details, uint32_t with,
                                       struct comb_tree_view *view,
                                       struct comb_error *err) COMB_MUST_CHECK;

#endif
