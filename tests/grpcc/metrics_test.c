/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics: every call is counted once under its method and status, and written as Prometheus has
 * it. */
#include <grpc/health/v1/health.grpcc.h>
#include <grpcc/metrics.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/grpcc/fixture.h"

struct text {
    char *at;
    size_t length;
};

static bool append(void *data, const char *piece, size_t length)
{
    struct text *text = data;
    char *grown = realloc(text->at, text->length + length + 1);
    assert_non_null(grown);
    memcpy(grown + text->length, piece, length);
    text->at = grown;
    text->length += length;
    text->at[text->length] = '\0';
    return true;
}

/* The value of the series whose line begins so, -1 where there is none. */
static double value_of(struct grpcc_metrics *metrics, const char *series)
{
    struct text text = {NULL, 0};
    double value = -1;
    size_t n = strlen(series);
    assert_true(grpcc_metrics_write(metrics, append, &text));
    for (const char *line = text.at; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, series, n) == 0 && line[n] == ' ')
            value = strtod(line + n, NULL);
    }
    free(text.at);
    return value;
}

#define METHOD "grpc_method=\"grpcc.testing.Echo/Unary\""

static int setup_with(void **state, const struct grpcc_server_options *options,
                      const struct grpcc_testing_echo_server *table)
{
    struct fixture *f = fixture_new(options, table);
    struct grpcc_metrics *metrics = grpcc_metrics_new();
    assert_non_null(metrics);
    assert_int_equal(grpcc_metrics_attach(metrics, f->server, "api", &f->err), GRPCC_OK);
    assert_int_equal(grpcc_metrics_attach(metrics, f->server, "b", &f->err), GRPCC_ALREADY_EXISTS);
    const struct grpcc_channel_options channel = {.size = sizeof(channel), .metrics = metrics};
    fixture_start_with(f, &channel);
    f->data = metrics;
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, NULL, &echo_table);
}

static int finish(void **state)
{
    struct fixture *f = *state;
    struct grpcc_metrics *metrics = f->data;
    fixture_free(state);
    grpcc_metrics_free(metrics);
    return 0;
}

/* A call is over a little after its peer knows: the server's drain waits for it. */
static void settle(struct fixture *f)
{
    grpcc_server_drain(f->server, 0, 2000);
}

static void calls_are_counted_by_method_and_status(void **state)
{
    struct fixture *f = *state;
    struct grpcc_metrics *metrics = f->data;
    struct grpcc_testing_ask *failing = ask(f, "bad");
    failing->status = GRPCC_NOT_FOUND;
    for (int i = 0; i < 3; i++)
        must_end(f, GRPCC_OK, ask(f, "hello"), NULL);
    must_end(f, GRPCC_NOT_FOUND, failing, NULL);
    settle(f);
    assert_float_equal(value_of(metrics, "grpc_server_call_started_total{" METHOD "}"), 4, 0);
    assert_float_equal(
        value_of(metrics, "grpc_server_call_duration_seconds_count{" METHOD ",grpc_status=\"OK\"}"),
        3, 0);
    assert_float_equal(value_of(metrics, "grpc_server_call_duration_seconds_count{" METHOD
                                         ",grpc_status=\"NOT_FOUND\"}"),
                       1, 0);
    assert_float_equal(
        value_of(metrics, "grpc_client_attempt_started_total{" METHOD ",grpc_target=\"fd:\"}"), 4,
        0);
    assert_float_equal(value_of(metrics, "grpc_client_call_duration_seconds_count{" METHOD
                                         ",grpc_status=\"NOT_FOUND\",grpc_target=\"fd:\"}"),
                       1, 0);
    assert_true(value_of(metrics, "grpc_server_call_duration_seconds_sum{" METHOD
                                  ",grpc_status=\"OK\"}") > 0);
}

