/* SPDX-License-Identifier: Apache-2.0 */
/* How a call ends: one claim, the interceptors' last word, one batch. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gen/runtime/src/core/compression.h"
#include "gen/runtime/src/core/log.h"
#include "gen/runtime/src/server/call.h"
#include "gen/runtime/src/server/server.h"

/* The call whose before_finish slots run on this thread: grpcc_call_fail() there replaces the
 * status. */
static _Thread_local struct grpcc_call *finishing;

static bool claim_end(struct grpcc_call *call)
{
    bool expected = false;
    return atomic_compare_exchange_strong(&call->ended, &expected, true);
}

static void set_status(struct grpcc_call *call, enum grpcc_status status, const char *message)
{
    call->status = status;
    call->message = message;
    if (status)
        call->response = NULL;
}

static void ask_interceptors(struct grpcc_call *call)
{
    struct grpcc_server *server = call->server;
    struct grpcc_call *outer = finishing;
    finishing = call;
    for (size_t i = call->next_interceptor; i-- > 0;) {
        const struct grpcc_server_interceptor *interceptor = &server->interceptors[i];
        if (interceptor->slots.before_finish)
            interceptor->slots.before_finish(interceptor->self, call, call->status);
    }
    finishing = outer;
}

static void add_own_trailer(struct grpcc_call *call, const char *key, const void *value,
                            size_t length)
{
    if (!value || !grpcc_metadata_add_own(&call->trailing, call->arena, key, value, length))
        grpcc_log(GRPCC_LOG_WARNING, "%s: no room for the trailer %s", call->path, key);
}

static void add_own_trailers(struct grpcc_call *call)
{
    if (call->status == GRPCC_OK)
        return;
    if (call->has_pushback) {
        char *text = grpcc_arena_printf(call->arena, "%" PRId64, call->pushback_ms);
        add_own_trailer(call, GRPCC_KEY_PUSHBACK, text, text ? strlen(text) : 0);
    }
    if (call->details) {
        size_t size = 0;
        const void *bytes =
            grpcc_details_encode(call->arena, call->status, call->message, call->details, &size);
        add_own_trailer(call, GRPCC_KEY_DETAILS, bytes, size);
    }
}

void grpcc_call_send_end(struct grpcc_call *call)
{
    grpc_op ops[3];
    size_t n = 0;
    grpc_slice message = grpc_slice_from_static_string(call->message);
    grpc_byte_buffer *reply = call->reply;
    call->reply = NULL;
    memset(ops, 0, sizeof(ops));
    if (!call->initial_sent) {
        ops[n].op = GRPC_OP_SEND_INITIAL_METADATA;
        ops[n].data.send_initial_metadata.count = call->initial.n;
        ops[n].data.send_initial_metadata.metadata = call->initial.items;
        grpcc_compression_set_level(&ops[n], call->compression);
        call->initial_sent = true;
        n++;
    }
    if (reply) {
        ops[n].op = GRPC_OP_SEND_MESSAGE;
        ops[n].flags = grpcc_compression_flags(call->message_compression_off);
        ops[n].data.send_message.send_message = reply;
        n++;
    }
    ops[n].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[n].data.send_status_from_server.trailing_metadata_count = call->trailing.n;
    ops[n].data.send_status_from_server.trailing_metadata = call->trailing.items;
    ops[n].data.send_status_from_server.status = (grpc_status_code)call->status;
    ops[n].data.send_status_from_server.status_details = &message;
    n++;
    grpcc_core_start(call->core, ops, n, &call->on_end);
    grpc_byte_buffer_destroy(reply); /* core has taken the bytes; the call may be gone */
}

void grpcc_call_on_end(struct grpcc_tag *tag, bool ok)
{
    struct grpcc_call *call = GRPCC_CONTAINER(tag, struct grpcc_call, on_end);
    /* What could not be sent reached nobody; the close event, which says so too, may come later. */
    if (!ok)
        atomic_store_explicit(&call->cancelled, true, memory_order_release);
    if (atomic_fetch_sub(&call->operations, 1) == 1)
        grpcc_call_over(call);
    grpcc_call_release(call);
}

