/* SPDX-License-Identifier: Apache-2.0 */
/* What comes into the trail, how often, who numbers it, and how it is found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comb/v1/audit.grpcc.h"
#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/mutation/plan.h"
#include "tests/contract/audit/trail.h"

static int64_t count(struct trail *f, const char *text)
{
    trail_next(f);
    return comb_sql_at(trail_ask(f, text), 0, 0)->integer;
}

#define LINES "SELECT count(*) FROM audit"
/* Longer than any test. */
#define LONG_US (600LL * COMB_US_PER_S)
#define ALL "SELECT (SELECT count(*) FROM audit) + (SELECT count(*) FROM audit_intake)"

/* ---- a mutation ---- */

struct change {
    struct comb_uuid subject;
    bool fails;
};

static enum comb_status decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                               struct comb_error *err)
{
    const struct change *change = data;
    (void)ctx;
    plan->kind = COMB_SQL_WRITE;
    plan->before = STR("user:eve read");
    plan->after = STR("user:eve deny");
    if (change->fails)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0, "not now");
    return comb_plan_tell(plan, COMB_FEED_NODE_PERMISSIONS, &change->subject, 3, err);
}

static struct comb_audit_page query(struct trail *f, const struct comb_audit_filter *filter,
                                    size_t size)
{
    struct comb_audit_page page;
    const struct comb_audit_place newest = {0};
    trail_next(f);
    must_ok(comb_audit_query(f->audit, &f->t.ctx, filter, &newest, size, &page, &f->t.err),
            &f->t.err);
    return page;
}

static void a_change_and_its_record_are_one(void **state)
{
    struct trail *f = *state;
    struct comb_mutations *mutations;
    struct comb_outcome outcome;
    struct change change = {.subject = {{5, 5}}};
    struct comb_request_key key = {.id = comb_uuid_new()};
    must_ok(comb_mutations_new(f->sql, &mutations, &f->t.err), &f->t.err);
    must_ok(comb_mutation_run(mutations, &f->t.ctx, &key, decide, &change, &outcome, &f->t.err),
            &f->t.err);
    assert_int_equal(count(f, ALL), 1);
    /* A repetition writes none, nor does what was refused. */
    must_ok(comb_mutation_run(mutations, &f->t.ctx, &key, decide, &change, &outcome, &f->t.err),
            &f->t.err);
    assert_true(outcome.replayed);
    change.fails = true;
    key.id = comb_uuid_new();
    must_fail(COMB_FAILED_PRECONDITION,
              comb_mutation_run(mutations, &f->t.ctx, &key, decide, &change, &outcome, &f->t.err),
              &f->t.err);
    comb_mutations_free(mutations);
    trail_settle(f);
    assert_int_equal(count(f, ALL), 1);
    const struct comb_audit_filter filter = {.node = &change.subject};
    struct comb_audit_page page = query(f, &filter, 10);
    assert_int_equal(page.n, 1);
    const struct comb_v1_audit_record *record = page.entries[0].record;
    assert_int_equal(record->kind, COMB_V1_AUDIT_KIND_CHANGE);
    assert_int_equal(page.entries[0].result, COMB_V1_AUDIT_RESULT_DONE);
    assert_string_equal(record->login, "ada");
    assert_string_equal(record->method, "/comb.v1.Config/Set");
    assert_string_equal(record->peer, "ipv4:192.0.2.7:4711");
    assert_string_equal(record->before, "user:eve read");
    assert_string_equal(record->after, "user:eve deny");
    trail_must_be(f, COMB_AUDIT_WHOLE, 0, 0);
}

/* ---- intents ---- */

