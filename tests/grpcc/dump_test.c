/* SPDX-License-Identifier: Apache-2.0 */
/* The dump: what each call waits for, while the server serves. */
#include <grpcc/dump.h>
#include <grpcc/trace.h>
#include <jansson.h>
#include <stdlib.h>

#include "tests/grpcc/fixture.h"

struct text {
    char *at;
    size_t length;
};

static bool append(void *data, const char *piece, size_t length)
{
    struct text *text = data;
    text->at = realloc(text->at, text->length + length + 1);
    assert_non_null(text->at);
    memcpy(text->at + text->length, piece, length);
    text->length += length;
    text->at[text->length] = '\0';
    return true;
}

static json_t *dump(struct fixture *f)
{
    struct text text = {NULL, 0};
    json_error_t error;
    assert_true(grpcc_server_dump(f->server, append, &text));
    json_t *object = json_loads(text.at, 0, &error);
    if (!object)
        fail_msg("%s in %s", error.text, text.at);
    free(text.at);
    return object;
}

static void wait_unary(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct fixture *f = self;
    (void)request;
    assert_int_equal(strlen(grpcc_call_trace_id(call)), 32);
    gate_open(&f->entered);
    gate_wait(&f->leave, 1);
    grpcc_testing_echo_unary_finish(call, grpcc_testing_answer_new(grpcc_call_arena(call)));
}

/* Sends until the peer does not take any more. */
static void flood(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct fixture *f = self;
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    struct grpcc_error err = GRPCC_ERROR_INIT;
    (void)request;
    answer->data.len = 1 << 16;
    answer->data.data = grpcc_arena_zalloc(grpcc_call_arena(call), answer->data.len);
    gate_open(&f->entered);
    while (!grpcc_testing_echo_expand_send(call, answer, &err))
        continue;
    grpcc_call_fail(call, err.status, "%s", err.message);
}

static const struct grpcc_testing_echo_server table = {.unary = wait_unary, .expand = flood};

static enum grpcc_verdict defer_all(void *self, struct grpcc_call *call)
{
    struct fixture *f = self;
    if (strcmp(grpcc_call_path(call), "/grpcc.testing.Echo/Missing") != 0)
        return GRPCC_PROCEED;
    f->data = grpcc_call_ref(call);
    gate_open(&f->entered);
    return GRPCC_DEFER;
}

static int setup(void **state)
{
    static const struct grpcc_interceptor interceptor = {.begin = defer_all};
    const struct grpcc_server_options options = {.size = sizeof(options),
                                                 .workers = 2,
                                                 .streams_blocking_max = 1,
                                                 .queue_max = 7,
                                                 .queue_age_max_ms = 600000};
    struct fixture *f = fixture_new(&options, &table);
    assert_int_equal(grpcc_server_add_interceptor(f->server, &interceptor, f, &f->err), GRPCC_OK);
    fixture_configure(f, "/grpcc.testing.Echo/Missing",
                      (struct grpcc_method_config){.mode = GRPCC_MODE_INLINE});
    fixture_start(f);
    *state = f;
    return 0;
}

static void note_done(void *data, enum grpcc_status status, struct grpcc_testing_answer *answer,
                      const struct grpcc_error *err)
{
    (void)status;
    (void)answer;
    (void)err;
    gate_open(data);
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* Dumps until that many calls are in that state, which they come to by themselves. */
static json_t *dump_with(struct fixture *f, const char *state, unsigned wanted)
{
    for (;;) {
        json_t *object = dump(f), *call = NULL;
        size_t i = 0;
        unsigned n = 0;
        json_array_foreach(json_object_get(object, "calls"), i, call) n +=
            strcmp(text_of(call, "state"), state) == 0;
        if (n == wanted)
            return object;
        json_decref(object);
    }
}

static const json_t *call_in(const json_t *dump, const char *state)
{
    const json_t *call = NULL;
    size_t i = 0;
    json_array_foreach(json_object_get(dump, "calls"), i,
                       call) if (strcmp(text_of(call, "state"), state) == 0) return call;
    fail_msg("no call is %s", state);
    return NULL;
}

static long long number_at(const json_t *object, const char *outer, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(object, outer), name));
}

