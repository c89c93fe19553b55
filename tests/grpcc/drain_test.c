/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a server: what is served on, what is refused, what is cut off. */
#include <grpc/health/v1/health.grpcc.h>

#include "tests/grpcc/fixture.h"

static void hold_unary(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct fixture *f = self;
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    answer->text = request->text;
    if (strcmp(request->text, "hold") == 0) {
        gate_open(&f->entered);
        gate_wait(&f->leave, 1);
        answer->count = grpcc_call_is_draining(call);
    }
    grpcc_testing_echo_unary_finish(call, answer);
}

static void open_gate(void *gate)
{
    gate_open(gate);
}

/* Ends only when it is cancelled. */
static void hold_expand(void *self, struct grpcc_call *call,
                        const struct grpcc_testing_ask *request)
{
    struct fixture *f = self;
    (void)request;
    assert_true(grpcc_call_on_cancel(call, open_gate, &f->leave));
    gate_open(&f->entered);
    gate_wait(&f->leave, 1);
    grpcc_call_fail(call, GRPCC_CANCELLED, "cut off");
}

static const struct grpcc_testing_echo_server table = {.unary = hold_unary, .expand = hold_expand};

static int setup(void **state)
{
    struct fixture *f = fixture_new(NULL, &table);
    fixture_start(f);
    *state = f;
    return 0;
}

struct drain {
    struct fixture *f;
    unsigned delay_ms, grace_ms;
    struct gate done;
    pthread_t thread;
};

static void *drain_main(void *data)
{
    struct drain *drain = data;
    grpcc_server_drain(drain->f->server, drain->delay_ms, drain->grace_ms);
    gate_open(&drain->done);
    return NULL;
}

static void drain_start(struct drain *drain, struct fixture *f, unsigned delay_ms,
                        unsigned grace_ms)
{
    drain->f = f;
    drain->delay_ms = delay_ms;
    drain->grace_ms = grace_ms;
    gate_init(&drain->done);
    assert_int_equal(pthread_create(&drain->thread, NULL, drain_main, drain), 0);
}

static void drain_join(struct drain *drain)
{
    pthread_join(drain->thread, NULL);
    gate_done(&drain->done);
}

typedef struct grpc_health_v1_health_watch_stream watch_stream;

static watch_stream *watch(struct fixture *f)
{
    watch_stream *stream = grpc_health_v1_health_watch_stream_open(
        f->channel, NULL, grpc_health_v1_health_check_request_new(f->arena), &f->err);
    assert_non_null(stream);
    return stream;
}

static void await(struct fixture *f, watch_stream *stream, int serving)
{
    struct grpc_health_v1_health_check_response *response = NULL;
    do
        assert_int_equal(
            grpc_health_v1_health_watch_stream_read(stream, f->arena, &response, &f->err), 1);
    while ((int)response->status != serving);
}

struct outcome {
    struct gate ended;
    enum grpcc_status status;
    unsigned draining;
};

static void note_end(void *data, enum grpcc_status status, struct grpcc_testing_answer *response,
                     const struct grpcc_error *err)
{
    struct outcome *outcome = data;
    (void)err;
    outcome->status = status;
    outcome->draining = response ? response->count : 0;
    gate_open(&outcome->ended);
}

static void calls_are_served_while_health_says_no(void **state)
{
    struct fixture *f = *state;
    struct drain drain;
    watch_stream *stream = watch(f);
    await(f, stream, GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_SERVING);
    drain_start(&drain, f, 500, 10000);
    await(f, stream, GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_NOT_SERVING);
    /* No call fails while the clients move on. */
    for (int i = 0; i < 50; i++)
        must_end(f, GRPCC_OK, ask(f, "x"), NULL);
    grpc_health_v1_health_watch_stream_free(stream);
    drain_join(&drain);
}

static void running_calls_end_and_new_ones_are_sent_away(void **state)
{
    struct fixture *f = *state;
    struct drain drain;
    struct outcome outcome = {.status = GRPCC_UNKNOWN};
    gate_init(&outcome.ended);
    grpcc_testing_echo_unary_start(f->channel, f->arena, NULL, ask(f, "hold"), note_end, &outcome,
                                   NULL);
    gate_wait(&f->entered, 1);
    drain_start(&drain, f, 0, 60000);
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_testing_answer *answer = NULL;
    /* Served until the lame duck begins, then refused in a way that is safe to repeat. */
    while (grpcc_testing_echo_unary(f->channel, arena, NULL, ask(f, "x"), &answer, &err) ==
           GRPCC_OK)
        continue;
    assert_int_equal(err.status, GRPCC_UNAVAILABLE);
    assert_int_equal(err.pushback_ms, 0);
    gate_open(&f->leave);
    gate_wait(&outcome.ended, 1);
    assert_int_equal(outcome.status, GRPCC_OK);
    assert_int_equal(outcome.draining, 1);
    grpcc_channel_free(f->channel);
    f->channel = NULL;
    drain_join(&drain);
    grpcc_arena_free(arena);
    gate_done(&outcome.ended);
}

