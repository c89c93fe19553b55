/* SPDX-License-Identifier: Apache-2.0 */
/* The store of leases, on the row that the test is linked with: taking, holding, fencing, places,
 * what is set aside. */
#include <stdlib.h>

#include "server/consumers/consumers_store.h"
#include "tests/contract/consumers/gather.h"
#include "tests/support/sql_row.h"

/* Long enough for any machine, and one that has run out when it is given. */
#define LONG_US (600LL * 1000000)
#define OVER_US (-1000000LL)

static const struct comb_uuid holder_a = {{1}}, holder_b = {{2}};

struct fixture {
    struct test_ctx t;
    char *folder;
    struct comb_sql *sql;
    struct comb_consumers_store *store;
    const struct comb_consumers_store_driver *driver;
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
    f->driver = f->store->driver;
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

static bool take(struct fixture *f, const char *name, const struct comb_uuid *holder,
                 int64_t lease_us, struct comb_lease_taken *ret_taken)
{
    bool found = false;
    must_ok(f->driver->take(f->store, &f->t.ctx, comb_str_from(name), holder, lease_us, &found,
                            ret_taken, &f->t.err),
            &f->t.err);
    return found;
}

static bool is_free(struct fixture *f, const char *name)
{
    bool is_free = false;
    must_ok(f->driver->is_free(f->store, &f->t.ctx, comb_str_from(name), &is_free, &f->t.err),
            &f->t.err);
    return is_free;
}

static bool advance(struct fixture *f, uint64_t fence, const struct comb_consumer_place *place)
{
    bool is_held = false;
    must_ok(f->driver->advance(f->store, &f->t.ctx, STR("a"), fence, LONG_US, place, &is_held,
                               &f->t.err),
            &f->t.err);
    return is_held;
}

static bool renew(struct fixture *f, uint64_t fence, int64_t lease_us)
{
    bool is_held = false;
    must_ok(f->driver->renew(f->store, &f->t.ctx, STR("a"), fence, lease_us, &is_held, &f->t.err),
            &f->t.err);
    return is_held;
}

static struct comb_consumer_place place_of(struct fixture *f)
{
    struct comb_consumer_place place;
    must_ok(f->driver->place(f->store, &f->t.ctx, STR("a"), &place, &f->t.err), &f->t.err);
    return place;
}

static enum comb_status run_plan(struct fixture *f, const struct comb_plan *plan)
{
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, plan->statements,
                                             plan->n_statements};
    const struct comb_sql_result *result;
    return comb_sql_run(f->sql, &f->t.ctx, &request, &result, &f->t.err);
}

static void the_first_who_comes_takes_it_and_nobody_else(void **state)
{
    struct fixture *f = *state;
    struct comb_lease_taken taken, other;
    struct comb_consumer_place place;
    must_fail(COMB_NOT_FOUND, f->driver->place(f->store, &f->t.ctx, STR("a"), &place, &f->t.err),
              &f->t.err);
    assert_true(is_free(f, "a"));
    assert_true(take(f, "a", &holder_a, LONG_US, &taken));
    assert_int_equal(taken.fence, 1);
    assert_int_equal(taken.attempts, 1);
    assert_int_equal(taken.place.rebuild, COMB_REBUILD_NEW);
    assert_int_equal(taken.place.cursor.incarnation, 0);
    assert_int_equal(taken.place.state.len, 0);
    assert_false(is_free(f, "a"));
    assert_false(take(f, "a", &holder_b, LONG_US, &other));
    /* Another one is another one. */
    assert_true(take(f, "b", &holder_b, LONG_US, &other));
    assert_int_equal(other.fence, 1);
}

static void what_the_dead_held_is_free(void **state)
{
    struct fixture *f = *state;
    struct comb_lease_taken taken, other;
    assert_true(take(f, "a", &holder_a, LONG_US, &taken));
    must_ok(f->driver->bury(f->store, &f->t.ctx, &f->t.err), &f->t.err);
    assert_false(renew(f, taken.fence, LONG_US));
    assert_true(is_free(f, "a"));
    assert_true(take(f, "a", &holder_b, LONG_US, &other));
    assert_true(other.fence > taken.fence);
    assert_int_equal(other.attempts, 2);
}

