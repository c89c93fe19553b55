/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and sending the messages of a streaming call. */
#include <string.h>

#include "gen/runtime/src/core/compression.h"
#include "gen/runtime/src/server/call.h"
#include "gen/runtime/src/server/server.h"
#include "grpcc/channel.h"

static bool has_requests_to_read(const struct grpcc_call *call)
{
    return call->method && (call->method->descriptor->kind == GRPCC_CLIENT_STREAM ||
                            call->method->descriptor->kind == GRPCC_BIDI_STREAM);
}

static bool has_responses_to_send(const struct grpcc_call *call)
{
    return call->method && (call->method->descriptor->kind == GRPCC_SERVER_STREAM ||
                            call->method->descriptor->kind == GRPCC_BIDI_STREAM);
}

/* ---- reading ---- */

static void start_read(struct grpcc_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->received};
    grpcc_call_hold(call);
    grpcc_core_start(call->core, &op, 1, &call->on_read);
}

/* What the operation brought: a message, the end of the stream (OK and NULL), or the end of the
 * call. */
static enum grpcc_status take_read(struct grpcc_call *call, struct grpcc_arena *arena,
                                   void **ret_message, struct grpcc_error *err)
{
    grpc_byte_buffer *buffer = call->received;
    const struct grpcc_server_method *method = call->method;
    enum grpcc_status status;
    call->received = NULL;
    if (!buffer) {
        /* A stream that was cut off must not look like one that is complete. */
        if (grpc_call_failed_before_recv_message(call->core) || grpcc_call_is_cancelled(call))
            return grpcc_error_set(err, GRPCC_CANCELLED, "the call was cancelled");
        *ret_message = NULL;
        return GRPCC_OK;
    }
    size_t bytes = grpc_byte_buffer_length(buffer);
    grpcc_tally_add(&call->received_tally, bytes);
    if (bytes > grpcc_call_request_bytes_max(call))
        status = grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED,
                                 "a message is larger than this method allows");
    else
        status = grpcc_call_inflate(call, &buffer, err);
    if (!status)
        status = grpcc_buffer_unpack(buffer, arena, method->descriptor->request,
                                     &call->server->options.message_limits, ret_message, err);
    grpc_byte_buffer_destroy(buffer);
    return status;
}

void grpcc_call_on_read(struct grpcc_tag *tag, bool ok)
{
    struct grpcc_call *call = GRPCC_CONTAINER(tag, struct grpcc_call, on_read);
    (void)ok; /* says nothing: core succeeds at the end of a stream too */
    if (call->read_wait) {
        struct grpcc_wait *wait = call->read_wait;
        call->read_wait = NULL;
        grpcc_wait_signal(wait);
    } else {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        void *message = NULL;
        grpcc_read_done done = call->read_done;
        call->read_done = NULL;
        enum grpcc_status status = take_read(call, call->read_arena, &message, &err);
        done(call->read_data, status, message, &err);
    }
    grpcc_call_release(call);
}

enum grpcc_status grpcc_call_read(struct grpcc_call *call, struct grpcc_arena *arena,
                                  void **ret_message, struct grpcc_error *err)
{
    struct grpcc_wait wait;
    if (!has_requests_to_read(call))
        return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION, "%s has no request stream",
                               call->path);
    if (grpcc_on_poller_thread())
        return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION,
                               "a read that blocks on a poller: use grpcc_call_read_start()");
    grpcc_wait_init(&wait);
    call->read_wait = &wait;
    start_read(call);
    grpcc_wait_for(&wait);
    grpcc_wait_done(&wait);
    return take_read(call, arena, ret_message, err);
}

void grpcc_call_read_start(struct grpcc_call *call, struct grpcc_arena *arena,
                           void (*done)(void *data, enum grpcc_status status, void *message,
                                        const struct grpcc_error *err),
                           void *data)
{
    if (!has_requests_to_read(call)) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        enum grpcc_status status = grpcc_error_set(&err, GRPCC_FAILED_PRECONDITION,
                                                   "%s has no request stream", call->path);
        done(data, status, NULL, &err);
        return;
    }
    call->read_arena = arena;
    call->read_done = done;
    call->read_data = data;
    start_read(call);
}

