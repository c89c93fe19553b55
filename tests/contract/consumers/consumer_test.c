/* SPDX-License-Identifier: Apache-2.0 */
/* Consumers over the row that the test is linked with. What needs two processes is in
 * takeover_test.c. */
#include <stdlib.h>
#include <time.h>

#include "server/core/clock.h"
#include "tests/contract/consumers/gather.h"
#include "tests/support/sql_row.h"

/* No machine is so busy that it would miss a renewal of this. */
#define LEASE_MS 60000

struct fixture {
    struct test_ctx t;
    char *folder;
    struct comb_sql *sql;
    struct comb_consumers_store *store;
    struct gather gather;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    test_ctx_init(&f->t);
    f->folder = test_folder_new();
    f->sql = test_sql_row_open(f->folder);
    gather_migrate(f->sql);
    must_ok(comb_consumers_store_open(f->sql, &f->store, &f->t.err), &f->t.err);
    gather_init(&f->gather, f->sql, false);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    comb_consumers_store_close(f->store);
    comb_sql_close(f->sql);
    test_ctx_done(&f->t);
    free(f->folder);
    free(f);
    return 0;
}

static struct comb_consumers *start(struct fixture *f)
{
    return gather_start(&f->gather, f->sql, f->store, LEASE_MS);
}

static struct comb_consumer_stats stats_of(struct comb_consumers *consumers)
{
    struct comb_consumer_stats stats;
    assert_int_equal(comb_consumers_get_stats(consumers, &stats, 1), 1);
    return stats;
}

static struct comb_consumer_status status_of(struct fixture *f, struct comb_consumers *consumers)
{
    const struct comb_consumer_status *status;
    size_t n = 0;
    test_ctx_next(&f->t);
    must_ok(comb_consumers_status(consumers, &f->t.ctx, &status, &n, &f->t.err), &f->t.err);
    /* Nobody has taken it yet. */
    if (n == 0)
        return (struct comb_consumer_status){.lease.place.rebuild = COMB_REBUILD_NEW,
                                             .lease.attempts = 1};
    assert_int_equal(n, 1);
    return status[0];
}

/* Until nothing is behind the cursor, or 60 s are over. */
static struct comb_consumer_status await_caught_up(struct fixture *f,
                                                   struct comb_consumers *consumers)
{
    const struct timespec pause = {0, 20 * 1000 * 1000};
    for (int i = 0; i < 60 * 50; i++) {
        struct comb_consumer_status status = status_of(f, consumers);
        if (status.n_behind == 0 && status.lease.place.rebuild == COMB_REBUILD_NONE)
            return status;
        nanosleep(&pause, NULL);
    }
    fail_msg("a consumer does not catch up");
    abort();
}

static const struct comb_consumer_aside *asides_of(struct fixture *f, size_t *ret_n)
{
    const struct comb_consumer_aside *asides;
    must_ok(f->store->driver->list_aside(f->store, &f->t.ctx, STR(GATHER),
                                         (struct comb_cursor){0, 0}, 100, &asides, ret_n,
                                         &f->t.err),
            &f->t.err);
    return asides;
}

static void run_text(struct fixture *f, const char *text)
{
    const struct comb_sql_statement statement = {.text = text};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    const struct comb_sql_result *result;
    must_ok(comb_sql_run(f->sql, &f->t.ctx, &request, &result, &f->t.err), &f->t.err);
}

static void what_was_there_and_what_comes_is_consumed_once(void **state)
{
    struct fixture *f = *state;
    gather_change(f->sql, 1, 45);
    struct comb_consumers *consumers = start(f);
    gather_await(f->sql, 45);
    gather_change(f->sql, 46, 60);
    comb_consumers_wake(consumers);
    gather_await(f->sql, 60);
    struct comb_consumer_status status = await_caught_up(f, consumers);
    assert_true(status.is_of_this_server && status.lease.is_held);
    assert_int_equal(status.oldest_us, 0);
    comb_consumers_stop(consumers);
    assert_int_equal(stats_of(consumers).entries, 60);
    assert_true(stats_of(consumers).batches >= 6);
    assert_true(f->gather.applied >= 60);
    assert_int_equal(f->gather.why, COMB_REBUILD_NEW);
    assert_false(status_of(f, consumers).lease.is_held);
    comb_consumers_free(consumers);
    assert_int_equal(gather_count(f->sql), 60);
}

