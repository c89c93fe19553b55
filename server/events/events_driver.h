/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events row: bytes under a topic, from whoever publishes to whoever listens at that moment.
 * Drivers: mem (this process), nats (shared). A hint: any message may get lost, also without an
 * error to anybody, and losing all of them costs speed, never correctness. What must arrive is in
 * the change feed.
 *
 * A driver carries bytes, and tells when its way may have lost some. Numbers that make silent
 * losses visible, queues and their limits are above it, the same for all drivers:
 * server/events/hub.h, which is what callers use.
 *
 * A topic is 1 to 16 parts joined by ".", 255 bytes at most; a part is letters, digits, "-" and
 * "_". In a pattern "*" stands for any one part, and ">" as the last part for one or more.
 *
 * Slots: any thread, at once.
 */
#ifndef COMB_EVENTS_DRIVER_H
#define COMB_EVENTS_DRIVER_H

#include "server/core/store.h"

#define COMB_EVENTS_TOPIC_BYTES_MAX 255
#define COMB_EVENTS_TOPIC_PARTS_MAX 16
#define COMB_EVENTS_GROUP_BYTES_MAX 64
/* What a driver carries in one message: a payload and the hub's header. */
#define COMB_EVENTS_BYTES_MAX (65536 + 64)

struct comb_events;
struct comb_events_subscription; /* a driver's own */

/* Where a driver brings what has come. It may hold locks of its own meanwhile: the functions must
 * not block, and must not call the row. */
struct comb_events_sink {
    void (*message)(void *data, comb_str topic, comb_str bytes);
    /* Messages may have been lost from here on backwards. n: how many; 0: nobody knows. */
    void (*lost)(void *data, uint64_t n);
    void *data;
};

struct comb_events_driver {
    const char *name; /* the URL's scheme: "mem", "nats" */
    uint32_t caps;
    /* Hands a message over and does not wait: OK says neither that it has left nor that it will
     * arrive. UNAVAILABLE: it certainly does not. Messages of one thread are carried in order. */
    enum comb_status (*publish)(struct comb_events *self, comb_str topic, comb_str bytes,
                                struct comb_error *err);
    /* From soon after this returns, messages whose topic fits come to sink, from any thread, one at
     * a time; of the subscriptions with the same group (not empty) one gets each. Works while the
     * store is away. */
    enum comb_status (*subscribe)(struct comb_events *self, comb_str pattern, comb_str group,
                                  const struct comb_events_sink *sink,
                                  struct comb_events_subscription **ret_subscription,
                                  struct comb_error *err);
    /* sink is not called any more when this returns. Not from a sink. */
    void (*unsubscribe)(struct comb_events *self, struct comb_events_subscription *subscription);
    /* Asks the store whether it can be reached and used; the error says what to do. Obeys ctx's
     * deadline. */
    enum comb_status (*check)(struct comb_events *self, struct comb_ctx *ctx,
                              struct comb_error *err);
    /* Never blocks. */
    void (*status)(struct comb_events *self, struct comb_store_status *ret_status);
    /* No subscription may be left, no call running. */
    void (*close)(struct comb_events *self);
};
/* caps: other processes publish and listen, too. */
#define COMB_EVENTS_CAP_SHARED 1u

struct comb_events {
    const struct comb_events_driver *driver;
};

/* INVALID_ARGUMENT, reason FIELD_INVALID on field, with what is wrong. */
enum comb_status comb_events_check_topic(comb_str topic, const char *field,
                                         struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_events_check_pattern(comb_str pattern, const char *field,
                                           struct comb_error *err) COMB_MUST_CHECK;
/* Whether topic is one of pattern's; both are valid. */
bool comb_events_match(comb_str pattern, comb_str topic);

/* The wrappers that the hub and the main use. */
enum comb_status comb_events_publish(struct comb_events *events, comb_str topic, comb_str bytes,
                                     struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_events_subscribe(struct comb_events *events, comb_str pattern, comb_str group,
                                       const struct comb_events_sink *sink,
                                       struct comb_events_subscription **ret_subscription,
                                       struct comb_error *err) COMB_MUST_CHECK;
void comb_events_unsubscribe(struct comb_events *events,
                             struct comb_events_subscription *subscription);
enum comb_status comb_events_check(struct comb_events *events, struct comb_ctx *ctx,
                                   struct comb_error *err) COMB_MUST_CHECK;
void comb_events_status(struct comb_events *events, struct comb_store_status *ret_status);
/* NULL is fine. */
void comb_events_close(struct comb_events *events);

/* "mem:". */
enum comb_status comb_events_mem_open(const struct comb_store_options *options,
                                      struct comb_events **ret_events,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* "nats://HOST[:PORT][,HOST[:PORT]…][/PREFIX][?tls=…&ca=PATH&cert=PATH&key=PATH]";
 * credentials: "user:password" or a token. */
enum comb_status comb_events_nats_open(const struct comb_store_options *options,
                                       struct comb_events **ret_events,
                                       struct comb_error *err) COMB_MUST_CHECK;

#endif
