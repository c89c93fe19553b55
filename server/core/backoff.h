/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long to wait before a store is tried again: exponential, with full jitter, so that replicas
 * that lost the same store do not come back at the same moment (M. Brooker, "Exponential Backoff
 * And Jitter", 2015).
 */
#ifndef COMB_CORE_BACKOFF_H
#define COMB_CORE_BACKOFF_H

#include <stdint.h>

/* The first wait is up to first_ms, each further one up to twice the one before, never above
 * most_ms. One thread at a time. */
struct comb_backoff {
    uint32_t first_ms, most_ms; /* set by the caller; neither 0 */
    unsigned failures;          /* in a row */
};

/* Counts a failure and says how many milliseconds to wait, at least 1. */
uint32_t comb_backoff_next_ms(struct comb_backoff *backoff);
/* The store has answered. */
void comb_backoff_reset(struct comb_backoff *backoff);

#endif
