/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/log.h"

#include <string.h>
#include <unistd.h>

#include "server/core/limits.h"
#include "tests/support/support.h"

static int pipe_ends[2];
static char line[2 * COMB_LOG_LINE_MAX];

/* What has been logged since the last call; "" for nothing. */
static const char *logged(void)
{
    static const char mark = '!';
    assert_int_equal(write(pipe_ends[1], &mark, 1), 1);
    ssize_t n = read(pipe_ends[0], line, sizeof line - 1);
    assert_true(n > 0);
    line[n - 1] = '\0';
    return line;
}

static void levels_are_per_component(void **state)
{
    (void)state;
    struct comb_error err;
    must_ok(comb_log_set_levels(STR("all=warn,sql=off,sql.sqlite=debug,tree=trace"), &err), &err);
    assert_true(comb_log_enabled(COMB_LOG_WARN, "main"));
    assert_false(comb_log_enabled(COMB_LOG_INFO, "main"));
    assert_false(comb_log_enabled(COMB_LOG_ERROR, "sql.postgres"));
    assert_true(comb_log_enabled(COMB_LOG_DEBUG, "sql.sqlite"));
    assert_false(comb_log_enabled(COMB_LOG_TRACE, "sql.sqlite"));
    assert_false(comb_log_enabled(COMB_LOG_INFO, "treehouse"));
    must_ok(comb_log_set_levels(STR(""), &err), &err);
    assert_true(comb_log_enabled(COMB_LOG_INFO, "tree"));
    assert_false(comb_log_enabled(COMB_LOG_DEBUG, "tree"));
}

static void levels_that_make_no_sense_change_nothing(void **state)
{
    const comb_str bad[] = {STR("all"), STR("=warn"), STR("all=loud"),
                            STR("a=info,"
                                ",b=info"),
                            STR("all=info,tree")};
    (void)state;
    struct comb_error err;
    must_ok(comb_log_set_levels(STR("tree=trace"), &err), &err);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        must_fail(COMB_INVALID_ARGUMENT, comb_log_set_levels(bad[i], &err), &err);
    assert_true(comb_log_enabled(COMB_LOG_TRACE, "tree"));
    must_ok(comb_log_set_levels(STR(""), &err), &err);
}

static void a_line_cannot_be_forged(void **state)
{
    (void)state;
    comb_log(COMB_LOG_WARN, "tree", "odd name", comb_log_integer("bytes", -7),
             comb_log_text("name", STR("a\nlevel=error \"b\" \\ \xFF")));
    const char *text = logged();
    assert_non_null(strstr(text, " level=warn component=tree msg=\"odd name\" bytes=-7 "
                                 "name=\"a\\x0alevel=error \\\"b\\\" \\\\ \\xff\"\n"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_memory_equal(text, "time=20", 7);
}

static void values_and_lines_are_bounded(void **state)
{
    (void)state;
    static char big[COMB_LOG_LINE_MAX];
    memset(big, '\x01', sizeof big);
    struct comb_log_field fields[20];
    for (int i = 0; i < 20; i++)
        fields[i] = comb_log_text("value", comb_str_of(big, sizeof big));
    comb_log_write(COMB_LOG_ERROR, "tree", "much", fields, 20);
    const char *text = logged();
    assert_true(strlen(text) <= COMB_LOG_LINE_MAX);
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void what_is_off_is_not_written(void **state)
{
    (void)state;
    comb_log(COMB_LOG_DEBUG, "tree", "quiet", comb_log_integer("n", 1));
    assert_string_equal(logged(), "");
    struct comb_error err = {.domain = "sql.sqlite"};
    comb_error_set(&err, COMB_UNAVAILABLE, 0, "gone");
    comb_log_error(COMB_LOG_ERROR, "tree", "failed", &err);
    assert_non_null(strstr(logged(), "error=\"gone\" status=\"UNAVAILABLE\""));
}

static struct comb_log_line given;
static char given_name[64];

static void take(void *data, const struct comb_log_line *what)
{
    assert_ptr_equal(data, given_name);
    given = *what;
    assert_int_equal(what->n_fields, 1);
    memcpy(given_name, what->fields[0].text.ptr, what->fields[0].text.len);
}

static void a_sink_is_given_what_is_written(void **state)
{
    (void)state;
    comb_log_set_sink(take, given_name);
    comb_log(COMB_LOG_DEBUG, "tree", "quiet", comb_log_integer("n", 1));
    assert_null(given.message);
    comb_log(COMB_LOG_WARN, "tree", "loud", comb_log_text("name", STR("a\nb")));
    assert_string_equal(given.message, "loud");
    assert_string_equal(given.component, "tree");
    assert_string_equal(comb_log_level_name(given.level), "warn");
    assert_string_equal(given_name, "a\nb");
    assert_true(given.time_us > 0);
    comb_log_set_sink(NULL, NULL);
    comb_log(COMB_LOG_WARN, "tree", "louder", comb_log_text("name", STR("x")));
    assert_string_equal(given.message, "loud");
    (void)logged();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_per_component),
        cmocka_unit_test(levels_that_make_no_sense_change_nothing),
        cmocka_unit_test(a_line_cannot_be_forged),
        cmocka_unit_test(values_and_lines_are_bounded),
        cmocka_unit_test(what_is_off_is_not_written),
        cmocka_unit_test(a_sink_is_given_what_is_written),
    };
    if (pipe(pipe_ends) != 0)
        return 1;
    comb_log_set_fd(pipe_ends[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
