/* SPDX-License-Identifier: Apache-2.0 */
/* What a decision rested on is repeated in the write (CONSISTENCY 1.2). */
#include "comb/v1/errors.grpcc.h"
#include "tests/contract/sql/mutation_fixture.h"

static void a_mutation_writes_all_of_its_plan(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct create create = {.m = m, .name = "a", .outcome = STR("outcome")};
    struct comb_request_key key = new_key("a");
    struct comb_outcome outcome;
    struct comb_feed_page page;
    uint64_t before = position_now(m);
    must_ok(run_create(&create, t, &key, &outcome), &t->err);
    assert_true(comb_str_equal(outcome.bytes, STR("outcome")));
    assert_false(outcome.replayed);
    assert_int_equal(create.attempts, 1);
    assert_int_equal(m->committed, 1);
    assert_int_equal(m->refreshed, 0);
    assert_int_equal(count_nodes(m), 1);
    assert_int_equal(number(m->f, "SELECT count(*) FROM request"), 1);
    struct comb_position reached = t->ctx.reached;
    assert_true(reached.incarnation == comb_sql_incarnation(m->f->sql));
    assert_true(reached.sequence > before && reached.sequence <= position_now(m));
    must_ok(comb_feed_read(m->f->sql, &t->ctx, (struct comb_cursor){reached.incarnation, 0}, 10,
                           &page, &t->err),
            &t->err);
    assert_int_equal(page.n, 1);
}

static void deny_on_folder(struct mutation_fixture *m)
{
    write_text(m, "UPDATE node SET acl_rev = acl_rev + 1 WHERE name = 'folder'");
}

static void a_deny_after_the_decision_is_seen(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct create create = {
        .m = m, .name = "a", .disturb = deny_on_folder, .disturb_until = 1, .must_allow = true};
    struct comb_request_key key = new_key("a");
    struct comb_outcome outcome = {.replayed = true};
    must_fail(COMB_PERMISSION_DENIED, run_create(&create, t, &key, &outcome), &t->err);
    assert_true(outcome.replayed);
    assert_int_equal(create.attempts, 2);
    assert_int_equal(m->refreshed, 1);
    assert_int_equal(m->committed, 0);
    assert_int_equal(count_nodes(m), 0);
    assert_int_equal(number(m->f, "SELECT count(*) FROM request"), 0);
    assert_int_equal(number(m->f, "SELECT count(*) FROM feed"), 0);
}

static void grant_elsewhere(struct mutation_fixture *m)
{
    write_text(m, "UPDATE node SET acl_rev = acl_rev + 1 WHERE name = 'other'");
    struct comb_uuid user = comb_uuid_new();
    insert_user(m, &user);
    write_text(m, "UPDATE \"user\" SET roles_rev = 2"
                  " WHERE id = (SELECT id FROM \"user\" ORDER BY id DESC LIMIT 1)");
}

static void an_unrelated_grant_sends_nobody_back(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct create create = {
        .m = m, .name = "a", .disturb = grant_elsewhere, .disturb_until = 1, .must_allow = true};
    struct comb_request_key key = new_key("a");
    struct comb_outcome outcome;
    must_ok(run_create(&create, t, &key, &outcome), &t->err);
    assert_int_equal(create.attempts, 1);
    assert_int_equal(m->refreshed, 0);
}

static void change_roles(struct mutation_fixture *m)
{
    write_text(m, "UPDATE \"user\" SET roles_rev = roles_rev + 1");
}

static void move_a_group(struct mutation_fixture *m)
{
    write_text(m, "UPDATE identity_state SET rights_rev = rights_rev + 1");
}

static void grant_on_root(struct mutation_fixture *m)
{
    write_text(m, "UPDATE node SET acl_rev = acl_rev + 1 WHERE name = 'root'");
}

static void each_thing_that_a_decision_rests_on_sends_it_back(void **state)
{
    void (*const disturbances[])(struct mutation_fixture *) = {deny_on_folder, grant_on_root,
                                                               change_roles, move_a_group};
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    for (size_t i = 0; i < N_OF(disturbances); i++) {
        char name[2] = {(char)('a' + i), '\0'};
        struct create create = {
            .m = m, .name = name, .disturb = disturbances[i], .disturb_until = 3};
        struct comb_request_key key = new_key(name);
        struct comb_outcome outcome;
        must_ok(run_create(&create, t, &key, &outcome), &t->err);
        assert_int_equal(create.attempts, 4);
    }
    assert_int_equal(count_nodes(m), N_OF(disturbances));
    assert_int_equal(m->refreshed, 3 * N_OF(disturbances));
}

