/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt of a call: a first way, and beside it a hedge where that is wanted and the first one
 * takes long. The attempt ends when both have ended: the one that is not needed any more is
 * cancelled, which takes no time of a server's.
 */
#include <stdio.h>
#include <string.h>

#include "client/lib/call.h"

enum { SCRATCH_BYTES_MAX = 1 << 20 };
/* Calls that are hedged in one look; the next look follows at once. */
enum { HEDGES_AT_ONCE = 32 };

bool comb_call_may_repeat(const struct comb_call *call)
{
    return call->rule.repetition == COMB_V1_REPETITION_READ ||
           call->rule.repetition == COMB_V1_REPETITION_REQUEST_ID;
}

/* ---- headers ---- */

static void keep_header(struct comb_attempt *way, bool trailing, const char *key, const void *value,
                        size_t length)
{
    struct comb_call_header *header = grpcc_arena_zalloc(way->scratch, sizeof(*header));
    if (!header)
        return;
    *header = (struct comb_call_header){
        .trailing = trailing,
        .key = grpcc_arena_strdup(way->scratch, key),
        .value = grpcc_arena_memdup(way->scratch, value, length),
        .length = length,
    };
    if (!header->key || !header->value)
        return;
    *way->headers_end = header;
    way->headers_end = &header->next;
}

static void on_metadata(void *data, bool trailing, const char *key, const void *value,
                        size_t length)
{
    struct comb_attempt *way = data;
    if (strcmp(key, "comb-token") == 0)
        (void)comb_seen_add(&way->call->client->seen, value, length);
    if (way->call->options.on_metadata)
        keep_header(way, trailing, key, value, length);
}

/* ---- the end ---- */

/* A server has decided, and another one would say the same. */
static bool is_answer(enum grpcc_status status)
{
    switch (status) {
    case GRPCC_UNAVAILABLE:
    case GRPCC_RESOURCE_EXHAUSTED:
    case GRPCC_ABORTED:
    case GRPCC_CANCELLED:
    case GRPCC_DEADLINE_EXCEEDED:
        return false;
    default:
        return true;
    }
}

/* What a hedge brought lies in its own arena. */
static void copy_from_hedge(struct comb_call *call)
{
    if (call->status == GRPCC_OK) {
        call->response = grpcc_message_dup(call->arena, call->response);
        if (!call->response)
            call->status = comb_error_memory(&call->err);
    } else if (call->err.details) {
        call->err.details = grpcc_message_dup(call->arena, (const void *)call->err.details);
    }
}

/* All ways have ended: the one that counts is the first that was answered. */
static void settle(struct comb_call *call)
{
    struct comb_attempt *decisive = &call->ways[COMB_FIRST];
    struct comb_attempt *hedge = &call->ways[COMB_HEDGE];
    if (hedge->replica && !hedge->lost && is_answer(hedge->status) &&
        (decisive->lost || !is_answer(decisive->status)))
        decisive = hedge;
    call->decisive = decisive;
    call->status = decisive->status;
    call->response = decisive->response;
    call->err = decisive->err;
    if (decisive != hedge)
        return;
    atomic_fetch_add(&call->client->counters.hedges_won, 1);
    copy_from_hedge(call);
}

static void way_ended(void *data, enum grpcc_status status, void *response,
                      const struct grpcc_error *err)
{
    struct comb_attempt *way = data;
    struct comb_call *call = way->call;
    struct comb_attempt *other = &call->ways[way == &call->ways[COMB_FIRST]];
    way->took_ns = comb_now_ns() - way->begin_ns;
    way->status = status;
    way->response = response;
    way->err = *err;
    if (way->replica)
        atomic_fetch_sub(&way->replica->in_flight, 1);
    pthread_mutex_lock(&call->lock);
    struct grpcc_client_call *handle = way->handle;
    way->handle = NULL;
    way->running = false;
    if (is_answer(status)) {
        way->silent = false;
        other->lost = other->running;
        if (other->running && other->handle)
            grpcc_client_call_cancel(other->handle);
    }
    bool last = --call->n_running == 0;
    if (last)
        settle(call);
    bool go_on = last && call->attempt_done;
    if (last && !go_on)
        pthread_cond_broadcast(&call->changed);
    pthread_mutex_unlock(&call->lock);
    grpcc_client_call_free(handle);
    if (go_on)
        call->attempt_done(call);
    comb_call_unref(call);
}

