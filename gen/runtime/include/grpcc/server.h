/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: typed handlers on gRPC core's C API.
 *
 * A service is a generated table of function pointers (`struct comb_v1_tree_server`), one per
 * method, NULL answers UNIMPLEMENTED. Every handler has one of two forms, whatever the method's
 * mode; the first is that of unary and server-stream methods, the second that of the others:
 *
 *     void (*stat)(void *self, struct grpcc_call *call, const struct x_request *request);
 *     void (*upload)(void *self, struct grpcc_call *call);
 *
 * and ends the call exactly once, before or after it returns, from any thread: with the generated
 * typed `..._finish(call, response)` (unary, client stream), with grpcc_call_finish_ok() (server
 * stream, bidi) or with grpcc_call_fail().
 *
 * Modes: INLINE runs on a poller and must not block; ASYNC runs there too, and finishes later, from
 * any thread; BLOCKING (the default) runs on a worker of a bounded pool and may block, also in
 * grpcc_call_read/_send.
 *
 * Memory: request, and all that grpcc_call_arena() gives, live until the call has ended and its
 * handler has returned. After the call is finished a handler must not touch `call` again unless it
 * holds a reference (grpcc_call_ref).
 */
#ifndef GRPCC_SERVER_H
#define GRPCC_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/arena.h"
#include "grpcc/compression.h"
#include "grpcc/descriptor.h"
#include "grpcc/message.h"
#include "grpcc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grpcc_server;
struct grpcc_call;

enum grpcc_mode { GRPCC_MODE_BLOCKING = 0, GRPCC_MODE_INLINE = 1, GRPCC_MODE_ASYNC = 2 };

/* Zero in a member: the default in brackets. */
struct grpcc_server_options {
    size_t size;      /* sizeof(struct grpcc_server_options): lets the struct grow */
    unsigned pollers; /* threads that read sockets, and run what is inline and async [cores / 2, at
                         least 1]; more only where such handlers compute for long */
    unsigned workers; /* threads for blocking methods [32] */
    unsigned
        streams_blocking_max;  /* workers that streaming calls may hold at once [half of workers] */
    unsigned queue_max;        /* calls waiting for a worker before new ones are shed [1024] */
    unsigned queue_age_max_ms; /* a call that waited longer is shed unrun [2000] */
    unsigned slots;            /* requests posted per method and queue [32] */
    unsigned streams_max;      /* concurrent streams of one connection [1000] */
    unsigned connections_max;  /* open connections [16384] */
    size_t request_bytes_max;  /* largest message received [4 MiB] */
    size_t metadata_bytes_max; /* all headers of a call [16 KiB] */
    size_t call_arena_max;     /* arena of a call [64 MiB] */
    struct grpcc_message_limits message_limits;
    unsigned handshake_timeout_ms;    /* [10000] */
    unsigned connection_age_max_ms;   /* [300000]; core adds +-10 % */
    unsigned connection_age_grace_ms; /* [300000] */
    unsigned keepalive_min_ms;        /* pings accepted from clients, at most every [10000] */
    bool no_reflection;               /* do not serve grpc.reflection */
    bool no_health;                   /* do not serve grpc.health */
    bool accept_compressed;           /* inflate gzip and deflate, see grpcc/compression.h */
    size_t inflated_bytes_max; /* largest message after inflating [request_bytes_max]; a method's
                                  own request_bytes_max goes before it */
    /* With //gen/runtime:accept: open connections from one IPv4 address, one /64 of IPv6, or all
     * Unix sockets [connections_max] */
    unsigned connections_per_peer_max;
    unsigned calls_max; /* calls that have begun and are not over, beyond which new ones are shed
                           [20000] */
    /* With //gen/runtime:accept: calls that one connection may cancel, before they are over and
     * their deadline has passed, in a second; one that cancels more is hung up on. A tenth of it
     * while all connections together cancel four times as many [500] */
    unsigned resets_per_second_max;
    /*
     * Proxies whose word about their clients is taken (x-forwarded-client-cert): NULL-terminated
     * list of addresses ("127.0.0.1", "::1"), networks ("10.0.0.0/8"), "unix" (every Unix socket)
     * and SPIFFE IDs or prefixes of them, as in grpcc/listen.h [nobody's: the header is removed].
     * See grpcc/identity.h. Copied.
     */
    const char *const *forwarded_from;
    /* How long a message of a response stream waits for a client that does not read, before the
     * call is cancelled with RESOURCE_EXHAUSTED; a call with a time limit of its own has that
     * instead, but where grpcc_call_send() waits [60000] */
    unsigned send_wait_max_ms;
    /* What core may use for connections, calls and messages that are not whole yet. Above it, idle
     * connections are asked to leave, and calls are reset with ENHANCE_YOUR_CALM [1 GiB] */
    size_t memory_bytes_max;
};