static void bytes_are_those_of_the_messages(void **state)
{
    struct fixture *f = *state;
    struct grpcc_metrics *metrics = f->data;
    struct grpcc_testing_ask *request = ask(f, "0123456789");
    must_end(f, GRPCC_OK, request, NULL);
    settle(f);
    /* text alone on the way in; on the way out count 1 too */
    double in = (double)protobuf_c_message_get_packed_size(&request->base), out = in + 2;
    const char *labels = "{" METHOD ",grpc_status=\"OK\"}";
    const char *of_client = "{" METHOD ",grpc_status=\"OK\",grpc_target=\"fd:\"}";
    char series[256];
    snprintf(series, sizeof(series),
             "grpc_server_call_rcvd_total_compressed_message_size_bytes_sum%s", labels);
    assert_float_equal(value_of(metrics, series), in, 0);
    snprintf(series, sizeof(series),
             "grpc_server_call_sent_total_compressed_message_size_bytes_sum%s", labels);
    assert_float_equal(value_of(metrics, series), out, 0);
    snprintf(series, sizeof(series),
             "grpc_client_attempt_sent_total_compressed_message_size_bytes_sum%s", of_client);
    assert_float_equal(value_of(metrics, series), in, 0);
    snprintf(series, sizeof(series),
             "grpc_client_attempt_rcvd_total_compressed_message_size_bytes_sum%s", of_client);
    assert_float_equal(value_of(metrics, series), out, 0);
}

static void streams_count_all_their_messages(void **state)
{
    struct fixture *f = *state;
    struct grpcc_metrics *metrics = f->data;
    struct grpcc_testing_ask *request = ask(f, "12345");
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(f->channel, NULL, &f->err);
    assert_non_null(stream);
    for (int i = 0; i < 4; i++) {
        assert_true(grpcc_testing_echo_chat_stream_write(stream, request));
        assert_int_equal(grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err),
                         1);
    }
    assert_true(grpcc_testing_echo_chat_stream_close_send(stream));
    assert_int_equal(grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err), 0);
    assert_int_equal(grpcc_testing_echo_chat_stream_finish(stream, f->arena, &f->err), GRPCC_OK);
    grpcc_testing_echo_chat_stream_free(stream);
    settle(f);
    double bytes = 4.0 * (double)protobuf_c_message_get_packed_size(&request->base);
    assert_float_equal(
        value_of(metrics, "grpc_server_call_rcvd_total_compressed_message_size_bytes_sum{grpc_"
                          "method=\"grpcc.testing.Echo/Chat\",grpc_status=\"OK\"}"),
        bytes, 0);
    assert_float_equal(
        value_of(metrics, "grpc_client_attempt_rcvd_total_compressed_message_size_bytes_sum{grpc_"
                          "method=\"grpcc.testing.Echo/Chat\",grpc_status=\"OK\",grpc_target="
                          "\"fd:\"}"),
        bytes, 0);
}

static void cancelled_calls_are_counted_as_that(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(f->channel, NULL, &f->err);
    assert_non_null(stream);
    assert_true(grpcc_testing_echo_chat_stream_write(stream, ask(f, "x")));
    assert_int_equal(grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err), 1);
    grpcc_testing_echo_chat_stream_cancel(stream);
    assert_int_equal(grpcc_testing_echo_chat_stream_finish(stream, f->arena, &f->err),
                     GRPCC_CANCELLED);
    grpcc_testing_echo_chat_stream_free(stream);
    settle(f);
    assert_float_equal(
        value_of(f->data, "grpc_server_call_duration_seconds_count{grpc_method=\"grpcc.testing."
                          "Echo/Chat\",grpc_status=\"CANCELLED\"}"),
        1, 0);
    assert_float_equal(
        value_of(f->data, "grpc_client_call_duration_seconds_count{grpc_method=\"grpcc.testing."
                          "Echo/Chat\",grpc_status=\"CANCELLED\",grpc_target=\"fd:\"}"),
        1, 0);
}

