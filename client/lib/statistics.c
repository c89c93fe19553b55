/* SPDX-License-Identifier: Apache-2.0 */
#include "comb/statistics.h"

#include <jansson.h>
#include <string.h>

#include "client/lib/internal.h"

enum { BUDGET_UNIT = 1000 };

static bool is_connected(struct comb_replica *replica)
{
    return grpcc_channel_connectivity(replica->channel, false) == GRPCC_CONNECTIVITY_READY;
}

static void count_replicas(struct comb_client *client, struct comb_statistics *ret_statistics)
{
    struct comb_replica *replicas[COMB_REPLICAS_MAX];
    size_t n = comb_replicas_all(client, replicas);
    for (size_t i = 0; i < n; i++) {
        bool good = is_connected(replicas[i]) && !atomic_load(&replicas[i]->ejected);
        ret_statistics->replicas_good += good;
        comb_replica_unref(replicas[i]);
    }
    ret_statistics->replicas = (uint32_t)n;
    pthread_mutex_lock(&client->replicas.lock);
    ret_statistics->replicas_joined = client->replicas.joined;
    ret_statistics->replicas_left = client->replicas.left;
    pthread_mutex_unlock(&client->replicas.lock);
}

void comb_client_statistics(struct comb_client *client, struct comb_statistics *statistics)
{
    struct comb_counters *counters = &client->counters;
    size_t size = statistics->size < sizeof(*statistics) ? statistics->size : sizeof(*statistics);
    int budget = atomic_load(&client->budget);
    struct comb_statistics now = {
        .size = statistics->size,
        .calls = atomic_load(&counters->calls),
        .streams = atomic_load(&counters->streams),
        .attempts = atomic_load(&counters->attempts),
        .retries = atomic_load(&counters->retries),
        .refreshes = atomic_load(&counters->refreshes),
        .budget_empty = atomic_load(&counters->budget_empty),
        .silences = atomic_load(&counters->silences),
        .hedges = atomic_load(&counters->hedges),
        .hedges_won = atomic_load(&counters->hedges_won),
        .ejections = atomic_load(&counters->ejections),
        .discoveries = atomic_load(&counters->discoveries),
        .discoveries_failed = atomic_load(&counters->discoveries_failed),
        .retry_tokens = budget > 0 ? (uint32_t)budget / BUDGET_UNIT : 0,
        .hedge_delay_us = comb_hedging_delay_ns(client) / COMB_NS_PER_US,
    };
    count_replicas(client, &now);
    memcpy(statistics, &now, size);
}

static struct comb_replica_state *state_of(struct comb_client *client, struct comb_replica *replica,
                                           struct grpcc_arena *arena)
{
    struct comb_replica_state *state = grpcc_arena_zalloc(arena, sizeof(*state));
    const char *target = grpcc_arena_strdup(arena, replica->target);
    if (!state || !target)
        return NULL;
    pthread_mutex_lock(&client->replicas.lock);
    bool listed = replica->listed;
    pthread_mutex_unlock(&client->replicas.lock);
    *state = (struct comb_replica_state){
        .target = target,
        .named = replica->named,
        .listed = listed,
        .connected = is_connected(replica),
        .ejected = atomic_load(&replica->ejected),
        .calls_in_flight = atomic_load(&replica->in_flight),
        .streams = atomic_load(&replica->streams),
        .attempts = atomic_load(&replica->n_attempts),
        .failures = atomic_load(&replica->n_failures),
        .ejections = atomic_load(&replica->n_ejections),
        .questions = atomic_load(&replica->n_questions),
        .latency_us = atomic_load(&replica->latency_us),
    };
    return state;
}

struct comb_replica_state **comb_client_replicas(struct comb_client *client,
                                                 struct grpcc_arena *arena)
{
    struct comb_replica *replicas[COMB_REPLICAS_MAX];
    size_t n = comb_replicas_all(client, replicas);
    struct comb_replica_state **states = grpcc_arena_calloc(arena, n + 1, sizeof(*states));
    bool good = states != NULL;
    for (size_t i = 0; i < n; i++) {
        if (good)
            states[i] = state_of(client, replicas[i], arena);
        good = good && states[i];
        comb_replica_unref(replicas[i]);
    }
    return good ? states : NULL;
}

/* ---- as JSON ---- */

static json_t *json_of_replica(const struct comb_replica_state *state)
{
    return json_pack("{s:s, s:b, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "target",
                     state->target, "named", (int)state->named, "listed", (int)state->listed,
                     "connected", (int)state->connected, "ejected", (int)state->ejected,
                     "calls_in_flight", (json_int_t)state->calls_in_flight, "streams",
                     (json_int_t)state->streams, "attempts", (json_int_t)state->attempts,
                     "failures", (json_int_t)state->failures, "ejections",
                     (json_int_t)state->ejections, "questions", (json_int_t)state->questions,
                     "latency_us", (json_int_t)state->latency_us);
}

static json_t *json_of_statistics(const struct comb_statistics *s)
{
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {
        {"calls", s->calls},
        {"streams", s->streams},
        {"attempts", s->attempts},
        {"retries", s->retries},
        {"refreshes", s->refreshes},
        {"budget_empty", s->budget_empty},
        {"silences", s->silences},
        {"hedges", s->hedges},
        {"hedges_won", s->hedges_won},
        {"ejections", s->ejections},
        {"discoveries", s->discoveries},
        {"discoveries_failed", s->discoveries_failed},
        {"replicas_joined", s->replicas_joined},
        {"replicas_left", s->replicas_left},
        {"replicas", s->replicas},
        {"replicas_good", s->replicas_good},
        {"retry_tokens", s->retry_tokens},
        {"hedge_delay_us", (uint64_t)s->hedge_delay_us},
    };
    json_t *object = json_object();
    for (size_t i = 0; object && i < sizeof(members) / sizeof(members[0]); i++)
        json_object_set_new(object, members[i].name, json_integer((json_int_t)members[i].value));
    return object;
}

const char *comb_client_dump(struct comb_client *client, struct grpcc_arena *arena)
{
    struct comb_statistics statistics = {.size = sizeof(statistics)};
    comb_client_statistics(client, &statistics);
    struct comb_replica_state **states = comb_client_replicas(client, arena);
    json_t *replicas = json_array();
    for (size_t i = 0; states && states[i]; i++)
        json_array_append_new(replicas, json_of_replica(states[i]));
    json_t *all = json_pack("{s:s, s:s, s:b, s:o, s:o}", "version", comb_version(), "servers",
                            client->servers, "discovery", (int)client->discovery.on, "statistics",
                            json_of_statistics(&statistics), "replicas", replicas);
    char *text = all && states ? json_dumps(all, JSON_COMPACT) : NULL;
    const char *copy = text ? grpcc_arena_strdup(arena, text) : NULL;
    free(text);
    json_decref(all);
    return copy;
}
