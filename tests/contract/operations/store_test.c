/* SPDX-License-Identifier: Apache-2.0 */
/* The store of operations, on the row that the test is linked with: taking, holding, fencing. */
#include <stdlib.h>
#include <time.h>

#include "comb/v1/errors.grpcc.h"
#include "server/operations/operations_store.h"
#include "tests/support/sql_row.h"
#include "tests/support/support.h"

/* Long enough for any machine, and one that has run out when it is given. */
#define LONG_US (600LL * 1000000)
#define OVER_US (-1000000LL)

static const struct comb_uuid holder_a = {{1}}, holder_b = {{2}};

struct fixture {
    struct test_ctx t;
    char *folder;
    struct comb_sql *sql;
    struct comb_operations_store *store;
    const struct comb_operations_store_driver *driver;
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
    f->driver = f->store->driver;
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

/* Runs a plan's statements as the mutation layer would, but for what it adds. */
static enum comb_status run_plan(struct fixture *f, const struct comb_plan *plan)
{
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, plan->statements,
                                             plan->n_statements};
    const struct comb_sql_result *result;
    return comb_sql_run(f->sql, &f->t.ctx, &request, &result, &f->t.err);
}

static enum comb_status insert(struct fixture *f, const struct comb_operation_new *new,
                               size_t open_max)
{
    struct comb_plan plan = {.kind = COMB_SQL_WRITE};
    must_ok(f->driver->plan_insert(f->store, &f->t.ctx, &plan, new, open_max, &f->t.err),
            &f->t.err);
    return run_plan(f, &plan);
}

static struct comb_uuid make(struct fixture *f, const char *kind)
{
    const struct comb_operation_new new = {.id = comb_uuid_new(),
                                           .owner = f->t.principal.user,
                                           .kind = comb_str_from(kind),
                                           .arguments = STR("argu\0ments")};
    must_ok(insert(f, &new, 100), &f->t.err);
    return new.id;
}

static struct comb_operation get(struct fixture *f, const struct comb_uuid *id)
{
    struct comb_operation operation;
    must_ok(f->driver->get(f->store, &f->t.ctx, id, &operation, &f->t.err), &f->t.err);
    return operation;
}

static bool take(struct fixture *f, const struct comb_uuid *holder, int64_t lease_us,
                 struct comb_operation_taken *ret_taken)
{
    bool found = false;
    must_ok(f->driver->take(f->store, &f->t.ctx, STR(",test.a,test.b,"), holder, lease_us, &found,
                            ret_taken, &f->t.err),
            &f->t.err);
    return found;
}

static bool is_ready(struct fixture *f)
{
    bool ready = false;
    must_ok(f->driver->is_ready(f->store, &f->t.ctx, STR(",test.a,test.b,"), &ready, &f->t.err),
            &f->t.err);
    return ready;
}

static void a_new_one_waits_and_is_taken(void **state)
{
    struct fixture *f = *state;
    struct comb_operation_taken taken;
    assert_false(is_ready(f));
    assert_false(take(f, &holder_a, LONG_US, &taken));
    struct comb_uuid id = make(f, "test.a");
    struct comb_operation operation = get(f, &id);
    assert_int_equal(operation.state, COMB_OPERATION_WAITING);
    assert_int_equal(operation.revision, 1);
    assert_true(comb_uuid_equal(&operation.owner, &f->t.principal.user));
    assert_true(operation.create_us > 0 && operation.start_us == 0 && operation.end_us == 0);
    assert_true(is_ready(f));
    assert_true(take(f, &holder_a, LONG_US, &taken));
    assert_true(comb_uuid_equal(&taken.id, &id));
    assert_true(comb_str_equal(taken.kind, STR("test.a")));
    assert_true(comb_str_equal(taken.arguments, STR("argu\0ments")));
    assert_int_equal(taken.state.len, 0);
    assert_int_equal(taken.fence, 1);
    assert_int_equal(taken.attempts, 1);
    operation = get(f, &id);
    assert_int_equal(operation.state, COMB_OPERATION_RUNNING);
    assert_true(comb_uuid_equal(&operation.holder, &holder_a));
    assert_true(operation.start_us >= operation.create_us);
    assert_false(is_ready(f));
    assert_false(take(f, &holder_b, LONG_US, &taken));
}

