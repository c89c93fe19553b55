/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the engine share: its workers, and the holding of what they run. */
#ifndef COMB_OPERATIONS_INTERNAL_H
#define COMB_OPERATIONS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/operations/engine.h"

/* An operation that this process runs. Written by its worker and the keeper under the engine's
 * lock, but for what is atomic. */
struct comb_operation_run {
    struct comb_operation_engine *engine;
    bool is_held;
    struct comb_uuid id;
    uint64_t fence;
    uint32_t attempts;
    int64_t renew_ns;              /* CLOCK_BOOTTIME: when the keeper renews */
    _Atomic int64_t good_until_ns; /* CLOCK_BOOTTIME: two thirds of the lease; 0: lost */
    atomic_bool cancel;
};

struct operation_worker {
    struct comb_operation_engine *engine;
    pthread_t thread;
    struct comb_operation_run run;
};

struct comb_operation_engine {
    struct comb_operations_store *store;
    struct comb_uuid holder;
    int64_t lease_us, poll_ms;
    struct comb_operation_kind kinds[COMB_OPERATION_KINDS_MAX];
    size_t n_kinds;
    /* ",a,b," */
    char names[COMB_OPERATION_KINDS_MAX * (COMB_OPERATION_KIND_BYTES_MAX + 1) + 2];
    void (*changed)(void *data);
    void *changed_data;

    pthread_mutex_t lock;
    pthread_cond_t wake_workers, wake_keeper; /* CLOCK_MONOTONIC */
    int64_t next_look_ns;                     /* CLOCK_MONOTONIC */
    atomic_bool stopping;
    bool keeper_stopping;
    size_t n_workers; /* started */
    bool has_keeper;
    struct operation_worker workers[COMB_OPERATION_WORKERS];
    pthread_t keeper;
    struct comb_operation_stats stats;
};

/* Begins to hold what was taken by a request sent at sent_ns (CLOCK_BOOTTIME). */
void operation_hold(struct comb_operation_run *run, const struct comb_operation_taken *taken,
                    int64_t sent_ns);
/* The lease was renewed by a request sent at sent_ns. */
void operation_held(struct comb_operation_run *run, int64_t sent_ns, bool cancel);
/* It is somebody else's, or has ended. */
void operation_lost(struct comb_operation_run *run);
void operation_let_go(struct comb_operation_run *run);
/* Whether this process may still write: as comb_operation_may_go_on(), but for cancelling and
 * stopping. */
bool operation_is_held(const struct comb_operation_run *run);
/* The thread that renews leases. data: the engine. */
void *operation_keep(void *data);

/* Waits on a condition of the engine at most ms. */
void operation_wait_locked(struct comb_operation_engine *engine, pthread_cond_t *condition,
                           int64_t ms);

/* Runs what was taken until it ends, is given back or lost. arenas: two of the worker's. */
void operation_run(struct comb_operation_run *run, const struct comb_operation_taken *taken,
                   struct grpcc_arena *arenas[2]);

#endif
