/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of operations: rows and statements; no rights, no threads.
 *
 * Who runs an operation holds it by a lease, which is measured by the store's clock alone, and by a
 * fence, a number that rises with each taking. Every write of a holder is guarded by both, so one
 * that was frozen, and whose operation somebody else has taken since, writes nothing any more: such
 * a slot answers OK with *ret_held false.
 *
 * Slots: any thread, at once. All but plan_ block and obey ctx's deadline; what they return lives
 * in ctx->arena, and outputs are untouched on failure. Errors, unless said otherwise: those of
 * comb_sql_run. A write that failed ambiguously may be repeated: the guard tells.
 */
#ifndef COMB_OPERATIONS_STORE_H
#define COMB_OPERATIONS_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "server/core/ctx.h"
#include "server/mutation/mutation.h"

/* The name of a kind: "data.sweep". */
#define COMB_OPERATION_KIND_BYTES_MAX 64
/* What it was started with, and what it keeps from step to step. */
#define COMB_OPERATION_ARGUMENTS_MAX (64u << 10)
#define COMB_OPERATION_STATE_MAX (64u << 10)
/* What it leaves behind, a packed google.protobuf.Any; a page of lists holds a thousand. */
#define COMB_OPERATION_RESULT_MAX 4096
/* Of its progress: the unit and the line for people. */
#define COMB_OPERATION_UNIT_BYTES_MAX 32
#define COMB_OPERATION_MESSAGE_BYTES_MAX 255

/* The numbers are stored, and are those of comb.v1.OperationState. */
enum comb_operation_state {
    COMB_OPERATION_WAITING = 1,
    COMB_OPERATION_RUNNING = 2,
    COMB_OPERATION_DONE = 3,
    COMB_OPERATION_FAILED = 4,
    COMB_OPERATION_CANCELLED = 5
};

struct comb_operation_progress {
    uint64_t done, total; /* total 0: not known */
    comb_str unit;        /* "blobs" */
    comb_str message;     /* for people */
};

/* All but what only its kind reads. */
struct comb_operation {
    struct comb_uuid id; /* version 7: sorts by birth */
    comb_str kind;
    struct comb_uuid owner; /* nil: the server itself */
    enum comb_operation_state state;
    bool cancel_wanted;
    struct comb_operation_progress progress;
    comb_str result; /* DONE: a packed google.protobuf.Any, or "" */
    /* FAILED and CANCELLED: why; WAITING: why the last attempt ended. 0: nothing to tell. */
    enum comb_status code;
    int reason; /* comb.v1.ErrorReason */
    comb_str status_message;
    uint64_t revision;
    uint32_t attempts;       /* that began since the last saved step */
    uint64_t fence;          /* 0: never taken */
    struct comb_uuid holder; /* of a RUNNING one */
    /* The store's clock, microseconds since 1970; 0: not yet. */
    int64_t create_us, start_us, update_us, end_us;
};

/* One that is to be made. */
struct comb_operation_new {
    struct comb_uuid id, owner;
    comb_str kind, arguments;
    comb_str key; /* while one with this key has not ended, there is no other; "": any number */
};

/* One that has been taken, for who runs it. */
struct comb_operation_taken {
    struct comb_uuid id, owner;
    comb_str kind, arguments;
    comb_str state; /* of the last saved step; "" at first */
    struct comb_operation_progress progress;
    uint64_t fence;
    uint32_t attempts; /* this one included */
    bool cancel_wanted;
};

/* How one ends. */
struct comb_operation_end {
    enum comb_operation_state state; /* DONE, FAILED or CANCELLED */
    struct comb_operation_progress progress;
    comb_str result;
    enum comb_status code;
    int reason;
    comb_str message;
};

struct comb_operation_filter {
    const struct comb_uuid *owner; /* NULL: everybody's */
    comb_str kind;                 /* "": all */
    uint32_t states;               /* bits 1 << comb_operation_state; 0: all */
};

/* Operations by state; the index is the state. */
struct comb_operation_counts {
    uint64_t by_state[COMB_OPERATION_CANCELLED + 1];
};

struct comb_operations_store;

struct comb_operations_store_driver {
    const char *name; /* "sql" */

    /* ---- for the service ---- */

    /* NOT_FOUND, reason OPERATION_NOT_FOUND. */
    enum comb_status (*get)(struct comb_operations_store *self, struct comb_ctx *ctx,
                            const struct comb_uuid *id, struct comb_operation *ret_operation,
                            struct comb_error *err);
    /* Newest first: up to max of those that the filter lets through and that are older than
     * `before` (NULL: from the newest on). */
    enum comb_status (*list)(struct comb_operations_store *self, struct comb_ctx *ctx,
                             const struct comb_operation_filter *filter,
                             const struct comb_uuid *before, size_t max,
                             const struct comb_operation **ret_operations, size_t *ret_n,
                             struct comb_error *err);
    /* How many of the owner's have not ended. */
    enum comb_status (*count_open)(struct comb_operations_store *self, struct comb_ctx *ctx,
                                   const struct comb_uuid *owner, size_t *ret_n,
                                   struct comb_error *err);
    enum comb_status (*count)(struct comb_operations_store *self, struct comb_ctx *ctx,
                              struct comb_operation_counts *ret_counts, struct comb_error *err);
    /* WAITING from the commit on. Guarded: the owner has fewer than open_max that have not ended.
     * Violates UNIQUE where another with its key has not ended. Never blocks. */
    enum comb_status (*plan_insert)(struct comb_operations_store *self, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_operation_new *new,
                                    size_t open_max, struct comb_error *err);
    /* A WAITING one ends at once, of a RUNNING one the wish is noted. Guarded: it has not ended and
     * is at this revision. Never blocks. */
    enum comb_status (*plan_cancel)(struct comb_operations_store *self, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_uuid *id,
                                    uint64_t revision, struct comb_error *err);
    /* Guarded: it has ended. Never blocks. */
    enum comb_status (*plan_delete)(struct comb_operations_store *self, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_uuid *id,
                                    struct comb_error *err);