/* A server that does not listen yet; NULL and err without memory, or where an option cannot be
 * used. Threads: none are started before _start. Where abseil was built to look for deadlocks among
 * core's locks (Debian's is), this ends it for the process: it costs a tenth of every call. */
struct grpcc_server *grpcc_server_new(const struct grpcc_server_options *options,
                                      struct grpcc_error *err) GRPCC_MUST_CHECK;

/*
 * Adds all methods of a service; generated code wraps it, typed: comb_v1_tree_register(server,
 * &table, self, err). table is the generated struct of function pointers, table_size its sizeof: it
 * may be that of a program built when the service had fewer methods, and the others then answer
 * UNIMPLEMENTED. It and self must live as long as the server. Before _start.
 */
enum grpcc_status grpcc_server_add_service_table(struct grpcc_server *server,
                                                 const struct grpcc_service *service,
                                                 const void *table, size_t table_size, void *self,
                                                 struct grpcc_error *err) GRPCC_MUST_CHECK;
/* As above for a table that has a slot for every method of service. */
enum grpcc_status grpcc_server_add_service(struct grpcc_server *server,
                                           const struct grpcc_service *service, const void *table,
                                           void *self, struct grpcc_error *err) GRPCC_MUST_CHECK;

struct grpcc_method_config {
    enum grpcc_mode mode;
    size_t request_bytes_max; /* 0: the server's; a larger message answers RESOURCE_EXHAUSTED */
    unsigned
        timeout_max_ms; /* a call without a deadline, or with a later one, gets this; 0: none */
    void *tag;          /* the server program's own, see grpcc_call_tag() */
};
/* path: "/comb.v1.Tree/Stat". NOT_FOUND where no service has it. Before _start; config is copied.
 */
enum grpcc_status grpcc_server_configure_method(struct grpcc_server *server, const char *path,
                                                const struct grpcc_method_config *config,
                                                struct grpcc_error *err) GRPCC_MUST_CHECK;

/*
 * Interceptors run around every call, the built-in services (health, reflection) and unknown
 * methods too, first added first on the way in, last on the way out. All slots may be NULL. Calls
 * that never begin (shed, refused in a drain, not decodable, dead while they waited) pass none of
 * them; the server's counters have them, and observers (grpcc/observer.h) see them.
 */
enum grpcc_verdict {
    GRPCC_PROCEED = 0, /* go on */
    /* The interceptor calls grpcc_call_resume() or grpcc_call_fail() later, one of them, from any
     * thread; also when the call is cancelled meanwhile. */
    GRPCC_DEFER = 1,
    GRPCC_ANSWERED = 2 /* the interceptor has ended the call with grpcc_call_fail() */
};
struct grpcc_interceptor {
    /* Before the handler, on the thread on which it would run: a worker for blocking methods, a
     * poller otherwise (do not block there: DEFER). The request is decoded: grpcc_call_request().
     */
    enum grpcc_verdict (*begin)(void *self, struct grpcc_call *call);
    /* The call has been ended, by its handler or by an interceptor after this one, and its end has
     * not been sent yet: may add trailers, or replace the status through grpcc_call_fail(). Only
     * where begin ran, as end. Any thread, must not block. */
    void (*before_finish)(void *self, struct grpcc_call *call, enum grpcc_status status);
    /* The call is over, status as the peer saw it, cancelled or not. Any thread, must not block. */
    void (*end)(void *self, struct grpcc_call *call, enum grpcc_status status);
};
enum grpcc_status grpcc_server_add_interceptor(struct grpcc_server *server,
                                               const struct grpcc_interceptor *interceptor,
                                               void *self,
                                               struct grpcc_error *err) GRPCC_MUST_CHECK;

