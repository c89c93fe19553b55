/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs operations: work that is longer than a call, and that outlives the process that began
 * it. An operation is a row; a kind knows how to do the next step of one. The workers of every
 * replica take what waits, step by step, each step's state saved before the next one begins; where
 * a replica dies, another takes the operation over from the last saved step.
 *
 * So a step may be done twice: when its process dies between doing and saving. It must be so made
 * that this does no harm. What it writes into the SQL row may be guarded instead, by
 * comb_operation_plan_held().
 *
 * Holding (CONSISTENCY 8.1): a lease of COMB_OPERATION_LEASE_MS by the store's clock, renewed at a
 * third of it. A holder that has not renewed at two thirds by its own clock, which counts while the
 * machine sleeps, stops: comb_operation_may_go_on() turns false, and it writes no more. The end of
 * an operation is written once, guarded by the fence.
 */
#ifndef COMB_OPERATIONS_ENGINE_H
#define COMB_OPERATIONS_ENGINE_H

#include "server/operations/operations_store.h"

struct comb_operation_engine;
struct comb_operation_run;

#define COMB_OPERATION_LEASE_MS 15000
/* How often a replica that has nothing to do looks for work of others. */
#define COMB_OPERATION_POLL_MS 1000
/* Operations that one replica runs at once. */
#define COMB_OPERATION_WORKERS 2
/* Of one step; a kind whose work is longer makes several. */
#define COMB_OPERATION_STEP_MS_MAX 300000
/* Attempts without a saved step: then it has failed. */
#define COMB_OPERATION_ATTEMPTS_MAX 10
/* Between attempts: twice as long each time. */
#define COMB_OPERATION_RETRY_MS 1000
#define COMB_OPERATION_RETRY_MS_MAX 300000
#define COMB_OPERATION_KINDS_MAX 16
/* How long those are kept that have ended; of the server's own that went well, which come often. */
#define COMB_OPERATION_KEEP_US (7LL * 24 * 3600 * 1000000)
#define COMB_OPERATION_OWN_KEEP_US (3600LL * 1000000)

/* One step. What the kind fills in must live in ctx's arena, or longer. */
struct comb_operation_step {
    /* in */
    struct comb_uuid id, owner;
    comb_str arguments;
    comb_str state;                       /* of the last saved step; "" in the first */
    const struct comb_operation_run *run; /* for comb_operation_may_go_on(), _plan_held() */
    /* out: kept unless the kind says otherwise */
    struct comb_operation_progress progress;
    /* out */
    comb_str next_state; /* at most COMB_OPERATION_STATE_MAX */
    bool is_last;        /* the operation is done */
    comb_str result;     /* of the last: a packed google.protobuf.Any, or "" */
};

struct comb_operation_kind {
    const char *name;  /* static: "data.sweep" */
    bool is_startable; /* by an administrator's hand, without arguments */
    bool is_single;    /* one at a time in the installation */
    /*
     * Does the next step. On a worker; blocks, and obeys ctx's deadline, which is at most
     * COMB_OPERATION_STEP_MS_MAX away. Asks comb_operation_may_go_on() before each thing that it
     * does outside of SQL, and returns soon with what is done where that says no. An error that is
     * retryable, UNAVAILABLE, DEADLINE_EXCEEDED or ABORTED is tried again later, from the last
     * saved step; others end the operation as FAILED.
     */
    enum comb_status (*step)(void *data, struct comb_ctx *ctx, struct comb_operation_step *step,
                             struct comb_error *err);
    void *data;
};

/* Whether this process still holds it, nobody wants it to be cancelled, and the process goes on. */
bool comb_operation_may_go_on(const struct comb_operation_run *run);
/* Adds to a plan that nothing is written unless this process still holds the operation. */
enum comb_status comb_operation_plan_held(const struct comb_operation_run *run,
                                          struct comb_ctx *ctx, struct comb_plan *plan,
                                          struct comb_error *err) COMB_MUST_CHECK;

struct comb_operation_engine_options {
    struct comb_operations_store *store; /* borrowed */
    /* 0: the numbers above. */
    uint32_t lease_ms, poll_ms;
};

enum comb_status comb_operation_engine_new(const struct comb_operation_engine_options *options,
                                           struct comb_operation_engine **ret_engine,
                                           struct comb_error *err) COMB_MUST_CHECK;
/* Before _start; kind is copied. INTERNAL: there are too many, or the name is too long. */
enum comb_status comb_operation_engine_add(struct comb_operation_engine *engine,
                                           const struct comb_operation_kind *kind,
                                           struct comb_error *err) COMB_MUST_CHECK;
/* NULL: this build has none of that name. */
const struct comb_operation_kind *
comb_operation_engine_kind(const struct comb_operation_engine *engine, comb_str name);
/* changed(data) after each change that this process makes to an operation, on a worker; must not
 * block. Before _start. */
void comb_operation_engine_listen(struct comb_operation_engine *engine, void (*changed)(void *data),
                                  void *data);
enum comb_status comb_operation_engine_start(struct comb_operation_engine *engine,
                                             struct comb_error *err) COMB_MUST_CHECK;
/* There may be something to take: a hint that saves the wait for the next look. Any thread. */
void comb_operation_engine_wake(struct comb_operation_engine *engine);
/* Gives back what runs, after the step under way, for other replicas; waits for that. NULL is
 * fine. */
void comb_operation_engine_stop(struct comb_operation_engine *engine);
/* NULL is fine. */
void comb_operation_engine_free(struct comb_operation_engine *engine);

/* For the janitor: makes an operation of that kind, owned by the server, unless there is one that
 * has not ended, or that ended less than interval_us ago. Blocks. */
enum comb_status comb_operation_engine_make_due(struct comb_operation_engine *engine,
                                                struct comb_ctx *ctx, const char *kind,
                                                int64_t interval_us,
                                                struct comb_error *err) COMB_MUST_CHECK;
/* For the janitor: forgets what ended long ago. Blocks. */
enum comb_status comb_operation_engine_purge(struct comb_operation_engine *engine,
                                             struct comb_ctx *ctx,
                                             struct comb_error *err) COMB_MUST_CHECK;

/* Of this process since its start. */
struct comb_operation_stats {
    uint64_t taken, steps, done, failed, cancelled;
    uint64_t released; /* given back: to be tried later, or because the process ends */
    uint64_t lost;     /* stopped because the lease could not be kept */
    uint64_t running;  /* now */
};
void comb_operation_engine_get_stats(struct comb_operation_engine *engine,
                                     struct comb_operation_stats *ret_stats);

#endif
