/* SPDX-License-Identifier: Apache-2.0 */
/* What every store of events does, below a hub. */
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/contract/events/fixture.h"

static void what_is_published_is_heard_by_all(void **state)
{
    struct fixture *f = *state;
    static const char bytes[] = {0, 1, (char)0xff, '\r', '\n', 0};
    static char large[COMB_EVENT_PAYLOAD_BYTES_MAX];
    struct ear ears[2];
    for (int i = 0; i < 2; i++)
        ear_open(f, &ears[i], i, "a.b", "", 0);
    publish(f, 0, "a.b", STR("one"));
    publish(f, 0, "a.c", STR("not asked for"));
    publish(f, 0, "a.b", STR(""));
    publish(f, 0, "a.b", comb_str_of(bytes, sizeof bytes));
    publish(f, 0, "a.b", comb_str_of(large, sizeof large));
    for (int i = 0; i < 2; i++) {
        struct comb_event event = ear_next(f, &ears[i]);
        assert_int_equal(event.kind, COMB_EVENT_MESSAGE);
        assert_true(comb_str_equal(event.payload, STR("one")));
        assert_true(event.own == (i == 0));
        must_hear(f, &ears[i], "a.b", STR(""));
        must_hear(f, &ears[i], "a.b", comb_str_of(bytes, sizeof bytes));
        must_hear(f, &ears[i], "a.b", comb_str_of(large, sizeof large));
    }
    for (int i = 0; i < 2; i++)
        ear_close(&ears[i]);
}

static void a_pattern_is_matched(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *pattern, *topic;
        bool fits;
    } cases[] = {
        {"a", "a", true},        {"a", "b", false},        {"a", "a.b", false},
        {"a.b", "a", false},     {"*", "a", true},         {"*", "a.b", false},
        {"a.*", "a.b", true},    {"a.*", "a", false},      {"a.*", "a.b.c", false},
        {"*.b", "a.b", true},    {"a.*.c", "a.b.c", true}, {"a.*.c", "a.b.d", false},
        {">", "a", true},        {">", "a.b.c", true},     {"a.>", "a", false},
        {"a.>", "a.b", true},    {"a.>", "a.b.c", true},   {"a.>", "b.b", false},
        {"a.*.>", "a.b", false}, {"a.*.>", "a.b.c", true}, {"aa", "a", false},
        {"a", "aa", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ear ear;
        comb_str topic = comb_str_from(cases[i].topic);
        assert_true(comb_events_match(comb_str_from(cases[i].pattern), topic) == cases[i].fits);
        ear_open(f, &ear, 1, cases[i].pattern, "", 0);
        publish(f, 1, cases[i].topic, STR("x"));
        if (cases[i].fits) {
            must_hear(f, &ear, cases[i].topic, STR("x"));
        } else {
            struct comb_event event;
            must_ok(comb_events_check(f->stores[1], &f->t.ctx, &f->t.err), &f->t.err);
            assert_false(comb_hub_next(ear.subscription, f->t.ctx.arena, &event));
        }
        ear_close(&ear);
    }
}

static void order_is_kept(void **state)
{
    struct fixture *f = *state;
    enum { MESSAGES = 1000 };
    struct ear ear;
    char text[16];
    ear_open(f, &ear, 1, "a.>", "", 0);
    for (int i = 0; i < MESSAGES; i++) {
        snprintf(text, sizeof text, "%d", i);
        publish(f, 0, i % 3 ? "a.b" : "a.c", comb_str_from(text));
    }
    for (int i = 0; i < MESSAGES; i++) {
        snprintf(text, sizeof text, "%d", i);
        must_hear(f, &ear, i % 3 ? "a.b" : "a.c", comb_str_from(text));
    }
    ear_close(&ear);
}

