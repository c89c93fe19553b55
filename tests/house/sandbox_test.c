/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which sandbox tests run in. Where the kernel refuses user namespaces Bazel quietly falls back to
 * a sandbox without them; then ports of tests would collide, leftovers would live on, and what is
 * proved here would be proved elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void only_loopback_is_there(void **state)
{
    (void)state;
    struct if_nameindex *all = if_nameindex();
    assert_non_null(all);
    assert_string_equal(all[0].if_name, "lo");
    assert_null(all[1].if_name);
    if_freenameindex(all);
}

static void the_user_is_nobody(void **state)
{
    (void)state;
    const struct passwd *user = getpwuid(getuid());
    assert_non_null(user);
    assert_string_equal(user->pw_name, "nobody");
}

/* In a namespace of its own the whole chain of parents ends soon: the sandbox is process 1. */
static void processes_are_its_own(void **state)
{
    (void)state;
    char path[64], name[64] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", 1);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(name, sizeof name, file));
    fclose(file);
    assert_non_null(strstr(name, "linux-sandbox"));
}

static void only_the_scratch_folder_is_writable(void **state)
{
    (void)state;
    char path[4096];
    const char *scratch = getenv("TEST_TMPDIR");
    assert_non_null(scratch);
    snprintf(path, sizeof path, "%s/probe", scratch);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(open("/usr/probe", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), -1);
    assert_true(errno == EROFS || errno == EACCES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_loopback_is_there),
        cmocka_unit_test(the_user_is_nobody),
        cmocka_unit_test(processes_are_its_own),
        cmocka_unit_test(only_the_scratch_folder_is_writable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
