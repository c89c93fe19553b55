/* SPDX-License-Identifier: Apache-2.0 */
#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "tests/contract/sql/fixture.h"

static const char count_text[] = "SELECT count(*) FROM item";

static void submit(struct fixture *f, enum comb_sql_kind kind, const char *text,
                   struct listener *listener)
{
    struct comb_sql_statement statement = {.text = text};
    struct comb_sql_request request = {kind, 0, &statement, 1};
    *listener = (struct listener)LISTENER_INIT;
    comb_sql_submit(f->sql, &f->t.ctx, &request, listener_done, listener);
}

static void a_deadline_that_has_passed_is_told_at_once(void **state)
{
    struct fixture *f = *state;
    const struct comb_sql_result *result;
    f->t.ctx.deadline_ns = comb_clock_monotonic_ns() - 1;
    must_fail(COMB_DEADLINE_EXCEEDED,
              run_text(f, COMB_SQL_WRITE, "INSERT INTO item VALUES (1, 'a', 1)", &result),
              &f->t.err);
    assert_false(f->t.err.ambiguous);
    test_ctx_next(&f->t);
    assert_int_equal(number(f, count_text), 0);
}

static void a_deadline_ends_the_wait_for_a_read(void **state)
{
    struct fixture *f = *state;
    const struct comb_sql_result *result;
    f->t.ctx.deadline_ns = comb_clock_monotonic_ns() + 20 * COMB_NS_PER_MS;
    must_fail(COMB_DEADLINE_EXCEEDED, run_text(f, COMB_SQL_SCAN, driver_slow_sql, &result),
              &f->t.err);
    assert_false(f->t.err.ambiguous);
    test_ctx_next(&f->t);
    assert_int_equal(number(f, count_text), 0);
}

/* The one that runs may have happened, the one behind it certainly has not. */
static void a_deadline_of_a_write_says_what_is_known(void **state)
{
    struct fixture *f = *state;
    struct listener slow, queued, patient;
    int64_t patience_ns = f->t.ctx.deadline_ns;
    f->t.ctx.deadline_ns = comb_clock_monotonic_ns() + 200 * COMB_NS_PER_MS;
    submit(f, COMB_SQL_WRITE, driver_slow_sql, &slow);
    listener_wait(&slow);
    f->t.ctx.deadline_ns = comb_clock_monotonic_ns() + 1 * COMB_NS_PER_MS;
    submit(f, COMB_SQL_WRITE, "INSERT INTO item VALUES (1, 'queued', 1)", &queued);
    listener_wait(&queued);
    assert_int_equal(slow.status, COMB_DEADLINE_EXCEEDED);
    assert_true(slow.err.ambiguous);
    if (f->sql->driver->caps & COMB_SQL_CAP_ONE_WRITER) {
        assert_int_equal(queued.status, COMB_DEADLINE_EXCEEDED);
        assert_false(queued.err.ambiguous);
    }
    f->t.ctx.deadline_ns = patience_ns;
    submit(f, COMB_SQL_WRITE, "INSERT INTO item VALUES (2, 'patient', 1)", &patient);
    listener_wait(&patient);
    must_ok(patient.status, &patient.err);
    assert_int_equal(number(f, "SELECT max(id) FROM item"), 2);
    int64_t expected = queued.status == COMB_OK ? 2 : 1;
    if (queued.status == COMB_OK || !queued.err.ambiguous)
        assert_int_equal(number(f, count_text), expected);
}

static void scans_do_not_delay_point_reads_or_the_poll(void **state)
{
    struct fixture *f = *state;
    struct listener scans[8];
    for (size_t i = 0; i < N_OF(scans); i++)
        submit(f, COMB_SQL_SCAN, driver_slow_sql, &scans[i]);
    const struct comb_sql_result *result;
    must_ok(run_text(f, COMB_SQL_READ, count_text, &result), &f->t.err);
    must_ok(run_text(f, COMB_SQL_POLL, count_text, &result), &f->t.err);
    must_ok(insert_item(f->sql, &f->t.ctx, 1, STR("a"), &f->t.err), &f->t.err);
    pthread_mutex_lock(&scans[7].lock);
    assert_int_equal(scans[7].calls, 0);
    pthread_mutex_unlock(&scans[7].lock);
    comb_sql_close(f->sql);
    f->sql = NULL;
    for (size_t i = 0; i < N_OF(scans); i++) {
        listener_wait(&scans[i]);
        assert_true(scans[i].status == COMB_OK || scans[i].status == COMB_UNAVAILABLE);
    }
    assert_int_equal(scans[7].status, COMB_UNAVAILABLE);
}

static void closing_tells_everybody_and_keeps_what_it_acknowledged(void **state)
{
    struct fixture *f = *state;
    enum { N = 2000 };
    static struct listener listeners[N];
    int acknowledged = 0;
    for (int i = 0; i < N; i++)
        submit(f, COMB_SQL_WRITE, "INSERT INTO item (rev) VALUES (1)", &listeners[i]);
    comb_sql_close(f->sql);
    f->sql = NULL;
    for (int i = 0; i < N; i++) {
        listener_wait(&listeners[i]);
        if (listeners[i].status == COMB_OK) {
            acknowledged++;
        } else {
            assert_int_equal(listeners[i].status, COMB_UNAVAILABLE);
            assert_false(listeners[i].err.ambiguous);
        }
    }
    must_ok(driver_open(f->place, &f->sql, &f->t.err), &f->t.err);
    assert_int_equal(number(f, count_text), acknowledged);
}

static void overload_is_shed_and_everybody_is_told_once(void **state)
{
    struct fixture *f = *state;
    enum { N = 6000 };
    static struct listener listeners[N];
    struct listener slow;
    int shed = 0;
    submit(f, COMB_SQL_WRITE, driver_slow_sql, &slow);
    for (int i = 0; i < N; i++)
        submit(f, COMB_SQL_WRITE, count_text, &listeners[i]);
    for (int i = 0; i < N; i++) {
        listener_wait(&listeners[i]);
        if (listeners[i].status == COMB_OK)
            continue;
        assert_int_equal(listeners[i].status, COMB_UNAVAILABLE);
        assert_int_equal(listeners[i].err.reason, COMB_V1_ERROR_REASON_OVERLOADED);
        assert_true(listeners[i].err.retryable && listeners[i].err.retry_ms > 0);
        shed++;
    }
    listener_wait(&slow);
    assert_in_range(shed, 1, N - 1);
}

int run_suite_time(void)
{
    const struct CMUnitTest time[] = {
        TEST(a_deadline_that_has_passed_is_told_at_once),
        TEST(a_deadline_ends_the_wait_for_a_read),
        TEST(a_deadline_of_a_write_says_what_is_known),
        TEST(scans_do_not_delay_point_reads_or_the_poll),
        TEST(closing_tells_everybody_and_keeps_what_it_acknowledged),
        TEST(overload_is_shed_and_everybody_is_told_once),
    };
    return cmocka_run_group_tests(time, NULL, NULL);
}
