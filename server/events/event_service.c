/* SPDX-License-Identifier: Apache-2.0 */
#include "server/events/event_service.h"

#include <pthread.h>
#include <stdatomic.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/memory.h"
#include "server/mutation/mutation.h"

/* How long a new listener waits for the store to know of him; afterwards he may miss the first. */
#define SUBSCRIBE_WAIT_MS 2000
/* One question about a listener's user. */
#define CHECK_WAIT_MS 1000
/* Room for one message, and for what a check needs. */
#define ARENA_BYTES_MAX ((size_t)4 << 20)

struct listener {
    struct comb_event_service *service;
    struct listener *next; /* the service's lock, as the next */
    bool dirty, sending, failed;
    bool revoked; /* its token */
    bool lapsed;  /* what was revoked meanwhile is not known */
    struct comb_hub_subscription *subscription;
    const struct comb_event_receiver *receiver;
    void *self;
    /* the service's thread */
    struct comb_ctx ctx;
    struct grpcc_arena *sent; /* of the event on its way */
    struct comb_event event;
    uint64_t generation; /* of the user; 0: not asked yet */
    bool greeted;
    int64_t heartbeat_ns, check_ns;
    _Atomic int references; /* the list's, the subscription's */
};

struct comb_event_service {
    struct comb_event_service_parts parts;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    bool stopping;
    struct listener *first;
    uint32_t n_listeners;
};

/* ---- publishing ---- */

enum comb_status comb_event_service_publish(struct comb_event_service *service,
                                            struct comb_ctx *ctx, comb_str topic, comb_str payload,
                                            struct comb_error *err)
{
    enum comb_status status = comb_events_check_topic(topic, "topic", err);
    if (status == COMB_OK)
        status = comb_event_allowed(ctx->principal, topic, err);
    if (status == COMB_OK)
        status = comb_hub_publish(service->parts.hub, topic, payload, err);
    return status;
}

/* ---- one listener ---- */

static void listener_unref(struct listener *listener)
{
    if (atomic_fetch_sub(&listener->references, 1) != 1)
        return;
    if (listener->ctx.arena)
        grpcc_arena_free(listener->ctx.arena);
    if (listener->sent)
        grpcc_arena_free(listener->sent);
    comb_memory_free(listener);
}

static void poke(struct listener *listener)
{
    struct comb_event_service *service = listener->service;
    pthread_mutex_lock(&service->lock);
    listener->dirty = true;
    pthread_cond_signal(&service->changed);
    pthread_mutex_unlock(&service->lock);
}

static void on_wake(void *data)
{
    poke(data);
}

static void on_release(void *data)
{
    listener_unref(data);
}

static void on_sent(void *data, bool ok)
{
    struct listener *listener = data;
    struct comb_event_service *service = listener->service;
    pthread_mutex_lock(&service->lock);
    listener->sending = false;
    listener->failed = listener->failed || !ok;
    listener->dirty = true;
    pthread_cond_signal(&service->changed);
    pthread_mutex_unlock(&service->lock);
}

static enum comb_status check_user(struct listener *listener, struct comb_error *err)
{
    const struct comb_principal *principal = listener->ctx.principal;
    struct comb_subjects subjects;
    if (principal->expire_us && principal->expire_us <= comb_clock_wall_us())
        return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_EXPIRED,
                              "the token has expired: refresh it and subscribe again");
    grpcc_arena_reset(listener->ctx.arena);
    listener->ctx.deadline_ns = comb_clock_monotonic_ns() + CHECK_WAIT_MS * COMB_NS_PER_MS;
    enum comb_status status = comb_facts_subjects_wait(
        listener->service->parts.facts, &listener->ctx, &principal->user, &subjects, err);
    if (status != COMB_OK)
        return status;
    if (!subjects.exists || subjects.disabled ||
        (listener->generation && subjects.generation != listener->generation))
        return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_REVOKED,
                              "the token or its user has been revoked");
    listener->generation = subjects.generation;
    return COMB_OK;
}

/* What the lock guards of a listener, as it was when its turn came. */
struct turn {
    bool failed, revoked, lapsed, stopping;
};

static enum comb_status try_again(struct comb_error *err, int reason, const char *why)
{
    comb_error_set(err, COMB_UNAVAILABLE, reason, "%s: subscribe again", why);
    err->retryable = true;
    return COMB_UNAVAILABLE;
}

/* Why a listener must end now; OK: it must not. */
static enum comb_status must_end(struct listener *listener, const struct turn *turn,
                                 struct comb_error *err)
{
    enum comb_event_receiver_state state = listener->receiver->state(listener->self);
    int64_t now_ns = comb_clock_monotonic_ns();
    if (turn->failed || state == COMB_EVENT_RECEIVER_GONE)
        return comb_error_set(err, COMB_CANCELLED, 0, "the listener is gone");
    if (turn->stopping || state == COMB_EVENT_RECEIVER_DRAINING)
        return try_again(err, COMB_V1_ERROR_REASON_DRAINING, "this replica is draining");
    if (turn->revoked)
        return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_REVOKED,
                              "the token has been revoked");
    if (turn->lapsed)
        return try_again(err, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                         "whether the token was revoked is not known");
    if (listener->check_ns > now_ns)
        return COMB_OK;
    listener->check_ns = now_ns + COMB_EVENT_CHECK_MS * COMB_NS_PER_MS;
    return check_user(listener, err);
}

