/* SPDX-License-Identifier: Apache-2.0 */
/* Personal access tokens: what they reach, and their end. */
#include "comb/v1/errors.grpcc.h"
#include "comb/v1/node.grpcc.h"
#include "server/core/clock.h"
#include "server/core/limits.h"
#include "tests/support/areas.h"

struct fixture {
    struct test_areas areas;
    struct test_ctx admin, anna;
    struct comb_uuid root; /* of anna's personal workspace */
};

static int setup(void **state)
{
    static struct fixture f;
    struct comb_workspace_view view;
    test_areas_init(&f.areas);
    test_areas_ctx(&f.areas, &f.admin, "admin");
    test_areas_user(&f.areas, &f.admin, "anna");
    test_areas_ctx(&f.areas, &f.anna, "anna");
    must_ok(
        comb_workspaces_get(f.areas.workspaces, &f.anna.ctx, STR("personal"), &view, &f.anna.err),
        &f.anna.err);
    f.root = view.workspace.roots[0];
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    test_ctx_done(&f->anna);
    test_ctx_done(&f->admin);
    test_areas_done(&f->areas);
    return 0;
}

static void must_refuse(struct test_ctx *t, enum comb_status expected, int reason,
                        enum comb_status status)
{
    must_fail(expected, status, &t->err);
    assert_int_equal(t->err.reason, reason);
}

static enum comb_status create(struct fixture *f, struct test_ctx *as,
                               const struct comb_scope *scopes, size_t n,
                               struct comb_auth_token *ret_token)
{
    const struct comb_auth_new_token input = {
        .label = STR("a program"), .scopes = scopes, .n_scopes = n};
    const struct comb_request_key key = test_key();
    return comb_auth_create_token(f->areas.auth, &as->ctx, &key, &input, ret_token, &as->err);
}

/* Makes what follows be called with the token. */
static const struct comb_principal *act_with(struct fixture *f, struct test_ctx *t, comb_str token)
{
    const struct comb_principal *principal = NULL;
    must_ok(comb_auth_authenticate(f->areas.auth, &t->ctx, token, &principal, &t->err), &t->err);
    t->ctx.principal = principal;
    return principal;
}

static void a_token_stands_for_its_user(void **state)
{
    struct fixture *f = *state;
    struct comb_auth_token token;
    must_ok(create(f, &f->admin, NULL, 0, &token), &f->admin.err);
    assert_true(comb_str_starts_with(token.text, STR("comb_pat_")));
    const struct comb_principal *principal = act_with(f, &f->anna, token.text);
    assert_true(comb_uuid_equal(&principal->user, &f->admin.principal.user));
    assert_true(comb_uuid_equal(&principal->token, &token.id));
    assert_true(principal->administrator);
    assert_int_equal(principal->expire_us, token.expire_us);
    assert_int_equal((token.expire_us - comb_clock_wall_us() + COMB_US_PER_S) / COMB_US_PER_S,
                     COMB_AUTH_TOKEN_S);
}

static void a_repeated_request_gives_the_same_token(void **state)
{
    struct fixture *f = *state;
    const struct comb_auth_new_token input = {.label = STR("a program")};
    const struct comb_request_key key = test_key();
    struct comb_auth_token first, again;
    must_ok(comb_auth_create_token(f->areas.auth, &f->anna.ctx, &key, &input, &first, &f->anna.err),
            &f->anna.err);
    must_ok(comb_auth_create_token(f->areas.auth, &f->anna.ctx, &key, &input, &again, &f->anna.err),
            &f->anna.err);
    assert_true(comb_str_equal(first.text, again.text));
    assert_true(comb_uuid_equal(&first.id, &again.id));
    act_with(f, &f->anna, again.text);
}

static void a_damaged_token_is_refused(void **state)
{
    struct fixture *f = *state;
    struct comb_auth_token token;
    must_ok(create(f, &f->anna, NULL, 0, &token), &f->anna.err);
    char *copy = comb_str_dup(f->anna.ctx.arena, token.text);
    assert_non_null(copy);
    for (size_t i = 0; i < token.text.len; i++) {
        const struct comb_principal *principal;
        copy[i] ^= 1;
        must_refuse(&f->anna, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_INVALID,
                    comb_auth_authenticate(f->areas.auth, &f->anna.ctx,
                                           comb_str_of(copy, token.text.len), &principal,
                                           &f->anna.err));
        copy[i] ^= 1;
    }
}

