/* SPDX-License-Identifier: Apache-2.0 */
/* A server: put together, configured, started, freed. */
#include "gen/runtime/src/server/server.h"

#include <string.h>
#include <unistd.h>

#include "gen/runtime/src/core/abseil.h"
#include "gen/runtime/src/core/compression.h"
#include "gen/runtime/src/core/log.h"
#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/security/forwarder.h"
#include "gen/runtime/src/security/tls_files.h"
#include "gen/runtime/src/server/call.h"
#include "gen/runtime/src/server/health.h"
#include "grpcc/accept.h"

/* What of a stream may wait for the message after it: many small messages, and little memory where
 * many streams have slow readers. */
enum { STREAM_BUFFER_BYTES = 16 << 10 };

/* Only programs that link //gen/runtime:accept have them. */
#pragma weak grpcc_accept_set_max
#pragma weak grpcc_accept_set_per_peer_max
#pragma weak grpcc_accept_connections

/* They ask for things by name; a Watch keeps its request as long as it lasts. */
enum { BUILTIN_REQUEST_BYTES_MAX = 16 << 10 };

static unsigned or_default(unsigned value, unsigned fallback)
{
    return value ? value : fallback;
}

static unsigned cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

static void set_options(struct grpcc_server *server, const struct grpcc_server_options *given)
{
    struct grpcc_server_options *options = &server->options;
    grpcc_options_copy(options, sizeof(*options), given);
    server->n_queues = cores() / 2 ? cores() / 2 : 1;
    /* A second one on a queue costs more in handing over than it serves: docs/performance.md. */
    options->pollers = or_default(options->pollers, (unsigned)server->n_queues);
    if (server->n_queues > options->pollers)
        server->n_queues = options->pollers;
    options->workers = or_default(options->workers, 32);
    options->streams_blocking_max =
        or_default(options->streams_blocking_max, (options->workers + 1) / 2);
    options->queue_max = or_default(options->queue_max, 1024);
    options->queue_age_max_ms = or_default(options->queue_age_max_ms, 2000);
    options->slots = or_default(options->slots, 32);
    options->streams_max = or_default(options->streams_max, 1000);
    options->connections_max = or_default(options->connections_max, 16384);
    options->handshake_timeout_ms = or_default(options->handshake_timeout_ms, 10000);
    options->connection_age_max_ms = or_default(options->connection_age_max_ms, 300000);
    options->connection_age_grace_ms = or_default(options->connection_age_grace_ms, 300000);
    options->keepalive_min_ms = or_default(options->keepalive_min_ms, 10000);
    options->connections_per_peer_max =
        or_default(options->connections_per_peer_max, options->connections_max);
    options->calls_max = or_default(options->calls_max, 20000);
    options->send_wait_max_ms = or_default(options->send_wait_max_ms, 60000);
    options->resets_per_second_max = or_default(options->resets_per_second_max, 500);
    if (!options->request_bytes_max)
        options->request_bytes_max = 4 << 20;
    if (!options->inflated_bytes_max)
        options->inflated_bytes_max = options->request_bytes_max;
    if (!options->memory_bytes_max)
        options->memory_bytes_max = (size_t)1 << 30;
    if (!options->metadata_bytes_max)
        options->metadata_bytes_max = 16 << 10;
    if (!options->call_arena_max)
        options->call_arena_max = 64 << 20;
}

static void server_release(struct grpcc_server *server)
{
    for (size_t i = 0; i < server->n_methods; i++)
        grpcc_memory_free(server->methods[i]);
    grpcc_memory_free(server->methods);
    grpcc_memory_free(server->services);
    grpcc_observers_released(server);
    grpcc_memory_free((void *)(uintptr_t)server->propagated);
    grpcc_memory_free(server->interceptors);
    for (size_t i = 0; i < server->n_tls_files; i++)
        grpcc_tls_files_close(server->tls_files[i]);
    grpcc_forwarders_free(server->forwarders);
    grpcc_memory_free(server->queues);
    grpcc_memory_free(server->pollers);
    grpcc_health_free(server->health);
    grpcc_timers_done(&server->timers);
    grpcc_resets_done(&server->resets);
    pthread_cond_destroy(&server->pool.changed);
    pthread_mutex_destroy(&server->pool.lock);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    grpcc_memory_free(server);
    grpc_shutdown();
}

