/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts failed log-ins, per login and per address, and says how long to wait before the next try.
 *
 * The first few failures cost nothing; then the wait doubles with each, from a second to
 * COMB_THROTTLE_WAIT_MAX_S. A success clears the login, not the address. Counters are hints: one
 * that is lost costs an attacker's wait, never anybody's account.
 *
 * Drivers: memory (a table of this process); one over the cache row comes beside it. Slots: any
 * thread, at once; they must not fail: what cannot be counted is not counted.
 */
#ifndef COMB_AUTH_THROTTLE_DRIVER_H
#define COMB_AUTH_THROTTLE_DRIVER_H

#include <stdint.h>

#include "server/core/ctx.h"

/* Failures that cost no wait: of one login, and of one address, behind which may be many people. */
#define COMB_THROTTLE_LOGIN_FREE 5
#define COMB_THROTTLE_PEER_FREE 100
#define COMB_THROTTLE_WAIT_MAX_S 900
/* A counter that has not moved for so long is forgotten. */
#define COMB_THROTTLE_FORGET_S 3600

/* Longest key of a counter. */
#define COMB_THROTTLE_KEY_MAX 160

struct comb_throttle_counter {
    uint32_t failures;
    int64_t last_us; /* wall clock, of the newest one */
};

struct comb_throttle;

struct comb_throttle_driver {
    const char *name;
    /* All zero where there is no counter, or a forgotten one. */
    void (*get)(struct comb_throttle *self, struct comb_ctx *ctx, comb_str key,
                struct comb_throttle_counter *ret_counter);
    void (*add)(struct comb_throttle *self, struct comb_ctx *ctx, comb_str key);
    void (*clear)(struct comb_throttle *self, struct comb_ctx *ctx, comb_str key);
    void (*close)(struct comb_throttle *self);
};

struct comb_throttle {
    const struct comb_throttle_driver *driver;
};

/* RESOURCE_EXHAUSTED, LOGIN_THROTTLED, with retry_ms, where the login or ctx->peer must wait. To be
 * asked before a password is checked, and again before the result is told: else a burst of guesses
 * at once would all count as the first. */
enum comb_status comb_throttle_check(struct comb_throttle *throttle, struct comb_ctx *ctx,
                                     comb_str login, struct comb_error *err) COMB_MUST_CHECK;
void comb_throttle_fail(struct comb_throttle *throttle, struct comb_ctx *ctx, comb_str login);
void comb_throttle_succeed(struct comb_throttle *throttle, struct comb_ctx *ctx, comb_str login);

enum comb_status comb_throttle_memory_new(struct comb_throttle **ret_throttle,
                                          struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_throttle_close(struct comb_throttle *throttle);

#endif
