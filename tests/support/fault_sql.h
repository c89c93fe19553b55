/* SPDX-License-Identifier: Apache-2.0 */
/* The sql row with faults: a wrapper around any driver, which is a driver. */
#ifndef COMB_TESTS_SUPPORT_FAULT_SQL_H
#define COMB_TESTS_SUPPORT_FAULT_SQL_H

#include <stdatomic.h>

#include "server/backend/sql/sql.h"

enum test_sql_fault {
    TEST_SQL_REFUSE, /* the request does not run: UNAVAILABLE */
    TEST_SQL_LOSE    /* it runs, but its answer is lost: UNAVAILABLE, ambiguous */
};

struct test_fault_sql {
    struct comb_sql base;
    struct comb_sql *inner; /* borrowed; closing the wrapper does not close it */
    enum test_sql_fault fault;
    uint32_t kinds;    /* bits 1 << enum comb_sql_kind that count */
    long n_faults;     /* how many fail, one after the other */
    _Atomic long left; /* requests of these kinds until the first that fails; below 1: they do */
};

void test_fault_sql_init(struct test_fault_sql *sql, struct comb_sql *inner);
/* The n-th request from now on (1: the next) of these kinds fails, and n_faults - 1 behind it. */
void test_fault_sql_arm(struct test_fault_sql *sql, enum test_sql_fault fault, uint32_t kinds,
                        long n, long n_faults);
#define TEST_SQL_WRITES (1u << COMB_SQL_WRITE | 1u << COMB_SQL_WRITE_LOCKED)
#define TEST_SQL_READS (1u << COMB_SQL_READ | 1u << COMB_SQL_SCAN)

#endif