/* Everything after the claim. The call may be gone when this returns, unless the caller holds a
 * reference. */
static void commit_end(struct grpcc_call *call)
{
    ask_interceptors(call);
    if (call->response) {
        call->reply = grpcc_buffer_pack(call->response);
        if (!call->reply)
            set_status(call, GRPCC_INTERNAL, "the response is too large to be sent");
        else
            grpcc_tally_add(&call->sent_tally, grpc_byte_buffer_length(call->reply));
    }
    call->response = NULL;
    atomic_store_explicit(&call->request_done, true, memory_order_release);
    add_own_trailers(call);
    grpcc_call_unpark(call);
    pthread_mutex_lock(&call->lock);
    bool waits = call->send_busy;
    call->end_waits = waits;
    pthread_mutex_unlock(&call->lock);
    if (!waits)
        grpcc_call_send_end(call);
}

static void note_second_end(const struct grpcc_call *call)
{
    grpcc_log(GRPCC_LOG_ERROR, "%s: the call was ended a second time", call->path);
}

static bool ends_with_message(const struct grpcc_call *call)
{
    return call->method && (call->method->descriptor->kind == GRPCC_UNARY ||
                            call->method->descriptor->kind == GRPCC_CLIENT_STREAM);
}

static void finish(struct grpcc_call *call, const ProtobufCMessage *response)
{
    if (!claim_end(call)) {
        note_second_end(call);
        return;
    }
    set_status(call, GRPCC_OK, "");
    call->response = response;
    if (ends_with_message(call) && !response && grpcc_arena_failed(call->arena)) {
        set_status(call, GRPCC_RESOURCE_EXHAUSTED, "no memory for the response");
    } else if (ends_with_message(call) != (response != NULL)) {
        grpcc_log(GRPCC_LOG_ERROR, "%s: the handler finished it %s a response", call->path,
                  response ? "with" : "without");
        set_status(call, GRPCC_INTERNAL, "the call was not answered as its method says");
    }
    commit_end(call);
}

void grpcc_call_finish(struct grpcc_call *call, const ProtobufCMessage *response)
{
    finish(call, response);
}

void grpcc_call_finish_ok(struct grpcc_call *call)
{
    finish(call, NULL);
}

void grpcc_call_abort(struct grpcc_call *call, enum grpcc_status status, const char *message)
{
    if (!claim_end(call))
        return;
    char *text = grpcc_arena_strndup(call->arena, message, GRPCC_STATUS_MESSAGE_MAX);
    set_status(call, status, text ? text : "");
    commit_end(call);
}

void grpcc_call_fail(struct grpcc_call *call, enum grpcc_status status, const char *format, ...)
{
    bool replaces = finishing == call;
    if (!replaces && !claim_end(call)) {
        note_second_end(call);
        return;
    }
    struct grpcc_error err;
    va_list args;
    va_start(args, format);
    grpcc_error_vset(&err, status, format, args);
    va_end(args);
    if (status <= GRPCC_OK || status > GRPCC_UNAUTHENTICATED) {
        grpcc_log(GRPCC_LOG_ERROR, "%s: failed with status %d", call->path, (int)status);
        status = GRPCC_UNKNOWN;
    }
    char *text = grpcc_arena_strdup(call->arena, err.message);
    set_status(call, status, text ? text : "");
    if (!replaces)
        commit_end(call);
}

void grpcc_call_end(struct grpcc_call *call, const struct grpcc_error *err)
{
    if (err->status)
        grpcc_call_fail(call, err->status, "%s", err->message);
    else
        grpcc_call_finish_ok(call);
}

void grpcc_call_add_detail(struct grpcc_call *call, const ProtobufCMessage *message)
{
    struct grpcc_detail *detail = grpcc_detail_new(call->arena, message);
    if (!detail) {
        grpcc_log(GRPCC_LOG_WARNING, "%s: no room for a %s", call->path, message->descriptor->name);
        return;
    }
    *call->details_tail = detail;
    call->details_tail = &detail->next;
}

void grpcc_call_set_pushback_ms(struct grpcc_call *call, int64_t pushback_ms)
{
    call->has_pushback = true;
    call->pushback_ms = pushback_ms;
}
