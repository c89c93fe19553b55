/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/jwt.h"

#include <stdio.h>
#include <stdlib.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/hash.h"
#include "tests/support/support.h"

#define NOW_S 1000000

struct fixture {
    struct test_ctx t;
    struct comb_jwt_key key;
    struct comb_jwt_claims claims;
};

static int setup(void **state)
{
    static struct fixture f;
    test_ctx_init(&f.t);
    memset(f.key.bytes, 'k', sizeof f.key.bytes);
    f.key.version = 1;
    f.key.installation = comb_uuid_new();
    f.claims = (struct comb_jwt_claims){.user = comb_uuid_new(),
                                        .session = comb_uuid_new(),
                                        .issue_s = NOW_S,
                                        .expire_s = NOW_S + 600};
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    test_ctx_done(&f->t);
    return 0;
}

static comb_str sign(struct fixture *f)
{
    comb_str token;
    must_ok(comb_jwt_sign(f->t.ctx.arena, &f->key, &f->claims, &token, &f->t.err), &f->t.err);
    return token;
}

static enum comb_status verify(struct fixture *f, comb_str token, int64_t now_s)
{
    struct comb_jwt_claims claims;
    return comb_jwt_verify(f->t.ctx.arena, &f->key, token, now_s * COMB_US_PER_S, &claims,
                           &f->t.err);
}

static void must_be_invalid(struct fixture *f, comb_str token)
{
    must_fail(COMB_UNAUTHENTICATED, verify(f, token, NOW_S), &f->t.err);
    assert_int_equal(f->t.err.reason, COMB_V1_ERROR_REASON_TOKEN_INVALID);
}

/* A token of these parts, signed with the right key. */
static comb_str forge(struct fixture *f, const char *head, const char *body)
{
    struct grpcc_arena *arena = f->t.ctx.arena;
    char *text =
        grpcc_arena_printf(arena, "%s.%s", comb_base64url_encode(arena, comb_str_from(head)),
                           comb_base64url_encode(arena, comb_str_from(body)));
    uint8_t mac[COMB_SHA256_SIZE];
    must_ok(comb_hmac_sha256(comb_str_of(f->key.bytes, sizeof f->key.bytes), comb_str_from(text),
                             mac, &f->t.err),
            &f->t.err);
    return comb_str_from(grpcc_arena_printf(
        arena, "%s.%s", text, comb_base64url_encode(arena, comb_str_of(mac, sizeof mac))));
}

static const char *body_of(struct fixture *f, const char *issuer_prefix, const char *expire)
{
    struct grpcc_arena *arena = f->t.ctx.arena;
    return grpcc_arena_printf(arena,
                              "{\"iss\":\"%s%s\",\"sub\":\"%s\",\"sid\":\"%s\",\"iat\":1,"
                              "\"exp\":%s}",
                              issuer_prefix, comb_uuid_text(arena, &f->key.installation),
                              comb_uuid_text(arena, &f->claims.user),
                              comb_uuid_text(arena, &f->claims.session), expire);
}

#define HEAD "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"1\"}"

static void a_token_says_what_was_signed(void **state)
{
    struct fixture *f = *state;
    comb_str token = sign(f);
    struct comb_jwt_claims claims;
    must_ok(comb_jwt_verify(f->t.ctx.arena, &f->key, token, (int64_t)NOW_S * COMB_US_PER_S, &claims,
                            &f->t.err),
            &f->t.err);
    assert_true(comb_uuid_equal(&claims.user, &f->claims.user));
    assert_true(comb_uuid_equal(&claims.session, &f->claims.session));
    assert_int_equal(claims.expire_s, f->claims.expire_s);
    must_ok(verify(f, forge(f, HEAD, body_of(f, "comb:", "1000600")), NOW_S), &f->t.err);
}

static void an_old_token_has_expired(void **state)
{
    struct fixture *f = *state;
    comb_str token = sign(f);
    must_ok(verify(f, token, NOW_S + 599), &f->t.err);
    must_fail(COMB_UNAUTHENTICATED, verify(f, token, NOW_S + 600), &f->t.err);
    assert_int_equal(f->t.err.reason, COMB_V1_ERROR_REASON_TOKEN_EXPIRED);
}

