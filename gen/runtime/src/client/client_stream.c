/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of the client. The status is asked for at the beginning; reads and writes follow one by
 * one. */
#include <string.h>

#include "gen/runtime/src/client/client.h"
#include "gen/runtime/src/client/client_hedge.h"
#include "gen/runtime/src/core/compression.h"
#include "gen/runtime/src/message/memory.h"

static bool sends_stream(const struct grpcc_client_call *call)
{
    return call->method->kind == GRPCC_CLIENT_STREAM || call->method->kind == GRPCC_BIDI_STREAM;
}

/* ---- opening ---- */

static void on_open(struct grpcc_tag *tag, bool ok)
{
    struct grpcc_client_call *call = GRPCC_CONTAINER(tag, struct grpcc_client_call, on_open);
    if (!ok)
        atomic_store(&call->writes_failed, true);
    grpcc_client_call_release(call);
}

static void on_initial(struct grpcc_tag *tag, bool ok)
{
    (void)ok;
    grpcc_client_call_release(GRPCC_CONTAINER(tag, struct grpcc_client_call, on_initial));
}

static void start_send(struct grpcc_client_call *call, const struct grpcc_call_options *options,
                       grpc_byte_buffer *request)
{
    grpc_op ops[3];
    size_t n = 1;
    memset(ops, 0, sizeof(ops));
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].flags = grpcc_client_call_flags(options);
    ops[0].data.send_initial_metadata.count = call->metadata.n;
    ops[0].data.send_initial_metadata.metadata = call->metadata.items;
    if (request) {
        grpcc_tally_add(&call->sent_tally, grpc_byte_buffer_length(request));
        ops[1].op = GRPC_OP_SEND_MESSAGE;
        ops[1].data.send_message.send_message = request;
        ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
        call->sends_closed = true;
        n = 3;
    }
    grpcc_client_call_hold(call);
    grpcc_core_start(call->core, ops, n, &call->on_open);
}

static void start_receive(struct grpcc_client_call *call)
{
    grpc_op initial = {.op = GRPC_OP_RECV_INITIAL_METADATA,
                       .data.recv_initial_metadata.recv_initial_metadata = &call->initial};
    grpc_op status = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                      .data.recv_status_on_client = {.trailing_metadata = &call->trailing,
                                                     .status = &call->code,
                                                     .status_details = &call->message}};
    grpcc_client_call_hold(call);
    grpcc_core_start(call->core, &initial, 1, &call->on_initial);
    grpcc_client_call_hold(call);
    grpcc_core_start(call->core, &status, 1, &call->on_status);
}

struct grpcc_client_call *grpcc_stream_open(struct grpcc_channel *channel,
                                            const struct grpcc_method *method,
                                            const struct grpcc_call_options *options,
                                            const ProtobufCMessage *request,
                                            struct grpcc_error *err)
{
    grpc_byte_buffer *buffer = NULL;
    bool wants_request = method->kind == GRPCC_SERVER_STREAM;
    if (method->kind == GRPCC_UNARY || wants_request != (request != NULL)) {
        grpcc_error_set(err, GRPCC_FAILED_PRECONDITION, "%s is not called that way", method->path);
        return NULL;
    }
    if (grpcc_hedge_of(options)) {
        grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%s is a stream: only unary calls are hedged",
                        method->path);
        return NULL;
    }
    if (channel->policy)
        return channel->policy->stream_open(channel->policy_self, method, options, request, err);
    if (request) {
        buffer = grpcc_buffer_pack(request);
        if (!buffer) {
            grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "the request is too large to be sent");
            return NULL;
        }
    }
    struct grpcc_client_call *call = grpcc_client_call_new(channel, method, options, err);
    if (call && grpcc_client_call_join_events(call, options, err)) {
        call->on_end = NULL; /* it was not started */
        grpcc_client_call_release(call);
        call = NULL;
    }
    if (call) {
        atomic_store(&call->finish_steps, method->kind == GRPCC_CLIENT_STREAM ? 3 : 2);
        start_send(call, options, buffer);
        start_receive(call);
    }
    grpc_byte_buffer_destroy(buffer);
    return call;
}

