/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded pool of workers for blocking methods, and the bounded queue before it. */
#ifndef GRPCC_SRC_SERVER_POOL_H
#define GRPCC_SRC_SERVER_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/compiler.h"

struct grpcc_call;

/* A call's place in a queue; zeroed: in none. */
struct grpcc_pool_link {
    struct grpcc_call *next;
    struct grpcc_call *previous;
    int64_t queued_ns;
    bool queued;
    bool admitted; /* begun before: neither length nor age sheds it */
};

struct grpcc_pool_queue {
    struct grpcc_call *first;
    struct grpcc_call *last;
    size_t length;
};

struct grpcc_pool {
    unsigned workers_max;
    unsigned streams_max;
    unsigned queue_max;
    int64_t age_max_ns;

    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    struct grpcc_pool_queue unary;
    struct grpcc_pool_queue streams;
    pthread_t *workers;
    unsigned n_workers;
    unsigned n_idle;
    unsigned n_busy;
    unsigned n_streams_busy;
    bool stopping;
};

/* Its lock and condition are its server's to make and destroy: statistics are asked for before and
 * after it. */
bool grpcc_pool_init(struct grpcc_pool *pool) GRPCC_MUST_CHECK;
/* Waits for all workers; nothing may be queued any more. */
void grpcc_pool_done(struct grpcc_pool *pool);

/*
 * Queues a call; a worker runs grpcc_call_work(). False: the queue is full, the caller answers.
 * Calls at the head that have waited too long are shed on the way, so that a pool that is stuck
 * still answers.
 */
bool grpcc_pool_submit(struct grpcc_pool *pool, struct grpcc_call *call,
                       bool admitted) GRPCC_MUST_CHECK;
/* Takes a call out of the queue; false: it is not queued (any more). */
bool grpcc_pool_withdraw(struct grpcc_pool *pool, struct grpcc_call *call);
/* Whether it is queued. */
bool grpcc_pool_has(struct grpcc_pool *pool, const struct grpcc_call *call);

#endif
