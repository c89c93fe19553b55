/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMB_TESTS_TREE_RECOUNT_H
#define COMB_TESTS_TREE_RECOUNT_H

#include "tests/contract/tree/fixture.h"

/* Once the background has settled, the stored totals of every folder are what a walk of all rows,
 * done here in memory, counts. */
void must_be_recounted(struct fixture *f);

#endif
