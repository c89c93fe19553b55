/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/sql/fixture.h"

static void reopen(struct fixture *f)
{
    comb_sql_close(f->sql);
    f->sql = NULL;
    must_ok(driver_open(f->place, &f->sql, &f->t.err), &f->t.err);
}

static void a_store_keeps_what_it_is_and_holds(void **state)
{
    struct fixture *f = *state;
    struct comb_sql_info before, after;
    comb_sql_get_info(f->sql, &before);
    assert_false(comb_uuid_is_nil(&before.installation));
    assert_true(before.incarnation != 0);
    assert_string_equal(before.driver, f->sql->driver->name);
    must_ok(insert_item(f->sql, &f->t.ctx, 1, STR("kept"), &f->t.err), &f->t.err);
    reopen(f);
    comb_sql_get_info(f->sql, &after);
    assert_true(comb_uuid_equal(&before.installation, &after.installation));
    assert_true(before.incarnation == after.incarnation);
    assert_int_equal(number(f, "SELECT count(*) FROM item WHERE name = 'kept'"), 1);
}

static void steps_are_applied_once_and_in_order(void **state)
{
    const struct comb_sql_migration steps[] = {
        {"a", 1, "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1)"},
        {"a", 2, "INSERT INTO a SELECT x + 1 FROM a"},
        {"b", 1, "CREATE TABLE b (x INTEGER); INSERT INTO b SELECT count(*) FROM a"},
    };
    struct fixture *f = *state;
    must_ok(comb_sql_migrate(f->sql, steps, 1, &f->t.err), &f->t.err);
    must_ok(comb_sql_migrate(f->sql, steps, 3, &f->t.err), &f->t.err);
    reopen(f);
    must_ok(comb_sql_migrate(f->sql, steps, 3, &f->t.err), &f->t.err);
    assert_int_equal(number(f, "SELECT count(*) FROM a"), 2);
    assert_int_equal(number(f, "SELECT x FROM b"), 2);
}

static void a_step_that_fails_leaves_nothing(void **state)
{
    const struct comb_sql_migration bad[] = {
        {"a", 1, "CREATE TABLE a (x INTEGER); INSERT INTO nowhere VALUES (1)"}};
    const struct comb_sql_migration good[] = {{"a", 1, "CREATE TABLE a (x INTEGER)"}};
    struct fixture *f = *state;
    must_fail(COMB_INTERNAL, comb_sql_migrate(f->sql, bad, 1, &f->t.err), &f->t.err);
    must_ok(comb_sql_migrate(f->sql, good, 1, &f->t.err), &f->t.err);
    assert_int_equal(number(f, "SELECT count(*) FROM a"), 0);
}

static void another_history_is_refused(void **state)
{
    const struct comb_sql_migration two[] = {{"a", 1, "CREATE TABLE a (x INTEGER)"},
                                             {"a", 2, "CREATE TABLE a2 (x INTEGER)"}};
    const struct comb_sql_migration other[] = {{"a", 1, "CREATE TABLE a (y INTEGER)"},
                                               {"a", 2, "CREATE TABLE a2 (x INTEGER)"}};
    const struct comb_sql_migration gap[] = {{"c", 1, "CREATE TABLE c (x INTEGER)"},
                                             {"c", 3, "CREATE TABLE c3 (x INTEGER)"}};
    struct fixture *f = *state;
    must_ok(comb_sql_migrate(f->sql, two, 2, &f->t.err), &f->t.err);
    must_fail(COMB_FAILED_PRECONDITION, comb_sql_migrate(f->sql, other, 2, &f->t.err), &f->t.err);
    must_fail(COMB_INTERNAL, comb_sql_migrate(f->sql, gap, 2, &f->t.err), &f->t.err);
}

/* While replicas are replaced one by one, those of the release before start on the newer schema. */
static void one_unknown_step_is_lived_with_and_two_are_refused(void **state)
{
    const struct comb_sql_migration three[] = {{"a", 1, "CREATE TABLE a (x INTEGER)"},
                                               {"a", 2, "ALTER TABLE a ADD COLUMN y INTEGER"},
                                               {"a", 3, "ALTER TABLE a ADD COLUMN z INTEGER"}};
    const struct comb_sql_migration other[] = {{"a", 1, "CREATE TABLE a (w INTEGER)"}};
    struct fixture *f = *state;
    must_ok(comb_sql_migrate(f->sql, three, 2, &f->t.err), &f->t.err);
    must_ok(comb_sql_migrate(f->sql, three, 1, &f->t.err), &f->t.err);
    must_fail(COMB_FAILED_PRECONDITION, comb_sql_migrate(f->sql, other, 1, &f->t.err), &f->t.err);
    must_ok(comb_sql_migrate(f->sql, three, 3, &f->t.err), &f->t.err);
    must_ok(comb_sql_migrate(f->sql, three, 2, &f->t.err), &f->t.err);
    must_fail(COMB_FAILED_PRECONDITION, comb_sql_migrate(f->sql, three, 1, &f->t.err), &f->t.err);
    assert_non_null(strstr(f->t.err.msg, "newer version of Comb (a 3, this one knows 1)"));
    /* Each step stays applied once, whoever came after it. */
    assert_int_equal(number(f, "SELECT count(*) FROM comb_migration WHERE area = 'a'"), 3);
}

static void prepared_statements_notice_a_step(void **state)
{
    const struct comb_sql_migration step[] = {
        {"a", 1, "ALTER TABLE item ADD COLUMN extra INTEGER"}};
    struct fixture *f = *state;
    const struct comb_sql_result *result;
    static const char text[] = "SELECT * FROM item";
    must_ok(insert_item(f->sql, &f->t.ctx, 1, STR("a"), &f->t.err), &f->t.err);
    must_ok(run_text(f, COMB_SQL_POLL, text, &result), &f->t.err);
    assert_int_equal(result->rows[0].n_columns, 3);
    must_ok(comb_sql_migrate(f->sql, step, 1, &f->t.err), &f->t.err);
    must_ok(run_text(f, COMB_SQL_POLL, text, &result), &f->t.err);
    assert_int_equal(result->rows[0].n_rows, 1);
    assert_int_equal(result->rows[0].n_columns, 4);
}

int run_suite_migrate(void)
{
    const struct CMUnitTest migrate[] = {
        TEST(a_store_keeps_what_it_is_and_holds),
        TEST(steps_are_applied_once_and_in_order),
        TEST(a_step_that_fails_leaves_nothing),
        TEST(another_history_is_refused),
        TEST(one_unknown_step_is_lived_with_and_two_are_refused),
        TEST(prepared_statements_notice_a_step),
    };
    return cmocka_run_group_tests(migrate, NULL, NULL);
}
