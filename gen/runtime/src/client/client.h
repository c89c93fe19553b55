/* SPDX-License-Identifier: Apache-2.0 */
/* The client's insides: the process-wide poller, channels, calls. */
#ifndef GRPCC_SRC_CLIENT_H
#define GRPCC_SRC_CLIENT_H

#include <stdatomic.h>

#include "gen/runtime/src/client/budget.h"
#include "gen/runtime/src/client/client_events.h"
#include "gen/runtime/src/core/core.h"
#include "gen/runtime/src/core/metadata.h"
#include "gen/runtime/src/observe/observe.h"
#include "grpcc/channel.h"

struct grpcc_clock;

/* ---- client_poller.c: one queue and one thread, while a channel or a call exists ---- */

/* FAILED_PRECONDITION in a child of a fork, RESOURCE_EXHAUSTED without memory or threads. Pairs
 * with _release. */
enum grpcc_status grpcc_client_acquire(grpc_completion_queue **ret_queue,
                                       struct grpcc_clock **ret_clock,
                                       struct grpcc_error *err) GRPCC_MUST_CHECK;
void grpcc_client_release(void);
/* Whether this process is the child of one that used the client: core does not work in it. */
bool grpcc_client_is_forked(void);

/* ---- channel.c ---- */

enum { GRPCC_CHANNEL_FREE_CALLS_MAX = 64 };

/* A method's handle in core. */
struct grpcc_hedge;

struct grpcc_registered {
    const struct grpcc_method *method;
    void *handle;
};

struct grpcc_channel {
    atomic_uint refs;                          /* the program's and one per call */
    const struct grpcc_channel_policy *policy; /* NULL: the channel has a core of its own */
    void *policy_self;
    grpc_channel *core;
    grpc_completion_queue *queue;
    struct grpcc_clock *clock;
    struct grpcc_message_limits limits;
    struct grpcc_budget budget; /* of hedges */
    size_t metadata_bytes_max;
    size_t inflated_bytes_max;
    struct grpcc_tls_files *tls_files;  /* NULL: no TLS */
    char *target;                       /* as gRFC A66 has it, with its scheme */
    struct grpcc_metrics_view *metrics; /* NULL: not measured */
    struct grpcc_span_sink spans;
    bool has_spans;

    pthread_mutex_t lock;                /* all below */
    struct grpcc_registered *registered; /* open hashing by the method's address */
    size_t n_registered;
    size_t capacity; /* a power of two */
    struct grpcc_client_call *free_calls;
    size_t n_free_calls;
};

void grpcc_channel_release(struct grpcc_channel *channel);
/* NULL without memory. */
void *grpcc_channel_handle(struct grpcc_channel *channel,
                           const struct grpcc_method *method) GRPCC_MUST_CHECK;

/* ---- client_call.c: what unary calls and streams share ---- */

typedef void (*grpcc_stream_read_done)(void *data, int result, void *message,
                                       const struct grpcc_error *err);

/* References: the program's handle, and one per operation that core holds. */
struct grpcc_client_call {
    /* Of the object: kept when it is used for the next call. */
    struct grpcc_arena *own_arena; /* what is sent, until core has taken it */
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    struct grpcc_tag on_unary;
    struct grpcc_tag on_open;
    struct grpcc_tag on_initial;
    struct grpcc_tag on_status;
    struct grpcc_tag on_read;
    struct grpcc_tag on_write;
    struct grpcc_tag on_close_send;
    struct grpcc_tag on_response; /* the one response of a client stream */
    struct grpcc_event unary_event;
    struct grpcc_event read_event;
    struct grpcc_event write_event;
    struct grpcc_event finish_event;

    /* Of one call, from here on: zeroed for the next one. */
    struct grpcc_client_call *next_free;
    atomic_uint refs;
    struct grpcc_channel *channel;
    const struct grpcc_method *method;
    grpc_call *core;
    struct grpcc_metadata_list metadata;
    struct grpcc_events_member member;
    void (*on_metadata)(void *data, bool trailing, const char *key, const void *value,
                        size_t length);
    void *on_metadata_data;
    void (*on_end)(void *data, enum grpcc_status status);

    /* of a handle that a policy gave out: nothing else is set then */
    void (*policy_cancel)(void *self);
    void (*policy_free)(void *self);
    void *policy_self;

    bool *ret_was_compressed;     /* the program's, of a unary call */
    bool was_compressed;          /* the last response */
    bool message_compression_off; /* of what is sent next */
    /* What is told of the call; started_ns 0: nothing is. */
    int64_t started_ns;
    struct grpcc_tally received_tally;
    struct grpcc_tally sent_tally;
    struct grpcc_span *span;