static void what_the_dead_had_is_taken_by_others(void **state)
{
    struct fixture *f = *state;
    struct comb_operation_taken taken, again;
    struct comb_uuid id = make(f, "test.a"), waits = make(f, "test.c");
    assert_true(take(f, &holder_a, LONG_US, &taken));
    must_ok(f->driver->bury(f->store, &f->t.ctx, &f->t.err), &f->t.err);
    assert_true(is_ready(f));
    assert_true(take(f, &holder_b, LONG_US, &again));
    assert_true(comb_uuid_equal(&again.id, &id));
    assert_true(again.fence > taken.fence);
    assert_int_equal(get(f, &waits).state, COMB_OPERATION_WAITING);
}

static void only_known_kinds_are_taken_and_the_oldest_first(void **state)
{
    struct fixture *f = *state;
    struct comb_operation_taken taken;
    make(f, "test.c");
    make(f, "test");
    make(f, "est.a");
    assert_false(is_ready(f));
    struct comb_uuid first = make(f, "test.b"), second = make(f, "test.a");
    assert_true(take(f, &holder_a, LONG_US, &taken));
    assert_true(comb_uuid_equal(&taken.id, &first));
    assert_true(take(f, &holder_a, LONG_US, &taken));
    assert_true(comb_uuid_equal(&taken.id, &second));
    assert_false(take(f, &holder_a, LONG_US, &taken));
}

static void what_a_step_left_comes_back_at_the_next_taking(void **state)
{
    struct fixture *f = *state;
    struct comb_operation_taken taken;
    const struct comb_operation_progress progress = {
        .done = 3, .total = 7, .unit = STR("things"), .message = STR("half way")};
    bool held = false, cancel = true;
    make(f, "test.a");
    assert_true(take(f, &holder_a, LONG_US, &taken));
    must_ok(f->driver->save(f->store, &f->t.ctx, &taken.id, taken.fence, OVER_US, STR("st\0ate"),
                            &progress, &held, &cancel, &f->t.err),
            &f->t.err);
    assert_true(held);
    assert_false(cancel);
    assert_true(take(f, &holder_b, LONG_US, &taken));
    assert_int_equal(taken.fence, 2);
    assert_int_equal(taken.attempts, 2); /* the one that saved, and this */
    assert_true(comb_str_equal(taken.state, STR("st\0ate")));
    assert_int_equal(taken.progress.done, 3);
    assert_int_equal(taken.progress.total, 7);
    assert_true(comb_str_equal(taken.progress.unit, STR("things")));
    assert_true(comb_str_equal(taken.progress.message, STR("half way")));
}

/* All guarded writes of one holder; how many say that he holds it. */
static int try_all(struct fixture *f, const struct comb_uuid *id, uint64_t fence)
{
    const struct comb_operation_progress progress = {.done = 99};
    const struct comb_operation_end end = {.state = COMB_OPERATION_DONE, .result = STR("stale")};
    bool held[4] = {true, true, true, true}, cancel = false;
    must_ok(f->driver->renew(f->store, &f->t.ctx, id, fence, LONG_US, &held[0], &cancel, &f->t.err),
            &f->t.err);
    must_ok(f->driver->save(f->store, &f->t.ctx, id, fence, LONG_US, STR("stale"), &progress,
                            &held[1], &cancel, &f->t.err),
            &f->t.err);
    must_ok(f->driver->release(f->store, &f->t.ctx, id, fence, 0, true, NULL, &held[2], &f->t.err),
            &f->t.err);
    must_ok(f->driver->end(f->store, &f->t.ctx, id, fence, &end, &held[3], &f->t.err), &f->t.err);
    return held[0] + held[1] + held[2] + held[3];
}

static void a_stale_holder_writes_nothing(void **state)
{
    struct fixture *f = *state;
    struct comb_operation_taken a, b;
    struct comb_plan plan = {.kind = COMB_SQL_WRITE};
    make(f, "test.a");
    assert_true(take(f, &holder_a, OVER_US, &a));
    /* The lease has run out: nothing, though nobody else has it yet. */
    assert_int_equal(try_all(f, &a.id, a.fence), 0);
    assert_true(take(f, &holder_b, LONG_US, &b));
    assert_int_equal(b.fence, a.fence + 1);
    struct comb_operation before = get(f, &b.id);
    assert_int_equal(try_all(f, &a.id, a.fence), 0);
    must_ok(f->driver->plan_held(f->store, &f->t.ctx, &plan, &a.id, a.fence, &f->t.err), &f->t.err);
    must_fail(COMB_ABORTED, run_plan(f, &plan), &f->t.err);
    struct comb_operation after = get(f, &b.id);
    assert_int_equal(after.revision, before.revision);
    assert_int_equal(after.progress.done, 0);
    plan.n_statements = 0;
    must_ok(f->driver->plan_held(f->store, &f->t.ctx, &plan, &b.id, b.fence, &f->t.err), &f->t.err);
    must_ok(run_plan(f, &plan), &f->t.err);
}

