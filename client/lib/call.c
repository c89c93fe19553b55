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
enum { KEPT_BYTES_MAX = 64 << 20, SCRATCH_BYTES_MAX = 1 << 20 };

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
    grpcc_arena_free(call->kept);
    grpcc_arena_free(call->scratch);
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
    call->deadline_ns =
        is_forever(timeout_ms) ? INT64_MAX : comb_now_ns() + timeout_ms * COMB_NS_PER_MS;
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
    call->retry.n_replicas = client->n_replicas;
    call->retry.attempts_max = client->attempts_max;
    set_options(call, options);
    pthread_mutex_init(&call->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&call->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    call->scratch = grpcc_arena_new(SCRATCH_BYTES_MAX);
    if (!call->scratch || (keep && !keep_all(call))) {
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
    call->cancelled = true;
    if (call->attempt)
        grpcc_client_call_cancel(call->attempt);
    pthread_cond_broadcast(&call->changed);
    pthread_mutex_unlock(&call->lock);
}

void comb_calls_cancel_locked(struct comb_client *client)
{
    for (struct comb_call *call = client->calls; call; call = call->next)
        comb_call_cancel(call);
}

/* ---- one attempt ---- */

static void keep_header(struct comb_call *call, bool trailing, const char *key, const void *value,
                        size_t length)
{
    struct comb_call_header *header = grpcc_arena_zalloc(call->scratch, sizeof(*header));
    if (!header)
        return;
    *header = (struct comb_call_header){
        .trailing = trailing,
        .key = grpcc_arena_strdup(call->scratch, key),
        .value = grpcc_arena_memdup(call->scratch, value, length),
        .length = length,
    };
    if (!header->key || !header->value)
        return;
    *call->headers_end = header;
    call->headers_end = &header->next;
}

static void on_metadata(void *data, bool trailing, const char *key, const void *value,
                        size_t length)
{
    struct comb_call *call = data;
    if (strcmp(key, "comb-token") == 0)
        (void)comb_seen_add(&call->client->seen, value, length);
    if (call->options.on_metadata)
        keep_header(call, trailing, key, value, length);
}

static void attempt_ended(void *data, enum grpcc_status status, void *response,
                          const struct grpcc_error *err)
{
    struct comb_call *call = data;
    pthread_mutex_lock(&call->lock);
    struct grpcc_client_call *attempt = call->attempt;
    call->attempt = NULL;
    call->status = status;
    call->response = response;
    call->err = *err;
    call->running = false;
    bool go_on = call->attempt_done != NULL;
    if (!go_on)
        pthread_cond_broadcast(&call->changed);
    pthread_mutex_unlock(&call->lock);
    grpcc_client_call_free(attempt);
    if (go_on)
        call->attempt_done(call);
    comb_call_unref(call);
}

static void attempt_fails(struct comb_call *call, const struct grpcc_error *err)
{
    attempt_ended(comb_call_ref(call), err->status, NULL, err);
}

/* The request of the program, or a shallow copy with the id in it that the program left out. */
static const ProtobufCMessage *request_of(struct comb_call *call)
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
        grpcc_arena_memdup(call->scratch, call->request, call->method->request->sizeof_message);
    if (copy)
        *(char **)((char *)copy + offset) = call->request_id;
    return copy;
}

static int64_t remaining_ms(const struct comb_call *call)
{
    if (call->deadline_ns == INT64_MAX)
        return 0;
    int64_t left_ns = call->deadline_ns - comb_now_ns();
    return left_ns > 0 ? (left_ns + COMB_NS_PER_MS - 1) / COMB_NS_PER_MS : 1;
}

/* Remembers the attempt for _cancel, unless it has ended already. */
static void keep_attempt(struct comb_call *call, struct grpcc_client_call *attempt,
                         unsigned sequence)
{
    pthread_mutex_lock(&call->lock);
    if (call->running && call->sequence == sequence) {
        call->attempt = attempt;
        if (call->cancelled)
            grpcc_client_call_cancel(attempt);
        attempt = NULL;
    }
    pthread_mutex_unlock(&call->lock);
    grpcc_client_call_free(attempt);
}

static bool begin_running(struct comb_call *call, unsigned *ret_sequence)
{
    pthread_mutex_lock(&call->lock);
    call->running = true;
    *ret_sequence = ++call->sequence;
    bool cancelled = call->cancelled;
    pthread_mutex_unlock(&call->lock);
    return !cancelled;
}

