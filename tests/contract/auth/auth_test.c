/* SPDX-License-Identifier: Apache-2.0 */
/* Log-in, sessions and tokens, over the embedded stores. */
#include <pthread.h>

#include "comb/v1/errors.grpcc.h"
#include "comb/v1/node.grpcc.h"
#include "server/core/clock.h"
#include "tests/support/areas.h"

struct fixture {
    struct test_areas areas;
    struct test_ctx admin, anna;
};

static int setup(void **state)
{
    static struct fixture f;
    test_areas_init(&f.areas);
    test_areas_ctx(&f.areas, &f.admin, "admin");
    test_areas_user(&f.areas, &f.admin, "anna");
    test_areas_ctx(&f.areas, &f.anna, "anna");
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

static enum comb_status login(struct fixture *f, struct test_ctx *t, const char *name,
                              const char *password, struct comb_auth_tokens *ret_tokens)
{
    struct comb_user user;
    return comb_auth_login(f->areas.auth, &t->ctx, comb_str_from(name), comb_str_from(password),
                           STR("test"), ret_tokens, &user, &t->err);
}

static struct comb_auth_tokens must_login(struct fixture *f, struct test_ctx *t)
{
    struct comb_auth_tokens tokens;
    must_ok(login(f, t, "anna", "pass word", &tokens), &t->err);
    return tokens;
}

static enum comb_status authenticate(struct fixture *f, struct test_ctx *t, comb_str bearer,
                                     bool strong)
{
    const struct comb_principal *principal = NULL;
    t->ctx.strong = strong;
    enum comb_status status =
        comb_auth_authenticate(f->areas.auth, &t->ctx, bearer, &principal, &t->err);
    t->ctx.strong = false;
    if (status == COMB_OK)
        assert_non_null(principal);
    return status;
}

/* At once where SQL is asked; and memory has forgotten it too, once a poll has come by. */
static void must_be_revoked(struct fixture *f, struct test_ctx *t, comb_str bearer)
{
    must_refuse(t, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_REVOKED,
                authenticate(f, t, bearer, true));
    t->ctx.strong = true;
    must_ok(comb_facts_sync_wait(f->areas.facts, &t->ctx, &t->err), &t->err);
    t->ctx.strong = false;
    must_refuse(t, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_REVOKED,
                authenticate(f, t, bearer, false));
}

/* ---- log-in ---- */

static void login_gives_a_token_that_counts(void **state)
{
    struct fixture *f = *state;
    struct test_ctx nobody;
    test_ctx_init(&nobody);
    nobody.ctx.principal = NULL;
    struct comb_auth_tokens tokens = must_login(f, &nobody);
    const struct comb_principal *principal = NULL;
    assert_false(comb_auth_peek(f->areas.auth, &nobody.ctx, tokens.access, &principal));
    must_ok(
        comb_auth_authenticate(f->areas.auth, &nobody.ctx, tokens.access, &principal, &nobody.err),
        &nobody.err);
    assert_true(comb_str_equal(principal->login, STR("anna")));
    assert_true(comb_uuid_equal(&principal->user, &f->anna.principal.user));
    assert_false(principal->administrator);
    assert_int_equal(principal->n_scopes, 0);
    assert_int_equal(principal->expire_us, tokens.access_expire_us);
    struct test_ctx next;
    test_ctx_init(&next);
    must_ok(comb_facts_sync_wait(f->areas.facts, &next.ctx, &next.err), &next.err);
    must_ok(comb_auth_authenticate(f->areas.auth, &next.ctx, tokens.access, &principal, &next.err),
            &next.err);
    assert_true(comb_str_equal(principal->login, STR("anna")));
    test_ctx_done(&next);
    test_ctx_done(&nobody);
}

static void nobody_learns_what_was_wrong(void **state)
{
    struct fixture *f = *state;
    struct comb_auth_tokens tokens;
    char told[COMB_ERROR_MESSAGE_MAX];
    must_refuse(&f->anna, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_CREDENTIALS_INVALID,
                login(f, &f->anna, "anna", "wrong", &tokens));
    memcpy(told, f->anna.err.msg, sizeof told);
    must_refuse(&f->anna, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_CREDENTIALS_INVALID,
                login(f, &f->anna, "nobody", "wrong", &tokens));
    assert_string_equal(told, f->anna.err.msg);
    /* An id is no login. */
    must_refuse(&f->anna, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_CREDENTIALS_INVALID,
                login(f, &f->anna, comb_uuid_text(f->anna.ctx.arena, &f->anna.principal.user),
                      "pass word", &tokens));
    struct comb_user user;
    const struct comb_identity_update disable = {
        .user = STR("anna"), .fields = COMB_IDENTITY_DISABLED, .disabled = true};
    const struct comb_request_key key = test_key();
    must_ok(comb_identity_update_user(f->areas.identity, &f->admin.ctx, &key, &disable, &user,
                                      &f->admin.err),
            &f->admin.err);
    must_refuse(&f->anna, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_CREDENTIALS_INVALID,
                login(f, &f->anna, "anna", "pass word", &tokens));
    assert_string_equal(told, f->anna.err.msg);
}

static void guesses_are_slowed_down(void **state)
{
    struct fixture *f = *state;
    struct comb_auth_tokens tokens;
    for (int i = 0; i < COMB_THROTTLE_LOGIN_FREE; i++)
        must_refuse(&f->anna, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_CREDENTIALS_INVALID,
                    login(f, &f->anna, "anna", "wrong", &tokens));
    must_refuse(&f->anna, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_LOGIN_THROTTLED,
                login(f, &f->anna, "anna", "pass word", &tokens));
    assert_true(f->anna.err.retry_ms > 0);
    comb_clock_advance_ns(2 * COMB_NS_PER_S);
    must_ok(login(f, &f->anna, "anna", "pass word", &tokens), &f->anna.err);
}

static void an_access_token_ends(void **state)
{
    struct fixture *f = *state;
    struct comb_auth_tokens tokens = must_login(f, &f->anna);
    must_ok(authenticate(f, &f->anna, tokens.access, false), &f->anna.err);
    comb_clock_advance_ns((COMB_AUTH_ACCESS_S + 1) * COMB_NS_PER_S);
    struct test_ctx late;
    test_ctx_init(&late);
    must_refuse(&late, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_EXPIRED,
                authenticate(f, &late, tokens.access, false));
    test_ctx_done(&late);
}

static void what_is_no_token_is_refused(void **state)
{
    struct fixture *f = *state;
    struct comb_auth_tokens tokens = must_login(f, &f->anna);
    const comb_str wrong[] = {STR(""),          STR("x"),
                              STR("a.b.c"),     STR("comb_pat_"),
                              STR("comb_ref_"), STR("comb_pat_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
                              tokens.refresh};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        must_refuse(&f->anna, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_INVALID,
                    authenticate(f, &f->anna, wrong[i], false));
}

/* ---- what ends a session ---- */

static void logout_ends_the_session(void **state)
{
    struct fixture *f = *state;
    struct comb_auth_tokens tokens = must_login(f, &f->anna);
    struct comb_auth_tokens other = must_login(f, &f->anna);
    const struct comb_principal *principal;
    must_ok(comb_auth_authenticate(f->areas.auth, &f->anna.ctx, tokens.access, &principal,
                                   &f->anna.err),
            &f->anna.err);
    f->anna.ctx.principal = principal;
    struct comb_request_key key = test_key();
    must_ok(comb_auth_logout(f->areas.auth, &f->anna.ctx, &key, &f->anna.err), &f->anna.err);
    must_be_revoked(f, &f->anna, tokens.access);
    must_ok(authenticate(f, &f->anna, other.access, false), &f->anna.err);
    struct comb_auth_tokens next;
    key = test_key();
    must_refuse(
        &f->anna, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_REVOKED,
        comb_auth_refresh(f->areas.auth, &f->anna.ctx, &key, tokens.refresh, &next, &f->anna.err));
}

static void a_disabled_users_tokens_end(void **state)
{
    struct fixture *f = *state;
    struct comb_auth_tokens tokens = must_login(f, &f->anna);
    must_ok(authenticate(f, &f->anna, tokens.access, false), &f->anna.err);
    struct comb_identity_update change = {
        .user = STR("anna"), .fields = COMB_IDENTITY_DISABLED, .disabled = true};
    struct comb_user user;
    for (int i = 0; i < 2; i++) {
        const struct comb_request_key key = test_key();
        must_ok(comb_identity_update_user(f->areas.identity, &f->admin.ctx, &key, &change, &user,
                                          &f->admin.err),
                &f->admin.err);
        must_be_revoked(f, &f->anna, tokens.access);
        change.disabled = false; /* and do not come back */
    }
}

static void a_deleted_users_tokens_end(void **state)
{
    struct fixture *f = *state;
    struct comb_auth_tokens tokens = must_login(f, &f->anna);
    must_ok(authenticate(f, &f->anna, tokens.access, false), &f->anna.err);
    struct comb_request_key key = test_key();
    must_ok(comb_identity_delete_user(f->areas.identity, &f->admin.ctx, &key, STR("anna"), STR(""),
                                      &f->admin.err),
            &f->admin.err);
    must_be_revoked(f, &f->anna, tokens.access);
    struct comb_auth_tokens next;
    key = test_key();
    must_refuse(
        &f->anna, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_REVOKED,
        comb_auth_refresh(f->areas.auth, &f->anna.ctx, &key, tokens.refresh, &next, &f->anna.err));
}

static void a_new_password_keeps_its_own_session_only(void **state)
{
    struct fixture *f = *state;
    struct comb_auth_tokens own = must_login(f, &f->anna), other = must_login(f, &f->anna);
    const struct comb_principal *principal;
    must_ok(authenticate(f, &f->anna, other.access, false), &f->anna.err);
    must_ok(
        comb_auth_authenticate(f->areas.auth, &f->anna.ctx, own.access, &principal, &f->anna.err),
        &f->anna.err);
    f->anna.ctx.principal = principal;
    const struct comb_identity_update change = {.user = STR("anna"),
                                                .fields = COMB_IDENTITY_PASSWORD,
                                                .password = STR("new password"),
                                                .old_password = STR("pass word")};
    struct comb_request_key key = test_key();
    struct comb_user user;
    must_ok(comb_identity_update_user(f->areas.identity, &f->anna.ctx, &key, &change, &user,
                                      &f->anna.err),
            &f->anna.err);
    must_be_revoked(f, &f->anna, other.access);
    must_ok(authenticate(f, &f->anna, own.access, true), &f->anna.err);
    struct comb_auth_tokens next;
    key = test_key();
    must_ok(comb_auth_refresh(f->areas.auth, &f->anna.ctx, &key, own.refresh, &next, &f->anna.err),
            &f->anna.err);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(login_gives_a_token_that_counts),
        T(nobody_learns_what_was_wrong),
        T(guesses_are_slowed_down),
        T(an_access_token_ends),
        T(what_is_no_token_is_refused),
        T(logout_ends_the_session),
        T(a_disabled_users_tokens_end),
        T(a_deleted_users_tokens_end),
        T(a_new_password_keeps_its_own_session_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
