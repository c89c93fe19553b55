/* SPDX-License-Identifier: Apache-2.0 */
/* Requests posted to core: many per method and queue, because a call without a slot waits, and
 * core's wait is unbounded. */
#include "gen/runtime/src/core/log.h"
#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/server/accept_read.h"
#include "gen/runtime/src/server/call.h"
#include "gen/runtime/src/server/server.h"

/* Only programs that link //gen/runtime:accept have it. */
#pragma weak grpcc_accept_note_call

enum { SLOTS_BUILTIN = 4, SLOTS_UNKNOWN = 16 };

static void slot_run(struct grpcc_tag *tag, bool ok);

static unsigned slots_of(const struct grpcc_server *server,
                         const struct grpcc_server_method *method)
{
    if (!method)
        return SLOTS_UNKNOWN;
    return method->builtin ? SLOTS_BUILTIN : server->options.slots;
}

static void slots_fill(struct grpcc_server *server, const struct grpcc_server_method *method,
                       grpc_completion_queue *queue)
{
    unsigned n = slots_of(server, method);
    for (unsigned i = 0; i < n; i++) {
        struct grpcc_slot *slot = &server->slots[server->n_slots++];
        slot->tag.run = slot_run;
        slot->server = server;
        slot->method = method;
        slot->queue = queue;
        grpc_metadata_array_init(&slot->metadata);
        grpc_call_details_init(&slot->details);
    }
}

bool grpcc_slots_new(struct grpcc_server *server)
{
    size_t per_queue = slots_of(server, NULL);
    for (size_t i = 0; i < server->n_methods; i++)
        per_queue += slots_of(server, server->methods[i]);
    server->slots = grpcc_memory_zalloc(per_queue * server->n_queues * sizeof(*server->slots));
    if (!server->slots)
        return false;
    for (size_t q = 0; q < server->n_queues; q++) {
        for (size_t i = 0; i < server->n_methods; i++)
            slots_fill(server, server->methods[i], server->queues[q]);
        slots_fill(server, NULL, server->queues[q]);
    }
    return true;
}

void grpcc_slots_free(struct grpcc_server *server)
{
    for (size_t i = 0; i < server->n_slots; i++)
        grpc_metadata_array_destroy(&server->slots[i].metadata);
    grpcc_memory_free(server->slots);
}

static void slot_post(struct grpcc_slot *slot)
{
    grpc_server *core = slot->server->core;
    grpc_call_error error;
    grpcc_handoff_release(&slot->tag);
    if (!slot->method) {
        error = grpc_server_request_call(core, &slot->core, &slot->details, &slot->metadata,
                                         slot->queue, slot->queue, &slot->tag);
    } else {
        bool stream = slot->method->descriptor->kind == GRPCC_CLIENT_STREAM ||
                      slot->method->descriptor->kind == GRPCC_BIDI_STREAM;
        error = grpc_server_request_registered_call(
            core, slot->method->core_handle, &slot->core, &slot->deadline, &slot->metadata,
            stream ? NULL : &slot->payload, slot->queue, slot->queue, &slot->tag);
    }
    if (error != GRPC_CALL_OK)
        grpcc_log(GRPCC_LOG_ERROR, "core refused a slot: %s", grpc_call_error_to_string(error));
}

void grpcc_slots_post(struct grpcc_server *server)
{
    for (size_t i = 0; i < server->n_slots; i++)
        slot_post(&server->slots[i]);
}

/* Without memory for a call its peer still learns why. */
static void slot_drop(struct grpcc_slot *slot)
{
    grpc_call_cancel_with_status(slot->core, GRPC_STATUS_RESOURCE_EXHAUSTED,
                                 "the server has no memory for this call", NULL);
    grpc_byte_buffer_destroy(slot->payload);
    slot->payload = NULL;
    if (!slot->method)
        grpc_call_details_destroy(&slot->details);
    grpc_call_unref(slot->core);
    slot->metadata.count = 0;
}

static void slot_run(struct grpcc_tag *tag, bool ok)
{
    struct grpcc_slot *slot = GRPCC_CONTAINER(tag, struct grpcc_slot, tag);
    if (!ok)
        return; /* the server is shutting down */
    if (grpcc_accept_note_call)
        grpcc_accept_note_call();
    struct grpcc_call *call = grpcc_call_take(slot->server);
    if (!call) {
        slot_drop(slot);
        grpcc_observers_dropped(slot->server, slot->method);
        slot_post(slot);
        return;
    }
    grpcc_call_adopt(call, slot);
    slot_post(slot);
    grpcc_call_begin(call);
}