void comb_call_attempt(struct comb_call *call)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_headers headers = {0};
    unsigned sequence = 0;
    grpcc_arena_reset(call->scratch);
    call->headers = NULL;
    call->headers_end = &call->headers;
    if (!begin_running(call, &sequence)) {
        grpcc_error_set(&err, GRPCC_CANCELLED, "cancelled");
        attempt_fails(call, &err);
        return;
    }
    const ProtobufCMessage *request = request_of(call);
    call->replica = comb_replica_pick(call->client, call->tried);
    if (!request || !call->replica) {
        comb_error_memory(&err);
        attempt_fails(call, &err);
        return;
    }
    if (comb_headers_make(call->client, &call->rule, *call->request_id ? call->request_id : NULL,
                          &call->options, call->scratch, &headers, &err)) {
        attempt_fails(call, &err);
        return;
    }
    call->generation = headers.generation;
    struct grpcc_call_options options = call->options;
    struct grpcc_client_call *attempt = NULL;
    options.metadata = headers.items;
    options.n_metadata = headers.n;
    options.timeout_ms = remaining_ms(call);
    options.wait_for_ready |= call->wait_for_connection;
    options.on_metadata = on_metadata;
    options.on_metadata_data = call;
    options.on_end = NULL;
    comb_call_ref(call);
    comb_call_ref(call); /* for keep_attempt: the callback form may end and be freed before it */
    grpcc_unary_start(call->replica->channel, call->method, call->arena, &options, request,
                      attempt_ended, call, &attempt);
    comb_headers_wipe(&headers);
    if (attempt)
        keep_attempt(call, attempt, sequence);
    comb_call_unref(call);
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

/* Nobody here cancelled it: core answers so to calls that reach it while it shuts down. That is a
 * connection that broke. */
static bool is_cut_off(struct comb_call *call)
{
    pthread_mutex_lock(&call->lock);
    bool cancelled = call->cancelled;
    pthread_mutex_unlock(&call->lock);
    return call->status == GRPCC_CANCELLED && !cancelled && !call->options.parent;
}

struct comb_retry_verdict comb_call_judge(struct comb_call *call)
{
    struct comb_client *client = call->client;
    if (is_cut_off(call))
        call->status = call->err.status = GRPCC_UNAVAILABLE;
    bool expired = call->status == GRPCC_UNAUTHENTICATED && !call->rule.open &&
                   comb_session_can_refresh(&client->session) &&
                   comb_error_has_reason(&call->err, COMB_V1_ERROR_REASON_TOKEN_EXPIRED);
    note_failure(call);
    struct comb_retry_verdict verdict =
        comb_retry_judge(&call->retry, call->status, &call->err, expired, comb_random32());
    if (verdict.replica_failed || call->status == GRPCC_OK)
        comb_replica_note(call->replica, call->status == GRPCC_OK);
    if (call->status == GRPCC_OK)
        give_to_budget(client);
    if (verdict.charge && !take_from_budget(client))
        verdict.kind = COMB_RETRY_FINISH;
    call->tried |= UINT64_C(1) << (call->replica ? call->replica - client->replicas : 0);
    if (verdict.new_round || verdict.kind == COMB_RETRY_REFRESH)
        call->tried = 0;
    call->wait_for_connection = verdict.wait_for_connection;
    if (verdict.kind == COMB_RETRY_AGAIN && call->deadline_ns != INT64_MAX &&
        comb_now_ns() + verdict.wait_ms * COMB_NS_PER_MS >= call->deadline_ns)
        verdict.kind = COMB_RETRY_FINISH;
    return verdict;
}

void comb_call_fail(struct comb_call *call, enum grpcc_status status, const struct grpcc_error *err)
{
    call->status = status;
    call->err = *err;
}

/* Whoever reads the error should learn why nobody answered, not only that time is over. */
static void word_error(struct comb_call *call)
{
    struct comb_replica *replica = call->replica;
    if (!*call->cause || !replica ||
        (call->status != GRPCC_UNAVAILABLE && call->status != GRPCC_DEADLINE_EXCEEDED))
        return;
    enum grpcc_status status = call->unconnected_only ? GRPCC_UNAVAILABLE : call->status;
    int64_t pushback_ms = call->err.pushback_ms;
    const struct google_rpc_status *details = call->err.details;
    if (call->unconnected_only)
        grpcc_error_set(&call->err, status, "%s%s cannot be reached (%s)",
                        call->client->n_replicas > 1 ? "none of the replicas, such as " : "",
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
    for (struct comb_call_header *header = call->headers; header; header = header->next)
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
    while (call->running)
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
            comb_session_refresh(client, call->generation, comb_call_refresh_deadline(call),
                                 &own)) {
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