    bool initial_shown;
    grpc_status_code code;
    grpc_slice message;
    grpc_byte_buffer *received;

    /* unary */
    struct grpcc_hedge *hedge; /* whose attempt this is, or NULL */
    struct grpcc_arena *arena;
    struct grpcc_wait *unary_wait; /* of the blocking form */
    grpcc_unary_done unary_done;
    void *unary_data;

    /* streams */
    struct grpcc_arena *read_arena;
    struct grpcc_wait *read_wait; /* of the blocking form */
    grpcc_stream_read_done read_done;
    void *read_data;
    void (*write_done)(void *data, bool ok);
    void *write_data;
    bool write_ok;
    struct grpcc_events *write_events;  /* NULL: of the blocking form, or none */
    struct grpcc_events *finish_events; /* as write_events */
    bool sends_closed;
    bool reads_ended;
    atomic_bool writes_failed;
    bool finished;
    atomic_uint finish_steps; /* status, _finish, response: the last one finishes */
    struct grpcc_arena *finish_arena;
    grpcc_unary_done finish_done;
    void *finish_data;
};

/* A call that is not started; NULL and err. */
struct grpcc_client_call *grpcc_client_call_new(struct grpcc_channel *channel,
                                                const struct grpcc_method *method,
                                                const struct grpcc_call_options *options,
                                                struct grpcc_error *err) GRPCC_MUST_CHECK;
void grpcc_client_call_hold(struct grpcc_client_call *call);
void grpcc_client_call_release(struct grpcc_client_call *call);
/* Frees for good what the channel kept. */
void grpcc_client_call_destroy(struct grpcc_client_call *call);
/* As core has it, once the status is there. */
enum grpcc_status grpcc_client_call_code(const struct grpcc_client_call *call);
/* The call reports to options.events from now on, where there are any. */
enum grpcc_status grpcc_client_call_join_events(struct grpcc_client_call *call,
                                                const struct grpcc_call_options *options,
                                                struct grpcc_error *err) GRPCC_MUST_CHECK;
enum grpcc_status grpcc_client_events_freed(struct grpcc_error *err);
/* FAILED_PRECONDITION, for the child of a fork. */
enum grpcc_status grpcc_client_forked(struct grpcc_error *err);
/* When a call that begins now with these options ends; INT64_MAX: never. */
int64_t grpcc_client_deadline(const struct grpcc_call_options *options);
/* A reference more, unless the last one is gone. */
bool grpcc_try_hold(atomic_uint *refs) GRPCC_MUST_CHECK;
/* The flags of GRPC_OP_SEND_INITIAL_METADATA. */
uint32_t grpcc_client_call_flags(const struct grpcc_call_options *options);
/* Shows headers to the program's on_metadata: initial ones once. */
void grpcc_client_call_show_initial(struct grpcc_client_call *call);
/* The status as an error, details in arena (may be NULL); shows the trailers. */
enum grpcc_status grpcc_client_call_status(struct grpcc_client_call *call,
                                           struct grpcc_arena *arena, struct grpcc_error *err);
/* Decodes a response; what the server should not have sent is INTERNAL here. */
enum grpcc_status grpcc_client_call_unpack(struct grpcc_client_call *call,
                                           struct grpcc_arena *arena, void **ret_message,
                                           struct grpcc_error *err) GRPCC_MUST_CHECK;
/* FAILED_PRECONDITION on a poller. */
enum grpcc_status grpcc_client_may_block(struct grpcc_error *err) GRPCC_MUST_CHECK;

/* client_trace.c: metrics and span of a call, which begin with it and end once, when its status is
 * known. */
void grpcc_client_call_started(struct grpcc_client_call *call);
/* A message may have come. */
void grpcc_client_call_note_received(struct grpcc_client_call *call);
void grpcc_client_call_ended(struct grpcc_client_call *call, enum grpcc_status status);

/* client_unary.c */
/* Takes request, and gives core a reference. */
void grpcc_client_unary_send(struct grpcc_client_call *call,
                             const struct grpcc_call_options *options, grpc_byte_buffer *request);
/* What an ended call answers; shows its headers. */
enum grpcc_status grpcc_client_unary_complete(struct grpcc_client_call *call,
                                              struct grpcc_arena *arena, void **ret_response,
                                              struct grpcc_error *err) GRPCC_MUST_CHECK;

/* client_unary.c, client_stream.c: run by core */
void grpcc_client_unary_init(struct grpcc_client_call *call);
void grpcc_client_stream_init(struct grpcc_client_call *call);

#endif