static void way_fails(struct comb_attempt *way, const struct grpcc_error *err)
{
    comb_call_ref(way->call);
    if (way->replica)
        atomic_fetch_add(&way->replica->in_flight, 1);
    way_ended(way, err->status, NULL, err);
}

void comb_call_cancel_locked(struct comb_call *call)
{
    call->cancelled = true;
    for (size_t i = 0; i < COMB_WAYS; i++)
        if (call->ways[i].handle)
            grpcc_client_call_cancel(call->ways[i].handle);
    pthread_cond_broadcast(&call->changed);
}

static void way_done(struct comb_attempt *way)
{
    comb_replica_unref(way->replica);
    grpcc_arena_free(way->scratch);
    memset(way, 0, sizeof(*way));
}

void comb_call_ways_done(struct comb_call *call)
{
    pthread_mutex_lock(&call->lock);
    for (size_t i = 0; i < COMB_WAYS; i++)
        way_done(&call->ways[i]);
    pthread_mutex_unlock(&call->lock);
}

/* ---- the begin ---- */

/* The request of the program, or a shallow copy with the id in it that the program left out. */
static const ProtobufCMessage *request_of(struct comb_call *call, struct grpcc_arena *scratch)
{
    size_t offset = call->rule.request_id_offset;
    if (!offset)
        return call->request;
    const char *given = *(char *const *)((const char *)call->request + offset);
    if (given && *given) {
        snprintf(call->request_id, sizeof(call->request_id), "%s", given);
        return call->request;
    }
    if (!*call->request_id)
        comb_id_new(call->request_id);
    ProtobufCMessage *copy =
        grpcc_arena_memdup(scratch, call->request, call->method->request->sizeof_message);
    if (copy)
        *(char **)((char *)copy + offset) = call->request_id;
    return copy;
}

/* Of the call; of what the program wants to wait for a server where there is none. */
static int64_t remaining_ms(const struct comb_call *call)
{
    int64_t until_ns = call->deadline_ns, unreachable_ns = call->client->unreachable_ns;
    if (call->wait_for_connection && call->unconnected_only && unreachable_ns != INT64_MAX &&
        call->begin_ns + unreachable_ns < until_ns)
        until_ns = call->begin_ns + unreachable_ns;
    if (until_ns == INT64_MAX)
        return 0;
    int64_t left_ns = until_ns - comb_now_ns();
    return left_ns > 0 ? (left_ns + COMB_NS_PER_MS - 1) / COMB_NS_PER_MS : 1;
}

/* Remembers the handle for those who end the way, unless it has ended already, and may be on
 * another attempt. */
static void keep_handle(struct comb_call *call, struct comb_attempt *way, unsigned serial,
                        struct grpcc_client_call *handle)
{
    pthread_mutex_lock(&call->lock);
    if (way->running && way->serial == serial) {
        way->handle = handle;
        if (call->cancelled || way->lost)
            grpcc_client_call_cancel(handle);
        else if (way->silent)
            grpcc_client_call_break(handle, "the replica does not answer");
        handle = NULL;
    }
    pthread_mutex_unlock(&call->lock);
    grpcc_client_call_free(handle);
}

