/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/events/fixture.h"

/* ---- a store that loses ---- */

static enum comb_status lossy_publish(struct comb_events *self, comb_str topic, comb_str bytes,
                                      struct comb_error *err)
{
    struct lossy *lossy = (struct lossy *)self;
    if (lossy->lose > 0) {
        lossy->lose--;
        return COMB_OK;
    }
    return lossy->below->driver->publish(lossy->below, topic, bytes, err);
}

static enum comb_status lossy_subscribe(struct comb_events *self, comb_str pattern, comb_str group,
                                        const struct comb_events_sink *sink,
                                        struct comb_events_subscription **ret_subscription,
                                        struct comb_error *err)
{
    struct lossy *lossy = (struct lossy *)self;
    enum comb_status status =
        lossy->below->driver->subscribe(lossy->below, pattern, group, sink, ret_subscription, err);
    if (status == COMB_OK && lossy->subscribed)
        lossy->subscribed(lossy->subscribed_data);
    return status;
}

static void lossy_unsubscribe(struct comb_events *self,
                              struct comb_events_subscription *subscription)
{
    struct lossy *lossy = (struct lossy *)self;
    lossy->below->driver->unsubscribe(lossy->below, subscription);
}

static void lossy_status(struct comb_events *self, struct comb_store_status *ret_status)
{
    struct lossy *lossy = (struct lossy *)self;
    lossy->below->driver->status(lossy->below, ret_status);
}

static const struct comb_events_driver lossy_driver = {.name = "lossy",
                                                       .publish = lossy_publish,
                                                       .subscribe = lossy_subscribe,
                                                       .unsubscribe = lossy_unsubscribe,
                                                       .status = lossy_status};

/* ---- two replicas ---- */

struct comb_events *open_store(struct fixture *f, const char *url)
{
    const struct comb_store_options options = {.url = comb_str_from(url)};
    struct comb_events *events = NULL;
    must_ok(driver_open(&options, &events, &f->t.err), &f->t.err);
    must_ok(comb_events_check(events, &f->t.ctx, &f->t.err), &f->t.err);
    return events;
}

int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    test_ctx_init(&f.t);
    driver_url(f.url, sizeof f.url);
    f.stores[0] = open_store(&f, f.url);
    bool shared = f.stores[0]->driver->caps & COMB_EVENTS_CAP_SHARED;
    f.stores[1] = shared ? open_store(&f, f.url) : f.stores[0];
    f.lossy.base.driver = &lossy_driver;
    f.lossy.below = f.stores[0];
    must_ok(comb_hub_new(&f.lossy.base, &f.hubs[0], &f.t.err), &f.t.err);
    must_ok(comb_hub_new(f.stores[1], &f.hubs[1], &f.t.err), &f.t.err);
    *state = &f;
    return 0;
}

int teardown(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++)
        comb_hub_free(f->hubs[i]);
    if (f->stores[1] != f->stores[0])
        comb_events_close(f->stores[1]);
    comb_events_close(f->stores[0]);
    test_ctx_done(&f->t);
    return 0;
}

/* ---- ears ---- */

static void on_wake(void *data)
{
    struct ear *ear = data;
    pthread_mutex_lock(&ear->lock);
    ear->wakes++;
    pthread_cond_signal(&ear->woken);
    pthread_mutex_unlock(&ear->lock);
}

static void on_release(void *data)
{
    struct ear *ear = data;
    pthread_mutex_lock(&ear->lock);
    ear->releases++;
    pthread_cond_signal(&ear->woken);
    pthread_mutex_unlock(&ear->lock);
}

void ear_open(struct fixture *f, struct ear *ear, int hub, const char *pattern, const char *group,
              uint32_t queue_max)
{
    const struct comb_hub_listener listener = {on_wake, on_release, ear};
    *ear = (struct ear){0};
    pthread_mutex_init(&ear->lock, NULL);
    pthread_cond_init(&ear->woken, NULL);
    must_ok(comb_hub_subscribe(f->hubs[hub], comb_str_from(pattern), comb_str_from(group),
                               queue_max, &listener, &ear->subscription, &f->t.err),
            &f->t.err);
    test_ctx_next(&f->t);
    must_ok(comb_events_check(f->stores[hub], &f->t.ctx, &f->t.err), &f->t.err);
}

void ear_close(struct ear *ear)
{
    comb_hub_unsubscribe(ear->subscription);
    pthread_mutex_lock(&ear->lock);
    while (ear->releases == 0)
        pthread_cond_wait(&ear->woken, &ear->lock);
    pthread_mutex_unlock(&ear->lock);
    assert_int_equal(ear->releases, 1);
    pthread_cond_destroy(&ear->woken);
    pthread_mutex_destroy(&ear->lock);
}

struct comb_event ear_next(struct fixture *f, struct ear *ear)
{
    struct comb_event event;
    int seen = 0;
    test_ctx_next(&f->t);
    while (!comb_hub_next(ear->subscription, f->t.ctx.arena, &event)) {
        pthread_mutex_lock(&ear->lock);
        while (ear->wakes == seen)
            pthread_cond_wait(&ear->woken, &ear->lock);
        seen = ear->wakes;
        pthread_mutex_unlock(&ear->lock);
    }
    return event;
}

void must_hear(struct fixture *f, struct ear *ear, const char *topic, comb_str payload)
{
    struct comb_event event = ear_next(f, ear);
    if (event.kind != COMB_EVENT_MESSAGE)
        fail_msg("a loss (%d) of %d instead of a message on %s", event.kind, (int)event.n_lost,
                 topic);
    if (!comb_str_equal(event.topic, comb_str_from(topic)) ||
        !comb_str_equal(event.payload, payload))
        fail_msg("%.*s on %.*s instead of %.*s on %s", COMB_STR_ARG(event.payload),
                 COMB_STR_ARG(event.topic), COMB_STR_ARG(payload), topic);
}

void must_lose(struct fixture *f, struct ear *ear, enum comb_event_kind kind, uint64_t n)
{
    struct comb_event event = ear_next(f, ear);
    assert_int_equal(event.kind, kind);
    assert_int_equal(event.n_lost, n);
}

void publish(struct fixture *f, int hub, const char *topic, comb_str payload)
{
    must_ok(comb_hub_publish(f->hubs[hub], comb_str_from(topic), payload, &f->t.err), &f->t.err);
}
