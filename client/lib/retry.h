/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a call whose attempt has ended: pure decisions, no clocks, no locks.
 *
 * Four kinds of failure are told apart. A *gap*: the call reached no handler because there was
 * nobody (no connection; a replica that drains or closes). It costs nothing but time, and is
 * bounded by the deadline alone, so that restarts are not seen by callers. A *refusal*: a server
 * that has too much to do said so, and when to come back. A *break*: the connection ended, and the
 * handler may have run. The last two count as attempts and take from the budget. A *silence* is a
 * replica that was given up while a call waited for it, because another one is there, or one that
 * gave up the call at its own end: it takes time, as a gap does, but the handler may have run.
 */
#ifndef COMB_LIB_RETRY_H
#define COMB_LIB_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "comb/v1/options.grpcc.h"
#include "grpcc/status.h"

enum { COMB_BACKOFF_MIN_MS = 50, COMB_BACKOFF_MAX_MS = 2000 };
/* A replica that drains ends when nobody has asked it for a second: where there is no other one,
 * asking it sooner again and again would hold it up. */
enum { COMB_DRAIN_WAIT_MS = 1300, COMB_DRAIN_JITTER_MS = 300 };

struct comb_retry {
    /* of the call */
    enum comb_v1_repetition repetition;
    size_t n_replicas;
    unsigned attempts_max;
    /* so far */
    unsigned attempts; /* that count */
    unsigned rounds;   /* over all replicas, without an answer */
    size_t tried;      /* replicas of this round */
    bool refreshed;    /* the tokens, for this call */
};

enum comb_retry_kind {
    COMB_RETRY_FINISH,  /* the call has ended this way */
    COMB_RETRY_AGAIN,   /* after wait_ms */
    COMB_RETRY_REFRESH, /* after a refresh of the tokens */
};
struct comb_retry_verdict {
    enum comb_retry_kind kind;
    int64_t wait_ms;
    bool replica_failed; /* avoid it for a while */
    bool charge;         /* takes one from the budget; the caller ends the call where it is empty */
    bool new_round;      /* all replicas may be tried again */
    bool wait_for_connection; /* the next attempt waits for one instead of failing */
};

/* silent: the replica was given up. random: 32 random bits, for jitter. */
struct comb_retry_verdict comb_retry_judge(struct comb_retry *retry, enum grpcc_status status,
                                           const struct grpcc_error *err, bool token_expired,
                                           bool silent, uint32_t random);
/* Whether err says that there was no connection, or one that was going: the call has surely not
 * begun. */
bool comb_retry_is_unconnected(enum grpcc_status status, const struct grpcc_error *err);
/* Whether err, of a call that nobody here cancelled, says that a server which shuts down has turned
 * it away: the call has surely not begun. */
bool comb_retry_is_turned_away(const struct grpcc_error *err);
/* err, of a call that nobody here cancelled, is CANCELLED: a gap where the server turned it away,
 * else a connection that broke. */
void comb_retry_take_for_unavailable(struct grpcc_error *err);
/* Between half and all of what is due after so many rounds. */
int64_t comb_retry_backoff_ms(unsigned rounds, uint32_t random);

#endif
