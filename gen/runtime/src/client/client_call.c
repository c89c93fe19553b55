/* SPDX-License-Identifier: Apache-2.0 */
/* What unary calls and streams of the client share: life, options, status. */
#include <google/rpc/status.grpcc.h>
#include <string.h>

#include "gen/runtime/src/client/client.h"
#include "gen/runtime/src/core/compression.h"
#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/security/credentials.h"
#include "gen/runtime/src/server/call.h"

enum { OWN_ARENA_LIMIT = 256 << 10 };
/* What HTTP/2 counts for each header, and room for those that core adds: path, authority and such.
 */
enum { METADATA_BYTES_EACH = 32, METADATA_BYTES_OF_CORE = 1024 };
/* Timeouts above a hundred years are none. */
#define TIMEOUT_MS_MAX (INT64_C(100) * 366 * 24 * 3600 * 1000)

enum grpcc_status grpcc_client_call_code(const struct grpcc_client_call *call)
{
    return (unsigned)call->code <= GRPCC_UNAUTHENTICATED ? (enum grpcc_status)call->code
                                                         : GRPCC_UNKNOWN;
}

/* ---- life ---- */

static struct grpcc_client_call *call_create(void)
{
    struct grpcc_client_call *call = grpcc_memory_zalloc(sizeof(*call));
    if (!call)
        return NULL;
    call->own_arena = grpcc_arena_new(OWN_ARENA_LIMIT);
    if (!call->own_arena) {
        grpcc_memory_free(call);
        return NULL;
    }
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    grpcc_client_unary_init(call);
    grpcc_client_stream_init(call);
    return call;
}

void grpcc_client_call_destroy(struct grpcc_client_call *call)
{
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    grpcc_arena_free(call->own_arena);
    grpcc_memory_free(call);
}

static struct grpcc_client_call *call_take(struct grpcc_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    struct grpcc_client_call *call = channel->free_calls;
    if (call) {
        channel->free_calls = call->next_free;
        channel->n_free_calls--;
    }
    pthread_mutex_unlock(&channel->lock);
    if (!call)
        call = call_create();
    if (!call)
        return NULL;
    atomic_store(&call->refs, 1);
    atomic_fetch_add_explicit(&channel->refs, 1, memory_order_relaxed);
    call->channel = channel;
    return call;
}

/* What a call brought with it goes, what every call needs again stays. */
static void call_reset(struct grpcc_client_call *call)
{
    grpc_byte_buffer_destroy(call->received);
    grpc_slice_unref(call->message);
    if (call->core)
        grpc_call_unref(call->core);
    grpcc_arena_reset(call->own_arena);
    call->initial.count = 0;
    call->trailing.count = 0;
    size_t kept = offsetof(struct grpcc_client_call, next_free);
    memset((char *)call + kept, 0, sizeof(*call) - kept);
}

bool grpcc_try_hold(atomic_uint *refs)
{
    unsigned n = atomic_load(refs);
    while (n > 0 && !atomic_compare_exchange_weak(refs, &n, n + 1))
        continue;
    return n > 0;
}

void grpcc_client_call_hold(struct grpcc_client_call *call)
{
    atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
}

void grpcc_client_call_release(struct grpcc_client_call *call)
{
    if (atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct grpcc_channel *channel = call->channel;
    /* A call that core has begun has ended before: this one could not be sent. */
    grpcc_client_call_ended(call, GRPCC_RESOURCE_EXHAUSTED);
    if (call->on_end)
        call->on_end(call->on_metadata_data, grpcc_client_call_code(call));
    grpcc_events_leave(&call->member);
    call_reset(call);
    pthread_mutex_lock(&channel->lock);
    bool keep = channel->n_free_calls < GRPCC_CHANNEL_FREE_CALLS_MAX;
    if (keep) {
        call->next_free = channel->free_calls;
        channel->free_calls = call;
        channel->n_free_calls++;
    }
    pthread_mutex_unlock(&channel->lock);
    if (!keep)
        grpcc_client_call_destroy(call);
    grpcc_channel_release(channel);
}

void grpcc_client_call_cancel(struct grpcc_client_call *call)
{
    if (grpcc_client_is_forked())
        return;
    if (call->policy_cancel)
        call->policy_cancel(call->policy_self);
    else
        grpc_call_cancel(call->core, NULL);
}

void grpcc_client_call_break(struct grpcc_client_call *call, const char *message)
{
    if (grpcc_client_is_forked() || call->policy_cancel)
        return;
    grpc_call_cancel_with_status(call->core, GRPC_STATUS_UNAVAILABLE, message, NULL);
}

struct grpcc_client_call *grpcc_client_call_new_policy(void (*cancel)(void *self),
                                                       void (*free)(void *self), void *self)
{
    struct grpcc_client_call *call = grpcc_memory_zalloc(sizeof(*call));
    if (!call)
        return NULL;
    call->policy_cancel = cancel;
    call->policy_free = free;
    call->policy_self = self;
    return call;
}

/* ---- options ---- */

uint32_t grpcc_client_call_flags(const struct grpcc_call_options *options)
{
    if (!options || !options->wait_for_ready)
        return 0;
    return GRPC_INITIAL_METADATA_WAIT_FOR_READY |
           GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET;
}

/* A server closes the whole connection over headers that are far too large, and with it ends the
 * calls of others. */
static enum grpcc_status check_metadata(const struct grpcc_client_call *call,
                                        struct grpcc_error *err)
{
    size_t sum = METADATA_BYTES_OF_CORE;
    for (size_t i = 0; i < call->metadata.n; i++)
        sum += GRPC_SLICE_LENGTH(call->metadata.items[i].key) +
               GRPC_SLICE_LENGTH(call->metadata.items[i].value) + METADATA_BYTES_EACH;
    if (sum <= call->channel->metadata_bytes_max)
        return GRPCC_OK;
    return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED,
                           "the headers have %zu bytes: metadata_bytes_max is %zu", sum,
                           call->channel->metadata_bytes_max);
}

