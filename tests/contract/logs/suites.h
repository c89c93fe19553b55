/* SPDX-License-Identifier: Apache-2.0 */
/* The suites of logs, each of one behaviour area: runs its tests, answers how many failed. */
#ifndef TESTS_CONTRACT_LOGS_SUITES_H
#define TESTS_CONTRACT_LOGS_SUITES_H

int run_append(void);
int run_own(void);
int run_query(void);
int run_follow(void);

#endif
