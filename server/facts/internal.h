/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of server/facts share; nobody else includes it. */
#ifndef COMB_FACTS_INTERNAL_H
#define COMB_FACTS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "server/facts/dialect.h"
#include "server/facts/fact.h"
#include "server/facts/facts.h"
#include "server/facts/memory.h"

#define COMB_FACTS_LISTENERS_MAX 8

/* A call that waits for a poll. In memory of the call; done is called once, on the poll's thread.
 */
struct comb_facts_waiter {
    struct comb_facts_waiter *next;
    uint64_t poll; /* the first poll that is good enough */
    int64_t deadline_ns;
    void (*done)(struct comb_facts_waiter *self, enum comb_status status,
                 const struct comb_error *err);
};

struct comb_facts_counters {
    atomic_uint_fast64_t hits, misses, polls, waits, dropped_fills, shed;
};

struct comb_facts {
    struct comb_sql *sql;
    const struct comb_facts_dialect *dialect;
    struct comb_facts_memory *memory;
    struct comb_facts_options options;
    struct comb_facts_counters counters;

    /* What memory is as new as, and when (CLOCK_BOOTTIME) the poll that says so was started; 0:
     * never. Written by the poll's thread, the position first. */
    _Atomic uint64_t incarnation, sequence;
    _Atomic int64_t good_ns;
    _Atomic uint64_t tick;      /* answers of polls that have been applied */
    struct comb_feed_mark mark; /* what polls have seen; the poll's thread's */

    struct {
        comb_facts_listener function;
        void *data;
    } listeners[COMB_FACTS_LISTENERS_MAX];
    size_t n_listeners;

    /* The poll's thread's: when a poll was started that saw the heartbeat advance. */
    const char *heartbeat; /* NULL: the store needs none */
    int64_t beat_ns;

    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* of all below; CLOCK_MONOTONIC */
    bool stop, woken;
    bool beating;         /* a heartbeat is on its way */
    uint64_t polls_begun; /* the number of the newest poll */
    struct comb_facts_waiter *waiters, **waiters_end;
    size_t n_waiters;
};

/* Makes the poll's lock and queue; the thread itself starts with comb_facts_start(). */
void comb_facts_poll_init(struct comb_facts *facts);
/* Ends the thread; who waits gets UNAVAILABLE. */
void comb_facts_poll_done(struct comb_facts *facts);

/* Calls waiter->done when a poll that starts after now is through, or failed; at once, on the
 * caller's thread, where too many wait already. */
void comb_facts_wait_for_poll(struct comb_facts *facts, struct comb_facts_waiter *waiter);

/* Changes memory by what the record says, at the memory's next tick. */
void comb_facts_apply(struct comb_facts *facts, struct grpcc_arena *arena,
                      const struct comb_feed_record *record, uint64_t tick);
/* All that was asked for before tick is forgotten. */
void comb_facts_forget(struct comb_facts *facts, uint64_t tick);

struct comb_position comb_facts_position(struct comb_facts *facts);

/* Keys. False: too long, there can be no such fact. */
bool comb_facts_key_of_node(struct comb_facts_memory_key *key, const struct comb_uuid *id);
bool comb_facts_key_of_child(struct comb_facts_memory_key *key, const struct comb_uuid *parent,
                             comb_str name);
bool comb_facts_key_of_subjects(struct comb_facts_memory_key *key, const struct comb_uuid *user);
/* Workspaces are remembered three times: by slug, by the user whose own it is, by root and bin. */
bool comb_facts_key_of_slug(struct comb_facts_memory_key *key, comb_str slug);
bool comb_facts_key_of_personal(struct comb_facts_memory_key *key, const struct comb_uuid *user);
bool comb_facts_key_of_end(struct comb_facts_memory_key *key, const struct comb_uuid *node);

#endif
