/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a server call: from a posted slot over interceptors and handler to the free list. */
#include "gen/runtime/src/server/call.h"

#include <string.h>

#include "gen/runtime/src/core/compression.h"
#include "gen/runtime/src/core/log.h"
#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/security/identity.h"
#include "gen/runtime/src/server/server.h"

/* When a shed call may be tried again: long enough for a queue of short calls to drain. */
enum { SHED_PUSHBACK_MS = 500 };

/* Between an interceptor's GRPCC_DEFER and what follows it. Either side may come first. */
enum parking { NOT_PARKED = 0, PARKED = 1, RESUMED = 2 };

typedef void (*unary_handler)(void *self, struct grpcc_call *call, const void *request);
typedef void (*stream_handler)(void *self, struct grpcc_call *call);

/* ---- memory ---- */

static struct grpcc_call *call_new(struct grpcc_server *server)
{
    struct grpcc_call *call = grpcc_memory_zalloc(sizeof(*call));
    if (!call)
        return NULL;
    call->server = server;
    grpc_metadata_array_init(&call->metadata);
    pthread_mutex_init(&call->lock, NULL);
    call->on_close.run = grpcc_call_on_close;
    call->on_read.run = grpcc_call_on_read;
    call->on_send.run = grpcc_call_on_send;
    call->on_end.run = grpcc_call_on_end;
    return call;
}

static void call_free(struct grpcc_call *call)
{
    grpc_metadata_array_destroy(&call->metadata);
    pthread_mutex_destroy(&call->lock);
    grpcc_memory_free(call);
}

struct grpcc_call *grpcc_call_take(struct grpcc_server *server)
{
    struct grpcc_arena *arena = NULL;
    pthread_mutex_lock(&server->lock);
    struct grpcc_call *call = server->free_calls;
    if (call)
        server->free_calls = call->next;
    if (server->n_free_arenas)
        arena = server->free_arenas[--server->n_free_arenas];
    server->n_alive++;
    pthread_mutex_unlock(&server->lock);
    if (!call)
        call = call_new(server);
    if (!arena)
        arena = grpcc_arena_new(server->options.call_arena_max);
    if (call && arena) {
        call->next = NULL;
        call->arena = arena;
        return call;
    }
    grpcc_arena_free(arena);
    if (call)
        call_free(call);
    pthread_mutex_lock(&server->lock);
    server->n_alive--;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* What a call brought with it goes, what every call needs again stays. */
static void call_reset(struct grpcc_call *call)
{
    grpcc_call_drop_hooks(call);
    grpcc_call_context_done(&call->context);
    grpc_byte_buffer_destroy(call->payload);
    grpc_byte_buffer_destroy(call->received);
    grpc_byte_buffer_destroy(call->reply);
    if (call->core)
        grpc_call_unref(call->core);
    call->metadata.count = 0;
    size_t kept = offsetof(struct grpcc_call, next);
    memset((char *)call + kept, 0, sizeof(*call) - kept);
}

static void call_give_back(struct grpcc_call *call)
{
    struct grpcc_server *server = call->server;
    struct grpcc_arena *arena = call->arena;
    grpcc_arena_free(call->request_arena);
    grpcc_arena_reset(arena);
    call_reset(call);
    pthread_mutex_lock(&server->lock);
    if (server->n_free_arenas < sizeof(server->free_arenas) / sizeof(server->free_arenas[0])) {
        server->free_arenas[server->n_free_arenas++] = arena;
        arena = NULL;
    }
    call->next = server->free_calls;
    server->free_calls = call;
    server->n_alive--;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    grpcc_arena_free(arena);
}

void grpcc_calls_free(struct grpcc_server *server)
{
    while (server->free_calls) {
        struct grpcc_call *call = server->free_calls;
        server->free_calls = call->next;
        call_free(call);
    }
    while (server->n_free_arenas)
        grpcc_arena_free(server->free_arenas[--server->n_free_arenas]);
}

void grpcc_call_hold(struct grpcc_call *call)
{
    atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
}

void grpcc_call_release(struct grpcc_call *call)
{
    if (atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) == 1)
        call_give_back(call);
}

