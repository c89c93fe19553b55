/* SPDX-License-Identifier: Apache-2.0 */
/* The checker of rights finds reads that come too late to be allowed, and only those. */
#include "tests/support/checkers/rights.h"

#include "tests/support/cmocka.h"

#define BOUND 100

static const struct rights_op changes[] = {{true, 0, 10}, {false, 1000, 1010}, {true, 2000, 2010}};

static struct rights_report check(struct rights_op read)
{
    struct rights_report report;
    rights_check(changes, 3, &read, 1, BOUND, &report);
    return report;
}

static void what_is_kept_is_not_blamed(void **state)
{
    (void)state;
    assert_int_equal(check((struct rights_op){true, 500, 510}).judged[1], 1);
    assert_int_equal(check((struct rights_op){true, 500, 510}).violations[1], 0);
    assert_int_equal(check((struct rights_op){false, 1110, 1120}).judged[0], 1);
    assert_int_equal(check((struct rights_op){false, 1110, 1120}).violations[0], 0);
}

static void within_the_bound_either_is_right(void **state)
{
    struct rights_report report = check((struct rights_op){true, 1109, 1120});
    (void)state;
    assert_int_equal(report.judged[0] + report.judged[1], 0);
    report = check((struct rights_op){true, 1500, 2000});
    assert_int_equal(report.judged[0] + report.judged[1], 0);
}

static void a_late_right_is_found(void **state)
{
    (void)state;
    assert_int_equal(check((struct rights_op){true, 1110, 1120}).violations[0], 1);
    assert_int_equal(check((struct rights_op){true, 1990, 1999}).violations[0], 1);
}

static void a_missing_right_is_found(void **state)
{
    (void)state;
    assert_int_equal(check((struct rights_op){false, 110, 999}).violations[1], 1);
    assert_int_equal(check((struct rights_op){false, 9000, 9001}).violations[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_is_not_blamed),
        cmocka_unit_test(within_the_bound_either_is_right),
        cmocka_unit_test(a_late_right_is_found),
        cmocka_unit_test(a_missing_right_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
