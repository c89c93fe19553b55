/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "gen/runtime/src/client/client.h"
#include "gen/runtime/src/client/client_alarm.h"

static struct {
    pthread_mutex_t lock; /* all below */
    size_t refs;
    grpc_completion_queue *queue;
    struct grpcc_clock *clock;
    pthread_t thread;
    bool watches_forks;
} client = {.lock = PTHREAD_MUTEX_INITIALIZER};

static atomic_uint forks;

static void note_fork(void)
{
    atomic_fetch_add(&forks, 1);
}

bool grpcc_client_is_forked(void)
{
    return atomic_load_explicit(&forks, memory_order_relaxed) != 0;
}

/* The thread gives back its queue itself: the last release may happen on it. */
static void *poller_main(void *queue)
{
    grpcc_core_poll(queue);
    grpc_completion_queue_destroy(queue);
    grpc_shutdown();
    return NULL;
}

static enum grpcc_status start_locked(struct grpcc_error *err)
{
    if (!client.watches_forks && pthread_atfork(NULL, NULL, note_fork) != 0)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for the client");
    client.watches_forks = true;
    client.clock = grpcc_clock_new();
    if (!client.clock)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for the client");
    grpc_init();
    client.queue = grpc_completion_queue_create_for_next(NULL);
    if (grpcc_thread_start(&client.thread, "grpcc-client", poller_main, client.queue))
        return GRPCC_OK;
    grpc_completion_queue_shutdown(client.queue);
    grpcc_core_poll(client.queue);
    grpc_completion_queue_destroy(client.queue);
    grpc_shutdown();
    grpcc_clock_free(client.clock);
    return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no thread for the client");
}

enum grpcc_status grpcc_client_acquire(grpc_completion_queue **ret_queue,
                                       struct grpcc_clock **ret_clock, struct grpcc_error *err)
{
    enum grpcc_status status = GRPCC_OK;
    if (grpcc_client_is_forked())
        return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION,
                               "gRPC does not work after a fork: exec, or fork before its use");
    pthread_mutex_lock(&client.lock);
    if (client.refs == 0)
        status = start_locked(err);
    if (!status) {
        client.refs++;
        *ret_queue = client.queue;
        *ret_clock = client.clock;
    }
    pthread_mutex_unlock(&client.lock);
    return status;
}

void grpcc_client_release(void)
{
    pthread_mutex_lock(&client.lock);
    bool last = --client.refs == 0;
    grpc_completion_queue *queue = client.queue;
    struct grpcc_clock *clock = client.clock;
    pthread_t thread = client.thread;
    pthread_mutex_unlock(&client.lock);
    if (!last)
        return;
    grpcc_clock_free(clock);
    grpc_completion_queue_shutdown(queue);
    if (pthread_equal(pthread_self(), thread))
        pthread_detach(thread);
    else
        pthread_join(thread, NULL);
}