static void of_a_group_one_hears(void **state)
{
    struct fixture *f = *state;
    enum { MEMBERS = 3, MESSAGES = 300 };
    struct ear members[MEMBERS], other, plain;
    int heard[MESSAGES] = {0}, n_heard = 0;
    for (int i = 0; i < MEMBERS; i++)
        ear_open(f, &members[i], i % 2, i == 2 ? "g.*" : "g.x", "workers", 0);
    ear_open(f, &other, 1, "g.x", "others", 0);
    ear_open(f, &plain, 1, "g.x", "", 0);
    for (int i = 0; i < MESSAGES; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        publish(f, 0, "g.x", comb_str_from(text));
    }
    for (int i = 0; i < MESSAGES; i++) {
        assert_int_equal(ear_next(f, &other).kind, COMB_EVENT_MESSAGE);
        assert_int_equal(ear_next(f, &plain).kind, COMB_EVENT_MESSAGE);
    }
    while (n_heard < MESSAGES) {
        for (int i = 0; i < MEMBERS; i++) {
            struct comb_event event;
            while (comb_hub_next(members[i].subscription, f->t.ctx.arena, &event)) {
                assert_int_equal(event.kind, COMB_EVENT_MESSAGE);
                heard[strtol(event.payload.ptr, NULL, 10)]++;
                n_heard++;
            }
        }
    }
    for (int i = 0; i < MESSAGES; i++)
        assert_int_equal(heard[i], 1);
    for (int i = 0; i < MEMBERS; i++)
        ear_close(&members[i]);
    ear_close(&other);
    ear_close(&plain);
}

/* ---- losses ---- */

static void a_full_queue_is_told_at_its_place(void **state)
{
    struct fixture *f = *state;
    struct ear ear;
    char text[16];
    ear_open(f, &ear, 0, "s", "", 10);
    struct ear witness;
    ear_open(f, &witness, 0, "s", "", 0);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "%d", i);
        publish(f, 0, "s", comb_str_from(text));
    }
    for (int i = 0; i < 100; i++)
        assert_int_equal(ear_next(f, &witness).kind, COMB_EVENT_MESSAGE);
    /* The last one may have reached the witness before the ear. */
    publish(f, 0, "s", STR("after"));
    assert_int_equal(ear_next(f, &witness).kind, COMB_EVENT_MESSAGE);
    for (int i = 0; i < 10; i++) {
        snprintf(text, sizeof text, "%d", i);
        must_hear(f, &ear, "s", comb_str_from(text));
    }
    struct comb_event event = ear_next(f, &ear);
    assert_int_equal(event.kind, COMB_EVENT_SLOW);
    assert_in_range(event.n_lost, 90, 91);
    publish(f, 0, "s", STR("again"));
    do {
        event = ear_next(f, &ear);
    } while (event.kind == COMB_EVENT_SLOW || comb_str_equal(event.payload, STR("after")));
    assert_int_equal(event.kind, COMB_EVENT_MESSAGE);
    assert_true(comb_str_equal(event.payload, STR("again")));
    ear_close(&ear);
    ear_close(&witness);
}

static void a_gap_is_told_before_what_follows_it(void **state)
{
    struct fixture *f = *state;
    struct ear ear;
    ear_open(f, &ear, 1, "g.*", "", 0);
    publish(f, 0, "g.a", STR("1"));
    publish(f, 0, "g.b", STR("1"));
    f->lossy.lose = 2;
    publish(f, 0, "g.a", STR("lost"));
    publish(f, 0, "g.a", STR("lost"));
    publish(f, 0, "g.b", STR("2"));
    publish(f, 0, "g.a", STR("4"));
    must_hear(f, &ear, "g.a", STR("1"));
    must_hear(f, &ear, "g.b", STR("1"));
    must_hear(f, &ear, "g.b", STR("2"));
    must_lose(f, &ear, COMB_EVENT_GAP, 2);
    must_hear(f, &ear, "g.a", STR("4"));
    ear_close(&ear);
}

/* Nothing follows: a heartbeat does. */
static void a_lost_tail_is_told(void **state)
{
    struct fixture *f = *state;
    struct ear ear;
    ear_open(f, &ear, 1, "g.*", "", 0);
    publish(f, 0, "g.a", STR("1"));
    must_hear(f, &ear, "g.a", STR("1"));
    f->lossy.lose = 3;
    publish(f, 0, "g.a", STR("lost"));
    publish(f, 0, "g.a", STR("lost"));
    publish(f, 0, "g.a", STR("lost"));
    must_lose(f, &ear, COMB_EVENT_GAP, 3);
    publish(f, 0, "g.a", STR("5"));
    must_hear(f, &ear, "g.a", STR("5"));
    ear_close(&ear);
}