static void calls_tell_what_they_wait_for(void **state)
{
    struct fixture *f = *state;
    struct grpcc_arena *theirs = grpcc_arena_new(0);
    struct gate done;
    gate_init(&done);
    const struct grpcc_call_options timed = {.size = sizeof(timed), .timeout_ms = 3600000};
    for (int i = 0; i < 4; i++)
        grpcc_testing_echo_unary_start(f->channel, theirs, i ? NULL : &timed, ask(f, "x"),
                                       note_done, &done, NULL);
    gate_wait(&f->entered, 2);
    json_t *all = dump_with(f, "queued", 2);
    assert_string_equal(text_of(all, "state"), "serving");
    assert_int_equal(json_integer_value(json_object_get(all, "in_flight")), 4);
    assert_int_equal(number_at(all, "queue", "length"), 2);
    assert_int_equal(number_at(all, "queue", "max"), 7);
    assert_int_equal(number_at(all, "workers", "busy"), 2);
    assert_int_equal(number_at(all, "workers", "max"), 2);
    assert_int_equal(number_at(all, "totals", "started"), 4);
    assert_true(json_is_null(json_object_get(call_in(all, "queued"), "trace")));
    const json_t *running = call_in(all, "running");
    assert_string_equal(text_of(running, "method"), "/grpcc.testing.Echo/Unary");
    assert_string_equal(text_of(running, "mode"), "blocking");
    assert_int_equal(strlen(text_of(running, "trace")), 32);
    assert_int_equal(json_integer_value(json_object_get(running, "in_messages")), 1);
    unsigned with_deadline = 0;
    json_t *call = NULL;
    size_t i = 0;
    json_array_foreach(json_object_get(all, "calls"), i, call)
    {
        const json_t *left = json_object_get(call, "deadline_ms");
        /* The wire rounds a timeout up. */
        if (json_is_integer(left))
            with_deadline += json_integer_value(left) > 0 && json_integer_value(left) < 2 * 3600000;
    }
    assert_int_equal(with_deadline, 1);
    json_decref(all);
    gate_open(&f->leave);
    gate_wait(&done, 4);
    gate_done(&done);
    grpcc_arena_free(theirs);
}

static void a_parked_call_is_parked(void **state)
{
    struct fixture *f = *state;
    struct grpcc_arena *theirs = grpcc_arena_new(0);
    struct gate done;
    gate_init(&done);
    grpcc_testing_echo_missing_start(f->channel, theirs, NULL, ask(f, "x"), note_done, &done, NULL);
    gate_wait(&f->entered, 1);
    json_decref(dump_with(f, "parked", 1));
    grpcc_call_resume(f->data);
    grpcc_call_unref(f->data);
    gate_wait(&done, 1);
    gate_done(&done);
    grpcc_arena_free(theirs);
}

static void a_slow_reader_shows(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_echo_expand_stream *stream =
        grpcc_testing_echo_expand_stream_open(f->channel, NULL, ask(f, "x"), &f->err);
    assert_non_null(stream);
    gate_wait(&f->entered, 1);
    /* Nobody reads: what it sends stays the same from some message on. */
    long long before = -1, now = 0;
    while (now == 0 || now != before) {
        json_t *all = dump_with(f, "sending", 1);
        before = now;
        now = json_integer_value(json_object_get(call_in(all, "sending"), "out_messages"));
        json_decref(all);
    }
    assert_true(now > 0);
    grpcc_testing_echo_expand_stream_free(stream);
}

static void a_server_that_does_not_serve_is_dumped_too(void **state)
{
    struct fixture *f = fixture_new(NULL, &table);
    (void)state;
    json_t *all = dump(f);
    assert_string_equal(text_of(all, "state"), "new");
    json_decref(all);
    fixture_start(f);
    grpcc_server_drain(f->server, 0, 400);
    all = dump(f);
    assert_string_equal(text_of(all, "state"), "stopped");
    assert_int_equal(json_array_size(json_object_get(all, "calls")), 0);
    json_decref(all);
    void *fixture = f;
    fixture_free(&fixture);
}

/* ---- while it serves ---- */

enum { THREADS = 3, CALLS = 300, DUMPS = 200 };

static void *make_calls(void *data)
{
    struct fixture *f = data;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    for (int i = 0; i < CALLS; i++) {
        struct grpcc_testing_ask *request = grpcc_testing_ask_new(arena);
        struct grpcc_testing_answer *answer = NULL;
        struct grpcc_error err = GRPCC_ERROR_INIT;
        assert_int_equal(grpcc_testing_echo_unary(f->channel, arena, NULL, request, &answer, &err),
                         GRPCC_OK);
        grpcc_arena_reset(arena);
    }
    grpcc_arena_free(arena);
    return NULL;
}

static void a_dump_disturbs_nobody(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_calls, f), 0);
    for (int i = 0; i < DUMPS; i++)
        json_decref(dump(f));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static bool stop_at_once(void *data, const char *text, size_t length)
{
    (void)text;
    (void)length;
    ++*(unsigned *)data;
    return false;
}

static void a_writer_may_stop(void **state)
{
    struct fixture *f = *state;
    unsigned times = 0;
    assert_false(grpcc_server_dump(f->server, stop_at_once, &times));
    assert_int_equal(times, 1);
}

#define WITH(test, before) cmocka_unit_test_setup_teardown(test, before, fixture_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(calls_tell_what_they_wait_for, setup),
        WITH(a_parked_call_is_parked, setup),
        WITH(a_slow_reader_shows, setup),
        WITH(a_dump_disturbs_nobody, fixture_echo),
        WITH(a_writer_may_stop, fixture_echo),
        cmocka_unit_test(a_server_that_does_not_serve_is_dumped_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
