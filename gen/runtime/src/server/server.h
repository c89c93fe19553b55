/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's insides, shared by server*.c and call*.c.
 *
 * Locks, in the order in which they may be taken: health->lock, pool->lock or timers->lock,
 * call->lock, server->lock. None is held while core or a program's function is called, but that
 * calls are cancelled under timers->lock and server->lock, which keep them from going meanwhile.
 */
#ifndef GRPCC_SRC_SERVER_H
#define GRPCC_SRC_SERVER_H

#include <stdatomic.h>

#include "gen/runtime/src/core/core.h"
#include "gen/runtime/src/core/metadata.h"
#include "gen/runtime/src/observe/observe.h"
#include "gen/runtime/src/server/server_pool.h"
#include "gen/runtime/src/server/server_reset.h"
#include "gen/runtime/src/server/server_timer.h"
#include "grpcc/server.h"

enum { GRPCC_LISTENERS_MAX = 16 };

struct grpcc_health;
struct grpcc_forwarders;
struct grpcc_tls_files;

/* A method that the server answers. */
struct grpcc_server_method {
    struct grpcc_server *server;
    const struct grpcc_method *descriptor;
    void (*handler)(void); /* NULL: UNIMPLEMENTED */
    void *self;
    struct grpcc_method_config config;
    bool builtin; /* health, reflection: served in a lame duck too, and no drain waits for them */
    void *core_handle;
};

struct grpcc_server_interceptor {
    struct grpcc_interceptor slots;
    void *self;
};

/* One request posted to core; taken again the moment its event arrives. */
struct grpcc_slot {
    struct grpcc_tag tag;
    struct grpcc_server *server;
    const struct grpcc_server_method *method; /* NULL: for methods that nobody registered */
    grpc_completion_queue *queue;
    grpc_call *core;
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    grpc_byte_buffer *payload;
    grpc_call_details details;
};

enum grpcc_server_state { GRPCC_SERVER_NEW, GRPCC_SERVER_RUNNING, GRPCC_SERVER_STOPPED };

struct grpcc_server {
    struct grpcc_server_options options;
    grpc_server *core; /* NULL until the first _listen or _start: the methods' limits go into its
                          arguments */
    size_t request_bytes_max; /* the largest limit of all methods, once core exists */
    enum grpcc_server_state state;

    struct grpcc_server_method **methods;
    size_t n_methods;
    const struct grpcc_service **services;
    size_t n_services;
    struct grpcc_server_interceptor *interceptors;
    size_t n_interceptors;
    struct grpcc_tls_files *tls_files[GRPCC_LISTENERS_MAX]; /* of the listeners with TLS */
    size_t n_tls_files;
    struct grpcc_server_observer *observers;
    size_t n_observers;
    const struct grpcc_span_sink *spans; /* NULL: none */
    const char *const *propagated;       /* headers that client calls carry on */
    size_t n_propagated;
    bool propagates_own;                 /* else what is propagated by default */
    struct grpcc_forwarders *forwarders; /* NULL: nobody forwards identities */

    grpc_completion_queue **queues;
    size_t n_queues;
    pthread_t *pollers;
    size_t n_pollers; /* that run */
    struct grpcc_slot *slots;
    size_t n_slots;
    struct grpcc_pool pool;
    struct grpcc_timers timers;
    struct grpcc_resets resets;
    struct grpcc_health *health;

    pthread_mutex_t lock;   /* all below */
    pthread_cond_t changed; /* n_alive, n_in_flight or drain_state changed */
    struct grpcc_call *free_calls;
    struct grpcc_arena *free_arenas[64];
    size_t n_free_arenas;
    struct grpcc_call *calls;         /* that are not over, without the built-in services' */
    struct grpcc_call *builtin_calls; /* of the built-in services, which a stop cancels first */
    size_t n_alive;                   /* calls that are not on the free list */
    size_t n_in_flight;               /* calls that are not over, without the built-in services' */
    int64_t last_call_ns;             /* when a call last began in the lame duck */
    enum { DRAIN_NONE, DRAIN_RUNNING, DRAIN_DONE } drain_state;

    atomic_bool lame_duck;
    atomic_ullong calls_started, calls_ok, calls_failed, calls_shed, calls_cancelled;
};

/* server.c */
struct grpcc_server *grpcc_server_core_new(const struct grpcc_server_options *options,
                                           struct grpcc_error *err) GRPCC_MUST_CHECK;
/* As grpcc_server_add_service, for the built-in services. */
enum grpcc_status grpcc_server_add_builtin(struct grpcc_server *server,
                                           const struct grpcc_service *service, const void *table,
                                           void *self, struct grpcc_error *err) GRPCC_MUST_CHECK;
enum grpcc_status grpcc_server_core_create(struct grpcc_server *server,
                                           struct grpcc_error *err) GRPCC_MUST_CHECK;

/* health_service.c, reflection_service.c: register the built-in services. */
enum grpcc_status grpcc_health_serve(struct grpcc_server *server,
                                     struct grpcc_error *err) GRPCC_MUST_CHECK;
enum grpcc_status grpcc_reflection_serve(struct grpcc_server *server,
                                         struct grpcc_error *err) GRPCC_MUST_CHECK;

/* server_drain.c */
/* Ends the server if it runs, cancelling what is left after patience_ms, and gives back what its
 * start took. */
void grpcc_server_stop(struct grpcc_server *server, unsigned patience_ms);

/* server_slot.c */
bool grpcc_slots_new(struct grpcc_server *server) GRPCC_MUST_CHECK;
void grpcc_slots_post(struct grpcc_server *server);
void grpcc_slots_free(struct grpcc_server *server);

#endif