struct grpcc_call *grpcc_call_ref(struct grpcc_call *call)
{
    atomic_fetch_add_explicit(&call->refs_of_users, 1, memory_order_relaxed);
    grpcc_call_hold(call);
    return call;
}

void grpcc_call_unref(struct grpcc_call *call)
{
    if (!call)
        return;
    atomic_fetch_sub_explicit(&call->refs_of_users, 1, memory_order_release);
    grpcc_call_release(call);
}

/* ---- beginning ---- */

bool grpcc_call_is_stream(const struct grpcc_call *call)
{
    return call->method && call->method->descriptor->kind != GRPCC_UNARY;
}

bool grpcc_call_is_builtin(const struct grpcc_call *call)
{
    return call->method && call->method->builtin;
}

static bool takes_stream(const struct grpcc_call *call)
{
    return call->method && (call->method->descriptor->kind == GRPCC_CLIENT_STREAM ||
                            call->method->descriptor->kind == GRPCC_BIDI_STREAM);
}

void grpcc_call_adopt(struct grpcc_call *call, struct grpcc_slot *slot)
{
    grpc_metadata_array empty = call->metadata;
    call->metadata = slot->metadata;
    slot->metadata = empty;
    call->method = slot->method;
    call->core = slot->core;
    call->payload = slot->payload;
    slot->payload = NULL;
    grpcc_identity_filter(call);
    if (slot->method) {
        call->path = slot->method->descriptor->path;
        call->deadline_ns = grpcc_time_from_core(slot->deadline);
        return;
    }
    char *path =
        grpcc_arena_strndup(call->arena, (const char *)GRPC_SLICE_START_PTR(slot->details.method),
                            GRPC_SLICE_LENGTH(slot->details.method));
    call->path = path ? path : "";
    call->deadline_ns = grpcc_time_from_core(slot->details.deadline);
    grpc_call_details_destroy(&slot->details);
    grpc_call_details_init(&slot->details);
}

/* The method's own time limit, where it is shorter than the client's deadline: then it is true. */
static bool shorten_deadline(struct grpcc_call *call)
{
    unsigned timeout_ms = call->method ? call->method->config.timeout_max_ms : 0;
    if (!timeout_ms)
        return false;
    int64_t deadline_ns = call->started_ns + (int64_t)timeout_ms * GRPCC_NS_PER_MS;
    if (deadline_ns >= call->deadline_ns)
        return false;
    call->deadline_ns = deadline_ns;
    return true;
}

size_t grpcc_call_request_bytes_max(const struct grpcc_call *call)
{
    size_t own = call->method->config.request_bytes_max;
    return own ? own : call->server->options.request_bytes_max;
}

size_t grpcc_call_inflated_bytes_max(const struct grpcc_call *call)
{
    size_t own = call->method->config.request_bytes_max;
    return own ? own : call->server->options.inflated_bytes_max;
}

/* The list that the call is on while it is not over. */
static struct grpcc_call **calls_of(const struct grpcc_call *call)
{
    return grpcc_call_is_builtin(call) ? &call->server->builtin_calls : &call->server->calls;
}

/* False: as many calls as may be have begun before this one. */
static bool account_begin(struct grpcc_call *call)
{
    bool within = true;
    struct grpcc_server *server = call->server;
    atomic_fetch_add_explicit(&server->calls_started, 1, memory_order_relaxed);
    pthread_mutex_lock(&server->lock);
    struct grpcc_call **calls = calls_of(call);
    call->next = *calls;
    if (call->next)
        call->next->previous = call;
    *calls = call;
    if (!grpcc_call_is_builtin(call)) {
        within = server->n_in_flight++ < server->options.calls_max;
        if (atomic_load(&server->lame_duck))
            server->last_call_ns = call->started_ns;
    }
    pthread_mutex_unlock(&server->lock);
    return within;
}

