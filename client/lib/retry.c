/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/retry.h"

#include <stdio.h>
#include <string.h>

#include "client/lib/internal.h"

/* How core words that it has no connection, or that a call came too late for the one that goes: the
 * server has not seen it. There is no other sign; a text that is not among these is taken for an
 * answer, which is the safe side: what may not be repeated then is not. */
static const char *const UNCONNECTED[] = {
    "failed to connect to all addresses",
    "connections to all backends failing",
    "DNS resolution failed",
    "empty address list",
    "GOAWAY received",
};

bool comb_retry_is_unconnected(enum grpcc_status status, const struct grpcc_error *err)
{
    if (status != GRPCC_UNAVAILABLE || err->pushback_ms != -1 || err->details)
        return false;
    for (size_t i = 0; i < sizeof(UNCONNECTED) / sizeof(UNCONNECTED[0]); i++)
        if (strncmp(err->message, UNCONNECTED[i], strlen(UNCONNECTED[i])) == 0)
            return true;
    return false;
}

/* The text of what core 1.51 answers to a call that comes while it shuts down. Handlers say more,
 * and a stream that was reset is worded otherwise. */
static const char TURNED_AWAY[] = "CANCELLED";

bool comb_retry_is_turned_away(const struct grpcc_error *err)
{
    return err->status == GRPCC_CANCELLED && err->pushback_ms == -1 && !err->details &&
           strcmp(err->message, TURNED_AWAY) == 0;
}

/* The text of what core 1.51 answers to calls on connections that a server closes by force at its
 * end. */
static const char CUT_OFF[] = "Cancelling all calls";

static bool is_cut_off(enum grpcc_status status, const struct grpcc_error *err)
{
    return status == GRPCC_UNAVAILABLE && err->pushback_ms == -1 && !err->details &&
           strcmp(err->message, CUT_OFF) == 0;
}

void comb_retry_take_for_unavailable(struct grpcc_error *err)
{
    bool turned_away = comb_retry_is_turned_away(err);
    err->status = GRPCC_UNAVAILABLE;
    if (!turned_away)
        return;
    err->pushback_ms = 0;
    snprintf(err->message, sizeof(err->message), "the server is shutting down");
}

int64_t comb_retry_backoff_ms(unsigned rounds, uint32_t random)
{
    int64_t full = COMB_BACKOFF_MIN_MS;
    while (rounds-- > 0 && full < COMB_BACKOFF_MAX_MS)
        full *= 2;
    if (full > COMB_BACKOFF_MAX_MS)
        full = COMB_BACKOFF_MAX_MS;
    return full / 2 + (int64_t)(random % (uint32_t)(full / 2 + 1));
}

/* The next replica at once; after the last one a pause, and all of them again. */
static void go_on(struct comb_retry *retry, struct comb_retry_verdict *verdict, uint32_t random)
{
    verdict->kind = COMB_RETRY_AGAIN;
    retry->tried++;
    if (retry->tried < retry->n_replicas)
        return;
    verdict->new_round = true;
    verdict->wait_ms = comb_retry_backoff_ms(retry->rounds, random);
    retry->tried = 0;
    retry->rounds++;
}

static bool may_repeat(const struct comb_retry *retry)
{
    return retry->repetition == COMB_V1_REPETITION_READ ||
           retry->repetition == COMB_V1_REPETITION_REQUEST_ID;
}

struct comb_retry_verdict comb_retry_judge(struct comb_retry *retry, enum grpcc_status status,
                                           const struct grpcc_error *err, bool token_expired,
                                           bool silent, uint32_t random)
{
    struct comb_retry_verdict verdict = {.kind = COMB_RETRY_FINISH};
    if (status == GRPCC_UNAUTHENTICATED && token_expired && !retry->refreshed) {
        retry->refreshed = true;
        verdict.kind = COMB_RETRY_REFRESH;
        return verdict;
    }
    bool cut_off = is_cut_off(status, err);
    if ((silent || cut_off) && may_repeat(retry)) {
        go_on(retry, &verdict, random);
        verdict.replica_failed = cut_off;
        return verdict;
    }
    bool unconnected = comb_retry_is_unconnected(status, err);
    bool drained = status == GRPCC_UNAVAILABLE && err->pushback_ms == 0;
    if (unconnected || drained) {
        go_on(retry, &verdict, random);
        verdict.replica_failed = true;
        if (drained && verdict.new_round)
            verdict.wait_ms = COMB_DRAIN_WAIT_MS + (int64_t)(random % COMB_DRAIN_JITTER_MS);
        /* The one replica that there is: its connection is told of at once, no need to ask. */
        verdict.wait_for_connection = unconnected && retry->n_replicas == 1;
        if (verdict.wait_for_connection)
            verdict.wait_ms = 0;
        return verdict;
    }
    bool pushed = err->pushback_ms >= 0;
    /* Full, or many at one place: where the server says when, it means that nothing was done. */
    bool crowded = status == GRPCC_RESOURCE_EXHAUSTED || status == GRPCC_ABORTED;
    bool retryable = status == GRPCC_UNAVAILABLE || (crowded && pushed);
    if (!retryable)
        return verdict;
    verdict.charge = true;
    verdict.replica_failed = status == GRPCC_UNAVAILABLE;
    retry->attempts++;
    /* Pushback comes from before the handler, so that even what must not be repeated may be. */
    if (err->pushback_ms == -2 || retry->attempts >= retry->attempts_max ||
        (!pushed && !may_repeat(retry)))
        return verdict;
    go_on(retry, &verdict, random);
    /* RetryInfo says when; alone it does not say that nothing was done. */
    int64_t advised_ms = pushed ? err->pushback_ms : comb_error_retry_ms(err);
    if (verdict.new_round && advised_ms > verdict.wait_ms)
        verdict.wait_ms = advised_ms;
    return verdict;
}
