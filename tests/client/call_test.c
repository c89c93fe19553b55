/* SPDX-License-Identifier: Apache-2.0 */
/* Unary calls: what is repeated, what is not, what every attempt carries. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comb/v1/tree.grpcc.h"
#include "tests/client/fake.h"

static int set_up(void **state)
{
    struct fake *fake = malloc(sizeof(*fake));
    fake_start(fake, 0);
    *state = fake;
    return 0;
}

static int tear_down(void **state)
{
    fake_done(*state);
    free(*state);
    return 0;
}

static void unavailable_is_repeated_until_it_works(void **state)
{
    struct fake *fake = *state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = fake_client(fake, NULL);
    fake_fail(fake, (struct fake_fault){.times = 3, .status = GRPCC_UNAVAILABLE});
    must_ok(fake_stat(client, &err), &err);
    assert_int_equal(fake_count(fake, "Stat"), 4);
    comb_client_close(client);
}

static void attempts_are_bounded(void **state)
{
    struct fake *fake = *state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client_options options = {.size = sizeof(options), .attempts_max = 3};
    struct comb_client *client = fake_client(fake, &options);
    fake_fail(fake, (struct fake_fault){.times = 100, .status = GRPCC_UNAVAILABLE});
    must_fail(GRPCC_UNAVAILABLE, fake_stat(client, &err), &err);
    assert_int_equal(fake_count(fake, "Stat"), 3);
    comb_client_close(client);
}

static void budget_is_shared_by_calls(void **state)
{
    struct fake *fake = *state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client_options options = {
        .size = sizeof(options), .attempts_max = 4, .retry_tokens_max = 4};
    struct comb_client *client = fake_client(fake, &options);
    fake_fail(fake, (struct fake_fault){.times = 100, .status = GRPCC_UNAVAILABLE});
    must_fail(GRPCC_UNAVAILABLE, fake_stat(client, &err), &err);
    assert_int_equal(fake_count(fake, "Stat"), 4);
    must_fail(GRPCC_UNAVAILABLE, fake_stat(client, &err), &err);
    assert_int_equal(fake_count(fake, "Stat"), 5); /* the budget is empty: no repetition */
    comb_client_close(client);
}

static void other_failures_are_not_repeated(void **state)
{
    static const enum grpcc_status FINAL[] = {GRPCC_UNKNOWN, GRPCC_INTERNAL, GRPCC_NOT_FOUND,
                                              GRPCC_RESOURCE_EXHAUSTED, GRPCC_ABORTED};
    struct fake *fake = *state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = fake_client(fake, NULL);
    for (size_t i = 0; i < sizeof(FINAL) / sizeof(FINAL[0]); i++) {
        fake_fail(fake, (struct fake_fault){.times = 1, .status = FINAL[i]});
        must_fail(FINAL[i], fake_stat(client, &err), &err);
        assert_string_equal(err.message, "as the test wants");
        assert_int_equal(fake_count(fake, "Stat"), i + 1);
    }
    comb_client_close(client);
}

static void pushback_is_honoured(void **state)
{
    struct fake *fake = *state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = fake_client(fake, NULL);
    fake_fail(fake, (struct fake_fault){.times = 1,
                                        .status = GRPCC_RESOURCE_EXHAUSTED,
                                        .has_pushback = true,
                                        .pushback_ms = 5});
    must_ok(fake_stat(client, &err), &err);
    assert_int_equal(fake_count(fake, "Stat"), 2);
    fake_fail(fake, (struct fake_fault){.times = 1,
                                        .status = GRPCC_UNAVAILABLE,
                                        .has_pushback = true,
                                        .pushback_ms = -1}); /* do not try again */
    must_fail(GRPCC_UNAVAILABLE, fake_stat(client, &err), &err);
    assert_int_equal(fake_count(fake, "Stat"), 3);
    comb_client_close(client);
}