    /* ---- for who runs them ---- */

    /* Makes one of the server's own unless one of its kind has not ended or ended less than
     * interval_us ago. A crash leaves it made or not. */
    enum comb_status (*make_due)(struct comb_operations_store *self, struct comb_ctx *ctx,
                                 const struct comb_operation_new *new, int64_t interval_us,
                                 bool *ret_made, struct comb_error *err);
    /* Whether take or poison would find one: a cheap read, so that nobody writes in vain. */
    enum comb_status (*is_ready)(struct comb_operations_store *self, struct comb_ctx *ctx,
                                 comb_str kinds, bool *ret_ready, struct comb_error *err);
    /* Ends as FAILED what has been taken attempts_max times, and whose last holder let the lease
     * run out too: it would kill who takes it next. */
    enum comb_status (*poison)(struct comb_operations_store *self, struct comb_ctx *ctx,
                               uint32_t attempts_max, struct comb_error *err);
    /* The oldest that waits, and whose time has come, or whose holder let the lease run out, of the
     * kinds (",a,b,"). It is RUNNING then, its fence is raised, its lease ends lease_us from now. A
     * crash behind the commit leaves it to the end of the lease. */
    enum comb_status (*take)(struct comb_operations_store *self, struct comb_ctx *ctx,
                             comb_str kinds, const struct comb_uuid *holder, int64_t lease_us,
                             bool *ret_found, struct comb_operation_taken *ret_taken,
                             struct comb_error *err);
    /* The lease ends lease_us from now. ret_cancel: somebody wants it to end. */
    enum comb_status (*renew)(struct comb_operations_store *self, struct comb_ctx *ctx,
                              const struct comb_uuid *id, uint64_t fence, int64_t lease_us,
                              bool *ret_held, bool *ret_cancel, struct comb_error *err);
    /* The same, and keeps the state of a step that has been made. */
    enum comb_status (*save)(struct comb_operations_store *self, struct comb_ctx *ctx,
                             const struct comb_uuid *id, uint64_t fence, int64_t lease_us,
                             comb_str state, const struct comb_operation_progress *progress,
                             bool *ret_held, bool *ret_cancel, struct comb_error *err);
    /* It waits again, delay_us at least; why goes to code, reason and message (NULL: nothing).
     * is_counted: the attempt counts against the limit. */
    enum comb_status (*release)(struct comb_operations_store *self, struct comb_ctx *ctx,
                                const struct comb_uuid *id, uint64_t fence, int64_t delay_us,
                                bool is_counted, const struct comb_error *why, bool *ret_held,
                                struct comb_error *err);
    /* All holders are dead, as who alone may use the store knows: others may take what they had. */
    enum comb_status (*bury)(struct comb_operations_store *self, struct comb_ctx *ctx,
                             struct comb_error *err);
    enum comb_status (*end)(struct comb_operations_store *self, struct comb_ctx *ctx,
                            const struct comb_uuid *id, uint64_t fence,
                            const struct comb_operation_end *end, bool *ret_held,
                            struct comb_error *err);
    /* For plans of the operation's own work: nothing is written unless the holder still holds it.
     * Never blocks. */
    enum comb_status (*plan_held)(struct comb_operations_store *self, struct comb_ctx *ctx,
                                  struct comb_plan *plan, const struct comb_uuid *id,
                                  uint64_t fence, struct comb_error *err);
    /* Forgets up to max of those that ended longer than keep_us ago; of the server's own that are
     * DONE those that did own_keep_us ago. */
    enum comb_status (*purge)(struct comb_operations_store *self, struct comb_ctx *ctx,
                              int64_t keep_us, int64_t own_keep_us, size_t max, size_t *ret_n,
                              struct comb_error *err);
    void (*close)(struct comb_operations_store *self);
};

struct comb_operations_store {
    const struct comb_operations_store_driver *driver;
};

/* Over an open row, whose schema has been migrated, and which must live longer. */
enum comb_status comb_operations_store_open(struct comb_sql *sql,
                                            struct comb_operations_store **ret_store,
                                            struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_operations_store_close(struct comb_operations_store *store);

static inline bool comb_operation_has_ended(enum comb_operation_state state)
{
    return state >= COMB_OPERATION_DONE;
}

/* Table operation, for comb_sql_migrate_schema. */
extern const struct comb_sql_schema *const comb_operations_schemas[];

#endif
