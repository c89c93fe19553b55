/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cases of replicas_test: what is taken away through one replica of three is refused by the other
 * two within the bound: a right, a token, all that a disabled user may; at log-in at once. Prints
 * how soon.
 */
#ifndef TESTS_E2E_REVOCATION_H
#define TESTS_E2E_REVOCATION_H

#include "tests/e2e/combd.h"

/* What is taken away is taken at the first; all three run. */
void revocation_begin(struct combd *first, struct combd *second, struct combd *third);
void revocation_end(void);

void what_was_taken_is_refused(void **state);
void what_was_taken_is_refused_without_nats(void **state);

#endif
