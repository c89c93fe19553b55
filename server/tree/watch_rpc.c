/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tree/watch_rpc.h"

#include "server/rpc/rpc.h"
#include "server/tree/tree_watch.h"

/* One event on its way. */
struct sending {
    void (*done)(void *data, bool ok);
    void *data;
};

struct receiver {
    struct grpcc_call *call;
    struct sending sending;
};

static void event_sent(void *data, enum grpcc_status status)
{
    struct receiver *receiver = data;
    struct sending sending = receiver->sending;

    sending.done(sending.data, status == GRPCC_OK);
}

static void receiver_send(void *self, const struct comb_v1_tree_watch_response *event,
                          void (*done)(void *data, bool ok), void *data)
{
    struct receiver *receiver = self;

    receiver->sending = (struct sending){.done = done, .data = data};
    comb_v1_tree_watch_send_start(receiver->call, event, event_sent, receiver);
}

static enum comb_tree_receiver_state receiver_state(void *self)
{
    const struct receiver *receiver = self;

    if (grpcc_call_is_cancelled(receiver->call))
        return COMB_TREE_RECEIVER_GONE;
    return grpcc_call_is_draining(receiver->call) ? COMB_TREE_RECEIVER_DRAINING
                                                  : COMB_TREE_RECEIVER_READY;
}

static void receiver_end(void *self, const struct comb_error *err)
{
    struct receiver *receiver = self;
    struct grpcc_call *call = receiver->call;

    comb_rpc_fail(call, err);
    grpcc_call_unref(call);
}

static const struct comb_tree_receiver receiver_of_call = {
    .send = receiver_send, .state = receiver_state, .end = receiver_end};

void comb_tree_rpc_watch(struct comb_tree *tree, struct grpcc_call *call,
                         const struct comb_v1_tree_watch_request *request)
{
    struct receiver *receiver = grpcc_arena_zalloc(grpcc_call_arena(call), sizeof *receiver);
    struct comb_error err = {0};
    enum comb_status status;

    if (!receiver) {
        (void)comb_error_no_memory(&err);
        comb_rpc_fail(call, &err);
        return;
    }
    receiver->call = grpcc_call_ref(call);
    status =
        comb_tree_watch_start(tree, comb_rpc_ctx(call), request, &receiver_of_call, receiver, &err);
    if (status != COMB_OK)
        receiver_end(receiver, &err);
}
