/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "gen/plugin/emit.h"
#include "gen/plugin/errors.h"
#include "gen/plugin/map.h"
#include "gen/plugin/text.h"

static void text_grows(void **state)
{
    struct text text = {0};

    (void)state;
    assert_string_equal(text_string(&text), "");
    for (int i = 0; i < 10000; i++)
        text_printf(&text, "%04d,", i);
    assert_int_equal(text.length, 50000);
    assert_memory_equal(text_string(&text) + 49995, "9999,", 6);
    text_done(&text);
}

static void templates_are_filled(void **state)
{
    struct text text = {0};

    (void)state;
    text_fill(&text, "struct $m$ *$m$_new($p$); costs 5$", "m", "a_b", "p", "", NULL);
    assert_string_equal(text_string(&text), "struct a_b *a_b_new(); costs 5$");
    text_done(&text);
}

static void literals_are_escaped(void **state)
{
    struct text text = {0};

    (void)state;
    text_literal(&text, "a\"b\\c\n\t?\?/\303\251"
                        "1");
    assert_string_equal(text_string(&text), "\"a\\\"b\\\\c\\n\\011\\?\\?/\\303\\2511\"");
    text_done(&text);
}

static void comments_cannot_end_early(void **state)
{
    static const char *const cases[][2] = {
        {NULL, ""},
        {"  \n \n", ""},
        {" One line.\n", "/* One line. */\n"},
        {"No space.", "/* No space. */\n"},
        {" a */ b /* c */", "/* a * / b / * c * / */\n"},
        {" /*/ ", "/* / * / */\n"},
        {" a\342\200\256b\342\201\246c \303\251\342\202\254 ",
         "/* a?b?c \303\251\342\202\254 */\n"},
        {"\n First.\n\n   Third.  \n\n", "/*\n * First.\n *\n *   Third.\n */\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text text = {0};

        emit_comment(&text, cases[i][0], "");
        assert_string_equal(text_string(&text), cases[i][1]);
        text_done(&text);
    }
}

static void errors_have_a_place_each(void **state)
{
    struct errors errors = {{0}};

    (void)state;
    errors_add(&errors, "a.proto", 7, "no %s", "x");
    errors_add(&errors, "a.proto", 0, "no line");
    errors_add(&errors, NULL, 0, "no file");
    assert_string_equal(text_string(&errors.lines), "a.proto:7: no x\na.proto: no line\nno file");
    text_done(&errors.lines);
}

static void maps_keep_many_keys(void **state)
{
    static char keys[5000][16];
    struct map map = {0};

    (void)state;
    assert_null(map_get(&map, "absent"));
    for (int i = 0; i < 5000; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%d", i);
        map_put(&map, keys[i], keys[i]);
    }
    map_put(&map, "k17", keys[0]);
    assert_int_equal(map.n, 5000);
    assert_null(map_get(&map, "k5000"));
    assert_ptr_equal(map_get(&map, "k17"), keys[0]);
    for (int i = 18; i < 5000; i++)
        assert_ptr_equal(map_get(&map, keys[i]), keys[i]);
    map_done(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows),
        cmocka_unit_test(templates_are_filled),
        cmocka_unit_test(literals_are_escaped),
        cmocka_unit_test(comments_cannot_end_early),
        cmocka_unit_test(errors_have_a_place_each),
        cmocka_unit_test(maps_keep_many_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
