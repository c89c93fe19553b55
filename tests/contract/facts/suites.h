/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMB_TESTS_FACTS_SUITES_H
#define COMB_TESTS_FACTS_SUITES_H

#include "tests/contract/facts/fixture.h"

#define FACTS_TEST(function)                                                                       \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

/* Each returns the number of tests that failed. */
int run_suite_lookup(void);
int run_suite_coherence(void);
int run_suite_history(void);

#endif
