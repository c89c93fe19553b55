/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd killed, frozen, compacted and without its leader, under load: what was acknowledged is
 * there, once; calls end within their deadline; all goes on by itself. Prints the figures.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/backend/etcd/etcd.h"
#include "server/core/clock.h"
#include "tests/contract/config/driver_etcd.h"
#include "tests/contract/config/fixture.h"

enum { WORKERS = 4, CALL_MS = 5000, AWAY_S_SHORT = 2, AWAY_S_LONG = 30 };
/* Beyond the deadline, what a busy machine may take; and until all goes on again. */
enum { SLACK_MS = 10000, RECOVERY_S = 60 };

struct load {
    struct config_fixture *f;
    atomic_bool stop;
    atomic_long acknowledged, refused;
    atomic_llong longest_ms;
    atomic_int wrong;
};

struct worker {
    struct load *load;
    int number;
    int64_t count, revision; /* acknowledged: the value, and its revision */
    char wrong[COMB_ERROR_MESSAGE_MAX];
};

/* One attempt at the next number; the request stays the same until it is acknowledged. */
static enum comb_status try_next(struct worker *worker, struct test_ctx *test, const char *request,
                                 struct comb_config_outcome *ret_outcome)
{
    char path[32], value[32];
    snprintf(path, sizeof path, "/load/%d", worker->number);
    snprintf(value, sizeof value, "%lld", (long long)worker->count + 1);
    const struct comb_config_change change = {.path = comb_str_from(path),
                                              .value = comb_str_from(value),
                                              .has_expected = true,
                                              .expected = worker->revision};
    const struct comb_config_batch batch = {
        .changes = &change, .n = 1, .actor = STR("load"), .request = comb_str_from(request)};
    int64_t begin_ns = comb_clock_monotonic_ns();
    test_ctx_next(test);
    test->ctx.deadline_ns = begin_ns + CALL_MS * COMB_NS_PER_MS;
    enum comb_status status = comb_config_store_apply(worker->load->f->store, &test->ctx, &batch,
                                                      ret_outcome, &test->err);
    long long took_ms = (comb_clock_monotonic_ns() - begin_ns) / COMB_NS_PER_MS;
    long long longest_ms = atomic_load(&worker->load->longest_ms);
    while (took_ms > longest_ms &&
           !atomic_compare_exchange_weak(&worker->load->longest_ms, &longest_ms, took_ms))
        continue;
    return status;
}

static void *work(void *data)
{
    struct worker *worker = data;
    struct load *load = worker->load;
    struct test_ctx test;
    char request[64];
    test_ctx_init(&test);
    while (!atomic_load(&load->stop) && !worker->wrong[0]) {
        struct comb_config_outcome outcome;
        snprintf(request, sizeof request, "worker-%d-%lld", worker->number,
                 (long long)worker->count);
        enum comb_status status = try_next(worker, &test, request, &outcome);
        if (status == COMB_OK) {
            worker->count++;
            worker->revision = outcome.revision;
            atomic_fetch_add(&load->acknowledged, 1);
        } else if (status == COMB_UNAVAILABLE || status == COMB_DEADLINE_EXCEEDED) {
            atomic_fetch_add(&load->refused, 1);
            usleep(20000);
        } else {
            snprintf(worker->wrong, sizeof worker->wrong, "%s", test.err.msg);
            atomic_fetch_add(&load->wrong, 1);
        }
    }
    test_ctx_done(&test);
    return NULL;
}

struct running {
    struct load load;
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
};

static void await_more(struct running *running, long more)
{
    long wanted = atomic_load(&running->load.acknowledged) + more;
    int64_t until_ns = comb_clock_monotonic_ns() + RECOVERY_S * COMB_NS_PER_S;
    while (atomic_load(&running->load.acknowledged) < wanted &&
           !atomic_load(&running->load.wrong)) {
        if (comb_clock_monotonic_ns() > until_ns)
            fail_msg("nothing is acknowledged any more");
        usleep(2000);
    }
}

