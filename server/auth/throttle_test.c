/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/auth/throttle.h"
#include "server/auth/throttle_table.h"
#include "server/core/clock.h"
#include "tests/support/support.h"

struct fixture {
    struct test_ctx t;
    struct comb_throttle *throttle;
};

static int setup(void **state)
{
    static struct fixture f;
    test_ctx_init(&f.t);
    f.t.ctx.peer = STR("ipv4:192.0.2.1:4711");
    must_ok(comb_throttle_new(NULL, &f.throttle, &f.t.err), &f.t.err);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    comb_throttle_free(f->throttle);
    test_ctx_done(&f->t);
    return 0;
}

static void must_pass(struct fixture *f, comb_str login)
{
    must_ok(comb_throttle_check(f->throttle, &f->t.ctx, login, &f->t.err), &f->t.err);
}

/* How long to wait, in milliseconds. */
static int64_t must_wait(struct fixture *f, comb_str login)
{
    must_fail(COMB_RESOURCE_EXHAUSTED,
              comb_throttle_check(f->throttle, &f->t.ctx, login, &f->t.err), &f->t.err);
    assert_int_equal(f->t.err.reason, COMB_V1_ERROR_REASON_LOGIN_THROTTLED);
    assert_true(f->t.err.retry_ms > 0);
    return f->t.err.retry_ms;
}

static void fail_times(struct fixture *f, comb_str login, int times)
{
    for (int i = 0; i < times; i++)
        comb_throttle_fail(f->throttle, &f->t.ctx, login);
}

static void the_wait_doubles_up_to_its_end(void **state)
{
    struct fixture *f = *state;
    fail_times(f, STR("anna"), COMB_THROTTLE_LOGIN_FREE - 1);
    must_pass(f, STR("anna"));
    fail_times(f, STR("anna"), 1);
    assert_in_range(must_wait(f, STR("anna")), 1, 1000);
    must_pass(f, STR("bert"));
    comb_clock_advance_ns(COMB_NS_PER_S);
    must_pass(f, STR("anna"));
    fail_times(f, STR("anna"), 1);
    assert_in_range(must_wait(f, STR("anna")), 1001, 2000);
    fail_times(f, STR("anna"), 30);
    assert_in_range(must_wait(f, STR("anna")), 899000, COMB_THROTTLE_WAIT_MAX_S * 1000);
}

static void success_and_time_forgive(void **state)
{
    struct fixture *f = *state;
    fail_times(f, STR("anna"), 20);
    must_wait(f, STR("anna"));
    comb_throttle_succeed(f->throttle, &f->t.ctx, STR("anna"));
    must_pass(f, STR("anna"));
    fail_times(f, STR("anna"), 20);
    comb_clock_advance_ns((COMB_THROTTLE_FORGET_S + 1) * COMB_NS_PER_S);
    fail_times(f, STR("anna"), COMB_THROTTLE_LOGIN_FREE - 1);
    must_pass(f, STR("anna"));
}

/* One address that tries many logins; its ports do not tell it apart. */
static void an_address_is_counted_too(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < COMB_THROTTLE_PEER_FREE; i++) {
        char login[32], peer[64];
        snprintf(login, sizeof login, "user%d", i);
        snprintf(peer, sizeof peer, "ipv6:[2001:db8::%x]:%d", i + 1, 4000 + i);
        f->t.ctx.peer = comb_str_from(peer);
        comb_throttle_fail(f->throttle, &f->t.ctx, comb_str_from(login));
    }
    f->t.ctx.peer = STR("ipv6:[2001:db8::ffff]:1");
    must_wait(f, STR("nobody"));
    f->t.ctx.peer = STR("ipv6:[2001:db8:0:1::1]:1");
    must_pass(f, STR("nobody"));
    f->t.ctx.peer = STR("ipv4:192.0.2.1:1");
    must_pass(f, STR("nobody"));
}

/* Whoever invents logins does not push out the counter of the one that he guesses at. */
static void inventions_push_out_inventions(void **state)
{
    struct fixture *f = *state;
    struct comb_throttle_table *table = NULL;
    must_ok(comb_throttle_table_new(&table, &f->t.err), &f->t.err);
    for (int i = 0; i < COMB_THROTTLE_LOGIN_FREE; i++)
        comb_throttle_table_add(table, STR("anna"));
    for (int i = 0; i < 400000; i++) {
        char login[32];
        snprintf(login, sizeof login, "x%d", i);
        comb_throttle_table_add(table, comb_str_from(login));
    }
    assert_int_equal(comb_throttle_table_get(table, STR("anna")).failures,
                     COMB_THROTTLE_LOGIN_FREE);
    comb_throttle_table_free(table);
}

/* Two replicas on one cache. */
static void replicas_count_together(void **state)
{
    struct fixture *f = *state;
    const struct comb_store_options options = {.url = STR("mem:")};
    struct comb_cache *cache = NULL;
    struct comb_throttle *replicas[2];
    must_ok(comb_cache_mem_open(&options, &cache, &f->t.err), &f->t.err);
    for (int i = 0; i < 2; i++)
        must_ok(comb_throttle_new(cache, &replicas[i], &f->t.err), &f->t.err);
    struct comb_throttle *own = f->throttle;
    f->t.ctx.deadline_ns = INT64_MAX; /* which the clock does not reach below */
    for (int i = 0; i < COMB_THROTTLE_LOGIN_FREE; i++) {
        f->throttle = replicas[i % 2];
        must_pass(f, STR("anna"));
        fail_times(f, STR("anna"), 1);
    }
    for (int i = 0; i < 2; i++) {
        f->throttle = replicas[i];
        assert_in_range(must_wait(f, STR("anna")), 1, 1000);
    }
    /* One of them has counted many alone; the other one sees the success. */
    f->throttle = replicas[0];
    fail_times(f, STR("anna"), 10);
    comb_clock_advance_ns(COMB_THROTTLE_WAIT_MAX_S * COMB_NS_PER_S);
    comb_throttle_succeed(replicas[1], &f->t.ctx, STR("anna"));
    must_pass(f, STR("anna"));
    comb_clock_advance_ns(COMB_NS_PER_S);
    fail_times(f, STR("anna"), COMB_THROTTLE_LOGIN_FREE - 1);
    must_pass(f, STR("anna"));
    for (int i = 0; i < 2; i++)
        comb_throttle_free(replicas[i]);
    comb_cache_close(cache);
    f->throttle = own;
}

static void any_peer_has_a_key(void **state)
{
    struct fixture *f = *state;
    char longest[4096];
    memset(longest, 'p', sizeof longest);
    const comb_str peers[] = {STR(""),
                              STR(":"),
                              STR("ipv6:["),
                              STR("ipv6:[]:1"),
                              STR("ipv6:[::1"),
                              STR("ipv6:[zz]:1"),
                              comb_str_of(longest, sizeof longest)};
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        f->t.ctx.peer = peers[i];
        comb_throttle_fail(f->throttle, &f->t.ctx, comb_str_of(longest, sizeof longest));
    }
    f->t.ctx.peer = STR("");
    must_wait(f, comb_str_of(longest, sizeof longest));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_wait_doubles_up_to_its_end), T(success_and_time_forgive),
        T(an_address_is_counted_too),      T(inventions_push_out_inventions),
        T(replicas_count_together),        T(any_peer_has_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
