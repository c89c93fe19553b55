/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the consumers share. */
#ifndef COMB_CONSUMERS_INTERNAL_H
#define COMB_CONSUMERS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/consumers/consumer.h"
#include "server/core/backoff.h"

/* One consumer in this process. Its thread's, but for what is atomic or under the lock. */
struct comb_consumer_run {
    struct comb_consumers *consumers;
    struct comb_consumer consumer;
    struct comb_lease lease;
    pthread_t thread;
    bool has_thread, had_lease;
    bool is_helped; /* what it has set aside is handled by another one */

    struct comb_consumer_place place; /* state: own memory */
    bool is_unsure; /* the place in the store may be another one: by the consumer's own request */
    bool is_noted;  /* a failure stands in the row */
    uint32_t attempts; /* of holders at this place, as the row has it */
    uint32_t tries;    /* of the entry at the cursor alone */
    size_t careful;    /* that many entries are given one by one */
    /* An entry that was set aside, and is handled again now; NULL: none is. */
    const struct comb_consumer_aside *retried;
    int64_t retry_ns; /* CLOCK_MONOTONIC: when to look for such entries */
    struct comb_backoff backoff;

    _Atomic int64_t pending_us; /* see lag_us; 0: nothing */
    atomic_bool is_rebuilding;
    _Atomic uint64_t taken, lost, batches, entries, failures, set_aside, rebuild_steps;
};

struct comb_consumers {
    struct comb_sql *sql;
    struct comb_consumers_store *store;
    struct comb_lease_keeper *keeper;
    uint32_t poll_ms;
    struct comb_consumer_run runs[COMB_CONSUMERS_MAX];
    size_t n_runs;
    struct comb_consumer_other others[COMB_CONSUMERS_MAX];
    size_t n_others;

    pthread_mutex_t lock;
    pthread_cond_t wake; /* CLOCK_MONOTONIC */
    uint64_t wakes;
    atomic_bool stopping;
};

/* What a step says to who makes the next one. */
enum consumer_outcome {
    GO_ON,   /* there is more */
    LINGER,  /* there may be more soon */
    IDLE,    /* there is nothing: until the next look, or somebody wakes */
    NOT_OURS /* another holds it, or the store does not answer: until the next look */
};

static inline comb_str consumer_name(const struct comb_consumer_run *run)
{
    return comb_str_from(run->consumer.name);
}

/* Whose entries that were set aside it handles. */
static inline comb_str consumer_asides_of(const struct comb_consumer_run *run)
{
    return run->consumer.helps ? comb_str_from(run->consumer.helps) : consumer_name(run);
}

/* ---- consumer.c ---- */

/* Whether a failure is the store's, to be waited out, and not the entry's. */
bool consumer_error_passes(const struct comb_error *err);
/* Notes in the row why it does not go on, once, and waits. */
enum consumer_outcome consumer_failed(struct comb_consumer_run *run, struct grpcc_arena *arena,
                                      const struct comb_error *why);
enum consumer_outcome consumer_lease_lost(struct comb_consumer_run *run);

/* ---- retry.c ---- */

/* Handles one of the entries set aside that somebody wants handled again, if it is time to look. */
enum consumer_outcome consumer_retry(struct comb_consumer_run *run, struct comb_ctx *ctx);

#endif
