/* SPDX-License-Identifier: Apache-2.0 */
/* Retries by the typed options: what is repeated, how often, when, and what stops it. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/grpcc/fixture.h"

enum { ATTEMPTS_NOTED = 64, PUSHBACK_MS = 40 };

enum plan { ANSWER, FAIL, PUSH_BACK, FORBID, REFUSE, HEADERS_THEN_FAIL };

struct retried {
    struct fixture *f;
    struct grpcc_server *server;
    struct grpcc_channel *channel;
    atomic_int plan[ATTEMPTS_NOTED]; /* of each attempt, in turn; enum plan */
    atomic_uint n;
    atomic_int previous[ATTEMPTS_NOTED]; /* grpc-previous-rpc-attempts */
    _Atomic int64_t at_ns[ATTEMPTS_NOTED];
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static unsigned note(struct retried *r, const struct grpcc_call *call)
{
    const char *previous = grpcc_call_metadata(call, "grpc-previous-rpc-attempts", NULL);
    unsigned index = atomic_fetch_add(&r->n, 1) % ATTEMPTS_NOTED;
    r->previous[index] = previous ? (int)strtol(previous, NULL, 10) : 0;
    r->at_ns[index] = now_ns();
    return index;
}

static void fail_call(struct grpcc_call *call, enum plan plan)
{
    if (plan == PUSH_BACK)
        grpcc_call_set_pushback_ms(call, PUSHBACK_MS);
    if (plan == FORBID)
        grpcc_call_set_pushback_ms(call, -1);
    grpcc_call_fail(call, plan == REFUSE ? GRPCC_PERMISSION_DENIED : GRPCC_UNAVAILABLE,
                    "as planned");
}

static void unary(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct retried *r = self;
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    enum plan plan = (enum plan)r->plan[note(r, call)];
    answer->text = request->text;
    if (plan == ANSWER)
        grpcc_testing_echo_unary_finish(call, answer);
    else
        fail_call(call, plan);
}

/* A stream can fail after its headers and a message are out. */
static void expand(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct retried *r = self;
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    struct grpcc_error err = GRPCC_ERROR_INIT;
    enum plan plan = (enum plan)r->plan[note(r, call)];
    answer->text = request->text;
    if ((plan == HEADERS_THEN_FAIL || plan == ANSWER) &&
        grpcc_testing_echo_expand_send(call, answer, &err)) {
        grpcc_call_fail(call, err.status, "%s", err.message);
        return;
    }
    if (plan == ANSWER)
        grpcc_call_finish_ok(call);
    else
        fail_call(call, plan);
}

static const struct grpcc_testing_echo_server table = {.unary = unary, .expand = expand};

static struct grpcc_channel *connect_with(struct retried *r, int port,
                                          const struct grpcc_retry_policy *retry,
                                          unsigned budget_tokens)
{
    const struct grpcc_method_policy method = {
        .size = sizeof(method), .name = "grpcc.testing.Echo", .retry = retry};
    const struct grpcc_channel_options options = {.size = sizeof(options),
                                                  .methods = &method,
                                                  .n_methods = 1,
                                                  .budget_tokens = budget_tokens};
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    struct grpcc_channel *channel = grpcc_channel_new(target, &options, &r->f->err);
    assert_non_null(channel);
    return channel;
}

static int setup(void **state)
{
    static struct retried r;
    const struct grpcc_retry_policy retry = {
        .size = sizeof(retry), .attempts_max = 4, .backoff_min_ms = 1, .backoff_max_ms = 2};
    int port = 0;
    memset(&r, 0, sizeof(r));
    r.f = fixture_new(NULL, &echo_table);
    fixture_start(r.f);
    r.server = grpcc_server_new(NULL, &r.f->err);
    assert_int_equal(grpcc_testing_echo_register(r.server, &table, &r, &r.f->err), GRPCC_OK);
    assert_int_equal(grpcc_server_listen(r.server, "127.0.0.1:0", NULL, &port, &r.f->err),
                     GRPCC_OK);
    assert_int_equal(grpcc_server_start(r.server, &r.f->err), GRPCC_OK);
    r.channel = connect_with(&r, port, &retry, 10);
    *state = &r;
    return 0;
}

static int teardown(void **state)
{
    struct retried *r = *state;
    void *fixture = r->f;
    grpcc_channel_free(r->channel);
    grpcc_server_free(r->server);
    return fixture_free(&fixture);
}

