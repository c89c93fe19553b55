/* SPDX-License-Identifier: Apache-2.0 */
/* The checker of the feed passes what is right, and catches each of its seeded bugs. */
#include "tests/support/checkers/feed.h"

#include <string.h>

#include "tests/support/cmocka.h"

#define NODES 3
#define CHANGES 8

/* Changes of some nodes, in turn. */
static size_t write_feed(struct feed_entry feed[NODES * CHANGES])
{
    for (size_t i = 0; i < NODES * CHANGES; i++)
        feed[i] =
            (struct feed_entry){.id = {(char)('a' + (int)(i % NODES))}, .revision = i / NODES + 1};
    return NODES * CHANGES;
}

struct both {
    struct feed_entry acknowledged[NODES * CHANGES], feed[NODES * CHANGES];
    size_t n_acknowledged, n;
};

static struct both both_new(void)
{
    struct both both;
    both.n = both.n_acknowledged = write_feed(both.feed);
    memcpy(both.acknowledged, both.feed, sizeof both.feed);
    return both;
}

static struct feed_report check(struct both *both)
{
    struct feed_report report;
    feed_check(both->acknowledged, both->n_acknowledged, both->feed, both->n, &report);
    return report;
}

static void what_is_right_passes(void **state)
{
    struct both both = both_new();
    struct feed_report report = check(&both);
    (void)state;
    assert_string_equal(report.first, "");
    assert_int_equal(report.unexplained, 0);
    both.n = both.n_acknowledged = 0;
    report = check(&both);
    assert_string_equal(report.first, "");
}

/* It was asked for again, when another change had been made. */
static void an_answer_with_a_later_revision_is_counted(void **state)
{
    struct both both = both_new();
    (void)state;
    both.acknowledged[0] = both.acknowledged[NODES];
    struct feed_report report = check(&both);
    assert_string_equal(report.first, "");
    assert_int_equal(report.later, 1);
    assert_int_equal(report.unexplained, 1);
}

static void a_skipped_change_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < NODES * CHANGES; i++) {
        struct both both = both_new();
        both.n--;
        memmove(&both.feed[i], &both.feed[i + 1], (both.n - i) * sizeof both.feed[0]);
        struct feed_report report = check(&both);
        assert_int_equal(report.missing, 1);
        assert_int_equal(report.twice + report.out_of_order + report.unexplained, 0);
    }
}

static void a_change_told_twice_is_found(void **state)
{
    (void)state;
    for (size_t i = 1; i < NODES * CHANGES; i++) {
        struct both both = both_new();
        both.feed[i] = both.feed[i - 1];
        struct feed_report report = check(&both);
        assert_int_equal(report.twice, 1);
        assert_int_equal(report.missing, 1);
    }
}

static void changes_of_a_node_in_another_order_are_found(void **state)
{
    (void)state;
    for (size_t i = NODES; i < NODES * CHANGES; i++) {
        struct both both = both_new();
        struct feed_entry later = both.feed[i];
        both.feed[i] = both.feed[i - NODES];
        both.feed[i - NODES] = later;
        struct feed_report report = check(&both);
        assert_true(report.out_of_order > 0);
        assert_int_equal(report.missing + report.twice, 0);
    }
}

static void what_nobody_was_told_of_is_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < NODES * CHANGES; i++) {
        struct both both = both_new();
        both.n_acknowledged--;
        memmove(&both.acknowledged[i], &both.acknowledged[i + 1],
                (both.n_acknowledged - i) * sizeof both.acknowledged[0]);
        struct feed_report report = check(&both);
        assert_int_equal(report.unexplained, 1);
        assert_string_equal(report.first, "");
    }
    /* Nodes of others do not count. */
    struct both both = both_new();
    for (size_t i = 0; i < both.n_acknowledged; i++)
        both.acknowledged[i].id[0] = 'b';
    both.n_acknowledged = CHANGES;
    for (size_t i = 0; i < CHANGES; i++)
        both.acknowledged[i].revision = i + 1;
    struct feed_report report = check(&both);
    assert_int_equal(report.unexplained, 0);
    assert_int_equal(report.missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_right_passes),
        cmocka_unit_test(an_answer_with_a_later_revision_is_counted),
        cmocka_unit_test(a_skipped_change_is_found),
        cmocka_unit_test(a_change_told_twice_is_found),
        cmocka_unit_test(changes_of_a_node_in_another_order_are_found),
        cmocka_unit_test(what_nobody_was_told_of_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
