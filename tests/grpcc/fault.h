/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime's allocations, of which one is made to fail. */
#ifndef GRPCC_TESTING_FAULT_H
#define GRPCC_TESTING_FAULT_H

#include "tests/grpcc/fixture.h"

/* Before any other function of the runtime. */
void fault_install(void);

/* The n-th allocation from now on fails, from 0; the later ones do not. */
void fault_arm(unsigned n);
/* No more of them fail; whether one did. */
bool fault_disarm(void);
/* Blocks that have not been freed. */
long fault_live(void);

/* What is done while an allocation fails; its name is for the report. */
struct fault_scenario {
    const char *name;
    struct fixture *(*setup)(void);
    void (*run)(struct fixture *f);
};

/*
 * Runs the scenario on a new fixture for each allocation that it makes, which fails in that run.
 * After each the server must serve a call, and at the end of the fixture nothing may be left.
 * min: so many allocations it makes at least; the runs did not end by accident.
 */
void fault_each(const struct fault_scenario *scenario, unsigned min);

/* A status that a call may have where there was no memory. */
void fault_must_be_sound(enum grpcc_status status);

#endif
