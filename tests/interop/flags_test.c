/* SPDX-License-Identifier: Apache-2.0 */
/* The spellings that the official programs take, and what is refused. */
#include "tests/interop/flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct settings {
    const char *text;
    int number;
    bool yes;
};

#define READ(settings, ...) read_words(settings, (const char *[]){"program", __VA_ARGS__, NULL})

static bool read_words(struct settings *settings, const char **words)
{
    const struct flag flags[] = {
        {"text", FLAG_TEXT, &settings->text, ""},
        {"number", FLAG_NUMBER, &settings->number, ""},
        {"yes", FLAG_BOOL, &settings->yes, ""},
    };
    int n = 0;
    while (words[n])
        n++;
    return flags_read(flags, 3, n, (char **)(uintptr_t)words);
}

static void must_read(struct settings settings, const char *text, int number, bool yes)
{
    assert_string_equal(settings.text, text);
    assert_int_equal(settings.number, number);
    assert_int_equal(settings.yes, yes);
}

static void every_spelling(void **state)
{
    struct settings settings = {"before", 1, false};
    (void)state;
    assert_true(READ(&settings, "--text=a", "--number=2", "--yes=true"));
    must_read(settings, "a", 2, true);
    assert_true(READ(&settings, "-text=b", "-number=3", "-yes=false"));
    must_read(settings, "b", 3, false);
    assert_true(READ(&settings, "--text", "c", "--number", "4", "--yes", "true"));
    must_read(settings, "c", 4, true);
    assert_true(READ(&settings, "-yes", "false", "-text", "d", "-number", "5"));
    must_read(settings, "d", 5, false);
    assert_true(READ(&settings, "-yes", "-text", "-e", "-number", "0"));
    must_read(settings, "-e", 0, true);
    assert_true(READ(&settings, "--yes=0", "--text="));
    must_read(settings, "", 0, false);
    assert_true(READ(&settings, "--text=x=y:z;", "--yes"));
    must_read(settings, "x=y:z;", 0, true);
}

static void nothing_leaves_all_as_it_is(void **state)
{
    struct settings settings = {"before", 1, true};
    (void)state;
    assert_true(read_words(&settings, (const char *[]){"program", NULL}));
    must_read(settings, "before", 1, true);
}

static void what_is_refused(void **state)
{
    struct settings settings = {"before", 1, false};
    (void)state;
    assert_false(READ(&settings, "--other=1"));
    assert_false(READ(&settings, "--numbers=1"));
    assert_false(READ(&settings, "--num=1"));
    assert_false(READ(&settings, "--"));
    assert_false(READ(&settings, "text"));
    assert_false(READ(&settings, "--number"));
    assert_false(READ(&settings, "--number="));
    assert_false(READ(&settings, "--number=1x"));
    assert_false(READ(&settings, "--number=-1"));
    assert_false(READ(&settings, "--number=2147483648"));
    assert_false(READ(&settings, "--number=99999999999999999999"));
    assert_false(READ(&settings, "--yes=maybe"));
    assert_false(READ(&settings, "--help"));
    must_read(settings, "before", 1, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling),
        cmocka_unit_test(nothing_leaves_all_as_it_is),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
