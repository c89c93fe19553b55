/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "tests/contract/sql/fixture.h"

static void values_come_back_as_they_went(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7";
    struct comb_sql_value params[] = {
        comb_sql_null(),
        comb_sql_integer(INT64_MIN),
        comb_sql_real(0.5),
        comb_sql_text(STR("a\xC3\xA4")),
        comb_sql_blob(STR("\0\1\xFF")),
        comb_sql_text((comb_str){NULL, 0}),
        comb_sql_blob((comb_str){NULL, 0}),
    };
    struct comb_sql_statement statement = {text, params, N_OF(params), false};
    const struct comb_sql_result *result;
    must_ok(run_all(f, COMB_SQL_READ, &statement, 1, &result), &f->t.err);
    assert_int_equal(result->n_rows, 1);
    assert_int_equal(result->rows[0].n_rows, 1);
    assert_int_equal(result->rows[0].n_columns, N_OF(params));
    for (size_t i = 0; i < N_OF(params); i++) {
        const struct comb_sql_value *value = comb_sql_at(&result->rows[0], 0, i);
        assert_int_equal(value->type, params[i].type);
        assert_int_equal(value->integer, params[i].integer);
        assert_true(value->real == params[i].real);
        assert_true(comb_str_equal(value->bytes, params[i].bytes));
    }
}

static void many_rows_come_in_order(void **state)
{
    struct fixture *f = *state;
    const struct comb_sql_result *result;
    must_ok(run_text(f, COMB_SQL_SCAN,
                     "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                     "10000) SELECT i, 'row' FROM n",
                     &result),
            &f->t.err);
    assert_int_equal(result->rows[0].n_rows, COMB_SQL_ROWS_MAX);
    for (size_t i = 0; i < COMB_SQL_ROWS_MAX; i++)
        assert_int_equal(comb_sql_at(&result->rows[0], i, 0)->integer, i + 1);
}

static void too_many_rows_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct comb_sql_result *untouched = (const void *)f, *result = untouched;
    must_fail(COMB_RESOURCE_EXHAUSTED,
              run_text(f, COMB_SQL_SCAN,
                       "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                       "10001) SELECT i FROM n",
                       &result),
              &f->t.err);
    assert_int_equal(f->t.err.reason, COMB_V1_ERROR_REASON_TOO_LARGE);
    assert_ptr_equal(result, untouched);
}

static void no_rows_is_no_error(void **state)
{
    struct fixture *f = *state;
    const struct comb_sql_result *result;
    must_ok(run_text(f, COMB_SQL_READ, "SELECT id FROM item", &result), &f->t.err);
    assert_int_equal(result->rows[0].n_rows, 0);
    assert_int_equal(result->guard_failed, -1);
    assert_int_equal(result->constraint_failed, -1);
}

static void each_kind_sees_what_was_acknowledged(void **state)
{
    static const enum comb_sql_kind kinds[] = {COMB_SQL_READ, COMB_SQL_SCAN, COMB_SQL_POLL,
                                               COMB_SQL_WRITE};
    struct fixture *f = *state;
    for (int64_t id = 1; id <= 40; id++) {
        char name[16];
        comb_str text = comb_str_of(name, (size_t)snprintf(name, sizeof name, "n%d", (int)id));
        must_ok(insert_item(f->sql, &f->t.ctx, id, text, &f->t.err), &f->t.err);
        const struct comb_sql_result *result;
        must_ok(run_text(f, kinds[id % 4], "SELECT count(*) FROM item", &result), &f->t.err);
        assert_int_equal(comb_sql_at(&result->rows[0], 0, 0)->integer, id);
    }
}

struct flipper {
    struct fixture *f;
    _Atomic bool stop;
};

/* Inserts and deletes two rows together, again and again. */
static void *flip(void *data)
{
    struct flipper *flipper = data;
    struct test_ctx t;
    test_ctx_init(&t);
    while (!flipper->stop) {
        struct comb_sql_statement both[] = {
            {.text = "INSERT INTO item (id, name, rev) VALUES (1, 'a', 1), (2, 'b', 1)"}};
        struct comb_sql_statement none[] = {{.text = "DELETE FROM item"}};
        struct comb_sql_request requests[] = {{COMB_SQL_WRITE, 0, both, 1},
                                              {COMB_SQL_WRITE, 0, none, 1}};
        const struct comb_sql_result *result;
        for (int i = 0; i < 2; i++)
            must_ok(comb_sql_run(flipper->f->sql, &t.ctx, &requests[i], &result, &t.err), &t.err);
        test_ctx_next(&t);
    }
    test_ctx_done(&t);
    return NULL;
}

