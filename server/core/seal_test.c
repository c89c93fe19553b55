/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/seal.h"

#include "tests/support/support.h"

static const uint8_t key[COMB_SEAL_KEY_SIZE] = {1, 2, 3};
static const uint8_t other_key[COMB_SEAL_KEY_SIZE] = {1, 2, 4};

static void what_was_sealed_opens(void **state)
{
    const comb_str plains[] = {{NULL, 0}, STR("x"), STR("sixteen bytes ok and more")};
    (void)state;
    struct test_ctx t;
    test_ctx_init(&t);
    for (size_t i = 0; i < 3; i++) {
        comb_str sealed, again, plain;
        must_ok(comb_seal(t.ctx.arena, key, plains[i], STR("caller"), &sealed, &t.err), &t.err);
        must_ok(comb_seal(t.ctx.arena, key, plains[i], STR("caller"), &again, &t.err), &t.err);
        assert_int_equal(sealed.len, plains[i].len + COMB_SEAL_OVERHEAD);
        assert_false(comb_str_equal(sealed, again));
        must_ok(comb_seal_open(t.ctx.arena, key, sealed, STR("caller"), &plain, &t.err), &t.err);
        assert_true(comb_str_equal(plain, plains[i]));
    }
    test_ctx_done(&t);
}

static void no_bit_can_be_changed(void **state)
{
    (void)state;
    struct test_ctx t;
    test_ctx_init(&t);
    comb_str sealed, plain = STR("untouched");
    must_ok(comb_seal(t.ctx.arena, key, STR("secret"), STR(""), &sealed, &t.err), &t.err);
    char *bytes = comb_str_dup(t.ctx.arena, sealed);
    comb_str changed = comb_str_of(bytes, sealed.len);
    for (size_t i = 0; i < sealed.len * 8; i++) {
        bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
        must_fail(COMB_INVALID_ARGUMENT,
                  comb_seal_open(t.ctx.arena, key, changed, STR(""), &plain, &t.err), &t.err);
        bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
    }
    assert_true(comb_str_equal(plain, STR("untouched")));
    test_ctx_done(&t);
}

static void key_binding_and_length_must_fit(void **state)
{
    (void)state;
    struct test_ctx t;
    test_ctx_init(&t);
    comb_str sealed, plain;
    must_ok(comb_seal(t.ctx.arena, key, STR("secret"), STR("a"), &sealed, &t.err), &t.err);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_seal_open(t.ctx.arena, other_key, sealed, STR("a"), &plain, &t.err), &t.err);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_seal_open(t.ctx.arena, key, sealed, STR("b"), &plain, &t.err), &t.err);
    for (size_t len = 0; len < sealed.len; len++)
        must_fail(COMB_INVALID_ARGUMENT,
                  comb_seal_open(t.ctx.arena, key, comb_str_of(sealed.ptr, len), STR("a"), &plain,
                                 &t.err),
                  &t.err);
    test_ctx_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_opens),
        cmocka_unit_test(no_bit_can_be_changed),
        cmocka_unit_test(key_binding_and_length_must_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
