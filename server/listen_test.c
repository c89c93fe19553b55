/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/listen.h"

static struct grpcc_server *server;
static struct comb_error err;
static char bound[COMB_ADDRESS_TEXT_MAX];

static int set_up(void **state)
{
    (void)state;
    server = grpcc_server_new(NULL, NULL);
    return server ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    grpcc_server_free(server);
    return 0;
}

static void any_port_is_told(void **state)
{
    struct comb_options options = {0};
    (void)state;
    assert_int_equal(comb_listen(server, "127.0.0.1:0", &options, bound, &err), COMB_OK);
    assert_int_equal(strncmp(bound, "127.0.0.1:", 10), 0);
    assert_true(strtol(bound + 10, NULL, 10) > 0);
}

static void what_is_taken_is_said_and_the_next_is_found(void **state)
{
    struct comb_options options = {0};
    char next[COMB_ADDRESS_TEXT_MAX];
    struct grpcc_server *other = grpcc_server_new(NULL, NULL);
    (void)state;
    assert_int_equal(comb_listen(server, "127.0.0.1:0", &options, bound, &err), COMB_OK);
    assert_int_equal(comb_listen(other, bound, &options, next, &err), COMB_UNAVAILABLE);
    assert_non_null(strstr(err.msg, bound));
    assert_int_equal(comb_listen_next(other, bound, &options, next, &err), COMB_OK);
    assert_string_not_equal(bound, next);
    grpcc_server_free(other);
}

static void nothing_listens_beyond_this_machine_by_accident(void **state)
{
    struct comb_options options = {0};
    (void)state;
    assert_int_equal(comb_listen(server, "0.0.0.0:0", &options, bound, &err),
                     COMB_FAILED_PRECONDITION);
    assert_non_null(strstr(err.msg, "--insecure"));
    options.insecure = true;
    assert_int_equal(comb_listen(server, "0.0.0.0:0", &options, bound, &err), COMB_OK);
}

static void addresses_are_checked(void **state)
{
    static const char *const wrong[] = {"",           "localhost",   ":70",
                                        "localhost:", "localhost:x", "localhost:70000"};
    struct comb_options options = {0};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(comb_listen(server, wrong[i], &options, bound, &err),
                         COMB_INVALID_ARGUMENT);
}

static void the_ready_file_is_whole(void **state)
{
    char path[512], line[64];
    const char *base = getenv("TEST_TMPDIR");
    (void)state;
    snprintf(path, sizeof path, "%s/ready", base ? base : "/tmp");
    assert_int_equal(comb_ready_write(path, "a:1", "b:2", "", &err), COMB_OK);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "listen=a:1\n");
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "admin=b:2\n");
    assert_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_int_equal(comb_ready_write(path, "a:1", "b:2", "m:3", &err), COMB_OK);
    file = fopen(path, "r");
    assert_non_null(file);
    for (int i = 0; i < 3; i++)
        assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "metrics=m:3\n");
    fclose(file);
    assert_int_equal(comb_ready_write("/no/such/folder/ready", "a", "b", "", &err),
                     COMB_FAILED_PRECONDITION);
}

static void plain_addresses_stay_on_this_machine(void **state)
{
    struct comb_options options = {.tls_certificate = "there is one"};
    char host[COMB_ADDRESS_TEXT_MAX];
    (void)state;
    assert_int_equal(comb_listen_plain_check("--m", "127.0.0.1:9", &options, host, &err), COMB_OK);
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(comb_listen_plain_check("--m", "[::1]:0", &options, host, &err), COMB_OK);
    assert_int_equal(comb_listen_plain_check("--m", "unix:/x", &options, host, &err),
                     COMB_INVALID_ARGUMENT);
    assert_int_equal(comb_listen_plain_check("--m", "127.0.0.1", &options, host, &err),
                     COMB_INVALID_ARGUMENT);
    assert_int_equal(comb_listen_plain_check("--m", "0.0.0.0:9", &options, host, &err),
                     COMB_FAILED_PRECONDITION);
    options.insecure = true;
    assert_int_equal(comb_listen_plain_check("--m", "0.0.0.0:9", &options, host, &err), COMB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_port_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_taken_is_said_and_the_next_is_found, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nothing_listens_beyond_this_machine_by_accident, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(addresses_are_checked, set_up, tear_down),
        cmocka_unit_test(the_ready_file_is_whole),
        cmocka_unit_test(plain_addresses_stay_on_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