static void pushback_beyond_the_deadline_ends_the_call(void **state)
{
    struct fake *fake = *state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = fake_client(fake, NULL);
    fake_fail(fake, (struct fake_fault){.times = 1,
                                        .status = GRPCC_UNAVAILABLE,
                                        .has_pushback = true,
                                        .pushback_ms = 3600 * 1000});
    must_fail(GRPCC_UNAVAILABLE, fake_stat(client, &err), &err);
    assert_int_equal(fake_count(fake, "Stat"), 1);
    comb_client_close(client);
}

/* As pushback, but that the call may have been done. */
static void retry_info_beyond_the_deadline_ends_the_call(void **state)
{
    struct fake *fake = *state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = fake_client(fake, NULL);
    fake_fail(fake,
              (struct fake_fault){.times = 1, .status = GRPCC_UNAVAILABLE, .retry_info_s = 3600});
    must_fail(GRPCC_UNAVAILABLE, fake_stat(client, &err), &err);
    assert_int_equal(fake_count(fake, "Stat"), 1);
    comb_client_close(client);
}

static void retry_info_delays_the_next_attempt(void **state)
{
    struct fake *fake = *state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = fake_client(fake, NULL);
    fake_fail(fake,
              (struct fake_fault){.times = 1, .status = GRPCC_UNAVAILABLE, .retry_info_s = 1});
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    must_ok(fake_stat(client, &err), &err);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_int_equal(fake_count(fake, "Stat"), 2);
    assert_true(end.tv_sec > begin.tv_sec); /* a second or more has passed */
    comb_client_close(client);
}

/* A replica that drains refuses as often as it is asked: that is no failure, and counts for
 * nothing. */
static void refusals_of_a_draining_replica_cost_nothing(void **state)
{
    struct fake *fake = *state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client_options options = {
        .size = sizeof(options), .attempts_max = 1, .retry_tokens_max = 1};
    struct comb_client *client = fake_client(fake, &options);
    fake_fail(fake,
              (struct fake_fault){
                  .times = 2, .status = GRPCC_UNAVAILABLE, .has_pushback = true, .pushback_ms = 0});
    must_ok(fake_stat(client, &err), &err);
    assert_int_equal(fake_count(fake, "Stat"), 3);
    comb_client_close(client);
}

/* The texts are core's own: see client/lib/retry.c. */
static void a_replica_that_closes_costs_nothing(void **state)
{
    struct fake *fake = *state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client_options options = {
        .size = sizeof(options), .attempts_max = 1, .retry_tokens_max = 1};
    struct comb_client *client = fake_client(fake, &options);
    fake_fail(fake,
              (struct fake_fault){.times = 2, .status = GRPCC_CANCELLED, .message = "CANCELLED"});
    must_ok(fake_stat(client, &err), &err);
    assert_int_equal(fake_count(fake, "Stat"), 3);
    /* One that may have begun, of a server that waits no longer for its end. */
    fake_fail(fake, (struct fake_fault){.times = 2,
                                        .status = GRPCC_UNAVAILABLE,
                                        .message = "Cancelling all calls"});
    must_ok(fake_stat(client, &err), &err);
    assert_int_equal(fake_count(fake, "Stat"), 6);
    /* One that came when its connection was going already. */
    fake_fail(fake, (struct fake_fault){
                        .times = 2, .status = GRPCC_UNAVAILABLE, .message = "GOAWAY received"});
    must_ok(fake_stat(client, &err), &err);
    assert_int_equal(fake_count(fake, "Stat"), 9);
    /* What a handler says may have begun. */
    fake_fail(fake, (struct fake_fault){.times = 1, .status = GRPCC_CANCELLED});
    must_fail(GRPCC_UNAVAILABLE, fake_stat(client, &err), &err);
    assert_int_equal(fake_count(fake, "Stat"), 10);
    comb_client_close(client);
}

static void login_is_not_repeated_blindly(void **state)
{
    struct fake *fake = *state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = fake_client(fake, NULL);
    must_fail(GRPCC_UNAUTHENTICATED, comb_client_login(client, "admin", "wrong", NULL, &err), &err);
    assert_int_equal(fake_count(fake, "Login"), 2);
    comb_client_close(client);
}

