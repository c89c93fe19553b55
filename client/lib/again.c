/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>

#include "client/lib/transfer.h"

/* How often a waiting thread looks whether its client was closed. */
enum { LOOK_MS = 100 };

static int64_t deadline_of(const struct comb_client *client)
{
    if (client->timeout_ms > INT64_MAX / COMB_NS_PER_MS / 2)
        return INT64_MAX;
    return comb_now_ns() + client->timeout_ms * COMB_NS_PER_MS;
}

void comb_again_init(struct comb_again *again, struct comb_client *client)
{
    again->client = client;
    comb_again_progress(again);
}

void comb_again_progress(struct comb_again *again)
{
    again->retry = (struct comb_retry){
        .repetition = COMB_V1_REPETITION_READ,
        .attempts_max = again->client->attempts_max,
    };
    again->begin_ns = comb_now_ns();
    again->unconnected_only = true;
    again->deadline_ns = deadline_of(again->client);
}

static bool is_closed(struct comb_client *client)
{
    pthread_mutex_lock(&client->lock);
    bool closed = client->closed;
    pthread_mutex_unlock(&client->lock);
    return closed;
}

static bool refresh(struct comb_client *client, int64_t deadline_ns)
{
    struct grpcc_error ignored = GRPCC_ERROR_INIT;
    pthread_mutex_lock(&client->session.lock);
    unsigned generation = client->session.generation;
    pthread_mutex_unlock(&client->session.lock);
    return comb_session_refresh(client, generation, deadline_ns, &ignored) == GRPCC_OK;
}

bool comb_again_judge(struct comb_again *again, enum grpcc_status status,
                      const struct grpcc_error *err, int64_t *ret_wait_ms)
{
    struct comb_client *client = again->client;
    struct grpcc_error judged = *err;
    if (comb_retry_is_turned_away(err)) {
        comb_retry_take_for_unavailable(&judged);
        status = judged.status;
        err = &judged;
    }
    bool expired = status == GRPCC_UNAUTHENTICATED && comb_session_can_refresh(&client->session) &&
                   comb_error_has_reason(err, COMB_V1_ERROR_REASON_TOKEN_EXPIRED);
    again->unconnected_only &= comb_retry_is_unconnected(status, err);
    again->retry.n_replicas = comb_replicas_count(client);
    struct comb_retry_verdict verdict =
        comb_retry_judge(&again->retry, status, err, expired, false, comb_random32());
    *ret_wait_ms = verdict.wait_ms;
    if (verdict.kind == COMB_RETRY_FINISH || is_closed(client))
        return false;
    if (verdict.kind == COMB_RETRY_REFRESH)
        return refresh(client, again->deadline_ns);
    /* A stream does not wait for its connection here: that would hide from whom it waits for. */
    if (verdict.wait_for_connection)
        *ret_wait_ms = comb_retry_backoff_ms(again->retry.rounds, comb_random32());
    int64_t next_ns = comb_now_ns() + *ret_wait_ms * COMB_NS_PER_MS;
    if (again->unconnected_only && client->unreachable_ns != INT64_MAX &&
        next_ns >= again->begin_ns + client->unreachable_ns)
        return false;
    return next_ns < again->deadline_ns;
}

bool comb_again_wait(struct comb_again *again, enum grpcc_status status,
                     const struct grpcc_error *err)
{
    int64_t wait_ms = 0;
    if (!comb_again_judge(again, status, err, &wait_ms))
        return false;
    for (; wait_ms > 0 && !is_closed(again->client); wait_ms -= LOOK_MS)
        poll(NULL, 0, wait_ms < LOOK_MS ? (int)wait_ms : LOOK_MS);
    return !is_closed(again->client);
}