static void load_start(struct running *running, struct config_fixture *f)
{
    *running = (struct running){.load.f = f};
    for (int i = 0; i < WORKERS; i++) {
        running->workers[i] = (struct worker){.load = &running->load, .number = i};
        assert_int_equal(pthread_create(&running->threads[i], NULL, work, &running->workers[i]), 0);
    }
    await_more(running, 40);
}

static void load_stop(struct running *running, const char *what, int64_t recovery_ms)
{
    struct config_fixture *f = running->load.f;
    char path[32], value[32];
    int lost = 0;
    atomic_store(&running->load.stop, true);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(running->threads[i], NULL);
    test_ctx_next(&f->test);
    for (int i = 0; i < WORKERS; i++) {
        struct worker *worker = &running->workers[i];
        struct comb_config_entry entry = {0};
        if (worker->wrong[0])
            fail_msg("%s: worker %d was told: %s", what, i, worker->wrong);
        snprintf(path, sizeof path, "/load/%d", i);
        must_ok(comb_config_store_get(f->store, &f->test.ctx, comb_str_from(path), &entry,
                                      &f->test.err),
                &f->test.err);
        snprintf(value, sizeof value, "%.*s", COMB_STR_ARG(entry.value));
        /* A change that nobody heard of may have been done as the worker stopped. */
        lost += strtoll(value, NULL, 10) < worker->count ||
                strtoll(value, NULL, 10) > worker->count + 1;
    }
    printf("config.etcd %s: %ld acknowledged, %d lost, %ld refused, longest call %lld ms of %d, "
           "again after %lld ms\n",
           what, atomic_load(&running->load.acknowledged), lost,
           atomic_load(&running->load.refused), atomic_load(&running->load.longest_ms), CALL_MS,
           (long long)recovery_ms);
    assert_int_equal(lost, 0);
    assert_true(atomic_load(&running->load.longest_ms) < CALL_MS + SLACK_MS);
}

static int away_s(void)
{
    const char *is_long = getenv("COMB_LONG");
    return is_long && strcmp(is_long, "1") == 0 ? AWAY_S_LONG : AWAY_S_SHORT;
}

static int64_t ms_since(int64_t begin_ns)
{
    return (comb_clock_monotonic_ns() - begin_ns) / COMB_NS_PER_MS;
}

static void killed_under_load(void **state)
{
    struct config_fixture *f = *state;
    struct running running;
    load_start(&running, f);
    store_process_kill(&driver_server.members[0].process);
    sleep(1); /* the load goes on against nothing */
    etcd_server_restart(&driver_server, 0);
    int64_t begin_ns = comb_clock_monotonic_ns();
    await_more(&running, 1);
    int64_t recovery_ms = ms_since(begin_ns);
    await_more(&running, 20);
    load_stop(&running, "killed with -9", recovery_ms);
}

static void frozen_under_load(void **state)
{
    struct config_fixture *f = *state;
    struct running running;
    load_start(&running, f);
    store_process_freeze(&driver_server.members[0].process);
    sleep((unsigned)away_s());
    store_process_thaw(&driver_server.members[0].process);
    int64_t begin_ns = comb_clock_monotonic_ns();
    await_more(&running, 1);
    int64_t recovery_ms = ms_since(begin_ns);
    await_more(&running, 20);
    load_stop(&running, "frozen", recovery_ms);
}

