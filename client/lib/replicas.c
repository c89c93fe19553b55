/* SPDX-License-Identifier: Apache-2.0 */
/* All replicas, and the choice among them. */
#include <string.h>

#include "client/lib/internal.h"

/* A broken connection is made again soon: a replica that restarts is back in less than a second. */
enum { RECONNECT_MIN_MS = 50, RECONNECT_MAX_MS = 1000 };

/* ---- the list ---- */

static struct comb_replica *find_locked(struct comb_replicas *replicas, const char *target)
{
    for (size_t i = 0; i < COMB_REPLICAS_MAX; i++)
        if (replicas->slots[i] && strcmp(replicas->slots[i]->target, target) == 0)
            return replicas->slots[i];
    return NULL;
}

/* Takes over the reference. False: there is no room, and it stays the caller's. */
static bool add_locked(struct comb_replicas *replicas, struct comb_replica *replica)
{
    for (unsigned i = 0; i < COMB_REPLICAS_MAX; i++) {
        if (replicas->slots[i])
            continue;
        replica->slot = i;
        replicas->slots[i] = replica;
        replicas->n++;
        return true;
    }
    return false;
}

static enum grpcc_status add_named(struct comb_client *client, const char *target,
                                   struct grpcc_error *err)
{
    struct comb_replicas *replicas = &client->replicas;
    if (find_locked(replicas, target))
        return GRPCC_OK;
    struct comb_replica *replica = comb_replica_new(target, &replicas->channel, err);
    if (!replica)
        return err ? err->status : GRPCC_INVALID_ARGUMENT;
    replica->named = true;
    if (add_locked(replicas, replica))
        return GRPCC_OK;
    comb_replica_unref(replica);
    return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "more than %d servers", COMB_REPLICAS_MAX);
}

/* A copy in the client's arena; false: no room. */
static bool keep_text(struct comb_client *client, const char *text, const char **ret_text)
{
    *ret_text = text ? grpcc_arena_strdup(client->arena, text) : NULL;
    return !text || *ret_text;
}

static bool set_channel(struct comb_client *client, const struct comb_client_options *options)
{
    struct grpcc_channel_options *channel = &client->replicas.channel;
    *channel = (struct grpcc_channel_options){
        .size = sizeof(*channel),
        .tls = options->tls,
        .retries_off = true,
        .reconnect_min_ms = RECONNECT_MIN_MS,
        .reconnect_max_ms = RECONNECT_MAX_MS,
    };
    return keep_text(client, options->ca_file, &channel->ca_file) &&
           keep_text(client, options->certificate_file, &channel->certificate_file) &&
           keep_text(client, options->key_file, &channel->key_file) &&
           keep_text(client, options->host_override, &channel->host_override) &&
           keep_text(client, options->user_agent, &channel->user_agent);
}

enum grpcc_status comb_replicas_open(struct comb_client *client, const char *servers,
                                     const struct comb_client_options *options,
                                     struct grpcc_error *err)
{
    char *rest = NULL;
    char *text = grpcc_arena_strdup(client->arena, servers);
    if (!text || !set_channel(client, options))
        return comb_error_memory(err);
    for (char *target = strtok_r(text, ", ", &rest); target; target = strtok_r(NULL, ", ", &rest)) {
        enum grpcc_status status = add_named(client, target, err);
        if (status)
            return status;
    }
    if (client->replicas.n == 0)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "no server: name one, as in \"127.0.0.1:7070\"");
    return GRPCC_OK;
}

void comb_replicas_done(struct comb_replicas *replicas)
{
    for (size_t i = 0; i < COMB_REPLICAS_MAX; i++)
        comb_replica_unref(replicas->slots[i]);
    pthread_mutex_destroy(&replicas->lock);
}

size_t comb_replicas_count(struct comb_client *client)
{
    pthread_mutex_lock(&client->replicas.lock);
    size_t n = client->replicas.n;
    pthread_mutex_unlock(&client->replicas.lock);
    return n;
}

size_t comb_replicas_all(struct comb_client *client,
                         struct comb_replica *ret_replicas[COMB_REPLICAS_MAX])
{
    size_t n = 0;
    pthread_mutex_lock(&client->replicas.lock);
    for (size_t i = 0; i < COMB_REPLICAS_MAX; i++)
        if (client->replicas.slots[i])
            ret_replicas[n++] = comb_replica_ref(client->replicas.slots[i]);
    pthread_mutex_unlock(&client->replicas.lock);
    return n;
}

/* ---- the choice ---- */

enum rank {
    RANK_GOOD,
    RANK_UNLISTED,    /* named by the program, not by the registry: it drains, or is a proxy */
    RANK_UNCONNECTED, /* no connection yet */
    RANK_BAD,         /* failed lately, or is silent */
    RANKS
};