static void init_locks(struct grpcc_server *server)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&server->pool.lock, NULL);
    pthread_cond_init(&server->pool.changed, NULL);
}

struct grpcc_server *grpcc_server_core_new(const struct grpcc_server_options *options,
                                           struct grpcc_error *err)
{
    struct grpcc_server *server = grpcc_memory_zalloc(sizeof(*server));
    if (!server) {
        grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for a server");
        return NULL;
    }
    grpc_init();
    grpcc_abseil_trust_locks();
    init_locks(server);
    grpcc_timers_init(&server->timers);
    grpcc_resets_init(&server->resets);
    set_options(server, options);
    server->health = grpcc_health_new();
    server->queues = grpcc_memory_zalloc(server->n_queues * sizeof(*server->queues));
    server->pollers = grpcc_memory_zalloc(server->options.pollers * sizeof(*server->pollers));
    const char *const *forwarded_from = server->options.forwarded_from;
    enum grpcc_status status = GRPCC_OK;
    if (!server->health || !server->queues || !server->pollers)
        status = grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for a server");
    if (!status && forwarded_from)
        status = grpcc_forwarders_new(forwarded_from, &server->forwarders, err);
    server->options.forwarded_from = NULL; /* the caller's */
    if (!status)
        return server;
    server_release(server);
    return NULL;
}

/* The array with room for one more element after its n; NULL without memory, and the array is as it
 * was. */
static void *array_grown(void *array, size_t n, size_t size)
{
    enum { STEP = 8 };
    return n % STEP ? array : grpcc_memory_realloc(array, (n + STEP) * size);
}

static enum grpcc_status no_memory(struct grpcc_error *err)
{
    return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory to set up the server");
}

static enum grpcc_status must_be_new(const struct grpcc_server *server, struct grpcc_error *err)
{
    if (server->state == GRPCC_SERVER_NEW)
        return GRPCC_OK;
    return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION, "the server has been started before");
}

static enum grpcc_status add_method(struct grpcc_server *server, const struct grpcc_method *method,
                                    void (*handler)(void), void *self, bool builtin,
                                    struct grpcc_error *err)
{
    for (size_t i = 0; i < server->n_methods; i++)
        if (strcmp(server->methods[i]->descriptor->path, method->path) == 0)
            return grpcc_error_set(err, GRPCC_ALREADY_EXISTS, "%s is served already", method->path);
    void *grown = array_grown(server->methods, server->n_methods, sizeof(*server->methods));
    if (!grown)
        return no_memory(err);
    server->methods = grown;
    struct grpcc_server_method *added = grpcc_memory_zalloc(sizeof(*added));
    if (!added)
        return no_memory(err);
    added->server = server;
    added->descriptor = method;
    added->handler = handler;
    added->self = self;
    added->builtin = builtin;
    added->config.mode = builtin ? GRPCC_MODE_ASYNC : GRPCC_MODE_BLOCKING;
    if (builtin)
        added->config.request_bytes_max = BUILTIN_REQUEST_BYTES_MAX;
    server->methods[server->n_methods++] = added;
    return GRPCC_OK;
}

static enum grpcc_status add_service(struct grpcc_server *server,
                                     const struct grpcc_service *service, const void *table,
                                     size_t n_slots, void *self, bool builtin,
                                     struct grpcc_error *err)
{
    /* A generated table is a struct of function pointers in the order of the methods. */
    void (*const *handlers)(void) = table;
    enum grpcc_status status = must_be_new(server, err);
    for (size_t i = 0; !status && i < service->n_methods; i++)
        status = add_method(server, &service->methods[i], i < n_slots ? handlers[i] : NULL, self,
                            builtin, err);
    if (status)
        return status;
    void *grown = array_grown(server->services, server->n_services, sizeof(*server->services));
    if (!grown)
        return no_memory(err);
    server->services = grown;
    if (!grpcc_health_set(server->health, service->name, GRPCC_SERVING))
        return no_memory(err);
    server->services[server->n_services++] = service;
    return GRPCC_OK;
}

enum grpcc_status grpcc_server_add_service(struct grpcc_server *server,
                                           const struct grpcc_service *service, const void *table,
                                           void *self, struct grpcc_error *err)
{
    return add_service(server, service, table, service->n_methods, self, false, err);
}

