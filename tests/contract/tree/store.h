/* SPDX-License-Identifier: Apache-2.0 */
/* The store under test: one of these files per driver. */
#ifndef COMB_TESTS_TREE_STORE_H
#define COMB_TESTS_TREE_STORE_H

#include "server/tree/tree_store.h"

/* A new, empty row. */
struct comb_sql *test_sql_open(struct comb_error *err);
struct comb_tree_store *test_store_open(struct comb_sql *sql);

#endif