static void one_that_starts_again_goes_on_where_it_was(void **state)
{
    struct fixture *f = *state;
    gather_change(f->sql, 1, 5);
    struct comb_consumers *consumers = start(f);
    gather_await(f->sql, 5);
    await_caught_up(f, consumers);
    comb_consumers_free(consumers);
    gather_change(f->sql, 6, 9);
    uint64_t epoch = f->gather.epoch;
    f->gather.first = 0;
    f->gather.why = COMB_REBUILD_NONE;
    consumers = start(f);
    gather_await(f->sql, 9);
    await_caught_up(f, consumers);
    comb_consumers_free(consumers);
    assert_int_equal(f->gather.first, 6);
    assert_int_equal(f->gather.why, COMB_REBUILD_NONE);
    assert_int_equal(f->gather.epoch, epoch);
}

static void two_replicas_consume_each_change_once(void **state)
{
    struct fixture *f = *state;
    struct gather other;
    gather_init(&f->gather, f->sql, true);
    gather_init(&other, f->sql, true);
    struct comb_consumers *a = start(f);
    struct comb_consumers *b = gather_start(&other, f->sql, f->store, LEASE_MS);
    gather_change(f->sql, 1, 40);
    gather_await(f->sql, 40);
    await_caught_up(f, a);
    /* Who has it gives it back; the other takes it. */
    struct comb_consumers *first = stats_of(a).is_held ? a : b, *second = first == a ? b : a;
    comb_consumers_stop(first);
    gather_change(f->sql, 41, 60);
    gather_await(f->sql, 60);
    await_caught_up(f, second);
    assert_true(stats_of(second).is_held);
    comb_consumers_free(a);
    comb_consumers_free(b);
    assert_true(f->gather.applied + other.applied <= 60);
    assert_int_equal(gather_count(f->sql), 60);
}

static void a_failure_that_passes_is_waited_out(void **state)
{
    struct fixture *f = *state;
    f->gather.fail_at = 7;
    f->gather.fail_times = 5;
    f->gather.failure = COMB_UNAVAILABLE;
    gather_change(f->sql, 1, 12);
    struct comb_consumers *consumers = start(f);
    gather_await(f->sql, 12);
    await_caught_up(f, consumers);
    comb_consumers_stop(consumers);
    assert_int_equal(stats_of(consumers).set_aside, 0);
    assert_true(stats_of(consumers).failures >= 5);
    comb_consumers_free(consumers);
}

static void what_cannot_be_handled_is_set_aside_and_the_rest_goes_on(void **state)
{
    struct fixture *f = *state;
    size_t n = 0;
    f->gather.fail_at = 7;
    f->gather.fail_times = 1000;
    f->gather.failure = COMB_DATA_LOSS;
    gather_change(f->sql, 1, 30);
    struct comb_consumers *consumers = start(f);
    gather_await(f->sql, 29);
    struct comb_consumer_status status = await_caught_up(f, consumers);
    comb_consumers_stop(consumers);
    assert_int_equal(status.lease.n_aside, 1);
    assert_int_equal(stats_of(consumers).set_aside, 1);
    const struct comb_consumer_aside *asides = asides_of(f, &n);
    assert_int_equal(n, 1);
    assert_int_equal(asides[0].revision, 7);
    assert_int_equal(asides[0].kind, COMB_FEED_WORKSPACE);
    assert_int_equal(asides[0].code, COMB_DATA_LOSS);
    assert_true(comb_str_equal(asides[0].message, STR("change 7 is not to be")));
    comb_consumers_free(consumers);
    assert_int_equal(gather_count(f->sql), 29);
}

/* Until it is no longer wanted, or 60 s are over; whether it is still there. */
static bool await_tried(struct fixture *f, struct comb_consumer_aside *ret_aside)
{
    const struct timespec pause = {0, 20 * 1000 * 1000};
    for (int i = 0; i < 60 * 50; i++) {
        size_t n = 0;
        test_ctx_next(&f->t);
        const struct comb_consumer_aside *asides = asides_of(f, &n);
        if (n == 0)
            return false;
        *ret_aside = asides[0];
        /* Between its claim and its end it is not wanted either: the reason tells. */
        if (!asides[0].is_wanted && !comb_str_equal(asides[0].message, STR("stale")))
            return true;
        nanosleep(&pause, NULL);
    }
    fail_msg("nobody tries again");
    abort();
}