static void an_end_is_written_once(void **state)
{
    struct fixture *f = *state;
    struct comb_operation_taken taken;
    const struct comb_operation_end end = {.state = COMB_OPERATION_DONE,
                                           .progress = {.done = 7, .total = 7},
                                           .result = STR("re\0sult")};
    bool held = false;
    make(f, "test.a");
    assert_true(take(f, &holder_a, LONG_US, &taken));
    must_ok(f->driver->end(f->store, &f->t.ctx, &taken.id, taken.fence, &end, &held, &f->t.err),
            &f->t.err);
    assert_true(held);
    assert_int_equal(try_all(f, &taken.id, taken.fence), 0);
    struct comb_operation operation = get(f, &taken.id);
    assert_int_equal(operation.state, COMB_OPERATION_DONE);
    assert_true(comb_str_equal(operation.result, STR("re\0sult")));
    assert_int_equal(operation.progress.done, 7);
    assert_true(operation.end_us >= operation.start_us);
    assert_true(comb_uuid_is_nil(&operation.holder));
    assert_false(is_ready(f));
}

static void one_given_back_waits_its_time_and_tells_why(void **state)
{
    struct fixture *f = *state;
    struct comb_operation_taken taken;
    struct comb_error why;
    bool held = false;
    comb_error_set(&why, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, "no answer");
    make(f, "test.a");
    assert_true(take(f, &holder_a, LONG_US, &taken));
    must_ok(f->driver->release(f->store, &f->t.ctx, &taken.id, taken.fence, LONG_US, true, &why,
                               &held, &f->t.err),
            &f->t.err);
    assert_true(held);
    assert_false(is_ready(f));
    struct comb_operation operation = get(f, &taken.id);
    assert_int_equal(operation.state, COMB_OPERATION_WAITING);
    assert_int_equal(operation.code, COMB_UNAVAILABLE);
    assert_int_equal(operation.reason, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE);
    assert_true(comb_str_equal(operation.status_message, STR("no answer")));
    /* Another one, without delay and not counted. */
    make(f, "test.b");
    for (int i = 0; i < 3; i++) {
        assert_true(take(f, &holder_a, LONG_US, &taken));
        assert_int_equal(taken.attempts, 1);
        must_ok(f->driver->release(f->store, &f->t.ctx, &taken.id, taken.fence, 0, false, NULL,
                                   &held, &f->t.err),
                &f->t.err);
        assert_true(held);
    }
}

static void one_that_kills_who_takes_it_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct comb_operation_taken taken;
    struct comb_uuid id = make(f, "test.a");
    for (uint32_t i = 1; i <= 3; i++) {
        must_ok(f->driver->poison(f->store, &f->t.ctx, 3, &f->t.err), &f->t.err);
        assert_true(take(f, &holder_a, OVER_US, &taken));
        assert_int_equal(taken.attempts, i);
    }
    assert_true(is_ready(f));
    must_ok(f->driver->poison(f->store, &f->t.ctx, 3, &f->t.err), &f->t.err);
    assert_false(take(f, &holder_a, LONG_US, &taken));
    struct comb_operation operation = get(f, &id);
    assert_int_equal(operation.state, COMB_OPERATION_FAILED);
    assert_int_equal(operation.code, COMB_ABORTED);
    assert_true(operation.status_message.len > 0);
    assert_int_equal(try_all(f, &id, taken.fence), 0);
}

static enum comb_status cancel(struct fixture *f, const struct comb_uuid *id, uint64_t revision)
{
    struct comb_plan plan = {.kind = COMB_SQL_WRITE};
    must_ok(f->driver->plan_cancel(f->store, &f->t.ctx, &plan, id, revision, &f->t.err), &f->t.err);
    return run_plan(f, &plan);
}

