/* SPDX-License-Identifier: Apache-2.0 */
#include "server/events/feed_hint.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "server/core/clock.h"
#include "server/core/memory.h"

/* Between two hints; what is raised meanwhile shares one. */
#define PAUSE_NS (2 * COMB_NS_PER_MS)
#define TOPIC_BYTES (sizeof "comb.operations." + COMB_UUID_TEXT_LENGTH)
/* Hints are equal: those that wait are one. */
#define QUEUE_MESSAGES 2

struct comb_feed_hint {
    struct comb_hub *hub;
    struct comb_hub_subscription *subscription; /* NULL: not shared */
    void (*wake)(void *data);
    void *data;
    struct grpcc_arena *arena; /* of what comes; the hub's thread */
    char topic[TOPIC_BYTES];
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    bool raised, closing, released;
};

/* ---- hints of others ---- */

static void on_wake(void *data)
{
    struct comb_feed_hint *hint = data;
    struct comb_event event;
    bool any = false;
    while (comb_hub_next(hint->subscription, hint->arena, &event))
        any = any || !event.own;
    grpcc_arena_reset(hint->arena);
    if (any)
        hint->wake(hint->data);
}

static void on_release(void *data)
{
    struct comb_feed_hint *hint = data;
    pthread_mutex_lock(&hint->lock);
    hint->released = true;
    pthread_cond_broadcast(&hint->changed);
    pthread_mutex_unlock(&hint->lock);
}

/* ---- our own ---- */

void comb_feed_hint_raise(struct comb_feed_hint *hint)
{
    if (!hint || !hint->has_thread)
        return;
    pthread_mutex_lock(&hint->lock);
    if (!hint->raised) {
        hint->raised = true;
        pthread_cond_broadcast(&hint->changed);
    }
    pthread_mutex_unlock(&hint->lock);
}

static void *run(void *data)
{
    struct comb_feed_hint *hint = data;
    const struct timespec pause = {0, PAUSE_NS};
    pthread_mutex_lock(&hint->lock);
    while (!hint->closing) {
        if (!hint->raised) {
            pthread_cond_wait(&hint->changed, &hint->lock);
            continue;
        }
        hint->raised = false;
        pthread_mutex_unlock(&hint->lock);
        /* Where it is refused, the others' polls find out. */
        (void)!comb_hub_publish(hint->hub, comb_str_from(hint->topic), (comb_str){0}, NULL);
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&hint->lock);
    }
    pthread_mutex_unlock(&hint->lock);
    return NULL;
}

static enum comb_status start(struct comb_feed_hint *hint, struct comb_error *err)
{
    const struct comb_hub_listener listener = {on_wake, on_release, hint};
    hint->arena = grpcc_arena_new(0);
    if (!hint->arena)
        return comb_error_no_memory(err);
    hint->released = false;
    enum comb_status status =
        comb_hub_subscribe(hint->hub, comb_str_from(hint->topic), (comb_str){0}, QUEUE_MESSAGES,
                           &listener, &hint->subscription, err);
    if (status != COMB_OK) {
        hint->released = true;
        return status;
    }
    hint->has_thread = pthread_create(&hint->thread, NULL, run, hint) == 0;
    return hint->has_thread ? COMB_OK : comb_error_no_memory(err);
}

enum comb_status comb_feed_hint_new(struct comb_hub *hub, bool shared, const char *what,
                                    const struct comb_uuid *installation, void (*wake)(void *data),
                                    void *data, struct comb_feed_hint **ret_hint,
                                    struct comb_error *err)
{
    struct comb_feed_hint *hint = comb_memory_zalloc(sizeof *hint);
    char id[COMB_UUID_TEXT_LENGTH + 1];
    if (!hint)
        return comb_error_no_memory(err);
    comb_uuid_format(installation, id);
    snprintf(hint->topic, sizeof hint->topic, "comb.%s.%s", what, id);
    hint->hub = hub;
    hint->wake = wake;
    hint->data = data;
    hint->released = true;
    pthread_mutex_init(&hint->lock, NULL);
    pthread_cond_init(&hint->changed, NULL);
    enum comb_status status = shared ? start(hint, err) : COMB_OK;
    if (status == COMB_OK)
        *ret_hint = hint;
    else
        comb_feed_hint_free(hint);
    return status;
}

void comb_feed_hint_free(struct comb_feed_hint *hint)
{
    if (!hint)
        return;
    pthread_mutex_lock(&hint->lock);
    hint->closing = true;
    pthread_cond_broadcast(&hint->changed);
    pthread_mutex_unlock(&hint->lock);
    if (hint->has_thread)
        pthread_join(hint->thread, NULL);
    comb_hub_unsubscribe(hint->subscription);
    pthread_mutex_lock(&hint->lock);
    while (!hint->released)
        pthread_cond_wait(&hint->changed, &hint->lock);
    pthread_mutex_unlock(&hint->lock);
    if (hint->arena)
        grpcc_arena_free(hint->arena);
    pthread_cond_destroy(&hint->changed);
    pthread_mutex_destroy(&hint->lock);
    comb_memory_free(hint);
}