static size_t retry(struct fixture *f, struct comb_consumers *consumers)
{
    size_t n = 0;
    run_text(f, "UPDATE set_aside SET message = 'stale'");
    must_ok(comb_consumers_retry(consumers, &f->t.ctx, STR(GATHER), NULL, 0, &n, &f->t.err),
            &f->t.err);
    return n;
}

/* Alone, with the cursor far behind it, and once also where it is one request with the forgetting.
 */
static void what_was_set_aside_is_handled_again(struct fixture *f, bool together)
{
    struct comb_consumer_aside aside;
    f->gather.together = together;
    f->gather.fail_at = 7;
    f->gather.fail_times = 1000;
    f->gather.failure = COMB_DATA_LOSS;
    gather_change(f->sql, 1, 30);
    struct comb_consumers *consumers = start(f);
    gather_await(f->sql, 29);
    struct comb_consumer_status before = await_caught_up(f, consumers);
    assert_int_equal(retry(f, consumers), 1);
    assert_true(await_tried(f, &aside));
    assert_true(comb_str_equal(aside.message, STR("change 7 is not to be")));
    assert_int_equal(gather_count(f->sql), 29);
    pthread_mutex_lock(&f->gather.lock);
    f->gather.fail_times = 1;
    f->gather.failure = COMB_UNAVAILABLE;
    pthread_mutex_unlock(&f->gather.lock);
    assert_int_equal(retry(f, consumers), 1);
    gather_await(f->sql, 30);
    while (await_tried(f, &aside))
        continue;
    gather_change(f->sql, 31, 33);
    gather_await(f->sql, 33);
    struct comb_consumer_status after = await_caught_up(f, consumers);
    assert_int_equal(after.lease.n_aside, 0);
    assert_true(after.lease.place.cursor.sequence > before.lease.place.cursor.sequence);
    comb_consumers_free(consumers);
    assert_int_equal(gather_count(f->sql), 33);
}

static void what_was_set_aside_is_handled_again_where_its_effect_is_elsewhere(void **state)
{
    what_was_set_aside_is_handled_again(*state, false);
}

static void what_was_set_aside_is_handled_again_with_its_effect_in_one_request(void **state)
{
    what_was_set_aside_is_handled_again(*state, true);
}

static void what_the_feed_no_longer_has_stays_aside(void **state)
{
    struct fixture *f = *state;
    const struct comb_consumers_store_driver *driver = f->store->driver;
    const struct comb_uuid holder = {{3}};
    struct comb_consumer_aside aside = {.kind = COMB_FEED_USER, .message = STR("no")};
    struct comb_lease_taken taken;
    bool is_held = false;
    size_t n = 0;
    struct comb_consumers *consumers = start(f);
    await_caught_up(f, consumers);
    comb_consumers_free(consumers);
    must_ok(driver->take(f->store, &f->t.ctx, STR(GATHER), &holder, LEASE_MS * 1000LL, &is_held,
                         &taken, &f->t.err),
            &f->t.err);
    assert_true(is_held);
    aside.cursor = (struct comb_cursor){taken.place.cursor.incarnation + 4711, 1};
    must_ok(driver->set_aside(f->store, &f->t.ctx, STR(GATHER), taken.fence, LEASE_MS * 1000LL,
                              &taken.place, &aside, &is_held, &f->t.err),
            &f->t.err);
    must_ok(driver->release(f->store, &f->t.ctx, STR(GATHER), taken.fence, &is_held, &f->t.err),
            &f->t.err);
    consumers = start(f);
    assert_int_equal(retry(f, consumers), 1);
    assert_true(await_tried(f, &aside));
    assert_int_equal(aside.code, COMB_FAILED_PRECONDITION);
    must_fail(COMB_NOT_FOUND,
              comb_consumers_retry(consumers, &f->t.ctx, STR("nobody"), NULL, 0, &n, &f->t.err),
              &f->t.err);
    comb_consumers_free(consumers);
}

static void what_its_handlers_die_of_is_set_aside(void **state)
{
    struct fixture *f = *state;
    size_t n = 0;
    struct comb_consumers *consumers = start(f);
    await_caught_up(f, consumers);
    comb_consumers_free(consumers);
    gather_change(f->sql, 1, 3);
    run_text(f, "UPDATE lease SET attempts = 10");
    consumers = start(f);
    gather_await(f->sql, 2);
    await_caught_up(f, consumers);
    comb_consumers_free(consumers);
    const struct comb_consumer_aside *asides = asides_of(f, &n);
    assert_int_equal(n, 1);
    assert_int_equal(asides[0].revision, 1);
    assert_int_equal(gather_count(f->sql), 2);
}