static void all_attempts_carry_one_request_id(void **state)
{
    struct fake *fake = *state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = fake_client(fake, NULL);
    fake_fail(fake, (struct fake_fault){.times = 2, .status = GRPCC_UNAVAILABLE});
    must_ok(fake_create(client, NULL, &err), &err);
    struct fake_call first = fake_get(fake, "CreateFolder", 0);
    assert_int_equal(strlen(first.request_id), 36);
    assert_int_equal(first.request_id[14], '7');
    for (size_t i = 0; i < 3; i++) {
        struct fake_call call = fake_get(fake, "CreateFolder", i);
        assert_string_equal(call.request_id, first.request_id);
        assert_string_equal(call.header_request_id, first.request_id);
    }
    must_ok(fake_create(client, NULL, &err), &err);
    assert_string_not_equal(fake_get(fake, "CreateFolder", 3).request_id, first.request_id);
    must_ok(fake_create(client, first.request_id, &err), &err);
    assert_string_equal(fake_get(fake, "CreateFolder", 4).request_id, first.request_id);
    comb_client_close(client);
}

static void tokens_that_were_seen_are_sent(void **state)
{
    struct fake *fake = *state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_client_options options = {.size = sizeof(options), .strong = true};
    struct comb_client *client = fake_client(fake, &options);
    assert_string_equal(comb_client_seen(client, arena), "");
    fake_set_token(fake, "1-a1-10");
    must_ok(fake_stat(client, &err), &err);
    fake_set_token(fake, "1-a1-f");
    must_ok(fake_stat(client, &err), &err);
    assert_string_equal(fake_get(fake, "Stat", 0).seen, "");
    assert_string_equal(fake_get(fake, "Stat", 1).seen, "1-a1-10");
    fake_set_token(fake, "1-b2-1");
    must_ok(fake_stat(client, &err), &err);
    assert_string_equal(fake_get(fake, "Stat", 2).seen, "1-a1-10"); /* not back to f */
    assert_string_equal(fake_get(fake, "Stat", 2).consistency, "strong");
    assert_string_equal(comb_client_seen(client, arena), "1-a1-10,1-b2-1");
    must_ok(comb_client_set_seen(client, "1-a1-11,2-unknown", &err), &err);
    assert_string_equal(comb_client_seen(client, arena), "1-a1-11,1-b2-1,2-unknown");
    must_fail(GRPCC_INVALID_ARGUMENT, comb_client_set_seen(client, "a b", &err), &err);
    comb_client_close(client);
    grpcc_arena_free(arena);
}

static void a_replica_that_comes_back_is_waited_for(void **state)
{
    struct fake *fake = *state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = fake_client(fake, NULL);
    for (int i = 0; i < 3; i++) {
        fake_stop(fake);
        fake_restart(fake);
        must_ok(fake_stat(client, &err), &err);
    }
    comb_client_close(client);
}

static void nobody_there_is_said_plainly(void **state)
{
    struct fake *fake = *state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client_options options = {.size = sizeof(options), .timeout_ms = 300};
    struct comb_client *client = fake_client(fake, &options);
    fake_stop(fake);
    must_fail(GRPCC_UNAVAILABLE, fake_stat(client, &err), &err);
    assert_non_null(strstr(err.message, fake->address));
    must_fail(GRPCC_INVALID_ARGUMENT, comb_client_open("", NULL, &(struct comb_client *){0}, &err),
              &err);
    comb_client_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unavailable_is_repeated_until_it_works, set_up, tear_down),
        cmocka_unit_test_setup_teardown(attempts_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(budget_is_shared_by_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_failures_are_not_repeated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pushback_is_honoured, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pushback_beyond_the_deadline_ends_the_call, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(retry_info_beyond_the_deadline_ends_the_call, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(retry_info_delays_the_next_attempt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals_of_a_draining_replica_cost_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_replica_that_closes_costs_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(login_is_not_repeated_blindly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_attempts_carry_one_request_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tokens_that_were_seen_are_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_replica_that_comes_back_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_there_is_said_plainly, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