enum grpcc_status grpcc_server_add_service_table(struct grpcc_server *server,
                                                 const struct grpcc_service *service,
                                                 const void *table, size_t table_size, void *self,
                                                 struct grpcc_error *err)
{
    size_t n_slots = table_size / sizeof(void (*)(void));
    if (n_slots > service->n_methods)
        return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION,
                               "%s: the program was built for a newer library: its table has %zu "
                               "methods, the service %zu",
                               service->name, n_slots, service->n_methods);
    return add_service(server, service, table, n_slots, self, false, err);
}

enum grpcc_status grpcc_server_add_builtin(struct grpcc_server *server,
                                           const struct grpcc_service *service, const void *table,
                                           void *self, struct grpcc_error *err)
{
    return add_service(server, service, table, service->n_methods, self, true, err);
}

enum grpcc_status grpcc_server_configure_method(struct grpcc_server *server, const char *path,
                                                const struct grpcc_method_config *config,
                                                struct grpcc_error *err)
{
    enum grpcc_status status = must_be_new(server, err);
    if (status)
        return status;
    /* Core has one limit for the whole server, and learns it when it is created. */
    if (server->core && config->request_bytes_max > server->request_bytes_max)
        return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION,
                               "%s: a limit above the server's must be set before it listens",
                               path);
    for (size_t i = 0; i < server->n_methods; i++) {
        if (strcmp(server->methods[i]->descriptor->path, path) != 0)
            continue;
        server->methods[i]->config = *config;
        return GRPCC_OK;
    }
    return grpcc_error_set(err, GRPCC_NOT_FOUND, "no service of this server has %s", path);
}

enum grpcc_status grpcc_server_add_interceptor(struct grpcc_server *server,
                                               const struct grpcc_interceptor *interceptor,
                                               void *self, struct grpcc_error *err)
{
    enum grpcc_status status = must_be_new(server, err);
    if (status)
        return status;
    void *grown =
        array_grown(server->interceptors, server->n_interceptors, sizeof(*server->interceptors));
    if (!grown)
        return no_memory(err);
    server->interceptors = grown;
    server->interceptors[server->n_interceptors++] =
        (struct grpcc_server_interceptor){*interceptor, self};
    return GRPCC_OK;
}

/* ---- core ---- */

static grpc_arg integer_arg(const char *key, size_t value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER,
                      .key = (char *)(uintptr_t)key,
                      .value.integer = value > INT32_MAX ? INT32_MAX : (int)value};
}

static size_t largest_request(const struct grpcc_server *server)
{
    size_t largest = server->options.request_bytes_max;
    for (size_t i = 0; i < server->n_methods; i++)
        if (server->methods[i]->config.request_bytes_max > largest)
            largest = server->methods[i]->config.request_bytes_max;
    return largest;
}

