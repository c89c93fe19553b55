/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who keeps the trail's index (index.h): one replica at a time, under the lease "audit.index", adds
 * items for the lines that have been numbered, a batch at a time, and notes how far it is. Builds
 * anew from the oldest line where there is no index, where the trail is of another history, or
 * where somebody wants it; meanwhile, and whenever the docs row is away, queries read the trail
 * itself.
 *
 * Threads: any; one of its own.
 */
#ifndef COMB_AUDIT_INDEXER_H
#define COMB_AUDIT_INDEXER_H

#include "server/audit/audit_store.h"
#include "server/consumers/consumers_store.h"

struct comb_items_store;
struct comb_audit_indexer;

#define COMB_AUDIT_INDEX_LEASE_NAME "audit.index"
/* How often the thread looks, where nobody wakes it. */
#define COMB_AUDIT_INDEX_POLL_MS 1000

struct comb_audit_indexer_parts {
    struct comb_audit_store *store; /* all of them borrowed */
    struct comb_consumers_store *leases;
    struct comb_items_store *items;
    struct comb_uuid holder; /* see struct comb_audit_parts, also for what is below */
    uint64_t history;
    uint32_t lease_ms, poll_ms; /* 0: COMB_LEASE_MS, the number above */
};

enum comb_status comb_audit_indexer_new(const struct comb_audit_indexer_parts *parts,
                                        struct comb_audit_indexer **ret_indexer,
                                        struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_audit_indexer_start(struct comb_audit_indexer *indexer,
                                          struct comb_error *err) COMB_MUST_CHECK;
/* Gives the lease back, waits for the thread. NULL is fine. */
void comb_audit_indexer_stop(struct comb_audit_indexer *indexer);
/* NULL is fine. */
void comb_audit_indexer_free(struct comb_audit_indexer *indexer);

/* The index is built anew, by whoever has the lease next. Any thread; blocks. Errors: those of
 * comb_sql_run; UNAVAILABLE: nobody has had the lease yet. */
enum comb_status comb_audit_indexer_begin_anew(struct comb_audit_indexer *indexer,
                                               struct comb_ctx *ctx,
                                               struct comb_error *err) COMB_MUST_CHECK;

/* Of this replica since its start. */
struct comb_audit_indexer_stats {
    bool is_held;
    uint64_t taken, lost; /* the lease */
    uint64_t batches, lines, failures;
    int64_t lag_us; /* age of the oldest line that is known to wait; 0: none is */
};
/* Never blocks. */
void comb_audit_indexer_get_stats(struct comb_audit_indexer *indexer,
                                  struct comb_audit_indexer_stats *ret_stats);
/* How many lines wait to be indexed, max at most, and when the oldest of them was numbered; 0:
 * there is none. Blocks. */
enum comb_status comb_audit_indexer_lag(struct comb_audit_indexer *indexer, struct comb_ctx *ctx,
                                        size_t max, size_t *ret_n, int64_t *ret_oldest_us,
                                        struct comb_error *err) COMB_MUST_CHECK;

#endif