/* Of a publisher that was never heard. */
static void a_lost_beginning_is_told(void **state)
{
    struct fixture *f = *state;
    const struct timespec while_ago = {0, 300 * 1000 * 1000};
    struct ear ear;
    ear_open(f, &ear, 1, "g.*", "", 0);
    nanosleep(&while_ago, NULL); /* a predecessor from before the subscription is not lost */
    f->lossy.lose = 1;
    publish(f, 0, "g.a", STR("lost"));
    publish(f, 0, "g.a", STR("2"));
    must_lose(f, &ear, COMB_EVENT_GAP, 1);
    must_hear(f, &ear, "g.a", STR("2"));
    f->lossy.lose = 1;
    publish(f, 0, "g.b", STR("lost"));
    must_lose(f, &ear, COMB_EVENT_GAP, 1);
    ear_close(&ear);
}

static void what_was_before_is_not_lost(void **state)
{
    struct fixture *f = *state;
    const struct timespec while_ago = {0, 200 * 1000 * 1000};
    struct ear ear;
    for (int i = 0; i < 5; i++)
        publish(f, 0, "g.a", STR("before"));
    nanosleep(&while_ago, NULL);
    ear_open(f, &ear, 1, "g.a", "", 0);
    publish(f, 0, "g.a", STR("first"));
    must_hear(f, &ear, "g.a", STR("first"));
    ear_close(&ear);
}

/* ---- limits ---- */

static void names_and_sizes_are_limited(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "",    ".",   "a.", ".a", "a..b", "a b",      "a/b",
        "a.*", "a.>", "*",  ">",  "a\n",  "\xc3\xa4", "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17"};
    static const char *const bad_patterns[] = {"", "a.>.b", ">.a", "a*", "a.b*", "a.>>", "**"};
    static char large[COMB_EVENT_PAYLOAD_BYTES_MAX + 1];
    char longest[COMB_EVENTS_TOPIC_BYTES_MAX + 2];
    const struct comb_hub_listener nobody = {0};
    struct comb_hub_subscription *subscription = NULL;
    memset(longest, 'x', sizeof longest);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        must_fail(COMB_INVALID_ARGUMENT,
                  comb_hub_publish(f->hubs[0], comb_str_from(bad[i]), STR("x"), &f->t.err),
                  &f->t.err);
    must_fail(
        COMB_INVALID_ARGUMENT,
        comb_hub_publish(f->hubs[0], comb_str_of(longest, sizeof longest - 1), STR("x"), &f->t.err),
        &f->t.err);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_hub_publish(f->hubs[0], STR("a"), comb_str_of(large, sizeof large), &f->t.err),
              &f->t.err);
    for (size_t i = 0; i < sizeof bad_patterns / sizeof bad_patterns[0]; i++)
        must_fail(COMB_INVALID_ARGUMENT,
                  comb_hub_subscribe(f->hubs[0], comb_str_from(bad_patterns[i]), STR(""), 0,
                                     &nobody, &subscription, &f->t.err),
                  &f->t.err);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_hub_subscribe(f->hubs[0], STR("a"), STR("two words"), 0, &nobody, &subscription,
                                 &f->t.err),
              &f->t.err);
    assert_null(subscription);
    longest[COMB_EVENTS_TOPIC_BYTES_MAX] = '\0';
    struct ear ear;
    ear_open(f, &ear, 1, longest, "", 0);
    publish(f, 0, longest, STR("x"));
    must_hear(f, &ear, longest, STR("x"));
    ear_close(&ear);
}

/* More topics than a hub remembers: what was said of losses holds for the newest of them. */
static void more_topics_than_are_remembered_do_no_harm(void **state)
{
    struct fixture *f = *state;
    enum { TOPICS = COMB_HUB_TOPICS_MAX + 100 };
    struct ear ear;
    char topic[16];
    ear_open(f, &ear, 1, "m.*", "", 0);
    for (int i = 0; i < TOPICS; i++) {
        snprintf(topic, sizeof topic, "m.%d", i);
        publish(f, 0, topic, STR("x"));
        must_hear(f, &ear, topic, STR("x"));
    }
    publish(f, 0, topic, STR("y"));
    must_hear(f, &ear, topic, STR("y"));
    ear_close(&ear);
}

/* ---- many at once ---- */

enum { THREADS = 4, EACH = 200 };

struct racer {
    struct fixture *f;
    int number;
    pthread_t thread;
};

