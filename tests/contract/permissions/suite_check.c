/* SPDX-License-Identifier: Apache-2.0 */
/* Check and its explanations. */
#include <pthread.h>

#include "tests/contract/permissions/fixture.h"

#define FOLDER COMB_V1_NODE_KIND_FOLDER
#define READ COMB_V1_RIGHTS_READ
#define WRITE COMB_V1_RIGHTS_WRITE
#define READ_WRITE COMB_V1_RIGHTS_READ_WRITE
#define DENY COMB_V1_RIGHTS_DENY

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    enum comb_status status;
};

static void waiting_done(void *data, enum comb_status status, const struct comb_error *err)
{
    struct waiting *waiting = data;
    (void)err;
    pthread_mutex_lock(&waiting->lock);
    waiting->status = status;
    waiting->done = true;
    pthread_cond_signal(&waiting->changed);
    pthread_mutex_unlock(&waiting->lock);
}

/* The caller of ctx about himself. */
static enum comb_status check_own(struct rights_fixture *fixture, const struct comb_uuid *node,
                                  int rights, struct comb_permissions_answer *ret_answer)
{
    struct waiting waiting = {.lock = PTHREAD_MUTEX_INITIALIZER,
                              .changed = PTHREAD_COND_INITIALIZER};
    struct comb_ctx *ctx = &fixture->f->test.ctx;
    struct comb_permissions_question question = {
        .node = by_id(ctx, node), .rights = rights, .explain = true};
    comb_permissions_check_start(fixture->permissions, ctx, &question, ret_answer, waiting_done,
                                 &waiting);
    pthread_mutex_lock(&waiting.lock);
    while (!waiting.done) {
        pthread_cond_wait(&waiting.changed, &waiting.lock);
    }
    pthread_mutex_unlock(&waiting.lock);
    return waiting.status;
}

static void steps_say_what_decided(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid role = fixture_role(f, "role", false);
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    struct comb_uuid b = fixture_create(f, &a, "b", FOLDER).id;
    fixture_add_role(f, &f->user, &role, 0);
    fixture_grant(f, &f->root, &comb_role_everybody, READ);
    fixture_grant(f, &a, &role, READ_WRITE);
    fixture_grant(f, &a, &f->user, READ);
    fixture_grant(f, &a, &f->owner, READ_WRITE); /* concerns somebody else */
    struct comb_permissions_answer answer;
    call_as(fixture, &f->user);
    assert_int_equal(check_own(fixture, &b, WRITE, &answer), COMB_OK);
    assert_false(answer.allowed);
    assert_int_equal(answer.rights, READ);
    assert_true(comb_uuid_equal(&answer.user, &f->user));
    assert_true(answer.reason[0] != '\0');
    assert_int_equal(answer.n_steps, 3);
    assert_true(comb_uuid_equal(&answer.steps[0].node->id, &b));
    assert_int_equal(answer.steps[0].n_entries, 0);
    assert_false(answer.steps[0].decided);
    assert_true(comb_uuid_equal(&answer.steps[1].node->id, &a));
    assert_int_equal(answer.steps[1].n_entries, 2);
    assert_true(comb_uuid_equal(&answer.steps[1].entries[0].role, &role));
    assert_true(comb_uuid_equal(&answer.steps[1].entries[1].role, &f->user)); /* the last one won */
    assert_true(answer.steps[1].decided);
    assert_false(answer.steps[2].decided);
    assert_int_equal(check_own(fixture, &b, READ, &answer), COMB_OK);
    assert_true(answer.allowed);
    assert_int_equal(check_own(fixture, &b, READ_WRITE, &answer), COMB_OK);
    assert_false(answer.allowed);
}

static void hidden_nodes_are_not_checked(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    struct comb_permissions_answer answer;
    call_as(fixture, &f->user);
    assert_int_equal(check_own(fixture, &a, READ, &answer), COMB_NOT_FOUND);
}