static void unknown_methods_are_other(void **state)
{
    struct fixture *f = *state;
    struct grpcc_metrics *metrics = f->data;
    static struct grpcc_method methods[3];
    static const char *const paths[] = {"/a.B/C", "/evil.\"}\n/X", "/d.E/F"};
    void *response = NULL;
    for (int i = 0; i < 3; i++) {
        methods[i] = grpcc_testing_echo_methods[0];
        methods[i].path = paths[i];
        if (i != 1)
            assert_int_equal(grpcc_unary(f->channel, &methods[i], f->arena, NULL,
                                         &ask(f, "x")->base, &response, &f->err),
                             GRPCC_UNIMPLEMENTED);
    }
    settle(f);
    assert_float_equal(
        value_of(metrics, "grpc_server_call_duration_seconds_count{grpc_method=\"other\",grpc_"
                          "status=\"UNIMPLEMENTED\"}"),
        2, 0);
}

/* ---- calls that no handler sees ---- */

static void wait_unary(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct fixture *f = self;
    (void)request;
    gate_open(&f->entered);
    gate_wait(&f->leave, 1);
    grpcc_testing_echo_unary_finish(call, grpcc_testing_answer_new(grpcc_call_arena(call)));
}

static const struct grpcc_testing_echo_server waiting = {.unary = wait_unary};

static int setup_small(void **state)
{
    const struct grpcc_server_options options = {
        .size = sizeof(options), .workers = 1, .queue_max = 1, .queue_age_max_ms = 600000};
    return setup_with(state, &options, &waiting);
}

static void note_done(void *data, enum grpcc_status status, struct grpcc_testing_answer *response,
                      const struct grpcc_error *err)
{
    struct gate *done = data;
    (void)status;
    (void)response;
    (void)err;
    gate_open(done);
}

static void what_is_shed_is_counted(void **state)
{
    struct fixture *f = *state;
    struct grpcc_metrics *metrics = f->data;
    struct gate done;
    struct grpcc_arena *theirs = grpcc_arena_new(0); /* the poller decodes into it */
    gate_init(&done);
    grpcc_testing_echo_unary_start(f->channel, theirs, NULL, ask(f, "first"), note_done, &done,
                                   NULL);
    gate_wait(&f->entered, 1);
    /* One runs, one may wait; of the others all are refused. */
    for (int i = 0; i < 4; i++)
        grpcc_testing_echo_unary_start(f->channel, theirs, NULL, ask(f, "next"), note_done, &done,
                                       NULL);
    gate_wait(&done, 3);
    assert_float_equal(value_of(metrics, "grpcc_server_call_in_flight{grpcc_server=\"api\"}"), 2,
                       0);
    assert_float_equal(value_of(metrics, "grpcc_server_workers_busy{grpcc_server=\"api\"}"), 1, 0);
    assert_float_equal(value_of(metrics, "grpcc_server_queue_length{grpcc_server=\"api\"}"), 1, 0);
    gate_open(&f->leave);
    gate_wait(&done, 5);
    settle(f);
    assert_float_equal(
        value_of(metrics, "grpcc_server_call_refused_total{grpcc_reason=\"queue_full\"}"), 3, 0);
    assert_float_equal(value_of(metrics, "grpc_server_call_duration_seconds_count{" METHOD
                                         ",grpc_status=\"RESOURCE_EXHAUSTED\"}"),
                       3, 0);
    assert_float_equal(value_of(metrics, "grpc_server_call_started_total{" METHOD "}"), 5, 0);
    gate_done(&done);
    grpcc_arena_free(theirs);
}

static int setup_narrow(void **state)
{
    const struct grpcc_server_options options = {.size = sizeof(options),
                                                 .message_limits = {.depth_max = 2}};
    return setup_with(state, &options, &echo_table);
}

static void what_cannot_be_decoded_is_counted(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_ask *request = ask(f, "1");
    request->inner = ask(f, "2");
    request->inner->inner = ask(f, "3");
    request->inner->inner->inner = ask(f, "4");
    must_end(f, GRPCC_INVALID_ARGUMENT, request, NULL);
    settle(f);
    assert_float_equal(
        value_of(f->data, "grpcc_server_call_refused_total{grpcc_reason=\"request\"}"), 1, 0);
    assert_float_equal(value_of(f->data, "grpc_server_call_duration_seconds_count{" METHOD
                                         ",grpc_status=\"INVALID_ARGUMENT\"}"),
                       1, 0);
}