static void unlink_locked(struct grpcc_call *call)
{
    if (call->previous)
        call->previous->next = call->next;
    else
        *calls_of(call) = call->next;
    if (call->next)
        call->next->previous = call->previous;
    call->next = NULL;
    call->previous = NULL;
}

void grpcc_call_refuse(struct grpcc_call *call, enum grpcc_refusal refusal,
                       enum grpcc_status status, const char *why)
{
    atomic_store_explicit(&call->refusal, refusal, memory_order_relaxed);
    grpcc_call_abort(call, status, why);
}

void grpcc_call_shed(struct grpcc_call *call, enum grpcc_refusal refusal)
{
    static const char *const why[GRPCC_REFUSALS] = {
        [GRPCC_REFUSED_QUEUE_FULL] = "too many calls wait for a worker",
        [GRPCC_REFUSED_QUEUE_AGE] = "the call waited too long for a worker",
        [GRPCC_REFUSED_CALLS_MAX] = "the server has too many calls",
    };
    bool aged = refusal == GRPCC_REFUSED_QUEUE_AGE;
    atomic_fetch_add_explicit(&call->server->calls_shed, 1, memory_order_relaxed);
    grpcc_call_set_pushback_ms(call, SHED_PUSHBACK_MS);
    grpcc_call_refuse(call, refusal, aged ? GRPCC_UNAVAILABLE : GRPCC_RESOURCE_EXHAUSTED,
                      why[refusal]);
    grpcc_call_release(call);
}

static void call_run(struct grpcc_call *call);

static void call_dispatch(struct grpcc_call *call, bool admitted)
{
    if (!call->method || call->method->config.mode != GRPCC_MODE_BLOCKING)
        call_run(call);
    else if (!grpcc_pool_submit(&call->server->pool, call, admitted))
        grpcc_call_shed(call, GRPCC_REFUSED_QUEUE_FULL);
}

void grpcc_call_begin(struct grpcc_call *call)
{
    struct grpcc_server *server = call->server;
    atomic_store(&call->refs, 3); /* the close, the end, and who runs it */
    atomic_store(&call->operations, 2);
    call->pushback_ms = -1;
    call->details_tail = &call->details;
    call->started_ns = grpcc_now_ns();
    bool shortened = shorten_deadline(call);
    size_t payload_bytes = call->payload ? grpc_byte_buffer_length(call->payload) : 0;
    if (call->payload)
        grpcc_tally_add(&call->received_tally, payload_bytes);
    bool within = account_begin(call);
    grpcc_observers_started(call);

    grpc_op close = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                     .data.recv_close_on_server.cancelled = &call->close_cancelled};
    grpcc_core_start(call->core, &close, 1, &call->on_close);

    if (atomic_load(&server->lame_duck) && !grpcc_call_is_builtin(call)) {
        grpcc_call_set_pushback_ms(call, 0);
        grpcc_call_refuse(call, GRPCC_REFUSED_DRAINING, GRPCC_UNAVAILABLE,
                          "the server is shutting down");
        grpcc_call_release(call);
        return;
    }
    if (!within) {
        grpcc_call_shed(call, GRPCC_REFUSED_CALLS_MAX);
        return;
    }
    if (call->payload && payload_bytes > grpcc_call_request_bytes_max(call)) {
        grpcc_call_refuse(call, GRPCC_REFUSED_SIZE, GRPCC_RESOURCE_EXHAUSTED,
                          "the request is larger than this method allows");
        grpcc_call_release(call);
        return;
    }
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (grpcc_identity_begin(call, &err)) {
        grpcc_call_refuse(call, GRPCC_REFUSED_IDENTITY, err.status, err.message);
        grpcc_call_release(call);
        return;
    }
    call->has_timer = shortened;
    call->timer_ns = call->deadline_ns;
    if (shortened && !grpcc_timers_add(&server->timers, call))
        grpcc_call_abort(call, GRPCC_RESOURCE_EXHAUSTED, "no memory for the call's time limit");
    call_dispatch(call, false);
}

/* ---- running ---- */