static enum rank rank_locked(const struct comb_replicas *replicas, struct comb_replica *replica)
{
    if (atomic_load_explicit(&replica->ejected, memory_order_relaxed) ||
        atomic_load_explicit(&replica->suspect, memory_order_relaxed))
        return RANK_BAD;
    /* Asking connects it, for a later call. */
    if (grpcc_channel_connectivity(replica->channel, true) != GRPCC_CONNECTIVITY_READY)
        return RANK_UNCONNECTED;
    return replicas->any_listed && !replica->listed ? RANK_UNLISTED : RANK_GOOD;
}

static unsigned load_of(struct comb_replica *replica)
{
    return atomic_load_explicit(&replica->in_flight, memory_order_relaxed);
}

struct comb_replica *comb_replicas_pick(struct comb_client *client, uint64_t tried)
{
    struct comb_replicas *replicas = &client->replicas;
    struct comb_replica *first[RANKS] = {NULL}, *second[RANKS] = {NULL}, *picked = NULL;
    pthread_mutex_lock(&replicas->lock);
    size_t seen = 0;
    for (size_t i = 1; i <= COMB_REPLICAS_MAX && seen < replicas->n; i++) {
        size_t slot = (replicas->turn + i) % COMB_REPLICAS_MAX;
        struct comb_replica *replica = replicas->slots[slot];
        if (!replica)
            continue;
        seen++;
        if (tried >> slot & 1)
            continue;
        enum rank rank = replicas->n == 1 ? RANK_GOOD : rank_locked(replicas, replica);
        if (!first[rank])
            first[rank] = replica;
        else if (!second[rank])
            second[rank] = replica;
    }
    for (int rank = 0; rank < RANKS && !picked; rank++) {
        picked = first[rank];
        if (picked && second[rank] && load_of(second[rank]) < load_of(picked))
            picked = second[rank];
    }
    if (picked) {
        replicas->turn = picked->slot;
        comb_replica_ref(picked);
    }
    pthread_mutex_unlock(&replicas->lock);
    return picked;
}

bool comb_replicas_has_other(struct comb_client *client, const struct comb_replica *than)
{
    struct comb_replicas *replicas = &client->replicas;
    bool found = false;
    pthread_mutex_lock(&replicas->lock);
    for (size_t i = 0; i < COMB_REPLICAS_MAX && !found; i++) {
        struct comb_replica *replica = replicas->slots[i];
        found = replica && replica != than && rank_locked(replicas, replica) < RANK_UNCONNECTED;
    }
    pthread_mutex_unlock(&replicas->lock);
    return found;
}

/* ---- what the registry says ---- */

static bool is_among(const char *target, const char *const *targets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(targets[i], target) == 0)
            return true;
    return false;
}

/* Marks those that are listed, and takes out those that were found once and are not any more: into
 * ret_gone, for the caller to release. */
static size_t mark_locked(struct comb_replicas *replicas, const char *const *targets, size_t n,
                          bool partial, struct comb_replica *ret_gone[COMB_REPLICAS_MAX])
{
    size_t n_gone = 0;
    for (size_t i = 0; i < COMB_REPLICAS_MAX; i++) {
        struct comb_replica *replica = replicas->slots[i];
        if (!replica)
            continue;
        bool among = is_among(replica->target, targets, n);
        if (partial && !among)
            continue;
        replica->listed = among;
        if (among || replica->named)
            continue;
        ret_gone[n_gone++] = replica;
        replicas->slots[i] = NULL;
        replicas->n--;
        replicas->left++;
    }
    replicas->any_listed = n > 0;
    return n_gone;
}

static void add_found(struct comb_client *client, const char *target)
{
    struct comb_replicas *replicas = &client->replicas;
    struct grpcc_error ignored = GRPCC_ERROR_INIT;
    pthread_mutex_lock(&replicas->lock);
    bool wanted = !find_locked(replicas, target);
    pthread_mutex_unlock(&replicas->lock);
    struct comb_replica *replica =
        wanted ? comb_replica_new(target, &replicas->channel, &ignored) : NULL;
    if (!replica)
        return;
    replica->listed = true;
    (void)grpcc_channel_connectivity(replica->channel, true);
    pthread_mutex_lock(&replicas->lock);
    bool added = add_locked(replicas, replica);
    replicas->joined += added;
    pthread_mutex_unlock(&replicas->lock);
    if (!added)
        comb_replica_unref(replica);
}

void comb_replicas_update(struct comb_client *client, const char *const *targets, size_t n,
                          bool partial)
{
    struct comb_replicas *replicas = &client->replicas;
    struct comb_replica *gone[COMB_REPLICAS_MAX];
    pthread_mutex_lock(&replicas->lock);
    size_t n_gone = mark_locked(replicas, targets, n, partial, gone);
    pthread_mutex_unlock(&replicas->lock);
    while (n_gone > 0)
        comb_replica_unref(gone[--n_gone]);
    for (size_t i = 0; i < n; i++)
        add_found(client, targets[i]);
}
