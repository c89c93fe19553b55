/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "server/home.h"

static struct grpcc_arena *arena;
static struct comb_error err;
static char home[COMB_HOME_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    arena = grpcc_arena_new(0);
    unsetenv("COMB_ADMIN_PASSWORD");
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    grpcc_arena_free(arena);
    return 0;
}

/* A folder of its own below the test's. */
static char *fresh(void)
{
    static char path[512];
    const char *base = getenv("TEST_TMPDIR");
    snprintf(path, sizeof path, "%s/home.XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

static void folders_are_made_for_the_owner_alone(void **state)
{
    char path[600];
    struct stat about;
    struct comb_options options = {.home = path};
    (void)state;
    snprintf(path, sizeof path, "%s/a/b", fresh());
    assert_int_equal(comb_home_open(&options, home, &err), COMB_OK);
    assert_int_equal(stat(home, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
    assert_int_equal(comb_home_open(&options, home, &err), COMB_OK);
}

static void what_cannot_be_a_home_is_refused(void **state)
{
    struct comb_options options = {.home = "/dev/null/x"};
    (void)state;
    assert_int_equal(comb_home_open(&options, home, &err), COMB_FAILED_PRECONDITION);
    options.home = "";
    assert_int_equal(comb_home_open(&options, home, &err), COMB_INVALID_ARGUMENT);
}

static void a_password_is_made_once(void **state)
{
    struct comb_options options = {0};
    struct stat about;
    char file[600], *first = NULL, *second = NULL;
    const char *folder = fresh();
    bool made = false;
    (void)state;
    assert_int_equal(comb_home_admin_password(&options, folder, arena, &first, &made, &err),
                     COMB_OK);
    assert_true(made);
    assert_true(strlen(first) >= 20);
    snprintf(file, sizeof file, "%s/admin", folder);
    assert_int_equal(stat(file, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(comb_home_admin_password(&options, folder, arena, &second, &made, &err),
                     COMB_OK);
    assert_false(made);
    assert_string_equal(first, second);
}

static void a_given_password_is_taken(void **state)
{
    struct comb_options options = {.admin_password_file = "/no/such/file"};
    char *password = NULL;
    bool made = true;
    (void)state;
    assert_int_equal(comb_home_admin_password(&options, fresh(), arena, &password, &made, &err),
                     COMB_NOT_FOUND);
    setenv("COMB_ADMIN_PASSWORD", "from outside", 1);
    assert_int_equal(comb_home_admin_password(&options, fresh(), arena, &password, &made, &err),
                     COMB_OK);
    assert_string_equal(password, "from outside");
    assert_false(made);
    unsetenv("COMB_ADMIN_PASSWORD");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_made_for_the_owner_alone),
        cmocka_unit_test(what_cannot_be_a_home_is_refused),
        cmocka_unit_test(a_password_is_made_once),
        cmocka_unit_test(a_given_password_is_taken),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
