/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kind of operation for tests: counts to a number, a step each, keeps where it is as its state,
 * stands still and fails where it is told to.
 */
#ifndef TESTS_CONTRACT_OPERATIONS_COUNTING_H
#define TESTS_CONTRACT_OPERATIONS_COUNTING_H

#include <pthread.h>

#include "server/operations/engine.h"
#include "tests/support/support.h"

#define COUNTING "test.count"

/* What a step of this process does. All under the lock. */
struct counting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int stop_at;    /* the step that stands still; 0: none */
    int n_standing; /* that stand still now */
    bool go_on;     /* who stands still may go on */
    int steps;      /* done in this process */
    int fail_at;    /* the step that fails */
    int fail_times; /* how often it still does */
    enum comb_status failure;
    bool may_go_on;     /* what comb_operation_may_go_on() said behind the standing still */
    int64_t advance_ns; /* how far the clocks are moved while a step stands still */
};

void counting_init(struct counting *counting);
struct comb_operation_kind counting_kind(struct counting *counting);
/* Until n stand still. */
void counting_await_standing(struct counting *counting, int n);
void counting_go_on(struct counting *counting);

/* An engine over the store with the kind, started. */
struct comb_operation_engine *counting_engine(struct comb_operations_store *store,
                                              struct counting *counting, uint32_t lease_ms);
/* Makes one that counts to n. */
struct comb_uuid counting_make(struct comb_sql *sql, struct comb_operations_store *store, int n);
struct comb_operation counting_get(struct comb_operations_store *store, struct test_ctx *t,
                                   const struct comb_uuid *id);
/* Looks until it has ended, or 60 s are over. In t's arena. */
struct comb_operation counting_await_end(struct comb_operations_store *store, struct test_ctx *t,
                                         const struct comb_uuid *id);

#endif
