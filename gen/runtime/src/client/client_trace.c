/* SPDX-License-Identifier: Apache-2.0 */
/* What a client call carries on of the server call that it is made for; its span and metrics. */
#include <string.h>

#include "gen/runtime/src/client/client.h"
#include "gen/runtime/src/observe/metrics.h"
#include "gen/runtime/src/observe/observe.h"
#include "gen/runtime/src/server/call.h"
#include "gen/runtime/src/server/server.h"

static const char *const propagated_by_default[] = {
    "x-request-id", "b3",         "x-b3-traceid",      "x-b3-spanid",           "x-b3-parentspanid",
    "x-b3-sampled", "x-b3-flags", "x-ot-span-context", "x-cloud-trace-context",
};

static bool is_sent(const struct grpcc_client_call *call, const char *key)
{
    for (size_t i = 0; i < call->metadata.n; i++)
        if (grpc_slice_str_cmp(call->metadata.items[i].key, key) == 0)
            return true;
    return false;
}

/* Adds a header that the program has not set; what cannot be sent is dropped. False: no room. */
static bool send_text(struct grpcc_client_call *call, const char *key, const char *text,
                      size_t length)
{
    grpc_slice value = grpc_slice_from_static_buffer(text, length);
    if (is_sent(call, key) || !grpc_header_nonbin_value_is_legal(value))
        return true;
    char *copy = grpcc_arena_strndup(call->own_arena, text, length);
    return copy && grpcc_metadata_add_own(&call->metadata, call->own_arena, key, copy, length);
}

static bool send_context(struct grpcc_client_call *call, const struct grpcc_trace *trace)
{
    char text[GRPCC_TRACEPARENT_LENGTH + 1];
    /* Whoever sends a traceparent of its own means a tracestate of its own too. */
    if (is_sent(call, "traceparent"))
        return true;
    grpcc_trace_format(trace, text);
    if (!send_text(call, "traceparent", text, GRPCC_TRACEPARENT_LENGTH))
        return false;
    return !trace->state || send_text(call, "tracestate", trace->state, strlen(trace->state));
}

static bool send_baggage(struct grpcc_client_call *call, const struct grpcc_call *parent)
{
    char text[GRPCC_BAGGAGE_MAX + 1];
    if (!grpcc_metadata_find(&parent->metadata, "baggage"))
        return true;
    size_t n = grpcc_metadata_join(&parent->metadata, "baggage", text, sizeof(text));
    if (n >= sizeof(text) || !grpcc_trace_baggage_is_valid(text, n))
        return true;
    return send_text(call, "baggage", text, n);
}

static bool carry_on(struct grpcc_client_call *call, const struct grpcc_call *parent)
{
    const struct grpcc_server *server = parent->server;
    const char *const *names = server->propagates_own ? server->propagated : propagated_by_default;
    size_t n = server->propagates_own
                   ? server->n_propagated
                   : sizeof(propagated_by_default) / sizeof(propagated_by_default[0]);
    for (size_t i = 0; i < n; i++) {
        const grpc_slice *value = grpcc_metadata_find(&parent->metadata, names[i]);
        if (!value || is_sent(call, names[i]))
            continue;
        if (!grpcc_metadata_add(&call->metadata, call->own_arena, names[i],
                                GRPC_SLICE_START_PTR(*value), GRPC_SLICE_LENGTH(*value)) &&
            grpcc_arena_failed(call->own_arena))
            return false;
    }
    return send_baggage(call, parent);
}

/* ---- spans ---- */

static bool begin_span(struct grpcc_client_call *call, const struct grpcc_trace *trace)
{
    const struct grpcc_span_sink *sink = &call->channel->spans;
    if (!call->channel->has_spans || !(trace->flags & GRPCC_TRACE_SAMPLED))
        return true;
    struct grpcc_span *span = grpcc_arena_zalloc(call->own_arena, sizeof(*span));
    if (!span)
        return false;
    span->client = true;
    span->name = call->method->path + 1;
    span->method = call->method;
    span->peer = call->channel->target;
    span->trace = *trace;
    span->start_unix_ns = grpcc_now_unix_ns();
    if (sink->start)
        sink->start(sink->self, span);
    call->span = span;
    return true;
}

static void end_span(struct grpcc_client_call *call, enum grpcc_status status)
{
    const struct grpcc_span_sink *sink = &call->channel->spans;
    if (!call->span)
        return;
    call->span->end_unix_ns = call->span->start_unix_ns + (grpcc_now_ns() - call->started_ns);
    call->span->status = status;
    if (sink->end)
        sink->end(sink->self, call->span);
    call->span = NULL;
}

/* ---- metrics ---- */

void grpcc_client_call_started(struct grpcc_client_call *call)
{
    call->started_ns = grpcc_now_ns();
    if (call->channel->metrics)
        grpcc_metrics_call_started(call->channel->metrics, call->method);
}

void grpcc_client_call_note_received(struct grpcc_client_call *call)
{
    if (call->received)
        grpcc_tally_add(&call->received_tally, grpc_byte_buffer_length(call->received));
}

void grpcc_client_call_ended(struct grpcc_client_call *call, enum grpcc_status status)
{
    if (call->started_ns == 0)
        return;
    if (call->channel->metrics)
        grpcc_metrics_call_ended(
            call->channel->metrics, call->method, status, grpcc_now_ns() - call->started_ns,
            atomic_load_explicit(&call->sent_tally.bytes, memory_order_relaxed),
            atomic_load_explicit(&call->received_tally.bytes, memory_order_relaxed));
    end_span(call, status);
    call->started_ns = 0;
}

/* ---- what goes along ---- */

static const struct grpcc_trace *trace_of(const struct grpcc_call_options *options)
{
    bool has_trace = options && options->size >= offsetof(struct grpcc_call_options, trace) +
                                                     sizeof(options->trace);
    if (has_trace && options->trace)
        return options->trace;
    return options && options->parent ? grpcc_call_trace(options->parent) : NULL;
}

bool grpcc_client_trace_begin(struct grpcc_client_call *call,
                              const struct grpcc_call_options *options)
{
    const struct grpcc_trace *from = trace_of(options);
    struct grpcc_trace trace;
    if (options && options->parent && !carry_on(call, options->parent))
        return false;
    if (from) {
        grpcc_trace_continue(&trace, from);
    } else if (call->channel->has_spans) {
        grpcc_trace_begin(&trace, false);
        if (grpcc_trace_is_picked(&trace, &call->channel->spans))
            trace.flags |= GRPCC_TRACE_SAMPLED;
    } else {
        return true;
    }
    return send_context(call, &trace) && begin_span(call, &trace);
}
