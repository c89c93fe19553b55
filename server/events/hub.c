/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing with numbers, and the thread that wakes subscribers and sends heartbeats. */
#include "server/events/hub.h"

#include <stdio.h>
#include <string.h>

#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/memory.h"
#include "server/events/hub_internal.h"

/* How often heartbeats are looked after, while there are topics. */
#define TICK_MS 250
/* A heartbeat follows its message after so long, and each further one after twice as long. */
#define HEARTBEAT_FIRST_MS 500
#define HEARTBEATS_MAX 5
/* A topic without messages for so long is forgotten. */
#define FORGET_S 600

/* ---- publishing ---- */

static uint32_t ms_since(int64_t then_ns)
{
    int64_t ms = (comb_clock_monotonic_ns() - then_ns) / COMB_NS_PER_MS;
    return ms >= 0 && ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

/* The topic's numbers; those of all topics begin anew where there are too many. NULL: no memory. */
static struct comb_hub_topic *topic_of(struct comb_hub *hub, comb_str name)
{
    struct comb_hub_topic *topic = comb_map_get(&hub->topics, name);
    if (topic)
        return topic;
    if (hub->topics.n == COMB_HUB_TOPICS_MAX)
        comb_map_clear(&hub->topics);
    topic = comb_memory_zalloc(sizeof *topic);
    if (!topic)
        return NULL;
    topic->stream = ++hub->streams;
    if (comb_map_put(&hub->topics, name, topic, NULL) != COMB_OK) {
        comb_memory_free(topic);
        return NULL;
    }
    return topic;
}

static enum comb_status send_message(struct comb_hub *hub, comb_str name,
                                     const struct comb_hub_header *header, comb_str payload,
                                     struct comb_error *err)
{
    size_t size = COMB_HUB_HEADER_BYTES + payload.len;
    char *bytes = comb_memory_alloc(size);
    if (!bytes)
        return comb_error_no_memory(err);
    comb_hub_header_write(header, (uint8_t *)bytes);
    if (payload.len > 0)
        memcpy(bytes + COMB_HUB_HEADER_BYTES, payload.ptr, payload.len);
    enum comb_status status = comb_events_publish(hub->events, name, comb_str_of(bytes, size), err);
    comb_memory_free(bytes);
    return status;
}

/* A message that was refused keeps its number: who listens on is told that there was one. */
static enum comb_status publish_numbered(struct comb_hub *hub, comb_str name, comb_str payload,
                                         struct comb_error *err)
{
    struct comb_hub_topic *topic = topic_of(hub, name);
    if (!topic)
        return comb_error_no_memory(err);
    const struct comb_hub_header header = {.stream = topic->stream,
                                           .number = ++topic->number,
                                           .since_ms = topic->last_ns ? ms_since(topic->last_ns)
                                                                      : UINT32_MAX,
                                           .publisher = hub->publisher};
    topic->last_ns = comb_clock_monotonic_ns();
    topic->heartbeat_ns = topic->last_ns + HEARTBEAT_FIRST_MS * COMB_NS_PER_MS;
    topic->heartbeats = 0;
    return send_message(hub, name, &header, payload, err);
}

static void start_ticking(struct comb_hub *hub)
{
    pthread_mutex_lock(&hub->waking);
    if (!hub->ticking) {
        hub->ticking = true;
        pthread_cond_signal(&hub->woken);
    }
    pthread_mutex_unlock(&hub->waking);
}

enum comb_status comb_hub_publish(struct comb_hub *hub, comb_str topic, comb_str payload,
                                  struct comb_error *err)
{
    enum comb_status status = comb_events_check_topic(topic, "topic", err);
    if (status != COMB_OK)
        return status;
    if (payload.len > COMB_EVENT_PAYLOAD_BYTES_MAX)
        return comb_error_field(err, "payload", "has at most %d bytes",
                                COMB_EVENT_PAYLOAD_BYTES_MAX);
    pthread_mutex_lock(&hub->publishing);
    status = publish_numbered(hub, topic, payload, err);
    pthread_mutex_unlock(&hub->publishing);
    start_ticking(hub);
    return status;
}

/* ---- heartbeats ---- */

static void beat(struct comb_hub *hub, comb_str name, struct comb_hub_topic *topic, int64_t now_ns)
{
    const struct comb_hub_header header = {.heartbeat = true,
                                           .stream = topic->stream,
                                           .number = topic->number,
                                           .since_ms = ms_since(topic->last_ns),
                                           .publisher = hub->publisher};
    /* One that gets lost has a successor, or the message after it. */
    (void)!send_message(hub, name, &header, (comb_str){0}, NULL);
    topic->heartbeats++;
    topic->heartbeat_ns = topic->heartbeats < HEARTBEATS_MAX
                              ? now_ns + (HEARTBEAT_FIRST_MS * COMB_NS_PER_MS << topic->heartbeats)
                              : INT64_MAX;
}

/* Once the connection was lost, all that was said before may be. */
static void begin_again_after_reconnect(struct comb_hub *hub, int64_t now_ns)
{
    struct comb_store_status status;
    struct comb_map_cursor cursor = {0};
    comb_str name;
    void *value;
    comb_events_status(hub->events, &status);
    if (status.reconnects == hub->reconnects)
        return;
    hub->reconnects = status.reconnects;
    while (comb_map_next(&hub->topics, &cursor, &name, &value)) {
        struct comb_hub_topic *topic = value;
        topic->heartbeats = 0;
        topic->heartbeat_ns = now_ns;
    }
}

/* Sends what is due. False: there is no topic left. */
static bool tick(struct comb_hub *hub)
{
    int64_t now_ns = comb_clock_monotonic_ns();
    struct comb_map_cursor cursor = {0};
    comb_str name;
    void *value;
    bool all_old = true;
    pthread_mutex_lock(&hub->publishing);
    begin_again_after_reconnect(hub, now_ns);
    while (comb_map_next(&hub->topics, &cursor, &name, &value)) {
        struct comb_hub_topic *topic = value;
        all_old = all_old && now_ns - topic->last_ns > FORGET_S * COMB_NS_PER_S;
        if (topic->heartbeat_ns <= now_ns)
            beat(hub, name, topic, now_ns);
    }
    if (all_old)
        comb_map_clear(&hub->topics);
    pthread_mutex_unlock(&hub->publishing);
    return !all_old;
}

/* ---- the thread ---- */

void comb_hub_ready(struct comb_hub *hub, struct comb_hub_subscription *subscription)
{
    if (atomic_exchange(&subscription->is_ready, true))
        return;
    atomic_fetch_add(&subscription->references, 1);
    pthread_mutex_lock(&hub->waking);
    subscription->ready_next = NULL;
    *hub->ready_end = subscription;
    hub->ready_end = &subscription->ready_next;
    pthread_cond_signal(&hub->woken);
    pthread_mutex_unlock(&hub->waking);
}

static struct comb_hub_subscription *take_ready_locked(struct comb_hub *hub)
{
    struct comb_hub_subscription *subscription = hub->ready;
    if (!subscription)
        return NULL;
    hub->ready = subscription->ready_next;
    if (!hub->ready)
        hub->ready_end = &hub->ready;
    subscription->is_ready = false;
    return subscription;
}

static void tick_unlocked(struct comb_hub *hub, int64_t *next_tick_ns)
{
    hub->ticking = false; /* who publishes from now on sets it again */
    pthread_mutex_unlock(&hub->waking);
    bool goes_on = tick(hub);
    pthread_mutex_lock(&hub->waking);
    hub->ticking = hub->ticking || goes_on;
    *next_tick_ns = comb_clock_monotonic_ns() + TICK_MS * COMB_NS_PER_MS;
}

static void *run(void *data)
{
    struct comb_hub *hub = data;
    int64_t next_tick_ns = 0;
    pthread_mutex_lock(&hub->waking);
    for (;;) {
        struct comb_hub_subscription *subscription = take_ready_locked(hub);
        int64_t left_ns = next_tick_ns - comb_clock_monotonic_ns();
        if (subscription) {
            pthread_mutex_unlock(&hub->waking);
            comb_hub_subscription_wake(subscription);
            pthread_mutex_lock(&hub->waking);
        } else if (hub->closing) {
            break;
        } else if (hub->ticking && left_ns <= 0) {
            tick_unlocked(hub, &next_tick_ns);
        } else {
            (void)comb_cond_wait_until(&hub->woken, &hub->waking,
                                       hub->ticking ? next_tick_ns : INT64_MAX);
        }
    }
    pthread_mutex_unlock(&hub->waking);
    return NULL;
}

enum comb_status comb_hub_new(struct comb_events *events, struct comb_hub **ret_hub,
                              struct comb_error *err)
{
    struct comb_hub *hub = comb_memory_zalloc(sizeof *hub);
    if (!hub)
        return comb_error_no_memory(err);
    hub->events = events;
    hub->publisher = comb_uuid_new();
    hub->ready_end = &hub->ready;
    comb_cond_init(&hub->woken);
    pthread_mutex_init(&hub->waking, NULL);
    pthread_mutex_init(&hub->publishing, NULL);
    comb_map_init(&hub->topics, COMB_HUB_TOPICS_MAX, comb_memory_free);
    hub->has_thread = pthread_create(&hub->thread, NULL, run, hub) == 0;
    if (!hub->has_thread) {
        comb_hub_free(hub);
        return comb_error_no_memory(err);
    }
    *ret_hub = hub;
    return COMB_OK;
}

void comb_hub_free(struct comb_hub *hub)
{
    if (!hub)
        return;
    pthread_mutex_lock(&hub->waking);
    hub->closing = true;
    pthread_cond_signal(&hub->woken);
    pthread_mutex_unlock(&hub->waking);
    if (hub->has_thread)
        pthread_join(hub->thread, NULL);
    comb_map_done(&hub->topics);
    pthread_cond_destroy(&hub->woken);
    pthread_mutex_destroy(&hub->waking);
    pthread_mutex_destroy(&hub->publishing);
    comb_memory_free(hub);
}
