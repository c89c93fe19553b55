/* SPDX-License-Identifier: Apache-2.0 */
/* Unary calls: one batch of six operations, one event. */
#include <string.h>

#include "gen/runtime/src/client/client.h"
#include "gen/runtime/src/client/client_hedge.h"
#include "gen/runtime/src/client/client_policy.h"

enum grpcc_status grpcc_client_unary_complete(struct grpcc_client_call *call,
                                              struct grpcc_arena *arena, void **ret_response,
                                              struct grpcc_error *err)
{
    enum grpcc_status status = grpcc_client_call_status(call, arena, err);
    return status ? status : grpcc_client_call_unpack(call, arena, ret_response, err);
}

static void tell(struct grpcc_event *event)
{
    struct grpcc_client_call *call = GRPCC_CONTAINER(event, struct grpcc_client_call, unary_event);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    void *response = NULL;
    enum grpcc_status status = grpcc_client_unary_complete(call, call->arena, &response, &err);
    grpcc_unary_done done = call->unary_done;
    void *data = call->unary_data;
    grpcc_client_call_release(call);
    done(data, status, response, &err);
}

static void on_unary(struct grpcc_tag *tag, bool ok)
{
    struct grpcc_client_call *call = GRPCC_CONTAINER(tag, struct grpcc_client_call, on_unary);
    (void)ok; /* the status says it all */
    grpcc_client_call_note_received(call);
    grpcc_client_call_ended(call, grpcc_client_call_code(call));
    if (call->hedge) {
        grpcc_hedge_attempt_ended(call->hedge, call);
        return;
    }
    if (call->unary_wait) {
        /* The waiter's reference is the last one: it may free the channel next. */
        struct grpcc_wait *wait = call->unary_wait;
        grpcc_client_call_release(call);
        grpcc_wait_signal(wait);
        return;
    }
    grpcc_events_tell(call->member.events, &call->unary_event);
}

void grpcc_client_unary_init(struct grpcc_client_call *call)
{
    call->on_unary.run = on_unary;
    call->unary_event.run = tell;
}

void grpcc_client_unary_send(struct grpcc_client_call *call,
                             const struct grpcc_call_options *options, grpc_byte_buffer *request)
{
    grpc_op ops[6];
    memset(ops, 0, sizeof(ops));
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].flags = grpcc_client_call_flags(options);
    ops[0].data.send_initial_metadata.count = call->metadata.n;
    ops[0].data.send_initial_metadata.metadata = call->metadata.items;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = request;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &call->initial;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &call->received;
    ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[5].data.recv_status_on_client.trailing_metadata = &call->trailing;
    ops[5].data.recv_status_on_client.status = &call->code;
    ops[5].data.recv_status_on_client.status_details = &call->message;
    grpcc_tally_add(&call->sent_tally, grpc_byte_buffer_length(request));
    grpcc_client_call_hold(call);
    grpcc_core_start(call->core, ops, 6, &call->on_unary);
    grpc_byte_buffer_destroy(request);
}

static enum grpcc_status pack(const ProtobufCMessage *request, grpc_byte_buffer **ret_buffer,
                              struct grpcc_error *err)
{
    *ret_buffer = grpcc_buffer_pack(request);
    if (*ret_buffer)
        return GRPCC_OK;
    return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "the request is too large to be sent");
}

/* ---- blocking ---- */

static enum grpcc_status send_and_wait(struct grpcc_channel *channel,
                                       const struct grpcc_method *method, struct grpcc_arena *arena,
                                       const struct grpcc_call_options *options,
                                       const ProtobufCMessage *request, void **ret_response,
                                       struct grpcc_error *err)
{
    struct grpcc_wait wait;
    grpc_byte_buffer *buffer;
    struct grpcc_client_call *call = grpcc_client_call_new(channel, method, options, err);
    if (!call)
        return err->status;
    enum grpcc_status status = pack(request, &buffer, err);
    if (!status) {
        grpcc_wait_init(&wait);
        call->unary_wait = &wait;
        grpcc_client_unary_send(call, options, buffer);
        grpcc_wait_for(&wait);
        grpcc_wait_done(&wait);
        status = grpcc_client_unary_complete(call, arena, ret_response, err);
    }
    grpcc_client_call_release(call);
    return status;
}

enum grpcc_status grpcc_unary(struct grpcc_channel *channel, const struct grpcc_method *method,
                              struct grpcc_arena *arena, const struct grpcc_call_options *options,
                              const ProtobufCMessage *request, void **ret_response,
                              struct grpcc_error *err)
{
    struct grpcc_error own = GRPCC_ERROR_INIT;
    enum grpcc_status status = grpcc_client_may_block(err);
    if (status)
        return status;
    if (channel->policy)
        return channel->policy->unary(channel->policy_self, method, arena, options, request,
                                      ret_response, err);
    if (grpcc_hedge_of(options))
        return grpcc_hedge_unary(channel, method, arena, options, request, ret_response, err);
    return send_and_wait(channel, method, arena, options, request, ret_response, err ? err : &own);
}

/* ---- callback, events ---- */

static enum grpcc_status send(struct grpcc_client_call *call,
                              const struct grpcc_call_options *options,
                              const ProtobufCMessage *request, struct grpcc_error *err)
{
    grpc_byte_buffer *buffer;
    enum grpcc_status status = pack(request, &buffer, err);
    if (status)
        return status;
    status = grpcc_client_call_join_events(call, options, err);
    if (!status && !grpcc_events_begin(call->member.events))
        status = grpcc_client_events_freed(err);
    if (status)
        grpc_byte_buffer_destroy(buffer);
    else
        grpcc_client_unary_send(call, options, buffer);
    return status;
}

void grpcc_unary_start(struct grpcc_channel *channel, const struct grpcc_method *method,
                       struct grpcc_arena *arena, const struct grpcc_call_options *options,
                       const ProtobufCMessage *request, grpcc_unary_done done, void *data,
                       struct grpcc_client_call **ret_call)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (channel->policy) {
        grpcc_policy_unary_start(channel, method, arena, options, request, done, data, ret_call);
        return;
    }
    if (grpcc_hedge_of(options)) {
        grpcc_hedge_unary_start(channel, method, arena, options, request, done, data, ret_call);
        return;
    }
    struct grpcc_client_call *call = grpcc_client_call_new(channel, method, options, &err);
    if (ret_call)
        *ret_call = call;
    if (!call) {
        done(data, err.status, NULL, &err);
        return;
    }
    call->arena = arena;
    call->unary_done = done;
    call->unary_data = data;
    if (ret_call)
        grpcc_client_call_hold(call); /* the program's */
    if (send(call, options, request, &err)) {
        call->on_end = NULL; /* it was not started */
        done(data, err.status, NULL, &err);
    }
    grpcc_client_call_release(call);
}