/* Taken by this process, which found nothing to do. */
static bool is_held_idly(struct fixture *f, struct comb_consumers *consumers)
{
    struct comb_consumer_status status = status_of(f, consumers);
    return status.is_of_this_server && status.lease.attempts == 0;
}

static void idle_takings_are_no_attempts(void **state)
{
    struct fixture *f = *state;
    const struct timespec pause = {0, 20 * 1000 * 1000};
    for (int i = 0; i < 3; i++) {
        struct comb_consumers *consumers = start(f);
        bool idle = false;
        for (int j = 0; j < 60 * 50 && !idle; j++) {
            nanosleep(&pause, NULL);
            idle = is_held_idly(f, consumers);
        }
        assert_true(idle);
        comb_consumers_free(consumers);
    }
}

static void a_cursor_that_expired_is_a_rebuild(void **state)
{
    struct fixture *f = *state;
    size_t n = 0;
    gather_change(f->sql, 1, 5);
    f->gather.fail_at = 2;
    f->gather.fail_times = 1000;
    f->gather.failure = COMB_DATA_LOSS;
    struct comb_consumers *consumers = start(f);
    gather_await(f->sql, 4);
    await_caught_up(f, consumers);
    comb_consumers_free(consumers);
    gather_change(f->sql, 6, 9);
    test_ctx_next(&f->t);
    must_ok(comb_feed_trim(f->sql, &f->t.ctx, -COMB_US_PER_S, &f->t.err), &f->t.err);
    gather_change(f->sql, 10, 12);
    f->gather.rebuild_steps_wanted = 3;
    f->gather.fail_at = 0;
    consumers = start(f);
    gather_await(f->sql, 7);
    await_caught_up(f, consumers);
    assert_int_equal(stats_of(consumers).rebuild_steps, 3);
    comb_consumers_free(consumers);
    assert_int_equal(f->gather.why, COMB_REBUILD_EXPIRED);
    /* What had been set aside has been built anew. */
    (void)asides_of(f, &n);
    assert_int_equal(n, 0);
}

static void another_history_is_a_rebuild(void **state)
{
    struct fixture *f = *state;
    gather_change(f->sql, 1, 5);
    struct comb_consumers *consumers = start(f);
    gather_await(f->sql, 5);
    await_caught_up(f, consumers);
    comb_consumers_free(consumers);
    /* As if the rows had come out of a backup of another installation. */
    uint64_t epoch = f->gather.epoch;
    assert_true(epoch > 0);
    run_text(f, "UPDATE lease SET incarnation = 7");
    gather_change(f->sql, 6, 6);
    consumers = start(f);
    gather_await(f->sql, 6);
    await_caught_up(f, consumers);
    comb_consumers_free(consumers);
    assert_int_equal(f->gather.why, COMB_REBUILD_HISTORY);
    assert_true(f->gather.epoch > epoch);
}

/* The row, as it is behind a promotion: a new incarnation of the same history. */
struct promoted {
    struct comb_sql base;
    struct comb_sql *inner;
    struct comb_sql_driver driver;
};

static void promoted_submit(struct comb_sql *self, const struct comb_ctx *ctx,
                            const struct comb_sql_request *request, comb_sql_done done, void *data)
{
    comb_sql_submit(((struct promoted *)self)->inner, ctx, request, done, data);
}

static void promoted_info(struct comb_sql *self, struct comb_sql_info *ret_info)
{
    comb_sql_get_info(((struct promoted *)self)->inner, ret_info);
    ret_info->incarnation++;
}

static void a_promotion_is_none(void **state)
{
    struct fixture *f = *state;
    struct promoted promoted = {.inner = f->sql};
    gather_change(f->sql, 1, 5);
    struct comb_consumers *consumers = start(f);
    gather_await(f->sql, 5);
    await_caught_up(f, consumers);
    comb_consumers_free(consumers);
    f->gather.first = 0;
    f->gather.why = COMB_REBUILD_NONE;
    promoted.driver = (struct comb_sql_driver){.name = f->sql->driver->name,
                                               .caps = f->sql->driver->caps,
                                               .submit = promoted_submit,
                                               .info = promoted_info};
    promoted.base.driver = &promoted.driver;
    gather_change(f->sql, 6, 8);
    consumers = gather_start(&f->gather, &promoted.base, f->store, LEASE_MS);
    gather_await(f->sql, 8);
    struct comb_consumer_status status = await_caught_up(f, consumers);
    assert_int_equal(status.lease.place.cursor.incarnation, comb_sql_incarnation(&promoted.base));
    comb_consumers_free(consumers);
    assert_int_equal(f->gather.why, COMB_REBUILD_NONE);
    assert_int_equal(f->gather.first, 6);
}