static void statements_of_a_read_share_a_snapshot(void **state)
{
    struct fixture *f = *state;
    struct flipper flipper = {.f = f};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, flip, &flipper), 0);
    const struct comb_sql_statement statements[] = {
        {.text = "SELECT count(*) FROM item WHERE id = 1"},
        {.text = "SELECT count(*) FROM item WHERE id = 2"},
        {.text = "SELECT count(*) FROM item"},
    };
    for (int i = 0; i < 300; i++) {
        const struct comb_sql_result *result;
        must_ok(run_all(f, i % 2 ? COMB_SQL_READ : COMB_SQL_SCAN, statements, 3, &result),
                &f->t.err);
        int64_t first = comb_sql_at(&result->rows[0], 0, 0)->integer;
        assert_int_equal(comb_sql_at(&result->rows[1], 0, 0)->integer, first);
        assert_int_equal(comb_sql_at(&result->rows[2], 0, 0)->integer, 2 * first);
        test_ctx_next(&f->t);
    }
    flipper.stop = true;
    pthread_join(thread, NULL);
}

static void a_read_writes_nothing(void **state)
{
    struct fixture *f = *state;
    const struct comb_sql_result *result;
    assert_int_not_equal(run_text(f, COMB_SQL_READ, "DELETE FROM item", &result), COMB_OK);
    assert_int_not_equal(run_text(f, COMB_SQL_POLL, "DELETE FROM item", &result), COMB_OK);
    assert_int_equal(number(f, "SELECT count(*) FROM item"), 0);
}

static void a_wrong_statement_is_internal_and_harms_nobody(void **state)
{
    struct fixture *f = *state;
    const struct comb_sql_result *result;
    must_fail(COMB_INTERNAL, run_text(f, COMB_SQL_READ, "SELECT nonsense FROM item", &result),
              &f->t.err);
    must_fail(COMB_INTERNAL, run_text(f, COMB_SQL_READ, "SELECT ?1", &result), &f->t.err);
    must_fail(COMB_INTERNAL, run_text(f, COMB_SQL_READ, "SELECT 1; SELECT 2", &result), &f->t.err);
    must_fail(COMB_INTERNAL, run_text(f, COMB_SQL_WRITE, "SELECT nonsense FROM item", &result),
              &f->t.err);
    must_fail(COMB_INTERNAL, run_all(f, COMB_SQL_READ, NULL, 0, &result), &f->t.err);
    assert_int_equal(number(f, "SELECT count(*) FROM item"), 0);
}

static void what_the_caller_gave_may_be_gone_at_once(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "SELECT ?1";
    struct listener listeners[50];
    for (size_t i = 0; i < N_OF(listeners); i++) {
        char bytes[32];
        memset(bytes, 'x', sizeof bytes);
        struct comb_sql_value param = comb_sql_text(comb_str_of(bytes, sizeof bytes));
        struct comb_sql_statement statement = {text, &param, 1, false};
        struct comb_sql_request request = {COMB_SQL_READ, 0, &statement, 1};
        listeners[i] = (struct listener)LISTENER_INIT;
        comb_sql_submit(f->sql, &f->t.ctx, &request, listener_done, &listeners[i]);
        memset(bytes, 'y', sizeof bytes);
        memset(&param, 0xEE, sizeof param);
        memset(&statement, 0xEE, sizeof statement);
    }
    for (size_t i = 0; i < N_OF(listeners); i++) {
        listener_wait(&listeners[i]);
        must_ok(listeners[i].status, &listeners[i].err);
    }
}

int run_suite_read(void)
{
    const struct CMUnitTest read[] = {
        TEST(values_come_back_as_they_went),
        TEST(many_rows_come_in_order),
        TEST(too_many_rows_are_refused),
        TEST(no_rows_is_no_error),
        TEST(each_kind_sees_what_was_acknowledged),
        TEST(statements_of_a_read_share_a_snapshot),
        TEST(a_read_writes_nothing),
        TEST(a_wrong_statement_is_internal_and_harms_nobody),
        TEST(what_the_caller_gave_may_be_gone_at_once),
    };
    return cmocka_run_group_tests(read, NULL, NULL);
}
