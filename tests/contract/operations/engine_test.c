/* SPDX-License-Identifier: Apache-2.0 */
/* Engines over the row that the test is linked with. What needs two processes is in
 * takeover_test.c. */
#include <stdlib.h>
#include <time.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "tests/contract/operations/counting.h"
#include "tests/support/sql_row.h"

/* No machine is so busy that it would miss a renewal of this. */
#define LEASE_MS 60000

struct fixture {
    struct test_ctx t;
    char *folder;
    struct comb_sql *sql;
    struct comb_operations_store *store;
    struct counting a, b; /* two replicas' */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    test_ctx_init(&f->t);
    f->folder = test_folder_new();
    f->sql = test_sql_row_open(f->folder);
    must_ok(comb_sql_migrate_schema(f->sql, comb_operations_schemas, &f->t.err), &f->t.err);
    must_ok(comb_operations_store_open(f->sql, &f->store, &f->t.err), &f->t.err);
    counting_init(&f->a);
    counting_init(&f->b);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    comb_operations_store_close(f->store);
    comb_sql_close(f->sql);
    test_ctx_done(&f->t);
    free(f->folder);
    free(f);
    return 0;
}

static void run_text(struct fixture *f, const char *text, const struct comb_uuid *id)
{
    const struct comb_sql_value param = comb_sql_uuid(id);
    const struct comb_sql_statement statement = {text, &param, 1, false};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    const struct comb_sql_result *result;
    must_ok(comb_sql_run(f->sql, &f->t.ctx, &request, &result, &f->t.err), &f->t.err);
    assert_int_equal(result->rows[0].changes, 1);
}

static struct comb_operation_stats stats_of(struct comb_operation_engine *engine)
{
    struct comb_operation_stats stats;
    comb_operation_engine_get_stats(engine, &stats);
    return stats;
}

static void one_is_run_step_by_step_to_its_end(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid id = counting_make(f->sql, f->store, 5);
    struct comb_operation_engine *engine = counting_engine(f->store, &f->a, LEASE_MS);
    struct comb_operation operation = counting_await_end(f->store, &f->t, &id);
    assert_int_equal(operation.state, COMB_OPERATION_DONE);
    assert_int_equal(operation.progress.done, 5);
    assert_int_equal(operation.progress.total, 5);
    assert_true(comb_str_equal(operation.progress.unit, STR("numbers")));
    assert_true(comb_str_equal(operation.result, STR("5")));
    assert_int_equal(operation.fence, 1);
    comb_operation_engine_stop(engine);
    assert_int_equal(f->a.steps, 5);
    assert_int_equal(stats_of(engine).done, 1);
    assert_int_equal(stats_of(engine).steps, 5);
    assert_int_equal(stats_of(engine).running, 0);
    comb_operation_engine_free(engine);
}

static void two_engines_do_each_step_once(void **state)
{
    enum { N = 30, STEPS = 4 };
    struct fixture *f = *state;
    struct comb_uuid ids[N];
    for (int i = 0; i < N; i++)
        ids[i] = counting_make(f->sql, f->store, STEPS);
    struct comb_operation_engine *a = counting_engine(f->store, &f->a, LEASE_MS);
    struct comb_operation_engine *b = counting_engine(f->store, &f->b, LEASE_MS);
    for (int i = 0; i < N; i++) {
        struct comb_operation operation = counting_await_end(f->store, &f->t, &ids[i]);
        assert_int_equal(operation.state, COMB_OPERATION_DONE);
        assert_int_equal(operation.fence, 1);
    }
    comb_operation_engine_free(a);
    comb_operation_engine_free(b);
    assert_int_equal(f->a.steps + f->b.steps, N * STEPS);
}

static void a_failure_that_passes_is_tried_again_and_another_ends_it(void **state)
{
    struct fixture *f = *state;
    f->a.fail_at = 2;
    f->a.fail_times = 1;
    f->a.failure = COMB_UNAVAILABLE;
    struct comb_uuid id = counting_make(f->sql, f->store, 3);
    struct comb_operation_engine *engine = counting_engine(f->store, &f->a, LEASE_MS);
    struct comb_operation operation = counting_await_end(f->store, &f->t, &id);
    assert_int_equal(operation.state, COMB_OPERATION_DONE);
    assert_int_equal(operation.fence, 2);
    assert_int_equal(operation.code, COMB_OK);
    pthread_mutex_lock(&f->a.lock);
    f->a.fail_times = 1;
    f->a.failure = COMB_DATA_LOSS;
    pthread_mutex_unlock(&f->a.lock);
    id = counting_make(f->sql, f->store, 3);
    operation = counting_await_end(f->store, &f->t, &id);
    assert_int_equal(operation.state, COMB_OPERATION_FAILED);
    assert_int_equal(operation.code, COMB_DATA_LOSS);
    assert_int_equal(operation.reason, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE);
    assert_true(comb_str_equal(operation.status_message, STR("step 2 is not to be")));
    assert_int_equal(operation.progress.done, 1);
    comb_operation_engine_free(engine);
}