static void gauges_go_with_their_server(void **state)
{
    struct fixture *f = *state;
    struct grpcc_metrics *metrics = f->data;
    assert_float_equal(value_of(metrics, "grpcc_server_call_in_flight{grpcc_server=\"api\"}"), 0,
                       0);
    grpcc_server_free(f->server);
    f->server = NULL;
    assert_float_equal(value_of(metrics, "grpcc_server_call_in_flight{grpcc_server=\"api\"}"), -1,
                       0);
}

/* ---- the program's own ---- */

static double seven(void *data)
{
    return *(const double *)data;
}

static void programs_have_metrics_of_their_own(void **state)
{
    struct grpcc_metrics *metrics = grpcc_metrics_new();
    struct grpcc_metric *reads = NULL, *writes = NULL, *sizes = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    const double bounds[] = {1, 2.5};
    double value = 7;
    const struct grpcc_label kinds[] = {{"kind", "read"}, {"kind", "w\"i\\de\n"}};
    struct grpcc_metric_info info = {.size = sizeof(info),
                                     .name = "store.steps",
                                     .unit = "{step}",
                                     .help = "Steps of\nthe \\ store.",
                                     .labels = &kinds[0],
                                     .n_labels = 1};
    (void)state;
    assert_int_equal(grpcc_metrics_add_counter(metrics, &info, &reads, &err), GRPCC_OK);
    assert_int_equal(grpcc_metrics_add_counter(metrics, &info, NULL, &err), GRPCC_ALREADY_EXISTS);
    info.labels = &kinds[1];
    assert_int_equal(grpcc_metrics_add_counter(metrics, &info, &writes, &err), GRPCC_OK);
    info = (struct grpcc_metric_info){.size = sizeof(info),
                                      .name = "store.step.size",
                                      .unit = "By",
                                      .bounds = bounds,
                                      .n_bounds = 2};
    assert_int_equal(grpcc_metrics_add_histogram(metrics, &info, &sizes, &err), GRPCC_OK);
    info = (struct grpcc_metric_info){.size = sizeof(info), .name = "store.load", .unit = "1"};
    assert_int_equal(grpcc_metrics_add_reader(metrics, GRPCC_GAUGE, &info, seven, &value, &err),
                     GRPCC_OK);
    grpcc_counter_add(reads, 3);
    grpcc_counter_add(writes, 4);
    grpcc_counter_add(NULL, 5);
    grpcc_histogram_record(sizes, 1);
    grpcc_histogram_record(sizes, 2);
    grpcc_histogram_record(sizes, 1e9);
    grpcc_histogram_record(sizes, NAN);
    assert_float_equal(value_of(metrics, "store_steps_total{kind=\"read\"}"), 3, 0);
    assert_float_equal(value_of(metrics, "store_steps_total{kind=\"w\\\"i\\\\de\\n\"}"), 4, 0);
    assert_float_equal(value_of(metrics, "store_step_size_bytes_bucket{le=\"1\"}"), 1, 0);
    assert_float_equal(value_of(metrics, "store_step_size_bytes_bucket{le=\"2.5\"}"), 2, 0);
    assert_float_equal(value_of(metrics, "store_step_size_bytes_bucket{le=\"+Inf\"}"), 3, 0);
    assert_float_equal(value_of(metrics, "store_step_size_bytes_sum"), 1e9 + 3, 0);
    assert_float_equal(value_of(metrics, "store_load_ratio"), 7, 0);
    assert_float_equal(value_of(metrics, "# HELP store_steps_total Steps of\\nthe \\\\ store."), -1,
                       0);
    grpcc_metrics_free(metrics);
}