static void an_intent_is_unknown_until_its_outcome(void **state)
{
    struct trail *f = *state;
    struct comb_uuid first, second;
    const struct comb_audit_target target = {"path", STR("/a")};
    const struct comb_audit_filter intents = {.kinds = 1u << COMB_V1_AUDIT_KIND_INTENT};
    must_ok(comb_audit_intend(f->audit, &f->t.ctx, STR("r"), &target, 1, &first, &f->t.err),
            &f->t.err);
    must_ok(comb_audit_intend(f->audit, &f->t.ctx, STR("r"), &target, 1, &second, &f->t.err),
            &f->t.err);
    comb_audit_conclude(f->audit, &f->t.ctx, &first, COMB_ABORTED, COMB_V1_ERROR_REASON_CONTENTION);
    trail_settle(f);
    struct comb_audit_page page = query(f, &intents, 10);
    assert_int_equal(page.n, 2);
    for (size_t i = 0; i < 2; i++) {
        char id[COMB_UUID_TEXT_LENGTH + 1];
        comb_uuid_format(&first, id);
        bool is_first = strcmp(page.entries[i].record->id, id) == 0;
        assert_int_equal(page.entries[i].result,
                         is_first ? COMB_V1_AUDIT_RESULT_FAILED : COMB_V1_AUDIT_RESULT_UNKNOWN);
        assert_string_equal(page.entries[i].record->targets[0]->id, "/a");
    }
    const struct comb_audit_filter outcomes = {.kinds = 1u << COMB_V1_AUDIT_KIND_OUTCOME,
                                               .result = COMB_V1_AUDIT_RESULT_FAILED};
    page = query(f, &outcomes, 10);
    assert_int_equal(page.n, 1);
    assert_string_equal(page.entries[0].record->reason, "CONTENTION");
    const struct comb_audit_filter unknown = {.result = COMB_V1_AUDIT_RESULT_UNKNOWN};
    assert_int_equal(query(f, &unknown, 10).n, 1);
}

/* ---- refusals ---- */

static void refusals_of_one_kind_are_one_record(void **state)
{
    struct trail *f = *state;
    f->t.ctx.method = STR("/comb.v1.Vault/Get");
    for (int i = 0; i < 1000; i++)
        comb_audit_refuse(f->audit, &f->t.ctx, COMB_PERMISSION_DENIED,
                          COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY);
    trail_settle(f);
    const struct comb_audit_filter refusals = {.kinds = 1u << COMB_V1_AUDIT_KIND_REFUSAL};
    struct comb_audit_page page = query(f, &refusals, 100);
    uint64_t n = 0;
    for (size_t i = 0; i < page.n; i++) {
        n += page.entries[i].record->count;
        assert_int_equal(page.entries[i].result, COMB_V1_AUDIT_RESULT_FAILED);
        assert_string_equal(page.entries[i].record->reason, "ADMINISTRATOR_ONLY");
    }
    assert_int_equal(n, 1000);
    /* One where the thread looked in between, and one at the end. */
    assert_in_range(page.n, 1, 2);
}

static void nobody_fills_the_trail_with_refusals(void **state)
{
    struct trail *f = *state;
    char login[32], peer[64];
    f->t.ctx.method = STR("/comb.v1.Auth/Login");
    f->t.ctx.principal = NULL;
    for (int i = 0; i < 20000; i++) {
        snprintf(login, sizeof login, "user-%d", i);
        snprintf(peer, sizeof peer, "ipv4:192.0.2.%d:%d", i % 256, i);
        f->t.ctx.claimed_login = comb_str_from(login);
        f->t.ctx.peer = comb_str_from(peer);
        comb_audit_refuse(f->audit, &f->t.ctx, COMB_UNAUTHENTICATED,
                          COMB_V1_ERROR_REASON_CREDENTIALS_INVALID);
    }
    f->t.ctx.principal = &f->t.principal;
    trail_settle(f);
    const struct comb_audit_filter refusals = {.kinds = 1u << COMB_V1_AUDIT_KIND_REFUSAL};
    struct comb_audit_page page = query(f, &refusals, 1000);
    uint64_t n = 0;
    for (size_t i = 0; i < page.n; i++)
        n += page.entries[i].record->count;
    assert_int_equal(n, 20000);
    /* Each row of the table once in a window, and all again at the end. */
    assert_in_range(page.n, COMB_AUDIT_REFUSALS_MAX, 2 * (COMB_AUDIT_REFUSALS_MAX + 1));
    trail_must_be(f, COMB_AUDIT_WHOLE, 0, 0);
}