static void one_that_fails_too_often_has_failed(void **state)
{
    struct fixture *f = *state;
    f->a.fail_at = 1;
    f->a.fail_times = 1000;
    f->a.failure = COMB_UNAVAILABLE;
    struct comb_uuid id = counting_make(f->sql, f->store, 3);
    run_text(f, "UPDATE operation SET attempts = 9 WHERE id = ?1", &id);
    struct comb_operation_engine *engine = counting_engine(f->store, &f->a, LEASE_MS);
    struct comb_operation operation = counting_await_end(f->store, &f->t, &id);
    assert_int_equal(operation.state, COMB_OPERATION_FAILED);
    assert_int_equal(operation.code, COMB_UNAVAILABLE);
    comb_operation_engine_free(engine);
}

static void a_running_one_is_cancelled_between_two_steps(void **state)
{
    struct fixture *f = *state;
    f->a.stop_at = 2;
    struct comb_uuid id = counting_make(f->sql, f->store, 5);
    struct comb_operation_engine *engine = counting_engine(f->store, &f->a, LEASE_MS);
    counting_await_standing(&f->a, 1);
    run_text(f, "UPDATE operation SET cancel = 1 WHERE id = ?1", &id);
    counting_go_on(&f->a);
    struct comb_operation operation = counting_await_end(f->store, &f->t, &id);
    assert_int_equal(operation.state, COMB_OPERATION_CANCELLED);
    assert_int_equal(operation.code, COMB_CANCELLED);
    assert_int_equal(operation.progress.done, 2);
    comb_operation_engine_free(engine);
    assert_int_equal(f->a.steps, 2);
}

static void *stop_engine(void *engine)
{
    comb_operation_engine_stop(engine);
    return NULL;
}

static void a_replica_that_stops_gives_back_and_another_goes_on(void **state)
{
    struct fixture *f = *state;
    pthread_t stopper;
    f->a.stop_at = 3;
    struct comb_uuid id = counting_make(f->sql, f->store, 5);
    struct comb_operation_engine *a = counting_engine(f->store, &f->a, LEASE_MS);
    counting_await_standing(&f->a, 1);
    assert_int_equal(pthread_create(&stopper, NULL, stop_engine, a), 0);
    counting_go_on(&f->a);
    pthread_join(stopper, NULL);
    struct comb_operation operation = counting_get(f->store, &f->t, &id);
    /* Unless the step was over before the engine knew that it must stop. */
    if (operation.state == COMB_OPERATION_WAITING) {
        assert_true(operation.progress.done >= 3);
        /* Its other worker may just be taking what the first one gives back. */
        assert_true(stats_of(a).released >= 1);
    }
    comb_operation_engine_free(a);
    struct comb_operation_engine *b = counting_engine(f->store, &f->b, LEASE_MS);
    operation = counting_await_end(f->store, &f->t, &id);
    assert_int_equal(operation.state, COMB_OPERATION_DONE);
    comb_operation_engine_free(b);
    assert_int_equal(f->a.steps + f->b.steps, 5);
}

static void who_lost_it_to_another_writes_nothing_any_more(void **state)
{
    struct fixture *f = *state;
    f->a.stop_at = 2;
    struct comb_uuid id = counting_make(f->sql, f->store, 4);
    struct comb_operation_engine *a = counting_engine(f->store, &f->a, LEASE_MS);
    counting_await_standing(&f->a, 1);
    /* As if its lease had run out, to the store; the holder thinks that he has it. */
    run_text(f, "UPDATE operation SET expire_us = 0 WHERE id = ?1", &id);
    struct comb_operation_engine *b = counting_engine(f->store, &f->b, LEASE_MS);
    /* a's other worker may be the one that takes it over, and then stands still too. */
    pthread_mutex_lock(&f->a.lock);
    f->a.stop_at = 0;
    pthread_mutex_unlock(&f->a.lock);
    struct comb_operation ended = counting_await_end(f->store, &f->t, &id);
    assert_int_equal(ended.state, COMB_OPERATION_DONE);
    assert_int_equal(ended.fence, 2);
    counting_go_on(&f->a);
    comb_operation_engine_stop(a);
    comb_operation_engine_stop(b);
    struct comb_operation after = counting_get(f->store, &f->t, &id);
    assert_int_equal(after.revision, ended.revision);
    assert_int_equal(after.progress.done, 4);
    assert_int_equal(stats_of(a).lost, 1);
    assert_int_equal(stats_of(a).done + stats_of(b).done, 1);
    comb_operation_engine_free(a);
    comb_operation_engine_free(b);
}

