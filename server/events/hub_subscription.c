/* SPDX-License-Identifier: Apache-2.0 */
/* What has come for one subscriber and was not taken yet, and what is known of its publishers. */
#include <string.h>

#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/events/hub_internal.h"

/* A message published so shortly before a subscription may be on its way still. */
#define SLACK_MS 100

struct comb_hub_item {
    struct comb_hub_item *next;
    enum comb_event_kind kind;
    bool own;
    uint64_t n_lost;
    size_t topic_len, payload_len;
    char bytes[]; /* topic, payload */
};

/* The newest number of a publisher on a topic. */
struct seen {
    uint32_t stream;
    uint64_t number;
};

/* ---- the queue ---- */

static struct comb_hub_item *append_locked(struct comb_hub_subscription *sub,
                                           enum comb_event_kind kind, size_t size)
{
    struct comb_hub_item *item = comb_memory_alloc(sizeof *item + size);
    if (!item) {
        sub->untold = true;
        return NULL;
    }
    *item = (struct comb_hub_item){.kind = kind};
    *(sub->last ? &sub->last->next : &sub->first) = item;
    sub->last = item;
    return item;
}

/* n: how many at least; 0: nobody knows. Losses of a kind that follow one another are one. */
static void append_loss_locked(struct comb_hub_subscription *sub, enum comb_event_kind kind,
                               uint64_t n)
{
    struct comb_hub_item *item = sub->last;
    if (!item || item->kind != kind)
        item = append_locked(sub, kind, 0);
    if (item)
        item->n_lost += n;
}

static void append_message_locked(struct comb_hub_subscription *sub, comb_str topic,
                                  comb_str payload, bool own)
{
    size_t size = topic.len + payload.len;
    if (sub->n_messages >= sub->queue_max || sub->bytes + size > COMB_HUB_QUEUE_BYTES_MAX) {
        append_loss_locked(sub, COMB_EVENT_SLOW, 1);
        return;
    }
    struct comb_hub_item *item = append_locked(sub, COMB_EVENT_MESSAGE, size);
    if (!item)
        return;
    item->own = own;
    item->topic_len = topic.len;
    item->payload_len = payload.len;
    memcpy(item->bytes, topic.ptr, topic.len);
    if (payload.len > 0)
        memcpy(item->bytes + topic.len, payload.ptr, payload.len);
    sub->n_messages++;
    sub->bytes += size;
}

static struct comb_hub_item *take_locked(struct comb_hub_subscription *sub)
{
    struct comb_hub_item *item = sub->first;
    if (!item)
        return NULL;
    sub->first = item->next;
    if (!sub->first)
        sub->last = NULL;
    if (item->kind == COMB_EVENT_MESSAGE) {
        sub->n_messages--;
        sub->bytes -= item->topic_len + item->payload_len;
    }
    return item;
}

/* ---- numbers ---- */

/* How many were lost of a publisher whose messages are seen for the first time: at least the one
 * before, where that was published after the subscription had begun. */
static uint64_t lost_before(const struct comb_hub_subscription *sub,
                            const struct comb_hub_header *header)
{
    int64_t age_ms = (comb_clock_monotonic_ns() - sub->since_ns) / COMB_NS_PER_MS;
    bool has_predecessor = header->heartbeat || header->number > 1;
    return has_predecessor && (int64_t)header->since_ms + SLACK_MS < age_ms ? 1 : 0;
}

/* Remembers the number, and says how many before it are missing. */
static uint64_t note_number_locked(struct comb_hub_subscription *sub,
                                   const struct comb_hub_header *header, comb_str topic)
{
    char bytes[sizeof header->publisher.bytes + COMB_EVENTS_TOPIC_BYTES_MAX] = {0};
    comb_str key = comb_str_of(bytes, sizeof header->publisher.bytes + topic.len);
    if (topic.len > COMB_EVENTS_TOPIC_BYTES_MAX)
        return 0;
    memcpy(bytes, header->publisher.bytes, sizeof header->publisher.bytes);
    memcpy(bytes + sizeof header->publisher.bytes, topic.ptr, topic.len);
    struct seen *seen = comb_map_get(&sub->seen, key);
    if (seen && seen->stream == header->stream) {
        uint64_t next = header->heartbeat ? header->number : header->number - 1;
        uint64_t n_lost = next > seen->number ? next - seen->number : 0;
        if (header->number > seen->number)
            seen->number = header->number;
        return n_lost;
    }
    uint64_t n_lost = lost_before(sub, header);
    if (seen) {
        *seen = (struct seen){header->stream, header->number};
        return n_lost;
    }
    if (sub->seen.n == COMB_HUB_TOPICS_MAX) {
        comb_map_clear(&sub->seen);
        sub->since_ns = comb_clock_monotonic_ns();
    }
    seen = comb_memory_alloc(sizeof *seen);
    if (seen)
        *seen = (struct seen){header->stream, header->number};
    if (!seen || comb_map_put(&sub->seen, key, seen, NULL) != COMB_OK)
        comb_memory_free(seen);
    return n_lost;
}

