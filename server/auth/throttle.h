/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts failed log-ins, per login and per address, and says how long to wait before the next try.
 *
 * The first few failures cost nothing; then the wait doubles with each, from a second to
 * COMB_THROTTLE_WAIT_MAX_S. A success clears the login, not the address.
 *
 * Counted twice: in the cache row, so that all replicas know of one another's failures, and in a
 * table of this process, so that a cache that is away, flushed, lost or pushed out by inventions
 * leaves nobody unthrottled: the longer wait of the two counts. What the table holds of a login
 * from before a success that another replica saw is forgotten: the cache remembers when that was.
 *
 * Threads: any. Nothing here fails: what cannot be counted in the cache is counted in the table.
 */
#ifndef COMB_AUTH_THROTTLE_H
#define COMB_AUTH_THROTTLE_H

#include "server/cache/cache_driver.h"

/* Failures that cost no wait: of one login, and of one address, behind which may be many people. */
#define COMB_THROTTLE_LOGIN_FREE 5
#define COMB_THROTTLE_PEER_FREE 100
#define COMB_THROTTLE_WAIT_MAX_S 900
/* A counter that has not moved for so long is forgotten. */
#define COMB_THROTTLE_FORGET_S 3600

/* Longest key of a counter. */
#define COMB_THROTTLE_KEY_MAX 160

struct comb_throttle;

/* cache: borrowed; NULL: this process counts alone. */
enum comb_status comb_throttle_new(struct comb_cache *cache, struct comb_throttle **ret_throttle,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_throttle_free(struct comb_throttle *throttle);

/* RESOURCE_EXHAUSTED, LOGIN_THROTTLED, with retry_ms, where the login or ctx->peer must wait. To be
 * asked before a password is checked, and again before the result is told: else a burst of guesses
 * at once would all count as the first. One round trip, as the next two. */
enum comb_status comb_throttle_check(struct comb_throttle *throttle, struct comb_ctx *ctx,
                                     comb_str login, struct comb_error *err) COMB_MUST_CHECK;
void comb_throttle_fail(struct comb_throttle *throttle, struct comb_ctx *ctx, comb_str login);
void comb_throttle_succeed(struct comb_throttle *throttle, struct comb_ctx *ctx, comb_str login);

#endif
