/* SPDX-License-Identifier: Apache-2.0 */
/* Limits on a server: what is too much is refused before its handler, and told when to come again.
 */
#include <grpc/health/v1/health.grpcc.h>
#include <grpcc/limit.h>

#include "tests/grpcc/fixture.h"

/* "wait" waits for the gate; all else answers at once. */
static void unary(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct fixture *f = self;
    if (strcmp(request->text, "wait") == 0) {
        gate_open(&f->entered);
        gate_wait(&f->leave, 1);
    }
    grpcc_testing_echo_unary_finish(call, grpcc_testing_answer_new(grpcc_call_arena(call)));
}

static const struct grpcc_testing_echo_server table = {.unary = unary};

static const char *user_of(void *data, struct grpcc_call *call)
{
    (void)data;
    return grpcc_call_metadata(call, "x-user", NULL);
}

static int setup_with(void **state, struct grpcc_limit_options options)
{
    struct fixture *f = fixture_new(NULL, &table);
    options.size = sizeof(options);
    struct grpcc_limits *limits = grpcc_limits_new(&options, &f->err);
    assert_non_null(limits);
    assert_int_equal(grpcc_limits_attach(limits, f->server, &f->err), GRPCC_OK);
    fixture_start(f);
    f->data = limits;
    *state = f;
    return 0;
}

static int finish(void **state)
{
    struct fixture *f = *state;
    struct grpcc_limits *limits = f->data;
    fixture_free(state);
    grpcc_limits_free(limits);
    return 0;
}

static void note_done(void *data, enum grpcc_status status, struct grpcc_testing_answer *answer,
                      const struct grpcc_error *err)
{
    (void)answer;
    (void)err;
    assert_int_equal(status, GRPCC_OK);
    gate_open(data);
}

/* With one call that runs, a second one is refused; when it has ended, one passes again. */
static void must_limit_to_one(struct fixture *f, const struct grpcc_call_options *options,
                              uint64_t (*refused)(const struct grpcc_limit_stats *))
{
    struct gate done;
    struct grpcc_arena *theirs = grpcc_arena_new(0); /* the poller decodes into it */
    struct grpcc_limit_stats stats;
    gate_init(&done);
    grpcc_testing_echo_unary_start(f->channel, theirs, options, ask(f, "wait"), note_done, &done,
                                   NULL);
    gate_wait(&f->entered, 1);
    must_end(f, GRPCC_RESOURCE_EXHAUSTED, ask(f, "x"), options);
    assert_int_equal(f->err.pushback_ms, 100);
    grpcc_limits_get_stats(f->data, &stats);
    assert_int_equal(refused(&stats), 1);
    gate_open(&f->leave);
    gate_wait(&done, 1);
    /* The place is free when the call is over, a little after its peer knows. */
    enum grpcc_status status = GRPCC_RESOURCE_EXHAUSTED;
    while (status == GRPCC_RESOURCE_EXHAUSTED) {
        struct grpcc_testing_answer *answer = NULL;
        status =
            grpcc_testing_echo_unary(f->channel, f->arena, options, ask(f, "x"), &answer, &f->err);
    }
    assert_int_equal(status, GRPCC_OK);
    gate_done(&done);
    grpcc_arena_free(theirs);
}

static uint64_t by_total(const struct grpcc_limit_stats *stats)
{
    return stats->refused_total;
}

static uint64_t by_method(const struct grpcc_limit_stats *stats)
{
    return stats->refused_method;
}

static uint64_t by_peer(const struct grpcc_limit_stats *stats)
{
    return stats->refused_peer;
}

static uint64_t by_key(const struct grpcc_limit_stats *stats)
{
    return stats->refused_key;
}

static int setup_total(void **state)
{
    return setup_with(state, (struct grpcc_limit_options){.total = 1});
}

static int setup_method(void **state)
{
    return setup_with(state, (struct grpcc_limit_options){.per_method = 1});
}

static int setup_peer(void **state)
{
    return setup_with(state, (struct grpcc_limit_options){.per_peer = 1});
}

static int setup_key(void **state)
{
    return setup_with(state, (struct grpcc_limit_options){.per_key = 1, .key = user_of});
}

static void calls_at_once_are_limited(void **state)
{
    must_limit_to_one(*state, NULL, by_total);
}

static void calls_of_a_method_are_limited(void **state)
{
    must_limit_to_one(*state, NULL, by_method);
}

static void calls_of_a_peer_are_limited(void **state)
{
    must_limit_to_one(*state, NULL, by_peer);
}