static void *race(void *data)
{
    struct racer *racer = data;
    struct comb_error err;
    for (int i = 0; i < EACH; i++)
        must_ok(comb_hub_publish(racer->f->hubs[racer->number % 2], STR("r.x"), STR("x"), &err),
                &err);
    return NULL;
}

static void many_publishers_make_no_gaps(void **state)
{
    struct fixture *f = *state;
    struct racer racers[THREADS];
    struct ear ear;
    ear_open(f, &ear, 1, "r.*", "", 0);
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.f = f, .number = i};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS * EACH; i++)
        must_hear(f, &ear, "r.x", STR("x"));
    for (int i = 0; i < THREADS; i++)
        pthread_join(racers[i].thread, NULL);
    ear_close(&ear);
}

/* Subscriptions come and go while messages do. */
static void *come_and_go(void *data)
{
    struct fixture *f = data;
    const struct comb_hub_listener nobody = {0};
    struct comb_error err;
    for (int i = 0; i < EACH; i++) {
        struct comb_hub_subscription *subscription = NULL;
        must_ok(comb_hub_subscribe(f->hubs[i % 2], STR("r.>"), i % 3 ? STR("") : STR("g"), 5,
                                   &nobody, &subscription, &err),
                &err);
        comb_hub_unsubscribe(subscription);
    }
    return NULL;
}

static void subscriptions_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct racer racer = {.f = f};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, come_and_go, f), 0);
    race(&racer);
    pthread_join(thread, NULL);
}

/* ---- a message that comes before subscribing is over ---- */

struct early {
    struct fixture *f;
    struct comb_hub_subscription *subscription;
    sem_t woken;
    atomic_int unknown; /* wakes at which the listener did not know its subscription yet */
};

static void on_early_wake(void *data)
{
    struct early *early = data;
    if (!early->subscription)
        atomic_fetch_add(&early->unknown, 1);
    sem_post(&early->woken);
}

static void publish_early(void *data)
{
    struct early *early = data;
    must_ok(comb_events_check(early->f->stores[0], &early->f->t.ctx, &early->f->t.err),
            &early->f->t.err);
    publish(early->f, 1, "early", STR("x"));
    while (sem_wait(&early->woken) != 0)
        continue;
}

static void a_message_may_come_before_subscribing_is_over(void **state)
{
    struct fixture *f = *state;
    struct early early = {.f = f};
    const struct comb_hub_listener listener = {.wake = on_early_wake, .data = &early};
    sem_init(&early.woken, 0, 0);
    test_ctx_next(&f->t);
    f->lossy.subscribed = publish_early;
    f->lossy.subscribed_data = &early;
    must_ok(comb_hub_subscribe(f->hubs[0], STR("early"), STR(""), 0, &listener, &early.subscription,
                               &f->t.err),
            &f->t.err);
    f->lossy.subscribed = NULL;
    assert_int_equal(atomic_load(&early.unknown), 0);
    comb_hub_unsubscribe(early.subscription);
    comb_hub_free(f->hubs[0]);
    f->hubs[0] = NULL;
    sem_destroy(&early.woken);
}

static void status_tells(void **state)
{
    struct fixture *f = *state;
    struct comb_store_status status;
    struct comb_events *events = f->stores[0];
    publish(f, 0, "a", STR("x"));
    comb_events_status(events, &status);
    assert_string_equal(status.driver, events->driver->name);
    assert_true(status.shared == ((events->driver->caps & COMB_EVENTS_CAP_SHARED) != 0));
    assert_int_equal(status.state, COMB_STORE_UP);
    assert_true(status.requests > 0);
    assert_true(strlen(status.server) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_published_is_heard_by_all),
        TEST(a_pattern_is_matched),
        TEST(order_is_kept),
        TEST(of_a_group_one_hears),
        TEST(a_full_queue_is_told_at_its_place),
        TEST(a_gap_is_told_before_what_follows_it),
        TEST(a_lost_tail_is_told),
        TEST(a_lost_beginning_is_told),
        TEST(what_was_before_is_not_lost),
        TEST(names_and_sizes_are_limited),
        TEST(more_topics_than_are_remembered_do_no_harm),
        TEST(many_publishers_make_no_gaps),
        TEST(subscriptions_come_and_go),
        TEST(a_message_may_come_before_subscribing_is_over),
        TEST(status_tells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