static void what_is_no_metric_is_refused(void **state)
{
    struct grpcc_metrics *metrics = grpcc_metrics_new();
    struct grpcc_error err = GRPCC_ERROR_INIT;
    const double falling[] = {2, 1};
    const struct grpcc_label bad_label = {"a b", "v"};
    const struct grpcc_metric_info bad[] = {
        {.size = sizeof(bad[0]), .name = ""},
        {.size = sizeof(bad[0]), .name = "a b"},
        {.size = sizeof(bad[0]), .name = "1a"},
        {.size = sizeof(bad[0]), .name = "a{b=\"c\"}"},
        {.size = sizeof(bad[0]), .name = "grpc.server.call.started"},
        {.size = sizeof(bad[0]), .name = "grpcc.mine"},
        {.size = sizeof(bad[0]), .name = "a", .labels = &bad_label, .n_labels = 1},
        {.size = sizeof(bad[0]), .name = "a", .bounds = falling, .n_bounds = 2},
        {.size = sizeof(bad[0]), .name = "a", .n_bounds = GRPCC_METRICS_BOUNDS_MAX + 1},
    };
    struct grpcc_metric_info fine = {.size = sizeof(fine), .name = "a.b", .unit = "s"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(grpcc_metrics_add_histogram(metrics, &bad[i], NULL, &err),
                         GRPCC_INVALID_ARGUMENT);
    assert_int_equal(grpcc_metrics_add_counter(metrics, &fine, NULL, &err), GRPCC_OK);
    fine.name = "a_b";
    assert_int_equal(grpcc_metrics_add_counter(metrics, &fine, NULL, &err), GRPCC_ALREADY_EXISTS);
    fine.name = "a.b";
    assert_int_equal(grpcc_metrics_add_reader(metrics, GRPCC_GAUGE, &fine, seven, NULL, &err),
                     GRPCC_ALREADY_EXISTS);
    assert_int_equal(grpcc_metrics_add_reader(metrics, GRPCC_HISTOGRAM, &fine, seven, NULL, &err),
                     GRPCC_INVALID_ARGUMENT);
    grpcc_metrics_free(metrics);
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
    struct grpcc_metrics *metrics = grpcc_metrics_new();
    unsigned times = 0;
    (void)state;
    assert_false(grpcc_metrics_write(metrics, stop_at_once, &times));
    assert_int_equal(times, 1);
    grpcc_metrics_free(metrics);
}

/* ---- many threads ---- */

enum { THREADS = 4, CALLS = 200 };

static void *make_calls(void *data)
{
    struct fixture *f = data;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    for (int i = 0; i < CALLS; i++) {
        struct grpcc_testing_ask *request = grpcc_testing_ask_new(arena);
        struct grpcc_testing_answer *answer = NULL;
        struct grpcc_error err = GRPCC_ERROR_INIT;
        request->status = i % 3; /* OK, CANCELLED, UNKNOWN */
        (void)!grpcc_testing_echo_unary(f->channel, arena, NULL, request, &answer, &err);
        grpcc_arena_reset(arena);
    }
    grpcc_arena_free(arena);
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_calls, f), 0);
    for (int i = 0; i < 50; i++)
        assert_true(value_of(f->data, "grpcc_metrics_lost_total") >= 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    settle(f);
    double ended = 0;
    static const char *const statuses[] = {"OK", "CANCELLED", "UNKNOWN"};
    for (int i = 0; i < 3; i++) {
        char series[256];
        snprintf(series, sizeof(series),
                 "grpc_server_call_duration_seconds_bucket{" METHOD
                 ",grpc_status=\"%s\",le=\"+Inf\"}",
                 statuses[i]);
        ended += value_of(f->data, series);
    }
    assert_float_equal(ended, THREADS * CALLS, 0);
    assert_float_equal(value_of(f->data, "grpc_server_call_started_total{" METHOD "}"),
                       THREADS * CALLS, 0);
}

#define WITH(test, before) cmocka_unit_test_setup_teardown(test, before, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(calls_are_counted_by_method_and_status, setup),
        WITH(bytes_are_those_of_the_messages, setup),
        WITH(streams_count_all_their_messages, setup),
        WITH(cancelled_calls_are_counted_as_that, setup),
        WITH(unknown_methods_are_other, setup),
        WITH(what_is_shed_is_counted, setup_small),
        WITH(what_cannot_be_decoded_is_counted, setup_narrow),
        WITH(gauges_go_with_their_server, setup),
        WITH(nothing_is_lost_between_threads, setup),
        cmocka_unit_test(programs_have_metrics_of_their_own),
        cmocka_unit_test(what_is_no_metric_is_refused),
        cmocka_unit_test(a_writer_may_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
