/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Consumers of the change feed: what is derived from it (the search index, activities, the audit
 * trail) is made by a named consumer, which one replica at a time runs, under a lease. It is given
 * the feed in batches, in order, nothing skipped; its cursor is a row in SQL, which moves when a
 * batch has had its effect, guarded by the lease's fence.
 *
 * Exactly once in effect: a process may die between a batch and the moving of the cursor, and a
 * frozen one may wake up and finish a batch that another has done since. So either what a batch
 * does may be done twice and late without a difference (a document's version is (incarnation,
 * revision) and a lower one never wins; an item's id is made of the feed's position), or it goes to
 * the same SQL row in one request with comb_consumer_plan_advance().
 *
 * What cannot be handled does not stop the rest: a batch that fails is given entry by entry, and
 * one that fails COMB_CONSUMER_TRIES times alone, or whose handling has ended the process
 * COMB_CONSUMER_ATTEMPTS_MAX times, is set aside with the reason. An error that passes (retryable,
 * UNAVAILABLE, DEADLINE_EXCEEDED, ABORTED, CANCELLED) is the store's, not the entry's: it is waited
 * out. What was set aside is handled again, once, when an administrator wants it: his consumer is
 * given that entry alone, long after others, so what it does must not depend on the order.
 *
 * What takes long does not stop the rest either: a consumer puts it off (comb_consumer_put_off),
 * and another one, which helps it under a lease and on a thread of its own, does it meanwhile.
 *
 * A new consumer, one whose cursor is older than the feed, and one whose cursor is of another
 * history (the store has been restored) rebuild: in steps, each step's state saved before the next.
 * A promoted standby has the same history: the cursor goes on. An administrator may ask for one
 * (comb_consumers_store's begin_anew).
 */
#ifndef COMB_CONSUMERS_CONSUMER_H
#define COMB_CONSUMERS_CONSUMER_H

#include "server/consumers/lease.h"

#define COMB_CONSUMERS_MAX 16
/* Entries of a batch unless the consumer says less. */
#define COMB_CONSUMER_BATCH_MAX 500
/* Of one batch, or of one step of a rebuild. */
#define COMB_CONSUMER_BATCH_MS_MAX 60000
/* How often a holder that has nothing to do looks, where nobody wakes it. */
#define COMB_CONSUMER_POLL_MS 500
/* Of a single entry with an error that does not pass, before it is set aside. */
#define COMB_CONSUMER_TRIES 3
/* Of holders that died at the same place: from CAREFUL on entries come one by one, then the first
 * is set aside. */
#define COMB_CONSUMER_ATTEMPTS_CAREFUL 3
#define COMB_CONSUMER_ATTEMPTS_MAX 10
/* Between tries, at most. */
#define COMB_CONSUMER_RETRY_MS_MAX 5000

struct comb_consumers;
struct comb_consumer_run;

struct comb_consumer_batch {
    /* in; in ctx's arena */
    const struct comb_feed_record *records; /* of all kinds */
    size_t n;
    uint64_t epoch; /* of the rebuild that this goes on from */
    const struct comb_consumer_run *run;
    /* out: the cursor has been moved by the consumer's own request (_plan_advance) */
    bool has_advanced;
    /* out: of the first records, how many have had their effect; at first all. The others come
     * again: for who runs out of time with work that is long. At least one. */
    size_t n_done;
};

struct comb_consumer_rebuild {
    /* in */
    enum comb_rebuild why;
    uint64_t epoch; /* higher than that of every one before */
    comb_str state; /* of the last saved step; "" in the first */
    const struct comb_consumer_run *run;
    /* in, and out: where the feed is gone on from when the rebuild is done; at first the newest
     * entry there was when it began. What the rebuild reads must be at least as new. */
    struct comb_cursor from;
    /* out */
    comb_str next_state; /* at most COMB_LEASE_STATE_BYTES_MAX; in ctx's arena */
    bool is_last;
};

struct comb_consumer {
    const char *name; /* static: "search" */
    size_t batch_max; /* 0: COMB_CONSUMER_BATCH_MAX */
    /*
     * Gives a batch its effect. On the consumer's thread; blocks, and obeys ctx's deadline. Asks
     * comb_consumer_may_go_on() before each thing that it does outside of SQL.
     */
    enum comb_status (*apply)(void *data, struct comb_ctx *ctx, struct comb_consumer_batch *batch,
                              struct comb_error *err);
    /* The next step of building anew what the consumer derives. Same rules; the place is saved
     * behind each step. A step may be done twice. */
    enum comb_status (*rebuild)(void *data, struct comb_ctx *ctx,
                                struct comb_consumer_rebuild *step, struct comb_error *err);
    /* A bounded piece of other work, at the end of the feed, where nothing is behind; same rules.
     * *ret_more: there is more of it. Its failures are logged and tried again. NULL: there is none.
     */
    enum comb_status (*tend)(void *data, struct comb_ctx *ctx, const struct comb_consumer_run *run,
                             bool *ret_more, struct comb_error *err);
    /* The name of a consumer that was added before: this one reads no feed, but gives `apply` the
     * entries which that one put off, one by one, in the same epoch, and those that an
     * administrator wants handled again. It needs no rebuild of its own. NULL: the entries of the
     * feed. */
    const char *helps;
    void *data;
};

/* Whether this process still holds the consumer and is not to stop. */
bool comb_consumer_may_go_on(const struct comb_consumer_run *run);
/*
 * Puts off an entry of the batch that takes long, so that those behind it do not wait: it is kept
 * as set aside, with `why`, for the consumer that helps this one, and counts as done here. Durable,
 * and the same when it is done twice. *ret_kept false: too many wait already
 * (COMB_CONSUMER_PUT_OFF_MAX); then it is to be handled now.
 */
enum comb_status comb_consumer_put_off(const struct comb_consumer_run *run, struct comb_ctx *ctx,
                                       const struct comb_feed_record *record, const char *why,
                                       bool *ret_kept, struct comb_error *err) COMB_MUST_CHECK;
/* Adds to a plan of the consumer's own that nothing is written unless it is still held. */
enum comb_status comb_consumer_plan_held(const struct comb_consumer_run *run, struct comb_ctx *ctx,
                                         struct comb_plan *plan,
                                         struct comb_error *err) COMB_MUST_CHECK;
/* The same, and the cursor moves behind `through`, an entry of the batch, in the same request. Set
 * batch->has_advanced where that was the last entry and the request went well. A request that was
 * answered ambiguously ends the batch with its error: the batch is given again, from the cursor as
 * it is in the store. */
enum comb_status comb_consumer_plan_advance(const struct comb_consumer_run *run,
                                            struct comb_ctx *ctx, struct comb_plan *plan,
                                            const struct comb_feed_record *through,
                                            struct comb_error *err) COMB_MUST_CHECK;

struct comb_consumers_options {
    struct comb_sql *sql;               /* borrowed: whose feed is read */
    struct comb_consumers_store *store; /* borrowed, over the same */
    const struct comb_uuid *holder;     /* see comb_lease_keeper_new() */
    uint32_t lease_ms, poll_ms;         /* 0: the numbers above */
};

enum comb_status comb_consumers_new(const struct comb_consumers_options *options,
                                    struct comb_consumers **ret_consumers,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* Before _start; consumer is copied. INTERNAL: there are too many, or the name is too long. */
enum comb_status comb_consumers_add(struct comb_consumers *consumers,
                                    const struct comb_consumer *consumer,
                                    struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_consumers_start(struct comb_consumers *consumers,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* There may be something in the feed: a hint that saves the wait for the next look. Any thread. */
void comb_consumers_wake(struct comb_consumers *consumers);
/* Gives the leases back after what is under way; waits for that. NULL is fine. */
void comb_consumers_stop(struct comb_consumers *consumers);
/* NULL is fine. */
void comb_consumers_free(struct comb_consumers *consumers);

/* Of this process since its start. */
struct comb_consumer_stats {
    const char *name;
    bool is_held, is_rebuilding;
    uint64_t taken, lost; /* leases */
    uint64_t batches, entries, failures, set_aside, rebuild_steps;
    /* Age of the oldest change that is known not to have had its effect; 0: none is, or another
     * replica holds the consumer. */
    int64_t lag_us;
};

/* Work under a lease that is no consumer of the feed, and is told of beside them: how far it is
 * behind, and what it has counted. */
struct comb_consumer_other {
    const char *name; /* static: of the lease */
    /* As comb_feed_lag(). Blocks. */
    enum comb_status (*lag)(void *data, struct comb_ctx *ctx, size_t max, size_t *ret_n,
                            int64_t *ret_oldest_us, struct comb_error *err);
    /* Fills all but the name. Never blocks. */
    void (*stats)(void *data, struct comb_consumer_stats *ret_stats);
    void *data;
};
/* Before _start; other is copied. INTERNAL: there are too many. */
enum comb_status comb_consumers_add_other(struct comb_consumers *consumers,
                                          const struct comb_consumer_other *other,
                                          struct comb_error *err) COMB_MUST_CHECK;
#define COMB_CONSUMERS_STATS_MAX (2 * COMB_CONSUMERS_MAX)
/* Those of consumers first, in the order of their adding, which stays. Never blocks. Writes at most
 * max, returns how many there are. */
size_t comb_consumers_get_stats(struct comb_consumers *consumers,
                                struct comb_consumer_stats *ret_stats, size_t max);

/* A lease or consumer of the installation, for administrators, whoever holds it. */
struct comb_consumer_status {
    struct comb_lease_info lease;
    /* Entries of the feed behind the cursor, or for a consumer that helps another one those that
     * wait for it; _BEHIND_MAX: at least. */
    uint64_t n_behind;
    int64_t oldest_us;      /* when the oldest of those was written; 0: there is none */
    bool is_of_this_server; /* this process has the lease */
    bool is_other;          /* no consumer of the feed: struct comb_consumer_other */
};
#define COMB_CONSUMER_BEHIND_MAX 100000
/* Entries that one request wants handled again. */
#define COMB_CONSUMER_RETRY_MAX 50
/* Asks the store. In ctx's arena. */
enum comb_status comb_consumers_status(struct comb_consumers *consumers, struct comb_ctx *ctx,
                                       const struct comb_consumer_status **ret_status,
                                       size_t *ret_n, struct comb_error *err) COMB_MUST_CHECK;
/* A page of what was set aside, behind `after`, in the order of the feed. NOT_FOUND: nobody has
 * ever taken a consumer of that name. In ctx's arena. */
enum comb_status comb_consumers_list_aside(struct comb_consumers *consumers, struct comb_ctx *ctx,
                                           comb_str name, struct comb_cursor after, size_t max,
                                           const struct comb_consumer_aside **ret_asides,
                                           size_t *ret_n, struct comb_error *err) COMB_MUST_CHECK;
/*
 * Wants entries handled again that were set aside, n cursors, up to COMB_CONSUMER_RETRY_MAX, or all
 * where n is 0: whoever holds the consumer tries each once, soon, and forgets it if that goes well;
 * else it stays, with the new reason. *ret_n: how many there are of those asked for. NOT_FOUND as
 * above.
 */
enum comb_status comb_consumers_retry(struct comb_consumers *consumers, struct comb_ctx *ctx,
                                      comb_str name, const struct comb_cursor *cursors, size_t n,
                                      size_t *ret_n, struct comb_error *err) COMB_MUST_CHECK;

#endif
