/* SPDX-License-Identifier: Apache-2.0 */
/* A pool that is full: what waits, what is shed, what is answered all the same. */
#include <grpc/health/v1/health.grpcc.h>
#include <sched.h>

#include "tests/grpcc/fixture.h"

static void hold_unary(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct fixture *f = self;
    (void)request;
    gate_open(&f->entered);
    gate_wait(&f->leave, 1);
    grpcc_testing_echo_unary_finish(call, grpcc_testing_answer_new(grpcc_call_arena(call)));
}

static void hold_expand(void *self, struct grpcc_call *call,
                        const struct grpcc_testing_ask *request)
{
    struct fixture *f = self;
    (void)request;
    gate_open(&f->entered);
    gate_wait(&f->leave, 1);
    grpcc_call_finish_ok(call);
}

static const struct grpcc_testing_echo_server table = {.unary = hold_unary, .expand = hold_expand};

static struct fixture *start(const struct grpcc_server_options *options)
{
    struct fixture *f = fixture_new(options, &table);
    fixture_start(f);
    return f;
}

static int setup(void **state)
{
    struct grpcc_server_options options = {.size = sizeof(options),
                                           .workers = 2,
                                           .streams_blocking_max = 1,
                                           .queue_max = 2,
                                           .queue_age_max_ms = 60000};
    *state = start(&options);
    return 0;
}

struct outcomes {
    struct gate ended;
    atomic_uint by_status[GRPCC_UNAUTHENTICATED + 1];
    atomic_llong pushback_ms;
};

static void note_end(void *data, enum grpcc_status status, struct grpcc_testing_answer *response,
                     const struct grpcc_error *err)
{
    struct outcomes *outcomes = data;
    (void)response;
    atomic_fetch_add(&outcomes->by_status[status], 1);
    if (status)
        atomic_store(&outcomes->pushback_ms, err->pushback_ms);
    gate_open(&outcomes->ended);
}

/* n calls at once, each with an arena of its own. */
static void call_at_once(struct fixture *f, struct outcomes *outcomes, unsigned n,
                         struct grpcc_arena **arenas, const struct grpcc_call_options *options)
{
    for (unsigned i = 0; i < n; i++) {
        arenas[i] = grpcc_arena_new(0);
        grpcc_testing_echo_unary_start(f->channel, arenas[i], options, ask(f, "x"), note_end,
                                       outcomes, NULL);
    }
}

static void free_arenas(struct grpcc_arena **arenas, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        grpcc_arena_free(arenas[i]);
}

static void calls_above_the_queue_are_shed(void **state)
{
    enum { N = 10 };
    struct fixture *f = *state;
    struct outcomes outcomes = {0};
    struct grpcc_arena *arenas[N];
    struct grpcc_server_stats stats;
    gate_init(&outcomes.ended);
    call_at_once(f, &outcomes, N, arenas, NULL);
    gate_wait(&outcomes.ended, N - 4); /* two run, two wait */
    gate_wait(&f->entered, 2);
    assert_int_equal(outcomes.by_status[GRPCC_RESOURCE_EXHAUSTED], N - 4);
    assert_true(atomic_load(&outcomes.pushback_ms) > 0);
    grpcc_server_get_stats(f->server, &stats);
    assert_int_equal(stats.workers_busy, 2);
    assert_int_equal(stats.queue_length, 2);
    assert_int_equal(stats.calls_shed, N - 4);
    gate_open(&f->leave);
    gate_wait(&outcomes.ended, N);
    assert_int_equal(outcomes.by_status[GRPCC_OK], 4);
    free_arenas(arenas, N);
    gate_done(&outcomes.ended);
}

static void health_answers_while_all_workers_are_busy(void **state)
{
    enum { N = 4 };
    struct fixture *f = *state;
    struct outcomes outcomes = {0};
    struct grpcc_arena *arenas[N];
    struct grpc_health_v1_health_check_response *response = NULL;
    gate_init(&outcomes.ended);
    call_at_once(f, &outcomes, N, arenas, NULL);
    gate_wait(&f->entered, 2);
    assert_int_equal(grpc_health_v1_health_check(f->channel, f->arena, NULL,
                                                 grpc_health_v1_health_check_request_new(f->arena),
                                                 &response, &f->err),
                     GRPCC_OK);
    gate_open(&f->leave);
    gate_wait(&outcomes.ended, N);
    free_arenas(arenas, N);
    gate_done(&outcomes.ended);
}

static void a_call_that_dies_while_it_waits_is_not_run(void **state)
{
    enum { BUSY = 2, WAITING = 2 };
    struct fixture *f = *state;
    struct outcomes busy = {0}, waiting = {0};
    struct grpcc_arena *arenas[BUSY], *more[WAITING];
    struct grpcc_call_options options = {.size = sizeof(options), .timeout_ms = 500};
    gate_init(&busy.ended);
    gate_init(&waiting.ended);
    call_at_once(f, &busy, BUSY, arenas, NULL);
    gate_wait(&f->entered, BUSY);
    call_at_once(f, &waiting, WAITING, more, &options);
    gate_wait(&waiting.ended, WAITING);
    /* Core's server resets the stream at the deadline; a client that hears of it before its own
     * clock says so calls that CANCELLED. */
    assert_int_equal(
        waiting.by_status[GRPCC_DEADLINE_EXCEEDED] + waiting.by_status[GRPCC_CANCELLED], WAITING);
    /* What is dead for the client is so for the server when it has heard of it. */
    struct grpcc_server_stats stats;
    do {
        sched_yield();
        grpcc_server_get_stats(f->server, &stats);
    } while (stats.queue_length > 0);
    gate_open(&f->leave);
    gate_wait(&busy.ended, BUSY);
    /* One more call: were the dead ones still queued, they would have entered before it. */
    must_end(f, GRPCC_OK, ask(f, "x"), NULL);
    assert_int_equal(gate_count(&f->entered), BUSY + 1);
    free_arenas(arenas, BUSY);
    free_arenas(more, WAITING);
    gate_done(&busy.ended);
    gate_done(&waiting.ended);
}