/* TLS of a listener: PEM files, read again when they change. client_ca_file NULL: clients show no
 * certificate; else each of them must. For more than that see grpcc/listen.h. */
struct grpcc_server_tls {
    const char *certificate_file;
    const char *key_file;
    const char *client_ca_file;
    unsigned reload_s; /* how often the files are looked at [10] */
};
/*
 * Listens on "127.0.0.1:7070", "[::]:0" (port 0: any), "unix:/path" (mode 0600). tls NULL:
 * plaintext. Before _start. *ret_port (NULL is fine) is the port bound, 0 for a Unix socket.
 * UNAVAILABLE where the address is taken.
 */
enum grpcc_status grpcc_server_listen(struct grpcc_server *server, const char *address,
                                      const struct grpcc_server_tls *tls, int *ret_port,
                                      struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Serves one connected socket (plaintext HTTP/2, prior knowledge); takes the descriptor. After
 * _start. For tests. */
enum grpcc_status grpcc_server_add_fd(struct grpcc_server *server, int fd,
                                      struct grpcc_error *err) GRPCC_MUST_CHECK;

enum grpcc_status grpcc_server_start(struct grpcc_server *server,
                                     struct grpcc_error *err) GRPCC_MUST_CHECK;

/*
 * Drain, in this order: health turns NOT_SERVING (every Watch is told) while calls are still served
 * for delay_ms; then new calls answer UNAVAILABLE with pushback 0 before their handler, and what
 * runs may finish until grace_ms have passed; what is left then is cancelled. Long streams learn of
 * it by grpcc_call_is_draining(). Blocks until the server is quiet. Not from a thread of the
 * server. A second call only waits.
 */
void grpcc_server_drain(struct grpcc_server *server, unsigned delay_ms, unsigned grace_ms);
/*
 * What the main thread of a server program does: starts, waits for SIGINT or SIGTERM, drains. OK:
 * drained; otherwise it did not start. Both signals are blocked in this thread meanwhile; threads
 * that the program has started before must block them too (those of the runtime do).
 */
enum grpcc_status grpcc_server_run(struct grpcc_server *server, unsigned delay_ms,
                                   unsigned grace_ms, struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Stops at once where no drain came before, joins all threads, frees. NULL is fine. */
void grpcc_server_free(struct grpcc_server *server);

/* Health of one service name ("" is the whole server); what is registered starts as SERVING. Any
 * thread. */
enum grpcc_serving { GRPCC_SERVING_UNKNOWN = 0, GRPCC_SERVING = 1, GRPCC_NOT_SERVING = 2 };
void grpcc_server_set_health(struct grpcc_server *server, const char *service,
                             enum grpcc_serving serving);

/* Counters since start, all threads, not one consistent snapshot; what was shed counts as failed
 * too. */
struct grpcc_server_stats {
    uint64_t calls_started, calls_ok, calls_failed, calls_shed, calls_cancelled;
    uint32_t calls_in_flight, queue_length, workers_busy, connections;
};
void grpcc_server_get_stats(const struct grpcc_server *server,
                            struct grpcc_server_stats *ret_stats);

/* ---- the call, as handlers and interceptors see it ---- */

struct grpcc_arena *grpcc_call_arena(struct grpcc_call *call);
/* NULL for an unknown method. */
const struct grpcc_method *grpcc_call_method(const struct grpcc_call *call);
const char *grpcc_call_path(const struct grpcc_call *call);
/* grpcc_method_config.tag, or NULL. */
void *grpcc_call_tag(const struct grpcc_call *call);
/* NULL for client and bidi streams. Not in an interceptor's `end`: it may be gone. */
const ProtobufCMessage *grpcc_call_request(const struct grpcc_call *call);
/* "ipv4:127.0.0.1:4711". */
const char *grpcc_call_peer(struct grpcc_call *call);
/* CLOCK_MONOTONIC; INT64_MAX: none. */
int64_t grpcc_call_deadline_ns(const struct grpcc_call *call);
/* By the peer, by its deadline, by a drain's end. */
bool grpcc_call_is_cancelled(const struct grpcc_call *call);
bool grpcc_call_is_draining(const struct grpcc_call *call);
/* function(data) once, when the call is cancelled, or never; at once if it is already. Any thread;
 * it may still run on another one while the handler ends the call, so data lives as long as the
 * call (in its arena). False: no memory, and function is not registered. */
bool grpcc_call_on_cancel(struct grpcc_call *call, void (*function)(void *data),
                          void *data) GRPCC_MUST_CHECK;

/* The interceptors' and handlers' own data, one pointer per call; NULL at first. */
void grpcc_call_set_user_data(struct grpcc_call *call, void *data);
void *grpcc_call_user_data(const struct grpcc_call *call);

struct grpcc_call *grpcc_call_ref(struct grpcc_call *call);
void grpcc_call_unref(struct grpcc_call *call);

/* The first value of a request header (lower case key; "-bin" values as bytes); NULL: absent. A
 * copy in the call's arena that ends with a NUL. */
const char *grpcc_call_metadata(const struct grpcc_call *call, const char *key, size_t *ret_length);
/* Response headers before the first message, trailers with the end. Copied. False: no room, or the
 * key or value is not valid. */
bool grpcc_call_add_initial_metadata(struct grpcc_call *call, const char *key, const void *value,
                                     size_t length) GRPCC_MUST_CHECK;
bool grpcc_call_add_trailing_metadata(struct grpcc_call *call, const char *key, const void *value,
                                      size_t length) GRPCC_MUST_CHECK;

/* Goes on after GRPCC_DEFER, from any thread, once. */
void grpcc_call_resume(struct grpcc_call *call);
/* Only while an inline or async handler runs, or an interceptor's `begin` that then says DEFER: the
 * rest happens in function, on a worker, where blocking is allowed. An interceptor's function ends
 * with grpcc_call_resume() or grpcc_call_fail(). It is not called where the call dies first, or the
 * pool is full: what self owns belongs in the call's arena. */
void grpcc_call_hand_over(struct grpcc_call *call,
                          void (*function)(void *self, struct grpcc_call *call,
                                           const void *request),
                          void *self);

/* Blocking stream steps, workers only. _read: OK with *ret_message NULL at the end of the stream;
 * the message lives in arena. _send returns when core has taken the message, or
 * all before it (flow control): one message and 16 KiB of a stream are kept at most. CANCELLED when
 * the call is over; RESOURCE_EXHAUSTED for a message that is NULL, because there was no room for
 * it. */
enum grpcc_status grpcc_call_read(struct grpcc_call *call, struct grpcc_arena *arena,
                                  void **ret_message, struct grpcc_error *err) GRPCC_MUST_CHECK;
enum grpcc_status grpcc_call_send(struct grpcc_call *call, const ProtobufCMessage *message,
                                  struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Callback forms for async handlers; one read and one send may be under way. done runs on a poller.
 * A message that done sends before it returns may go with those after it; the last one goes at
 * once. */
void grpcc_call_read_start(struct grpcc_call *call, struct grpcc_arena *arena,
                           void (*done)(void *data, enum grpcc_status status, void *message,
                                        const struct grpcc_error *err),
                           void *data);
void grpcc_call_send_start(struct grpcc_call *call, const ProtobufCMessage *message,
                           void (*done)(void *data, enum grpcc_status status), void *data);

/* Ends: exactly one of them, once; packs before it returns. A second end is ignored and logged: it
 * is a bug. A read or a send may be under way: its end comes first. A response of NULL, where the
 * call's arena could not give it, ends the call with RESOURCE_EXHAUSTED. */
void grpcc_call_finish(struct grpcc_call *call, const ProtobufCMessage *response);
void grpcc_call_finish_ok(struct grpcc_call *call);
void grpcc_call_fail(struct grpcc_call *call, enum grpcc_status status, const char *format, ...)
    GRPCC_FORMAT(3, 4);
/* As err says: _finish_ok where its status is OK, else _fail with its status and message. */
void grpcc_call_end(struct grpcc_call *call, const struct grpcc_error *err);
/* Before _fail: adds a message to google.rpc.Status.details (ErrorInfo first). Dropped, with the
 * last ones first, where all exceed GRPCC_STATUS_DETAILS_MAX. Copied. */
void grpcc_call_add_detail(struct grpcc_call *call, const ProtobufCMessage *detail);
/* Before _fail: tells the client when to try again (grpc-retry-pushback-ms); -1: not at all. */
void grpcc_call_set_pushback_ms(struct grpcc_call *call, int64_t pushback_ms);

#ifdef __cplusplus
}
#endif

#endif
