/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of a list: pure functions. */
#ifndef COMB_TREE_FILTER_H
#define COMB_TREE_FILTER_H

#include "comb/v1/tree.grpcc.h"
#include "server/facts/facts.h"

#define COMB_TREE_FILTER_DEPTH_MAX 32
#define COMB_TREE_FILTER_CONDITIONS_MAX 1000

/* Checks depth, number of conditions and every condition; NULL is fine. Errors: FIELD_INVALID with
 * the path from `field` on ("filter.all_of.filters[2].size"). */
enum comb_status comb_tree_filter_check(const struct comb_v1_node_filter *filter, const char *field,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* Whether the node is chosen; the filter has been checked. NULL chooses all. */
bool comb_tree_filter_match(const struct comb_v1_node_filter *filter, const struct comb_node *node);

#endif
