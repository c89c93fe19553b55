/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper. It never blocks but for its own sleep: comb_client_close() may wait for its end. Only
 * where a hedge cannot even begin may a callback of the program run on it.
 */
#include <time.h>

#include "client/lib/internal.h"

enum { TICK_MS = 100 };

void comb_keeper_init(struct comb_keeper *keeper)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void comb_keeper_done(struct comb_keeper *keeper)
{
    pthread_cond_destroy(&keeper->changed);
    pthread_mutex_destroy(&keeper->lock);
}

int64_t comb_silence_suspect_ns(const struct comb_client *client)
{
    return client->silence_ns * 3 / 10;
}

/* ---- what it does ---- */

/* Those that were left alone long enough, and those that streams wait at, where silence means
 * nothing. */
static void ask_replicas(struct comb_client *client, int64_t now_ns)
{
    struct comb_replica *replicas[COMB_REPLICAS_MAX];
    size_t n = comb_replicas_all(client, replicas);
    for (size_t i = 0; i < n; i++) {
        struct comb_replica *replica = replicas[i];
        bool ejected = atomic_load(&replica->ejected);
        bool due = ejected ? atomic_load(&replica->ask_after_ns) <= now_ns
                           : atomic_load(&replica->streams) > 0 &&
                                 atomic_load(&replica->asked_ns) + 2 * client->silence_ns <= now_ns;
        if (n > 1 && due)
            comb_replica_ask(client, replica);
        comb_replica_unref(replica);
    }
}

/* When to look again at the latest. */
static int64_t look(struct comb_client *client)
{
    int64_t now = comb_now_ns(), next = now + TICK_MS * COMB_NS_PER_MS;
    comb_discovery_tick(client, now);
    ask_replicas(client, now);
    int64_t hedge = comb_calls_look(client, now);
    return hedge < next ? hedge : next;
}

static void *keeper_main(void *data)
{
    struct comb_client *client = data;
    struct comb_keeper *keeper = &client->keeper;
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->stopped) {
        if (atomic_load(&keeper->users) == 0) {
            keeper->asleep = true;
            pthread_cond_wait(&keeper->changed, &keeper->lock);
            keeper->asleep = false;
            continue;
        }
        if (comb_now_ns() < keeper->wake_ns) {
            struct timespec until = {.tv_sec = (time_t)(keeper->wake_ns / COMB_NS_PER_S),
                                     .tv_nsec = (long)(keeper->wake_ns % COMB_NS_PER_S)};
            pthread_cond_timedwait(&keeper->changed, &keeper->lock, &until);
            continue;
        }
        keeper->wake_ns = INT64_MAX;
        pthread_mutex_unlock(&keeper->lock);
        int64_t next_ns = look(client);
        pthread_mutex_lock(&keeper->lock);
        if (next_ns < keeper->wake_ns)
            keeper->wake_ns = next_ns;
    }
    bool orphaned = keeper->orphaned;
    pthread_mutex_unlock(&keeper->lock);
    if (orphaned)
        comb_client_unref(client);
    return NULL;
}

/* ---- its life ---- */

/* Where nothing can be chosen there is nothing to look after. */
static bool is_needed(struct comb_client *client)
{
    return client->discovery.on || comb_replicas_count(client) > 1;
}

static void start(struct comb_client *client)
{
    struct comb_keeper *keeper = &client->keeper;
    if (!is_needed(client))
        return;
    pthread_mutex_lock(&client->lock);
    /* Without a thread calls go the same ways; only nobody finds out who is silent. */
    if (!keeper->started && !client->closed)
        keeper->started = comb_thread_start(&keeper->thread, keeper_main, client);
    pthread_mutex_unlock(&client->lock);
}

void comb_keeper_enter(struct comb_client *client)
{
    struct comb_keeper *keeper = &client->keeper;
    if (atomic_fetch_add(&keeper->users, 1) > 0)
        return;
    start(client);
    pthread_mutex_lock(&keeper->lock);
    if (keeper->asleep)
        pthread_cond_signal(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
}

void comb_keeper_leave(struct comb_client *client)
{
    atomic_fetch_sub(&client->keeper.users, 1);
}

void comb_keeper_expect(struct comb_client *client, int64_t due_ns)
{
    struct comb_keeper *keeper = &client->keeper;
    pthread_mutex_lock(&keeper->lock);
    if (due_ns < keeper->wake_ns) {
        keeper->wake_ns = due_ns;
        pthread_cond_signal(&keeper->changed);
    }
    pthread_mutex_unlock(&keeper->lock);
}

bool comb_keeper_stop(struct comb_client *client)
{
    struct comb_keeper *keeper = &client->keeper;
    pthread_mutex_lock(&client->lock);
    bool started = keeper->started;
    keeper->started = false;
    pthread_mutex_unlock(&client->lock);
    if (!started)
        return false;
    bool own = pthread_equal(pthread_self(), keeper->thread);
    pthread_mutex_lock(&keeper->lock);
    keeper->stopped = true;
    keeper->orphaned = own;
    pthread_cond_signal(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
    if (own)
        pthread_detach(keeper->thread);
    else
        pthread_join(keeper->thread, NULL);
    return own;
}