/* The next thing to send: true, with event or, for a heartbeat, without. */
static bool has_next(struct listener *listener, const struct comb_event **ret_event)
{
    int64_t now_ns = comb_clock_monotonic_ns();
    grpcc_arena_reset(listener->sent);
    bool any = listener->greeted &&
               comb_hub_next(listener->subscription, listener->sent, &listener->event);
    listener->greeted = true;
    *ret_event = any ? &listener->event : NULL;
    if (!any && listener->heartbeat_ns > now_ns)
        return false;
    listener->heartbeat_ns = now_ns + COMB_EVENT_HEARTBEAT_MS * COMB_NS_PER_MS;
    return true;
}

/* ---- the list and the thread ---- */

static void detach_locked(struct comb_event_service *service, struct listener *listener)
{
    struct listener **link = &service->first;
    while (*link != listener)
        link = &(*link)->next;
    *link = listener->next;
    service->n_listeners--;
}

static void end_listener(struct comb_event_service *service, struct listener *listener,
                         const struct comb_error *err)
{
    pthread_mutex_lock(&service->lock);
    detach_locked(service, listener);
    pthread_mutex_unlock(&service->lock);
    comb_hub_unsubscribe(listener->subscription);
    listener->receiver->end(listener->self, err); /* its principal goes with it */
    listener_unref(listener);
}

static int64_t due_ns(const struct listener *listener)
{
    return listener->check_ns < listener->heartbeat_ns ? listener->check_ns
                                                       : listener->heartbeat_ns;
}

/* The next listener about whom there is something to do; NULL: *ret_due_ns says when. What is on
 * its way comes back first. */
static struct listener *pick_locked(struct comb_event_service *service, int64_t *ret_due_ns)
{
    int64_t now_ns = comb_clock_monotonic_ns();
    *ret_due_ns = INT64_MAX;
    for (struct listener *at = service->first; at; at = at->next) {
        if (at->sending)
            continue;
        if (at->dirty || service->stopping || due_ns(at) <= now_ns)
            return at;
        if (due_ns(at) < *ret_due_ns)
            *ret_due_ns = due_ns(at);
    }
    return NULL;
}

static void serve(struct comb_event_service *service, struct listener *listener,
                  const struct turn *turn)
{
    struct comb_error err = {0};
    const struct comb_event *event = NULL;
    if (must_end(listener, turn, &err) != COMB_OK) {
        end_listener(service, listener, &err);
        return;
    }
    if (!has_next(listener, &event))
        return;
    pthread_mutex_lock(&service->lock);
    listener->sending = true;
    pthread_mutex_unlock(&service->lock);
    listener->receiver->send(listener->self, event, on_sent, listener);
}

static void *run(void *data)
{
    struct comb_event_service *service = data;
    pthread_mutex_lock(&service->lock);
    while (!service->stopping || service->first) {
        int64_t next_ns;
        struct listener *listener = pick_locked(service, &next_ns);
        if (listener) {
            const struct turn turn = {listener->failed, listener->revoked, listener->lapsed,
                                      service->stopping};
            listener->dirty = false;
            pthread_mutex_unlock(&service->lock);
            serve(service, listener, &turn);
            pthread_mutex_lock(&service->lock);
        } else {
            (void)comb_cond_wait_until(&service->changed, &service->lock, next_ns);
        }
    }
    pthread_mutex_unlock(&service->lock);
    return NULL;
}

/* ---- listening ---- */

static enum comb_status attach(struct comb_event_service *service, struct listener *listener,
                               struct comb_error *err)
{
    const struct comb_uuid *user = &listener->ctx.principal->user;
    uint32_t n_own = 0;
    enum comb_status status = COMB_OK;
    pthread_mutex_lock(&service->lock);
    for (const struct listener *at = service->first; at; at = at->next)
        n_own += comb_uuid_equal(&at->ctx.principal->user, user);
    if (service->stopping)
        status = comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_DRAINING,
                                "this replica is draining: subscribe on another");
    else if (n_own >= COMB_EVENT_USER_LISTENERS_MAX)
        status = comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0,
                                "a user may have %d subscriptions on a replica: end one",
                                COMB_EVENT_USER_LISTENERS_MAX);
    else if (service->n_listeners >= COMB_EVENT_LISTENERS_MAX)
        status = comb_error_set(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_OVERLOADED,
                                "a replica may have %d subscriptions: try another one",
                                COMB_EVENT_LISTENERS_MAX);
    if (status == COMB_OK) {
        listener->next = service->first;
        service->first = listener;
        service->n_listeners++;
        pthread_cond_signal(&service->changed);
    }
    pthread_mutex_unlock(&service->lock);
    return status;
}

