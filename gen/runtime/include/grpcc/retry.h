/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How calls are repeated. A retry follows an attempt that failed, and core makes it; a hedge is an
 * attempt beside one that is slow, and the runtime makes it. One layer repeats: a method that is
 * hedged should have no retry policy.
 *
 * All structs begin with their size, sizeof(struct ...), and grow at their end; zero in a member is
 * the default in brackets.
 */
#ifndef GRPCC_RETRY_H
#define GRPCC_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A set of statuses: GRPCC_STATUS_BIT(GRPCC_UNAVAILABLE) | GRPCC_STATUS_BIT(GRPCC_ABORTED). */
#define GRPCC_STATUS_BIT(status) (UINT32_C(1) << (status))

/* Attempts of one call, the first among them: what gRPC allows at most. */
#define GRPCC_ATTEMPTS_MAX 5

/*
 * Retries of calls that ended with one of some statuses before any header or message of an answer
 * had come, and not after the deadline. The wait before attempt n is backoff_min_ms * multiplier ^
 * (n - 2), backoff_max_ms at most, +-20 %; a server's pushback replaces it, or forbids the retry.
 * The server sees `grpc-previous-rpc-attempts`.
 */
struct grpcc_retry_policy {
    size_t size;
    unsigned attempts_max;   /* with the first; 2 to GRPCC_ATTEMPTS_MAX [3] */
    unsigned backoff_min_ms; /* [50] */
    unsigned backoff_max_ms; /* not less than backoff_min_ms [1000, or backoff_min_ms] */
    double multiplier;       /* [2] */
    uint32_t statuses;       /* that are retried; not OK [UNAVAILABLE] */
};

/* What holds for the calls of one method, of one service, or of all that have no entry of their
 * own. */
struct grpcc_method_policy {
    size_t size;
    const char *name;    /* "pkg.Service/Method", "pkg.Service", or NULL: all others */
    unsigned timeout_ms; /* a call without a deadline, or with a later one, gets this [none] */
    bool wait_for_ready; /* unless a call says so itself: it cannot say the contrary */
    const struct grpcc_retry_policy *retry; /* NULL: none */
};

/*
 * Hedging of one unary call: while no answer has come, it is sent again, to the next backend where
 * the channel balances; the first OK wins, and the others are cancelled. The caller says by asking
 * for it that the method may run several times: only for idempotent methods.
 *
 * The next attempt starts delay_ms after the one before, or at once when one ends with one of
 * `statuses`; any other failure ends the call. A server's pushback puts the next attempt off, or
 * forbids it; one that could only begin after the deadline is not waited for. Each attempt after
 * the first carries its number, from 1, as `grpcc-hedge`, and as `grpc-previous-rpc-attempts` where
 * the channel has `retries_off`: core's retries keep that header to themselves. All hedged calls
 * of a channel share its budget (channel options budget_*): where too many fail, no hedges are
 * sent. What the call's options point to is copied, but for `credentials`: they live until it has
 * ended.
 */
struct grpcc_hedge_policy {
    size_t size;
    unsigned attempts_max; /* with the first; 2 to GRPCC_ATTEMPTS_MAX [3] */
    unsigned delay_ms;     /* [50] */
    uint32_t statuses;     /* that do not end the call while an attempt is left [UNAVAILABLE] */
};

#ifdef __cplusplus
}
#endif

#endif