/* ---- sending ----
 *
 * One message at a time is on its way to core. When core has taken it, and the program has given
 * the next one, that one is reported as sent before it goes: if the program then gives a third,
 * core need not write the second one out by itself (GRPC_WRITE_BUFFER_HINT), and many small
 * messages go in one system call. What no other follows at once is written at once.
 */

enum claim { CLAIM_REFUSED, CLAIM_START, CLAIM_HELD };

/* Claims the place of the one message that the program may be sending. HELD: a message is on its
 * way, and this one goes after it; the buffer has been taken. */
static enum claim claim_send(struct grpcc_call *call, grpc_byte_buffer *buffer, uint32_t flags,
                             grpcc_send_done done, void *data)
{
    enum claim claim = CLAIM_REFUSED;
    pthread_mutex_lock(&call->lock);
    if (!atomic_load(&call->ended) && !call->sending) {
        claim = call->send_busy ? CLAIM_HELD : CLAIM_START;
        if (claim == CLAIM_START)
            call->send_since_ns = grpcc_now_ns();
        call->sending = true;
        call->send_busy = true;
        call->send_done = done;
        call->send_data = data;
        grpcc_tally_add(&call->sent_tally, grpc_byte_buffer_length(buffer));
    }
    if (claim == CLAIM_HELD) {
        call->held = buffer;
        call->held_flags = flags;
    }
    pthread_mutex_unlock(&call->lock);
    return claim;
}

/* Hands the message to core; takes the buffer. */
static void start_send(struct grpcc_call *call, grpc_byte_buffer *buffer, uint32_t flags)
{
    grpc_op ops[2];
    size_t n = 0;
    memset(ops, 0, sizeof(ops));
    if (!call->initial_sent) {
        ops[n].op = GRPC_OP_SEND_INITIAL_METADATA;
        ops[n].data.send_initial_metadata.count = call->initial.n;
        ops[n].data.send_initial_metadata.metadata = call->initial.items;
        grpcc_compression_set_level(&ops[n], call->compression);
        call->initial_sent = true;
        n++;
    }
    ops[n].op = GRPC_OP_SEND_MESSAGE;
    ops[n].flags = flags;
    ops[n].data.send_message.send_message = buffer;
    n++;
    grpcc_call_hold(call);
    grpcc_core_start(call->core, ops, n, &call->on_send);
    grpc_byte_buffer_destroy(buffer);
}

/* Tells the program, which may give the next message before this returns. */
static void report_send(struct grpcc_call *call, bool ok)
{
    pthread_mutex_lock(&call->lock);
    grpcc_send_done done = call->send_done;
    void *data = call->send_data;
    call->sending = false;
    pthread_mutex_unlock(&call->lock);
    call->send_reported = true;
    done(data, ok ? GRPCC_OK : GRPCC_CANCELLED);
}

/* The message that goes next; NULL: there is none, and the next one starts anew. */
static grpc_byte_buffer *take_held(struct grpcc_call *call, uint32_t *ret_flags, bool *ret_end)
{
    pthread_mutex_lock(&call->lock);
    grpc_byte_buffer *held = call->held;
    call->held = NULL;
    *ret_flags = call->held_flags;
    if (held)
        call->send_since_ns = grpcc_now_ns();
    else
        call->send_busy = false;
    *ret_end = call->end_waits;
    pthread_mutex_unlock(&call->lock);
    return held;
}

static bool more_follows(struct grpcc_call *call)
{
    pthread_mutex_lock(&call->lock);
    bool more = call->held || call->end_waits;
    pthread_mutex_unlock(&call->lock);
    return more;
}