static void the_lag_is_told_while_a_change_waits(void **state)
{
    struct fixture *f = *state;
    f->gather.stop_at = 3;
    gather_change(f->sql, 1, 6);
    struct comb_consumers *consumers = start(f);
    gather_await_standing(&f->gather);
    struct comb_consumer_status status = status_of(f, consumers);
    assert_int_equal(status.n_behind, 6);
    assert_true(status.oldest_us > 0);
    comb_clock_advance_ns(5 * COMB_NS_PER_S);
    assert_true(stats_of(consumers).lag_us >= 5 * COMB_US_PER_S);
    gather_go_on(&f->gather);
    await_caught_up(f, consumers);
    comb_consumers_free(consumers);
}

static void what_is_done_in_parts_comes_once(void **state)
{
    struct fixture *f = *state;
    gather_init(&f->gather, f->sql, false);
    f->gather.part = 3;
    gather_change(f->sql, 1, 25);
    struct comb_consumers *consumers = start(f);
    gather_await(f->sql, 25);
    await_caught_up(f, consumers);
    comb_consumers_stop(consumers);
    assert_int_equal(stats_of(consumers).entries, 25);
    assert_true(stats_of(consumers).batches >= 9);
    comb_consumers_free(consumers);
}

static void what_somebody_wants_anew_is_built_anew_and_the_rest_goes_on(void **state)
{
    struct fixture *f = *state;
    uint64_t before = 0, again = 0;
    gather_init(&f->gather, f->sql, false);
    gather_change(f->sql, 1, 5);
    struct comb_consumers *consumers = start(f);
    gather_await(f->sql, 5);
    uint64_t epoch = await_caught_up(f, consumers).lease.place.epoch;
    must_ok(f->store->driver->begin_anew(f->store, &f->t.ctx, STR(GATHER), &before, &f->t.err),
            &f->t.err);
    must_ok(f->store->driver->begin_anew(f->store, &f->t.ctx, STR(GATHER), &again, &f->t.err),
            &f->t.err);
    assert_true(before == epoch && again <= before);
    /* The holder hears of it when it writes next, or renews its lease. */
    gather_change(f->sql, 6, 9);
    gather_await(f->sql, 9);
    struct comb_consumer_status status = await_caught_up(f, consumers);
    assert_true(status.lease.place.epoch > epoch);
    comb_consumers_free(consumers);
    assert_int_equal(f->gather.why, COMB_REBUILD_REQUESTED);
}

static void who_has_nothing_to_do_tends_until_there_is_no_more(void **state)
{
    struct fixture *f = *state;
    f->gather.tend_more = 4;
    struct comb_consumers *consumers = start(f);
    pthread_mutex_lock(&f->gather.lock);
    while (f->gather.tended < 4)
        pthread_cond_wait(&f->gather.changed, &f->gather.lock);
    pthread_mutex_unlock(&f->gather.lock);
    comb_consumers_free(consumers);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_there_and_what_comes_is_consumed_once),
        TEST(one_that_starts_again_goes_on_where_it_was),
        TEST(two_replicas_consume_each_change_once),
        TEST(a_failure_that_passes_is_waited_out),
        TEST(what_cannot_be_handled_is_set_aside_and_the_rest_goes_on),
        TEST(what_was_set_aside_is_handled_again_where_its_effect_is_elsewhere),
        TEST(what_was_set_aside_is_handled_again_with_its_effect_in_one_request),
        TEST(what_the_feed_no_longer_has_stays_aside),
        TEST(what_its_handlers_die_of_is_set_aside),
        TEST(idle_takings_are_no_attempts),
        TEST(a_cursor_that_expired_is_a_rebuild),
        TEST(another_history_is_a_rebuild),
        TEST(a_promotion_is_none),
        TEST(what_is_done_in_parts_comes_once),
        TEST(what_somebody_wants_anew_is_built_anew_and_the_rest_goes_on),
        TEST(who_has_nothing_to_do_tends_until_there_is_no_more),
        TEST(the_lag_is_told_while_a_change_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
