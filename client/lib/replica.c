/* SPDX-License-Identifier: Apache-2.0 */
/* One replica: how it does, and questions after its health. */
#include <grpc/health/v1/health.grpcc.h>
#include <string.h>

#include "client/lib/internal.h"

/* How long a replica that failed is left alone: doubled with each failure in a row. */
enum { EJECT_MIN_MS = 250, EJECT_DOUBLINGS_MAX = 6 };
/* A smoothed latency takes one in so many parts of the newest. */
enum { LATENCY_PARTS = 8 };
enum { QUESTION_BYTES_MAX = 64 << 10 };

struct comb_replica *comb_replica_new(const char *target, const struct grpcc_channel_options *given,
                                      struct grpcc_error *err)
{
    struct grpcc_channel_options options = *given;
    struct comb_replica *replica = calloc(1, sizeof(*replica));
    if (!replica || !(replica->target = strdup(target))) {
        free(replica);
        comb_error_memory(err);
        return NULL;
    }
    atomic_store(&replica->refs, 1);
    /* One target that names several replicas: all of them are used. */
    if (strstr(target, ":///"))
        options.service_config = "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}";
    replica->channel = grpcc_channel_new(target, &options, err);
    if (replica->channel)
        return replica;
    comb_replica_unref(replica);
    return NULL;
}

struct comb_replica *comb_replica_ref(struct comb_replica *replica)
{
    atomic_fetch_add_explicit(&replica->refs, 1, memory_order_relaxed);
    return replica;
}

void comb_replica_unref(struct comb_replica *replica)
{
    if (!replica || atomic_fetch_sub_explicit(&replica->refs, 1, memory_order_acq_rel) != 1)
        return;
    grpcc_channel_free(replica->channel);
    free(replica->target);
    free(replica);
}

void comb_replica_works(struct comb_replica *replica, int64_t took_ns)
{
    if (atomic_load_explicit(&replica->failures, memory_order_relaxed))
        atomic_store(&replica->failures, 0);
    if (atomic_load_explicit(&replica->ejected, memory_order_relaxed))
        atomic_store(&replica->ejected, false);
    if (took_ns <= 0)
        return;
    /* Two threads at once lose one of two values: it is an average. */
    int64_t took_us = took_ns / COMB_NS_PER_US + 1;
    int64_t old = atomic_load_explicit(&replica->latency_us, memory_order_relaxed);
    int64_t now = old ? old + (took_us - old) / LATENCY_PARTS : took_us;
    atomic_store_explicit(&replica->latency_us, now, memory_order_relaxed);
}

void comb_replica_fails(struct comb_client *client, struct comb_replica *replica)
{
    unsigned failures = atomic_fetch_add(&replica->failures, 1);
    if (failures > EJECT_DOUBLINGS_MAX)
        failures = EJECT_DOUBLINGS_MAX;
    atomic_fetch_add(&replica->n_failures, 1);
    atomic_store(&replica->ask_after_ns,
                 comb_now_ns() + ((int64_t)EJECT_MIN_MS << failures) * COMB_NS_PER_MS);
    if (!atomic_exchange(&replica->ejected, true)) {
        atomic_fetch_add(&replica->n_ejections, 1);
        atomic_fetch_add(&client->counters.ejections, 1);
    }
    comb_discovery_hurry(client);
}

/* ---- questions ---- */

struct question {
    struct comb_client *client;
    struct comb_replica *replica;
    struct grpcc_arena *arena;
};

static void answered(void *data, enum grpcc_status status,
                     struct grpc_health_v1_health_check_response *response,
                     const struct grpcc_error *err)
{
    struct question *question = data;
    struct comb_client *client = question->client;
    struct comb_replica *replica = question->replica;
    /* What does not know the question (a proxy) has answered all the same. */
    bool works = status == GRPCC_OK
                     ? response->status == GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_SERVING
                     : status != GRPCC_UNAVAILABLE && status != GRPCC_DEADLINE_EXCEEDED &&
                           status != GRPCC_CANCELLED;
    bool silent = status == GRPCC_DEADLINE_EXCEEDED || status == GRPCC_UNAVAILABLE;
    (void)err;
    if (works) {
        comb_replica_works(replica, 0);
    } else if (status != GRPCC_CANCELLED) {
        comb_replica_fails(client, replica);
        if (silent) {
            comb_calls_leave(client, replica);
            comb_streams_leave(client, replica);
        }
    }
    atomic_store(&replica->suspect, false);
    atomic_store(&replica->asking, false);
    grpcc_arena_free(question->arena);
    free(question);
    comb_replica_unref(replica);
    comb_client_unref(client);
}

void comb_replica_ask(struct comb_client *client, struct comb_replica *replica)
{
    if (atomic_exchange(&replica->asking, true))
        return;
    struct question *question = calloc(1, sizeof(*question));
    struct grpcc_arena *arena = grpcc_arena_new(QUESTION_BYTES_MAX);
    struct grpc_health_v1_health_check_request *request =
        arena ? grpc_health_v1_health_check_request_new(arena) : NULL;
    /* Together with the time after which it was suspected: the whole silence. */
    struct grpcc_call_options options = {
        .size = sizeof(options),
        .timeout_ms = (client->silence_ns - comb_silence_suspect_ns(client)) / COMB_NS_PER_MS + 1,
    };
    atomic_store(&replica->asked_ns, comb_now_ns());
    if (!question || !request) {
        free(question);
        grpcc_arena_free(arena);
        atomic_store(&replica->suspect, false);
        atomic_store(&replica->asking, false);
        return;
    }
    *question = (struct question){comb_client_ref(client), comb_replica_ref(replica), arena};
    atomic_fetch_add(&replica->n_questions, 1);
    grpc_health_v1_health_check_start(replica->channel, arena, &options, request, answered,
                                      question, NULL);
}