static enum grpcc_status copy_metadata(struct grpcc_client_call *call,
                                       const struct grpcc_call_options *options,
                                       struct grpcc_error *err)
{
    for (size_t i = 0; i < options->n_metadata; i++) {
        const struct grpcc_metadata *item = &options->metadata[i];
        if (grpcc_metadata_add(&call->metadata, call->own_arena, item->key, item->value,
                               item->length))
            continue;
        if (grpcc_arena_failed(call->own_arena))
            return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no room for the headers");
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "\"%.64s\" is not a header that can be sent, with its value",
                               item->key ? item->key : "");
    }
    return GRPCC_OK;
}

static enum grpcc_status set_options(struct grpcc_client_call *call,
                                     const struct grpcc_call_options *given,
                                     struct grpcc_error *err)
{
    struct grpcc_call_options options = {.size = sizeof(options)};
    grpcc_options_copy(&options, sizeof(options), given);
    const char *encoding = grpcc_compression_name(options.compression);
    if (encoding && !grpcc_metadata_add_own(&call->metadata, call->own_arena, GRPCC_KEY_COMPRESSION,
                                            encoding, strlen(encoding)))
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no room for the headers");
    call->on_metadata = options.on_metadata;
    call->on_metadata_data = options.on_metadata_data;
    call->on_end = options.on_end;
    call->ret_was_compressed = options.ret_was_compressed;
    return copy_metadata(call, &options, err);
}

int64_t grpcc_client_deadline(const struct grpcc_call_options *options)
{
    if (!options || options->timeout_ms <= 0 || options->timeout_ms > TIMEOUT_MS_MAX)
        return INT64_MAX;
    return grpcc_now_ns() + options->timeout_ms * GRPCC_NS_PER_MS;
}

/* After the call's core is made. */
static enum grpcc_status set_credentials(struct grpcc_client_call *call,
                                         const struct grpcc_call_options *options,
                                         struct grpcc_error *err)
{
    const size_t end = offsetof(struct grpcc_call_options, credentials) +
                       sizeof(((struct grpcc_call_options *)NULL)->credentials);
    const struct grpcc_credentials *credentials =
        options && options->size >= end ? options->credentials : NULL;
    if (!credentials)
        return GRPCC_OK;
    if (!call->channel->tls_files && !credentials->allow_plaintext)
        return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION,
                               "the credentials would go in plain text: use TLS, or set their "
                               "allow_plaintext where the way to the server is safe");
    if (grpc_call_set_credentials(call->core, credentials->core) != GRPC_CALL_OK)
        return grpcc_error_set(err, GRPCC_INTERNAL, "core refused the credentials");
    return GRPCC_OK;
}

enum grpcc_status grpcc_client_forked(struct grpcc_error *err)
{
    return grpcc_error_set(
        err, GRPCC_FAILED_PRECONDITION,
        "this channel was made before a fork: make it in the process that uses it");
}

struct grpcc_client_call *grpcc_client_call_new(struct grpcc_channel *channel,
                                                const struct grpcc_method *method,
                                                const struct grpcc_call_options *options,
                                                struct grpcc_error *err)
{
    if (grpcc_client_is_forked()) {
        grpcc_client_forked(err);
        return NULL;
    }
    void *handle = grpcc_channel_handle(channel, method);
    struct grpcc_client_call *call = handle ? call_take(channel) : NULL;
    if (!call) {
        grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for a call");
        return NULL;
    }
    call->method = method;
    call->message = grpc_empty_slice();
    grpcc_client_call_started(call);
    if (options && set_options(call, options, err)) {
        grpcc_client_call_release(call);
        return NULL;
    }
    if (!grpcc_client_trace_begin(call, options)) {
        grpcc_client_call_release(call);
        grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no room for the headers");
        return NULL;
    }
    if (call->metadata.n && check_metadata(call, err)) {
        grpcc_client_call_release(call);
        return NULL;
    }
    grpc_call *parent = options && options->parent ? options->parent->core : NULL;
    call->core = grpc_channel_create_registered_call(
        channel->core, parent, GRPC_PROPAGATE_DEFAULTS, channel->queue, handle,
        grpcc_time_to_core(grpcc_client_deadline(options)), NULL);
    if (set_credentials(call, options, err)) {
        call->on_end = NULL; /* it was not started */
        grpcc_client_call_release(call);
        return NULL;
    }
    return call;
}