/* While the observer cannot follow, history is made and forgotten: it is told everything anew. */
static void compacted_while_the_watch_is_away(void **state)
{
    struct config_fixture *f = *state;
    struct config_witness witness;
    config_witness_init(&witness);
    const struct comb_config_observer observer = config_witness_observer(&witness);
    config_set(f, "/a", "1");
    must_ok(comb_config_store_watch(f->store, &observer, &f->test.err), &f->test.err);
    config_await_value(&witness, "/a", "1");
    int port = driver_server.members[0].port;
    store_process_kill(&driver_server.members[0].process);
    config_await_count(&witness, &witness.lost, 1);
    /* Where the observer does not look. */
    driver_server.members[0].port = test_free_port();
    etcd_server_restart(&driver_server, 0);
    struct config_fixture other = {0};
    test_ctx_init(&other.test);
    snprintf(other.url, sizeof other.url, "etcd://127.0.0.1:%d/%s", driver_server.members[0].port,
             strrchr(f->url, '/') + 1);
    config_reopen(&other);
    config_set(&other, "/a", NULL);
    int64_t revision = config_set(&other, "/b", "2");
    comb_config_store_close(other.store);
    const struct comb_store_options options = {.url = comb_str_from(other.url)};
    struct comb_etcd *etcd = NULL;
    must_ok(comb_etcd_open(&options, &etcd, &other.test.err), &other.test.err);
    must_ok(comb_etcd_compact(etcd, &other.test.ctx, revision, &other.test.err), &other.test.err);
    comb_etcd_close(etcd);
    test_ctx_done(&other.test);
    store_process_kill(&driver_server.members[0].process);
    driver_server.members[0].port = port;
    etcd_server_restart(&driver_server, 0);
    config_await_value(&witness, "/b", "2");
    assert_int_equal(witness.everything, 2);
    config_reopen(f);
}

static void the_leader_is_killed(void **state)
{
    (void)state;
    struct etcd_server three = {0};
    struct config_fixture f = {0};
    struct running running;
    struct config_witness witness;
    etcd_server_start(&three, 3);
    test_ctx_init(&f.test);
    char *url = etcd_server_url(&three, "three");
    snprintf(f.url, sizeof f.url, "%s", url);
    free(url);
    config_reopen(&f);
    config_witness_init(&witness);
    const struct comb_config_observer observer = config_witness_observer(&witness);
    must_ok(comb_config_store_watch(f.store, &observer, &f.test.err), &f.test.err);
    load_start(&running, &f);
    size_t leader = etcd_server_leader(&three);
    int64_t begin_ns = comb_clock_monotonic_ns();
    store_process_kill(&three.members[leader].process);
    await_more(&running, 1);
    /* The first may have been on its way: from the fortieth on all of them are of the new leader.
     */
    await_more(&running, 40);
    int64_t recovery_ms = ms_since(begin_ns);
    etcd_server_restart(&three, leader);
    load_stop(&running, "leader of three killed with -9", recovery_ms);
    test_ctx_next(&f.test);
    config_set(&f, "/last", "\"one\"");
    config_await_value(&witness, "/last", "\"one\"");
    assert_true(witness.in_order);
    comb_config_store_close(f.store);
    test_ctx_done(&f.test);
    etcd_server_done(&three);
}

static void two_processes_see_each_other(void **state)
{
    struct config_fixture *f = *state;
    struct config_fixture other = {0};
    struct config_witness witnesses[2];
    struct config_fixture *both[2] = {f, &other};
    test_ctx_init(&other.test);
    snprintf(other.url, sizeof other.url, "%s", f->url);
    config_reopen(&other);
    for (int i = 0; i < 2; i++) {
        config_witness_init(&witnesses[i]);
        const struct comb_config_observer observer = config_witness_observer(&witnesses[i]);
        must_ok(comb_config_store_watch(both[i]->store, &observer, &f->test.err), &f->test.err);
    }
    for (int i = 0; i < 20; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        config_set(both[i % 2], "/a", value);
        config_must_hold(both[1 - i % 2], "/a", value);
        config_await_value(&witnesses[0], "/a", value);
        config_await_value(&witnesses[1], "/a", value);
    }
    comb_config_store_close(other.store);
    test_ctx_done(&other.test);
    config_reopen(f);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, config_setup, config_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(killed_under_load),
        CASE(frozen_under_load),
        CASE(compacted_while_the_watch_is_away),
        CASE(two_processes_see_each_other),
        cmocka_unit_test(the_leader_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
