/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of events while NATS is killed, restarted, frozen, away, or not ours: messages may
 * get lost, but whoever listens is told. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server/core/clock.h"
#include "tests/contract/events/fixture.h"
#include "tests/support/nats_server.h"

/* driver_nats.c */
extern struct nats_server driver_server;

/* A publisher waits for nobody; the rest is a machine with other things to do. */
#define PUBLISH_BOUND_NS (10 * COMB_NS_PER_S)

static bool is_long(void)
{
    return getenv("COMB_LONG") != NULL;
}

static void pause_ms(long ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

/* ---- load: a publisher who numbers, a listener who counts ---- */

struct load {
    struct fixture *f;
    struct ear ear;
    pthread_t publisher, listener;
    _Atomic bool stop;
    _Atomic int published, refused, heard, missing, told, last;
    _Atomic int64_t longest_ns;
    int first;
    uint64_t told_lost;
};

static void *publish_on(void *data)
{
    struct load *load = data;
    struct comb_error err;
    for (int i = 1; !load->stop; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        int64_t begin_ns = comb_clock_monotonic_ns();
        enum comb_status status =
            comb_hub_publish(load->f->hubs[0], STR("load.x"), comb_str_from(text), &err);
        int64_t took_ns = comb_clock_monotonic_ns() - begin_ns;
        if (took_ns > load->longest_ns)
            load->longest_ns = took_ns;
        assert_true(status == COMB_OK || status == COMB_UNAVAILABLE);
        load->refused += status != COMB_OK;
        load->published = i;
        pause_ms(1);
    }
    return NULL;
}

/* What is missing below the highest number so far has been told of, as it came: a late one of a
 * connection that was given up may still follow. */
static void hear_number(struct load *load, int number)
{
    if (load->heard == 0)
        load->first = number;
    if (number > load->last)
        load->last = number;
    load->heard++;
    load->missing = load->last - load->first + 1 - load->heard;
    if ((uint64_t)load->missing > load->told_lost)
        fail_msg("%d are missing below %d, and %d were told of", load->missing, load->last,
                 (int)load->told_lost);
}

static void *listen_on(void *data)
{
    struct load *load = data;
    while (!load->stop || (uint64_t)load->heard + load->told_lost < (uint64_t)load->published) {
        struct comb_event event;
        struct grpcc_arena *arena = grpcc_arena_new(0);
        assert_non_null(arena);
        if (!comb_hub_next(load->ear.subscription, arena, &event)) {
            pause_ms(1);
        } else if (event.kind != COMB_EVENT_MESSAGE) {
            load->told++;
            load->told_lost += event.n_lost;
        } else {
            hear_number(load, (int)strtol(event.payload.ptr, NULL, 10));
        }
        grpcc_arena_free(arena);
    }
    return NULL;
}

static struct load *load_start(struct fixture *f)
{
    struct load *load = calloc(1, sizeof *load);
    assert_non_null(load);
    load->f = f;
    ear_open(f, &load->ear, 1, "load.>", "", 0);
    assert_int_equal(pthread_create(&load->publisher, NULL, publish_on, load), 0);
    assert_int_equal(pthread_create(&load->listener, NULL, listen_on, load), 0);
    return load;
}

/* Milliseconds until n more are heard. */
static long wait_for_more(const struct load *load, int n)
{
    int64_t begin_ns = comb_clock_monotonic_ns();
    for (int before = load->heard; load->heard < before + n;)
        pause_ms(1);
    return (long)((comb_clock_monotonic_ns() - begin_ns) / COMB_NS_PER_MS);
}

static void load_end(struct load *load, const char *what, long recovery_ms)
{
    load->stop = true;
    pthread_join(load->publisher, NULL);
    pthread_join(load->listener, NULL);
    assert_true(load->longest_ns < PUBLISH_BOUND_NS);
    print_message("nats %s: %d published, %d refused, %d heard, %d missing, losses told %d times, "
                  "longest publish %ld ms, heard again %ld ms after the store is back\n",
                  what, load->published, load->refused, load->heard, load->missing, load->told,
                  (long)(load->longest_ns / COMB_NS_PER_MS), recovery_ms);
    ear_close(&load->ear);
    free(load);
}

static void a_killed_server_loses_nothing_in_silence(void **state)
{
    struct load *load = load_start(*state);
    long recovery_ms = 0;
    wait_for_more(load, 50);
    for (int i = 0; i < 3; i++) {
        store_process_kill(&driver_server.process);
        nats_server_start(&driver_server);
        long took_ms = wait_for_more(load, 1);
        recovery_ms = took_ms > recovery_ms ? took_ms : recovery_ms;
        wait_for_more(load, 50);
    }
    load_end(load, "killed", recovery_ms);
}

static void a_frozen_server_loses_nothing_in_silence(void **state)
{
    struct fixture *f = *state;
    struct load *load = load_start(f);
    struct comb_store_status status;
    wait_for_more(load, 50);
    store_process_freeze(&driver_server.process);
    do {
        pause_ms(5);
        comb_events_status(f->stores[0], &status);
    } while (status.state != COMB_STORE_DOWN);
    pause_ms(is_long() ? 30000 : 1000);
    store_process_thaw(&driver_server.process);
    long recovery_ms = wait_for_more(load, 1);
    wait_for_more(load, 50);
    load_end(load, "frozen", recovery_ms);
}

/* The listener alone was away: it hears of it, also where nobody publishes. */
static void a_quiet_listener_is_told_of_a_restart(void **state)
{
    struct fixture *f = *state;
    struct ear ear;
    ear_open(f, &ear, 1, "quiet", "", 0);
    store_process_kill(&driver_server.process);
    nats_server_start(&driver_server);
    must_lose(f, &ear, COMB_EVENT_LOSS, 0);
    ear_close(&ear);
}

static void a_server_that_comes_late_is_found(void **state)
{
    struct fixture *f = *state;
    struct nats_server late = {.port = test_free_port()};
    char url[64];
    struct comb_events *store = NULL;
    struct comb_hub *hub = NULL;
    snprintf(url, sizeof url, "nats://127.0.0.1:%d", late.port);
    const struct comb_store_options options = {.url = comb_str_from(url)};
    const struct comb_hub_listener nobody = {0};
    struct comb_hub_subscription *subscription = NULL;
    must_ok(driver_open(&options, &store, &f->t.err), &f->t.err);
    must_ok(comb_hub_new(store, &hub, &f->t.err), &f->t.err);
    must_ok(comb_hub_subscribe(hub, STR("a"), STR(""), 0, &nobody, &subscription, &f->t.err),
            &f->t.err);
    must_fail(COMB_UNAVAILABLE, comb_hub_publish(hub, STR("a"), STR("x"), &f->t.err), &f->t.err);
    nats_server_start(&late);
    struct comb_event event = {.kind = COMB_EVENT_LOSS};
    while (event.kind != COMB_EVENT_MESSAGE) {
        (void)!comb_hub_publish(hub, STR("a"), STR("x"), NULL);
        pause_ms(1);
        if (!comb_hub_next(subscription, f->t.ctx.arena, &event))
            event.kind = COMB_EVENT_LOSS;
    }
    comb_hub_unsubscribe(subscription);
    comb_hub_free(hub);
    comb_events_close(store);
    nats_server_done(&late);
}

static void of_several_servers_one_is_enough(void **state)
{
    struct fixture *f = *state;
    char url[128];
    snprintf(url, sizeof url, "nats://127.0.0.1:1,127.0.0.1:%d", driver_server.port);
    comb_events_close(open_store(f, url));
}

/* ---- what an operator gets wrong ---- */

static void must_not_open(struct fixture *f, const char *url, const char *words)
{
    const struct comb_store_options options = {.url = comb_str_from(url)};
    struct comb_events *events = NULL;
    must_fail(COMB_INVALID_ARGUMENT, driver_open(&options, &events, &f->t.err), &f->t.err);
    assert_null(events);
    if (!strstr(f->t.err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", f->t.err.msg, words);
}

static void what_is_wrong_with_a_url_is_said(void **state)
{
    struct fixture *f = *state;
    must_not_open(f, "http://127.0.0.1/", "another scheme");
    must_not_open(f, "nats://127.0.0.1/a.b", "PREFIX");
    must_not_open(f, "nats://127.0.0.1/?tls=off", "tls is on");
    must_not_open(f, "nats://127.0.0.1/?ca=/no/such/file", "ca cannot be read");
    must_not_open(f, "nats://127.0.0.1/?cert=/x", "come together");
    must_not_open(f, "nats://me@127.0.0.1/", "--events-credentials-file");
    must_not_open(f, "nats://me:secret@127.0.0.1/", "password");
    must_not_open(f, "nats://127.0.0.1/?nonsense=1", "nonsense");
}

static void must_check(struct fixture *f, const char *url, const char *credentials,
                       enum comb_status expected, const char *words)
{
    const struct comb_store_options options = {comb_str_from(url), comb_str_from(credentials)};
    struct comb_events *events = NULL;
    test_ctx_next(&f->t);
    must_ok(driver_open(&options, &events, &f->t.err), &f->t.err);
    enum comb_status status = comb_events_check(events, &f->t.ctx, &f->t.err);
    if (status != expected || (status != COMB_OK && !strstr(f->t.err.msg, words)))
        fail_msg("%s: %d, \"%s\"", url, status, f->t.err.msg);
    if (status != COMB_OK)
        assert_null(strstr(f->t.err.msg, "wrong-secret"));
    comb_events_close(events);
}

static void what_the_store_refuses_is_said(void **state)
{
    struct fixture *f = *state;
    struct nats_server locked = {.user = "comb", .password = "good-secret"};
    struct nats_server by_token = {.token = "good-token"};
    char url[128];
    nats_server_start(&locked);
    snprintf(url, sizeof url, "nats://127.0.0.1:%d", locked.port);
    must_check(f, url, "", COMB_FAILED_PRECONDITION, "refuses");
    must_check(f, url, "comb:wrong-secret", COMB_FAILED_PRECONDITION, "refuses");
    must_check(f, url, "comb:good-secret", COMB_OK, "");
    snprintf(url, sizeof url, "nats://127.0.0.1:%d?tls=on", locked.port);
    must_check(f, url, "comb:good-secret", COMB_FAILED_PRECONDITION, "no TLS there");
    snprintf(url, sizeof url, "nats://127.0.0.1:%d", locked.port);
    nats_server_done(&locked);
    must_check(f, url, "comb:good-secret", COMB_UNAVAILABLE, "cannot be reached");
    nats_server_start(&by_token);
    snprintf(url, sizeof url, "nats://127.0.0.1:%d", by_token.port);
    must_check(f, url, "good-token", COMB_OK, "");
    must_check(f, url, "wrong-secret", COMB_FAILED_PRECONDITION, "refuses");
    nats_server_done(&by_token);
}

/* Refused for good by cnats' count, and then allowed: found again all the same. */
static void a_password_that_is_put_right_is_taken(void **state)
{
    struct fixture *f = *state;
    struct nats_server server = {.user = "comb", .password = "another-one"};
    char url[128];
    struct comb_store_status status;
    struct comb_events *events = NULL;
    nats_server_start(&server);
    snprintf(url, sizeof url, "nats://127.0.0.1:%d", server.port);
    const struct comb_store_options options = {comb_str_from(url), STR("comb:good-secret")};
    must_ok(driver_open(&options, &events, &f->t.err), &f->t.err);
    must_fail(COMB_FAILED_PRECONDITION, comb_events_check(events, &f->t.ctx, &f->t.err), &f->t.err);
    store_process_kill(&server.process);
    server.password = "good-secret";
    nats_server_start(&server);
    for (status.state = COMB_STORE_DOWN; status.state != COMB_STORE_UP; pause_ms(2))
        comb_events_status(events, &status);
    /* Connected, and then refused. */
    store_process_kill(&server.process);
    server.password = "another-one";
    nats_server_start(&server);
    do {
        pause_ms(2);
        comb_events_status(events, &status);
    } while (!strstr(status.error, "refuses"));
    store_process_kill(&server.process);
    server.password = "good-secret";
    nats_server_start(&server);
    for (status.state = COMB_STORE_DOWN; status.state != COMB_STORE_UP; pause_ms(2))
        comb_events_status(events, &status);
    comb_events_close(events);
    nats_server_done(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_killed_server_loses_nothing_in_silence),
        TEST(a_frozen_server_loses_nothing_in_silence),
        TEST(a_quiet_listener_is_told_of_a_restart),
        TEST(a_server_that_comes_late_is_found),
        TEST(of_several_servers_one_is_enough),
        TEST(what_is_wrong_with_a_url_is_said),
        TEST(what_the_store_refuses_is_said),
        TEST(a_password_that_is_put_right_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