/* Nobody waits for the answer any more: the call is ended without being run. */
static bool end_if_dead(struct grpcc_call *call)
{
    if (grpcc_now_ns() >= call->deadline_ns)
        grpcc_call_refuse(call, GRPCC_REFUSED_DEAD, GRPCC_DEADLINE_EXCEEDED,
                          "the deadline passed before the call ran");
    else if (grpcc_call_is_cancelled(call))
        grpcc_call_refuse(call, GRPCC_REFUSED_DEAD, GRPCC_CANCELLED,
                          "cancelled before the call ran");
    return atomic_load(&call->ended);
}

/* A request from this size on has an arena of its own. */
enum { LARGE_REQUEST_BYTES = 64 << 10 };

static enum grpcc_status unpack_request(struct grpcc_call *call, void **ret_request,
                                        struct grpcc_error *err)
{
    const struct grpcc_server_options *options = &call->server->options;
    struct grpcc_arena *arena = call->arena;
    if (grpc_byte_buffer_length(call->payload) >= LARGE_REQUEST_BYTES) {
        arena = call->request_arena = grpcc_arena_new(options->call_arena_max);
        if (!arena)
            return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for the request");
    }
    return grpcc_buffer_unpack(call->payload, arena, call->method->descriptor->request,
                               &options->message_limits, ret_request, err);
}

/* Decodes the request, once. False: it could not be decoded, and the call has been ended. */
static bool decode_request(struct grpcc_call *call)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    void *request = NULL;
    if (!call->method || takes_stream(call) || call->request)
        return true;
    if (!call->payload) {
        grpcc_call_refuse(call, GRPCC_REFUSED_REQUEST, GRPCC_INVALID_ARGUMENT,
                          "the call has no request message");
        return false;
    }
    enum grpcc_status status = grpcc_call_inflate(call, &call->payload, &err);
    if (!status)
        status = unpack_request(call, &request, &err);
    grpc_byte_buffer_destroy(call->payload);
    call->payload = NULL;
    if (status) {
        grpcc_call_refuse(call, GRPCC_REFUSED_REQUEST, status, err.message);
        return false;
    }
    call->request = request;
    return true;
}

/* True: go on with the handler; false: the call has been ended, or is parked (*ret_parked). */
static bool run_interceptors(struct grpcc_call *call, bool *ret_parked)
{
    struct grpcc_server *server = call->server;
    while (call->next_interceptor < server->n_interceptors) {
        const struct grpcc_server_interceptor *interceptor =
            &server->interceptors[call->next_interceptor++];
        if (!interceptor->slots.begin)
            continue;
        atomic_store(&call->parking, NOT_PARKED);
        enum grpcc_verdict verdict = interceptor->slots.begin(interceptor->self, call);
        unsigned expected = NOT_PARKED;
        if (verdict == GRPCC_DEFER &&
            atomic_compare_exchange_strong(&call->parking, &expected, PARKED)) {
            *ret_parked = true;
            return false;
        }
        if (atomic_load(&call->ended))
            return false;
        if (verdict == GRPCC_ANSWERED) {
            grpcc_log(GRPCC_LOG_ERROR, "%s: an interceptor said ANSWERED and did not answer",
                      call->path);
            grpcc_call_abort(call, GRPCC_INTERNAL, "the call was not answered");
            return false;
        }
    }
    return true;
}

static void run_handler(struct grpcc_call *call)
{
    const struct grpcc_server_method *method = call->method;

    call->in_handler = true;
    if (!method || !method->handler) {
        grpcc_call_abort(call, GRPCC_UNIMPLEMENTED,
                         method ? "the server does not implement this method"
                                : "the server does not know this method");
        return;
    }
    if (takes_stream(call))
        ((stream_handler)method->handler)(method->self, call);
    else
        ((unary_handler)method->handler)(method->self, call, call->request);
}

/* A handler that has returned on a worker must have ended its call, or hold a reference to end it
 * later. */
static void check_ended(struct grpcc_call *call)
{
    if (atomic_load_explicit(&call->refs_of_users, memory_order_acquire) != 0)
        return;
    if (atomic_load(&call->ended))
        return;
    grpcc_log(GRPCC_LOG_ERROR, "%s: the handler returned without ending its call", call->path);
    grpcc_call_abort(call, GRPCC_INTERNAL, "the call was not answered");
}

