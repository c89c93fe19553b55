/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "comb/v1/errors.grpcc.h"

/* A refresh takes at most so long of a call's time. */
enum { REFRESH_MS_MAX = 10000 };
enum { BUDGET_ATTEMPT = 1000, BUDGET_SUCCESS = 100 };
enum { KEPT_BYTES_MAX = 64 << 20 };

/* ---- life ---- */

static void list_add(struct comb_client *client, struct comb_call *call)
{
    pthread_mutex_lock(&client->lock);
    call->cancelled = client->closed;
    call->next = client->calls;
    call->link = &client->calls;
    if (call->next)
        call->next->link = &call->next;
    client->calls = call;
    pthread_mutex_unlock(&client->lock);
}

/* A call that failed before it was added is not in the list. */
static void list_remove(struct comb_client *client, struct comb_call *call)
{
    pthread_mutex_lock(&client->lock);
    if (call->link)
        *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    pthread_mutex_unlock(&client->lock);
}

struct comb_call *comb_call_ref(struct comb_call *call)
{
    atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
    return call;
}

void comb_call_unref(struct comb_call *call)
{
    if (!call || atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct comb_client *client = call->client;
    list_remove(client, call);
    comb_keeper_leave(client);
    comb_call_ways_done(call);
    grpcc_arena_free(call->kept);
    pthread_cond_destroy(&call->changed);
    pthread_mutex_destroy(&call->lock);
    free(call);
    comb_client_unref(client);
}

static bool copy_metadata(struct comb_call *call)
{
    struct grpcc_metadata *items =
        grpcc_arena_calloc(call->kept, call->options.n_metadata, sizeof(*items));
    if (!items)
        return false;
    for (size_t i = 0; i < call->options.n_metadata; i++) {
        const struct grpcc_metadata *from = &call->options.metadata[i];
        items[i].key = grpcc_arena_strdup(call->kept, from->key);
        items[i].value = grpcc_arena_memdup(call->kept, from->value, from->length);
        items[i].length = from->length;
        if (!items[i].key || !items[i].value)
            return false;
    }
    call->options.metadata = items;
    return true;
}

/* The program may forget what it gave as soon as the call has begun. */
static bool keep_all(struct comb_call *call)
{
    call->kept = grpcc_arena_new(KEPT_BYTES_MAX);
    if (!call->kept || !copy_metadata(call))
        return false;
    call->request = grpcc_message_dup(call->kept, call->request);
    return call->request != NULL;
}

static bool is_forever(int64_t timeout_ms)
{
    return timeout_ms > INT64_MAX / COMB_NS_PER_MS / 2;
}

static void set_options(struct comb_call *call, const struct grpcc_call_options *options)
{
    comb_options_copy(&call->options, sizeof(call->options), options);
    int64_t timeout_ms =
        call->options.timeout_ms > 0 ? call->options.timeout_ms : call->client->timeout_ms;
    call->begin_ns = comb_now_ns();
    call->deadline_ns =
        is_forever(timeout_ms) ? INT64_MAX : call->begin_ns + timeout_ms * COMB_NS_PER_MS;
}

struct comb_call *comb_call_new(struct comb_client *client, const struct grpcc_method *method,
                                struct grpcc_arena *arena, const struct grpcc_call_options *options,
                                const ProtobufCMessage *request, bool keep, struct grpcc_error *err)
{
    pthread_condattr_t monotonic;
    struct comb_call *call = calloc(1, sizeof(*call));
    if (!call) {
        comb_error_memory(err);
        return NULL;
    }
    atomic_store(&call->refs, 1);
    call->client = comb_client_ref(client);
    call->method = method;
    call->arena = arena;
    call->request = request;
    call->rule = comb_rule_of(client, method);
    call->unconnected_only = true;
    call->retry.repetition = call->rule.repetition;
    call->retry.attempts_max = client->attempts_max;
    set_options(call, options);
    pthread_mutex_init(&call->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&call->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    comb_keeper_enter(client);
    atomic_fetch_add_explicit(&client->counters.calls, 1, memory_order_relaxed);
    if (keep && !keep_all(call)) {
        comb_error_memory(err);
        comb_call_unref(call);
        return NULL;
    }
    list_add(client, call);
    return call;
}

void comb_call_cancel(struct comb_call *call)
{
    pthread_mutex_lock(&call->lock);
    comb_call_cancel_locked(call);
    pthread_mutex_unlock(&call->lock);
}

void comb_calls_cancel_locked(struct comb_client *client)
{
    for (struct comb_call *call = client->calls; call; call = call->next)
        comb_call_cancel(call);
}

/* ---- after it ---- */

static void note_failure(struct comb_call *call)
{
    if (comb_retry_is_unconnected(call->status, &call->err))
        snprintf(call->cause, sizeof(call->cause), "%.255s", call->err.message);
    else if (call->status &&
             !(call->wait_for_connection && call->status == GRPCC_DEADLINE_EXCEEDED))
        call->unconnected_only = false;
}

static bool take_from_budget(struct comb_client *client)
{
    int left = atomic_fetch_sub(&client->budget, BUDGET_ATTEMPT) - BUDGET_ATTEMPT;
    if (left >= 0)
        return true;
    atomic_fetch_add(&client->budget, BUDGET_ATTEMPT);
    return false;
}

static void give_to_budget(struct comb_client *client)
{
    int now = atomic_load_explicit(&client->budget, memory_order_relaxed);
    if (now < client->budget_max)
        atomic_fetch_add(&client->budget, BUDGET_SUCCESS);
}

/* Nobody here cancelled it. */
static bool is_cut_off(struct comb_call *call)
{
    pthread_mutex_lock(&call->lock);
    bool cancelled = call->cancelled;
    pthread_mutex_unlock(&call->lock);
    return call->status == GRPCC_CANCELLED && !cancelled && !call->options.parent;
}

/* What the ways of the attempt say of their replicas. */
static void note_replicas(struct comb_call *call, const struct comb_retry_verdict *verdict)
{
    for (size_t i = 0; i < COMB_WAYS; i++) {
        struct comb_attempt *way = &call->ways[i];
        bool decisive = way == call->decisive;
        if (!way->replica || way->silent || way->lost)
            continue;
        if (way->status == GRPCC_OK)
            comb_replica_works(way->replica, way->took_ns);
        else if (decisive ? verdict->replica_failed : way->status == GRPCC_UNAVAILABLE)
            comb_replica_fails(call->client, way->replica);
        call->tried |= UINT64_C(1) << way->replica->slot;
    }
    if (call->decisive && call->decisive->silent)
        call->tried |= UINT64_C(1) << call->decisive->replica->slot;
}

/* No server could be reached, for as long as the program wants to wait for one. */
static bool is_unreachable(const struct comb_call *call, int64_t at_ns)
{
    return call->unconnected_only && call->client->unreachable_ns != INT64_MAX &&
           at_ns >= call->begin_ns + call->client->unreachable_ns;
}

static void count(struct comb_call *call, const struct comb_retry_verdict *verdict)
{
    struct comb_counters *counters = &call->client->counters;
    if (verdict->kind == COMB_RETRY_AGAIN)
        atomic_fetch_add_explicit(&counters->retries, 1, memory_order_relaxed);
    if (verdict->kind == COMB_RETRY_REFRESH)
        atomic_fetch_add_explicit(&counters->refreshes, 1, memory_order_relaxed);
    if (call->status)
        return;
    give_to_budget(call->client);
    if (call->rule.repetition == COMB_V1_REPETITION_READ)
        comb_hedging_note(call->client, call->decisive->took_ns);
}

struct comb_retry_verdict comb_call_judge(struct comb_call *call)
{
    struct comb_client *client = call->client;
    bool silent = call->decisive && call->decisive->silent;
    if (is_cut_off(call)) {
        comb_retry_take_for_unavailable(&call->err);
        call->status = call->err.status;
    }
    bool expired = call->status == GRPCC_UNAUTHENTICATED && !call->rule.open &&
                   comb_session_can_refresh(&client->session) &&
                   comb_error_has_reason(&call->err, COMB_V1_ERROR_REASON_TOKEN_EXPIRED);
    note_failure(call);
    call->retry.n_replicas = comb_replicas_count(client);
    struct comb_retry_verdict verdict =
        comb_retry_judge(&call->retry, call->status, &call->err, expired, silent, comb_random32());
    note_replicas(call, &verdict);
    if (verdict.charge && !take_from_budget(client)) {
        verdict.kind = COMB_RETRY_FINISH;
        atomic_fetch_add(&client->counters.budget_empty, 1);
    }
    if (verdict.new_round || verdict.kind == COMB_RETRY_REFRESH)
        call->tried = 0;
    call->wait_for_connection = verdict.wait_for_connection;
    int64_t next_ns = comb_now_ns() + verdict.wait_ms * COMB_NS_PER_MS;
    if (verdict.kind == COMB_RETRY_AGAIN &&
        ((call->deadline_ns != INT64_MAX && next_ns >= call->deadline_ns) ||
         is_unreachable(call, next_ns)))
        verdict.kind = COMB_RETRY_FINISH;
    count(call, &verdict);
    return verdict;
}

void comb_call_fail(struct comb_call *call, enum grpcc_status status, const struct grpcc_error *err)
{
    call->status = status;
    call->err = *err;
}

/* Whoever reads the error should learn why nobody answered, not only that time is over. What a
 * server answered in the end says more. */
static void word_error(struct comb_call *call)
{
    struct comb_replica *replica = call->decisive ? call->decisive->replica : NULL;
    bool is_unanswered = call->status == GRPCC_DEADLINE_EXCEEDED ||
                         comb_retry_is_unconnected(call->status, &call->err);
    if (!*call->cause || !replica || !is_unanswered)
        return;
    enum grpcc_status status = call->unconnected_only ? GRPCC_UNAVAILABLE : call->status;
    int64_t pushback_ms = call->err.pushback_ms;
    const struct google_rpc_status *details = call->err.details;
    if (call->unconnected_only)
        grpcc_error_set(&call->err, status, "%s%s cannot be reached (%s)",
                        comb_replicas_count(call->client) > 1 ? "none of the replicas, such as "
                                                              : "",
                        replica->target, call->cause);
    else
        grpcc_error_set(&call->err, status, "no answer in time; last, %s: %s", replica->target,
                        call->cause);
    call->err.pushback_ms = pushback_ms;
    call->err.details = details;
    call->status = status;
}

void comb_call_conclude(struct comb_call *call)
{
    if (call->status)
        word_error(call);
    struct comb_call_header *header = call->decisive ? call->decisive->headers : NULL;
    for (; header; header = header->next)
        call->options.on_metadata(call->options.on_metadata_data, header->trailing, header->key,
                                  header->value, header->length);
    if (call->options.on_end)
        call->options.on_end(call->options.on_metadata_data, call->status);
}

/* ---- the blocking driver ---- */

static struct timespec timespec_of(int64_t time_ns)
{
    return (struct timespec){.tv_sec = (time_t)(time_ns / COMB_NS_PER_S),
                             .tv_nsec = (long)(time_ns % COMB_NS_PER_S)};
}

static void wait_for_attempt(struct comb_call *call)
{
    pthread_mutex_lock(&call->lock);
    while (call->n_running > 0)
        pthread_cond_wait(&call->changed, &call->lock);
    pthread_mutex_unlock(&call->lock);
}

/* Or until the call is cancelled. */
static void wait_ms(struct comb_call *call, int64_t ms)
{
    struct timespec until = timespec_of(comb_now_ns() + ms * COMB_NS_PER_MS);
    pthread_mutex_lock(&call->lock);
    while (!call->cancelled &&
           pthread_cond_timedwait(&call->changed, &call->lock, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&call->lock);
}

int64_t comb_call_refresh_deadline(const struct comb_call *call)
{
    int64_t limit = comb_now_ns() + REFRESH_MS_MAX * COMB_NS_PER_MS;
    return limit < call->deadline_ns ? limit : call->deadline_ns;
}

enum grpcc_status comb_call_unary(void *self, const struct grpcc_method *method,
                                  struct grpcc_arena *arena,
                                  const struct grpcc_call_options *options,
                                  const ProtobufCMessage *request, void **ret_response,
                                  struct grpcc_error *err)
{
    struct comb_client *client = self;
    struct grpcc_error own = GRPCC_ERROR_INIT;
    struct comb_retry_verdict verdict = {.kind = COMB_RETRY_AGAIN};
    unsigned generation = 0;
    if (comb_client_check(client, err))
        return GRPCC_FAILED_PRECONDITION;
    struct comb_call *call = comb_call_new(client, method, arena, options, request, false, &own);
    if (!call) {
        if (err)
            *err = own;
        return own.status;
    }
    /* Ahead of time; where it fails the old token is still good, or the answer will say. */
    if (!call->rule.open && comb_session_is_stale(&client->session, &generation))
        (void)!comb_session_refresh(client, generation, comb_call_refresh_deadline(call), NULL);
    while (verdict.kind != COMB_RETRY_FINISH) {
        if (verdict.kind == COMB_RETRY_REFRESH &&
            comb_session_refresh(client, call->decisive->generation,
                                 comb_call_refresh_deadline(call), &own)) {
            comb_call_fail(call, own.status, &own);
            break;
        }
        if (verdict.wait_ms > 0)
            wait_ms(call, verdict.wait_ms);
        comb_call_attempt(call);
        wait_for_attempt(call);
        verdict = comb_call_judge(call);
    }
    comb_call_conclude(call);
    enum grpcc_status status = call->status;
    if (status && err)
        *err = call->err;
    if (!status)
        *ret_response = call->response;
    comb_call_unref(call);
    return status;
}
