/* SPDX-License-Identifier: Apache-2.0 */
/* Those who wait for operations, and the one thread that serves them. */
#ifndef COMB_OPERATIONS_WAITS_H
#define COMB_OPERATIONS_WAITS_H

#include "server/operations/operations.h"

struct operation_waits;

struct operation_wait {
    struct operation_wait *next;
    struct comb_uuid id;
    uint64_t seen_revision;
    int64_t due_ns; /* CLOCK_MONOTONIC */
    int64_t ask_ns; /* when the waiter's rights are looked at next */
    const struct comb_operation_waiter *waiter;
    void *self;
};

enum comb_status operation_waits_new(struct comb_operations_store *store,
                                     struct operation_waits **ret_waits, struct comb_error *err);
enum comb_status operation_waits_start(struct operation_waits *waits, struct comb_error *err);
/* Looks at all at once: something has changed. Any thread; does not block. data: the waits. */
void operation_waits_wake(void *data);
void operation_waits_drain(struct operation_waits *waits);
/* NULL is fine. */
void operation_waits_free(struct operation_waits *waits);
/* wait lives until its end; takes part from now on. */
enum comb_status operation_waits_add(struct operation_waits *waits, struct operation_wait *wait,
                                     struct comb_error *err);

#endif
