/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holding leases (CONSISTENCY 8.1): work that one process at a time does in an installation of
 * many, taken over by another when that one dies.
 *
 * A lease lasts COMB_LEASE_MS by the store's clock and is renewed at a third of it by the keeper, a
 * thread. A holder that has not renewed at two thirds by its own clock, which counts while the
 * machine sleeps, holds it no more: comb_lease_is_held() turns false. That alone does not keep a
 * frozen holder from writing: what it writes into the SQL row is guarded by the fence
 * (comb_consumers_store's plans), what it writes elsewhere must do no harm when it comes late.
 */
#ifndef COMB_CONSUMERS_LEASE_H
#define COMB_CONSUMERS_LEASE_H

#include <stdatomic.h>

#include "server/consumers/consumers_store.h"

#define COMB_LEASE_MS 15000

struct comb_lease_keeper;

/* One lease of this process. Lives in memory of who holds it, who alone calls its functions, from
 * one thread at a time; comb_lease_is_held() may be called from any. Members are private, but for
 * name and fence. */
struct comb_lease {
    const char *name; /* static */
    uint64_t fence;   /* of the last taking */

    struct comb_lease_keeper *keeper;
    struct comb_lease *next;       /* of those that the keeper renews */
    bool is_kept;                  /* it is among those */
    int64_t renew_ns;              /* CLOCK_BOOTTIME: when the keeper renews */
    _Atomic int64_t good_until_ns; /* CLOCK_BOOTTIME: two thirds of the lease; 0: not held */
};

/* lease_ms 0: COMB_LEASE_MS. holder: under which id leases are held, which people are shown; NULL:
 * one of its own. The store is borrowed. Starts the thread. */
enum comb_status comb_lease_keeper_new(struct comb_consumers_store *store, uint32_t lease_ms,
                                       const struct comb_uuid *holder,
                                       struct comb_lease_keeper **ret_keeper,
                                       struct comb_error *err) COMB_MUST_CHECK;
/* All of its leases have been let go or dropped. NULL is fine. */
void comb_lease_keeper_free(struct comb_lease_keeper *keeper);
int64_t comb_lease_keeper_lease_us(const struct comb_lease_keeper *keeper);
/* Under which id this process holds leases. */
const struct comb_uuid *comb_lease_keeper_holder(const struct comb_lease_keeper *keeper);

void comb_lease_init(struct comb_lease *lease, struct comb_lease_keeper *keeper, const char *name);
/* Tries to take it; *ret_found false: somebody has it. What the row has is in ctx's arena. Blocks.
 */
enum comb_status comb_lease_take(struct comb_lease *lease, struct comb_ctx *ctx, bool *ret_found,
                                 struct comb_lease_taken *ret_taken,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* Whether this process may still do what only the holder may. */
bool comb_lease_is_held(const struct comb_lease *lease);

/* A guarded write of the holder, one that may be repeated. *ret_held false: the guard refused. */
typedef enum comb_status (*comb_lease_write_fn)(void *data, struct comb_ctx *ctx, bool *ret_held,
                                                struct comb_error *err);
/*
 * Writes, again and again until there is an answer, while the lease is held; false: it is not any
 * more, and has been dropped. extends: the write makes the lease last from now on. What the write
 * returns lives in arena. Blocks, for two thirds of a lease at most.
 */
bool comb_lease_write(struct comb_lease *lease, struct grpcc_arena *arena, bool extends,
                      comb_lease_write_fn write, void *data) COMB_MUST_CHECK;

/* Gives it back, for others to take at once. Blocks as comb_lease_write(). */
void comb_lease_let_go(struct comb_lease *lease, struct grpcc_arena *arena);
/* Stops holding it without a word to the store. */
void comb_lease_drop(struct comb_lease *lease);

#endif
