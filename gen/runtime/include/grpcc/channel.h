/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client: channels and calls on gRPC core's C API. Generated code wraps everything here in
 * typed functions.
 *
 * One poller thread (all signals blocked) serves all channels of the process; callbacks run on it
 * and must not block. A blocking call made on it answers FAILED_PRECONDITION. After a fork without
 * exec every handle answers FAILED_PRECONDITION. Channels may be used from any number of threads at
 * once; a call by one thread at a time, but for _cancel.
 */
#ifndef GRPCC_CHANNEL_H
#define GRPCC_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/arena.h"
#include "grpcc/compression.h"
#include "grpcc/descriptor.h"
#include "grpcc/message.h"
#include "grpcc/retry.h"
#include "grpcc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grpcc_channel;
struct grpcc_client_call;
struct grpcc_credentials;
struct grpcc_events;
struct grpcc_metrics;
struct grpcc_span_sink;
struct grpcc_trace;

struct grpcc_channel_options {
    size_t size; /* sizeof(struct grpcc_channel_options) */
    /* TLS: any of these set. ca_file NULL: the system's. certificate_file + key_file: mTLS. */
    bool tls;
    const char *ca_file, *certificate_file, *key_file;
    /* The name that the certificate must have, instead of the target's; for tests. */
    const char *host_override;
    const char *service_config; /* JSON; INVALID_ARGUMENT from _new where it does not parse */
    bool retries_off;           /* core does not retry: for a client that owns its retries */
    size_t response_bytes_max;  /* [16 MiB] */
    unsigned keepalive_ms;      /* [30000]; 0 is the default too */
    struct grpcc_message_limits message_limits;
    const char *user_agent;    /* prefix of the user-agent header */
    unsigned reconnect_min_ms; /* wait before a broken connection is made again, doubled [1000] */
    unsigned reconnect_max_ms; /* up to this [120000] */
    /*
     * Since 0.2.0. These become part of the service config: INVALID_ARGUMENT from _new where
     * `service_config` says the same thing already.
     */
    const char *load_balancing; /* "round_robin": over all addresses in turn ["pick_first"] */
    /* Backends are asked for the health of that service ("": of the whole server), and those that
     * are not SERVING get no calls; with "round_robin" only. NULL: they are not asked. */
    const char *health_service;
    const struct grpcc_method_policy *methods; /* entries of one size, copied */
    size_t n_methods;
    /* Stops retries and hedges in a storm: each failed attempt takes one of that many tokens, each
     * good one gives `ratio` back, and none is made with half of them or less left. Not for
     * retries that `service_config` asks for: it has retryThrottling. */
    unsigned budget_tokens; /* up to 1000 [100] */
    double budget_ratio;    /* 0.001 and more [0.1] */
    /* The connection. */
    unsigned keepalive_timeout_ms; /* an unanswered ping ends the connection after this [20000] */
    bool keepalive_calls_only;     /* no pings while there are no calls */
    bool keepalive_off;            /* no pings at all */
    unsigned idle_ms; /* without a call for this long, connections are closed [1800000] */
    /* Channels with the same target and options share their connections; not this one. */
    bool own_connections;
    size_t request_bytes_max; /* a larger one answers RESOURCE_EXHAUSTED [none] */
    /* All headers of a call, all headers or all trailers of an answer, as HTTP/2 counts them
     * [16 KiB]; a call with more answers RESOURCE_EXHAUSTED. Servers have their own limit, and may
     * hang up on who exceeds it. */
    size_t metadata_bytes_max;
    bool accept_compressed;    /* inflate gzip and deflate, see grpcc/compression.h */
    size_t inflated_bytes_max; /* largest message after inflating [response_bytes_max] */
    /*
     * Servers that are trusted by their SPIFFE ID instead of their host name: NULL-terminated list
     * in the form of grpcc_listen_options.client_spiffe_ids. Needs ca_file. Copied, as the others.
     */
    const char *const *server_spiffe_ids;
    /* Revocation lists, as grpcc_listen_options.crl_directory; needs ca_file. */
    const char *crl_directory;
    /* How often the files are looked at [10]. New ones are used by the next connection; what
     * grpcc/listen.h says of a server's holds here too. The system's CAs are read once. */
    unsigned reload_s;
    struct grpcc_credentials *credentials; /* of all calls; see grpcc/credentials.h [none] */
    /* What is told of its calls: grpcc/metrics.h, grpcc/trace.h. metrics outlives the channel, the
     * sink is copied. */
    struct grpcc_metrics *metrics;
    const struct grpcc_span_sink *spans;
};