/* Sends the request with these headers; see send(). */
static void start(struct comb_attempt *way, const ProtobufCMessage *request,
                  const struct comb_headers *headers, struct grpcc_arena *arena)
{
    struct comb_call *call = way->call;
    struct grpcc_client_call *handle = NULL;
    unsigned serial = way->serial;
    way->generation = headers->generation;
    struct grpcc_call_options options = call->options;
    options.metadata = headers->items;
    options.n_metadata = headers->n;
    options.timeout_ms = remaining_ms(call);
    options.wait_for_ready |= call->wait_for_connection;
    options.on_metadata = on_metadata;
    options.on_metadata_data = way;
    options.on_end = NULL;
    atomic_fetch_add(&way->replica->in_flight, 1);
    atomic_fetch_add(&way->replica->n_attempts, 1);
    atomic_fetch_add_explicit(&call->client->counters.attempts, 1, memory_order_relaxed);
    comb_call_ref(call);
    grpcc_unary_start(way->replica->channel, call->method, arena, &options, request, way_ended, way,
                      &handle);
    if (handle)
        keep_handle(call, way, serial, handle);
}

/* Sends the request; way->replica is set, and way->running. The caller holds a reference to the
 * call. The way may end before this returns, and be used again: the headers, whose secret is wiped
 * afterwards, lie in an arena of their own. */
static void send(struct comb_attempt *way, struct grpcc_arena *arena)
{
    struct comb_call *call = way->call;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_headers headers = {0};
    struct grpcc_arena *own = grpcc_arena_new(SCRATCH_BYTES_MAX);
    const ProtobufCMessage *request = own ? request_of(call, own) : NULL;
    if (!request) {
        comb_error_memory(&err);
        way_fails(way, &err);
    } else if (comb_headers_make(call->client, &call->rule,
                                 *call->request_id ? call->request_id : NULL, way->serial > 1,
                                 &call->options, own, &headers, &err)) {
        way_fails(way, &err);
    } else {
        start(way, request, &headers, arena);
    }
    comb_headers_wipe(&headers);
    grpcc_arena_free(own);
}

/* False: the call was cancelled. */
static bool begin_running(struct comb_call *call, int64_t hedge_ns)
{
    pthread_mutex_lock(&call->lock);
    call->ways[COMB_FIRST].running = true;
    call->ways[COMB_FIRST].serial = ++call->serial;
    call->n_running = 1;
    call->hedge_ns = hedge_ns;
    bool cancelled = call->cancelled;
    pthread_mutex_unlock(&call->lock);
    return !cancelled;
}

static bool way_init(struct comb_call *call, struct comb_attempt *way, size_t scratch_max)
{
    way->call = call;
    way->headers_end = &way->headers;
    way->begin_ns = comb_now_ns();
    way->scratch = grpcc_arena_new(scratch_max);
    return way->scratch != NULL;
}

void comb_call_attempt(struct comb_call *call)
{
    struct comb_attempt *way = &call->ways[COMB_FIRST];
    struct comb_client *client = call->client;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    int64_t hedge_ns = 0;
    comb_call_ways_done(call);
    bool good = way_init(call, way, SCRATCH_BYTES_MAX);
    if (good && call->rule.repetition == COMB_V1_REPETITION_READ)
        hedge_ns = comb_hedging_delay_ns(client);
    if (hedge_ns)
        hedge_ns += way->begin_ns;
    way->replica = comb_replicas_pick(client, call->tried);
    if (!begin_running(call, hedge_ns)) {
        grpcc_error_set(&err, GRPCC_CANCELLED, "cancelled");
        way_fails(way, &err);
    } else if (!good || !way->replica) {
        comb_error_memory(&err);
        way_fails(way, &err);
    } else {
        /* The callback form may end, and be freed, before _start returns. */
        comb_call_ref(call);
        if (hedge_ns)
            comb_keeper_expect(client, hedge_ns);
        send(way, call->arena);
        comb_call_unref(call);
    }
}

/* ---- the keeper's look ---- */

/* The second way; the caller's reference to the call goes. */
static void hedge(struct comb_call *call)
{
    struct comb_attempt *way = &call->ways[COMB_HEDGE];
    struct comb_client *client = call->client;
    pthread_mutex_lock(&call->lock);
    struct comb_attempt *first = &call->ways[COMB_FIRST];
    bool wanted = first->running && first->replica && !call->cancelled && !way->running &&
                  comb_replicas_has_other(client, first->replica) && comb_hedging_take(client) &&
                  way_init(call, way, 0);
    if (wanted)
        way->replica = comb_replicas_pick(client, UINT64_C(1) << first->replica->slot);
    wanted = wanted && way->replica;
    if (wanted) {
        way->running = true;
        way->serial = ++call->serial;
        call->n_running++;
    }
    pthread_mutex_unlock(&call->lock);
    if (wanted) {
        atomic_fetch_add(&client->counters.hedges, 1);
        send(way, way->scratch);
    }
    comb_call_unref(call);
}