enum grpcc_status grpcc_server_core_create(struct grpcc_server *server, struct grpcc_error *err)
{
    const struct grpcc_server_options *options = &server->options;
    if (server->core)
        return GRPCC_OK;
    server->request_bytes_max = largest_request(server);
    /* Core looks at a message's size only when it has all of it. */
    grpc_resource_quota *quota = grpc_resource_quota_create("grpcc server");
    grpc_resource_quota_resize(quota, options->memory_bytes_max);
    grpc_arg args[] = {
        {.type = GRPC_ARG_POINTER,
         .key = (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA,
         .value.pointer = {quota, grpc_resource_quota_arg_vtable()}},
        /* Two processes on one port by accident is worse than an error. */
        integer_arg(GRPC_ARG_ALLOW_REUSEPORT, 0),
        integer_arg(GRPC_ARG_MAX_CONCURRENT_STREAMS, options->streams_max),
        integer_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, server->request_bytes_max),
        integer_arg(GRPC_ARG_MAX_METADATA_SIZE, options->metadata_bytes_max),
        integer_arg(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, options->handshake_timeout_ms),
        integer_arg(GRPC_ARG_MAX_CONNECTION_AGE_MS, options->connection_age_max_ms),
        integer_arg(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, options->connection_age_grace_ms),
        integer_arg(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                    options->keepalive_min_ms),
        integer_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        integer_arg(GRPC_ARG_HTTP2_WRITE_BUFFER_SIZE, STREAM_BUFFER_BYTES),
        /* Core inflates without a limit on what comes out: it is done here, or not at all. */
        integer_arg(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET,
                    (size_t)grpcc_compression_bitset(options->accept_compressed)),
        integer_arg(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
    };
    grpc_channel_args arguments = {sizeof(args) / sizeof(args[0]), args};
    server->core = grpc_server_create(&arguments, NULL);
    grpc_resource_quota_unref(quota);
    if (!server->core)
        return no_memory(err);
    for (size_t i = 0; i < server->n_queues; i++) {
        server->queues[i] = grpc_completion_queue_create_for_next(NULL);
        grpc_server_register_completion_queue(server->core, server->queues[i], NULL);
    }
    if (grpcc_accept_set_max) {
        grpcc_accept_set_max(options->connections_max);
        grpcc_accept_set_per_peer_max(options->connections_per_peer_max);
    }
    return GRPCC_OK;
}

static void *poller_main(void *queue)
{
    grpcc_core_poll(queue);
    return NULL;
}

static bool start_threads(struct grpcc_server *server)
{
    server->pool.workers_max = server->options.workers;
    server->pool.streams_max = server->options.streams_blocking_max;
    server->pool.queue_max = server->options.queue_max;
    server->pool.age_max_ns = (int64_t)server->options.queue_age_max_ms * GRPCC_NS_PER_MS;
    if (!grpcc_pool_init(&server->pool))
        return false;
    for (; server->n_pollers < server->options.pollers; server->n_pollers++)
        if (!grpcc_thread_start(&server->pollers[server->n_pollers], "grpcc-poller", poller_main,
                                server->queues[server->n_pollers % server->n_queues]))
            break;
    /* Every queue needs one; what is missing of the second ones only costs speed. */
    return server->n_pollers >= server->n_queues;
}

static bool register_methods(struct grpcc_server *server)
{
    for (size_t i = 0; i < server->n_methods; i++) {
        struct grpcc_server_method *method = server->methods[i];
        bool stream = method->descriptor->kind == GRPCC_CLIENT_STREAM ||
                      method->descriptor->kind == GRPCC_BIDI_STREAM;
        method->core_handle = grpc_server_register_method(
            server->core, method->descriptor->path, NULL,
            stream ? GRPC_SRM_PAYLOAD_NONE : GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
        if (!method->core_handle)
            return false;
    }
    return true;
}

enum grpcc_status grpcc_server_start(struct grpcc_server *server, struct grpcc_error *err)
{
    enum grpcc_status status = must_be_new(server, err);
    if (!status)
        status = grpcc_server_core_create(server, err);
    if (status)
        return status;
    if (!grpcc_health_set(server->health, "", GRPCC_SERVING) || !register_methods(server) ||
        !grpcc_slots_new(server))
        return no_memory(err);
    server->state = GRPCC_SERVER_RUNNING;
    grpc_server_start(server->core);
    if (!start_threads(server)) {
        grpcc_server_stop(server, 0);
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no threads for the server");
    }
    grpcc_slots_post(server);
    return GRPCC_OK;
}

void grpcc_server_free(struct grpcc_server *server)
{
    if (!server)
        return;
    grpcc_server_stop(server, 0);
    server_release(server);
}

void grpcc_server_set_health(struct grpcc_server *server, const char *service,
                             enum grpcc_serving serving)
{
    if (!grpcc_health_set(server->health, service, serving))
        grpcc_log(GRPCC_LOG_ERROR, "no memory to note the health of %s", service);
}

void grpcc_server_get_stats(const struct grpcc_server *server, struct grpcc_server_stats *ret_stats)
{
    struct grpcc_server *locked = (struct grpcc_server *)(uintptr_t)server;
    struct grpcc_server_stats stats = {
        .calls_started = atomic_load(&locked->calls_started),
        .calls_ok = atomic_load(&locked->calls_ok),
        .calls_failed = atomic_load(&locked->calls_failed),
        .calls_shed = atomic_load(&locked->calls_shed),
        .calls_cancelled = atomic_load(&locked->calls_cancelled),
        .connections = grpcc_accept_connections ? grpcc_accept_connections() : 0,
    };
    pthread_mutex_lock(&locked->lock);
    stats.calls_in_flight = (uint32_t)locked->n_in_flight;
    pthread_mutex_unlock(&locked->lock);
    pthread_mutex_lock(&locked->pool.lock);
    stats.queue_length = (uint32_t)(locked->pool.unary.length + locked->pool.streams.length);
    stats.workers_busy = locked->pool.n_busy;
    pthread_mutex_unlock(&locked->pool.lock);
    *ret_stats = stats;
}