static enum grpcc_status call(struct retried *r, int64_t timeout_ms)
{
    const struct grpcc_call_options options = {.size = sizeof(options), .timeout_ms = timeout_ms};
    struct grpcc_testing_answer *answer = NULL;
    r->f->err = (struct grpcc_error)GRPCC_ERROR_INIT;
    return grpcc_testing_echo_unary(r->channel, r->f->arena, &options, ask(r->f, "x"), &answer,
                                    &r->f->err);
}

static void failures_that_may_pass_are_repeated(void **state)
{
    struct retried *r = *state;
    r->plan[0] = r->plan[1] = r->plan[2] = FAIL;
    assert_int_equal(call(r, 0), GRPCC_OK);
    assert_int_equal(atomic_load(&r->n), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(r->previous[i], i);
}

static void attempts_are_counted(void **state)
{
    struct retried *r = *state;
    for (int i = 0; i < 10; i++)
        r->plan[i] = FAIL;
    assert_int_equal(call(r, 0), GRPCC_UNAVAILABLE);
    assert_int_equal(atomic_load(&r->n), 4);
}

static void other_failures_are_not_repeated(void **state)
{
    struct retried *r = *state;
    r->plan[0] = REFUSE;
    assert_int_equal(call(r, 0), GRPCC_PERMISSION_DENIED);
    assert_int_equal(atomic_load(&r->n), 1);
}

static void a_pushback_is_waited_for(void **state)
{
    struct retried *r = *state;
    r->plan[0] = PUSH_BACK;
    assert_int_equal(call(r, 0), GRPCC_OK);
    assert_int_equal(atomic_load(&r->n), 2);
    /* Far above the backoff; core counts from a clock that may be a little old. */
    assert_true(r->at_ns[1] - r->at_ns[0] >= PUSHBACK_MS * INT64_C(1000000) / 2);
}

static void a_pushback_may_forbid(void **state)
{
    struct retried *r = *state;
    r->plan[0] = FORBID;
    assert_int_equal(call(r, 0), GRPCC_UNAVAILABLE);
    assert_int_equal(atomic_load(&r->n), 1);
    assert_int_equal(r->f->err.pushback_ms, -2);
}

static void the_deadline_is_older_than_a_retry(void **state)
{
    struct retried *r = *state;
    r->plan[0] = PUSH_BACK;
    assert_int_equal(call(r, PUSHBACK_MS / 4), GRPCC_DEADLINE_EXCEEDED);
    assert_in_range(atomic_load(&r->n), 0, 1); /* it may be over before the server is reached */
}

static void nothing_is_repeated_after_the_first_message(void **state)
{
    struct retried *r = *state;
    struct grpcc_testing_answer *answer = NULL;
    r->plan[0] = HEADERS_THEN_FAIL;
    struct grpcc_testing_echo_expand_stream *stream =
        grpcc_testing_echo_expand_stream_open(r->channel, NULL, ask(r->f, "x"), &r->f->err);
    assert_non_null(stream);
    assert_int_equal(
        grpcc_testing_echo_expand_stream_read(stream, r->f->arena, &answer, &r->f->err), 1);
    assert_int_equal(
        grpcc_testing_echo_expand_stream_read(stream, r->f->arena, &answer, &r->f->err), 0);
    assert_int_equal(grpcc_testing_echo_expand_stream_finish(stream, r->f->arena, &r->f->err),
                     GRPCC_UNAVAILABLE);
    grpcc_testing_echo_expand_stream_free(stream);
    assert_int_equal(atomic_load(&r->n), 1);
}

/* Ten tokens: after five failed attempts each call is tried once. */
static void a_storm_ends_retries(void **state)
{
    struct retried *r = *state;
    for (int i = 0; i < ATTEMPTS_NOTED; i++)
        r->plan[i] = FAIL;
    for (int i = 0; i < 12; i++)
        assert_int_equal(call(r, 0), GRPCC_UNAVAILABLE);
    assert_in_range(atomic_load(&r->n), 12, 12 + 5);
}

int main(void)
{
#define RETRY_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        RETRY_TEST(failures_that_may_pass_are_repeated),
        RETRY_TEST(attempts_are_counted),
        RETRY_TEST(other_failures_are_not_repeated),
        RETRY_TEST(a_pushback_is_waited_for),
        RETRY_TEST(a_pushback_may_forbid),
        RETRY_TEST(the_deadline_is_older_than_a_retry),
        RETRY_TEST(nothing_is_repeated_after_the_first_message),
        RETRY_TEST(a_storm_ends_retries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