void grpcc_client_call_free(struct grpcc_client_call *call)
{
    if (!call || grpcc_client_is_forked())
        return;
    if (call->policy_free) {
        call->policy_free(call->policy_self);
        grpcc_memory_free(call);
        return;
    }
    if (call->method->kind != GRPCC_UNARY && !call->finished)
        grpc_call_cancel(call->core, NULL);
    grpcc_client_call_release(call);
}

/* ---- reading ---- */

static void start_read(struct grpcc_client_call *call, struct grpcc_tag *tag)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->received};
    grpcc_client_call_hold(call);
    grpcc_core_start(call->core, &op, 1, tag);
}

static int take_read(struct grpcc_client_call *call, struct grpcc_arena *arena, void **ret_message,
                     struct grpcc_error *err)
{
    grpcc_client_call_show_initial(call);
    if (!call->received) {
        call->reads_ended = true;
        return 0;
    }
    return grpcc_client_call_unpack(call, arena, ret_message, err) ? -1 : 1;
}

static void tell_read(struct grpcc_event *event)
{
    struct grpcc_client_call *call = GRPCC_CONTAINER(event, struct grpcc_client_call, read_event);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    void *message = NULL;
    int result = take_read(call, call->read_arena, &message, &err);
    grpcc_stream_read_done done = call->read_done;
    void *data = call->read_data;
    grpcc_client_call_release(call);
    done(data, result, message, &err);
}

static void on_read(struct grpcc_tag *tag, bool ok)
{
    struct grpcc_client_call *call = GRPCC_CONTAINER(tag, struct grpcc_client_call, on_read);
    (void)ok;
    grpcc_client_call_note_received(call);
    if (call->read_wait) {
        struct grpcc_wait *wait = call->read_wait;
        call->read_wait = NULL;
        grpcc_client_call_release(call);
        grpcc_wait_signal(wait);
        return;
    }
    grpcc_events_tell(call->member.events, &call->read_event);
}

static bool may_read(const struct grpcc_client_call *call, struct grpcc_error *err)
{
    if (grpcc_client_is_forked() || call->method->kind == GRPCC_CLIENT_STREAM) {
        grpcc_error_set(err, GRPCC_FAILED_PRECONDITION, "%s cannot be read from here",
                        call->method->path);
        return false;
    }
    return true;
}

int grpcc_stream_read(struct grpcc_client_call *call, struct grpcc_arena *arena, void **ret_message,
                      struct grpcc_error *err)
{
    struct grpcc_wait wait;
    if (!may_read(call, err) || grpcc_client_may_block(err))
        return -1;
    if (call->reads_ended)
        return 0;
    grpcc_wait_init(&wait);
    call->read_wait = &wait;
    start_read(call, &call->on_read);
    grpcc_wait_for(&wait);
    grpcc_wait_done(&wait);
    return take_read(call, arena, ret_message, err);
}

void grpcc_stream_read_start(struct grpcc_client_call *call, struct grpcc_arena *arena,
                             void (*done)(void *data, int result, void *message,
                                          const struct grpcc_error *err),
                             void *data)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (!may_read(call, &err)) {
        done(data, -1, NULL, &err);
        return;
    }
    if (call->reads_ended) {
        done(data, 0, NULL, &err);
        return;
    }
    if (!grpcc_events_begin(call->member.events)) {
        grpcc_client_events_freed(&err);
        done(data, -1, NULL, &err);
        return;
    }
    call->read_arena = arena;
    call->read_done = done;
    call->read_data = data;
    start_read(call, &call->on_read);
}

/* ---- writing ---- */

static void tell_write(struct grpcc_event *event)
{
    struct grpcc_client_call *call = GRPCC_CONTAINER(event, struct grpcc_client_call, write_event);
    void (*done)(void *data, bool ok) = call->write_done;
    void *data = call->write_data;
    bool ok = call->write_ok;
    grpcc_client_call_release(call);
    done(data, ok);
}

