/* SPDX-License-Identifier: Apache-2.0 */
/* Limits as an interceptor: what a call takes when it begins is written down in its arena, and
 * given back when it ends. */
#include "grpcc/limit.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "gen/runtime/src/core/core.h"
#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/server/call.h"
#include "gen/runtime/src/server/limit_keys.h"
#include "grpcc/observer.h"

enum { PUSHBACK_MS_DEFAULT = 100, PUSHBACK_MS_MAX = 60000 };
/* Above these a number is a slip. */
enum { RATE_MAX = 1000000000, KEYS_MAX = 1 << 24 };

struct grpcc_limits {
    struct grpcc_limit_options options;
    struct grpcc_limit_keys *keys;
    atomic_uint n_total;
    atomic_ullong admitted, refused_total, refused_method, refused_peer, refused_key, refused_rate;
};

/* What a call has taken. */
struct taken {
    bool total;
    struct grpcc_limit_entry *entries[GRPCC_LIMIT_KINDS];
    unsigned n_entries;
};

/* ---- life ---- */

static enum grpcc_status check(const struct grpcc_limit_options *options, struct grpcc_error *err)
{
    if (!(options->rate_per_s >= 0 && options->rate_per_s <= RATE_MAX))
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "rate_per_s: from 0 to %d", RATE_MAX);
    if (options->burst && options->rate_per_s == 0)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "burst: without a rate_per_s");
    if (options->keys_max > KEYS_MAX)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "keys_max: at most %d", KEYS_MAX);
    if (options->status && options->status != GRPCC_RESOURCE_EXHAUSTED &&
        options->status != GRPCC_UNAVAILABLE)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "status: RESOURCE_EXHAUSTED or UNAVAILABLE");
    return GRPCC_OK;
}

struct grpcc_limits *grpcc_limits_new(const struct grpcc_limit_options *given,
                                      struct grpcc_error *err)
{
    struct grpcc_limit_options options = {.size = sizeof(options)};
    grpcc_options_copy(&options, sizeof(options), given);
    if (check(&options, err))
        return NULL;
    if (!options.status)
        options.status = GRPCC_RESOURCE_EXHAUSTED;
    if (!options.pushback_ms)
        options.pushback_ms = PUSHBACK_MS_DEFAULT;
    if (!options.keys_max)
        options.keys_max = GRPCC_LIMIT_KEYS_DEFAULT;
    if (!options.burst)
        options.burst = options.rate_per_s > 1 ? (unsigned)ceil(options.rate_per_s) : 1;
    struct grpcc_limits *limits = grpcc_memory_zalloc(sizeof(*limits));
    if (limits) {
        limits->options = options;
        limits->keys =
            grpcc_limit_keys_new(options.keys_max, options.rate_per_s, (double)options.burst);
    }
    if (limits && limits->keys)
        return limits;
    grpcc_limits_free(limits);
    grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for limits");
    return NULL;
}

void grpcc_limits_free(struct grpcc_limits *limits)
{
    if (!limits)
        return;
    grpcc_limit_keys_free(limits->keys);
    grpcc_memory_free(limits);
}

void grpcc_limits_get_stats(const struct grpcc_limits *limits, struct grpcc_limit_stats *ret_stats)
{
    struct grpcc_limit_stats stats = {
        .admitted = atomic_load(&limits->admitted),
        .refused_total = atomic_load(&limits->refused_total),
        .refused_method = atomic_load(&limits->refused_method),
        .refused_peer = atomic_load(&limits->refused_peer),
        .refused_key = atomic_load(&limits->refused_key),
        .refused_rate = atomic_load(&limits->refused_rate),
    };
    grpcc_limit_keys_count(limits->keys, &stats.keys, &stats.shared);
    *ret_stats = stats;
}

/* ---- a call ---- */

static void give_back(struct grpcc_limits *limits, struct taken *taken)
{
    for (unsigned i = 0; i < taken->n_entries; i++)
        grpcc_limit_leave(limits->keys, taken->entries[i]);
    if (taken->total)
        atomic_fetch_sub_explicit(&limits->n_total, 1, memory_order_relaxed);
    taken->n_entries = 0;
    taken->total = false;
}

/* An address without its port: the connection is not who calls. */
static size_t peer_length(const char *peer)
{
    const char *colon = strrchr(peer, ':');
    bool has_port = strncmp(peer, "ipv4:", 5) == 0 || strncmp(peer, "ipv6:", 5) == 0;
    return has_port && colon > peer + 5 ? (size_t)(colon - peer) : strlen(peer);
}

static enum grpcc_limit_verdict take(struct grpcc_limits *limits, struct taken *taken,
                                     const struct grpcc_limit_request *request,
                                     int64_t *ret_wait_ns)
{
    struct grpcc_limit_entry *entry = NULL;
    enum grpcc_limit_verdict verdict =
        grpcc_limit_enter(limits->keys, request, grpcc_now_ns(), &entry, ret_wait_ns);
    if (verdict == GRPCC_LIMIT_ADMITTED)
        taken->entries[taken->n_entries++] = entry;
    return verdict;
}