/* ---- finding ---- */

static void pages_give_each_record_once(void **state)
{
    struct trail *f = *state;
    struct comb_audit_place place = {0};
    const struct comb_audit_filter filter = {.method = STR("/comb.v1.Config/")};
    enum { N = 37, SIZE = 5 };
    bool seen[N + 1] = {false};
    size_t n = 0;
    int64_t last_us = INT64_MAX;
    trail_add(f, N);
    trail_settle(f);
    do {
        struct comb_audit_page page;
        trail_next(f);
        must_ok(comb_audit_query(f->audit, &f->t.ctx, &filter, &place, SIZE, &page, &f->t.err),
                &f->t.err);
        for (size_t i = 0; i < page.n; i++, n++) {
            assert_in_range(page.entries[i].n, 1, N);
            assert_false(seen[page.entries[i].n]);
            seen[page.entries[i].n] = true;
        }
        place = page.next;
        assert_true(place.time_us <= last_us);
        last_us = place.time_us;
    } while (!comb_audit_place_is_none(&place));
    assert_int_equal(n, N);
}

static void following_gives_what_comes_behind(void **state)
{
    struct trail *f = *state;
    struct comb_audit_page page;
    const struct comb_audit_filter all = {0}, others = {.method = STR("/comb.v1.Tree/Move")};
    uint64_t last = 0;
    trail_add(f, 9);
    trail_settle(f);
    must_ok(comb_audit_follow(f->audit, &f->t.ctx, &all, 4, 3, &page, &last, &f->t.err), &f->t.err);
    assert_int_equal(page.n, 3);
    assert_int_equal(page.entries[0].n, 5);
    assert_int_equal(last, 7);
    /* What does not match is passed. */
    must_ok(comb_audit_follow(f->audit, &f->t.ctx, &others, 4, 3, &page, &last, &f->t.err),
            &f->t.err);
    assert_int_equal(page.n, 0);
    assert_int_equal(last, 9);
}

static void users_see_their_own(void **state)
{
    struct trail *f = *state;
    const struct comb_uuid me = f->t.principal.user, other = {{8}};
    const struct comb_audit_filter all = {0}, of_other = {.user = &other};
    struct comb_audit_page page;
    trail_add(f, 4);
    f->t.principal.user = other;
    trail_add(f, 2);
    trail_settle(f);
    assert_int_equal(query(f, &all, 10).n, 6);
    assert_int_equal(query(f, &of_other, 10).n, 2);
    f->t.principal.user = me;
    f->t.principal.administrator = false;
    assert_int_equal(query(f, &all, 10).n, 4);
    const struct comb_audit_place newest = {0};
    must_fail(COMB_PERMISSION_DENIED,
              comb_audit_query(f->audit, &f->t.ctx, &of_other, &newest, 10, &page, &f->t.err),
              &f->t.err);
}

/* ---- who numbers ---- */

static void two_replicas_number_each_record_once(void **state)
{
    struct trail *f = *state;
    struct comb_audit *second;
    struct comb_audit_parts parts = trail_parts(f);
    enum { ROUNDS = 20, EACH = 10 };
    parts.poll_ms = 5;
    trail_settle_with(f, &parts);
    must_ok(comb_audit_new(&parts, &second, &f->t.err), &f->t.err);
    must_ok(comb_audit_start(second, &f->t.err), &f->t.err);
    for (int i = 0; i < ROUNDS; i++) {
        trail_add(f, EACH);
        comb_audit_wake(i % 2 ? second : f->audit);
        trail_next(f);
    }
    comb_audit_stop(f->audit);
    comb_audit_free(second);
    trail_settle(f);
    assert_int_equal(count(f, LINES), ROUNDS * EACH);
    assert_int_equal(count(f, "SELECT count(DISTINCT id) FROM audit"), ROUNDS * EACH);
    assert_int_equal(count(f, "SELECT max(n) FROM audit"), ROUNDS * EACH);
    trail_must_be(f, COMB_AUDIT_WHOLE, 0, 0);
}

