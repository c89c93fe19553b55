/* SPDX-License-Identifier: Apache-2.0 */
/* Totals of folders, folded in the background, against a recount. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/tree/fixture.h"
#include "tests/contract/tree/recount.h"
#include "tests/contract/tree/suites.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static const struct comb_v1_folder_totals *totals_of(struct fixture *f, const char *path)
{
    struct comb_tree_view view;

    must_ok(comb_tree_settle(f->tree, more(f), &f->test.err), &f->test.err);
    must_ok(try_stat(f, ref_path(f, path), COMB_TREE_WITH_TOTALS, &view), &f->test.err);
    assert_non_null(view.extra.totals);
    return view.extra.totals;
}

static void must_hold(struct fixture *f, const char *path, uint64_t bytes, uint64_t files,
                      uint64_t folders)
{
    const struct comb_v1_folder_totals *totals = totals_of(f, path);

    assert_int_equal(totals->bytes, bytes);
    assert_int_equal(totals->files, files);
    assert_int_equal(totals->folders, folders);
}

static void totals_follow_every_change(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_changed changed;
    struct comb_node a = mkdir_at(f, "/work", "a");

    mkdir_at(f, "/work", "b");
    put(f, "/work/a", "x", 10);
    put(f, "/work/a", "y", 5);
    must_hold(f, "/work", 15, 2, 2);
    must_hold(f, "/work/a", 15, 2, 0);
    put(f, "/work/a", "x", 3);
    must_hold(f, "/work", 8, 2, 2);
    move_to(f, "/work/a", "/work/b", "");
    must_hold(f, "/work", 8, 2, 2);
    must_hold(f, "/work/b", 8, 2, 1);
    recycle(f, "/work/b/a");
    must_hold(f, "/work", 0, 0, 1);
    must_ok(try_restore(f, &a.id, "/work", "", &changed), &f->test.err);
    must_hold(f, "/work", 8, 2, 2);
    must_hold(f, "/work/b", 0, 0, 0);
    delete_for_good(f, "/work/a/y");
    must_hold(f, "/work/a", 3, 1, 0);
    delete_for_good(f, "/work/a");
    must_hold(f, "/work", 0, 0, 1);
    must_be_recounted(f);
}

/* Writes and moves of folders in one fold: the totals that move are those of that point. */
static void moves_within_one_fold(void **state)
{
    struct fixture *f = *state;

    mkdir_at(f, "/work", "a");
    mkdir_at(f, "/work", "b");
    mkdir_at(f, "/work/a", "t");
    must_ok(comb_tree_settle(f->tree, more(f), &f->test.err), &f->test.err);
    put(f, "/work/a/t", "1", 1);
    move_to(f, "/work/a/t", "/work/b", "");
    put(f, "/work/b/t", "2", 2);
    move_to(f, "/work/b/t", "/work/a", "");
    put(f, "/work/a/t", "3", 4);
    move_to(f, "/work/a/t", "/work/b", "");
    must_hold(f, "/work/a", 0, 0, 0);
    must_hold(f, "/work/b", 7, 3, 1);
    must_be_recounted(f);
}

static void a_restart_goes_on(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 10; i++) {
        char name[20];

        snprintf(name, sizeof name, "%d", i);
        put(f, "/work", name, 1);
        if (i % 3 == 0)
            fixture_restart(f);
    }
    must_hold(f, "/work", 10, 10, 0);
    must_be_recounted(f);
}

/* The feed no longer goes back to where the fold stands: everything is counted anew. */
static void an_expired_cursor_counts_anew(void **state)
{
    static const char set_back[] = "UPDATE tree_cursor SET sequence = 0 WHERE name = 'totals'";
    static const char spoil[] = "UPDATE folder_total SET bytes = 77";
    const struct comb_sql_statement statements[] = {{.text = set_back}, {.text = spoil}};
    const struct comb_sql_request request = {
        .kind = COMB_SQL_WRITE, .statements = statements, .n_statements = 2};
    const struct comb_sql_result *result;
    struct fixture *f = *state;

    mkdir_at(f, "/work", "a");
    put(f, "/work/a", "x", 10);
    recycle(f, "/work/a/x");
    put(f, "/work/a", "y", 4);
    must_hold(f, "/work/a", 4, 1, 0);
    comb_clock_advance_ns(3600 * COMB_NS_PER_S);
    must_ok(comb_mutations_trim(f->mutations, more(f), 60 * COMB_US_PER_S, &f->test.err),
            &f->test.err);
    must_ok(comb_sql_run(f->sql, more(f), &request, &result, &f->test.err), &f->test.err);
    must_hold(f, "/work/a", 4, 1, 0);
    must_be_recounted(f);
    put(f, "/work/a", "z", 1);
    must_hold(f, "/work", 5, 2, 1);
}

int run_totals(void)
{
    const struct CMUnitTest tests[] = {
        TEST(totals_follow_every_change),
        TEST(moves_within_one_fold),
        TEST(a_restart_goes_on),
        TEST(an_expired_cursor_counts_anew),
    };

    return cmocka_run_group_tests_name("tree totals", tests, NULL, NULL);
}
