/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server call. Its references: one per operation that core holds, one for the duty to end it
 * (handed to the operation that sends the status), one for who runs it or has parked it, and those
 * of grpcc_call_ref().
 */
#ifndef GRPCC_SRC_CALL_H
#define GRPCC_SRC_CALL_H

#include <stdatomic.h>

#include "gen/runtime/src/core/core.h"
#include "gen/runtime/src/core/details.h"
#include "gen/runtime/src/core/metadata.h"
#include "gen/runtime/src/observe/observe.h"
#include "gen/runtime/src/server/server_pool.h"
#include "grpcc/compression.h"
#include "grpcc/server.h"

struct grpcc_slot;
struct grpcc_server_method;

enum { GRPCC_CANCEL_HOOKS_INLINE = 2 };

struct grpcc_cancel_hook {
    void (*function)(void *data);
    void *data;
    struct grpcc_cancel_hook *next;
};

typedef void (*grpcc_read_done)(void *data, enum grpcc_status status, void *message,
                                const struct grpcc_error *err);
typedef void (*grpcc_send_done)(void *data, enum grpcc_status status);

struct grpcc_call {
    /* Of the object: kept when it is used for the next call. */
    struct grpcc_server *server;
    grpc_metadata_array metadata;
    pthread_mutex_t lock; /* the last group of members */
    struct grpcc_tag on_close;
    struct grpcc_tag on_read;
    struct grpcc_tag on_send;
    struct grpcc_tag on_end;

    /* Of one call, from here on: zeroed for the next one. */
    struct grpcc_call *next; /* on the free list, or on one of those that run, under server->lock */
    struct grpcc_call *previous;
    const struct grpcc_server_method *method; /* NULL: a method that nobody registered */
    grpc_call *core;
    struct grpcc_arena *arena;
    const char *path;
    const char *peer;
    int64_t started_ns;
    const struct grpcc_identity *identity; /* NULL: not asked for yet */
    int64_t deadline_ns;
    grpc_byte_buffer *payload;
    ProtobufCMessage *request;
    struct grpcc_arena *request_arena; /* of a large one: gone before the call; else NULL */
    bool handed_over;
    atomic_bool request_done; /* the call has ended, and its answer is packed */
    void *user_data;
    struct grpcc_attachment *attachments;
    struct grpcc_call_context context;
    struct grpcc_tally received_tally;
    struct grpcc_tally sent_tally;
    atomic_uint refusal; /* enum grpcc_refusal */
    int close_cancelled;

    atomic_uint refs;
    atomic_uint refs_of_users;
    atomic_bool cancelled;
    atomic_bool ended;           /* claimed by who ends it */
    atomic_uint parking;         /* enum parking, between GRPCC_DEFER and grpcc_call_resume */
    atomic_uint operations;      /* of two: the close and the status; the call is over at 0 */
    size_t next_interceptor;     /* how many have begun */
    size_t timer_index;          /* under timers->lock; 0: none */
    int64_t timer_ns;            /* the same */
    bool timer_for_sends;        /* set before it is added */
    bool has_timer;              /* it was added: for the call's runner, and then who sends */
    struct grpcc_pool_link link; /* under pool->lock */
    void (*job)(void *self, struct grpcc_call *call, const void *request); /* handed over */
    void *job_self;
    bool job_is_handler; /* it ends the call; else an interceptor's, which resumes it */
    bool in_handler;     /* the handler has been entered */

    grpc_byte_buffer *received;
    struct grpcc_arena *read_arena;
    grpcc_read_done read_done;
    void *read_data;
    struct grpcc_wait *read_wait; /* of the blocking form */

    grpcc_send_done send_done;
    void *send_data;
    bool send_reported; /* the done of the message on its way has been called */

    enum grpcc_status status;
    const char *message;
    struct grpcc_detail *details;
    struct grpcc_detail **details_tail;
    bool has_pushback;
    int64_t pushback_ms;
    struct grpcc_metadata_list initial;
    struct grpcc_metadata_list trailing;
    const ProtobufCMessage *response; /* while _finish runs */
    grpc_byte_buffer *reply;          /* the response, packed */
    bool initial_sent;
    bool was_compressed;          /* the last request */
    bool message_compression_off; /* of what is sent next */
    enum grpcc_compression compression;

    /* Under lock: */
    bool sending;           /* a message's done has not been called: the next one must wait */
    bool send_busy;         /* a message is on its way, or held: the end waits for it */
    int64_t send_since_ns;  /* when the one on its way was given to core */
    grpc_byte_buffer *held; /* goes when the one on its way has been taken */
    uint32_t held_flags;
    bool end_waits;
    bool hooks_ran;
    struct grpcc_cancel_hook *hooks;
    struct grpcc_cancel_hook hooks_inline[GRPCC_CANCEL_HOOKS_INLINE];
    unsigned n_hooks;
};

/* call.c: life */
/* From the free list, with an arena; NULL without memory. */
struct grpcc_call *grpcc_call_take(struct grpcc_server *server) GRPCC_MUST_CHECK;
/* Takes over what the slot received, so that the slot can be posted again at once. */
void grpcc_call_adopt(struct grpcc_call *call, struct grpcc_slot *slot);
/* Sets the call going: refuses it, runs it or queues it. */
void grpcc_call_begin(struct grpcc_call *call);
/* What a worker does with a call that was queued. */
void grpcc_call_work(struct grpcc_call *call);
/* Ends a call that was not begun, with pushback, and lets go of the runner's reference. */
void grpcc_call_shed(struct grpcc_call *call, enum grpcc_refusal refusal);
/* Ends a call that its handler will not see. */
void grpcc_call_refuse(struct grpcc_call *call, enum grpcc_refusal refusal,
                       enum grpcc_status status, const char *why);
void grpcc_call_hold(struct grpcc_call *call);
void grpcc_call_release(struct grpcc_call *call);
bool grpcc_call_is_stream(const struct grpcc_call *call);
bool grpcc_call_is_builtin(const struct grpcc_call *call);
/* An interceptor has deferred it. */
bool grpcc_call_is_parked(const struct grpcc_call *call);
/* The call has ended for core and peer. */
void grpcc_call_over(struct grpcc_call *call);
void grpcc_calls_free(struct grpcc_server *server);
/* The largest message of this call's method, as it comes and inflated. */
size_t grpcc_call_request_bytes_max(const struct grpcc_call *call);
size_t grpcc_call_inflated_bytes_max(const struct grpcc_call *call);

/* call_end.c */
/* A failure of the runtime's own; does nothing where the call has been ended. */
void grpcc_call_abort(struct grpcc_call *call, enum grpcc_status status, const char *message);
void grpcc_call_unpark(struct grpcc_call *call);
/* Sends the end now that no message is on its way. */
void grpcc_call_send_end(struct grpcc_call *call);
void grpcc_call_on_end(struct grpcc_tag *tag, bool ok);

/* call_stream.c */
void grpcc_call_on_read(struct grpcc_tag *tag, bool ok);
void grpcc_call_on_send(struct grpcc_tag *tag, bool ok);

/* call_cancel.c */
void grpcc_call_on_close(struct grpcc_tag *tag, bool ok);
void grpcc_call_drop_hooks(struct grpcc_call *call);

#endif
