/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/ctx.h"

#include <limits.h>

#include "server/core/clock.h"
#include "tests/support/support.h"

static void a_deadline_passes(void **state)
{
    (void)state;
    struct comb_error err;
    struct comb_ctx ctx = {.deadline_ns = comb_clock_monotonic_ns() + 60 * COMB_NS_PER_S};
    must_ok(comb_ctx_check(&ctx, &err), &err);
    assert_in_range(comb_ctx_left_ms(&ctx), 1, 60000);
    comb_clock_advance_ns(61 * COMB_NS_PER_S);
    assert_int_equal(comb_ctx_left_ms(&ctx), 0);
    must_fail(COMB_DEADLINE_EXCEEDED, comb_ctx_check(&ctx, &err), &err);
}

static void no_deadline_never_passes(void **state)
{
    (void)state;
    struct comb_ctx ctx = {.deadline_ns = INT64_MAX};
    assert_int_equal(comb_ctx_left_ms(&ctx), INT_MAX);
    must_ok(comb_ctx_check(&ctx, NULL), NULL);
}

static void reached_is_raised_never_lowered(void **state)
{
    (void)state;
    struct comb_ctx ctx = {0};
    comb_ctx_reach(&ctx, (struct comb_position){1, 10});
    comb_ctx_reach(&ctx, (struct comb_position){1, 9});
    assert_int_equal(ctx.reached.sequence, 10);
    comb_ctx_reach(&ctx, (struct comb_position){2, 3});
    assert_int_equal(ctx.reached.incarnation, 2);
    assert_int_equal(ctx.reached.sequence, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_passes),
        cmocka_unit_test(no_deadline_never_passes),
        cmocka_unit_test(reached_is_raised_never_lowered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