static const struct grpcc_metadata ada = {"x-user", "ada", 3};
static const struct grpcc_metadata grace = {"x-user", "grace", 5};

static struct grpcc_call_options as(const struct grpcc_metadata *user)
{
    return (struct grpcc_call_options){
        .size = sizeof(struct grpcc_call_options), .metadata = user, .n_metadata = 1};
}

static void calls_of_a_key_are_limited(void **state)
{
    const struct grpcc_call_options options = as(&ada);
    must_limit_to_one(*state, &options, by_key);
}

static void other_keys_are_not_touched(void **state)
{
    struct fixture *f = *state;
    const struct grpcc_call_options one = as(&ada), other = as(&grace);
    struct gate done;
    struct grpcc_arena *theirs = grpcc_arena_new(0); /* the poller decodes into it */
    gate_init(&done);
    grpcc_testing_echo_unary_start(f->channel, theirs, &one, ask(f, "wait"), note_done, &done,
                                   NULL);
    gate_wait(&f->entered, 1);
    must_end(f, GRPCC_RESOURCE_EXHAUSTED, ask(f, "x"), &one);
    must_end(f, GRPCC_OK, ask(f, "x"), &other);
    must_end(f, GRPCC_OK, ask(f, "x"), NULL); /* without a key */
    gate_open(&f->leave);
    gate_wait(&done, 1);
    gate_done(&done);
    grpcc_arena_free(theirs);
}

static int setup_rate(void **state)
{
    /* One in a century: what the test sees is the burst. */
    return setup_with(
        state, (struct grpcc_limit_options){
                   .rate_per_s = 3e-100, .burst = 3, .key = user_of, .status = GRPCC_UNAVAILABLE});
}

static void calls_a_second_are_limited(void **state)
{
    struct fixture *f = *state;
    const struct grpcc_call_options one = as(&ada), other = as(&grace);
    for (int i = 0; i < 3; i++)
        must_end(f, GRPCC_OK, ask(f, "x"), &one);
    must_end(f, GRPCC_UNAVAILABLE, ask(f, "x"), &one);
    assert_int_equal(f->err.pushback_ms, 60000);
    must_end(f, GRPCC_OK, ask(f, "x"), &other);
    struct grpcc_limit_stats stats;
    grpcc_limits_get_stats(f->data, &stats);
    assert_int_equal(stats.refused_rate, 1);
    assert_int_equal(stats.admitted, 4);
    assert_int_equal(stats.keys, 2);
}

static void health_is_never_limited(void **state)
{
    struct fixture *f = *state;
    struct grpc_health_v1_health_check_response *response = NULL;
    struct gate done;
    struct grpcc_arena *theirs = grpcc_arena_new(0); /* the poller decodes into it */
    gate_init(&done);
    grpcc_testing_echo_unary_start(f->channel, theirs, NULL, ask(f, "wait"), note_done, &done,
                                   NULL);
    gate_wait(&f->entered, 1);
    assert_int_equal(grpc_health_v1_health_check(f->channel, f->arena, NULL,
                                                 grpc_health_v1_health_check_request_new(f->arena),
                                                 &response, &f->err),
                     GRPCC_OK);
    gate_open(&f->leave);
    gate_wait(&done, 1);
    gate_done(&done);
    grpcc_arena_free(theirs);
}

static void options_that_make_no_sense_are_refused(void **state)
{
    const struct grpcc_limit_options bad[] = {
        {.size = sizeof(bad[0]), .rate_per_s = -1},
        {.size = sizeof(bad[0]), .rate_per_s = 1e300},
        {.size = sizeof(bad[0]), .burst = 3},
        {.size = sizeof(bad[0]), .keys_max = 1u << 30},
        {.size = sizeof(bad[0]), .total = 1, .status = GRPCC_NOT_FOUND},
    };
    struct grpcc_error err = GRPCC_ERROR_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(grpcc_limits_new(&bad[i], &err));
        assert_int_equal(err.status, GRPCC_INVALID_ARGUMENT);
    }
}

#define WITH(test, before) cmocka_unit_test_setup_teardown(test, before, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(calls_at_once_are_limited, setup_total),
        WITH(calls_of_a_method_are_limited, setup_method),
        WITH(calls_of_a_peer_are_limited, setup_peer),
        WITH(calls_of_a_key_are_limited, setup_key),
        WITH(other_keys_are_not_touched, setup_key),
        WITH(calls_a_second_are_limited, setup_rate),
        WITH(health_is_never_limited, setup_total),
        cmocka_unit_test(options_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
