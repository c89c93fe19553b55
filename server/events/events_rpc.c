/* SPDX-License-Identifier: Apache-2.0 */
#include "server/events/events_rpc.h"

#include "comb/v1/events.grpcc.h"
#include "server/core/memory.h"

static void rpc_publish(void *self, struct grpcc_call *call,
                        const struct comb_v1_events_publish_request *request)
{
    struct comb_v1_events_publish_response *response =
        comb_v1_events_publish_response_new(grpcc_call_arena(call));
    struct comb_error err = {0};
    enum comb_status status = response ? COMB_OK : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_event_service_publish(
            self, comb_rpc_ctx(call), comb_str_from(request->topic),
            comb_str_of(request->payload.data, request->payload.len), &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- Subscribe ---- */

/* A call that listens. Its memory is its own: the call's arena only grows. */
struct receiver {
    struct grpcc_call *call;
    struct grpcc_arena *arena; /* of the answer on its way */
    void (*done)(void *data, bool ok);
    void *data;
};

/* What is cut by the type of the enum is not: each kind of loss has a cause. */
static enum comb_v1_events_loss_cause cause_of(enum comb_event_kind kind)
{
    if (kind == COMB_EVENT_GAP)
        return COMB_V1_EVENTS_LOSS_CAUSE_GAP;
    return kind == COMB_EVENT_SLOW ? COMB_V1_EVENTS_LOSS_CAUSE_SLOW
                                   : COMB_V1_EVENTS_LOSS_CAUSE_STORE;
}

/* NULL: no room. */
static struct comb_v1_events_subscribe_response *to_message(struct grpcc_arena *arena,
                                                            const struct comb_event *event)
{
    struct comb_v1_events_subscribe_response *response =
        comb_v1_events_subscribe_response_new(arena);
    if (!response)
        return NULL;
    if (!event) {
        struct comb_v1_events_heartbeat *heartbeat = comb_v1_events_heartbeat_new(arena);
        comb_v1_events_subscribe_response_set_heartbeat(response, heartbeat);
        return heartbeat ? response : NULL;
    }
    if (event->kind == COMB_EVENT_MESSAGE) {
        struct comb_v1_events_message *message = comb_v1_events_message_new(arena);
        if (!message)
            return NULL;
        message->topic = comb_str_dup(arena, event->topic);
        message->payload.data = (uint8_t *)event->payload.ptr;
        message->payload.len = event->payload.len;
        comb_v1_events_subscribe_response_set_message(response, message);
        return message->topic ? response : NULL;
    }
    struct comb_v1_events_loss *loss = comb_v1_events_loss_new(arena);
    if (!loss)
        return NULL;
    loss->cause = cause_of(event->kind);
    loss->lost_min = event->n_lost;
    comb_v1_events_subscribe_response_set_loss(response, loss);
    return response;
}

static void event_sent(void *data, enum grpcc_status status)
{
    const struct receiver *receiver = data;
    receiver->done(receiver->data, status == GRPCC_OK);
}

static void receiver_send(void *self, const struct comb_event *event,
                          void (*done)(void *data, bool ok), void *data)
{
    struct receiver *receiver = self;
    receiver->done = done;
    receiver->data = data;
    grpcc_arena_reset(receiver->arena);
    const struct comb_v1_events_subscribe_response *message = to_message(receiver->arena, event);
    if (message)
        comb_v1_events_subscribe_send_start(receiver->call, message, event_sent, receiver);
    else
        done(data, false);
}

static enum comb_event_receiver_state receiver_state(void *self)
{
    const struct receiver *receiver = self;
    if (grpcc_call_is_cancelled(receiver->call))
        return COMB_EVENT_RECEIVER_GONE;
    return grpcc_call_is_draining(receiver->call) ? COMB_EVENT_RECEIVER_DRAINING
                                                  : COMB_EVENT_RECEIVER_READY;
}

static void receiver_free(struct receiver *receiver)
{
    grpcc_arena_free(receiver->arena);
    comb_memory_free(receiver);
}

static void receiver_end(void *self, const struct comb_error *err)
{
    struct receiver *receiver = self;
    struct grpcc_call *call = receiver->call;
    receiver_free(receiver);
    comb_rpc_fail(call, err);
    grpcc_call_unref(call);
}

static const struct comb_event_receiver receiver_of_call = {
    .send = receiver_send, .state = receiver_state, .end = receiver_end};

static void rpc_subscribe(void *self, struct grpcc_call *call,
                          const struct comb_v1_events_subscribe_request *request)
{
    struct receiver *receiver = comb_memory_zalloc(sizeof *receiver);
    struct comb_error err = {0};
    enum comb_status status = COMB_OK;
    if (receiver)
        receiver->arena = grpcc_arena_new(0);
    if (!receiver || !receiver->arena)
        status = comb_error_no_memory(&err);
    if (status == COMB_OK) {
        receiver->call = grpcc_call_ref(call);
        status =
            comb_event_service_listen(self, comb_rpc_ctx(call), comb_str_from(request->pattern),
                                      comb_str_from(request->queue_group), request->queue_max,
                                      &receiver_of_call, receiver, &err);
    }
    if (status == COMB_OK)
        return;
    comb_rpc_fail(call, &err);
    if (receiver && receiver->call)
        grpcc_call_unref(receiver->call);
    if (receiver)
        receiver_free(receiver);
}

static const struct comb_v1_events_server METHODS = {.publish = rpc_publish,
                                                     .subscribe = rpc_subscribe};

enum comb_status comb_events_rpc_register(struct grpcc_server *server,
                                          struct comb_event_service *service,
                                          struct comb_error *err)
{
    struct grpcc_error grpcc_err;
    if (comb_v1_events_register(server, &METHODS, service, &grpcc_err) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Events: %s", grpcc_err.message);
}
