/* SPDX-License-Identifier: Apache-2.0 */
/* What the runtime tells about calls: observers, trace contexts, tallies of bytes and messages. */
#ifndef GRPCC_SRC_OBSERVE_H
#define GRPCC_SRC_OBSERVE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "grpcc/channel.h"
#include "grpcc/observer.h"
#include "grpcc/trace.h"

struct grpcc_call;
struct grpcc_client_call;
struct grpcc_server;
struct grpcc_server_method;

struct grpcc_server_observer {
    struct grpcc_observer slots;
    void *self;
};

/* Messages in one direction. One thread writes at a time, any thread reads. */
struct grpcc_tally {
    atomic_ullong messages;
    atomic_ullong bytes;
};
static inline void grpcc_tally_add(struct grpcc_tally *tally, size_t bytes)
{
    unsigned long long n = atomic_load_explicit(&tally->messages, memory_order_relaxed);
    unsigned long long sum = atomic_load_explicit(&tally->bytes, memory_order_relaxed);
    atomic_store_explicit(&tally->messages, n + 1, memory_order_relaxed);
    atomic_store_explicit(&tally->bytes, sum + bytes, memory_order_relaxed);
}

/* The trace context of a server call, made when it is first asked for. */
struct grpcc_call_context {
    struct grpcc_trace trace;
    char id[2 * GRPCC_TRACE_ID_BYTES + 1];
    char *state;       /* of the heap, what trace.state points to */
    atomic_bool ready; /* all above is there; set under call->lock */
};

/* observe.c */
void grpcc_observers_started(struct grpcc_call *call);
void grpcc_observers_ended(struct grpcc_call *call, enum grpcc_status status);
/* A call that there was no memory for; method NULL: not registered. */
void grpcc_observers_dropped(struct grpcc_server *server, const struct grpcc_server_method *method);
void grpcc_observers_released(struct grpcc_server *server);

/* call_trace.c */
void grpcc_call_context_done(struct grpcc_call_context *context);
/* Whether a trace that begins with these ids is one of the sampled ones. */
bool grpcc_trace_is_picked(const struct grpcc_trace *trace, const struct grpcc_span_sink *sink);
int64_t grpcc_now_unix_ns(void);

/* client_trace.c */
/* Adds what goes along with a client call, from its parent or from options.trace, and begins its
 * span. False: no room in the call's own arena. */
bool grpcc_client_trace_begin(struct grpcc_client_call *call,
                              const struct grpcc_call_options *options) GRPCC_MUST_CHECK;

#endif
