/* SPDX-License-Identifier: Apache-2.0 */
/* Searches, feeds and logs over as many entries, with COMB_LONG set 20,000, in both stores. */
#ifndef TESTS_CONTRACT_SEARCH_MANY_H
#define TESTS_CONTRACT_SEARCH_MANY_H

/* Returns the number of tests that failed. */
int run_many(void);

#endif