/* False: it is being freed. */
static bool try_ref(struct comb_call *call)
{
    unsigned refs = atomic_load(&call->refs);
    while (refs > 0)
        if (atomic_compare_exchange_weak(&call->refs, &refs, refs + 1))
            return true;
    return false;
}

/* Whether its replica is to be asked: an attempt waits for long, and it was not asked lately. */
static bool is_suspect_locked(struct comb_client *client, struct comb_call *call, int64_t now_ns,
                              struct comb_replica **ret_replica)
{
    for (size_t i = 0; i < COMB_WAYS; i++) {
        struct comb_attempt *way = &call->ways[i];
        struct comb_replica *replica = way->running ? way->replica : NULL;
        if (!replica || way->begin_ns + comb_silence_suspect_ns(client) > now_ns ||
            atomic_load(&replica->asked_ns) + client->silence_ns > now_ns ||
            atomic_exchange(&replica->suspect, true))
            continue;
        *ret_replica = comb_replica_ref(replica);
        return true;
    }
    return false;
}

/* The call's lock is held. */
static bool is_hedge_due_locked(struct comb_call *call, int64_t now_ns, int64_t *next_ns)
{
    if (!call->hedge_ns || !call->ways[COMB_FIRST].running)
        return false;
    if (call->hedge_ns > now_ns) {
        *next_ns = call->hedge_ns < *next_ns ? call->hedge_ns : *next_ns;
        return false;
    }
    call->hedge_ns = 0;
    return true;
}

int64_t comb_calls_look(struct comb_client *client, int64_t now_ns)
{
    struct comb_replica *suspects[COMB_REPLICAS_MAX];
    struct comb_call *due[HEDGES_AT_ONCE];
    size_t n_suspects = 0, n_due = 0;
    int64_t next_ns = INT64_MAX;
    bool alone = comb_replicas_count(client) < 2;
    pthread_mutex_lock(&client->lock);
    for (struct comb_call *call = alone ? NULL : client->calls; call; call = call->next) {
        pthread_mutex_lock(&call->lock);
        if (n_suspects < COMB_REPLICAS_MAX &&
            is_suspect_locked(client, call, now_ns, &suspects[n_suspects]))
            n_suspects++;
        if (n_due == HEDGES_AT_ONCE)
            next_ns = now_ns;
        else if (is_hedge_due_locked(call, now_ns, &next_ns) && try_ref(call))
            due[n_due++] = call;
        pthread_mutex_unlock(&call->lock);
    }
    pthread_mutex_unlock(&client->lock);
    while (n_suspects > 0) {
        struct comb_replica *replica = suspects[--n_suspects];
        comb_replica_ask(client, replica);
        comb_replica_unref(replica);
    }
    while (n_due > 0)
        hedge(due[--n_due]);
    return next_ns;
}

void comb_calls_leave(struct comb_client *client, const struct comb_replica *replica)
{
    if (!comb_replicas_has_other(client, replica))
        return;
    pthread_mutex_lock(&client->lock);
    for (struct comb_call *call = client->calls; call; call = call->next) {
        pthread_mutex_lock(&call->lock);
        for (size_t i = 0; i < COMB_WAYS; i++) {
            struct comb_attempt *way = &call->ways[i];
            if (!way->running || way->replica != replica || way->silent ||
                !comb_call_may_repeat(call))
                continue;
            way->silent = true;
            atomic_fetch_add(&client->counters.silences, 1);
            if (way->handle)
                grpcc_client_call_break(way->handle, "the replica does not answer");
        }
        pthread_mutex_unlock(&call->lock);
    }
    pthread_mutex_unlock(&client->lock);
}
