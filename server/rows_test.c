/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rows.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/support.h"

struct fixture {
    struct test_ctx test;
    struct comb_options options;
    struct comb_rows rows;
    char *home;
    char *text; /* what was written to out */
    size_t text_size;
    FILE *out;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    test_ctx_init(&f->test);
    f->home = test_folder_new();
    f->out = open_memstream(&f->text, &f->text_size);
    *state = f;
    return f->out ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    comb_rows_done(&f->rows);
    fclose(f->out);
    free(f->text);
    free(f->home);
    test_ctx_done(&f->test);
    free(f);
    return 0;
}

static enum comb_status init(struct fixture *f)
{
    return comb_rows_init(&f->rows, &f->options, f->home, &f->test.err);
}

static void must_have_written(const struct fixture *f, const char *text)
{
    fflush(f->out);
    if (!strstr(f->text, text))
        fail_msg("\"%s\" is not in:\n%s", text, f->text);
}

static bool never_waits(void *data, uint32_t ms)
{
    (void)data;
    fail_msg("waited %u ms for a store that is there", (unsigned)ms);
    return false;
}

static void the_table_has_each_scheme_once(void **state)
{
    (void)state;
    for (int row = 0; row < COMB_ROWS; row++) {
        const struct comb_row_interface *interface = &comb_row_interfaces[row];
        for (size_t i = 0; i < interface->n_drivers; i++) {
            const struct comb_row_driver *driver = &interface->drivers[i];
            assert_non_null(driver->open);
            assert_non_null(interface->close);
            assert_memory_equal(driver->url, driver->scheme, strlen(driver->scheme));
            for (size_t j = 0; j < i; j++)
                assert_string_not_equal(driver->scheme, interface->drivers[j].scheme);
        }
    }
}

static void embedded_stores_are_the_default(void **state)
{
    struct fixture *f = *state;
    const struct comb_rows_patience patience = {never_waits, NULL};
    must_ok(init(f), &f->test.err);
    must_ok(comb_rows_open(&f->rows, &patience, &f->test.ctx, &f->test.err), &f->test.err);
    for (int row = 0; row < COMB_ROWS; row++) {
        struct comb_store_status status;
        if (!f->rows.rows[row].driver)
            continue;
        assert_non_null(comb_rows_store(&f->rows, (enum comb_row)row));
        comb_rows_status(&f->rows, (enum comb_row)row, &status);
        assert_string_equal(status.driver, f->rows.rows[row].driver->scheme);
        /* What bazel/drivers.bzl says is what the driver says. */
        assert_int_equal(status.shared, f->rows.rows[row].driver->shared);
        assert_int_equal(status.state, COMB_STORE_UP);
    }
}

static void a_wrong_url_is_told_which_there_are(void **state)
{
    static const char *const bad[] = {"", "sqlite", "/var/lib/comb.db", "sqlit:x", "oracle://x"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        f->options.sql = bad[i];
        must_fail(COMB_INVALID_ARGUMENT, init(f), &f->test.err);
        assert_non_null(strstr(f->test.err.msg, "--sql"));
        assert_non_null(strstr(f->test.err.msg, "sqlite:PATH"));
    }
    static char endless[COMB_URL_MAX + 8] = "sqlite:";
    memset(endless + 7, 'x', COMB_URL_MAX);
    f->options.sql = endless;
    must_fail(COMB_INVALID_ARGUMENT, init(f), &f->test.err);
    assert_non_null(strstr(f->test.err.msg, "too long"));
}

static void a_cluster_has_no_store_for_one_process(void **state)
{
    struct fixture *f = *state;
    must_ok(init(f), &f->test.err);
    must_fail(COMB_FAILED_PRECONDITION, comb_rows_check_cluster(&f->rows, f->out, &f->test.err),
              &f->test.err);
    assert_non_null(strstr(f->test.err.msg, "--cluster"));
    for (int row = 0; row < COMB_ROWS; row++) {
        if (f->rows.rows[row].driver)
            must_have_written(f, f->rows.rows[row].url);
    }
    must_have_written(f, "--sql sqlite:");
    must_have_written(f, "/comb.db is for one process only");
}

static void credentials_come_from_a_file_of_the_owner(void **state)
{
    struct fixture *f = *state;
    const struct comb_rows_patience patience = {never_waits, NULL};
    char *path = test_path(f->home, "credentials");
    FILE *file = fopen(path, "w");
    assert_true(fputs("word\n", file) >= 0);
    fclose(file);
    assert_int_equal(chmod(path, 0644), 0);
    f->options.data_credentials_file = path;
    must_ok(init(f), &f->test.err);
    must_fail(COMB_FAILED_PRECONDITION,
              comb_rows_open(&f->rows, &patience, &f->test.ctx, &f->test.err), &f->test.err);
    assert_non_null(strstr(f->test.err.msg, "data: --data-credentials-file"));
    comb_rows_done(&f->rows);
    assert_int_equal(chmod(path, 0600), 0);
    must_ok(init(f), &f->test.err);
    must_ok(comb_rows_open(&f->rows, &patience, &f->test.ctx, &f->test.err), &f->test.err);
    assert_string_equal(f->rows.rows[COMB_ROW_DATA].credentials.bytes, "word");
    free(path);
}

static void only_one_way_into_the_vault(void **state)
{
    struct fixture *f = *state;
    f->options.vault_token_file = "a";
    f->options.vault_approle_file = "b";
    must_fail(COMB_INVALID_ARGUMENT, init(f), &f->test.err);
}

/* Whether there is anything in the folder. */
static bool is_empty(const char *folder)
{
    return rmdir(folder) == 0 && mkdir(folder, 0700) == 0;
}

static void a_check_makes_nothing(void **state)
{
    struct fixture *f = *state;
    must_ok(init(f), &f->test.err);
    assert_true(comb_rows_check(&f->rows, f->out));
    must_have_written(f, "sql       sqlite    ok      will be made at the first start: sqlite:");
    assert_true(is_empty(f->home));
}

static void a_check_says_what_is_wrong_with_a_place(void **state)
{
    struct fixture *f = *state;
    f->options.sql = "sqlite:/dev/null/x/comb.db";
    f->options.data = "files:/proc/1/no-such-place";
    must_ok(init(f), &f->test.err);
    assert_false(comb_rows_check(&f->rows, f->out));
    must_have_written(f, "vault     json      ok ");
    must_have_written(f, "sql       sqlite    FAILED  /dev/null/x");
    must_have_written(f, "data      files     FAILED  ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_has_each_scheme_once),
        cmocka_unit_test_setup_teardown(embedded_stores_are_the_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_url_is_told_which_there_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cluster_has_no_store_for_one_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(credentials_come_from_a_file_of_the_owner, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(only_one_way_into_the_vault, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_check_makes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_check_says_what_is_wrong_with_a_place, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
