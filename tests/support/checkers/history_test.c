/* SPDX-License-Identifier: Apache-2.0 */
/* The checker finds what it is there for: each rule broken by hand, once. */
#include "tests/support/checkers/history.h"

#include "tests/support/cmocka.h"

#define BOUND 250
#define LENGTH(array) (sizeof(array) / sizeof *(array))

static void expect(struct history_op *ops, size_t n, enum history_rule rule)
{
    struct history_report report;
    history_check(ops, n, BOUND, &report);
    assert_true(report.violations[rule] > 0);
    assert_true(report.first[0] != '\0');
}

static struct history_op wrote(unsigned client, uint64_t version, int64_t begin, int64_t end)
{
    return (struct history_op){.client = client,
                               .object = 1,
                               .write = true,
                               .version = version,
                               .begin_ns = begin,
                               .end_ns = end};
}

static struct history_op saw(unsigned client, uint64_t version, int64_t begin, int64_t end)
{
    return (struct history_op){
        .client = client, .object = 1, .version = version, .begin_ns = begin, .end_ns = end};
}

static struct history_op saw_strongly(unsigned client, uint64_t version, int64_t begin, int64_t end)
{
    struct history_op op = saw(client, version, begin, end);
    op.strong = true;
    return op;
}

static void good_history_passes(void **state)
{
    (void)state;
    struct history_op ops[] = {
        wrote(1, 1, 0, 10),         saw(2, 0, 20, 30), /* stale, within the bound */
        saw(1, 1, 20, 30),          saw_strongly(3, 1, 11, 40), wrote(2, 2, 50, 90),
        saw(3, 2, 60, 70), /* before its writer knows */
        saw_strongly(1, 1, 55, 60), saw(2, 2, 100, 110),        saw(1, 2, 400, 410),
    };
    struct history_report report;
    history_check(ops, LENGTH(ops), BOUND, &report);
    if (report.total != 0) {
        fail_msg("%s", report.first);
    }
}

static void own_write_not_seen(void **state)
{
    (void)state;
    struct history_op ops[] = {wrote(1, 1, 0, 10), saw(1, 0, 20, 30)};
    expect(ops, LENGTH(ops), HISTORY_OWN_WRITES);
}

static void read_goes_back(void **state)
{
    (void)state;
    struct history_op ops[] = {wrote(1, 1, 0, 10), saw(2, 1, 11, 12), saw(2, 0, 13, 14)};
    expect(ops, LENGTH(ops), HISTORY_MONOTONIC);
}

static void read_is_too_old(void **state)
{
    (void)state;
    struct history_op ops[] = {wrote(1, 1, 0, 10), saw(2, 0, 10 + BOUND, 20 + BOUND)};
    expect(ops, LENGTH(ops), HISTORY_BOUND);
    struct history_op young[] = {wrote(1, 1, 0, 10), saw(2, 0, 9 + BOUND, 20 + BOUND)};
    struct history_report report;
    history_check(young, LENGTH(young), BOUND, &report);
    assert_int_equal(report.total, 0);
}

static void strong_read_misses_a_write(void **state)
{
    (void)state;
    struct history_op ops[] = {wrote(1, 1, 0, 10), saw_strongly(2, 0, 11, 20)};
    expect(ops, LENGTH(ops), HISTORY_LINEAR);
}

static void strong_reads_disagree(void **state)
{
    (void)state;
    struct history_op ops[] = {wrote(1, 1, 0, 100), saw_strongly(2, 1, 10, 20),
                               saw_strongly(3, 0, 30, 40)};
    expect(ops, LENGTH(ops), HISTORY_LINEAR);
}

static void writes_lose_one_another(void **state)
{
    (void)state;
    struct history_op ops[] = {wrote(1, 1, 0, 10), wrote(2, 1, 20, 30)};
    expect(ops, LENGTH(ops), HISTORY_LINEAR);
}

static void read_from_the_future(void **state)
{
    (void)state;
    struct history_op ops[] = {saw(2, 1, 0, 10), wrote(1, 1, 20, 30)};
    expect(ops, LENGTH(ops), HISTORY_FUTURE);
}

static void objects_are_apart(void **state)
{
    (void)state;
    struct history_op ops[] = {wrote(1, 5, 0, 10), saw(1, 0, 20, 30)};
    ops[1].object = 2;
    struct history_report report;
    history_check(ops, LENGTH(ops), BOUND, &report);
    assert_int_equal(report.total, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_history_passes),
        cmocka_unit_test(own_write_not_seen),
        cmocka_unit_test(read_goes_back),
        cmocka_unit_test(read_is_too_old),
        cmocka_unit_test(strong_read_misses_a_write),
        cmocka_unit_test(strong_reads_disagree),
        cmocka_unit_test(writes_lose_one_another),
        cmocka_unit_test(read_from_the_future),
        cmocka_unit_test(objects_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