static void scopes_come_back_as_given(void **state)
{
    struct fixture *f = *state;
    const struct comb_scope scopes[] = {{.node = f->root, .rights = COMB_V1_RIGHTS_READ},
                                        {.rights = COMB_V1_RIGHTS_WRITE}};
    struct comb_auth_token token;
    must_ok(create(f, &f->admin, scopes, 2, &token), &f->admin.err);
    const struct comb_principal *principal = act_with(f, &f->anna, token.text);
    assert_int_equal(principal->n_scopes, 2);
    assert_true(comb_uuid_equal(&principal->scopes[0].node, &f->root));
    assert_int_equal(principal->scopes[0].rights, COMB_V1_RIGHTS_READ);
    assert_true(comb_uuid_is_nil(&principal->scopes[1].node));
    assert_false(principal->administrator);
}

static void a_scoped_token_makes_no_wider_one(void **state)
{
    struct fixture *f = *state;
    const struct comb_scope read = {.node = f->root, .rights = COMB_V1_RIGHTS_READ};
    struct comb_auth_token token, next;
    must_ok(create(f, &f->anna, &read, 1, &token), &f->anna.err);
    act_with(f, &f->anna, token.text);
    const struct comb_scope write = {.node = f->root, .rights = COMB_V1_RIGHTS_READ_WRITE};
    const struct comb_scope everywhere = {.rights = COMB_V1_RIGHTS_READ};
    must_refuse(&f->anna, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_SCOPE_EXCEEDED,
                create(f, &f->anna, NULL, 0, &next));
    must_refuse(&f->anna, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_SCOPE_EXCEEDED,
                create(f, &f->anna, &write, 1, &next));
    must_refuse(&f->anna, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_SCOPE_EXCEEDED,
                create(f, &f->anna, &everywhere, 1, &next));
    must_ok(create(f, &f->anna, &read, 1, &next), &f->anna.err);
    /* And none that lives longer. */
    const struct comb_auth_new_token longer = {.label = STR("x"),
                                               .expire_us = token.expire_us + COMB_US_PER_S,
                                               .scopes = &read,
                                               .n_scopes = 1};
    const struct comb_request_key key = test_key();
    must_refuse(
        &f->anna, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_SCOPE_EXCEEDED,
        comb_auth_create_token(f->areas.auth, &f->anna.ctx, &key, &longer, &next, &f->anna.err));
    assert_true(next.expire_us <= token.expire_us);
}

static void a_scope_is_a_node_that_the_caller_sees(void **state)
{
    struct fixture *f = *state;
    struct comb_workspace_view view;
    must_ok(comb_workspaces_get(f->areas.workspaces, &f->admin.ctx, STR("personal"), &view,
                                &f->admin.err),
            &f->admin.err);
    const struct comb_scope hidden = {.node = view.workspace.roots[0],
                                      .rights = COMB_V1_RIGHTS_READ};
    const struct comb_scope missing = {.node = comb_uuid_new(), .rights = COMB_V1_RIGHTS_READ};
    const struct comb_scope nothing = {.node = f->root, .rights = 0};
    const struct comb_scope deny = {.node = f->root, .rights = COMB_V1_RIGHTS_DENY};
    struct comb_auth_token token;
    must_refuse(&f->anna, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_NODE_NOT_FOUND,
                create(f, &f->anna, &hidden, 1, &token));
    must_refuse(&f->anna, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_NODE_NOT_FOUND,
                create(f, &f->anna, &missing, 1, &token));
    must_refuse(&f->anna, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_FIELD_INVALID,
                create(f, &f->anna, &nothing, 1, &token));
    must_refuse(&f->anna, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_FIELD_INVALID,
                create(f, &f->anna, &deny, 1, &token));
    struct comb_scope many[COMB_TOKEN_SCOPES_MAX + 1];
    for (size_t i = 0; i <= COMB_TOKEN_SCOPES_MAX; i++)
        many[i] = (struct comb_scope){.node = f->root, .rights = COMB_V1_RIGHTS_READ};
    must_refuse(&f->anna, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_FIELD_INVALID,
                create(f, &f->anna, many, COMB_TOKEN_SCOPES_MAX + 1, &token));
    must_ok(create(f, &f->anna, many, COMB_TOKEN_SCOPES_MAX, &token), &f->anna.err);
}

