/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/observe/observe.h"

#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/server/call.h"
#include "gen/runtime/src/server/server.h"

const char *grpcc_refusal_name(enum grpcc_refusal refusal)
{
    static const char *const names[GRPCC_REFUSALS] = {
        [GRPCC_NOT_REFUSED] = "",
        [GRPCC_REFUSED_QUEUE_FULL] = "queue_full",
        [GRPCC_REFUSED_QUEUE_AGE] = "queue_age",
        [GRPCC_REFUSED_DRAINING] = "draining",
        [GRPCC_REFUSED_SIZE] = "size",
        [GRPCC_REFUSED_REQUEST] = "request",
        [GRPCC_REFUSED_DEAD] = "dead",
        [GRPCC_REFUSED_LIMIT] = "limit",
        [GRPCC_REFUSED_NO_MEMORY] = "no_memory",
        [GRPCC_REFUSED_CALLS_MAX] = "calls_max",
        [GRPCC_REFUSED_IDENTITY] = "identity",
    };
    return (unsigned)refusal < GRPCC_REFUSALS ? names[refusal] : "";
}

/* ---- observers ---- */

enum grpcc_status grpcc_server_add_observer(struct grpcc_server *server,
                                            const struct grpcc_observer *observer, void *self,
                                            struct grpcc_error *err)
{
    if (server->state != GRPCC_SERVER_NEW)
        return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION,
                               "the server has been started before");
    struct grpcc_server_observer *grown = grpcc_memory_realloc(
        server->observers, (server->n_observers + 1) * sizeof(*server->observers));
    if (!grown)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for an observer");
    server->observers = grown;
    struct grpcc_server_observer *added = &grown[server->n_observers++];
    *added = (struct grpcc_server_observer){.self = self};
    grpcc_options_copy(&added->slots, sizeof(added->slots), observer);
    return GRPCC_OK;
}

void grpcc_observers_started(struct grpcc_call *call)
{
    const struct grpcc_server *server = call->server;
    for (size_t i = 0; i < server->n_observers; i++)
        if (server->observers[i].slots.started)
            server->observers[i].slots.started(server->observers[i].self, call);
}

static void tell_end(struct grpcc_server *server, struct grpcc_call *call,
                     const struct grpcc_call_facts *facts)
{
    for (size_t i = server->n_observers; i-- > 0;)
        if (server->observers[i].slots.ended)
            server->observers[i].slots.ended(server->observers[i].self, call, facts);
}

void grpcc_observers_ended(struct grpcc_call *call, enum grpcc_status status)
{
    if (call->server->n_observers == 0)
        return;
    const struct grpcc_call_facts facts = {
        .method = grpcc_call_method(call),
        .path = call->path,
        .status = status,
        .refusal = (enum grpcc_refusal)atomic_load_explicit(&call->refusal, memory_order_relaxed),
        .started_ns = call->started_ns,
        .ended_ns = grpcc_now_ns(),
        .messages_received =
            atomic_load_explicit(&call->received_tally.messages, memory_order_relaxed),
        .messages_sent = atomic_load_explicit(&call->sent_tally.messages, memory_order_relaxed),
        .bytes_received = atomic_load_explicit(&call->received_tally.bytes, memory_order_relaxed),
        .bytes_sent = atomic_load_explicit(&call->sent_tally.bytes, memory_order_relaxed),
        .arena_bytes = grpcc_arena_used(call->arena),
    };
    tell_end(call->server, call, &facts);
}

void grpcc_observers_dropped(struct grpcc_server *server, const struct grpcc_server_method *method)
{
    int64_t now_ns = grpcc_now_ns();
    const struct grpcc_call_facts facts = {
        .method = method ? method->descriptor : NULL,
        .path = method ? method->descriptor->path : "",
        .status = GRPCC_RESOURCE_EXHAUSTED,
        .refusal = GRPCC_REFUSED_NO_MEMORY,
        .started_ns = now_ns,
        .ended_ns = now_ns,
    };
    tell_end(server, NULL, &facts);
}

void grpcc_observers_released(struct grpcc_server *server)
{
    for (size_t i = 0; i < server->n_observers; i++)
        if (server->observers[i].slots.released)
            server->observers[i].slots.released(server->observers[i].self, server);
    grpcc_memory_free(server->observers);
}

/* ---- what interceptors and observers attach ---- */

struct grpcc_attachment {
    struct grpcc_attachment *next;
    const void *key;
    void *data;
};

bool grpcc_call_attach(struct grpcc_call *call, const void *key, void *data)
{
    struct grpcc_attachment *added = grpcc_arena_alloc(call->arena, sizeof(*added));
    if (!added)
        return false;
    *added = (struct grpcc_attachment){call->attachments, key, data};
    call->attachments = added;
    return true;
}

void *grpcc_call_attached(const struct grpcc_call *call, const void *key)
{
    for (const struct grpcc_attachment *at = call->attachments; at; at = at->next)
        if (at->key == key)
            return at->data;
    return NULL;
}