static void a_lease_that_ran_out_is_taken_with_a_higher_fence_and_the_place(void **state)
{
    struct fixture *f = *state;
    const struct comb_consumer_place place = {
        .cursor = {77, 12}, .epoch = 5, .rebuild = COMB_REBUILD_EXPIRED, .state = STR("st\0ate")};
    struct comb_lease_taken a, b;
    assert_true(take(f, "a", &holder_a, LONG_US, &a));
    assert_true(advance(f, a.fence, &place));
    assert_true(renew(f, a.fence, OVER_US));
    assert_true(is_free(f, "a"));
    assert_true(take(f, "a", &holder_b, LONG_US, &b));
    assert_true(b.fence > a.fence);
    assert_int_equal(b.attempts, 1);
    assert_int_equal(b.place.cursor.incarnation, 77);
    assert_int_equal(b.place.cursor.sequence, 12);
    assert_int_equal(b.place.epoch, 5);
    assert_int_equal(b.place.rebuild, COMB_REBUILD_EXPIRED);
    assert_true(comb_str_equal(b.place.state, STR("st\0ate")));
}

static void a_holder_of_before_writes_nothing(void **state)
{
    struct fixture *f = *state;
    const struct comb_consumer_place late = {.cursor = {77, 99}};
    const struct comb_consumer_aside aside = {.cursor = {77, 98}, .message = STR("late")};
    const struct comb_consumer_aside *asides;
    struct comb_error why;
    struct comb_lease_taken a, b;
    size_t n = 0;
    bool is_held = true;
    assert_true(take(f, "a", &holder_a, OVER_US, &a));
    assert_true(take(f, "a", &holder_b, LONG_US, &b));
    assert_false(advance(f, a.fence, &late));
    assert_false(renew(f, a.fence, LONG_US));
    must_ok(f->driver->set_aside(f->store, &f->t.ctx, STR("a"), a.fence, LONG_US, &late, &aside,
                                 &is_held, &f->t.err),
            &f->t.err);
    assert_false(is_held);
    comb_error_set(&why, COMB_INTERNAL, 0, "late");
    is_held = true;
    must_ok(f->driver->note(f->store, &f->t.ctx, STR("a"), a.fence, &why, &is_held, &f->t.err),
            &f->t.err);
    assert_false(is_held);
    is_held = true;
    must_ok(f->driver->release(f->store, &f->t.ctx, STR("a"), a.fence, &is_held, &f->t.err),
            &f->t.err);
    assert_false(is_held);
    must_ok(f->driver->list_aside(f->store, &f->t.ctx, STR("a"), (struct comb_cursor){0, 0}, 10,
                                  &asides, &n, &f->t.err),
            &f->t.err);
    assert_int_equal(n, 0);
    assert_int_equal(place_of(f).cursor.incarnation, 0);
    assert_true(renew(f, b.fence, LONG_US));
}

static void a_plan_of_a_holder_of_before_is_refused_as_a_whole(void **state)
{
    struct fixture *f = *state;
    const struct comb_consumer_place place = {.cursor = {77, 5}};
    struct comb_lease_taken a, b;
    assert_true(take(f, "a", &holder_a, LONG_US, &a));
    struct comb_plan held = {.kind = COMB_SQL_WRITE}, moves = {.kind = COMB_SQL_WRITE};
    must_ok(f->driver->plan_held(f->store, &f->t.ctx, &held, STR("a"), a.fence, &f->t.err),
            &f->t.err);
    must_ok(f->driver->plan_advance(f->store, &f->t.ctx, &moves, STR("a"), a.fence, LONG_US, &place,
                                    &f->t.err),
            &f->t.err);
    must_ok(run_plan(f, &held), &f->t.err);
    must_ok(run_plan(f, &moves), &f->t.err);
    assert_int_equal(place_of(f).cursor.sequence, 5);
    assert_true(renew(f, a.fence, OVER_US));
    must_fail(COMB_ABORTED, run_plan(f, &held), &f->t.err);
    assert_true(take(f, "a", &holder_b, LONG_US, &b));
    must_fail(COMB_ABORTED, run_plan(f, &held), &f->t.err);
    must_fail(COMB_ABORTED, run_plan(f, &moves), &f->t.err);
}