/* Also where the rest is signed with the right key: the algorithm is pinned. */
static void another_algorithm_is_refused(void **state)
{
    struct fixture *f = *state;
    const char *heads[] = {
        "{\"alg\":\"none\",\"typ\":\"JWT\",\"kid\":\"1\"}",
        "{\"alg\":\"NONE\",\"typ\":\"JWT\",\"kid\":\"1\"}",
        "{\"alg\":\"HS512\",\"typ\":\"JWT\",\"kid\":\"1\"}",
        "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"1\"}",
        "{\"alg\":\"hs256\",\"typ\":\"JWT\",\"kid\":\"1\"}",
        "{\"alg\":null,\"typ\":\"JWT\",\"kid\":\"1\"}",
        "{\"alg\":[\"HS256\"],\"typ\":\"JWT\",\"kid\":\"1\"}",
        "{\"alg\":\"HS256\",\"alg\":\"none\",\"typ\":\"JWT\",\"kid\":\"1\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"2\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":1}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"1\\u0000\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"1\",\"crit\":[\"x\"]}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"1\"",
        "[]",
        "\"HS256\"",
        "",
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        must_be_invalid(f, forge(f, heads[i], body_of(f, "comb:", "1000600")));
    /* The classic: no signature at all. */
    comb_str whole = forge(f, heads[0], body_of(f, "comb:", "1000600"));
    const char *last = memrchr(whole.ptr, '.', whole.len);
    must_be_invalid(f, comb_str_of(whole.ptr, (size_t)(last - whole.ptr) + 1));
    must_be_invalid(f, comb_str_of(whole.ptr, (size_t)(last - whole.ptr)));
}

static void wrong_claims_are_refused(void **state)
{
    struct fixture *f = *state;
    must_be_invalid(f, forge(f, HEAD, body_of(f, "other:", "1000600")));
    must_be_invalid(f, forge(f, HEAD, body_of(f, "comb:", "\"1000600\"")));
    must_be_invalid(f, forge(f, HEAD, body_of(f, "comb:", "1e9")));
    must_be_invalid(f, forge(f, HEAD, body_of(f, "comb:", "99999999999999999999999999")));
    must_be_invalid(f, forge(f, HEAD, "{}"));
    must_be_invalid(f, forge(f, HEAD, "null"));
    must_be_invalid(f, forge(f, HEAD, "\xff"));
}

static void another_installations_token_is_refused(void **state)
{
    struct fixture *f = *state;
    comb_str token = sign(f);
    struct comb_jwt_key own = f->key;
    f->key.installation = comb_uuid_new();
    must_be_invalid(f, token);
    f->key = own;
    f->key.bytes[31] ^= 1;
    must_be_invalid(f, token);
    f->key = own;
    must_ok(verify(f, token, NOW_S), &f->t.err);
}

static void a_damaged_token_is_refused(void **state)
{
    struct fixture *f = *state;
    comb_str token = sign(f);
    for (size_t cut = 0; cut < token.len; cut++)
        must_be_invalid(f, comb_str_of(token.ptr, cut));
    char *copy = grpcc_arena_printf(f->t.ctx.arena, "%.*sx", COMB_STR_ARG(token));
    must_be_invalid(f, comb_str_of(copy, token.len + 1));
    for (size_t i = 0; i < token.len; i++) {
        copy[i] ^= 1;
        must_be_invalid(f, comb_str_of(copy, token.len));
        copy[i] ^= 1;
    }
    size_t size = COMB_JWT_BYTES_MAX + 1;
    char *long_one = malloc(size);
    memset(long_one, 'a', size);
    must_be_invalid(f, comb_str_of(long_one, size));
    free(long_one);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_token_says_what_was_signed),           T(an_old_token_has_expired),
        T(another_algorithm_is_refused),           T(wrong_claims_are_refused),
        T(another_installations_token_is_refused), T(a_damaged_token_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