static void streams_leave_workers_to_unary_calls(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_testing_echo_expand_stream *streams[2];
    struct outcomes outcomes = {0};
    struct grpcc_arena *arenas[1];
    gate_init(&outcomes.ended);
    for (unsigned i = 0; i < 2; i++)
        streams[i] = grpcc_testing_echo_expand_stream_open(f->channel, NULL, ask(f, "x"), &f->err);
    gate_wait(&f->entered, 1);
    call_at_once(f, &outcomes, 1, arenas, NULL);
    gate_wait(&f->entered, 2); /* one stream and the call: the second stream waits for the first */
    struct grpcc_server_stats stats;
    grpcc_server_get_stats(f->server, &stats);
    assert_int_equal(stats.queue_length, 1);
    gate_open(&f->leave);
    gate_wait(&outcomes.ended, 1);
    assert_int_equal(outcomes.by_status[GRPCC_OK], 1);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(
            grpcc_testing_echo_expand_stream_read(streams[i], f->arena, &answer, &f->err), 0);
        assert_int_equal(grpcc_testing_echo_expand_stream_finish(streams[i], NULL, &f->err),
                         GRPCC_OK);
        grpcc_testing_echo_expand_stream_free(streams[i]);
    }
    free_arenas(arenas, 1);
    gate_done(&outcomes.ended);
}

static int setup_age(void **state)
{
    struct grpcc_server_options options = {
        .size = sizeof(options), .workers = 1, .queue_max = 100, .queue_age_max_ms = 1};
    *state = start(&options);
    return 0;
}

static void calls_that_waited_too_long_are_shed(void **state)
{
    struct fixture *f = *state;
    struct outcomes busy = {0}, waiting = {0};
    struct grpcc_arena *arenas[1] = {grpcc_arena_new(0)}, *more[1];
    gate_init(&busy.ended);
    gate_init(&waiting.ended);
    /* On a slow machine the worker may find the first one too old already. */
    unsigned tries = 0;
    for (; gate_count(&f->entered) == 0; tries++) {
        grpcc_arena_reset(arenas[0]);
        grpcc_testing_echo_unary_start(f->channel, arenas[0], NULL, ask(f, "x"), note_end, &busy,
                                       NULL);
        while (gate_count(&f->entered) == 0 && gate_count(&busy.ended) == tries)
            sched_yield();
    }
    call_at_once(f, &waiting, 1, more, NULL);
    /* The worker stays busy: it is the calls that follow which push the old ones out. */
    while (gate_count(&waiting.ended) == 0) {
        struct grpcc_arena *arena = grpcc_arena_new(0);
        struct grpcc_call_options options = {.size = sizeof(options), .timeout_ms = 5};
        struct grpcc_testing_answer *answer = NULL;
        (void)!grpcc_testing_echo_unary(f->channel, arena, &options, ask(f, "y"), &answer, &f->err);
        grpcc_arena_free(arena);
    }
    assert_int_equal(waiting.by_status[GRPCC_UNAVAILABLE], 1);
    assert_true(atomic_load(&waiting.pushback_ms) > 0);
    gate_open(&f->leave);
    gate_wait(&busy.ended, tries);
    free_arenas(arenas, 1);
    free_arenas(more, 1);
    gate_done(&busy.ended);
    gate_done(&waiting.ended);
}

static int setup_calls_max(void **state)
{
    struct grpcc_server_options options = {.size = sizeof(options), .workers = 8, .calls_max = 3};
    *state = start(&options);
    return 0;
}

static void calls_above_all_that_may_run_are_shed(void **state)
{
    enum { N = 5, MAX = 3 };
    struct fixture *f = *state;
    struct outcomes outcomes = {0};
    struct grpcc_arena *arenas[N];
    gate_init(&outcomes.ended);
    call_at_once(f, &outcomes, N, arenas, NULL);
    gate_wait(&outcomes.ended, N - MAX);
    assert_int_equal(outcomes.by_status[GRPCC_RESOURCE_EXHAUSTED], N - MAX);
    assert_true(atomic_load(&outcomes.pushback_ms) > 0);
    gate_open(&f->leave);
    gate_wait(&outcomes.ended, N);
    assert_int_equal(outcomes.by_status[GRPCC_OK], MAX);
    must_end(f, GRPCC_OK, ask(f, "x"), NULL);
    free_arenas(arenas, N);
    gate_done(&outcomes.ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_above_the_queue_are_shed, setup, fixture_free),
        cmocka_unit_test_setup_teardown(health_answers_while_all_workers_are_busy, setup,
                                        fixture_free),
        cmocka_unit_test_setup_teardown(a_call_that_dies_while_it_waits_is_not_run, setup,
                                        fixture_free),
        cmocka_unit_test_setup_teardown(streams_leave_workers_to_unary_calls, setup, fixture_free),
        cmocka_unit_test_setup_teardown(calls_above_all_that_may_run_are_shed, setup_calls_max,
                                        fixture_free),
        cmocka_unit_test_setup_teardown(calls_that_waited_too_long_are_shed, setup_age,
                                        fixture_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
