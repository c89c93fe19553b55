/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gen/plugin/names.h"

static struct pool pool;

static int free_pool(void **state)
{
    (void)state;
    pool_done(&pool);
    return 0;
}

static void camel_case_becomes_snake_case(void **state)
{
    static const char *const cases[][2] = {
        {"FooBar", "foo_bar"},
        {"HTTPRule", "http_rule"},
        {"OAuth2Token", "o_auth2_token"},
        {"SHA256Sum", "sha256_sum"},
        {"Int32Value", "int32_value"},
        {"V1", "v1"},
        {"URL", "url"},
        {"GetURL", "get_url"},
        {"already_snake", "already_snake"},
        {"Mixed_Case", "mixed_case"},
        {"A", "a"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(names_snake(&pool, cases[i][0]), cases[i][1]);
}

static void full_names_become_identifiers(void **state)
{
    (void)state;
    assert_string_equal(names_c(&pool, ".pkg.v1.Outer.InnerThing"), "pkg_v1_outer_inner_thing");
    assert_string_equal(names_c(&pool, "comb.v1.Tree"), "comb_v1_tree");
    assert_string_equal(names_c(&pool, "Int"), "int_");
    assert_string_equal(names_upper(&pool, "pkg_v1"), "PKG_V1");
}

static void paths_become_identifiers_and_outputs(void **state)
{
    (void)state;
    assert_string_equal(names_of_path(&pool, "comb/v1/tree.proto"), "comb_v1_tree");
    assert_string_equal(names_of_path(&pool, "a-b/C.x.proto"), "a_b_c_x");
    assert_string_equal(names_of_path(&pool, "3d/shape.proto"), "file_3d_shape");
    assert_string_equal(names_output(&pool, "comb/v1/tree.proto", ".grpcc.h"),
                        "comb/v1/tree.grpcc.h");
    assert_string_equal(names_output(&pool, "odd", ".grpcc.h"), "odd.grpcc.h");
}

static void reserved_words_are_known(void **state)
{
    static const char *const words[] = {
        "EOF",   "I",     "NULL",  "_Alignas", "_Thread_local", "alignas", "and",    "assert",
        "auto",  "bool",  "class", "co_yield", "default",       "delete",  "errno",  "i386",
        "int",   "linux", "new",   "operator", "requires",      "stdin",   "this",   "typeof",
        "union", "unix",  "while", "xor",      "xor_eq",        "wchar_t", "signed", "noexcept",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_true(names_is_reserved(words[i]));
    assert_false(names_is_reserved("name"));
    assert_false(names_is_reserved(""));
    assert_string_equal(names_safe(&pool, "delete"), "delete_");
    assert_string_equal(names_safe(&pool, "deleted"), "deleted");
}

static void declarations_put_the_star_to_the_name(void **state)
{
    (void)state;
    assert_string_equal(names_declaration(&pool, "int32_t", "x"), "int32_t x");
    assert_string_equal(names_declaration(&pool, "char *", "x"), "char *x");
    assert_string_equal(names_declaration(&pool, "struct a *", "*"), "struct a **");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(camel_case_becomes_snake_case),
        cmocka_unit_test(full_names_become_identifiers),
        cmocka_unit_test(paths_become_identifiers_and_outputs),
        cmocka_unit_test(reserved_words_are_known),
        cmocka_unit_test(declarations_put_the_star_to_the_name),
    };

    return cmocka_run_group_tests(tests, NULL, free_pool);
}
