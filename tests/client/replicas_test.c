/* SPDX-License-Identifier: Apache-2.0 */
/* Several replicas: how they are found and chosen, hedges, and nobody at all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "comb/statistics.h"
#include "tests/client/fake.h"

enum { WAIT_MS = 30000, PAUSE_US = 10000 };

struct fixture {
    struct fake a, b, c;
    struct comb_client *client;
    struct grpcc_error err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct fake *all[] = {&f->a, &f->b, &f->c};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        fake_start(all[i], 0);
        fake_write(all[i], &all[i]->session, 1);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    comb_client_close(f->client);
    fake_done(&f->a);
    fake_done(&f->b);
    fake_done(&f->c);
    free(f);
    return 0;
}

static void open_client(struct fixture *f, const char *servers, struct comb_client_options options)
{
    options.size = sizeof(options);
    options.access_token = "access-1";
    must_ok(comb_client_open(servers, &options, &f->client, &f->err), &f->err);
}

static void list(struct fixture *f, const struct fake *first, const struct fake *second)
{
    char listed[FAKE_TEXT_MAX];
    snprintf(listed, sizeof(listed), "%s,%s", first->address, second->address);
    fake_set_listed(&f->a, listed);
    fake_set_listed(&f->b, listed);
    fake_set_listed(&f->c, listed);
}

static struct comb_statistics statistics(struct fixture *f)
{
    struct comb_statistics seen = {.size = sizeof(seen)};
    comb_client_statistics(f->client, &seen);
    return seen;
}

/* Calls until fake has answered one more. */
static void call_until_at(struct fixture *f, struct fake *fake)
{
    size_t before = fake_count(fake, "Stat");
    for (int waited = 0; waited < WAIT_MS && fake_count(fake, "Stat") == before; waited += 10) {
        must_ok(fake_stat(f->client, &f->err), &f->err);
        usleep(PAUSE_US);
    }
    assert_true(fake_count(fake, "Stat") > before);
}

static bool knows(struct fixture *f, const struct fake *fake)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_replica_state **states = comb_client_replicas(f->client, arena);
    bool found = false;
    assert_non_null(states);
    for (size_t i = 0; states[i]; i++)
        found = found || strcmp(states[i]->target, fake->address) == 0;
    grpcc_arena_free(arena);
    return found;
}

static void one_finds_the_others_and_who_left_is_left(void **state)
{
    struct fixture *f = *state;
    list(f, &f->a, &f->b);
    open_client(f, f->a.address, (struct comb_client_options){.discovery_ms = 50});
    call_until_at(f, &f->b);
    assert_false(knows(f, &f->c));
    list(f, &f->a, &f->c);
    call_until_at(f, &f->c);
    for (int waited = 0; waited < WAIT_MS && knows(f, &f->b); waited += 10) {
        must_ok(fake_stat(f->client, &f->err), &f->err);
        usleep(PAUSE_US);
    }
    assert_false(knows(f, &f->b));
    assert_int_equal(statistics(f).replicas_joined, 2);
    assert_int_equal(statistics(f).replicas_left, 1);
}

/* Who was named stays, but gets nothing while those that are listed are there. */
static void who_is_named_but_not_listed_comes_last(void **state)
{
    struct fixture *f = *state;
    list(f, &f->b, &f->c);
    open_client(f, f->a.address, (struct comb_client_options){.discovery_ms = 50});
    call_until_at(f, &f->b);
    call_until_at(f, &f->c);
    fake_stop(&f->b);
    fake_stop(&f->c);
    call_until_at(f, &f->a);
    fake_restart(&f->b);
    fake_restart(&f->c);
}

static void pinned_clients_stay_where_they_are(void **state)
{
    struct fixture *f = *state;
    list(f, &f->a, &f->b);
    open_client(f, f->a.address, (struct comb_client_options){.discovery_ms = 50, .pinned = true});
    for (int i = 0; i < 40; i++) {
        must_ok(fake_stat(f->client, &f->err), &f->err);
        usleep(PAUSE_US);
    }
    assert_int_equal(statistics(f).discoveries, 0);
    assert_int_equal(fake_count(&f->b, "Stat"), 0);
}

/* What is no address to connect to, or another machine's own, is not connected to. */
static void strange_addresses_are_left_out(void **state)
{
    struct fixture *f = *state;
    fake_set_listed(&f->a, "0.0.0.0:7070,[::]:7070,nowhere,:1,xds:///a:1,http://a:80");
    open_client(f, f->a.address, (struct comb_client_options){.discovery_ms = 50});
    for (int waited = 0; waited < WAIT_MS && statistics(f).discoveries < 2; waited += 10) {
        must_ok(fake_stat(f->client, &f->err), &f->err);
        usleep(PAUSE_US);
    }
    assert_true(statistics(f).discoveries >= 2);
    assert_int_equal(statistics(f).replicas, 1);
}

