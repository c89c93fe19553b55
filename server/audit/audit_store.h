/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of the audit trail, on the SQL row. Records come in through the intake, with the
 * changes that they tell of (server/mutation/audit.h) or by put; who holds the lease numbers them
 * and moves them into the trail. Nobody else writes there, and nothing in it is ever changed: only
 * its oldest lines are removed, against a floor that is signed.
 *
 * Slots: any thread, at once. All but plan_ block and obey ctx's deadline; what they return lives
 * in ctx->arena, and outputs are untouched on failure. Errors, unless said otherwise: those of
 * comb_sql_run.
 */
#ifndef COMB_AUDIT_STORE_H
#define COMB_AUDIT_STORE_H

#include "api/audit/trail.h"
#include "server/mutation/mutation.h"

/* Lines that one request numbers, and that one slot gives. */
#define COMB_AUDIT_BATCH_MAX 500
/* Records that one put takes. */
#define COMB_AUDIT_PUT_MAX 50

/* A record that has no number yet. */
struct comb_audit_pending {
    struct comb_uuid id;
    comb_str record; /* a serialized comb.v1.AuditRecord */
};

/* What lines are found by. It repeats what the record says; nil: nothing. */
struct comb_audit_index {
    int64_t time_us;
    struct comb_uuid user, node, intent;
    uint32_t code;
};

/* Where the trail ends. n 0: there is no line yet. */
struct comb_audit_end {
    uint64_t n;
    int64_t time_us;
    uint8_t hash[COMB_AUDIT_HASH_SIZE];
};

/* A line with what it is found by. */
struct comb_audit_row {
    struct comb_audit_line line;
    struct comb_audit_index index;
};

/* A line as a query finds it. */
struct comb_audit_hit {
    uint64_t n;
    int64_t time_us; /* of the record, and when it was numbered */
    int64_t number_us;
    comb_str record;
    bool has_outcome; /* of an intent: and how it ended */
    uint32_t outcome;
};

/* Which lines, by one index: of one user, or those that failed, or all. */
struct comb_audit_search {
    const struct comb_uuid *user; /* NULL: anybody */
    bool failed;                  /* those with a code alone */
    int64_t since_us;             /* of the record's time */
    int64_t before_us;            /* (before_us, before_n): the key of the last one that is known */
    uint64_t before_n;
};

struct comb_audit_store;

struct comb_audit_store_driver {
    const char *name; /* "sql" */

    /* Puts records into the intake, all or none, durable when it returns; up to
     * COMB_AUDIT_PUT_MAX. One that is there already is passed over. */
    enum comb_status (*put)(struct comb_audit_store *self, struct comb_ctx *ctx,
                            const struct comb_audit_pending *records, size_t n,
                            struct comb_error *err);
    /* Of the intake, about in the order in which they were made; up to max. */
    enum comb_status (*pending)(struct comb_audit_store *self, struct comb_ctx *ctx, size_t max,
                                const struct comb_audit_pending **ret_records, size_t *ret_n,
                                struct comb_error *err);
    /* How many there are in the intake, counted up to max. */
    enum comb_status (*waiting)(struct comb_audit_store *self, struct comb_ctx *ctx, size_t max,
                                size_t *ret_n, struct comb_error *err);
    enum comb_status (*end)(struct comb_audit_store *self, struct comb_ctx *ctx,
                            struct comb_audit_end *ret_end, struct comb_error *err);

    /* Add to a plan of the holder's, behind the guard of his lease. Never block.
     * append: the trail ends at `end`, else nothing is written; the records of the lines move from
     * the intake to its end. Up to COMB_AUDIT_BATCH_MAX. */
    enum comb_status (*plan_append)(struct comb_audit_store *self, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_audit_end *end,
                                    const struct comb_audit_pending *records,
                                    const struct comb_audit_row *rows, size_t n,
                                    struct comb_error *err);
    enum comb_status (*plan_seal)(struct comb_audit_store *self, struct comb_ctx *ctx,
                                  struct comb_plan *plan, const struct comb_audit_seal *seal,
                                  struct comb_error *err);
    /* Removes the lines up to n. */
    enum comb_status (*plan_trim)(struct comb_audit_store *self, struct comb_ctx *ctx,
                                  struct comb_plan *plan, uint64_t n, struct comb_error *err);
    /* Writes such a plan, all or nothing. *ret_held false: a guard refused. */
    enum comb_status (*commit)(struct comb_audit_store *self, struct comb_ctx *ctx,
                               const struct comb_plan *plan, bool *ret_held,
                               struct comb_error *err);

    /* The seal of a kind; *ret_found false: there is none. */
    enum comb_status (*seal)(struct comb_audit_store *self, struct comb_ctx *ctx,
                             enum comb_audit_seal_kind kind, bool *ret_found,
                             struct comb_audit_seal *ret_seal, struct comb_error *err);
    /* Lines behind number `after`, in order; up to max. */
    enum comb_status (*lines)(struct comb_audit_store *self, struct comb_ctx *ctx, uint64_t after,
                              size_t max, const struct comb_audit_row **ret_rows, size_t *ret_n,
                              struct comb_error *err);
    /* The same, as a query finds them. */
    enum comb_status (*follow)(struct comb_audit_store *self, struct comb_ctx *ctx, uint64_t after,
                               size_t max, const struct comb_audit_hit **ret_hits, size_t *ret_n,
                               struct comb_error *err);
    /* The same, of lines by their numbers, up to COMB_AUDIT_BATCH_MAX; those that are there, in no
     * order. */
    enum comb_status (*by_number)(struct comb_audit_store *self, struct comb_ctx *ctx,
                                  const uint64_t *numbers, size_t n,
                                  const struct comb_audit_hit **ret_hits, size_t *ret_n,
                                  struct comb_error *err);
    /* The newest of the search in front of its key, by (time, n), newest first; up to max. */
    enum comb_status (*search)(struct comb_audit_store *self, struct comb_ctx *ctx,
                               const struct comb_audit_search *search, size_t max,
                               const struct comb_audit_hit **ret_hits, size_t *ret_n,
                               struct comb_error *err);
    /* The last of the oldest max lines that was numbered before number_us. *ret_end.n 0: none. */
    enum comb_status (*old)(struct comb_audit_store *self, struct comb_ctx *ctx, int64_t number_us,
                            size_t max, struct comb_audit_end *ret_end, struct comb_error *err);
    void (*close)(struct comb_audit_store *self);
};

struct comb_audit_store {
    const struct comb_audit_store_driver *driver;
};

/* Over an open row, whose schema has been migrated, and which must live longer. */
enum comb_status comb_audit_store_open(struct comb_sql *sql, struct comb_audit_store **ret_store,
                                       struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_audit_store_close(struct comb_audit_store *store);

/* Tables audit, audit_end and audit_seal, for comb_sql_migrate_schema. */
extern const struct comb_sql_schema *const comb_audit_schemas[];

#endif