/* The handler has returned: a large request goes now, where the call has ended, and not when its
 * answer has been written, so that its memory serves the next one while the cache has it. */
static void drop_request(struct grpcc_call *call)
{
    if (!call->request_arena || !atomic_load_explicit(&call->request_done, memory_order_acquire) ||
        atomic_load_explicit(&call->refs_of_users, memory_order_acquire) != 0)
        return;
    grpcc_arena_free(call->request_arena);
    call->request_arena = NULL;
}

/* Needs, and gives back, the runner's reference. */
static void call_run(struct grpcc_call *call)
{
    bool parked = false;
    if (!end_if_dead(call) && decode_request(call) && run_interceptors(call, &parked)) {
        run_handler(call);
        if (call->method && call->method->config.mode == GRPCC_MODE_BLOCKING)
            check_ended(call);
        if (!call->handed_over)
            drop_request(call);
    }
    if (!parked)
        grpcc_call_release(call);
}

/* A job may be followed by another one: its place is free before it runs. */
static void run_job(struct grpcc_call *call)
{
    void (*job)(void *, struct grpcc_call *, const void *) = call->job;
    void *self = call->job_self;
    bool is_handler = call->job_is_handler;

    call->job = NULL;
    if (end_if_dead(call))
        return;
    job(self, call, call->request);
    if (is_handler) {
        check_ended(call);
        drop_request(call);
    }
}

void grpcc_call_work(struct grpcc_call *call)
{
    if (!call->job) {
        call_run(call);
        return;
    }
    run_job(call);
    grpcc_call_release(call);
}

void grpcc_call_resume(struct grpcc_call *call)
{
    if (atomic_exchange(&call->parking, RESUMED) == PARKED)
        call_dispatch(call, true);
}

bool grpcc_call_is_parked(const struct grpcc_call *call)
{
    return atomic_load(&call->parking) == PARKED;
}

void grpcc_call_unpark(struct grpcc_call *call)
{
    if (atomic_exchange(&call->parking, RESUMED) == PARKED)
        grpcc_call_release(call);
}

void grpcc_call_hand_over(struct grpcc_call *call,
                          void (*function)(void *self, struct grpcc_call *call,
                                           const void *request),
                          void *self)
{
    if (call->job) {
        grpcc_log(GRPCC_LOG_ERROR, "%s: handed over twice", call->path);
        return;
    }
    call->job = function;
    call->job_self = self;
    call->job_is_handler = call->in_handler;
    call->handed_over |= call->in_handler;
    grpcc_call_hold(call);
    if (!grpcc_pool_submit(&call->server->pool, call, false))
        grpcc_call_shed(call, GRPCC_REFUSED_QUEUE_FULL);
}

/* ---- the end ---- */

static void account_over(struct grpcc_call *call, enum grpcc_status status)
{
    struct grpcc_server *server = call->server;
    atomic_ullong *counter = &server->calls_failed;
    if (status == GRPCC_OK)
        counter = &server->calls_ok;
    else if (atomic_load(&call->cancelled))
        counter = &server->calls_cancelled;
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
    pthread_mutex_lock(&server->lock);
    unlink_locked(call);
    if (!grpcc_call_is_builtin(call))
        server->n_in_flight--;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

void grpcc_call_over(struct grpcc_call *call)
{
    struct grpcc_server *server = call->server;
    enum grpcc_status status = call->status;
    if (atomic_load(&call->cancelled))
        status = grpcc_now_ns() >= call->deadline_ns ? GRPCC_DEADLINE_EXCEEDED : GRPCC_CANCELLED;
    grpcc_timers_remove(&server->timers, call);
    for (size_t i = call->next_interceptor; i-- > 0;)
        if (server->interceptors[i].slots.end)
            server->interceptors[i].slots.end(server->interceptors[i].self, call, status);
    grpcc_observers_ended(call, status);
    account_over(call, status);
}