static void takings_count_until_the_place_moves(void **state)
{
    struct fixture *f = *state;
    const struct comb_consumer_place place = {.cursor = {77, 1}};
    struct comb_lease_taken taken;
    bool is_held = false;
    assert_true(take(f, "a", &holder_a, OVER_US, &taken));
    assert_true(take(f, "a", &holder_a, OVER_US, &taken));
    assert_true(take(f, "a", &holder_a, LONG_US, &taken));
    assert_int_equal(taken.attempts, 3);
    /* What is given back was no attempt. */
    must_ok(f->driver->release(f->store, &f->t.ctx, STR("a"), taken.fence, &is_held, &f->t.err),
            &f->t.err);
    assert_true(is_held);
    assert_true(is_free(f, "a"));
    assert_true(take(f, "a", &holder_a, LONG_US, &taken));
    assert_int_equal(taken.attempts, 3);
    assert_true(advance(f, taken.fence, &place));
    assert_true(renew(f, taken.fence, OVER_US));
    assert_true(take(f, "a", &holder_a, LONG_US, &taken));
    assert_int_equal(taken.attempts, 1);
    /* And one that is given back behind a move leaves none. */
    assert_true(advance(f, taken.fence, &place));
    must_ok(f->driver->release(f->store, &f->t.ctx, STR("a"), taken.fence, &is_held, &f->t.err),
            &f->t.err);
    assert_true(take(f, "a", &holder_a, LONG_US, &taken));
    assert_int_equal(taken.attempts, 1);
}

static void what_is_set_aside_is_listed_in_the_order_of_the_feed(void **state)
{
    struct fixture *f = *state;
    const struct comb_consumer_aside *asides;
    struct comb_lease_taken taken;
    bool is_held = false;
    size_t n = 0;
    assert_true(take(f, "a", &holder_a, LONG_US, &taken));
    for (uint64_t i = 1; i <= 3; i++) {
        const struct comb_consumer_place place = {.cursor = {77, i}};
        const struct comb_consumer_aside aside = {.cursor = {77, i},
                                                  .kind = COMB_FEED_USER,
                                                  .subject = {{(uint8_t)i}},
                                                  .revision = 10 + i,
                                                  .time_us = 1000 + (int64_t)i,
                                                  .code = COMB_DATA_LOSS,
                                                  .message = STR("torn \"in two\"")};
        must_ok(f->driver->set_aside(f->store, &f->t.ctx, STR("a"), taken.fence, LONG_US, &place,
                                     &aside, &is_held, &f->t.err),
                &f->t.err);
        assert_true(is_held);
    }
    must_ok(f->driver->list_aside(f->store, &f->t.ctx, STR("a"), (struct comb_cursor){77, 1}, 1,
                                  &asides, &n, &f->t.err),
            &f->t.err);
    assert_int_equal(n, 1);
    assert_int_equal(asides[0].cursor.sequence, 2);
    assert_int_equal(asides[0].kind, COMB_FEED_USER);
    assert_int_equal(asides[0].subject.bytes[0], 2);
    assert_int_equal(asides[0].revision, 12);
    assert_int_equal(asides[0].time_us, 1002);
    assert_true(asides[0].aside_us > 0);
    assert_int_equal(asides[0].code, COMB_DATA_LOSS);
    assert_true(comb_str_equal(asides[0].message, STR("torn \"in two\"")));
    assert_int_equal(place_of(f).cursor.sequence, 3);
    must_ok(f->driver->clear_aside(f->store, &f->t.ctx, STR("a"), taken.fence + 1, &f->t.err),
            &f->t.err);
    must_ok(f->driver->list_aside(f->store, &f->t.ctx, STR("a"), (struct comb_cursor){0, 0}, 10,
                                  &asides, &n, &f->t.err),
            &f->t.err);
    assert_int_equal(n, 3);
    must_ok(f->driver->clear_aside(f->store, &f->t.ctx, STR("a"), taken.fence, &f->t.err),
            &f->t.err);
    must_ok(f->driver->list_aside(f->store, &f->t.ctx, STR("a"), (struct comb_cursor){0, 0}, 10,
                                  &asides, &n, &f->t.err),
            &f->t.err);
    assert_int_equal(n, 0);
}

