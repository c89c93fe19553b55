/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/options.h"

static struct comb_options options;
static struct comb_error err;

/* Parses up to four arguments behind the program's name. */
static enum comb_status parse(const char *a, const char *b, const char *c, const char *d)
{
    char *argv[] = {(char *)"combd", (char *)a, (char *)b, (char *)c, (char *)d, NULL};
    int argc = 1;
    while (argv[argc])
        argc++;
    return comb_options_parse(&options, argc, argv, &err);
}

static void defaults_hold(void **state)
{
    (void)state;
    assert_int_equal(parse(NULL, NULL, NULL, NULL), COMB_OK);
    assert_string_equal(options.listen, "127.0.0.1:7070");
    assert_string_equal(options.admin_listen, "127.0.0.1:7071");
    assert_false(options.admin_listen_given);
    assert_null(options.sql);
    assert_int_equal(options.workers, 64);
    assert_false(options.insecure);
}

static void both_forms_are_read(void **state)
{
    (void)state;
    assert_int_equal(parse("--listen=[::1]:0", "--workers", "7", "--insecure"), COMB_OK);
    assert_string_equal(options.listen, "[::1]:0");
    assert_int_equal(options.workers, 7);
    assert_true(options.insecure);
}

static void command_line_beats_environment(void **state)
{
    (void)state;
    setenv("COMB_WORKERS", "9", 1);
    setenv("COMB_ADMIN_LISTEN", "127.0.0.1:1", 1);
    assert_int_equal(parse(NULL, NULL, NULL, NULL), COMB_OK);
    assert_int_equal(options.workers, 9);
    assert_true(options.admin_listen_given);
    assert_int_equal(parse("--workers", "8", NULL, NULL), COMB_OK);
    assert_int_equal(options.workers, 8);
    setenv("COMB_WORKERS", "many", 1);
    assert_int_equal(parse(NULL, NULL, NULL, NULL), COMB_INVALID_ARGUMENT);
    assert_non_null(strstr(err.msg, "COMB_WORKERS"));
    unsetenv("COMB_WORKERS");
    unsetenv("COMB_ADMIN_LISTEN");
}

static void wrong_ones_are_explained(void **state)
{
    static const struct {
        const char *a, *b, *says;
    } wrong[] = {
        {"--lisen", NULL, "--lisen"},         {"x", NULL, "--help"},
        {"--workers", NULL, "needs a value"}, {"--workers", "0", "1 to 1024"},
        {"--workers", "1025", "1 to 1024"},   {"--workers", "-1", "1 to 1024"},
        {"--workers", "1x", "1 to 1024"},     {"--workers=", NULL, "1 to 1024"},
        {"--insecure=maybe", NULL, "true"},   {"-h", NULL, "--help"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        print_message("%s\n", wrong[i].a);
        assert_int_equal(parse(wrong[i].a, wrong[i].b, NULL, NULL), COMB_INVALID_ARGUMENT);
        assert_non_null(strstr(err.msg, wrong[i].says));
    }
}

static void help_names_every_flag(void **state)
{
    static const char *const names[] = {
        "--home", "--listen",  "--admin-listen",   "--sql",    "--vault", "--data",
        "--log",  "--workers", "--drain-delay-ms", "--version"};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    (void)state;
    comb_options_help(out);
    fclose(out);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(strstr(text, names[i]));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold),
        cmocka_unit_test(both_forms_are_read),
        cmocka_unit_test(command_line_beats_environment),
        cmocka_unit_test(wrong_ones_are_explained),
        cmocka_unit_test(help_names_every_flag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
