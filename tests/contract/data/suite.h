/* SPDX-License-Identifier: Apache-2.0 */
/* The suites of the data row's contract; each returns the number of its failed cases. */
#ifndef COMB_TESTS_CONTRACT_DATA_SUITE_H
#define COMB_TESTS_CONTRACT_DATA_SUITE_H

int suite_content(void); /* what is written is read */
int suite_names(void);   /* keys, listing, removing */
int suite_crash(void);   /* writers killed, threads at once, no room */
int suite_store(void);   /* checked, asked how it is, presigned */

#endif
