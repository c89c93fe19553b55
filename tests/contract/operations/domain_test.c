/* SPDX-License-Identifier: Apache-2.0 */
/* Operations as their owners see them: rights, repetitions, limits, waiting. */
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/operations/operations.h"
#include "tests/contract/operations/counting.h"
#include "tests/support/areas.h"

#define LEASE_MS 60000

struct fixture {
    struct test_areas areas;
    struct test_ctx admin, anna;
    struct counting counting;
    struct comb_operations_store *store;
    struct comb_operation_engine *engine;
    struct comb_operations *operations;
    atomic_int n_told; /* hints for other replicas */
};

/* A kind of which there may be one at a time. */
static struct comb_operation_kind single_kind(struct counting *counting)
{
    struct comb_operation_kind kind = counting_kind(counting);
    kind.name = "test.single";
    kind.is_single = true;
    return kind;
}

static struct comb_operation_kind hidden_kind(struct counting *counting)
{
    struct comb_operation_kind kind = counting_kind(counting);
    kind.name = "test.hidden";
    kind.is_startable = false;
    return kind;
}

static void tell_others(void *data)
{
    atomic_fetch_add((atomic_int *)data, 1);
}

static void make_operations(struct fixture *f)
{
    const struct comb_operation_engine_options options = {
        .store = f->store, .lease_ms = LEASE_MS, .poll_ms = 50};
    const struct comb_operation_kind kinds[] = {
        counting_kind(&f->counting), single_kind(&f->counting), hidden_kind(&f->counting)};
    struct comb_error *err = &f->admin.err;
    must_ok(comb_operation_engine_new(&options, &f->engine, err), err);
    for (size_t i = 0; i < 3; i++)
        must_ok(comb_operation_engine_add(f->engine, &kinds[i], err), err);
    const struct comb_operations_parts parts = {.store = f->store,
                                                .engine = f->engine,
                                                .facts = f->areas.facts,
                                                .mutations = f->areas.mutations,
                                                .changed = tell_others,
                                                .data = &f->n_told};
    must_ok(comb_operations_new(&parts, &f->operations, err), err);
    must_ok(comb_operations_start(f->operations, err), err);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    test_areas_init(&f->areas);
    test_areas_ctx(&f->areas, &f->admin, "admin");
    test_areas_user(&f->areas, &f->admin, "anna");
    test_areas_ctx(&f->areas, &f->anna, "anna");
    counting_init(&f->counting);
    must_ok(comb_sql_migrate_schema(f->areas.sql, comb_operations_schemas, &f->admin.err),
            &f->admin.err);
    must_ok(comb_operations_store_open(f->areas.sql, &f->store, &f->admin.err), &f->admin.err);
    make_operations(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    counting_go_on(&f->counting);
    comb_operation_engine_stop(f->engine);
    comb_operations_free(f->operations);
    comb_operation_engine_free(f->engine);
    comb_operations_store_close(f->store);
    test_ctx_done(&f->anna);
    test_ctx_done(&f->admin);
    test_areas_done(&f->areas);
    free(f);
    return 0;
}

static void start_engine(struct fixture *f)
{
    must_ok(comb_operation_engine_start(f->engine, &f->admin.err), &f->admin.err);
}

static void must_refuse(struct test_ctx *t, enum comb_status expected, int reason,
                        enum comb_status status)
{
    must_fail(expected, status, &t->err);
    assert_int_equal(t->err.reason, reason);
}

static enum comb_status start(struct fixture *f, struct test_ctx *as, const char *kind,
                              struct comb_operation *ret_operation)
{
    const struct comb_request_key key = test_key();
    return comb_operations_start_kind(f->operations, &as->ctx, &key, comb_str_from(kind),
                                      ret_operation, &as->err);
}

static comb_str text_of(struct test_ctx *t, const struct comb_uuid *id)
{
    return comb_str_from(comb_uuid_text(t->ctx.arena, id));
}

/* One that anna owns, as a method of another area would make it; its kind counts to 3. */
static struct comb_uuid make_annas(struct fixture *f)
{
    struct comb_plan plan = {.kind = COMB_SQL_WRITE};
    const struct comb_sql_result *result;
    const struct comb_operation_new new = {.id = comb_uuid_new(),
                                           .owner = f->anna.principal.user,
                                           .kind = STR(COUNTING),
                                           .arguments = STR("3")};
    must_ok(f->store->driver->plan_insert(f->store, &f->anna.ctx, &plan, &new, 100, &f->anna.err),
            &f->anna.err);
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, plan.statements, plan.n_statements};
    must_ok(comb_sql_run(f->areas.sql, &f->anna.ctx, &request, &result, &f->anna.err),
            &f->anna.err);
    return new.id;
}