static struct comb_consumer_aside wanted(struct fixture *f, bool *ret_found)
{
    struct comb_consumer_aside aside = {.revision = 0};
    must_ok(f->driver->wanted_aside(f->store, &f->t.ctx, STR("a"), ret_found, &aside, &f->t.err),
            &f->t.err);
    return aside;
}

static size_t want(struct fixture *f, const struct comb_cursor *cursors, size_t n)
{
    size_t n_there = 999;
    must_ok(f->driver->want_aside(f->store, &f->t.ctx, STR("a"), cursors, n, &n_there, &f->t.err),
            &f->t.err);
    return n_there;
}

static bool mark(struct fixture *f, uint64_t fence, uint64_t sequence, bool is_wanted,
                 const struct comb_error *why)
{
    bool is_held = !why;
    must_ok(f->driver->mark_aside(f->store, &f->t.ctx, STR("a"), fence, STR("a"),
                                  (struct comb_cursor){77, sequence}, is_wanted, why, &is_held,
                                  &f->t.err),
            &f->t.err);
    return is_held;
}

static void put_off(struct fixture *f, uint64_t fence, uint64_t sequence, bool *ret_held,
                    bool *ret_kept)
{
    const struct comb_consumer_aside aside = {.cursor = {77, sequence},
                                              .kind = COMB_FEED_NODE_CREATED,
                                              .revision = sequence,
                                              .time_us = 4711,
                                              .code = COMB_DEADLINE_EXCEEDED,
                                              .message = STR("long")};
    *ret_held = *ret_kept = false;
    must_ok(f->driver->put_off(f->store, &f->t.ctx, STR("a"), fence, &aside, ret_held, ret_kept,
                               &f->t.err),
            &f->t.err);
}

static void what_is_put_off_waits_as_wanted_up_to_a_limit(void **state)
{
    struct fixture *f = *state;
    struct comb_lease_taken taken, helper;
    const struct comb_lease_info *leases;
    size_t n = 0;
    bool is_held = false, is_kept = false, found = false;
    assert_true(take(f, "a", &holder_a, LONG_US, &taken));
    assert_true(take(f, "b", &holder_b, LONG_US, &helper));
    put_off(f, taken.fence + 1, 1, &is_held, &is_kept);
    assert_false(is_held);
    for (int twice = 0; twice < 2; twice++) {
        put_off(f, taken.fence, 1, &is_held, &is_kept);
        assert_true(is_held && is_kept);
    }
    must_ok(f->driver->list(f->store, &f->t.ctx, &leases, &n, &f->t.err), &f->t.err);
    assert_int_equal(n, 2);
    assert_int_equal(leases[0].n_aside, 1);
    assert_int_equal(leases[0].n_wanted, 1);
    assert_int_equal(leases[0].wanted_us, 4711);
    assert_int_equal(leases[1].n_wanted, 0);
    const struct comb_sql_statement many = {
        .text = "INSERT INTO set_aside (name, incarnation, seq, kind, subject, rev, time_us,"
                " aside_us, code, message, wanted) WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL"
                " SELECT i + 1 FROM n WHERE i < 1000) SELECT s.name, s.incarnation, n.i, s.kind,"
                " s.subject, s.rev, s.time_us, s.aside_us, s.code, s.message, s.wanted"
                " FROM n, set_aside s WHERE s.seq = 1"};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &many, 1};
    const struct comb_sql_result *result;
    must_ok(comb_sql_run(f->sql, &f->t.ctx, &request, &result, &f->t.err), &f->t.err);
    put_off(f, taken.fence, COMB_CONSUMER_PUT_OFF_MAX + 1, &is_held, &is_kept);
    assert_true(is_held);
    assert_false(is_kept);
    /* Who helps forgets it, under his own lease. */
    must_ok(f->driver->handled(f->store, &f->t.ctx, STR("b"), helper.fence, STR("a"),
                               (struct comb_cursor){77, 1}, &is_held, &f->t.err),
            &f->t.err);
    assert_true(is_held);
    assert_int_equal(wanted(f, &found).cursor.sequence, 2);
    put_off(f, taken.fence, COMB_CONSUMER_PUT_OFF_MAX + 1, &is_held, &is_kept);
    assert_true(is_held && is_kept);
}

