/* SPDX-License-Identifier: Apache-2.0 */
/* What the suite of the events knows of a driver: how to open one, for two hubs that hear each
 * other. */
#ifndef TESTS_CONTRACT_EVENTS_FIXTURE_H
#define TESTS_CONTRACT_EVENTS_FIXTURE_H

#include <pthread.h>

#include "server/events/hub.h"
#include "tests/support/support.h"

/* A store between a hub and the row's, that loses what it is told to, and says OK. */
struct lossy {
    struct comb_events base;
    struct comb_events *below;
    _Atomic int lose; /* messages that it will lose from now on */
    /* Called before a subscription's function returns: messages may come by then. NULL is fine. */
    void (*subscribed)(void *data);
    void *subscribed_data;
};

/* Two replicas: on a shared store two connections, else two hubs of one process. */
struct fixture {
    struct test_ctx t;
    char url[128];
    struct comb_events *stores[2];
    struct lossy lossy; /* over stores[0], below hubs[0] */
    struct comb_hub *hubs[2];
};

/* A subscriber who waits. */
struct ear {
    struct comb_hub_subscription *subscription;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    int wakes, releases;
};

/* Writes the URL of a store where nobody listens yet. One file per driver, as the next. */
void driver_url(char *ret_url, size_t size);
enum comb_status driver_open(const struct comb_store_options *options,
                             struct comb_events **ret_events, struct comb_error *err);

int setup(void **state);
int teardown(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

struct comb_events *open_store(struct fixture *f, const char *url);

/* Listens at hubs[hub], for certain when this returns. */
void ear_open(struct fixture *f, struct ear *ear, int hub, const char *pattern, const char *group,
              uint32_t queue_max);
void ear_close(struct ear *ear);
/* The next event, in f's arena; waits for it as long as the test may run. */
struct comb_event ear_next(struct fixture *f, struct ear *ear);
void must_hear(struct fixture *f, struct ear *ear, const char *topic, comb_str payload);
void must_lose(struct fixture *f, struct ear *ear, enum comb_event_kind kind, uint64_t n);

void publish(struct fixture *f, int hub, const char *topic, comb_str payload);

#endif
