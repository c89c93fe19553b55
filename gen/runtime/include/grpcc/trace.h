/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W3C Trace Context (https://www.w3.org/TR/trace-context-2/) and Baggage: who a call belongs to,
 * handed from hop to hop.
 *
 * Every server call has a context: its caller's, taken from the headers traceparent and tracestate
 * or one that begins here. (grpc-trace-bin cannot be read: core keeps it to itself.) A client call
 * with options.parent or options.trace carries it on. Nothing of this costs anything until somebody
 * asks. Spans go to a sink, which the program gives: what exports them stands behind it.
 */
#ifndef GRPCC_TRACE_H
#define GRPCC_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/compiler.h"
#include "grpcc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grpcc_call;
struct grpcc_method;
struct grpcc_server;

enum { GRPCC_TRACE_ID_BYTES = 16, GRPCC_SPAN_ID_BYTES = 8 };
/* "00-" trace id "-" span id "-" flags, without a NUL. */
enum { GRPCC_TRACEPARENT_LENGTH = 55 };
/* What is longer, or has more members, is dropped whole. */
enum { GRPCC_TRACESTATE_MAX = 512, GRPCC_TRACESTATE_MEMBERS_MAX = 32 };
enum { GRPCC_BAGGAGE_MAX = 8192, GRPCC_BAGGAGE_MEMBERS_MAX = 64 };

/* Bits of grpcc_trace.flags. */
enum { GRPCC_TRACE_SAMPLED = 1, GRPCC_TRACE_RANDOM = 2 };

/* Where in a trace something happens. */
struct grpcc_trace {
    uint8_t trace_id[GRPCC_TRACE_ID_BYTES];
    uint8_t span_id[GRPCC_SPAN_ID_BYTES];   /* of the call itself */
    uint8_t parent_id[GRPCC_SPAN_ID_BYTES]; /* of who called; zeros: the trace begins here */
    uint8_t flags;
    const char *state; /* tracestate, checked; NULL: none */
};

/*
 * The context of a server call, the same one each time; it lives as long as the call. Any thread.
 */
const struct grpcc_trace *grpcc_call_trace(struct grpcc_call *call);
/* The trace id as 32 hexadecimal digits, in the call's arena; "" where that has no room. */
const char *grpcc_call_trace_id(struct grpcc_call *call);

/*
 * Which request headers of a server call are carried on by client calls with options.parent, beside
 * the trace context and baggage, in lower case. Replaces the default, which is x-request-id, b3,
 * x-b3-traceid, x-b3-spanid, x-b3-parentspanid, x-b3-sampled, x-b3-flags, x-ot-span-context and
 * x-cloud-trace-context; n 0: none. Credentials are never among them unless named here. names are
 * borrowed: they live as long as the server. Before _start. A header that the client call sets
 * itself wins.
 */
enum grpcc_status grpcc_server_set_propagation(struct grpcc_server *server,
                                               const char *const *names, size_t n,
                                               struct grpcc_error *err) GRPCC_MUST_CHECK;

/* ---- spans ---- */

/* A call as a span: a name, where in a trace, from when to when, how it ended. Runtime-made; may
 * grow at its end. */
struct grpcc_span {
    bool client;
    const char *name;                  /* "comb.v1.Tree/Stat" */
    const struct grpcc_method *method; /* NULL: a method that nobody registered */
    const char *peer; /* of a server call "ipv4:127.0.0.1:4711", of a client call its target */
    struct grpcc_trace trace;
    int64_t start_unix_ns, end_unix_ns;
    enum grpcc_status status; /* at the end */
    void *data;               /* the sink's own, from start to end */
};

/* Slots run on any thread, several at once, and must not block. Only sampled spans come. */
struct grpcc_span_sink {
    size_t size;                                            /* sizeof(struct grpcc_span_sink) */
    void (*start)(void *self, struct grpcc_span *span);     /* NULL is fine */
    void (*end)(void *self, const struct grpcc_span *span); /* span and its strings end with it */
    void *self;
    unsigned sample_one_in; /* of the traces that begin here, one in so many is sampled [1] */
};
/* The spans of all calls of a server go to sink, which is copied. Before _start, once. Without it
 * traces that begin here are not sampled. grpcc_channel_options.spans does the same for clients. */
enum grpcc_status grpcc_server_set_spans(struct grpcc_server *server,
                                         const struct grpcc_span_sink *sink,
                                         struct grpcc_error *err) GRPCC_MUST_CHECK;

/* ---- the formats, alone; any thread ---- */

/* A new trace: random ids, no parent. */
void grpcc_trace_begin(struct grpcc_trace *ret_trace, bool sampled);
/* Of the same trace: a new span below parent's. *ret_trace borrows parent's state. */
void grpcc_trace_continue(struct grpcc_trace *ret_trace, const struct grpcc_trace *parent);
/* traceparent: trace_id, span_id and flags of who wrote it; what of the flags is not known is
 * cleared, the other members too. False: not valid, *ret_trace is untouched. */
bool grpcc_trace_parse(const char *text, size_t length, struct grpcc_trace *ret_trace);
/* traceparent, with a NUL. */
void grpcc_trace_format(const struct grpcc_trace *trace,
                        char ret_text[GRPCC_TRACEPARENT_LENGTH + 1]);
/* Lower-case hexadecimal digits of n bytes, with a NUL: 2 * n + 1 characters. */
void grpcc_trace_hex(const uint8_t *bytes, size_t n, char *ret_text);
/* Whether a tracestate or a baggage may be carried on, as their grammars and the limits above say.
 */
bool grpcc_trace_state_is_valid(const char *text, size_t length);
bool grpcc_trace_baggage_is_valid(const char *text, size_t length);

#ifdef __cplusplus
}
#endif

#endif