/* ---- slow ones ---- */

static void open_on_two(struct fixture *f, struct comb_client_options options)
{
    char servers[FAKE_TEXT_MAX];
    snprintf(servers, sizeof(servers), "%s,%s", f->a.address, f->b.address);
    options.pinned = true;
    open_client(f, servers, options);
    call_until_at(f, &f->a);
    call_until_at(f, &f->b);
}

static void a_read_that_takes_long_is_hedged(void **state)
{
    struct fixture *f = *state;
    open_on_two(f, (struct comb_client_options){.hedge_ms = 20, .silence_ms = 60000});
    size_t before = fake_count(&f->a, "Stat");
    fake_write(&f->a, &f->a.hold, true);
    for (int i = 0; i < 8; i++)
        must_ok(fake_stat(f->client, &f->err), &f->err);
    assert_true(fake_count(&f->a, "Stat") > before);
    assert_true(statistics(f).hedges >= 1);
    assert_true(statistics(f).hedges_won >= 1);
    assert_int_equal(statistics(f).retries, 0);
    fake_release(&f->a);
}

static void mutations_are_not_hedged(void **state)
{
    struct fixture *f = *state;
    open_on_two(f, (struct comb_client_options){.hedge_ms = 1, .silence_ms = 60000});
    uint64_t before = statistics(f).hedges;
    for (int i = 0; i < 20; i++)
        must_ok(fake_create(f->client, NULL, &f->err), &f->err);
    assert_int_equal(statistics(f).hedges, before);
    assert_int_equal(fake_count(&f->a, "CreateFolder") + fake_count(&f->b, "CreateFolder"), 20);
}

static void *stat_in_thread(void *data)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    return (void *)(intptr_t)fake_stat(data, &err);
}

/* A replica that says that it is well is waited for. */
static void a_long_call_at_a_living_replica_goes_on(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    void *status = NULL;
    open_on_two(f, (struct comb_client_options){.silence_ms = 1000});
    size_t before = fake_count(&f->a, "Stat") + fake_count(&f->b, "Stat");
    fake_write(&f->a, &f->a.hold, true);
    fake_write(&f->b, &f->b.hold, true);
    assert_int_equal(pthread_create(&thread, NULL, stat_in_thread, f->client), 0);
    uint64_t questions = 0;
    for (int waited = 0; waited < WAIT_MS && questions == 0; waited += 10) {
        struct grpcc_arena *arena = grpcc_arena_new(0);
        struct comb_replica_state **states = comb_client_replicas(f->client, arena);
        questions = states[0]->questions + states[1]->questions;
        grpcc_arena_free(arena);
        usleep(PAUSE_US);
    }
    fake_release(&f->a);
    fake_release(&f->b);
    pthread_join(thread, &status);
    assert_null(status);
    assert_true(questions > 0);
    /* A machine that stands still makes both silent. */
    if (statistics(f).silences == 0)
        assert_int_equal(fake_count(&f->a, "Stat") + fake_count(&f->b, "Stat"), before + 1);
}

/* ---- nobody ---- */

static void nobody_at_all_is_said_soon_where_wanted(void **state)
{
    struct fixture *f = *state;
    struct timespec begin, end;
    fake_stop(&f->a);
    open_client(f, f->a.address, (struct comb_client_options){.unreachable_ms = 200});
    clock_gettime(CLOCK_MONOTONIC, &begin);
    must_fail(GRPCC_UNAVAILABLE, fake_stat(f->client, &f->err), &f->err);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_in_range(end.tv_sec - begin.tv_sec, 0, 20); /* the call has 30 s */
    assert_non_null(strstr(f->err.message, "cannot be reached"));
    fake_restart(&f->a);
    call_until_at(f, &f->a);
}

static void the_dump_is_whole(void **state)
{
    struct fixture *f = *state;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    open_on_two(f, (struct comb_client_options){0});
    const char *dump = comb_client_dump(f->client, arena);
    assert_non_null(dump);
    assert_non_null(strstr(dump, f->a.address));
    assert_non_null(strstr(dump, "\"hedges_won\":0"));
    assert_null(strstr(dump, "access-1"));
    grpcc_arena_free(arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_finds_the_others_and_who_left_is_left),
        TEST(who_is_named_but_not_listed_comes_last),
        TEST(pinned_clients_stay_where_they_are),
        TEST(strange_addresses_are_left_out),
        TEST(a_read_that_takes_long_is_hedged),
        TEST(mutations_are_not_hedged),
        TEST(a_long_call_at_a_living_replica_goes_on),
        TEST(nobody_at_all_is_said_soon_where_wanted),
        TEST(the_dump_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