static void a_token_has_an_end_and_a_label(void **state)
{
    struct fixture *f = *state;
    const int64_t now_us = comb_clock_wall_us();
    const struct comb_auth_new_token wrong[] = {
        {.label = STR("")},
        {.label = STR("x"), .expire_us = now_us - 1},
        {.label = STR("x"), .expire_us = now_us + (COMB_AUTH_TOKEN_MAX_S + 60) * COMB_US_PER_S},
    };
    struct comb_auth_token token;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct comb_request_key key = test_key();
        must_refuse(&f->anna, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_FIELD_INVALID,
                    comb_auth_create_token(f->areas.auth, &f->anna.ctx, &key, &wrong[i], &token,
                                           &f->anna.err));
    }
}

static enum comb_status revoke(struct fixture *f, struct test_ctx *as, const struct comb_uuid *id)
{
    const struct comb_request_key key = test_key();
    return comb_auth_revoke_token(f->areas.auth, &as->ctx, &key, id, &as->err);
}

static void must_be_revoked(struct fixture *f, const struct comb_auth_token *token)
{
    const struct comb_principal *principal;
    f->admin.ctx.strong = true;
    must_ok(comb_facts_sync_wait(f->areas.facts, &f->admin.ctx, &f->admin.err), &f->admin.err);
    f->admin.ctx.strong = false;
    must_refuse(&f->admin, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_REVOKED,
                comb_auth_authenticate(f->areas.auth, &f->admin.ctx, token->text, &principal,
                                       &f->admin.err));
}

static void tokens_are_revoked_by_who_may(void **state)
{
    struct fixture *f = *state;
    struct comb_auth_token own, admins, third;
    must_ok(create(f, &f->anna, NULL, 0, &own), &f->anna.err);
    must_ok(create(f, &f->anna, NULL, 0, &third), &f->anna.err);
    must_ok(create(f, &f->admin, NULL, 0, &admins), &f->admin.err);
    act_with(f, &f->anna, own.text);
    must_refuse(&f->anna, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_TOKEN_NOT_FOUND,
                revoke(f, &f->anna, &admins.id));
    const struct comb_uuid unknown = comb_uuid_new();
    must_refuse(&f->anna, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_TOKEN_NOT_FOUND,
                revoke(f, &f->anna, &unknown));
    must_ok(revoke(f, &f->anna, &own.id), &f->anna.err);
    must_be_revoked(f, &own);
    must_ok(revoke(f, &f->admin, &third.id), &f->admin.err);
    must_be_revoked(f, &third);
}

static void a_scoped_token_revokes_itself_alone(void **state)
{
    struct fixture *f = *state;
    const struct comb_scope read = {.node = f->root, .rights = COMB_V1_RIGHTS_READ};
    struct comb_auth_token scoped, other;
    must_ok(create(f, &f->anna, NULL, 0, &other), &f->anna.err);
    must_ok(create(f, &f->anna, &read, 1, &scoped), &f->anna.err);
    act_with(f, &f->anna, scoped.text);
    must_refuse(&f->anna, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_SCOPE_EXCEEDED,
                revoke(f, &f->anna, &other.id));
    must_ok(revoke(f, &f->anna, &scoped.id), &f->anna.err);
    must_be_revoked(f, &scoped);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_token_stands_for_its_user),         T(a_repeated_request_gives_the_same_token),
        T(a_damaged_token_is_refused),          T(scopes_come_back_as_given),
        T(a_scoped_token_makes_no_wider_one),   T(a_scope_is_a_node_that_the_caller_sees),
        T(a_token_has_an_end_and_a_label),      T(tokens_are_revoked_by_who_may),
        T(a_scoped_token_revokes_itself_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
