/* SPDX-License-Identifier: Apache-2.0 */
/* The replicas: in turn, those that failed lately last. */
#include <string.h>

#include "client/lib/internal.h"

/* How long a replica that failed is avoided: doubled with each failure in a row. */
enum { AVOID_MIN_MS = 250, AVOID_DOUBLINGS_MAX = 6 };
/* A broken connection is made again soon: a replica that restarts is back in less than a second. */
enum { RECONNECT_MIN_MS = 50, RECONNECT_MAX_MS = 1000 };

static enum grpcc_status open_one(struct comb_client *client, char *target,
                                  const struct comb_client_options *options,
                                  struct grpcc_error *err)
{
    struct comb_replica *replica = &client->replicas[client->n_replicas];
    struct grpcc_channel_options channel = {
        .size = sizeof(channel),
        .tls = options->tls,
        .ca_file = options->ca_file,
        .certificate_file = options->certificate_file,
        .key_file = options->key_file,
        .host_override = options->host_override,
        .user_agent = options->user_agent,
        /* One target that names several replicas: all of them are used. */
        .service_config =
            strstr(target, ":///") ? "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}" : NULL,
        .retries_off = true,
        .reconnect_min_ms = RECONNECT_MIN_MS,
        .reconnect_max_ms = RECONNECT_MAX_MS,
    };
    replica->target = target;
    replica->channel = grpcc_channel_new(target, &channel, err);
    if (!replica->channel)
        return err ? err->status : GRPCC_INVALID_ARGUMENT;
    client->n_replicas++;
    return GRPCC_OK;
}

enum grpcc_status comb_replicas_open(struct comb_client *client, const char *servers,
                                     const struct comb_client_options *options,
                                     struct grpcc_error *err)
{
    char *rest = NULL;
    char *text = grpcc_arena_strdup(client->arena, servers);
    client->replicas =
        grpcc_arena_calloc(client->arena, COMB_REPLICAS_MAX, sizeof(*client->replicas));
    if (!text || !client->replicas)
        return comb_error_memory(err);
    for (char *target = strtok_r(text, ", ", &rest); target; target = strtok_r(NULL, ", ", &rest)) {
        if (client->n_replicas == COMB_REPLICAS_MAX)
            return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "more than %d servers",
                                   COMB_REPLICAS_MAX);
        enum grpcc_status status = open_one(client, target, options, err);
        if (status)
            return status;
    }
    if (client->n_replicas == 0)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "no server: name one, as in \"127.0.0.1:7070\"");
    return GRPCC_OK;
}

void comb_replicas_close(struct comb_client *client)
{
    for (size_t i = 0; i < client->n_replicas; i++)
        grpcc_channel_free(client->replicas[i].channel);
    client->n_replicas = 0;
}

struct comb_replica *comb_replica_pick(struct comb_client *client, uint64_t tried)
{
    struct comb_replica *avoided = NULL;
    int64_t now = comb_now_ns();
    unsigned first = atomic_fetch_add_explicit(&client->turn, 1, memory_order_relaxed);
    for (size_t i = 0; i < client->n_replicas; i++) {
        size_t index = (first + i) % client->n_replicas;
        struct comb_replica *replica = &client->replicas[index];
        if (tried >> index & 1)
            continue;
        int64_t until = atomic_load_explicit(&replica->avoid_until_ns, memory_order_relaxed);
        if (until <= now)
            return replica;
        if (!avoided)
            avoided = replica;
    }
    return avoided;
}

void comb_replica_note(struct comb_replica *replica, bool works)
{
    if (works) {
        if (atomic_load_explicit(&replica->failures, memory_order_relaxed)) {
            atomic_store(&replica->failures, 0);
            atomic_store(&replica->avoid_until_ns, 0);
        }
        return;
    }
    unsigned failures = atomic_fetch_add(&replica->failures, 1);
    if (failures > AVOID_DOUBLINGS_MAX)
        failures = AVOID_DOUBLINGS_MAX;
    atomic_store(&replica->avoid_until_ns,
                 comb_now_ns() + ((int64_t)AVOID_MIN_MS << failures) * COMB_NS_PER_MS);
}
