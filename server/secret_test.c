/* SPDX-License-Identifier: Apache-2.0 */
#include "server/secret.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/support.h"

struct fixture {
    char *folder, *path;
    struct comb_secret secret;
    struct comb_error err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = test_folder_new();
    f->path = test_path(f->folder, "secret");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    comb_secret_done(&f->secret);
    free(f->path);
    free(f->folder);
    free(f);
    return 0;
}

static void write_file(const struct fixture *f, const void *bytes, size_t size, mode_t mode)
{
    (void)unlink(f->path);
    int fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void must_be_refused(struct fixture *f, const char *says)
{
    must_fail(COMB_FAILED_PRECONDITION,
              comb_secret_read(&f->secret, "--sql-credentials-file", f->path, &f->err), &f->err);
    assert_non_null(strstr(f->err.msg, says));
    assert_non_null(strstr(f->err.msg, "--sql-credentials-file"));
    assert_null(f->secret.bytes);
}

static void one_end_of_line_is_cut(void **state)
{
    static const struct {
        const char *written, *read;
    } cases[] = {
        {"word", "word"},
        {"word\n", "word"},
        {"word\r\n", "word"},
        {" two words \n\n", " two words \n"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file(f, cases[i].written, strlen(cases[i].written), i % 2 ? 0600 : 0400);
        must_ok(comb_secret_read(&f->secret, "--x", f->path, &f->err), &f->err);
        assert_string_equal(f->secret.bytes, cases[i].read);
        assert_int_equal(f->secret.len, strlen(cases[i].read));
        comb_secret_done(&f->secret);
        assert_null(f->secret.bytes);
    }
}

static void what_others_can_reach_is_refused(void **state)
{
    static const mode_t modes[] = {0640, 0620, 0604, 0602, 0644, 0777};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        write_file(f, "word", 4, modes[i]);
        must_be_refused(f, "chmod 600");
    }
}

static void only_the_group_of_a_file_of_root_may_read(void **state)
{
    static const struct {
        mode_t mode;
        uid_t owner, user;
        bool is_private;
    } cases[] = {
        {0600, 7, 7, true},  {0400, 0, 7, true},  {0440, 0, 7, true},  {0640, 0, 7, true},
        {0440, 7, 7, false}, {0440, 8, 7, false}, {0440, 0, 0, false}, {0460, 0, 7, false},
        {0450, 0, 7, false}, {0444, 0, 7, false}, {0442, 0, 7, false}, {0404, 0, 7, false},
        {0600, 0, 0, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(comb_secret_is_private(cases[i].mode, cases[i].owner, cases[i].user),
                         cases[i].is_private);
}

static void what_is_no_secret_is_refused(void **state)
{
    static char large[COMB_SECRET_BYTES_MAX + 1];
    struct fixture *f = *state;
    must_be_refused(f, "No such file");
    write_file(f, "\n", 1, 0600);
    must_be_refused(f, "empty");
    memset(large, 'x', sizeof large);
    write_file(f, large, sizeof large, 0600);
    must_be_refused(f, "larger than");
    write_file(f, large, sizeof large - 1, 0600);
    must_ok(comb_secret_read(&f->secret, "--x", f->path, &f->err), &f->err);
    assert_int_equal(f->secret.len, COMB_SECRET_BYTES_MAX);
    comb_secret_done(&f->secret);
    (void)unlink(f->path);
    assert_int_equal(mkfifo(f->path, 0600), 0);
    must_be_refused(f, "is not a file"); /* and does not wait for a writer */
}

static void copies_have_the_same_limits(void **state)
{
    static const char large[COMB_SECRET_BYTES_MAX + 1];
    struct fixture *f = *state;
    must_ok(comb_secret_copy(&f->secret, "--x", STR("word"), &f->err), &f->err);
    assert_string_equal(f->secret.bytes, "word");
    comb_secret_done(&f->secret);
    must_fail(COMB_INVALID_ARGUMENT, comb_secret_copy(&f->secret, "--x", STR(""), &f->err),
              &f->err);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_secret_copy(&f->secret, "--x", comb_str_of(large, sizeof large), &f->err),
              &f->err);
    assert_null(f->secret.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_end_of_line_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_others_can_reach_is_refused, set_up, tear_down),
        cmocka_unit_test(only_the_group_of_a_file_of_root_may_read),
        cmocka_unit_test_setup_teardown(what_is_no_secret_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(copies_have_the_same_limits, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