/* Who held the lease before: what he still sends writes nothing. */
static void a_holder_of_before_numbers_nothing(void **state)
{
    struct trail *f = *state;
    struct comb_consumers_store *leases = f->leases;
    const struct comb_uuid old_holder = {{1}}, new_holder = {{2}};
    const struct comb_audit_pending *records;
    struct comb_lease_taken old, new;
    struct comb_audit_end end;
    size_t n = 0, n_waiting = 0;
    int64_t oldest_us = 0;
    bool found = false, held = true;
    comb_audit_stop(f->audit);
    must_ok(leases->driver->take(leases, &f->t.ctx, STR(COMB_AUDIT_LEASE_NAME), &old_holder, 0,
                                 &found, &old, &f->t.err),
            &f->t.err);
    assert_true(found);
    trail_add(f, 1);
    must_ok(f->store->driver->pending(f->store, &f->t.ctx, 10, &records, &n, &f->t.err), &f->t.err);
    must_ok(f->store->driver->end(f->store, &f->t.ctx, &end, &f->t.err), &f->t.err);
    assert_int_equal(n, 1);
    must_ok(comb_audit_lag(f->audit, &f->t.ctx, 10, &n_waiting, &oldest_us, &f->t.err), &f->t.err);
    assert_int_equal(n_waiting, 1);
    assert_int_equal(oldest_us / 1000, comb_uuid_time_ms(&records[0].id));
    struct comb_audit_row row = {.line = {.n = end.n + 1, .time_us = 1}};
    struct comb_plan plan = {.kind = COMB_SQL_WRITE};
    must_ok(leases->driver->take(leases, &f->t.ctx, STR(COMB_AUDIT_LEASE_NAME), &new_holder,
                                 LONG_US, &found, &new, &f->t.err),
            &f->t.err);
    assert_true(found && new.fence > old.fence);
    must_ok(leases->driver->plan_held(leases, &f->t.ctx, &plan, STR(COMB_AUDIT_LEASE_NAME),
                                      old.fence, &f->t.err),
            &f->t.err);
    must_ok(f->store->driver->plan_append(f->store, &f->t.ctx, &plan, &end, records, &row, 1,
                                          &f->t.err),
            &f->t.err);
    must_ok(f->store->driver->commit(f->store, &f->t.ctx, &plan, &held, &f->t.err), &f->t.err);
    assert_false(held);
    assert_int_equal(count(f, LINES), 0);
    /* The next holder does it. */
    must_ok(leases->driver->release(leases, &f->t.ctx, STR(COMB_AUDIT_LEASE_NAME), new.fence, &held,
                                    &f->t.err),
            &f->t.err);
    assert_true(held);
    trail_settle(f);
    trail_settle(f);
    assert_int_equal(count(f, LINES), 1);
    trail_must_be(f, COMB_AUDIT_WHOLE, 0, 0);
}

int main(void)
{
#define TRAIL_TEST(name) cmocka_unit_test_setup_teardown(name, trail_setup, trail_teardown)
    const struct CMUnitTest tests[] = {
        TRAIL_TEST(a_change_and_its_record_are_one),
        TRAIL_TEST(an_intent_is_unknown_until_its_outcome),
        TRAIL_TEST(refusals_of_one_kind_are_one_record),
        TRAIL_TEST(nobody_fills_the_trail_with_refusals),
        TRAIL_TEST(pages_give_each_record_once),
        TRAIL_TEST(following_gives_what_comes_behind),
        TRAIL_TEST(users_see_their_own),
        TRAIL_TEST(two_replicas_number_each_record_once),
        TRAIL_TEST(a_holder_of_before_numbers_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
