/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of all kinds at once, many of them cancelled, late or abandoned: nothing crashes, nothing
 * is left behind. The sanitizers are what makes it a test. */
#include <stdlib.h>

#include "tests/grpcc/fixture.h"

enum { CALLERS = 6, STEPS = 60 };

struct caller {
    struct fixture *f;
    pthread_t thread;
    unsigned seed;
    struct grpcc_arena *arena;
    struct grpcc_testing_ask *request;
    struct grpcc_call_options in_time;
    struct grpcc_call_options too_late; /* often */
};

static bool toss(struct caller *caller)
{
    return rand_r(&caller->seed) % 2;
}

static void call_in_time(struct caller *caller)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_testing_answer *answer = NULL;
    enum grpcc_status status = grpcc_testing_echo_unary(
        caller->f->channel, caller->arena, &caller->in_time, caller->request, &answer, &err);
    assert_true(status == GRPCC_OK || status == GRPCC_RESOURCE_EXHAUSTED ||
                status == GRPCC_UNAVAILABLE);
}

static void call_too_late(struct caller *caller)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_testing_answer *answer = NULL;
    (void)!grpcc_testing_echo_unary(caller->f->channel, caller->arena, &caller->too_late,
                                    caller->request, &answer, &err);
}

static void note_end(void *data, enum grpcc_status status, struct grpcc_testing_answer *answer,
                     const struct grpcc_error *err)
{
    (void)status;
    (void)answer;
    (void)err;
    gate_open(data);
}

static void call_and_cancel(struct caller *caller)
{
    struct gate ended;
    struct grpcc_client_call *call = NULL;
    bool free_early = toss(caller);
    gate_init(&ended);
    grpcc_testing_echo_unary_start(caller->f->channel, caller->arena, NULL, caller->request,
                                   note_end, &ended, &call);
    grpcc_client_call_cancel(call);
    if (free_early)
        grpcc_client_call_free(call);
    gate_wait(&ended, 1);
    if (!free_early)
        grpcc_client_call_free(call);
    gate_done(&ended);
}

static void read_a_part(struct caller *caller)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_testing_answer *answer = NULL;
    caller->request->count = 4;
    struct grpcc_testing_echo_expand_stream *stream = grpcc_testing_echo_expand_stream_open(
        caller->f->channel, &caller->too_late, caller->request, &err);
    for (int i = rand_r(&caller->seed) % 6; i > 0; i--)
        if (grpcc_testing_echo_expand_stream_read(stream, caller->arena, &answer, &err) != 1)
            break;
    if (toss(caller))
        (void)grpcc_testing_echo_expand_stream_finish(stream, caller->arena, &err);
    grpcc_testing_echo_expand_stream_free(stream);
}

static void write_a_part(struct caller *caller)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_testing_echo_collect_stream *stream =
        grpcc_testing_echo_collect_stream_open(caller->f->channel, &caller->too_late, &err);
    for (int i = rand_r(&caller->seed) % 6; i > 0; i--)
        if (!grpcc_testing_echo_collect_stream_write(stream, caller->request))
            break;
    if (toss(caller))
        (void)grpcc_testing_echo_collect_stream_finish(stream, caller->arena, &answer, &err);
    grpcc_testing_echo_collect_stream_free(stream);
}

static void chat_for_a_while(struct caller *caller)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(caller->f->channel, &caller->in_time, &err);
    for (int i = rand_r(&caller->seed) % 6; i > 0; i--)
        if (!grpcc_testing_echo_chat_stream_write(stream, caller->request) ||
            grpcc_testing_echo_chat_stream_read(stream, caller->arena, &answer, &err) != 1)
            break;
    grpcc_testing_echo_chat_stream_free(stream);
}

static void change_health(struct caller *caller)
{
    grpcc_server_set_health(caller->f->server, "flapping",
                            toss(caller) ? GRPCC_SERVING : GRPCC_NOT_SERVING);
}

static void *caller_main(void *data)
{
    static void (*const steps[])(struct caller * caller) = {
        call_in_time, call_too_late,    call_and_cancel, read_a_part,
        write_a_part, chat_for_a_while, change_health,
    };
    struct caller *caller = data;
    caller->arena = grpcc_arena_new(0);
    for (int i = 0; i < STEPS; i++) {
        caller->request = grpcc_testing_ask_new(caller->arena);
        grpcc_testing_ask_set_text(caller->request, "stress");
        steps[(size_t)rand_r(&caller->seed) % (sizeof(steps) / sizeof(steps[0]))](caller);
        grpcc_arena_reset(caller->arena);
    }
    grpcc_arena_free(caller->arena);
    return NULL;
}

static void run(enum grpcc_mode mode, unsigned timeout_max_ms)
{
    struct grpcc_server_options options = {.size = sizeof(options),
                                           .pollers = 4,
                                           .workers = 3,
                                           .queue_max = 4,
                                           .queue_age_max_ms = 50};
    struct fixture *f = fixture_new(&options, &echo_table);
    struct caller callers[CALLERS];
    fixture_configure(f, "/grpcc.testing.Echo/Unary",
                      (struct grpcc_method_config){.mode = mode, .timeout_max_ms = timeout_max_ms});
    fixture_start(f);
    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){
            .f = f,
            .seed = i + 1,
            .in_time = {.size = sizeof(struct grpcc_call_options), .timeout_ms = 60000},
            .too_late = {.size = sizeof(struct grpcc_call_options), .timeout_ms = 2},
        };
        assert_int_equal(pthread_create(&callers[i].thread, NULL, caller_main, &callers[i]), 0);
    }
    for (unsigned i = 0; i < CALLERS; i++)
        pthread_join(callers[i].thread, NULL);
    assert_int_equal(atomic_load(&f->logged), 0);
    /* A free waits for every call: one that was lost would hold it up for ever. */
    void *used = f;
    fixture_free(&used);
}

static void calls_of_all_kinds_on_workers(void **state)
{
    (void)state;
    run(GRPCC_MODE_BLOCKING, 0);
}

static void calls_of_all_kinds_on_pollers(void **state)
{
    (void)state;
    run(GRPCC_MODE_INLINE, 0);
}

static void calls_with_time_limits_of_the_server(void **state)
{
    (void)state;
    run(GRPCC_MODE_BLOCKING, 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_all_kinds_on_workers),
        cmocka_unit_test(calls_of_all_kinds_on_pollers),
        cmocka_unit_test(calls_with_time_limits_of_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