static bool member_try_hold(struct grpcc_events_member *member)
{
    struct grpcc_client_call *call = GRPCC_CONTAINER(member, struct grpcc_client_call, member);
    return grpcc_try_hold(&call->refs);
}

static void member_cancel(struct grpcc_events_member *member)
{
    grpc_call_cancel(GRPCC_CONTAINER(member, struct grpcc_client_call, member)->core, NULL);
}

static void member_release(struct grpcc_events_member *member)
{
    grpcc_client_call_release(GRPCC_CONTAINER(member, struct grpcc_client_call, member));
}

enum grpcc_status grpcc_client_call_join_events(struct grpcc_client_call *call,
                                                const struct grpcc_call_options *options,
                                                struct grpcc_error *err)
{
    static const struct grpcc_events_member_ops ops = {member_try_hold, member_cancel,
                                                       member_release};
    if (grpcc_events_join(&call->member, grpcc_events_of(options), &ops))
        return GRPCC_OK;
    return grpcc_client_events_freed(err);
}

enum grpcc_status grpcc_client_events_freed(struct grpcc_error *err)
{
    return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION,
                           "the events that the call reports to have been freed");
}

/* ---- what came back ---- */

enum grpcc_status grpcc_client_may_block(struct grpcc_error *err)
{
    if (!grpcc_on_poller_thread())
        return GRPCC_OK;
    return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION,
                           "a call that blocks on a poller thread: use its callback form");
}

static void show(struct grpcc_client_call *call, bool trailing, const grpc_metadata_array *array)
{
    if (!call->on_metadata)
        return;
    for (size_t i = 0; i < array->count; i++) {
        const grpc_metadata *item = &array->metadata[i];
        const char *key =
            grpcc_arena_strndup(call->own_arena, (const char *)GRPC_SLICE_START_PTR(item->key),
                                GRPC_SLICE_LENGTH(item->key));
        if (key)
            call->on_metadata(call->on_metadata_data, trailing, key,
                              GRPC_SLICE_START_PTR(item->value), GRPC_SLICE_LENGTH(item->value));
    }
}

void grpcc_client_call_show_initial(struct grpcc_client_call *call)
{
    if (call->initial_shown)
        return;
    call->initial_shown = true;
    show(call, false, &call->initial);
}

static const struct google_rpc_status *decode_details(struct grpcc_client_call *call,
                                                      struct grpcc_arena *arena)
{
    const grpc_slice *bytes = grpcc_metadata_find(&call->trailing, GRPCC_KEY_DETAILS);
    void *details = NULL;
    /* A peer's details that cannot be read are as good as none: the status itself stands. */
    if (!bytes || !arena ||
        grpcc_message_unpack(arena, &google_rpc_status_descriptor, &call->channel->limits,
                             GRPC_SLICE_START_PTR(*bytes), GRPC_SLICE_LENGTH(*bytes), &details,
                             NULL))
        return NULL;
    return details;
}

enum grpcc_status grpcc_client_call_status(struct grpcc_client_call *call,
                                           struct grpcc_arena *arena, struct grpcc_error *err)
{
    grpcc_client_call_show_initial(call);
    show(call, true, &call->trailing);
    if (call->code == GRPC_STATUS_OK)
        return GRPCC_OK;
    enum grpcc_status status = grpcc_client_call_code(call);
    grpcc_error_set(err, status, "%.*s", (int)GRPC_SLICE_LENGTH(call->message),
                    (const char *)GRPC_SLICE_START_PTR(call->message));
    if (err) {
        err->pushback_ms = grpcc_metadata_pushback_ms(&call->trailing);
        err->details = decode_details(call, arena);
    }
    return status;
}

enum grpcc_status grpcc_client_call_unpack(struct grpcc_client_call *call,
                                           struct grpcc_arena *arena, void **ret_message,
                                           struct grpcc_error *err)
{
    struct grpcc_error own = GRPCC_ERROR_INIT;
    if (!call->received)
        return grpcc_error_set(err, GRPCC_INTERNAL, "the server sent OK and no response");
    enum grpcc_status status = grpcc_buffer_inflate(
        &call->received, call->channel->inflated_bytes_max, &call->was_compressed, &own);
    if (call->ret_was_compressed)
        *call->ret_was_compressed = call->was_compressed;
    if (!status)
        status = grpcc_buffer_unpack(call->received, arena, call->method->response,
                                     &call->channel->limits, ret_message, &own);
    grpc_byte_buffer_destroy(call->received);
    call->received = NULL;
    if (status == GRPCC_RESOURCE_EXHAUSTED)
        return grpcc_error_set(err, status, "the response: %s", own.message);
    if (status)
        return grpcc_error_set(err, GRPCC_INTERNAL, "the response: %s", own.message);
    return GRPCC_OK;
}