static void cancelling_ends_what_waits_and_asks_what_runs(void **state)
{
    struct fixture *f = *state;
    struct comb_operation_taken taken;
    bool held = false, wanted = false;
    struct comb_uuid waiting = make(f, "test.a");
    must_fail(COMB_ABORTED, cancel(f, &waiting, 7), &f->t.err);
    must_ok(cancel(f, &waiting, 1), &f->t.err);
    struct comb_operation operation = get(f, &waiting);
    assert_int_equal(operation.state, COMB_OPERATION_CANCELLED);
    assert_int_equal(operation.code, COMB_CANCELLED);
    assert_true(operation.end_us > 0);
    must_fail(COMB_ABORTED, cancel(f, &waiting, operation.revision), &f->t.err);
    struct comb_uuid running = make(f, "test.a");
    assert_true(take(f, &holder_a, LONG_US, &taken));
    assert_false(taken.cancel_wanted);
    operation = get(f, &running);
    must_ok(cancel(f, &running, operation.revision), &f->t.err);
    assert_int_equal(get(f, &running).state, COMB_OPERATION_RUNNING);
    assert_true(get(f, &running).cancel_wanted);
    must_ok(f->driver->renew(f->store, &f->t.ctx, &running, taken.fence, OVER_US, &held, &wanted,
                             &f->t.err),
            &f->t.err);
    assert_true(held && wanted);
    assert_true(take(f, &holder_b, LONG_US, &taken));
    assert_true(taken.cancel_wanted);
}

static void deleting_wants_an_end(void **state)
{
    struct fixture *f = *state;
    struct comb_plan plan = {.kind = COMB_SQL_WRITE};
    struct comb_operation operation;
    struct comb_uuid id = make(f, "test.a");
    must_ok(f->driver->plan_delete(f->store, &f->t.ctx, &plan, &id, &f->t.err), &f->t.err);
    must_fail(COMB_ABORTED, run_plan(f, &plan), &f->t.err);
    must_ok(cancel(f, &id, 1), &f->t.err);
    must_ok(run_plan(f, &plan), &f->t.err);
    must_fail(COMB_NOT_FOUND, f->driver->get(f->store, &f->t.ctx, &id, &operation, &f->t.err),
              &f->t.err);
    assert_int_equal(f->t.err.reason, COMB_V1_ERROR_REASON_OPERATION_NOT_FOUND);
}

static void an_owner_has_so_many_and_a_key_one(void **state)
{
    struct fixture *f = *state;
    struct comb_operation_new new = {
        .id = comb_uuid_new(), .owner = f->t.principal.user, .kind = STR("test.a")};
    size_t n = 0;
    must_ok(insert(f, &new, 2), &f->t.err);
    new.id = comb_uuid_new();
    new.key = STR("only");
    must_ok(insert(f, &new, 2), &f->t.err);
    struct comb_uuid keyed = new.id;
    new.id = comb_uuid_new();
    new.key = STR("");
    must_fail(COMB_ABORTED, insert(f, &new, 2), &f->t.err);
    must_ok(f->driver->count_open(f->store, &f->t.ctx, &new.owner, &n, &f->t.err), &f->t.err);
    assert_int_equal(n, 2);
    new.key = STR("only");
    must_fail(COMB_ALREADY_EXISTS, insert(f, &new, 3), &f->t.err);
    must_ok(cancel(f, &keyed, 1), &f->t.err);
    must_ok(insert(f, &new, 2), &f->t.err);
}

static bool make_due(struct fixture *f, int64_t interval_us, struct comb_uuid *ret_id)
{
    const struct comb_operation_new new = {
        .id = comb_uuid_new(), .kind = STR("test.a"), .key = STR("test.a")};
    bool made = false;
    must_ok(f->driver->make_due(f->store, &f->t.ctx, &new, interval_us, &made, &f->t.err),
            &f->t.err);
    *ret_id = new.id;
    return made;
}

static void one_is_made_when_it_is_due(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid id, other;
    size_t n = 0;
    assert_true(make_due(f, LONG_US, &id));
    assert_false(make_due(f, OVER_US, &other));
    must_ok(cancel(f, &id, 1), &f->t.err);
    assert_false(make_due(f, LONG_US, &other));
    assert_true(make_due(f, OVER_US, &other));
    /* Neither of them is old enough, or went well. */
    must_ok(f->driver->purge(f->store, &f->t.ctx, LONG_US, OVER_US, 100, &n, &f->t.err), &f->t.err);
    assert_int_equal(n, 0);
    must_ok(f->driver->purge(f->store, &f->t.ctx, OVER_US, LONG_US, 100, &n, &f->t.err), &f->t.err);
    assert_int_equal(n, 1);
}

