/* SPDX-License-Identifier: Apache-2.0 */
/* The trace context of server calls, and their spans. */
#include <string.h>
#include <time.h>

#include "gen/runtime/src/core/log.h"
#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/observe/observe.h"
#include "gen/runtime/src/server/call.h"
#include "gen/runtime/src/server/server.h"

int64_t grpcc_now_unix_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * GRPCC_NS_PER_S + now.tv_nsec;
}

bool grpcc_trace_is_picked(const struct grpcc_trace *trace, const struct grpcc_span_sink *sink)
{
    uint64_t random = 0;
    if (!sink)
        return false;
    /* The right half is the random one, whoever made the id. */
    memcpy(&random, trace->trace_id + GRPCC_TRACE_ID_BYTES - sizeof(random), sizeof(random));
    return sink->sample_one_in <= 1 || random % sink->sample_one_in == 0;
}

/* ---- the context ---- */

/* The only value of that key; false: there is none, or there are several. */
static bool find_only(const grpc_metadata_array *array, const char *key, const grpc_slice **ret)
{
    size_t n = 0;
    for (size_t i = 0; i < array->count; i++) {
        if (grpc_slice_str_cmp(array->metadata[i].key, key) != 0)
            continue;
        *ret = &array->metadata[i].value;
        n++;
    }
    return n == 1;
}

static bool read_parent(const struct grpcc_call *call, struct grpcc_trace *ret_parent)
{
    const grpc_slice *value = NULL;
    return find_only(&call->metadata, "traceparent", &value) &&
           grpcc_trace_parse((const char *)GRPC_SLICE_START_PTR(*value), GRPC_SLICE_LENGTH(*value),
                             ret_parent);
}

static void read_state(const struct grpcc_call *call, struct grpcc_call_context *context)
{
    char text[GRPCC_TRACESTATE_MAX + 1];
    size_t n = grpcc_metadata_join(&call->metadata, "tracestate", text, sizeof(text));
    if (n == 0 || n >= sizeof(text) || !grpcc_trace_state_is_valid(text, n))
        return;
    text[n] = '\0';
    context->state = grpcc_memory_strdup(text);
    context->trace.state = context->state;
}

static void make_context_locked(struct grpcc_call *call)
{
    struct grpcc_call_context *context = &call->context;
    struct grpcc_trace parent;
    if (read_parent(call, &parent)) {
        grpcc_trace_continue(&context->trace, &parent);
        read_state(call, context);
    } else {
        grpcc_trace_begin(&context->trace, false);
        if (grpcc_trace_is_picked(&context->trace, call->server->spans))
            context->trace.flags |= GRPCC_TRACE_SAMPLED;
    }
    grpcc_trace_hex(context->trace.trace_id, GRPCC_TRACE_ID_BYTES, context->id);
    atomic_store_explicit(&context->ready, true, memory_order_release);
}

static struct grpcc_call_context *context_of(struct grpcc_call *call)
{
    struct grpcc_call_context *context = &call->context;
    if (atomic_load_explicit(&context->ready, memory_order_acquire))
        return context;
    pthread_mutex_lock(&call->lock);
    if (!atomic_load_explicit(&context->ready, memory_order_relaxed))
        make_context_locked(call);
    pthread_mutex_unlock(&call->lock);
    return context;
}

const struct grpcc_trace *grpcc_call_trace(struct grpcc_call *call)
{
    return &context_of(call)->trace;
}

const char *grpcc_call_trace_id(struct grpcc_call *call)
{
    return context_of(call)->id;
}

void grpcc_call_context_done(struct grpcc_call_context *context)
{
    grpcc_memory_free(context->state);
}

/* ---- what is carried on ---- */

enum grpcc_status grpcc_server_set_propagation(struct grpcc_server *server,
                                               const char *const *names, size_t n,
                                               struct grpcc_error *err)
{
    if (server->state != GRPCC_SERVER_NEW)
        return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION,
                               "the server has been started before");
    const char *const *copy = n ? grpcc_memory_memdup(names, n * sizeof(*names)) : NULL;
    if (n && !copy)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for names of headers");
    grpcc_memory_free((void *)(uintptr_t)server->propagated);
    server->propagated = copy;
    server->n_propagated = n;
    server->propagates_own = true;
    return GRPCC_OK;
}

/* ---- spans ---- */

static void span_started(void *self, struct grpcc_call *call)
{
    const struct grpcc_span_sink *sink = self;
    const struct grpcc_trace *trace = grpcc_call_trace(call);
    if (!(trace->flags & GRPCC_TRACE_SAMPLED))
        return;
    struct grpcc_span *span = grpcc_arena_zalloc(call->arena, sizeof(*span));
    if (!span || !grpcc_call_attach(call, sink, span)) {
        grpcc_log(GRPCC_LOG_WARNING, "%s: no room for its span", call->path);
        return;
    }
    span->name = call->path[0] == '/' ? call->path + 1 : call->path;
    span->method = grpcc_call_method(call);
    span->peer = grpcc_call_peer(call);
    span->trace = *trace;
    span->start_unix_ns = grpcc_now_unix_ns();
    if (sink->start)
        sink->start(sink->self, span);
}

static void span_ended(void *self, struct grpcc_call *call, const struct grpcc_call_facts *facts)
{
    const struct grpcc_span_sink *sink = self;
    struct grpcc_span *span = call ? grpcc_call_attached(call, sink) : NULL;
    if (!span)
        return;
    span->end_unix_ns = span->start_unix_ns + (facts->ended_ns - facts->started_ns);
    span->status = facts->status;
    if (sink->end)
        sink->end(sink->self, span);
}

static void spans_released(void *self, struct grpcc_server *server)
{
    (void)server;
    grpcc_memory_free(self);
}

enum grpcc_status grpcc_server_set_spans(struct grpcc_server *server,
                                         const struct grpcc_span_sink *sink,
                                         struct grpcc_error *err)
{
    static const struct grpcc_observer observer = {
        .size = sizeof(observer),
        .started = span_started,
        .ended = span_ended,
        .released = spans_released,
    };
    if (server->spans)
        return grpcc_error_set(err, GRPCC_ALREADY_EXISTS, "the server has a sink for its spans");
    struct grpcc_span_sink *copy = grpcc_memory_zalloc(sizeof(*copy));
    if (!copy)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for a sink of spans");
    grpcc_options_copy(copy, sizeof(*copy), sink);
    enum grpcc_status status = grpcc_server_add_observer(server, &observer, copy, err);
    if (status)
        grpcc_memory_free(copy);
    else
        server->spans = copy;
    return status;
}
