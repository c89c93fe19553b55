/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/auth/throttle_driver.h"
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
    must_ok(comb_throttle_memory_new(&f.throttle, &f.t.err), &f.t.err);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    comb_throttle_close(f->throttle);
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
    fail_times(f, STR("anna"), COMB_THROTTLE_LOGIN_FREE);
    must_wait(f, STR("anna"));
    for (int i = 0; i < 200000; i++) {
        char login[32], peer[32];
        snprintf(login, sizeof login, "x%d", i);
        snprintf(peer, sizeof peer, "unix:%d", i);
        f->t.ctx.peer = comb_str_from(peer);
        comb_throttle_fail(f->throttle, &f->t.ctx, comb_str_from(login));
    }
    f->t.ctx.peer = STR("ipv4:192.0.2.1:4711");
    struct comb_throttle_counter counter;
    f->throttle->driver->get(f->throttle, &f->t.ctx, STR("login:anna"), &counter);
    assert_int_equal(counter.failures, COMB_THROTTLE_LOGIN_FREE);
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
        T(the_wait_doubles_up_to_its_end),
        T(success_and_time_forgive),
        T(an_address_is_counted_too),
        T(inventions_push_out_inventions),
        T(any_peer_has_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