static void what_outlives_the_grace_is_cancelled(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_testing_echo_expand_stream *stream =
        grpcc_testing_echo_expand_stream_open(f->channel, NULL, ask(f, "x"), &f->err);
    gate_wait(&f->entered, 1);
    grpcc_server_drain(f->server, 0, 50);
    assert_int_equal(grpcc_testing_echo_expand_stream_read(stream, f->arena, &answer, &f->err), 0);
    assert_int_not_equal(grpcc_testing_echo_expand_stream_finish(stream, NULL, &f->err), GRPCC_OK);
    grpcc_testing_echo_expand_stream_free(stream);
}

static void an_open_watch_does_not_hold_the_server_up(void **state)
{
    struct fixture *f = *state;
    watch_stream *stream = watch(f);
    await(f, stream, GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_SERVING);
    grpcc_server_drain(f->server, 0, 60000);
    await(f, stream, GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_NOT_SERVING);
    struct grpc_health_v1_health_check_response *response = NULL;
    assert_int_equal(grpc_health_v1_health_watch_stream_read(stream, f->arena, &response, &f->err),
                     0);
    assert_int_equal(grpc_health_v1_health_watch_stream_finish(stream, NULL, &f->err),
                     GRPCC_UNAVAILABLE);
    grpc_health_v1_health_watch_stream_free(stream);
}

static void a_second_drain_only_waits(void **state)
{
    struct fixture *f = *state;
    struct drain first, second;
    drain_start(&first, f, 0, 100);
    drain_start(&second, f, 0, 100);
    gate_wait(&first.done, 1);
    gate_wait(&second.done, 1);
    drain_join(&first);
    drain_join(&second);
    grpcc_server_drain(f->server, 1000000, 1000000);
}

/* Calls again as soon as it is refused, until the drain has ended: such a client never moves on.
 * Were the drain to wait for it, the grace would outlast the test. */
static void a_client_that_never_moves_on_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    struct drain drain;
    enum grpcc_status status = GRPCC_OK;
    struct grpcc_testing_answer *answer = NULL;
    drain_start(&drain, f, 0, 1000000);
    while (gate_count(&drain.done) == 0) {
        grpcc_arena_reset(f->arena);
        status =
            grpcc_testing_echo_unary(f->channel, f->arena, NULL, ask(f, "again"), &answer, &f->err);
        if (status != GRPCC_OK && status != GRPCC_UNAVAILABLE && status != GRPCC_CANCELLED)
            fail_msg("%s: %s", grpcc_status_name(status), f->err.message);
    }
    drain_join(&drain);
}

static void free_alone_stops_at_once(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_echo_expand_stream *stream =
        grpcc_testing_echo_expand_stream_open(f->channel, NULL, ask(f, "x"), &f->err);
    gate_wait(&f->entered, 1);
    grpcc_server_free(f->server);
    f->server = NULL;
    grpcc_testing_echo_expand_stream_free(stream);
}

static void a_server_may_be_freed_before_it_ever_ran(void **state)
{
    (void)state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_server *server = grpcc_server_new(NULL, &err);
    grpcc_server_free(server);
    server = grpcc_server_new(NULL, &err);
    int port = 0;
    assert_int_equal(grpcc_server_listen(server, "127.0.0.1:0", NULL, &port, &err), GRPCC_OK);
    assert_int_not_equal(port, 0);
    grpcc_server_free(server);
    grpcc_server_free(NULL);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, fixture_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(calls_are_served_while_health_says_no),
        WITH(running_calls_end_and_new_ones_are_sent_away),
        WITH(what_outlives_the_grace_is_cancelled),
        WITH(an_open_watch_does_not_hold_the_server_up),
        WITH(a_second_drain_only_waits),
        WITH(a_client_that_never_moves_on_is_not_waited_for),
        WITH(free_alone_stops_at_once),
        cmocka_unit_test(a_server_may_be_freed_before_it_ever_ran),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