/* target: "127.0.0.1:7070", "dns:///host:port", "ipv4:a:p,b:p", "unix:/path". Does not connect yet.
 * INVALID_ARGUMENT names what is wrong with the target, an option or the service config. */
struct grpcc_channel *grpcc_channel_new(const char *target,
                                        const struct grpcc_channel_options *options,
                                        struct grpcc_error *err) GRPCC_MUST_CHECK;
/* A channel over one connected socket (plaintext, without credentials); takes the descriptor. For
 * tests. */
struct grpcc_channel *grpcc_channel_new_fd(int fd, const struct grpcc_channel_options *options,
                                           struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Calls under way are cancelled by their own free, not by this. NULL is fine. */
void grpcc_channel_free(struct grpcc_channel *channel);

/* What a channel's connections are like at the moment; FAILURE: none, and the next try waits. */
enum grpcc_connectivity {
    GRPCC_CONNECTIVITY_IDLE = 0,
    GRPCC_CONNECTIVITY_CONNECTING = 1,
    GRPCC_CONNECTIVITY_READY = 2,
    GRPCC_CONNECTIVITY_FAILURE = 3
};
/* connect: an idle channel connects now, not with its first call. IDLE for a policy's channel and
 * after a fork. */
enum grpcc_connectivity grpcc_channel_connectivity(struct grpcc_channel *channel, bool connect);
/* Connects and blocks until a connection is ready. DEADLINE_EXCEEDED: not within timeout_ms. Not on
 * the poller, nor for a policy's channel. */
enum grpcc_status grpcc_channel_wait_ready(struct grpcc_channel *channel, unsigned timeout_ms,
                                           struct grpcc_error *err) GRPCC_MUST_CHECK;

/* One header of a call. Keys in lower case; "-bin" keys take any bytes. */
struct grpcc_metadata {
    const char *key;
    const void *value;
    size_t length;
};

struct grpcc_call_options {
    size_t size;         /* sizeof(struct grpcc_call_options) */
    int64_t timeout_ms;  /* 0: none, unless `parent` has one */
    bool wait_for_ready; /* wait for a connection instead of failing at once with UNAVAILABLE */
    const struct grpcc_metadata *metadata;
    size_t n_metadata;
    struct grpcc_call *parent; /* a server call: its deadline and cancellation reach this one */
    /* Called with each header (trailing false) and trailer of the answer, before the call's
     * function returns or its callback runs. Values live during the call of it only. */
    void (*on_metadata)(void *data, bool trailing, const char *key, const void *value,
                        size_t length);
    void *on_metadata_data;
    /* Called once when the call is over, its status known and nothing will call on_metadata again:
     * on_metadata_data may go. Any thread, must not block. Not called where the call could not be
     * started. NULL is fine. */
    void (*on_end)(void *on_metadata_data, enum grpcc_status status);
    enum grpcc_compression compression; /* of what is sent; see grpcc/compression.h */
    /* Unary calls: whether the response came compressed, written before the call's function returns
     * or its callback runs, where there is a response. NULL is fine. */
    bool *ret_was_compressed;
    /* Where in a trace the call belongs, instead of below `parent`; NULL is fine. Read only where
     * `size` says that it is there. */
    const struct grpcc_trace *trace;
    /* Headers that are asked for when the call is made, besides those of the channel's credentials;
     * see grpcc/credentials.h. Read only where `size` says that it is there. */
    struct grpcc_credentials *credentials;
    /* Unary calls: the call is idempotent, and may be sent several times at once. Copied; NULL:
     * it is sent once. */
    const struct grpcc_hedge_policy *hedge;
    /* Whoever dispatches these runs `done`, not the poller: see grpcc/events.h. NULL is fine. */
    struct grpcc_events *events;
};

/* Unary, blocking. The response lives in arena. *ret_response is untouched on failure. */
enum grpcc_status grpcc_unary(struct grpcc_channel *channel, const struct grpcc_method *method,
                              struct grpcc_arena *arena, const struct grpcc_call_options *options,
                              const ProtobufCMessage *request, void **ret_response,
                              struct grpcc_error *err) GRPCC_MUST_CHECK;

/* Unary, callback: done runs once on the poller thread, also when this fails at once (then before
 * it returns). The call handle is for _cancel and must be freed, at any time; freeing does not
 * cancel. ret_call may be NULL. */
typedef void (*grpcc_unary_done)(void *data, enum grpcc_status status, void *response,
                                 const struct grpcc_error *err);
void grpcc_unary_start(struct grpcc_channel *channel, const struct grpcc_method *method,
                       struct grpcc_arena *arena, const struct grpcc_call_options *options,
                       const ProtobufCMessage *request, grpcc_unary_done done, void *data,
                       struct grpcc_client_call **ret_call);

/*
 * Streams. open (request NULL for client and bidi streams) -> read/write -> close_send -> finish ->
 * free. finish waits for the status and may be called at any time: it cancels what the caller has
 * not read. free without finish cancels.
 */
struct grpcc_client_call *grpcc_stream_open(struct grpcc_channel *channel,
                                            const struct grpcc_method *method,
                                            const struct grpcc_call_options *options,
                                            const ProtobufCMessage *request,
                                            struct grpcc_error *err) GRPCC_MUST_CHECK;
/* 1: *ret_message holds a message in arena; 0: the stream has ended, _finish tells how; -1:
 * decoding failed, in err. */
int grpcc_stream_read(struct grpcc_client_call *call, struct grpcc_arena *arena, void **ret_message,
                      struct grpcc_error *err) GRPCC_MUST_CHECK;
/* False: the stream has ended, _finish tells how. */
bool grpcc_stream_write(struct grpcc_client_call *call,
                        const ProtobufCMessage *message) GRPCC_MUST_CHECK;
bool grpcc_stream_close_send(struct grpcc_client_call *call);
/* The status; for client streams also the one response (in arena; pass NULLs where the method has
 * none). */
enum grpcc_status grpcc_stream_finish(struct grpcc_client_call *call, struct grpcc_arena *arena,
                                      void **ret_response, struct grpcc_error *err);
/* As _finish without blocking: done runs once, on the poller, or before this returns where the
 * status is there already. Not with a write under way. The response is NULL but for client streams.
 */
void grpcc_stream_finish_start(struct grpcc_client_call *call, struct grpcc_arena *arena,
                               grpcc_unary_done done, void *data);
/* Any thread, any time before free. */
void grpcc_client_call_cancel(struct grpcc_client_call *call);
/* The same, and the call ends with UNAVAILABLE and that message: for a client library that found
 * the server silent. Not for handles of a policy. */
void grpcc_client_call_break(struct grpcc_client_call *call, const char *message);
void grpcc_client_call_free(struct grpcc_client_call *call);

/* Callback forms of read and write: one of each may be under way; done runs on the poller. */
void grpcc_stream_read_start(struct grpcc_client_call *call, struct grpcc_arena *arena,
                             void (*done)(void *data, int result, void *message,
                                          const struct grpcc_error *err),
                             void *data);
void grpcc_stream_write_start(struct grpcc_client_call *call, const ProtobufCMessage *message,
                              void (*done)(void *data, bool ok), void *data);

/*
 * A policy: what a client library puts between the generated stubs and its own channels, to choose
 * a replica, add headers, repeat. Every call on a policy's channel goes to its slots, all of them
 * set; they have the contracts of grpcc_unary(), grpcc_unary_start() and grpcc_stream_open(). The
 * channel is freed by grpcc_channel_free(), which does not touch self.
 */
struct grpcc_channel_policy {
    enum grpcc_status (*unary)(void *self, const struct grpcc_method *method,
                               struct grpcc_arena *arena, const struct grpcc_call_options *options,
                               const ProtobufCMessage *request, void **ret_response,
                               struct grpcc_error *err);
    void (*unary_start)(void *self, const struct grpcc_method *method, struct grpcc_arena *arena,
                        const struct grpcc_call_options *options, const ProtobufCMessage *request,
                        grpcc_unary_done done, void *data, struct grpcc_client_call **ret_call);
    struct grpcc_client_call *(*stream_open)(void *self, const struct grpcc_method *method,
                                             const struct grpcc_call_options *options,
                                             const ProtobufCMessage *request,
                                             struct grpcc_error *err);
};
/* policy and self live as long as the channel. */
struct grpcc_channel *grpcc_channel_new_policy(const struct grpcc_channel_policy *policy,
                                               void *self,
                                               struct grpcc_error *err) GRPCC_MUST_CHECK;

/*
 * A handle that a policy's unary_start gives out: _cancel and _free on it go to these, both set;
 * free is the last that is called with self. NULL without memory.
 */
struct grpcc_client_call *grpcc_client_call_new_policy(void (*cancel)(void *self),
                                                       void (*free)(void *self),
                                                       void *self) GRPCC_MUST_CHECK;

/* True on the runtime's own poller thread, where nothing may block. */
bool grpcc_on_poller_thread(void);

#ifdef __cplusplus
}
#endif

#endif