void grpcc_call_on_send(struct grpcc_tag *tag, bool ok)
{
    struct grpcc_call *call = GRPCC_CONTAINER(tag, struct grpcc_call, on_send);
    grpc_byte_buffer *next;
    uint32_t flags = 0;
    bool end = false;
    if (!call->send_reported)
        report_send(call, ok);
    while ((next = take_held(call, &flags, &end)) != NULL) {
        report_send(call, ok);
        if (ok) {
            start_send(call, next, flags | (more_follows(call) ? GRPC_WRITE_BUFFER_HINT : 0));
            break;
        }
        grpc_byte_buffer_destroy(next);
    }
    if (!next && end)
        grpcc_call_send_end(call);
    grpcc_call_release(call);
}

/* A client that does not read keeps what it is sent in memory, and may have no deadline. One timer
 * for all messages: it looks whether the one under way is an old one. Where there is no room for it
 * the call goes on without. */
static void watch_sends(struct grpcc_call *call)
{
    int64_t wait_ns = (int64_t)call->server->options.send_wait_max_ms * GRPCC_NS_PER_MS;
    if (call->has_timer)
        return;
    call->has_timer = true;
    call->timer_for_sends = true;
    call->timer_ns = grpcc_now_ns() + wait_ns;
    (void)!grpcc_timers_add(&call->server->timers, call);
}

void grpcc_call_send_start(struct grpcc_call *call, const ProtobufCMessage *message,
                           void (*done)(void *data, enum grpcc_status status), void *data)
{
    if (!has_responses_to_send(call)) {
        done(data, GRPCC_FAILED_PRECONDITION);
        return;
    }
    grpc_byte_buffer *buffer = message ? grpcc_buffer_pack(message) : NULL;
    if (!buffer) {
        done(data, GRPCC_RESOURCE_EXHAUSTED);
        return;
    }
    uint32_t flags = grpcc_compression_flags(call->message_compression_off);
    switch (claim_send(call, buffer, flags, done, data)) {
    case CLAIM_REFUSED:
        grpc_byte_buffer_destroy(buffer);
        done(data, GRPCC_CANCELLED);
        return;
    case CLAIM_START:
        call->send_reported = false;
        watch_sends(call);
        start_send(call, buffer, flags);
        break;
    case CLAIM_HELD:
        break;
    }
}

struct send_wait {
    struct grpcc_wait wait;
    enum grpcc_status status;
};

static void send_done_wakes(void *data, enum grpcc_status status)
{
    struct send_wait *sent = data;
    sent->status = status;
    grpcc_wait_signal(&sent->wait);
}

/* A client that does not read keeps a worker, and may have no deadline: it has so long. */
static void wait_for_send(struct grpcc_call *call, struct send_wait *sent)
{
    int64_t wait_ns = (int64_t)call->server->options.send_wait_max_ms * GRPCC_NS_PER_MS;
    if (!grpcc_wait_until(&sent->wait, grpcc_now_ns() + wait_ns)) {
        grpc_call_cancel_with_status(call->core, GRPC_STATUS_RESOURCE_EXHAUSTED,
                                     "the client does not read what it is sent", NULL);
        grpcc_wait_for(&sent->wait);
    }
}

enum grpcc_status grpcc_call_send(struct grpcc_call *call, const ProtobufCMessage *message,
                                  struct grpcc_error *err)
{
    struct send_wait sent;
    if (grpcc_on_poller_thread())
        return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION,
                               "a send that blocks on a poller: use grpcc_call_send_start()");
    grpcc_wait_init(&sent.wait);
    grpcc_call_send_start(call, message, send_done_wakes, &sent);
    wait_for_send(call, &sent);
    grpcc_wait_done(&sent.wait);
    switch (sent.status) {
    case GRPCC_OK:
        return GRPCC_OK;
    case GRPCC_FAILED_PRECONDITION:
        return grpcc_error_set(err, sent.status, "%s has no response stream", call->path);
    case GRPCC_RESOURCE_EXHAUSTED:
        return grpcc_error_set(err, sent.status,
                               "no memory for the message, or it is too large to be sent");
    default:
        return grpcc_error_set(err, sent.status, "the call was cancelled");
    }
}
