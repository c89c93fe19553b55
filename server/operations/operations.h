/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations as their owners see them: the rules. An operation is seen and changed by who owns it
 * and by administrators; for others it does not exist (OPERATION_NOT_FOUND). Reads go to the SQL
 * row itself, so they are never stale.
 *
 * All functions but _wait_start's end block. Answers live in ctx->arena. Threads: any.
 */
#ifndef COMB_OPERATIONS_H
#define COMB_OPERATIONS_H

#include "server/facts/facts.h"
#include "server/operations/engine.h"

struct comb_operations;

/* Of one owner that have not ended. */
#define COMB_OPERATIONS_OPEN_MAX 100
/* Waits at the same time in one process; above it OVERLOADED. */
#define COMB_OPERATION_WAITS_MAX 500
/* How often those are looked at that another replica may run, where its hint does not come. */
#define COMB_OPERATION_LOOK_MS 500
#define COMB_OPERATION_WAIT_MS 60000
#define COMB_OPERATION_WAIT_MS_MAX 600000

/* All borrowed; they outlive the domain. The engine has not been started, and has all its kinds. */
struct comb_operations_parts {
    struct comb_operations_store *store;
    struct comb_operation_engine *engine;
    struct comb_facts *facts;
    struct comb_mutations *mutations;
    /* After each change that this process makes to an operation: a hint for the others, which call
     * comb_operations_wake(). On any thread, must not block. NULL: there are no others. */
    void (*changed)(void *data);
    void *data;
};

enum comb_status comb_operations_new(const struct comb_operations_parts *parts,
                                     struct comb_operations **ret_operations,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* Starts what serves waits; the engine is started by its owner. */
enum comb_status comb_operations_start(struct comb_operations *operations,
                                       struct comb_error *err) COMB_MUST_CHECK;
/* Another replica has changed an operation, or may have. Any thread; does not block. */
void comb_operations_wake(struct comb_operations *operations);
/* Waits end with DRAINING, now and from now on. */
void comb_operations_drain(struct comb_operations *operations);
/* NULL is fine; no call may be running. After the engine has stopped. */
void comb_operations_free(struct comb_operations *operations);

/* id as it came in field operation_id. Errors: OPERATION_NOT_FOUND; those of the store. */
enum comb_status comb_operations_get(struct comb_operations *operations, struct comb_ctx *ctx,
                                     comb_str id, struct comb_operation *ret_operation,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* Those of the filter that the caller may see, newest first, older than `before` (NULL: from the
 * newest on). */
enum comb_status comb_operations_list(struct comb_operations *operations, struct comb_ctx *ctx,
                                      const struct comb_operation_filter *filter,
                                      const struct comb_uuid *before, size_t max,
                                      const struct comb_operation **ret_operations, size_t *ret_n,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* By an administrator's hand. Errors: FIELD_INVALID (kind), ADMINISTRATOR_ONLY, OPERATION_RUNNING,
 * TOO_MANY_OPERATIONS; those of comb_mutation_run. */
enum comb_status comb_operations_start_kind(struct comb_operations *operations,
                                            struct comb_ctx *ctx,
                                            const struct comb_request_key *key, comb_str kind,
                                            struct comb_operation *ret_operation,
                                            struct comb_error *err) COMB_MUST_CHECK;
/* Of one that has ended: changes nothing. */
enum comb_status comb_operations_cancel(struct comb_operations *operations, struct comb_ctx *ctx,
                                        const struct comb_request_key *key, comb_str id,
                                        struct comb_operation *ret_operation,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* Errors: OPERATION_NOT_FOUND, OPERATION_NOT_ENDED. */
enum comb_status comb_operations_delete(struct comb_operations *operations, struct comb_ctx *ctx,
                                        const struct comb_request_key *key, comb_str id,
                                        struct comb_error *err) COMB_MUST_CHECK;

/* Who waits. */
struct comb_operation_waiter {
    /* Nobody is there any more to be told. Any thread. */
    bool (*is_gone)(void *self);
    /* Whether he may still wait; an error ends the wait, but one of a store that is away. In arena,
     * for the asking alone; blocks until deadline_ns. On the thread of the waits. NULL: he may. */
    enum comb_status (*ask_again)(void *self, struct grpcc_arena *arena, int64_t deadline_ns,
                                  struct comb_error *err);
    /* The wait is over, self is not used again: OK and the operation as it is, which lives until
     * this returns, or an error (DRAINING, OPERATION_NOT_FOUND, the store's). On the thread of the
     * waits; must not block. */
    void (*end)(void *self, enum comb_status status, const struct comb_operation *operation,
                const struct comb_error *err);
};
/*
 * Waits until the operation has ended, until its revision is another than seen_revision where that
 * is not 0, or for timeout_ms. waiter->end is called exactly once if this succeeds, perhaps before
 * it returns, and not at all if it fails. ctx lives until then.
 */
enum comb_status comb_operations_wait_start(struct comb_operations *operations,
                                            struct comb_ctx *ctx, comb_str id, int64_t timeout_ms,
                                            uint64_t seen_revision,
                                            const struct comb_operation_waiter *waiter, void *self,
                                            struct comb_error *err) COMB_MUST_CHECK;

#endif
