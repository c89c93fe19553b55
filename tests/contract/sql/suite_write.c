/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "tests/contract/sql/fixture.h"

static const char update_text[] = "UPDATE item SET rev = rev + 1 WHERE id = ?1 AND rev = ?2";
static const char insert_text[] = "INSERT INTO item (id, name, rev) VALUES (?1, ?2, 1)";

static void a_write_tells_its_changes_and_returns_rows(void **state)
{
    struct fixture *f = *state;
    const struct comb_sql_result *result;
    must_ok(run_text(f, COMB_SQL_WRITE,
                     "INSERT INTO item (name, rev) VALUES ('a', 1), ('b', 1) RETURNING id",
                     &result),
            &f->t.err);
    assert_int_equal(result->rows[0].changes, 2);
    assert_int_equal(result->rows[0].n_rows, 2);
    assert_int_equal(comb_sql_at(&result->rows[0], 1, 0)->integer, 2);
    must_ok(run_text(f, COMB_SQL_WRITE, "UPDATE item SET rev = 2 WHERE id = 99", &result),
            &f->t.err);
    assert_int_equal(result->rows[0].changes, 0);
}

static void a_guard_that_holds_lets_pass(void **state)
{
    struct fixture *f = *state;
    must_ok(insert_item(f->sql, &f->t.ctx, 1, STR("a"), &f->t.err), &f->t.err);
    struct comb_sql_value guard[] = {comb_sql_integer(1), comb_sql_integer(1)};
    struct comb_sql_value insert[] = {comb_sql_integer(2), comb_sql_text(STR("b"))};
    const struct comb_sql_statement statements[] = {
        {update_text, guard, 2, true},
        {.text = "SELECT 1 FROM item WHERE id = 1 AND rev = 2", .guard = true},
        {insert_text, insert, 2, false},
    };
    const struct comb_sql_result *result;
    must_ok(run_all(f, COMB_SQL_WRITE, statements, 3, &result), &f->t.err);
    assert_int_equal(result->n_rows, 3);
    assert_int_equal(result->guard_failed, -1);
    assert_int_equal(number(f, "SELECT count(*) FROM item"), 2);
}

static void a_guard_that_fails_undoes_all(void **state)
{
    struct fixture *f = *state;
    must_ok(insert_item(f->sql, &f->t.ctx, 1, STR("a"), &f->t.err), &f->t.err);
    struct comb_sql_value insert[] = {comb_sql_integer(2), comb_sql_text(STR("b"))};
    struct comb_sql_value guard[] = {comb_sql_integer(1), comb_sql_integer(7)};
    struct comb_sql_value other[] = {comb_sql_integer(3), comb_sql_text(STR("c"))};
    const struct comb_sql_statement statements[] = {
        {insert_text, insert, 2, false},
        {update_text, guard, 2, true},
        {insert_text, other, 2, false},
    };
    const struct comb_sql_result *result = NULL;
    must_fail(COMB_ABORTED, run_all(f, COMB_SQL_WRITE, statements, 3, &result), &f->t.err);
    assert_int_equal(result->guard_failed, 1);
    assert_int_equal(result->n_rows, 2);
    assert_int_equal(result->constraint_failed, -1);
    assert_false(f->t.err.ambiguous);
    assert_int_equal(number(f, "SELECT count(*) FROM item"), 1);
    assert_int_equal(number(f, "SELECT rev FROM item WHERE id = 1"), 1);
}

static void a_constraint_names_its_statement_and_undoes_all(void **state)
{
    struct fixture *f = *state;
    must_ok(insert_item(f->sql, &f->t.ctx, 1, STR("a"), &f->t.err), &f->t.err);
    struct comb_sql_value first[] = {comb_sql_integer(2), comb_sql_text(STR("b"))};
    struct comb_sql_value second[] = {comb_sql_integer(3), comb_sql_text(STR("a"))};
    const struct comb_sql_statement statements[] = {
        {insert_text, first, 2, false},
        {insert_text, second, 2, false},
    };
    const struct comb_sql_result *result = NULL;
    must_fail(COMB_ALREADY_EXISTS, run_all(f, COMB_SQL_WRITE, statements, 2, &result), &f->t.err);
    assert_int_equal(result->constraint_failed, 1);
    assert_int_equal(result->guard_failed, -1);
    assert_int_equal(number(f, "SELECT count(*) FROM item"), 1);
    first[0] = comb_sql_integer(1);
    must_fail(COMB_ALREADY_EXISTS, run_all(f, COMB_SQL_WRITE, statements, 1, &result), &f->t.err);
    assert_int_equal(result->constraint_failed, 0);
}

enum { WRITERS = 16, EACH = 25 };

struct writer {
    struct fixture *f;
    pthread_t thread;
    int number;
    int refused;
};

/* Inserts rows of its own, and between them rows whose name is taken by all. */
static void *write_much(void *data)
{
    struct writer *writer = data;
    struct test_ctx t;
    test_ctx_init(&t);
    for (int i = 0; i < EACH; i++) {
        char name[32];
        int64_t id = 1000 + writer->number * EACH + i;
        snprintf(name, sizeof name, "name %lld", (long long)id);
        must_ok(insert_item(writer->f->sql, &t.ctx, id, comb_str_from(name), &t.err), &t.err);
        enum comb_status status = insert_item(writer->f->sql, &t.ctx, -id, STR("the same"), &t.err);
        writer->refused += status == COMB_ALREADY_EXISTS;
        test_ctx_next(&t);
    }
    test_ctx_done(&t);
    return NULL;
}

