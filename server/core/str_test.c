/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/str.h"

#include "tests/support/support.h"

static void order_is_bytewise_and_shorter_first(void **state)
{
    (void)state;
    assert_int_equal(comb_str_compare(STR("a"), STR("a")), 0);
    assert_true(comb_str_compare(STR("a"), STR("b")) < 0);
    assert_true(comb_str_compare(STR("a"), STR("a\0")) < 0);
    assert_true(comb_str_compare(STR("\xC3"), STR("z")) > 0);
    assert_int_equal(comb_str_compare((comb_str){NULL, 0}, STR("")), 0);
}

static void a_copy_ends_with_nul_and_keeps_inner_ones(void **state)
{
    (void)state;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    assert_memory_equal(comb_str_dup(arena, STR("a\0b")), "a\0b\0", 4);
    assert_string_equal(comb_str_dup(arena, (comb_str){NULL, 0}), "");
    grpcc_arena_free(arena);
}

static void utf8_is_told_from_what_looks_like_it(void **state)
{
    const comb_str good[] = {
        {NULL, 0},
        STR("plain"),
        STR("\0"),
        STR("\xC2\x80"),
        STR("\xDF\xBF"),
        STR("\xE0\xA0\x80"),
        STR("\xED\x9F\xBF"),
        STR("\xEE\x80\x80"),
        STR("\xF0\x90\x80\x80"),
        STR("\xF4\x8F\xBF\xBF"),
    };
    const comb_str bad[] = {
        STR("\x80"),
        STR("\xC0\xAF"),
        STR("\xC1\xBF"),
        STR("\xE0\x9F\xBF"),
        STR("\xED\xA0\x80"),
        STR("\xED\xBF\xBF"),
        STR("\xF0\x8F\xBF\xBF"),
        STR("\xF4\x90\x80\x80"),
        STR("\xF5\x80\x80\x80"),
        STR("\xE2\x82"),
        STR("a\xFF"),
        STR("\xE2\x28\xA1"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(comb_str_is_utf8(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(comb_str_is_utf8(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_bytewise_and_shorter_first),
        cmocka_unit_test(a_copy_ends_with_nul_and_keeps_inner_ones),
        cmocka_unit_test(utf8_is_told_from_what_looks_like_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
