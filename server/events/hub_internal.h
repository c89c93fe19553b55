/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the hub share: the header of a message, and the list of woken subscriptions. */
#ifndef COMB_EVENTS_HUB_INTERNAL_H
#define COMB_EVENTS_HUB_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/core/map.h"
#include "server/events/hub.h"

/* "CE", version, kind, stream, number, since, publisher: big-endian. */
#define COMB_HUB_HEADER_BYTES 36

struct comb_hub_header {
    bool heartbeat;  /* about message `number`, which was before; else it is that message */
    uint32_t stream; /* numbers begin with 1 in each stream of a publisher */
    uint64_t number; /* within publisher, stream and topic */
    uint32_t
        since_ms; /* a message: since number - 1; a heartbeat: since number; UINT32_MAX: long */
    struct comb_uuid publisher;
};

void comb_hub_header_write(const struct comb_hub_header *header,
                           uint8_t ret_bytes[COMB_HUB_HEADER_BYTES]);
/* False: not a message of a hub. */
bool comb_hub_header_read(comb_str bytes, struct comb_hub_header *ret_header,
                          comb_str *ret_payload);

/* Numbers that one publisher has used. Guarded by the hub's `publishing`. */
struct comb_hub_topic {
    uint32_t stream;
    uint64_t number;
    int64_t last_ns;      /* of its newest message */
    int64_t heartbeat_ns; /* of the next heartbeat; INT64_MAX: none */
    unsigned heartbeats;  /* sent since the newest message */
};

/* Locks, in this order: publishing, a driver's, a subscription's, waking. */
struct comb_hub {
    struct comb_events *events;
    struct comb_uuid publisher;
    pthread_mutex_t publishing; /* of the next three; held while the driver publishes */
    struct comb_map topics;     /* of struct comb_hub_topic */
    uint32_t streams;
    uint64_t reconnects; /* of the store, when the thread last looked */
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t waking; /* of all below */
    pthread_cond_t woken;
    bool closing, ticking;
    struct comb_hub_subscription *ready, **ready_end;
};

/* Has the hub's thread call wake; takes a reference. */
void comb_hub_ready(struct comb_hub *hub, struct comb_hub_subscription *subscription);
/* Calls wake unless it is closed, and gives the reference back. On the hub's thread. */
void comb_hub_subscription_wake(struct comb_hub_subscription *subscription);

/* hub_subscription.c's; here for the list. */
struct comb_hub_subscription {
    struct comb_hub *hub;
    struct comb_events_subscription *handle;
    struct comb_hub_listener listener;
    struct comb_hub_subscription *ready_next; /* waking */
    _Atomic int references;
    _Atomic bool is_ready, closed;
    bool grouped;
    uint32_t queue_max;
    pthread_mutex_t lock; /* of all below */
    int64_t since_ns;     /* from when on it knows all predecessors */
    struct comb_map seen; /* of struct seen, by publisher and topic */
    struct comb_hub_item *first, *last;
    uint32_t n_messages;
    size_t bytes;
    bool untold; /* a loss for which there was no memory */
};

#endif
