/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A consumer for tests: writes each change that it is given into a table of the same store, either
 * together with the cursor, where a second time would be an error, or apart from it, where a second
 * time makes no difference. Fails, and stands still, where it is told to.
 */
#ifndef TESTS_CONTRACT_CONSUMERS_GATHER_H
#define TESTS_CONTRACT_CONSUMERS_GATHER_H

#include <pthread.h>

#include "server/consumers/consumer.h"
#include "tests/support/support.h"

#define GATHER "test.gather"

struct gather {
    struct comb_sql *sql;
    bool together; /* with the cursor */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* All under the lock. */
    uint64_t stop_at; /* a revision: stands still before it; 0: none */
    bool is_standing, go_on;
    bool may_go_on;           /* what comb_consumer_may_go_on() said behind the standing still */
    uint64_t fail_at;         /* a revision that fails */
    int fail_times;           /* how often it still does */
    enum comb_status failure; /* how */
    /* Entries of which this process heard that they went well: where an answer was lost on the way,
     * what is together with the cursor counts less, what is apart is done and counted again. */
    int applied;
    uint64_t first;                          /* the revision that was given first; 0: none yet */
    int rebuild_steps, rebuild_steps_wanted; /* of one rebuild */
    enum comb_rebuild why;                   /* of the last rebuild; NONE: there was none */
    uint64_t epoch;                          /* of the last batch or step */
    size_t part;   /* of a batch, that many entries are done at a time; 0: all of it */
    int tended;    /* calls of tend */
    int tend_more; /* how often it still says that there is more */
};

/* The tables. */
void gather_migrate(struct comb_sql *sql);
void gather_init(struct gather *gather, struct comb_sql *sql, bool together);
struct comb_consumer gather_consumer(struct gather *gather);
void gather_await_standing(struct gather *gather);
void gather_go_on(struct gather *gather);

/* Consumers over the store with this one, started. */
struct comb_consumers *gather_start(struct gather *gather, struct comb_sql *sql,
                                    struct comb_consumers_store *store, uint32_t lease_ms);

/* Puts changes with revisions first to last into the feed, each in a write of its own. */
void gather_change(struct comb_sql *sql, uint64_t first, uint64_t last);
/* How many different changes stand in the table. */
uint64_t gather_count(struct comb_sql *sql);
/* Looks until n stand there, or 60 s are over. */
void gather_await(struct comb_sql *sql, uint64_t n);

#endif