static void what_was_set_aside_is_wanted_marked_and_forgotten_by_its_holder_alone(void **state)
{
    struct fixture *f = *state;
    const struct comb_cursor some[] = {{77, 2}, {77, 4711}};
    struct comb_lease_taken taken;
    struct comb_error why;
    struct comb_plan plan = {.kind = COMB_SQL_WRITE};
    bool is_held = false, found = true;
    assert_true(take(f, "a", &holder_a, LONG_US, &taken));
    for (uint64_t i = 1; i <= 3; i++) {
        const struct comb_consumer_place place = {.cursor = {77, i}};
        const struct comb_consumer_aside aside = {
            .cursor = {77, i}, .kind = COMB_FEED_USER, .revision = i, .message = STR("no")};
        must_ok(f->driver->set_aside(f->store, &f->t.ctx, STR("a"), taken.fence, LONG_US, &place,
                                     &aside, &is_held, &f->t.err),
                &f->t.err);
    }
    wanted(f, &found);
    assert_false(found);
    assert_int_equal(want(f, some, 2), 1);
    assert_int_equal(wanted(f, &found).revision, 2);
    assert_true(found);
    assert_int_equal(want(f, NULL, 0), 3);
    assert_int_equal(wanted(f, &found).revision, 1);
    assert_true(mark(f, taken.fence, 1, false, NULL));
    struct comb_consumer_aside second = wanted(f, &found);
    assert_true(second.revision == 2 && second.is_wanted);
    comb_error_set(&why, COMB_DATA_LOSS, 0, "still torn");
    assert_false(mark(f, taken.fence + 1, 2, false, &why));
    assert_int_equal(wanted(f, &found).revision, 2);
    assert_true(mark(f, taken.fence, 2, true, &why));
    second = wanted(f, &found);
    assert_int_equal(second.code, COMB_DATA_LOSS);
    assert_true(comb_str_equal(second.message, STR("still torn")));
    must_ok(f->driver->handled(f->store, &f->t.ctx, STR("a"), taken.fence + 1, STR("a"),
                               second.cursor, &is_held, &f->t.err),
            &f->t.err);
    assert_false(is_held);
    must_ok(f->driver->handled(f->store, &f->t.ctx, STR("a"), taken.fence, STR("a"), second.cursor,
                               &is_held, &f->t.err),
            &f->t.err);
    assert_true(is_held);
    assert_int_equal(wanted(f, &found).revision, 3);
    must_ok(f->driver->plan_handled(f->store, &f->t.ctx, &plan, STR("a"), taken.fence,
                                    (struct comb_cursor){77, 3}, &f->t.err),
            &f->t.err);
    must_ok(run_plan(f, &plan), &f->t.err);
    wanted(f, &found);
    assert_false(found);
    assert_int_equal(want(f, NULL, 0), 1);
}

