/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel's connections are like, and waiting for one. */
#include "gen/runtime/src/client/client.h"

struct watch {
    struct grpcc_tag tag;
    struct grpcc_wait wait;
};

static void on_change(struct grpcc_tag *tag, bool ok)
{
    (void)ok; /* the state says it */
    grpcc_wait_signal(&GRPCC_CONTAINER(tag, struct watch, tag)->wait);
}

static enum grpcc_connectivity from_core(grpc_connectivity_state state)
{
    switch (state) {
    case GRPC_CHANNEL_CONNECTING:
        return GRPCC_CONNECTIVITY_CONNECTING;
    case GRPC_CHANNEL_READY:
        return GRPCC_CONNECTIVITY_READY;
    case GRPC_CHANNEL_TRANSIENT_FAILURE:
    case GRPC_CHANNEL_SHUTDOWN:
        return GRPCC_CONNECTIVITY_FAILURE;
    case GRPC_CHANNEL_IDLE:
        break;
    }
    return GRPCC_CONNECTIVITY_IDLE;
}

enum grpcc_connectivity grpcc_channel_connectivity(struct grpcc_channel *channel, bool connect)
{
    if (!channel->core || grpcc_client_is_forked())
        return GRPCC_CONNECTIVITY_IDLE;
    return from_core(grpc_channel_check_connectivity_state(channel->core, connect));
}

/* False: the time is over first. */
static bool wait_change(struct grpcc_channel *channel, grpc_connectivity_state seen,
                        int64_t until_ns)
{
    struct watch watch = {.tag.run = on_change};
    if (grpcc_now_ns() >= until_ns)
        return false;
    grpcc_wait_init(&watch.wait);
    grpcc_handoff_release(&watch.tag);
    grpc_channel_watch_connectivity_state(channel->core, seen, grpcc_time_to_core(until_ns),
                                          channel->queue, &watch.tag);
    grpcc_wait_for(&watch.wait);
    grpcc_wait_done(&watch.wait);
    return true;
}

enum grpcc_status grpcc_channel_wait_ready(struct grpcc_channel *channel, unsigned timeout_ms,
                                           struct grpcc_error *err)
{
    int64_t until_ns = grpcc_now_ns() + (int64_t)timeout_ms * GRPCC_NS_PER_MS;
    enum grpcc_status status = grpcc_client_may_block(err);
    if (status)
        return status;
    if (!channel->core || grpcc_client_is_forked())
        return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION,
                               "this channel has no connections of its own in this process");
    for (;;) {
        grpc_connectivity_state state = grpc_channel_check_connectivity_state(channel->core, 1);
        if (state == GRPC_CHANNEL_READY)
            return GRPCC_OK;
        if (!wait_change(channel, state, until_ns))
            return grpcc_error_set(err, GRPCC_DEADLINE_EXCEEDED,
                                   "no connection was ready after %u ms", timeout_ms);
    }
}