static void what_went_well_of_the_servers_own_is_forgotten_early(void **state)
{
    struct fixture *f = *state;
    struct comb_operation_taken taken;
    const struct comb_operation_end end = {.state = COMB_OPERATION_DONE};
    struct comb_uuid own, others;
    bool held = false;
    size_t n = 0;
    others = make(f, "test.b");
    assert_true(make_due(f, LONG_US, &own));
    for (int i = 0; i < 2; i++) {
        assert_true(take(f, &holder_a, LONG_US, &taken));
        must_ok(f->driver->end(f->store, &f->t.ctx, &taken.id, taken.fence, &end, &held, &f->t.err),
                &f->t.err);
    }
    must_ok(f->driver->purge(f->store, &f->t.ctx, LONG_US, OVER_US, 100, &n, &f->t.err), &f->t.err);
    assert_int_equal(n, 1);
    assert_int_equal(get(f, &others).state, COMB_OPERATION_DONE);
    must_ok(f->driver->purge(f->store, &f->t.ctx, OVER_US, LONG_US, 100, &n, &f->t.err), &f->t.err);
    assert_int_equal(n, 1);
}

static size_t count_listed(struct fixture *f, const struct comb_operation_filter *filter)
{
    const struct comb_operation *operations;
    size_t n = 0;
    must_ok(f->driver->list(f->store, &f->t.ctx, filter, NULL, 100, &operations, &n, &f->t.err),
            &f->t.err);
    return n;
}

static void lists_are_filtered_and_newest_first(void **state)
{
    struct fixture *f = *state;
    const struct comb_operation *operations;
    struct comb_operation_counts counts;
    struct comb_uuid ids[5], stranger = comb_uuid_new();
    size_t n = 0;
    for (int i = 0; i < 5; i++)
        ids[i] = make(f, i % 2 ? "test.a" : "test.b");
    must_ok(cancel(f, &ids[0], 1), &f->t.err);
    const struct comb_operation_filter all = {0};
    for (int i = 4; i >= 0; i--) {
        must_ok(f->driver->list(f->store, &f->t.ctx, &all, i < 4 ? &ids[i + 1] : NULL, 1,
                                &operations, &n, &f->t.err),
                &f->t.err);
        assert_int_equal(n, 1);
        assert_true(comb_uuid_equal(&operations[0].id, &ids[i]));
    }
    assert_int_equal(count_listed(f, &(struct comb_operation_filter){.kind = STR("test.a")}), 2);
    assert_int_equal(count_listed(f, &(struct comb_operation_filter){.owner = &stranger}), 0);
    assert_int_equal(
        count_listed(f, &(struct comb_operation_filter){.owner = &f->t.principal.user}), 5);
    assert_int_equal(
        count_listed(f, &(struct comb_operation_filter){.states = 1u << COMB_OPERATION_WAITING}),
        4);
    assert_int_equal(
        count_listed(f, &(struct comb_operation_filter){.states = 1u << COMB_OPERATION_CANCELLED |
                                                                  1u << COMB_OPERATION_RUNNING}),
        1);
    must_ok(f->driver->count(f->store, &f->t.ctx, &counts, &f->t.err), &f->t.err);
    assert_int_equal(counts.by_state[COMB_OPERATION_WAITING], 4);
    assert_int_equal(counts.by_state[COMB_OPERATION_CANCELLED], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_one_waits_and_is_taken),
        TEST(what_the_dead_had_is_taken_by_others),
        TEST(only_known_kinds_are_taken_and_the_oldest_first),
        TEST(what_a_step_left_comes_back_at_the_next_taking),
        TEST(a_stale_holder_writes_nothing),
        TEST(an_end_is_written_once),
        TEST(one_given_back_waits_its_time_and_tells_why),
        TEST(one_that_kills_who_takes_it_is_given_up),
        TEST(cancelling_ends_what_waits_and_asks_what_runs),
        TEST(deleting_wants_an_end),
        TEST(an_owner_has_so_many_and_a_key_one),
        TEST(one_is_made_when_it_is_due),
        TEST(what_went_well_of_the_servers_own_is_forgotten_early),
        TEST(lists_are_filtered_and_newest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