static bool take_total(struct grpcc_limits *limits, struct taken *taken)
{
    if (!limits->options.total)
        return true;
    taken->total = true;
    return atomic_fetch_add_explicit(&limits->n_total, 1, memory_order_relaxed) <
           limits->options.total;
}

static bool take_method(struct grpcc_limits *limits, struct taken *taken, struct grpcc_call *call)
{
    /* Unknown methods are one: their names are the client's choice. */
    const char *name = grpcc_call_method(call) ? grpcc_call_path(call) : "other";
    const struct grpcc_limit_request request = {.kind = GRPCC_LIMIT_METHOD,
                                                .text = name,
                                                .length = strlen(name),
                                                .at_once = limits->options.per_method};
    return !limits->options.per_method ||
           take(limits, taken, &request, NULL) == GRPCC_LIMIT_ADMITTED;
}

static bool take_peer(struct grpcc_limits *limits, struct taken *taken, struct grpcc_call *call)
{
    if (!limits->options.per_peer)
        return true;
    const char *peer = grpcc_call_peer(call);
    const struct grpcc_limit_request request = {.kind = GRPCC_LIMIT_PEER,
                                                .text = peer,
                                                .length = peer_length(peer),
                                                .at_once = limits->options.per_peer};
    return take(limits, taken, &request, NULL) == GRPCC_LIMIT_ADMITTED;
}

static enum grpcc_limit_verdict take_key(struct grpcc_limits *limits, struct taken *taken,
                                         struct grpcc_call *call, int64_t *ret_wait_ns)
{
    const struct grpcc_limit_options *options = &limits->options;
    if (!options->per_key && options->rate_per_s == 0)
        return GRPCC_LIMIT_ADMITTED;
    const char *key = options->key ? options->key(options->key_data, call) : grpcc_call_peer(call);
    if (!key || !*key)
        return GRPCC_LIMIT_ADMITTED;
    const struct grpcc_limit_request request = {.kind = GRPCC_LIMIT_KEY,
                                                .text = key,
                                                .length =
                                                    options->key ? strlen(key) : peer_length(key),
                                                .at_once = options->per_key,
                                                .rated = options->rate_per_s > 0};
    return take(limits, taken, &request, ret_wait_ns);
}

static enum grpcc_verdict refuse(struct grpcc_limits *limits, struct taken *taken,
                                 struct grpcc_call *call, atomic_ullong *counter, int64_t wait_ms,
                                 const char *why)
{
    give_back(limits, taken);
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
    atomic_store_explicit(&call->refusal, GRPCC_REFUSED_LIMIT, memory_order_relaxed);
    grpcc_call_set_pushback_ms(call, wait_ms > PUSHBACK_MS_MAX ? PUSHBACK_MS_MAX : wait_ms);
    grpcc_call_fail(call, limits->options.status, "%s", why);
    return GRPCC_ANSWERED;
}

static bool is_exempt(const struct grpcc_call *call)
{
    static const char health[] = "/grpc.health.v1.Health/";
    return strncmp(grpcc_call_path(call), health, sizeof(health) - 1) == 0;
}

static enum grpcc_verdict limit_begin(void *self, struct grpcc_call *call)
{
    struct grpcc_limits *limits = self;
    int64_t pushback_ms = limits->options.pushback_ms, wait_ns = 0;
    if (is_exempt(call))
        return GRPCC_PROCEED;
    struct taken *taken = grpcc_arena_zalloc(grpcc_call_arena(call), sizeof(*taken));
    if (!taken || !grpcc_call_attach(call, limits, taken)) {
        grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory for the call");
        return GRPCC_ANSWERED;
    }
    if (!take_total(limits, taken))
        return refuse(limits, taken, call, &limits->refused_total, pushback_ms,
                      "too many calls are under way");
    if (!take_method(limits, taken, call))
        return refuse(limits, taken, call, &limits->refused_method, pushback_ms,
                      "too many calls of this method are under way");
    if (!take_peer(limits, taken, call))
        return refuse(limits, taken, call, &limits->refused_peer, pushback_ms,
                      "too many calls from this address are under way");
    switch (take_key(limits, taken, call, &wait_ns)) {
    case GRPCC_LIMIT_CROWDED:
        return refuse(limits, taken, call, &limits->refused_key, pushback_ms,
                      "too many calls of this caller are under way");
    case GRPCC_LIMIT_TOO_FAST:
        return refuse(limits, taken, call, &limits->refused_rate, wait_ns / GRPCC_NS_PER_MS + 1,
                      "this caller calls too often");
    default:
        atomic_fetch_add_explicit(&limits->admitted, 1, memory_order_relaxed);
        return GRPCC_PROCEED;
    }
}

static void limit_end(void *self, struct grpcc_call *call, enum grpcc_status status)
{
    struct taken *taken = grpcc_call_attached(call, self);
    (void)status;
    if (taken)
        give_back(self, taken);
}

enum grpcc_status grpcc_limits_attach(struct grpcc_limits *limits, struct grpcc_server *server,
                                      struct grpcc_error *err)
{
    static const struct grpcc_interceptor interceptor = {.begin = limit_begin, .end = limit_end};
    return grpcc_server_add_interceptor(server, &interceptor, limits, err);
}