static void move_folder_away(struct mutation_fixture *m)
{
    write_text(m, "UPDATE node SET parent = (SELECT id FROM node WHERE name = 'other')"
                  " WHERE name = 'folder'");
}

/* The facts of this test claim what is no longer so, for ever: a place that has changed is never
 * written to. */
static void a_moved_ancestor_is_seen(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct create create = {.m = m, .name = "a", .disturb = move_folder_away, .disturb_until = 1};
    struct comb_request_key key = new_key("a");
    struct comb_outcome outcome;
    must_fail(COMB_ABORTED, run_create(&create, t, &key, &outcome), &t->err);
    assert_int_equal(t->err.reason, COMB_V1_ERROR_REASON_CONTENTION);
    assert_true(t->err.retryable);
    assert_int_equal(create.attempts, COMB_MUTATION_ATTEMPTS);
    assert_int_equal(m->refreshed, COMB_MUTATION_ATTEMPTS - 1);
    write_text(m, "UPDATE node SET parent = (SELECT id FROM node WHERE name = 'root')"
                  " WHERE name = 'folder'");
    create = (struct create){.m = m, .name = "a"};
    must_ok(run_create(&create, t, &key, &outcome), &t->err);
    assert_int_equal(count_nodes(m), 1);
}

static void a_constraint_is_the_callers_error(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct create create = {.m = m, .name = "a"};
    struct comb_request_key first = new_key("a"), second = new_key("a");
    struct comb_outcome outcome;
    must_ok(run_create(&create, t, &first, &outcome), &t->err);
    must_fail(COMB_ALREADY_EXISTS, run_create(&create, t, &second, &outcome), &t->err);
    assert_int_equal(t->err.reason, COMB_V1_ERROR_REASON_NAME_TAKEN);
    assert_int_equal(create.attempts, 2);
    assert_int_equal(number(m->f, "SELECT count(*) FROM request"), 1);
    create = (struct create){.m = m, .name = "a", .unmapped = true};
    must_fail(COMB_ABORTED, run_create(&create, t, &second, &outcome), &t->err);
    assert_int_equal(t->err.reason, COMB_V1_ERROR_REASON_CONTENTION);
    assert_int_equal(create.attempts, COMB_MUTATION_ATTEMPTS);
}

static enum comb_status decide_badly(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                     struct comb_error *err)
{
    static char big[COMB_OUTCOME_MAX + 1];
    static const char text[] = "DELETE FROM node";
    (void)ctx;
    (void)err;
    plan->statements[plan->n_statements++] = (struct comb_sql_statement){.text = text};
    if (*(int *)data == 0)
        plan->kind = COMB_SQL_READ;
    else
        plan->kind = COMB_SQL_WRITE_LOCKED, plan->outcome = comb_str_of(big, sizeof big);
    return COMB_OK;
}

static void a_plan_that_breaks_the_rules_is_internal(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct comb_request_key key = new_key("a");
    struct comb_outcome outcome;
    for (int i = 0; i < 2; i++)
        must_fail(
            COMB_INTERNAL,
            comb_mutation_run(m->mutations, &t->ctx, &key, decide_badly, &i, &outcome, &t->err),
            &t->err);
    assert_int_equal(count_nodes(m), 0);
    assert_int_equal(number(m->f, "SELECT count(*) FROM request"), 0);
}

int run_suite_mutation(void)
{
    const struct CMUnitTest mutation[] = {
        MUTATION_TEST(a_mutation_writes_all_of_its_plan),
        MUTATION_TEST(a_deny_after_the_decision_is_seen),
        MUTATION_TEST(an_unrelated_grant_sends_nobody_back),
        MUTATION_TEST(each_thing_that_a_decision_rests_on_sends_it_back),
        MUTATION_TEST(a_moved_ancestor_is_seen),
        MUTATION_TEST(a_constraint_is_the_callers_error),
        MUTATION_TEST(a_plan_that_breaks_the_rules_is_internal),
    };
    return cmocka_run_group_tests(mutation, NULL, NULL);
}