static void on_write(struct grpcc_tag *tag, bool ok)
{
    struct grpcc_client_call *call = GRPCC_CONTAINER(tag, struct grpcc_client_call, on_write);
    if (!ok)
        atomic_store(&call->writes_failed, true);
    call->write_ok = ok;
    grpcc_events_tell(call->write_events, &call->write_event);
}

/* events NULL: done runs on the poller. */
static void write_start(struct grpcc_client_call *call, const ProtobufCMessage *message,
                        struct grpcc_events *events, void (*done)(void *data, bool ok), void *data)
{
    bool possible = !grpcc_client_is_forked() && sends_stream(call) && !call->sends_closed &&
                    !atomic_load(&call->writes_failed);
    grpc_byte_buffer *buffer = possible ? grpcc_buffer_pack(message) : NULL;
    if (!buffer || !grpcc_events_begin(events)) {
        grpc_byte_buffer_destroy(buffer);
        done(data, false);
        return;
    }
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE,
                  .flags = grpcc_compression_flags(call->message_compression_off),
                  .data.send_message.send_message = buffer};
    call->write_events = events;
    call->write_done = done;
    call->write_data = data;
    grpcc_tally_add(&call->sent_tally, grpc_byte_buffer_length(buffer));
    grpcc_client_call_hold(call);
    grpcc_core_start(call->core, &op, 1, &call->on_write);
    grpc_byte_buffer_destroy(buffer);
}

void grpcc_stream_write_start(struct grpcc_client_call *call, const ProtobufCMessage *message,
                              void (*done)(void *data, bool ok), void *data)
{
    write_start(call, message, call->member.events, done, data);
}

struct write_wait {
    struct grpcc_wait wait;
    bool ok;
};

static void write_done_wakes(void *data, bool ok)
{
    struct write_wait *written = data;
    written->ok = ok;
    grpcc_wait_signal(&written->wait);
}

bool grpcc_stream_write(struct grpcc_client_call *call, const ProtobufCMessage *message)
{
    struct write_wait written;
    if (grpcc_client_may_block(NULL))
        return false;
    grpcc_wait_init(&written.wait);
    write_start(call, message, NULL, write_done_wakes, &written);
    grpcc_wait_for(&written.wait);
    grpcc_wait_done(&written.wait);
    return written.ok;
}

static void on_close_send(struct grpcc_tag *tag, bool ok)
{
    struct grpcc_client_call *call = GRPCC_CONTAINER(tag, struct grpcc_client_call, on_close_send);
    if (!ok)
        atomic_store(&call->writes_failed, true);
    grpcc_client_call_release(call);
}

bool grpcc_stream_close_send(struct grpcc_client_call *call)
{
    grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    if (grpcc_client_is_forked() || !sends_stream(call))
        return false;
    if (!call->sends_closed) {
        call->sends_closed = true;
        grpcc_client_call_hold(call);
        grpcc_core_start(call->core, &op, 1, &call->on_close_send);
    }
    return !atomic_load(&call->writes_failed);
}

/* ---- the end ---- */

static void tell_finish(struct grpcc_event *event)
{
    struct grpcc_client_call *call = GRPCC_CONTAINER(event, struct grpcc_client_call, finish_event);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    void *response = NULL;
    enum grpcc_status status = grpcc_client_call_status(call, call->finish_arena, &err);
    if (!status && call->method->kind == GRPCC_CLIENT_STREAM && call->finish_arena)
        status = grpcc_client_call_unpack(call, call->finish_arena, &response, &err);
    grpcc_unary_done done = call->finish_done;
    void *data = call->finish_data;
    grpcc_client_call_release(call);
    done(data, status, response, &err);
}

/* One of what the end waits for is there; the last one finishes. Gives back the caller's reference.
 */