static void a_holder_stops_on_its_own_at_two_thirds_of_its_lease(void **state)
{
    struct fixture *f = *state;
    f->a.stop_at = 2;
    f->a.advance_ns = LEASE_MS * 2 / 3 * COMB_NS_PER_MS;
    struct comb_uuid id = counting_make(f->sql, f->store, 4);
    struct comb_operation_engine *engine = counting_engine(f->store, &f->a, LEASE_MS);
    counting_await_standing(&f->a, 1);
    struct comb_operation before = counting_get(f->store, &f->t, &id);
    counting_go_on(&f->a);
    while (stats_of(engine).lost == 0)
        nanosleep(&(struct timespec){0, 5 * 1000 * 1000}, NULL);
    assert_false(f->a.may_go_on);
    struct comb_operation after = counting_get(f->store, &f->t, &id);
    assert_int_equal(after.state, COMB_OPERATION_RUNNING);
    assert_int_equal(after.revision, before.revision);
    /* And once the lease has run out it is taken up again, from where it was. */
    run_text(f, "UPDATE operation SET expire_us = 0 WHERE id = ?1", &id);
    after = counting_await_end(f->store, &f->t, &id);
    assert_int_equal(after.state, COMB_OPERATION_DONE);
    assert_int_equal(after.fence, 2);
    comb_operation_engine_free(engine);
    assert_int_equal(f->a.steps, 5); /* the second step twice */
}

static int64_t expiry_of(struct fixture *f, const struct comb_uuid *id)
{
    static const char text[] = "SELECT expire_us FROM operation WHERE id = ?1";
    const struct comb_sql_value param = comb_sql_uuid(id);
    const struct comb_sql_statement statement = {text, &param, 1, false};
    const struct comb_sql_request request = {COMB_SQL_READ, 0, &statement, 1};
    const struct comb_sql_result *result;
    test_ctx_next(&f->t);
    must_ok(comb_sql_run(f->sql, &f->t.ctx, &request, &result, &f->t.err), &f->t.err);
    return comb_sql_at(&result->rows[0], 0, 0)->integer;
}

static void a_long_step_keeps_its_lease(void **state)
{
    struct fixture *f = *state;
    f->a.stop_at = 1;
    struct comb_uuid id = counting_make(f->sql, f->store, 2);
    struct comb_operation_engine *engine = counting_engine(f->store, &f->a, 15000);
    counting_await_standing(&f->a, 1);
    /* A third of the lease is real time: the store's clock cannot be moved. */
    for (int64_t first = expiry_of(f, &id); expiry_of(f, &id) == first;)
        nanosleep(&(struct timespec){0, 50 * 1000 * 1000}, NULL);
    counting_go_on(&f->a);
    struct comb_operation operation = counting_await_end(f->store, &f->t, &id);
    assert_int_equal(operation.state, COMB_OPERATION_DONE);
    comb_operation_engine_free(engine);
}

static void what_is_due_is_made_once_by_two(void **state)
{
    struct fixture *f = *state;
    struct comb_operation_engine *a = counting_engine(f->store, &f->a, LEASE_MS);
    struct comb_operation_engine *b = counting_engine(f->store, &f->b, LEASE_MS);
    const struct comb_operation *operations;
    size_t n = 0;
    f->a.stop_at = f->b.stop_at = 1;
    for (int i = 0; i < 3; i++) {
        must_ok(comb_operation_engine_make_due(a, &f->t.ctx, COUNTING, 1000, &f->t.err), &f->t.err);
        must_ok(comb_operation_engine_make_due(b, &f->t.ctx, COUNTING, 1000, &f->t.err), &f->t.err);
    }
    const struct comb_operation_filter all = {0};
    must_ok(f->store->driver->list(f->store, &f->t.ctx, &all, NULL, 10, &operations, &n, &f->t.err),
            &f->t.err);
    assert_int_equal(n, 1);
    assert_true(comb_uuid_is_nil(&operations[0].owner));
    counting_go_on(&f->a);
    counting_go_on(&f->b);
    must_ok(comb_operation_engine_purge(a, &f->t.ctx, &f->t.err), &f->t.err);
    comb_operation_engine_free(a);
    comb_operation_engine_free(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_is_run_step_by_step_to_its_end),
        TEST(two_engines_do_each_step_once),
        TEST(a_failure_that_passes_is_tried_again_and_another_ends_it),
        TEST(one_that_fails_too_often_has_failed),
        TEST(a_running_one_is_cancelled_between_two_steps),
        TEST(a_replica_that_stops_gives_back_and_another_goes_on),
        TEST(who_lost_it_to_another_writes_nothing_any_more),
        TEST(a_holder_stops_on_its_own_at_two_thirds_of_its_lease),
        TEST(a_long_step_keeps_its_lease),
        TEST(what_is_due_is_made_once_by_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
