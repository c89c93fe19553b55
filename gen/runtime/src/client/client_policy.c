/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/client/client_policy.h"

#include "gen/runtime/src/message/memory.h"

/* A policy's call that reports to events. References: the start, the policy's answer until it has
 * been told, the program's handle. */
struct bridge {
    atomic_uint refs;
    struct grpcc_events_member member;
    struct grpcc_event event;
    grpcc_unary_done done;
    void *data;
    enum grpcc_status status;
    void *response;
    struct grpcc_error err;

    pthread_mutex_t lock; /* all below */
    struct grpcc_client_call *inner;
    bool cancelled;
};

static void release(struct bridge *bridge)
{
    if (atomic_fetch_sub_explicit(&bridge->refs, 1, memory_order_acq_rel) != 1)
        return;
    grpcc_events_leave(&bridge->member);
    grpcc_client_call_free(bridge->inner);
    pthread_mutex_destroy(&bridge->lock);
    grpcc_memory_free(bridge);
}

static void cancel(void *self)
{
    struct bridge *bridge = self;
    pthread_mutex_lock(&bridge->lock);
    bridge->cancelled = true;
    struct grpcc_client_call *inner = bridge->inner;
    pthread_mutex_unlock(&bridge->lock);
    if (inner)
        grpcc_client_call_cancel(inner);
}

static void handle_free(void *self)
{
    release(self);
}

static bool member_try_hold(struct grpcc_events_member *member)
{
    return grpcc_try_hold(&GRPCC_CONTAINER(member, struct bridge, member)->refs);
}

static void member_cancel(struct grpcc_events_member *member)
{
    cancel(GRPCC_CONTAINER(member, struct bridge, member));
}

static void member_release(struct grpcc_events_member *member)
{
    release(GRPCC_CONTAINER(member, struct bridge, member));
}

static void tell(struct grpcc_event *event)
{
    struct bridge *bridge = GRPCC_CONTAINER(event, struct bridge, event);
    struct grpcc_error err = bridge->err;
    enum grpcc_status status = bridge->status;
    void *response = bridge->response;
    grpcc_unary_done done = bridge->done;
    void *data = bridge->data;
    release(bridge);
    done(data, status, response, &err);
}

static void on_answer(void *data, enum grpcc_status status, void *response,
                      const struct grpcc_error *err)
{
    struct bridge *bridge = data;
    bridge->status = status;
    bridge->response = response;
    bridge->err = *err;
    grpcc_events_tell(bridge->member.events, &bridge->event);
}

/* NULL and err: no memory, or no events any more. */
static struct bridge *bridge_new(struct grpcc_events *events, grpcc_unary_done done, void *data,
                                 struct grpcc_error *err)
{
    static const struct grpcc_events_member_ops ops = {member_try_hold, member_cancel,
                                                       member_release};
    struct bridge *bridge = grpcc_memory_zalloc(sizeof(*bridge));
    if (!bridge) {
        grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for a call");
        return NULL;
    }
    atomic_store(&bridge->refs, 2);
    pthread_mutex_init(&bridge->lock, NULL);
    bridge->event.run = tell;
    bridge->done = done;
    bridge->data = data;
    if (grpcc_events_join(&bridge->member, events, &ops) &&
        grpcc_events_begin(bridge->member.events))
        return bridge;
    grpcc_client_events_freed(err);
    atomic_store(&bridge->refs, 1);
    release(bridge);
    return NULL;
}

/* The program's handle, whatever becomes of the call. */
static bool give_handle(struct bridge *bridge, struct grpcc_client_call **ret_call)
{
    if (!ret_call)
        return true;
    *ret_call = grpcc_client_call_new_policy(cancel, handle_free, bridge);
    if (!*ret_call)
        return false;
    atomic_fetch_add(&bridge->refs, 1);
    return true;
}

static void start(struct bridge *bridge, struct grpcc_channel *channel,
                  const struct grpcc_method *method, struct grpcc_arena *arena,
                  const struct grpcc_call_options *given, const ProtobufCMessage *request)
{
    struct grpcc_call_options options = {.size = sizeof(options)};
    struct grpcc_client_call *inner = NULL;
    grpcc_options_copy(&options, sizeof(options), given);
    options.size = sizeof(options);
    options.events = NULL;
    channel->policy->unary_start(channel->policy_self, method, arena, &options, request, on_answer,
                                 bridge, &inner);
    pthread_mutex_lock(&bridge->lock);
    bridge->inner = inner;
    bool cancelled = bridge->cancelled;
    pthread_mutex_unlock(&bridge->lock);
    if (cancelled && inner)
        grpcc_client_call_cancel(inner);
}

void grpcc_policy_unary_start(struct grpcc_channel *channel, const struct grpcc_method *method,
                              struct grpcc_arena *arena, const struct grpcc_call_options *options,
                              const ProtobufCMessage *request, grpcc_unary_done done, void *data,
                              struct grpcc_client_call **ret_call)
{
    struct grpcc_events *events = grpcc_events_of(options);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (!events) {
        channel->policy->unary_start(channel->policy_self, method, arena, options, request, done,
                                     data, ret_call);
        return;
    }
    if (ret_call)
        *ret_call = NULL;
    struct bridge *bridge = bridge_new(events, done, data, &err);
    if (!bridge) {
        done(data, err.status, NULL, &err);
        return;
    }
    if (give_handle(bridge, ret_call)) {
        start(bridge, channel, method, arena, options, request);
    } else {
        grpcc_error_set(&err, GRPCC_RESOURCE_EXHAUSTED, "no memory for a call");
        on_answer(bridge, err.status, NULL, &err);
    }
    release(bridge);
}