static void administrators_start_what_may_be_started(void **state)
{
    struct fixture *f = *state;
    struct comb_operation operation;
    must_refuse(&f->anna, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                start(f, &f->anna, COUNTING, &operation));
    must_refuse(&f->admin, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_FIELD_INVALID,
                start(f, &f->admin, "test.nothing", &operation));
    must_refuse(&f->admin, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_FIELD_INVALID,
                start(f, &f->admin, "test.hidden", &operation));
    must_ok(start(f, &f->admin, COUNTING, &operation), &f->admin.err);
    assert_int_equal(operation.state, COMB_OPERATION_WAITING);
    assert_true(comb_uuid_equal(&operation.owner, &f->admin.principal.user));
}

static void of_a_single_kind_the_one_that_runs_is_named(void **state)
{
    struct fixture *f = *state;
    struct comb_operation first, second;
    char id[COMB_UUID_TEXT_LENGTH + 1];
    must_ok(start(f, &f->admin, "test.single", &first), &f->admin.err);
    must_refuse(&f->admin, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_OPERATION_RUNNING,
                start(f, &f->admin, "test.single", &second));
    comb_uuid_format(&first.id, id);
    assert_string_equal(f->admin.err.subject, id);
    const struct comb_request_key key = test_key();
    must_ok(comb_operations_cancel(f->operations, &f->admin.ctx, &key,
                                   text_of(&f->admin, &first.id), &first, &f->admin.err),
            &f->admin.err);
    must_ok(start(f, &f->admin, "test.single", &second), &f->admin.err);
}

static void a_repeated_start_starts_once(void **state)
{
    struct fixture *f = *state;
    const struct comb_request_key key = test_key();
    struct comb_operation first, again;
    must_ok(comb_operations_start_kind(f->operations, &f->admin.ctx, &key, STR("test.single"),
                                       &first, &f->admin.err),
            &f->admin.err);
    must_ok(comb_operations_start_kind(f->operations, &f->admin.ctx, &key, STR("test.single"),
                                       &again, &f->admin.err),
            &f->admin.err);
    assert_true(comb_uuid_equal(&first.id, &again.id));
}

static void one_owner_has_so_many(void **state)
{
    struct fixture *f = *state;
    struct comb_operation operation;
    for (int i = 0; i < COMB_OPERATIONS_OPEN_MAX; i++)
        must_ok(start(f, &f->admin, COUNTING, &operation), &f->admin.err);
    must_refuse(&f->admin, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_MANY_OPERATIONS,
                start(f, &f->admin, COUNTING, &operation));
}

static void others_operations_do_not_exist(void **state)
{
    struct fixture *f = *state;
    struct comb_operation mine, operation;
    const struct comb_operation *listed = NULL;
    const struct comb_operation_filter all = {0};
    const struct comb_operation_filter admins = {.owner = &f->admin.principal.user};
    const struct comb_request_key key = test_key();
    size_t n = 9;
    must_ok(start(f, &f->admin, COUNTING, &mine), &f->admin.err);
    comb_str id = text_of(&f->anna, &mine.id);
    const int reason = COMB_V1_ERROR_REASON_OPERATION_NOT_FOUND;
    must_refuse(&f->anna, COMB_NOT_FOUND, reason,
                comb_operations_get(f->operations, &f->anna.ctx, id, &operation, &f->anna.err));
    must_refuse(
        &f->anna, COMB_NOT_FOUND, reason,
        comb_operations_cancel(f->operations, &f->anna.ctx, &key, id, &operation, &f->anna.err));
    must_refuse(&f->anna, COMB_NOT_FOUND, reason,
                comb_operations_delete(f->operations, &f->anna.ctx, &key, id, &f->anna.err));
    must_refuse(&f->anna, COMB_NOT_FOUND, reason,
                comb_operations_get(f->operations, &f->anna.ctx, STR("nonsense"), &operation,
                                    &f->anna.err));
    must_ok(comb_operations_list(f->operations, &f->anna.ctx, &all, NULL, 10, &listed, &n,
                                 &f->anna.err),
            &f->anna.err);
    assert_int_equal(n, 0);
    must_ok(comb_operations_list(f->operations, &f->anna.ctx, &admins, NULL, 10, &listed, &n,
                                 &f->anna.err),
            &f->anna.err);
    assert_int_equal(n, 0);
    struct comb_uuid annas = make_annas(f);
    must_ok(comb_operations_list(f->operations, &f->anna.ctx, &all, NULL, 10, &listed, &n,
                                 &f->anna.err),
            &f->anna.err);
    assert_int_equal(n, 1);
    assert_true(comb_uuid_equal(&listed[0].id, &annas));
    must_ok(comb_operations_list(f->operations, &f->admin.ctx, &all, NULL, 10, &listed, &n,
                                 &f->admin.err),
            &f->admin.err);
    assert_int_equal(n, 2);
}

