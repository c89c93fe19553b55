/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What callers use of the events row: publishing with numbers, subscriptions with bounded queues,
 * and losses that are told.
 *
 * Each message carries its publisher (one hub of one process), a number that grows by one within
 * (publisher, topic), and how long ago the one before was published. From these a subscription
 * knows of losses that the store tells nobody (a NATS server that is frozen or killed takes
 * messages with it): a gap in the numbers; or a first message, or heartbeat, whose predecessor was
 * published after the subscription had begun. After its last message a publisher sends heartbeats
 * on the topic, 0.5, 1.5, 3.5, 7.5 and 15.5 s later, and again after its connection was lost, so
 * that a lost tail shows too. Besides, what the store itself tells (reconnected, slow consumer) and
 * a full queue of one's own are losses. Members of a group see a part of the numbers: they are told
 * of the latter ones only.
 *
 * A loss is told at its place among the messages. Whoever is told reads the truth again. Losses may
 * be told where there was none, in the first 100 ms of a subscription some may go untold, and so
 * may they where one publisher uses more than COMB_HUB_TOPICS_MAX topics at a time.
 *
 * Threads: any. One thread of the hub's own calls the subscribers' wake, and sends heartbeats.
 */
#ifndef COMB_EVENTS_HUB_H
#define COMB_EVENTS_HUB_H

#include "server/events/events_driver.h"

#define COMB_EVENT_PAYLOAD_BYTES_MAX 65536
/* Topics of which a publisher remembers the number, and (publisher, topic) pairs of which a
 * subscription does. */
#define COMB_HUB_TOPICS_MAX 4096
/* What waits in a subscription's queue, unless it asks for less. */
#define COMB_HUB_QUEUE_MESSAGES_MAX 1024
#define COMB_HUB_QUEUE_BYTES_MAX ((size_t)1 << 20)

struct comb_hub;
struct comb_hub_subscription;

enum comb_event_kind {
    COMB_EVENT_MESSAGE = 0,
    COMB_EVENT_GAP,  /* numbers are missing */
    COMB_EVENT_LOSS, /* the store says that it may have lost some */
    COMB_EVENT_SLOW  /* the queue was full */
};

struct comb_event {
    enum comb_event_kind kind;
    bool own;                /* published by this hub */
    comb_str topic, payload; /* of a MESSAGE; in the arena */
    uint64_t n_lost;         /* of others; at least so many; 0: nobody knows */
};

struct comb_hub_listener {
    /* Something is there to be taken by comb_hub_next(), or was: on the hub's thread, which must
     * not be held up. NULL: the subscriber asks by himself. */
    void (*wake)(void *data);
    /* wake will not be called any more, and is not running: after comb_hub_unsubscribe(), on any
     * thread. NULL: nothing to do. */
    void (*release)(void *data);
    void *data;
};

/* events: borrowed. */
enum comb_status comb_hub_new(struct comb_events *events, struct comb_hub **ret_hub,
                              struct comb_error *err) COMB_MUST_CHECK;
/* No subscription may be left, no call running. NULL is fine. */
void comb_hub_free(struct comb_hub *hub);

/* Does not wait for anybody. INVALID_ARGUMENT; UNAVAILABLE: it certainly does not arrive. */
enum comb_status comb_hub_publish(struct comb_hub *hub, comb_str topic, comb_str payload,
                                  struct comb_error *err) COMB_MUST_CHECK;

/* group: empty, or whose members share the messages. queue_max: messages, 0: the maximum. The
 * listener may be called before this returns; *ret_subscription is set by then. NULL on failure. */
enum comb_status comb_hub_subscribe(struct comb_hub *hub, comb_str pattern, comb_str group,
                                    uint32_t queue_max, const struct comb_hub_listener *listener,
                                    struct comb_hub_subscription **ret_subscription,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. Also from wake. */
void comb_hub_unsubscribe(struct comb_hub_subscription *subscription);

/* The next event, copied into arena; false: none is there. RESOURCE_EXHAUSTED has no place here: a
 * message that the arena has no room for is a loss. */
bool comb_hub_next(struct comb_hub_subscription *subscription, struct grpcc_arena *arena,
                   struct comb_event *ret_event);

#endif
