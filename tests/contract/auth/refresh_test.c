/* SPDX-License-Identifier: Apache-2.0 */
/* Refresh tokens: each is used once, but a repeated request is given the same answer. */
#include <pthread.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "tests/support/areas.h"

struct fixture {
    struct test_areas areas;
    struct test_ctx t;
    struct comb_auth_tokens tokens;
};

static int setup(void **state)
{
    static struct fixture f;
    struct comb_user user;
    test_areas_init(&f.areas);
    test_ctx_init(&f.t);
    must_ok(comb_auth_login(f.areas.auth, &f.t.ctx, STR("admin"), STR(TEST_ADMIN_PASSWORD),
                            STR("test"), &f.tokens, &user, &f.t.err),
            &f.t.err);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    test_ctx_done(&f->t);
    test_areas_done(&f->areas);
    return 0;
}

static enum comb_status refresh(struct fixture *f, const struct comb_request_key *key,
                                comb_str token, struct comb_auth_tokens *ret_tokens)
{
    f->t.ctx.principal = NULL;
    return comb_auth_refresh(f->areas.auth, &f->t.ctx, key, token, ret_tokens, &f->t.err);
}

static void must_refuse(struct fixture *f, int reason, enum comb_status status)
{
    must_fail(COMB_UNAUTHENTICATED, status, &f->t.err);
    assert_int_equal(f->t.err.reason, reason);
}

static void must_have_ended(struct fixture *f, comb_str access, comb_str refresh_token)
{
    const struct comb_principal *principal;
    struct comb_auth_tokens tokens;
    const struct comb_request_key key = test_key();
    f->t.ctx.strong = true;
    must_refuse(f, COMB_V1_ERROR_REASON_TOKEN_REVOKED,
                comb_auth_authenticate(f->areas.auth, &f->t.ctx, access, &principal, &f->t.err));
    f->t.ctx.strong = false;
    must_refuse(f, COMB_V1_ERROR_REASON_TOKEN_REVOKED, refresh(f, &key, refresh_token, &tokens));
}

static void refresh_tokens_follow_each_other(void **state)
{
    struct fixture *f = *state;
    struct comb_auth_tokens tokens = f->tokens;
    for (int i = 0; i < 5; i++) {
        const struct comb_request_key key = test_key();
        struct comb_auth_tokens next;
        must_ok(refresh(f, &key, tokens.refresh, &next), &f->t.err);
        assert_false(comb_str_equal(tokens.refresh, next.refresh));
        const struct comb_principal *principal;
        must_ok(
            comb_auth_authenticate(f->areas.auth, &f->t.ctx, next.access, &principal, &f->t.err),
            &f->t.err);
        tokens = next;
    }
}

static void a_repeated_request_gets_the_same_successor(void **state)
{
    struct fixture *f = *state;
    const struct comb_request_key key = test_key();
    struct comb_auth_tokens first, again;
    must_ok(refresh(f, &key, f->tokens.refresh, &first), &f->t.err);
    must_ok(refresh(f, &key, f->tokens.refresh, &again), &f->t.err);
    assert_true(comb_str_equal(first.refresh, again.refresh));
    assert_int_equal(first.refresh_expire_us, again.refresh_expire_us);
    const struct comb_request_key next_key = test_key();
    struct comb_auth_tokens next;
    must_ok(refresh(f, &next_key, again.refresh, &next), &f->t.err);
    /* Late, but still the same request. */
    must_ok(refresh(f, &key, f->tokens.refresh, &again), &f->t.err);
    assert_true(comb_str_equal(first.refresh, again.refresh));
}

static void a_second_use_ends_the_session(void **state)
{
    struct fixture *f = *state;
    struct comb_request_key key = test_key();
    struct comb_auth_tokens next, none;
    must_ok(refresh(f, &key, f->tokens.refresh, &next), &f->t.err);
    key = test_key();
    must_refuse(f, COMB_V1_ERROR_REASON_REFRESH_REUSED, refresh(f, &key, f->tokens.refresh, &none));
    must_have_ended(f, next.access, next.refresh);
    must_have_ended(f, f->tokens.access, f->tokens.refresh);
}

struct client {
    struct fixture *fixture;
    pthread_barrier_t *start;
    comb_str token;
    enum comb_status status;
    int reason;
};

static void *refresh_at_once(void *data)
{
    struct client *client = data;
    struct test_ctx t;
    struct comb_auth_tokens tokens;
    const struct comb_request_key key = test_key();
    test_ctx_init(&t);
    t.ctx.principal = NULL;
    pthread_barrier_wait(client->start);
    client->status = comb_auth_refresh(client->fixture->areas.auth, &t.ctx, &key, client->token,
                                       &tokens, &t.err);
    client->reason = t.err.reason;
    test_ctx_done(&t);
    return NULL;
}

/* A stolen token and its owner's, at the same moment: one gets through, and it does him no good. */
static void of_two_clients_one_is_noticed(void **state)
{
    struct fixture *f = *state;
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, 2);
    struct client clients[2];
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        clients[i] = (struct client){.fixture = f, .start = &start, .token = f->tokens.refresh};
        assert_int_equal(pthread_create(&threads[i], NULL, refresh_at_once, &clients[i]), 0);
    }
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
    size_t loser = clients[0].status == COMB_OK ? 1 : 0;
    assert_int_equal(clients[1 - loser].status, COMB_OK);
    assert_int_equal(clients[loser].status, COMB_UNAUTHENTICATED);
    assert_int_equal(clients[loser].reason, COMB_V1_ERROR_REASON_REFRESH_REUSED);
    must_have_ended(f, f->tokens.access, f->tokens.refresh);
}

static void a_forged_token_ends_nothing(void **state)
{
    struct fixture *f = *state;
    char *copy = comb_str_dup(f->t.ctx.arena, f->tokens.refresh);
    struct comb_auth_tokens tokens;
    struct comb_request_key key = test_key();
    assert_non_null(copy);
    for (size_t i = 0; i < f->tokens.refresh.len; i++) {
        copy[i] ^= 1;
        must_refuse(f, COMB_V1_ERROR_REASON_TOKEN_INVALID,
                    refresh(f, &key, comb_str_of(copy, f->tokens.refresh.len), &tokens));
        copy[i] ^= 1;
        must_refuse(f, COMB_V1_ERROR_REASON_TOKEN_INVALID,
                    refresh(f, &key, comb_str_of(copy, i), &tokens));
    }
    must_refuse(f, COMB_V1_ERROR_REASON_TOKEN_INVALID, refresh(f, &key, f->tokens.access, &tokens));
    must_ok(refresh(f, &key, f->tokens.refresh, &tokens), &f->t.err);
}

static void an_unused_session_ends(void **state)
{
    struct fixture *f = *state;
    struct comb_auth_tokens tokens;
    comb_clock_advance_ns((COMB_AUTH_REFRESH_S + 1) * COMB_NS_PER_S);
    struct test_ctx late;
    test_ctx_init(&late);
    late.ctx.principal = NULL;
    const struct comb_request_key key = test_key();
    must_fail(
        COMB_UNAUTHENTICATED,
        comb_auth_refresh(f->areas.auth, &late.ctx, &key, f->tokens.refresh, &tokens, &late.err),
        &late.err);
    assert_int_equal(late.err.reason, COMB_V1_ERROR_REASON_TOKEN_EXPIRED);
    test_ctx_done(&late);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(refresh_tokens_follow_each_other), T(a_repeated_request_gets_the_same_successor),
        T(a_second_use_ends_the_session),    T(of_two_clients_one_is_noticed),
        T(a_forged_token_ends_nothing),      T(an_unused_session_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
