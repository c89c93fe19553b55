/* SPDX-License-Identifier: Apache-2.0 */
/* The suites of the tree, each of one behaviour area: runs its tests, answers how many failed. */
#ifndef COMB_TESTS_TREE_SUITES_H
#define COMB_TESTS_TREE_SUITES_H

int run_names(void);
int run_moves(void);
int run_trash(void);
int run_lists(void);
int run_metadata(void);
int run_feed(void);
int run_watches(void);
int run_totals(void);

#endif