/* ben may read a folder below one that he may not: he is not told of that one. */
static void ancestors_out_of_sight_are_left_out(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid a = fixture_create(f, &f->root, "secret", FOLDER).id;
    struct comb_uuid b = fixture_create(f, &a, "b", FOLDER).id;
    fixture_grant(f, &b, &f->user, READ);
    struct comb_permissions_answer answer;
    call_as(fixture, &f->user);
    assert_int_equal(check_own(fixture, &b, READ, &answer), COMB_OK);
    assert_int_equal(answer.n_steps, 1);
    assert_true(answer.steps[0].decided);
}

static void managers_check_others(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    fixture_grant(f, &f->root, &f->owner, READ_WRITE);
    fixture_grant(f, &a, &f->user, READ);
    struct comb_permissions_answer answer;
    struct comb_ctx *ctx = call_as(fixture, &f->owner);
    struct comb_permissions_question question = {
        .node = by_id(ctx, &a), .rights = READ, .explain = true};
    must_ok(comb_permissions_check_user(fixture->permissions, ctx, &question, STR("ben"), &answer,
                                        &f->test.err),
            &f->test.err);
    assert_true(answer.allowed);
    assert_int_equal(answer.rights, READ);
    assert_true(comb_uuid_equal(&answer.user, &f->user));
    assert_int_equal(answer.n_steps, 1);
    assert_true(answer.steps[0].decided);
    /* A deny above refuses, and is what decided. */
    fixture_grant(f, &f->root, &comb_role_everybody, DENY);
    ctx = call_as(fixture, &f->owner);
    question.node = by_id(ctx, &a);
    must_ok(comb_permissions_check_user(fixture->permissions, ctx, &question, STR("ben"), &answer,
                                        &f->test.err),
            &f->test.err);
    assert_false(answer.allowed);
    assert_int_equal(answer.rights, 0);
    assert_int_equal(answer.n_steps, 2);
    assert_true(answer.steps[1].decided);
    /* ben may ask about himself, and about nobody else. */
    ctx = call_as(fixture, &f->user);
    question.node = by_id(ctx, &a);
    must_fail(COMB_NOT_FOUND,
              comb_permissions_check_user(fixture->permissions, ctx, &question, STR("anna"),
                                          &answer, &f->test.err),
              &f->test.err);
    fixture_grant(f, &f->root, &comb_role_everybody, 0);
    ctx = call_as(fixture, &f->user);
    question.node = by_id(ctx, &a);
    must_ok(comb_permissions_check_user(fixture->permissions, ctx, &question, STR("ben"), &answer,
                                        &f->test.err),
            &f->test.err);
    assert_true(answer.allowed);
    must_fail(COMB_PERMISSION_DENIED,
              comb_permissions_check_user(fixture->permissions, ctx, &question, STR("anna"),
                                          &answer, &f->test.err),
              &f->test.err);
}

static void administrators_are_explained(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_permissions_answer answer;
    fixture_make_administrator(f, &f->user);
    call_as(fixture, &f->user);
    assert_int_equal(check_own(fixture, &f->root, READ_WRITE, &answer), COMB_OK);
    assert_true(answer.allowed);
    assert_non_null(strstr(answer.reason, "administrator"));
}

static void scopes_are_explained(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_permissions_answer answer;
    struct comb_scope scope = {.node = f->root, .rights = READ};
    fixture_grant(f, &f->root, &f->user, READ_WRITE);
    call_scoped(fixture, &f->user, &scope, 1);
    assert_int_equal(check_own(fixture, &f->root, WRITE, &answer), COMB_OK);
    assert_false(answer.allowed);
    assert_int_equal(answer.rights, READ);
    assert_non_null(strstr(answer.reason, "scope"));
}

int run_suite_check(void)
{
    const struct CMUnitTest tests[] = {
        RIGHTS_TEST(steps_say_what_decided),
        RIGHTS_TEST(hidden_nodes_are_not_checked),
        RIGHTS_TEST(ancestors_out_of_sight_are_left_out),
        RIGHTS_TEST(managers_check_others),
        RIGHTS_TEST(administrators_are_explained),
        RIGHTS_TEST(scopes_are_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