static enum comb_status subscribe(struct listener *listener, struct comb_ctx *ctx, comb_str pattern,
                                  comb_str group, uint32_t queue_max, struct comb_error *err)
{
    const struct comb_event_service_parts *parts = &listener->service->parts;
    const struct comb_hub_listener hub_listener = {on_wake, on_release, listener};
    atomic_fetch_add(&listener->references, 1);
    enum comb_status status = comb_hub_subscribe(parts->hub, pattern, group, queue_max,
                                                 &hub_listener, &listener->subscription, err);
    if (status != COMB_OK) {
        atomic_fetch_sub(&listener->references, 1);
        return status;
    }
    int64_t whole_ns = ctx->deadline_ns;
    int64_t own_ns = comb_clock_monotonic_ns() + SUBSCRIBE_WAIT_MS * COMB_NS_PER_MS;
    ctx->deadline_ns = own_ns < whole_ns ? own_ns : whole_ns;
    /* Where the store is away, the subscription begins when it is back, and is told so. */
    (void)!comb_events_check(parts->events, ctx, NULL);
    ctx->deadline_ns = whole_ns;
    return COMB_OK;
}

enum comb_status comb_event_service_listen(struct comb_event_service *service, struct comb_ctx *ctx,
                                           comb_str pattern, comb_str group, uint32_t queue_max,
                                           const struct comb_event_receiver *receiver, void *self,
                                           struct comb_error *err)
{
    if (queue_max > COMB_HUB_QUEUE_MESSAGES_MAX)
        return comb_error_field(err, "queue_max", "is at most %d", COMB_HUB_QUEUE_MESSAGES_MAX);
    enum comb_status status = comb_events_check_pattern(pattern, "pattern", err);
    if (status == COMB_OK)
        status = comb_event_allowed(ctx->principal, pattern, err);
    if (status != COMB_OK)
        return status;
    struct listener *listener = comb_memory_zalloc(sizeof *listener);
    if (!listener)
        return comb_error_no_memory(err);
    *listener = (struct listener){
        .service = service, .receiver = receiver, .self = self, .ctx = *ctx, .references = 1};
    listener->ctx.strong = false;
    listener->ctx.arena = grpcc_arena_new(ARENA_BYTES_MAX);
    listener->sent = grpcc_arena_new(ARENA_BYTES_MAX);
    status = listener->ctx.arena && listener->sent ? COMB_OK : comb_error_no_memory(err);
    if (status == COMB_OK)
        status = subscribe(listener, ctx, pattern, group, queue_max, err);
    if (status == COMB_OK) {
        status = attach(service, listener, err);
        if (status == COMB_OK)
            return COMB_OK;
        comb_hub_unsubscribe(listener->subscription);
    }
    listener_unref(listener);
    return status;
}

/* ---- the feed: tokens that are revoked ---- */

static void on_feed(void *data, const struct comb_feed_record *record)
{
    struct comb_event_service *service = data;
    if (record && record->entry.kind != COMB_FEED_TOKEN)
        return;
    pthread_mutex_lock(&service->lock);
    for (struct listener *at = service->first; at; at = at->next) {
        at->lapsed = at->lapsed || !record;
        at->revoked = at->revoked || (record && comb_uuid_equal(&record->entry.subject,
                                                                &at->ctx.principal->token));
        at->dirty = at->dirty || at->lapsed || at->revoked;
    }
    pthread_cond_signal(&service->changed);
    pthread_mutex_unlock(&service->lock);
}

enum comb_status comb_event_service_new(const struct comb_event_service_parts *parts,
                                        struct comb_event_service **ret_service,
                                        struct comb_error *err)
{
    struct comb_event_service *service = comb_memory_zalloc(sizeof *service);
    if (!service)
        return comb_error_no_memory(err);
    service->parts = *parts;
    comb_cond_init(&service->changed);
    pthread_mutex_init(&service->lock, NULL);
    enum comb_status status = COMB_OK;
    service->has_thread = pthread_create(&service->thread, NULL, run, service) == 0;
    if (!service->has_thread)
        status = comb_error_no_memory(err);
    if (status == COMB_OK)
        status = comb_facts_listen(parts->facts, on_feed, service, err);
    if (status == COMB_OK) {
        *ret_service = service;
        return COMB_OK;
    }
    comb_event_service_stop(service);
    comb_event_service_free(service);
    return status;
}

void comb_event_service_stop(struct comb_event_service *service)
{
    if (!service || !service->has_thread)
        return;
    pthread_mutex_lock(&service->lock);
    service->stopping = true;
    pthread_cond_signal(&service->changed);
    pthread_mutex_unlock(&service->lock);
    pthread_join(service->thread, NULL);
    service->has_thread = false;
}

void comb_event_service_free(struct comb_event_service *service)
{
    if (!service)
        return;
    pthread_cond_destroy(&service->changed);
    pthread_mutex_destroy(&service->lock);
    comb_memory_free(service);
}
