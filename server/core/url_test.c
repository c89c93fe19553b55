/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/url.h"

#include <string.h>

#include "server/core/backoff.h"
#include "tests/support/support.h"

static const char *const names[] = {"ca", "name", NULL};
static struct test_ctx test;

static enum comb_status parse(const char *text, struct comb_url *ret_url)
{
    return comb_url_parse(test.ctx.arena, comb_str_from(text), 4711, names, ret_url, &test.err);
}

static void every_part_is_read(void **state)
{
    struct comb_url url;
    (void)state;
    must_ok(parse("etcd://joe@a.example:1,b.example,[::1]:3/some/pre%20fix?ca=/x%3Fy&name=", &url),
            &test.err);
    assert_true(comb_str_equal(url.scheme, STR("etcd")));
    assert_true(comb_str_equal(url.user, STR("joe")));
    assert_int_equal(url.n_hosts, 3);
    assert_string_equal(url.hosts[0].name.ptr, "a.example");
    assert_int_equal(url.hosts[0].port, 1);
    assert_string_equal(url.hosts[1].name.ptr, "b.example");
    assert_int_equal(url.hosts[1].port, 4711);
    assert_string_equal(url.hosts[2].name.ptr, "::1");
    assert_int_equal(url.hosts[2].port, 3);
    assert_string_equal(url.path.ptr, "some/pre fix");
    assert_string_equal(comb_url_param(&url, "ca").ptr, "/x?y");
    assert_string_equal(comb_url_param(&url, "name").ptr, "");
    assert_null(comb_url_param(&url, "other").ptr);
}

static void the_least_is_a_scheme_and_a_host(void **state)
{
    struct comb_url url;
    (void)state;
    must_ok(parse("nats://localhost", &url), &test.err);
    assert_int_equal(url.n_hosts, 1);
    assert_string_equal(url.path.ptr, "");
    must_ok(parse("nats://localhost/?", &url), &test.err);
    assert_int_equal(url.n_params, 0);
}

static void what_is_wrong_is_said(void **state)
{
    static const char *const bad[] = {
        "",
        "nats",
        "nats:x",
        "nats:/x",
        "nats://",
        "nats:///x",
        "nats://a,",
        "nats://,a",
        "nats://a:",
        "nats://a:0",
        "nats://a:65536",
        "nats://a:1x",
        "nats://[::1",
        "nats://[::1]x",
        "nats://a/%4",
        "nats://a/%zz",
        "nats://a/%00",
        "nats://a#x",
        "nats://a?ca=1&ca=2",
        "nats://a?other=1",
        "nats://u:p@a",
        "nats://1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7",
    };
    struct comb_url url;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        must_fail(COMB_INVALID_ARGUMENT, parse(bad[i], &url), &test.err);
}

static void a_password_is_not_repeated_in_the_message(void **state)
{
    struct comb_url url;
    (void)state;
    must_fail(COMB_INVALID_ARGUMENT, parse("redis://joe:topsecret@a", &url), &test.err);
    assert_null(strstr(test.err.msg, "topsecret"));
    assert_non_null(strstr(test.err.msg, "credentials file"));
}

static void waits_grow_to_their_ceiling_and_begin_anew(void **state)
{
    struct comb_backoff backoff = {.first_ms = 10, .most_ms = 1000};
    uint32_t longest = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint32_t ms = comb_backoff_next_ms(&backoff);
        assert_in_range(ms, 1, i < 6 ? 10u << i : 1000);
        longest = ms > longest ? ms : longest;
    }
    /* A thousand draws below half of the ceiling do not happen. */
    assert_in_range(longest, 500, 1000);
    comb_backoff_reset(&backoff);
    assert_in_range(comb_backoff_next_ms(&backoff), 1, 10);
}

static int set_up(void **state)
{
    (void)state;
    test_ctx_init(&test);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_ctx_done(&test);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_is_read),
        cmocka_unit_test(the_least_is_a_scheme_and_a_host),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(a_password_is_not_repeated_in_the_message),
        cmocka_unit_test(waits_grow_to_their_ceiling_and_begin_anew),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
