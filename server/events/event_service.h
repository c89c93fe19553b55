/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events for users: who may publish and listen where, how many may listen, and the thread that
 * brings events to those who do, notices who is gone, and ends who may not listen any more.
 *
 * Users publish and listen below "user.USER-ID.", administrators anywhere but below "comb.".
 */
#ifndef COMB_EVENTS_EVENT_SERVICE_H
#define COMB_EVENTS_EVENT_SERVICE_H

#include "server/events/hub.h"
#include "server/facts/facts.h"

#define COMB_EVENT_LISTENERS_MAX 1000
#define COMB_EVENT_USER_LISTENERS_MAX 16
/* A listener is told that nothing has happened after so long. */
#define COMB_EVENT_HEARTBEAT_MS 10000
/* How often it is looked whether a listener is gone, or must not listen any more. */
#define COMB_EVENT_CHECK_MS COMB_FACTS_BOUND_MS

struct comb_event_service;

struct comb_event_service_parts {
    struct comb_events *events;
    struct comb_hub *hub;
    struct comb_facts *facts;
};

enum comb_event_receiver_state {
    COMB_EVENT_RECEIVER_READY = 0,
    COMB_EVENT_RECEIVER_GONE,
    COMB_EVENT_RECEIVER_DRAINING
};

/* Who listens. On the service's thread. */
struct comb_event_receiver {
    /* Sends event, NULL for a heartbeat, and then calls done once, from any thread, also before it
     * returns. event lives until then. */
    void (*send)(void *self, const struct comb_event *event, void (*done)(void *data, bool ok),
                 void *data);
    enum comb_event_receiver_state (*state)(void *self);
    /* The last that is called. */
    void (*end)(void *self, const struct comb_error *err);
};

/* Before facts have started. */
enum comb_status comb_event_service_new(const struct comb_event_service_parts *parts,
                                        struct comb_event_service **ret_service,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* Ends all listeners (DRAINING). NULL is fine. */
void comb_event_service_stop(struct comb_event_service *service);
/* After _stop, and after facts have been freed, which call it. NULL is fine. */
void comb_event_service_free(struct comb_event_service *service);

/* As ctx->principal. INVALID_ARGUMENT, PERMISSION_DENIED; UNAVAILABLE: it does not arrive. */
enum comb_status comb_event_service_publish(struct comb_event_service *service,
                                            struct comb_ctx *ctx, comb_str topic, comb_str payload,
                                            struct comb_error *err) COMB_MUST_CHECK;

/*
 * Begins to listen as ctx->principal, which lives until receiver->end. Waits, a little, until the
 * store knows of it. On failure receiver is not called. INVALID_ARGUMENT, PERMISSION_DENIED;
 * RESOURCE_EXHAUSTED: too many listen.
 */
enum comb_status comb_event_service_listen(struct comb_event_service *service, struct comb_ctx *ctx,
                                           comb_str pattern, comb_str group, uint32_t queue_max,
                                           const struct comb_event_receiver *receiver, void *self,
                                           struct comb_error *err) COMB_MUST_CHECK;

/* Whether principal may use a topic or pattern, which is valid. */
enum comb_status comb_event_allowed(const struct comb_principal *principal, comb_str name,
                                    struct comb_error *err) COMB_MUST_CHECK;

#endif