static void owners_and_administrators_cancel_and_delete(void **state)
{
    struct fixture *f = *state;
    struct test_ctx *const callers[] = {&f->anna, &f->admin};
    for (size_t i = 0; i < 2; i++) {
        struct test_ctx *as = callers[i];
        const struct comb_request_key cancel = test_key(), early = test_key(), late = test_key();
        struct comb_operation operation;
        struct comb_uuid made = make_annas(f);
        comb_str id = text_of(as, &made);
        must_refuse(as, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_OPERATION_NOT_ENDED,
                    comb_operations_delete(f->operations, &as->ctx, &early, id, &as->err));
        for (int repeated = 0; repeated < 2; repeated++)
            must_ok(
                comb_operations_cancel(f->operations, &as->ctx, &cancel, id, &operation, &as->err),
                &as->err);
        assert_int_equal(operation.state, COMB_OPERATION_CANCELLED);
        for (int repeated = 0; repeated < 2; repeated++)
            must_ok(comb_operations_delete(f->operations, &as->ctx, &late, id, &as->err), &as->err);
        must_refuse(as, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_OPERATION_NOT_FOUND,
                    comb_operations_get(f->operations, &as->ctx, id, &operation, &as->err));
    }
}

/* ---- waiting ---- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int n_ends;
    bool is_gone;
    enum comb_status asked; /* what asking after his rights gives */
    enum comb_status status;
    enum comb_operation_state state;
    uint64_t revision;
    int reason;
};

static bool waiter_is_gone(void *self)
{
    struct waiter *waiter = self;
    pthread_mutex_lock(&waiter->lock);
    bool gone = waiter->is_gone;
    pthread_mutex_unlock(&waiter->lock);
    return gone;
}

static void waiter_end(void *self, enum comb_status status, const struct comb_operation *operation,
                       const struct comb_error *err)
{
    struct waiter *waiter = self;
    pthread_mutex_lock(&waiter->lock);
    waiter->n_ends++;
    waiter->status = status;
    waiter->reason = err->reason;
    if (operation) {
        waiter->state = operation->state;
        waiter->revision = operation->revision;
    }
    pthread_cond_signal(&waiter->ended);
    pthread_mutex_unlock(&waiter->lock);
}

static enum comb_status waiter_ask_again(void *self, struct grpcc_arena *arena, int64_t deadline_ns,
                                         struct comb_error *err)
{
    struct waiter *waiter = self;
    (void)arena;
    (void)deadline_ns;
    pthread_mutex_lock(&waiter->lock);
    enum comb_status status = waiter->asked;
    pthread_mutex_unlock(&waiter->lock);
    return status == COMB_OK ? COMB_OK : comb_error_set(err, status, 0, "as the test wants");
}

static const struct comb_operation_waiter slots = {waiter_is_gone, waiter_ask_again, waiter_end};