static void finish_step(struct grpcc_client_call *call)
{
    if (atomic_fetch_sub(&call->finish_steps, 1) != 1)
        grpcc_client_call_release(call);
    else
        grpcc_events_tell(call->finish_events, &call->finish_event);
}

static void on_status(struct grpcc_tag *tag, bool ok)
{
    struct grpcc_client_call *call = GRPCC_CONTAINER(tag, struct grpcc_client_call, on_status);
    (void)ok;
    grpcc_client_call_ended(call, grpcc_client_call_code(call));
    finish_step(call);
}

static void on_response(struct grpcc_tag *tag, bool ok)
{
    struct grpcc_client_call *call = GRPCC_CONTAINER(tag, struct grpcc_client_call, on_response);
    (void)ok;
    grpcc_client_call_note_received(call);
    finish_step(call);
}

/* events NULL: done runs on the poller, or here. */
static void finish_start(struct grpcc_client_call *call, struct grpcc_arena *arena,
                         struct grpcc_events *events, grpcc_unary_done done, void *data)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (grpcc_client_is_forked() || call->finished || call->method->kind == GRPCC_UNARY) {
        grpcc_error_set(&err, GRPCC_FAILED_PRECONDITION, "%s cannot be finished here, or again",
                        call->method->path);
        done(data, err.status, NULL, &err);
        return;
    }
    if (!grpcc_events_begin(events)) {
        grpcc_client_events_freed(&err);
        done(data, err.status, NULL, &err);
        return;
    }
    call->finished = true;
    call->finish_events = events;
    call->finish_arena = arena;
    call->finish_done = done;
    call->finish_data = data;
    grpcc_client_call_hold(call);
    if (call->method->kind == GRPCC_CLIENT_STREAM) {
        grpcc_stream_close_send(call);
        start_read(call, &call->on_response);
    } else if (!call->reads_ended && !atomic_load(&call->writes_failed)) {
        grpc_call_cancel(call->core, NULL);
    }
    finish_step(call);
}

void grpcc_stream_finish_start(struct grpcc_client_call *call, struct grpcc_arena *arena,
                               grpcc_unary_done done, void *data)
{
    finish_start(call, arena, call->member.events, done, data);
}

struct finish_wait {
    struct grpcc_wait wait;
    enum grpcc_status status;
    void *response;
    struct grpcc_error *err;
};

static void finish_done_wakes(void *data, enum grpcc_status status, void *response,
                              const struct grpcc_error *err)
{
    struct finish_wait *finished = data;
    finished->status = status;
    finished->response = response;
    if (status && finished->err)
        *finished->err = *err;
    grpcc_wait_signal(&finished->wait);
}

enum grpcc_status grpcc_stream_finish(struct grpcc_client_call *call, struct grpcc_arena *arena,
                                      void **ret_response, struct grpcc_error *err)
{
    struct finish_wait finished = {.err = err};
    enum grpcc_status status = grpcc_client_may_block(err);
    if (status)
        return status;
    grpcc_wait_init(&finished.wait);
    finish_start(call, arena, NULL, finish_done_wakes, &finished);
    grpcc_wait_for(&finished.wait);
    grpcc_wait_done(&finished.wait);
    if (!finished.status && ret_response)
        *ret_response = finished.response;
    return finished.status;
}

/* ---- compression ---- */

void grpcc_stream_set_message_compression(struct grpcc_client_call *call, bool compress)
{
    call->message_compression_off = !compress;
}

bool grpcc_stream_response_was_compressed(const struct grpcc_client_call *call)
{
    return call->was_compressed;
}

void grpcc_client_stream_init(struct grpcc_client_call *call)
{
    call->on_open.run = on_open;
    call->on_initial.run = on_initial;
    call->on_status.run = on_status;
    call->on_read.run = on_read;
    call->on_write.run = on_write;
    call->on_close_send.run = on_close_send;
    call->on_response.run = on_response;
    call->read_event.run = tell_read;
    call->write_event.run = tell_write;
    call->finish_event.run = tell_finish;
}
