/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a server. Core's own shutdown answers CANCELLED to every call that comes while it
 * closes, which no client retries: so calls are first served on, then refused in a way that is safe
 * to retry, and only a quiet server is shut down.
 */
#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/server/call.h"
#include "gen/runtime/src/server/health.h"
#include "gen/runtime/src/server/server.h"

/* No new call for this long, or a quarter of the grace if that is less: the clients have moved on.
 */
enum { QUIET_MS = 1000 };
/* Clients that never move on are not waited for longer than this, once no call is left. */
enum { LINGER_MS = 5000 };
/* How long connections may take to close by themselves once no call is left. */
enum { CLOSE_MS = 2000 };

struct shutdown {
    struct grpcc_tag tag;
    struct grpcc_server *server;
    bool done; /* under server->lock */
};

static struct timespec at(int64_t time_ns)
{
    return (struct timespec){.tv_sec = time_ns / GRPCC_NS_PER_S,
                             .tv_nsec = time_ns % GRPCC_NS_PER_S};
}

static int64_t in_ms(unsigned ms)
{
    return grpcc_now_ns() + (int64_t)ms * GRPCC_NS_PER_MS;
}

/* Waits for a change until then; false: it is then. */
static bool wait_locked(struct grpcc_server *server, int64_t until_ns)
{
    struct timespec until = at(until_ns);
    if (grpcc_now_ns() >= until_ns)
        return false;
    pthread_cond_timedwait(&server->changed, &server->lock, &until);
    return true;
}

static void shutdown_done(struct grpcc_tag *tag, bool ok)
{
    struct shutdown *shutdown = GRPCC_CONTAINER(tag, struct shutdown, tag);
    struct grpcc_server *server = shutdown->server;
    (void)ok;
    pthread_mutex_lock(&server->lock);
    shutdown->done = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

/* A server that never started has no pollers: its one event is fetched here. */
static void discard_core(struct grpcc_server *server)
{
    struct grpcc_tag unused;
    grpc_completion_queue *queue = server->queues[0];
    grpc_server_shutdown_and_notify(server->core, queue, &unused);
    while (grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).tag !=
           &unused)
        continue;
}

/* What has been ended is on its way to the peer, and is left to arrive. */
static void cancel_builtin_locked(struct grpcc_server *server)
{
    for (struct grpcc_call *call = server->builtin_calls; call; call = call->next)
        if (!atomic_load(&call->ended))
            grpc_call_cancel_with_status(call->core, GRPC_STATUS_UNAVAILABLE,
                                         "the server is shutting down", NULL);
}

static void shut_core_down(struct grpcc_server *server, unsigned patience_ms)
{
    struct shutdown shutdown = {.tag.run = shutdown_done, .server = server};
    int64_t until_ns = in_ms(patience_ms);
    grpcc_handoff_release(&shutdown.tag);
    grpc_server_shutdown_and_notify(server->core, server->queues[0], &shutdown.tag);
    grpcc_health_close(server->health);
    pthread_mutex_lock(&server->lock);
    cancel_builtin_locked(server);
    while (!shutdown.done && wait_locked(server, until_ns))
        continue;
    if (!shutdown.done) {
        pthread_mutex_unlock(&server->lock);
        grpc_server_cancel_all_calls(server->core);
        pthread_mutex_lock(&server->lock);
    }
    /* A handler that does not return holds the server up: there is no way to end it. */
    while (!shutdown.done || server->n_alive > 0)
        pthread_cond_wait(&server->changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
}

static void join_pollers(struct grpcc_server *server)
{
    for (size_t i = 0; i < server->n_queues; i++)
        grpc_completion_queue_shutdown(server->queues[i]);
    for (size_t i = 0; i < server->n_pollers; i++)
        pthread_join(server->pollers[i], NULL);
    /* Only a start that failed leaves a queue that nobody has drained. */
    for (size_t i = 0; i < server->n_queues; i++) {
        if (i >= server->n_pollers)
            grpcc_core_poll(server->queues[i]);
        grpc_completion_queue_destroy(server->queues[i]);
    }
}

void grpcc_server_stop(struct grpcc_server *server, unsigned patience_ms)
{
    if (!server->core)
        return;
    bool running = server->state == GRPCC_SERVER_RUNNING;
    if (running && server->n_pollers > 0)
        shut_core_down(server, patience_ms);
    else
        discard_core(server);
    if (running)
        grpcc_pool_done(&server->pool);
    pthread_mutex_lock(&server->lock);
    server->state = GRPCC_SERVER_STOPPED;
    pthread_mutex_unlock(&server->lock);
    join_pollers(server);
    grpc_server_destroy(server->core);
    server->core = NULL;
    grpcc_slots_free(server);
    grpcc_calls_free(server);
}

/* Serves on for delay_ms, then refuses new calls until those that run have ended, or grace_ms are
 * over. */
static void drain_calls(struct grpcc_server *server, unsigned delay_ms, unsigned grace_ms)
{
    int64_t quiet_ms = grace_ms / 4 < QUIET_MS ? grace_ms / 4 : QUIET_MS;
    int64_t until_ns = in_ms(delay_ms);
    pthread_mutex_lock(&server->lock);
    while (wait_locked(server, until_ns))
        continue;
    atomic_store(&server->lame_duck, true);
    server->last_call_ns = grpcc_now_ns();
    until_ns = in_ms(grace_ms);
    int64_t linger_ns = in_ms(LINGER_MS);
    for (;;) {
        int64_t quiet_ns = server->last_call_ns + quiet_ms * GRPCC_NS_PER_MS;
        int64_t leave_ns = quiet_ns < linger_ns ? quiet_ns : linger_ns;
        bool idle = server->n_in_flight == 0;
        if (idle && grpcc_now_ns() >= leave_ns)
            break;
        if (!wait_locked(server, idle && leave_ns < until_ns ? leave_ns : until_ns))
            break;
    }
    bool idle = server->n_in_flight == 0;
    pthread_mutex_unlock(&server->lock);
    grpcc_server_stop(server, idle ? CLOSE_MS : 0);
}

void grpcc_server_drain(struct grpcc_server *server, unsigned delay_ms, unsigned grace_ms)
{
    pthread_mutex_lock(&server->lock);
    bool first = server->drain_state == DRAIN_NONE && server->state == GRPCC_SERVER_RUNNING;
    if (first)
        server->drain_state = DRAIN_RUNNING;
    while (!first && server->drain_state == DRAIN_RUNNING)
        pthread_cond_wait(&server->changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
    if (!first)
        return;
    grpcc_health_shut(server->health);
    drain_calls(server, delay_ms, grace_ms);
    pthread_mutex_lock(&server->lock);
    server->drain_state = DRAIN_DONE;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}
