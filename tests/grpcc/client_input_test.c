/* SPDX-License-Identifier: Apache-2.0 */
/* What a program may not send: each is refused by a status, at once, and the channel goes on. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/grpcc/fixture.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static enum grpcc_status send_header(struct fixture *f, const char *key, const void *value,
                                     size_t length)
{
    const struct grpcc_metadata item = {key, value, length};
    const struct grpcc_call_options options = {
        .size = sizeof(options), .metadata = &item, .n_metadata = 1};
    struct grpcc_testing_answer *answer = NULL;
    f->err = (struct grpcc_error)GRPCC_ERROR_INIT;
    return grpcc_testing_echo_unary(f->channel, f->arena, &options, ask(f, "x"), &answer, &f->err);
}

static void headers_that_are_gRPCs_or_HTTPs_are_refused(void **state)
{
    static const char *const keys[] = {
        "",
        "Upper-Case",
        "two words",
        "new\nline",
        ":path",
        ":authority",
        "grpc-timeout",
        "grpc-status",
        "grpc-encoding",
        "grpc-previous-rpc-attempts",
        "grpc-internal-encoding-request",
        "te",
        "content-type",
        "connection",
        "transfer-encoding",
        "upgrade",
        "host",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < N_OF(keys); i++) {
        enum grpcc_status status = send_header(f, keys[i], "x", 1);
        if (status != GRPCC_INVALID_ARGUMENT)
            print_error("\"%s\": %s\n", keys[i], grpcc_status_name(status));
        assert_int_equal(status, GRPCC_INVALID_ARGUMENT);
    }
    assert_int_equal(send_header(f, NULL, "x", 1), GRPCC_INVALID_ARGUMENT);
    assert_int_equal(send_header(f, "x-value", "a\nb", 3), GRPCC_INVALID_ARGUMENT);
    assert_int_equal(send_header(f, "x-value", "a\0b", 3), GRPCC_INVALID_ARGUMENT);
    assert_int_equal(send_header(f, "x-value", NULL, 3), GRPCC_INVALID_ARGUMENT);
    must_end(f, GRPCC_OK, ask(f, "goes on"), NULL);
}

static void headers_of_any_shape_are_sent(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(send_header(f, "x-empty", "", 0), GRPCC_OK);
    assert_int_equal(send_header(f, "x-empty", NULL, 0), GRPCC_OK);
    assert_int_equal(send_header(f, "x-bytes-bin", "\0\xff\n", 3), GRPCC_OK);
    assert_int_equal(send_header(f, "x_under.score-9", "~ !", 3), GRPCC_OK);
}

/* They would cost every call on the connection their lives: the server hangs up. */
static void huge_headers_are_refused(void **state)
{
    struct fixture *f = *state;
    const size_t sizes[] = {16 << 10, 64 << 10, 200 << 10, 1 << 20};
    char *value = malloc(1 << 20);
    memset(value, 'a', 1 << 20);
    for (size_t i = 0; i < N_OF(sizes); i++)
        assert_int_equal(send_header(f, "x-huge", value, sizes[i]), GRPCC_RESOURCE_EXHAUSTED);
    assert_int_equal(send_header(f, "x-large", value, 15000), GRPCC_OK);
    free(value);
    must_end(f, GRPCC_OK, ask(f, "goes on"), NULL);
}

static void messages_above_the_limit_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct grpcc_channel_options options = {.size = sizeof(options),
                                                  .request_bytes_max = 1000};
    struct grpcc_testing_answer *answer = NULL;
    int port = 0;
    char target[32], text[2000];
    struct grpcc_server *server = grpcc_server_new(NULL, &f->err);
    assert_int_equal(grpcc_testing_echo_register(server, &echo_table, f, &f->err), GRPCC_OK);
    assert_int_equal(grpcc_server_listen(server, "127.0.0.1:0", NULL, &port, &f->err), GRPCC_OK);
    assert_int_equal(grpcc_server_start(server, &f->err), GRPCC_OK);
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    struct grpcc_channel *channel = grpcc_channel_new(target, &options, &f->err);
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(
        grpcc_testing_echo_unary(channel, f->arena, NULL, ask(f, text), &answer, &f->err),
        GRPCC_RESOURCE_EXHAUSTED);
    text[900] = '\0';
    assert_int_equal(
        grpcc_testing_echo_unary(channel, f->arena, NULL, ask(f, text), &answer, &f->err),
        GRPCC_OK);
    grpcc_channel_free(channel);
    grpcc_server_free(server);
}

/* Negative is none, as 0 is; beyond a hundred years too. */
static void timeouts_of_any_value_are_taken(void **state)
{
    struct fixture *f = *state;
    const int64_t timeouts[] = {INT64_MIN, -1, 0, 60000, INT64_MAX / 1000000, INT64_MAX};
    for (size_t i = 0; i < N_OF(timeouts); i++) {
        const struct grpcc_call_options options = {.size = sizeof(options),
                                                   .timeout_ms = timeouts[i]};
        must_end(f, GRPCC_OK, ask(f, "x"), &options);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_that_are_gRPCs_or_HTTPs_are_refused),
        cmocka_unit_test(headers_of_any_shape_are_sent),
        cmocka_unit_test(huge_headers_are_refused),
        cmocka_unit_test(messages_above_the_limit_are_refused),
        cmocka_unit_test(timeouts_of_any_value_are_taken),
    };
    return cmocka_run_group_tests(tests, fixture_echo, fixture_free);
}