/* ---- the driver's side ---- */

static void on_message(void *data, comb_str topic, comb_str bytes)
{
    struct comb_hub_subscription *sub = data;
    struct comb_hub_header header;
    comb_str payload;
    if (!comb_hub_header_read(bytes, &header, &payload))
        return; /* somebody else's, who publishes below our prefix */
    pthread_mutex_lock(&sub->lock);
    uint64_t n_lost = sub->grouped ? 0 : note_number_locked(sub, &header, topic);
    if (n_lost > 0)
        append_loss_locked(sub, COMB_EVENT_GAP, n_lost);
    if (!header.heartbeat)
        append_message_locked(sub, topic, payload,
                              comb_uuid_equal(&header.publisher, &sub->hub->publisher));
    bool any = sub->first || sub->untold;
    pthread_mutex_unlock(&sub->lock);
    if (any)
        comb_hub_ready(sub->hub, sub);
}

static void on_lost(void *data, uint64_t n)
{
    struct comb_hub_subscription *sub = data;
    pthread_mutex_lock(&sub->lock);
    append_loss_locked(sub, COMB_EVENT_LOSS, n);
    pthread_mutex_unlock(&sub->lock);
    comb_hub_ready(sub->hub, sub);
}

/* ---- the subscriber's side ---- */

static void subscription_unref(struct comb_hub_subscription *sub)
{
    if (atomic_fetch_sub(&sub->references, 1) != 1)
        return;
    if (sub->listener.release)
        sub->listener.release(sub->listener.data);
    for (struct comb_hub_item *item = take_locked(sub); item; item = take_locked(sub))
        comb_memory_free(item);
    comb_map_done(&sub->seen);
    pthread_mutex_destroy(&sub->lock);
    comb_memory_free(sub);
}

void comb_hub_subscription_wake(struct comb_hub_subscription *sub)
{
    if (sub->listener.wake && !sub->closed)
        sub->listener.wake(sub->listener.data);
    subscription_unref(sub);
}

enum comb_status comb_hub_subscribe(struct comb_hub *hub, comb_str pattern, comb_str group,
                                    uint32_t queue_max, const struct comb_hub_listener *listener,
                                    struct comb_hub_subscription **ret_subscription,
                                    struct comb_error *err)
{
    struct comb_hub_subscription *sub = comb_memory_zalloc(sizeof *sub);
    if (!sub)
        return comb_error_no_memory(err);
    const struct comb_events_sink sink = {on_message, on_lost, sub};
    bool fits = queue_max > 0 && queue_max < COMB_HUB_QUEUE_MESSAGES_MAX;
    sub->hub = hub;
    sub->listener = *listener;
    sub->references = 1;
    sub->grouped = group.len > 0;
    sub->queue_max = fits ? queue_max : COMB_HUB_QUEUE_MESSAGES_MAX;
    sub->since_ns = comb_clock_monotonic_ns();
    pthread_mutex_init(&sub->lock, NULL);
    comb_map_init(&sub->seen, COMB_HUB_TOPICS_MAX, comb_memory_free);
    /* Before the first message can come: the listener asks for it by this. */
    *ret_subscription = sub;
    enum comb_status status =
        comb_events_subscribe(hub->events, pattern, group, &sink, &sub->handle, err);
    if (status == COMB_OK)
        return COMB_OK;
    *ret_subscription = NULL;
    sub->listener.release = NULL;
    subscription_unref(sub);
    return status;
}

void comb_hub_unsubscribe(struct comb_hub_subscription *sub)
{
    if (!sub)
        return;
    sub->closed = true;
    comb_events_unsubscribe(sub->hub->events, sub->handle);
    subscription_unref(sub);
}

static struct comb_event event_of(const struct comb_hub_item *item, struct grpcc_arena *arena)
{
    struct comb_event event = {.kind = item->kind, .own = item->own, .n_lost = item->n_lost};
    if (item->kind != COMB_EVENT_MESSAGE)
        return event;
    char *topic = comb_str_dup(arena, comb_str_of(item->bytes, item->topic_len));
    char *payload =
        comb_str_dup(arena, comb_str_of(item->bytes + item->topic_len, item->payload_len));
    if (!topic || !payload)
        return (struct comb_event){.kind = COMB_EVENT_SLOW, .n_lost = 1};
    event.topic = comb_str_of(topic, item->topic_len);
    event.payload = comb_str_of(payload, item->payload_len);
    return event;
}

bool comb_hub_next(struct comb_hub_subscription *sub, struct grpcc_arena *arena,
                   struct comb_event *ret_event)
{
    pthread_mutex_lock(&sub->lock);
    struct comb_hub_item *item = take_locked(sub);
    bool untold = !item && sub->untold;
    if (untold)
        sub->untold = false;
    pthread_mutex_unlock(&sub->lock);
    if (untold)
        *ret_event = (struct comb_event){.kind = COMB_EVENT_LOSS};
    if (item)
        *ret_event = event_of(item, arena);
    comb_memory_free(item);
    return item || untold;
}