static void writers_share_commits_and_fail_alone(void **state)
{
    struct fixture *f = *state;
    struct writer writers[WRITERS];
    struct comb_sql_stats before, after;
    int refused = 0;
    comb_sql_get_stats(f->sql, &before);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.f = f, .number = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_much, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        refused += writers[i].refused;
    }
    comb_sql_get_stats(f->sql, &after);
    assert_int_equal(after.writes - before.writes, 2 * WRITERS * EACH);
    assert_int_equal(refused, WRITERS * EACH - 1);
    assert_int_equal(number(f, "SELECT count(*) FROM item"), WRITERS * EACH + 1);
}

/* While one request is at work many more are queued: where there is one writer, they end as one
 * commit. */
static void what_is_queued_is_told_one_by_one(void **state)
{
    struct fixture *f = *state;
    enum { N = 100 };
    struct listener slow = LISTENER_INIT, listeners[N];
    struct comb_sql_stats before, after;
    struct comb_sql_statement statement = {.text = driver_slow_sql};
    struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    comb_sql_get_stats(f->sql, &before);
    comb_sql_submit(f->sql, &f->t.ctx, &request, listener_done, &slow);
    for (int i = 0; i < N; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i / 2); /* every second one is taken */
        struct comb_sql_value params[] = {comb_sql_integer(i), comb_sql_text(comb_str_from(name))};
        statement = (struct comb_sql_statement){insert_text, params, 2, false};
        listeners[i] = (struct listener)LISTENER_INIT;
        comb_sql_submit(f->sql, &f->t.ctx, &request, listener_done, &listeners[i]);
    }
    listener_wait(&slow);
    for (int i = 0; i < N; i++) {
        listener_wait(&listeners[i]);
        bool refused = listeners[i].status == COMB_ALREADY_EXISTS;
        assert_true(refused || listeners[i].status == COMB_OK);
        assert_int_equal(listeners[i].constraint_failed, refused ? 0 : -1);
        /* One writer takes them in their order; of two who share a name one gets it always. */
        if (i % 2)
            assert_true(refused != (listeners[i - 1].status == COMB_ALREADY_EXISTS));
        if (f->sql->driver->caps & COMB_SQL_CAP_ONE_WRITER)
            assert_true(refused == (i % 2 == 1));
    }
    comb_sql_get_stats(f->sql, &after);
    /* The slow one; those queued before it was taken might go with it or follow. */
    if (f->sql->driver->caps & COMB_SQL_CAP_ONE_WRITER)
        assert_in_range(after.commits - before.commits, 1, 3);
    else
        assert_int_equal(after.commits - before.commits, 1 + N / 2);
    assert_int_equal(number(f, "SELECT count(*) FROM item"), N / 2);
}

static void *increment(void *data)
{
    static const char read_text[] = "SELECT rev FROM item WHERE id = 1";
    struct fixture *f = data;
    struct test_ctx t;
    test_ctx_init(&t);
    for (int done = 0; done < EACH;) {
        struct comb_sql_statement read = {.text = read_text};
        struct comb_sql_request request = {COMB_SQL_READ, 0, &read, 1};
        const struct comb_sql_result *result;
        must_ok(comb_sql_run(f->sql, &t.ctx, &request, &result, &t.err), &t.err);
        struct comb_sql_value params[] = {comb_sql_integer(1),
                                          *comb_sql_at(&result->rows[0], 0, 0)};
        struct comb_sql_statement write = {update_text, params, 2, true};
        request = (struct comb_sql_request){COMB_SQL_WRITE, 0, &write, 1};
        enum comb_status status = comb_sql_run(f->sql, &t.ctx, &request, &result, &t.err);
        assert_true(status == COMB_OK || status == COMB_ABORTED);
        done += status == COMB_OK;
        test_ctx_next(&t);
    }
    test_ctx_done(&t);
    return NULL;
}

static void guarded_increments_lose_none(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    must_ok(insert_item(f->sql, &f->t.ctx, 1, STR("counter"), &f->t.err), &f->t.err);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, increment, f), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(number(f, "SELECT rev FROM item"), 1 + 4 * EACH);
}

static void a_store_that_works_says_so(void **state)
{
    struct fixture *f = *state;
    struct comb_sql_info info;
    struct comb_store_status status;
    must_ok(comb_sql_check(f->sql, &f->t.ctx, &f->t.err), &f->t.err);
    must_ok(insert_item(f->sql, &f->t.ctx, 1, STR("a"), &f->t.err), &f->t.err);
    comb_sql_get_info(f->sql, &info);
    comb_sql_status(f->sql, &status);
    assert_string_equal(status.driver, info.driver);
    assert_string_equal(status.server, info.store);
    assert_true(status.shared == info.shared);
    assert_int_equal(status.state, COMB_STORE_UP);
    assert_true(status.since_us > 0 && status.connections > 0 && status.requests > 0);
    assert_int_equal(status.failures, 0);
    f->t.ctx.deadline_ns = 0;
    must_fail(COMB_DEADLINE_EXCEEDED, comb_sql_check(f->sql, &f->t.ctx, &f->t.err), &f->t.err);
}

int run_suite_write(void)
{
    const struct CMUnitTest write[] = {
        TEST(a_write_tells_its_changes_and_returns_rows),
        TEST(a_guard_that_holds_lets_pass),
        TEST(a_guard_that_fails_undoes_all),
        TEST(a_constraint_names_its_statement_and_undoes_all),
        TEST(writers_share_commits_and_fail_alone),
        TEST(what_is_queued_is_told_one_by_one),
        TEST(guarded_increments_lose_none),
        TEST(a_store_that_works_says_so),
    };
    return cmocka_run_group_tests(write, NULL, NULL);
}