static void begin_wait(struct fixture *f, struct test_ctx *as, const struct comb_uuid *id,
                       int64_t timeout_ms, uint64_t seen, struct waiter *waiter)
{
    *waiter = (struct waiter){.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
    must_ok(comb_operations_wait_start(f->operations, &as->ctx, text_of(as, id), timeout_ms, seen,
                                       &slots, waiter, &as->err),
            &as->err);
}

static void await(struct waiter *waiter)
{
    pthread_mutex_lock(&waiter->lock);
    while (waiter->n_ends == 0)
        pthread_cond_wait(&waiter->ended, &waiter->lock);
    assert_int_equal(waiter->n_ends, 1);
    pthread_mutex_unlock(&waiter->lock);
}

static void a_wait_ends_with_the_operation(void **state)
{
    struct fixture *f = *state;
    struct waiter first, second, late;
    f->counting.stop_at = 2;
    struct comb_uuid id = make_annas(f);
    begin_wait(f, &f->anna, &id, 25000, 0, &first);
    begin_wait(f, &f->admin, &id, 25000, 0, &second);
    start_engine(f);
    counting_await_standing(&f->counting, 1);
    pthread_mutex_lock(&first.lock);
    assert_int_equal(first.n_ends, 0);
    pthread_mutex_unlock(&first.lock);
    counting_go_on(&f->counting);
    await(&first);
    await(&second);
    /* Other replicas have heard of the first step at least. */
    assert_true(atomic_load(&f->n_told) >= 1);
    comb_operations_wake(f->operations);
    assert_int_equal(first.status, COMB_OK);
    assert_int_equal(first.state, COMB_OPERATION_DONE);
    assert_int_equal(second.state, COMB_OPERATION_DONE);
    begin_wait(f, &f->anna, &id, 25000, 0, &late);
    await(&late);
    assert_int_equal(late.state, COMB_OPERATION_DONE);
}

static void a_wait_ends_with_a_change_that_was_not_seen(void **state)
{
    struct fixture *f = *state;
    struct waiter waiter;
    f->counting.stop_at = 2;
    struct comb_uuid id = make_annas(f);
    begin_wait(f, &f->anna, &id, 25000, 1, &waiter);
    start_engine(f);
    await(&waiter);
    assert_int_equal(waiter.status, COMB_OK);
    assert_true(waiter.revision > 1);
    counting_await_standing(&f->counting, 1);
}

static void a_wait_ends_when_its_time_is_over(void **state)
{
    struct fixture *f = *state;
    struct waiter waiter;
    struct comb_uuid id = make_annas(f);
    begin_wait(f, &f->anna, &id, 0, 0, &waiter);
    await(&waiter);
    assert_int_equal(waiter.status, COMB_OK);
    assert_int_equal(waiter.state, COMB_OPERATION_WAITING);
    /* The call's own deadline comes first. */
    f->anna.ctx.deadline_ns = comb_clock_monotonic_ns() + 1500 * COMB_NS_PER_MS;
    begin_wait(f, &f->anna, &id, 25000, 0, &waiter);
    await(&waiter);
    assert_int_equal(waiter.status, COMB_OK);
}

static void set_asked(struct waiter *waiter, enum comb_status status)
{
    pthread_mutex_lock(&waiter->lock);
    waiter->asked = status;
    pthread_mutex_unlock(&waiter->lock);
}

/* A store that is away ends nothing. */
static void a_wait_ends_with_the_rights_of_who_waits(void **state)
{
    struct fixture *f = *state;
    struct waiter waiter, other;
    struct comb_uuid id = make_annas(f);
    begin_wait(f, &f->anna, &id, 25000, 0, &waiter);
    begin_wait(f, &f->anna, &id, 1500, 0, &other);
    set_asked(&other, COMB_UNAVAILABLE);
    set_asked(&waiter, COMB_UNAUTHENTICATED);
    await(&waiter);
    assert_int_equal(waiter.status, COMB_UNAUTHENTICATED);
    set_asked(&other, COMB_OK);
    await(&other);
    assert_int_equal(other.status, COMB_OK);
}

static void waits_end_with_what_they_wait_for_and_with_the_replica(void **state)
{
    struct fixture *f = *state;
    struct waiter gone, deleted, drained;
    struct comb_operation operation;
    const struct comb_request_key cancel = test_key(), delete = test_key();
    struct comb_uuid id = make_annas(f), other = make_annas(f);
    begin_wait(f, &f->anna, &id, 25000, 0, &gone);
    pthread_mutex_lock(&gone.lock);
    gone.is_gone = true;
    pthread_mutex_unlock(&gone.lock);
    await(&gone);
    assert_int_equal(gone.status, COMB_CANCELLED);
    must_ok(comb_operations_cancel(f->operations, &f->anna.ctx, &cancel, text_of(&f->anna, &id),
                                   &operation, &f->anna.err),
            &f->anna.err);
    must_ok(comb_operations_delete(f->operations, &f->anna.ctx, &delete, text_of(&f->anna, &id),
                                   &f->anna.err),
            &f->anna.err);
    must_refuse(&f->anna, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_OPERATION_NOT_FOUND,
                comb_operations_wait_start(f->operations, &f->anna.ctx, text_of(&f->anna, &id), 0,
                                           0, &slots, &deleted, &f->anna.err));
    begin_wait(f, &f->anna, &other, 25000, 0, &drained);
    comb_operations_drain(f->operations);
    await(&drained);
    assert_int_equal(drained.status, COMB_UNAVAILABLE);
    assert_int_equal(drained.reason, COMB_V1_ERROR_REASON_DRAINING);
    must_refuse(&f->anna, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_DRAINING,
                comb_operations_wait_start(f->operations, &f->anna.ctx, text_of(&f->anna, &other),
                                           0, 0, &slots, &drained, &f->anna.err));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(administrators_start_what_may_be_started),
        TEST(of_a_single_kind_the_one_that_runs_is_named),
        TEST(a_repeated_start_starts_once),
        TEST(one_owner_has_so_many),
        TEST(others_operations_do_not_exist),
        TEST(owners_and_administrators_cancel_and_delete),
        TEST(a_wait_ends_with_the_operation),
        TEST(a_wait_ends_with_a_change_that_was_not_seen),
        TEST(a_wait_ends_with_the_rights_of_who_waits),
        TEST(a_wait_ends_when_its_time_is_over),
        TEST(waits_end_with_what_they_wait_for_and_with_the_replica),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
