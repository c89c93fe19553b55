/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of replicas_test: replicas that are killed, frozen, drained and added under a client's
 * load.
 */
#ifndef TESTS_E2E_REPLICA_FAULTS_H
#define TESTS_E2E_REPLICA_FAULTS_H

#include "tests/e2e/combd.h"

/* Two that run. */
void replica_faults_begin(struct combd *first, struct combd *second);
void replica_faults_end(void);
/* Runs after the case in which it joins. */
struct combd *replica_faults_third(void);

void a_replica_joins_and_gets_calls(void **state);
void each_replica_is_killed(void **state);
void each_replica_is_frozen(void **state);
void each_replica_is_restarted(void **state);

#endif
