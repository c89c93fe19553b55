/* SPDX-License-Identifier: Apache-2.0 */
/* What only the json driver has: a file, which people edit, tear, and give to two processes. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/contract/config/fixture.h"

static const char *path_of(const struct config_fixture *f)
{
    return f->url + strlen("json:");
}

static char *read_file(const char *path)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    return text;
}

/* As editors do it: another file, renamed over the first one. */
static void write_file(const struct config_fixture *f, const char *text)
{
    char other[600];
    snprintf(other, sizeof other, "%s.edited", path_of(f));
    FILE *file = fopen(other, "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(other, path_of(f)), 0);
}

/* Replaces the first `from` of the file by `to`. */
static void edit(const struct config_fixture *f, const char *from, const char *to)
{
    static char text[1 << 20];
    const char *old = read_file(path_of(f));
    const char *at = strstr(old, from);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - old), old, to, at + strlen(from));
    write_file(f, text);
}

/* The values stand at the file's end, after the history. */
static void edit_value(const struct config_fixture *f, const char *from, const char *to)
{
    static char text[1 << 20];
    const char *old = read_file(path_of(f));
    const char *values = strstr(old, "\"values\"");
    assert_non_null(values);
    const char *at = strstr(values, from);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - old), old, to, at + strlen(from));
    write_file(f, text);
}

static void the_file_is_for_its_owner(void **state)
{
    struct config_fixture *f = *state;
    struct stat st;
    config_set(f, "/a", "1");
    assert_int_equal(stat(path_of(f), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_second_process_is_refused(void **state)
{
    struct config_fixture *f = *state;
    const struct comb_store_options options = {.url = comb_str_from(f->url)};
    struct comb_config_store *second = NULL;
    must_fail(COMB_FAILED_PRECONDITION, comb_config_json_open(&options, &second, &f->test.err),
              &f->test.err);
    assert_non_null(strstr(f->test.err.msg, "another process"));
    assert_null(second);
}

static void an_edit_becomes_a_revision(void **state)
{
    struct config_fixture *f = *state;
    struct config_witness witness;
    struct comb_config_entries page;
    config_witness_init(&witness);
    const struct comb_config_observer observer = config_witness_observer(&witness);
    config_set(f, "/a", "1");
    int64_t revision = config_set(f, "/b", "\"old\"");
    must_ok(comb_config_store_watch(f->store, &observer, &f->test.err), &f->test.err);
    edit_value(f, "\"old\"", "\"new\"");
    /* It is seen without anybody asking. */
    config_await_value(&witness, "/b", "\"new\"");
    assert_true(config_must_hold(f, "/b", "\"new\"") > revision);
    assert_true(config_must_hold(f, "/a", "1") < revision);
    must_ok(
        comb_config_store_history(f->store, &f->test.ctx, STR("/b"), 0, 10, &page, &f->test.err),
        &f->test.err);
    assert_int_equal(page.n, 2);
    assert_true(comb_str_equal(page.items[0].actor, STR("file")));
    /* A change on an old revision does not overwrite it. */
    must_fail(COMB_FAILED_PRECONDITION, config_try_set(f, "/b", "1", revision, &revision),
              &f->test.err);
    config_reopen(f);
}

static void an_edit_while_it_is_closed_counts_too(void **state)
{
    struct config_fixture *f = *state;
    int64_t revision = config_set(f, "/a", "\"old\"");
    comb_config_store_close(f->store);
    f->store = NULL;
    edit_value(f, "\"old\"", "\"new\"");
    config_reopen(f);
    assert_true(config_must_hold(f, "/a", "\"new\"") > revision);
}

static void a_bad_edit_changes_nothing_until_it_is_corrected(void **state)
{
    static const char *const bad[] = {"\"old\",,", "\"old\", \"no path\": 1", "\"old\", \"/a/\": 1",
                                      "\"old\", \"/a\": 2"};
    struct config_fixture *f = *state;
    struct comb_store_status status;
    int64_t ignored;
    config_set(f, "/a", "\"old\"");
    char *good = strdup(read_file(path_of(f)));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        edit_value(f, "\"old\"", bad[i]);
        config_must_hold(f, "/a", "\"old\"");
        must_fail(COMB_FAILED_PRECONDITION, config_try_set(f, "/a", "1", -1, &ignored),
                  &f->test.err);
        comb_config_store_status(f->store, &status);
        assert_int_equal(status.state, COMB_STORE_DOWN);
        must_fail(COMB_FAILED_PRECONDITION,
                  comb_config_store_check(f->store, &f->test.ctx, &f->test.err), &f->test.err);
        write_file(f, good);
        config_must_hold(f, "/a", "\"old\"");
        must_ok(comb_config_store_check(f->store, &f->test.ctx, &f->test.err), &f->test.err);
    }
    /* Gone is no edit. */
    assert_int_equal(unlink(path_of(f)), 0);
    config_must_hold(f, "/a", "\"old\"");
    must_fail(COMB_FAILED_PRECONDITION, config_try_set(f, "/a", "1", -1, &ignored), &f->test.err);
    write_file(f, good);
    config_set(f, "/a", "1");
    free(good);
}

static void a_torn_file_is_told_with_its_line(void **state)
{
    struct config_fixture *f = *state;
    const struct comb_store_options options = {.url = comb_str_from(f->url)};
    char backup[600];
    config_set(f, "/a", "1");
    config_set(f, "/a", "2");
    comb_config_store_close(f->store);
    f->store = NULL;
    const char *whole = read_file(path_of(f));
    char *torn = strndup(whole, strlen(whole) / 2);
    write_file(f, torn);
    free(torn);
    must_fail(COMB_FAILED_PRECONDITION, comb_config_json_open(&options, &f->store, &f->test.err),
              &f->test.err);
    assert_non_null(strstr(f->test.err.msg, "line "));
    /* What the message says helps. */
    snprintf(backup, sizeof backup, "%s.bak", path_of(f));
    assert_int_equal(rename(backup, path_of(f)), 0);
    config_reopen(f);
    config_must_hold(f, "/a", "1");
}

static void a_damaged_history_is_told(void **state)
{
    struct config_fixture *f = *state;
    const struct comb_store_options options = {.url = comb_str_from(f->url)};
    config_set(f, "/a", "1");
    comb_config_store_close(f->store);
    f->store = NULL;
    edit(f, "\"actor\"", "\"who\"");
    must_fail(COMB_FAILED_PRECONDITION, comb_config_json_open(&options, &f->store, &f->test.err),
              &f->test.err);
    assert_non_null(strstr(f->test.err.msg, "/a"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, config_setup, config_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_file_is_for_its_owner),
        CASE(a_second_process_is_refused),
        CASE(an_edit_becomes_a_revision),
        CASE(an_edit_while_it_is_closed_counts_too),
        CASE(a_bad_edit_changes_nothing_until_it_is_corrected),
        CASE(a_torn_file_is_told_with_its_line),
        CASE(a_damaged_history_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
