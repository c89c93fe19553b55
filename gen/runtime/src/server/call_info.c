/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers and interceptors ask a call. */
#include <grpc/support/alloc.h>

#include "gen/runtime/src/server/call.h"
#include "gen/runtime/src/server/server.h"

struct grpcc_arena *grpcc_call_arena(struct grpcc_call *call)
{
    return call->arena;
}

const struct grpcc_method *grpcc_call_method(const struct grpcc_call *call)
{
    return call->method ? call->method->descriptor : NULL;
}

const char *grpcc_call_path(const struct grpcc_call *call)
{
    return call->path;
}

void *grpcc_call_tag(const struct grpcc_call *call)
{
    return call->method ? call->method->config.tag : NULL;
}

const ProtobufCMessage *grpcc_call_request(const struct grpcc_call *call)
{
    return call->request;
}

const char *grpcc_call_peer(struct grpcc_call *call)
{
    if (call->peer)
        return call->peer;
    char *peer = grpc_call_get_peer(call->core);
    char *copy = peer ? grpcc_arena_strdup(call->arena, peer) : NULL;
    gpr_free(peer);
    call->peer = copy ? copy : "";
    return call->peer;
}

int64_t grpcc_call_deadline_ns(const struct grpcc_call *call)
{
    return call->deadline_ns;
}

bool grpcc_call_is_draining(const struct grpcc_call *call)
{
    return atomic_load_explicit(&call->server->lame_duck, memory_order_acquire);
}

void grpcc_call_set_user_data(struct grpcc_call *call, void *data)
{
    call->user_data = data;
}

void *grpcc_call_user_data(const struct grpcc_call *call)
{
    return call->user_data;
}

const char *grpcc_call_metadata(const struct grpcc_call *call, const char *key, size_t *ret_length)
{
    const grpc_slice *value = grpcc_metadata_find(&call->metadata, key);
    if (!value)
        return NULL;
    /* The copy ends with a NUL, so that a text value is a string. */
    size_t length = GRPC_SLICE_LENGTH(*value);
    char *copy = grpcc_arena_zalloc(call->arena, length + 1);
    if (!copy)
        return NULL;
    for (size_t i = 0; i < length; i++)
        copy[i] = (char)GRPC_SLICE_START_PTR(*value)[i];
    if (ret_length)
        *ret_length = length;
    return copy;
}

bool grpcc_call_add_initial_metadata(struct grpcc_call *call, const char *key, const void *value,
                                     size_t length)
{
    return !call->initial_sent &&
           grpcc_metadata_add(&call->initial, call->arena, key, value, length);
}

bool grpcc_call_add_trailing_metadata(struct grpcc_call *call, const char *key, const void *value,
                                      size_t length)
{
    return grpcc_metadata_add(&call->trailing, call->arena, key, value, length);
}

bool grpcc_call_set_compression(struct grpcc_call *call, enum grpcc_compression compression)
{
    if (call->initial_sent)
        return false;
    call->compression = compression;
    return true;
}

void grpcc_call_set_message_compression(struct grpcc_call *call, bool compress)
{
    call->message_compression_off = !compress;
}

bool grpcc_call_request_was_compressed(const struct grpcc_call *call)
{
    return call->was_compressed;
}