static void the_list_tells_who_holds_what_and_why_it_stands(void **state)
{
    struct fixture *f = *state;
    const struct comb_consumer_place place = {.cursor = {77, 4}};
    const struct comb_lease_info *leases;
    struct comb_lease_taken a, b;
    struct comb_error why;
    bool is_held = false;
    size_t n = 0;
    assert_true(take(f, "b", &holder_b, OVER_US, &b));
    assert_true(take(f, "a", &holder_a, LONG_US, &a));
    assert_true(advance(f, a.fence, &place));
    comb_error_set(&why, COMB_UNAVAILABLE, 0, "no \"store\"");
    must_ok(f->driver->note(f->store, &f->t.ctx, STR("a"), a.fence, &why, &is_held, &f->t.err),
            &f->t.err);
    assert_true(is_held);
    must_ok(f->driver->list(f->store, &f->t.ctx, &leases, &n, &f->t.err), &f->t.err);
    assert_int_equal(n, 2);
    assert_true(comb_str_equal(leases[0].name, STR("a")));
    assert_true(leases[0].expire_us > leases[0].advance_us);
    assert_true(leases[0].is_held && comb_uuid_equal(&leases[0].holder, &holder_a));
    assert_int_equal(leases[0].place.cursor.sequence, 4);
    assert_int_equal(leases[0].code, COMB_UNAVAILABLE);
    assert_true(comb_str_equal(leases[0].message, STR("no \"store\"")));
    assert_true(leases[0].fail_us > 0 && leases[0].advance_us > 0);
    assert_int_equal(leases[0].n_aside, 0);
    assert_false(leases[1].is_held);
    assert_int_equal(leases[1].place.rebuild, COMB_REBUILD_NEW);
    assert_true(leases[1].advance_us == 0 && leases[1].fail_us == 0);
    assert_true(advance(f, a.fence, &place));
    must_ok(f->driver->list(f->store, &f->t.ctx, &leases, &n, &f->t.err), &f->t.err);
    assert_int_equal(leases[0].code, COMB_OK);
    assert_int_equal(leases[0].fail_us, 0);
}

static void who_wants_it_anew_takes_it_away(void **state)
{
    struct fixture *f = *state;
    const struct comb_consumer_place place = {.cursor = {1, 4}, .epoch = 8};
    struct comb_lease_taken a, b;
    uint64_t epoch = 0;
    must_fail(COMB_NOT_FOUND,
              f->driver->begin_anew(f->store, &f->t.ctx, STR("a"), &epoch, &f->t.err), &f->t.err);
    assert_true(take(f, "a", &holder_a, LONG_US, &a));
    assert_true(advance(f, a.fence, &place));
    must_ok(f->driver->begin_anew(f->store, &f->t.ctx, STR("a"), &epoch, &f->t.err), &f->t.err);
    assert_int_equal(epoch, 8);
    assert_false(advance(f, a.fence, &place));
    assert_false(renew(f, a.fence, LONG_US));
    assert_true(is_free(f, "a"));
    assert_true(take(f, "a", &holder_b, LONG_US, &b));
    assert_true(b.fence > a.fence);
    assert_int_equal(b.attempts, 1);
    assert_int_equal(b.place.rebuild, COMB_REBUILD_REQUESTED);
    assert_true(b.place.epoch == 8 && b.place.cursor.incarnation == 0);
    /* Two are one: asked for, and under way. */
    must_ok(f->driver->begin_anew(f->store, &f->t.ctx, STR("a"), &epoch, &f->t.err), &f->t.err);
    assert_int_equal(epoch, 8);
    const struct comb_consumer_place under_way = {
        .cursor = {1, 9}, .epoch = 9, .rebuild = COMB_REBUILD_REQUESTED};
    assert_true(advance(f, b.fence, &under_way));
    must_ok(f->driver->begin_anew(f->store, &f->t.ctx, STR("a"), &epoch, &f->t.err), &f->t.err);
    assert_int_equal(epoch, 8);
    assert_true(renew(f, b.fence, LONG_US));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_who_comes_takes_it_and_nobody_else),
        TEST(what_the_dead_held_is_free),
        TEST(a_lease_that_ran_out_is_taken_with_a_higher_fence_and_the_place),
        TEST(a_holder_of_before_writes_nothing),
        TEST(a_plan_of_a_holder_of_before_is_refused_as_a_whole),
        TEST(takings_count_until_the_place_moves),
        TEST(what_is_set_aside_is_listed_in_the_order_of_the_feed),
        TEST(what_was_set_aside_is_wanted_marked_and_forgotten_by_its_holder_alone),
        TEST(what_is_put_off_waits_as_wanted_up_to_a_limit),
        TEST(who_wants_it_anew_takes_it_away),
        TEST(the_list_tells_who_holds_what_and_why_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
