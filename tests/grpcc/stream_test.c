/* SPDX-License-Identifier: Apache-2.0 */
/* The three kinds of streams, blocking and by callbacks, over a socket pair. */
#include <poll.h>
#include <stdio.h>

#include "tests/grpcc/fixture.h"

static void a_client_stream_is_collected(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_testing_echo_collect_stream *stream =
        grpcc_testing_echo_collect_stream_open(f->channel, NULL, &f->err);
    assert_non_null(stream);
    assert_true(grpcc_testing_echo_collect_stream_write(stream, ask(f, "a")));
    assert_true(grpcc_testing_echo_collect_stream_write(stream, ask(f, "b")));
    assert_int_equal(grpcc_testing_echo_collect_stream_finish(stream, f->arena, &answer, &f->err),
                     GRPCC_OK);
    assert_string_equal(answer->text, "ab");
    assert_int_equal(answer->count, 2);
    grpcc_testing_echo_collect_stream_free(stream);
}

static void an_empty_client_stream_is_answered(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_testing_echo_collect_stream *stream =
        grpcc_testing_echo_collect_stream_open(f->channel, NULL, &f->err);
    assert_int_equal(grpcc_testing_echo_collect_stream_finish(stream, f->arena, &answer, &f->err),
                     GRPCC_OK);
    assert_int_equal(answer->count, 0);
    grpcc_testing_echo_collect_stream_free(stream);
}

static void a_client_stream_that_fails_tells_why(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_testing_ask *bad = ask(f, "too much");
    struct grpcc_testing_echo_collect_stream *stream =
        grpcc_testing_echo_collect_stream_open(f->channel, NULL, &f->err);
    bad->status = GRPCC_OUT_OF_RANGE;
    assert_true(grpcc_testing_echo_collect_stream_write(stream, bad));
    /* Sooner or later the end of the call reaches the writer. */
    while (grpcc_testing_echo_collect_stream_write(stream, ask(f, "more")))
        continue;
    assert_int_equal(grpcc_testing_echo_collect_stream_finish(stream, f->arena, &answer, &f->err),
                     GRPCC_OUT_OF_RANGE);
    assert_string_equal(f->err.message, "too much");
    assert_null(answer);
    grpcc_testing_echo_collect_stream_free(stream);
}

static void a_server_stream_is_read_to_its_end(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_ask *request = ask(f, "x");
    struct grpcc_testing_answer *answer = NULL;
    request->count = 100;
    struct grpcc_testing_echo_expand_stream *stream =
        grpcc_testing_echo_expand_stream_open(f->channel, NULL, request, &f->err);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(grpcc_testing_echo_expand_stream_read(stream, f->arena, &answer, &f->err),
                         1);
        assert_int_equal(answer->count, i);
    }
    assert_int_equal(grpcc_testing_echo_expand_stream_read(stream, f->arena, &answer, &f->err), 0);
    assert_int_equal(grpcc_testing_echo_expand_stream_read(stream, f->arena, &answer, &f->err), 0);
    assert_int_equal(grpcc_testing_echo_expand_stream_finish(stream, f->arena, &f->err), GRPCC_OK);
    grpcc_testing_echo_expand_stream_free(stream);
}

static void a_server_stream_may_fail_after_messages(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_ask *request = ask(f, "x");
    struct grpcc_testing_answer *answer = NULL;
    request->count = 1;
    request->status = GRPCC_DATA_LOSS;
    struct grpcc_testing_echo_expand_stream *stream =
        grpcc_testing_echo_expand_stream_open(f->channel, NULL, request, &f->err);
    assert_int_equal(grpcc_testing_echo_expand_stream_read(stream, f->arena, &answer, &f->err), 1);
    assert_int_equal(grpcc_testing_echo_expand_stream_read(stream, f->arena, &answer, &f->err), 0);
    assert_int_equal(grpcc_testing_echo_expand_stream_finish(stream, f->arena, &f->err),
                     GRPCC_DATA_LOSS);
    grpcc_testing_echo_expand_stream_free(stream);
}

static void finish_before_the_end_cancels(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_ask *request = ask(f, "x");
    struct grpcc_testing_answer *answer = NULL;
    request->count = 100000000;
    struct grpcc_testing_echo_expand_stream *stream =
        grpcc_testing_echo_expand_stream_open(f->channel, NULL, request, &f->err);
    assert_int_equal(grpcc_testing_echo_expand_stream_read(stream, f->arena, &answer, &f->err), 1);
    assert_int_equal(grpcc_testing_echo_expand_stream_finish(stream, f->arena, &f->err),
                     GRPCC_CANCELLED);
    grpcc_testing_echo_expand_stream_free(stream);
}

static void a_bidi_stream_goes_to_and_fro(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(f->channel, NULL, &f->err);
    for (int i = 0; i < 50; i++) {
        char text[8];
        snprintf(text, sizeof(text), "%d", i);
        assert_true(grpcc_testing_echo_chat_stream_write(stream, ask(f, text)));
        assert_int_equal(grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err),
                         1);
        assert_string_equal(answer->text, text);
    }
    assert_true(grpcc_testing_echo_chat_stream_close_send(stream));
    assert_int_equal(grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err), 0);
    assert_int_equal(grpcc_testing_echo_chat_stream_finish(stream, NULL, &f->err), GRPCC_OK);
    assert_int_equal(grpcc_testing_echo_chat_stream_finish(stream, NULL, &f->err),
                     GRPCC_FAILED_PRECONDITION);
    grpcc_testing_echo_chat_stream_free(stream);
}

/* ---- longer than its connection ---- */

/* Reads a second message from a stream whose connection is older than it may be. */
static int read_late(unsigned grace_ms, enum grpcc_status *ret_status)
{
    const struct grpcc_server_options options = {
        .size = sizeof(options), .connection_age_max_ms = 100, .connection_age_grace_ms = grace_ms};
    struct fixture *f = fixture_new(&options, &echo_table);
    struct grpcc_testing_answer *answer = NULL;
    fixture_start(f);
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(f->channel, NULL, &f->err);
    assert_true(grpcc_testing_echo_chat_stream_write(stream, ask(f, "a")));
    assert_int_equal(grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err), 1);
    poll(NULL, 0, 1000);
    int read = -1;
    if (grpcc_testing_echo_chat_stream_write(stream, ask(f, "b")))
        read = grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err);
    if (read == 1) {
        assert_true(grpcc_testing_echo_chat_stream_close_send(stream));
        assert_int_equal(grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err),
                         0);
    }
    *ret_status = grpcc_testing_echo_chat_stream_finish(stream, NULL, &f->err);
    grpcc_testing_echo_chat_stream_free(stream);
    fixture_free((void **)&f);
    return read;
}

static void a_stream_outlives_its_connections_age_by_the_grace(void **state)
{
    enum grpcc_status status;
    (void)state;
    assert_int_equal(read_late(60000, &status), 1);
    assert_int_equal(status, GRPCC_OK);
    assert_int_equal(read_late(100, &status), -1);
    assert_int_equal(status, GRPCC_UNAVAILABLE);
}

/* ---- by callbacks ---- */

struct chat {
    struct fixture *f;
    struct grpcc_testing_echo_chat_stream *stream;
    unsigned read;
    unsigned written;
    enum grpcc_status status;
    struct gate ended;
};

static void chat_finished(void *data, enum grpcc_status status, void *response,
                          const struct grpcc_error *err)
{
    struct chat *chat = data;
    (void)err;
    assert_null(response);
    chat->status = status;
    gate_open(&chat->ended);
}

static void chat_written(void *data, bool ok);

static void chat_read(void *data, int result, struct grpcc_testing_answer *answer,
                      const struct grpcc_error *err)
{
    struct chat *chat = data;
    (void)err;
    if (result == 0) {
        grpcc_stream_finish_start((struct grpcc_client_call *)chat->stream, chat->f->arena,
                                  chat_finished, chat);
        return;
    }
    assert_int_equal(result, 1);
    assert_string_equal(answer->text, "ping");
    chat->read++;
    if (chat->written < 20)
        grpcc_testing_echo_chat_stream_write_start(chat->stream, ask(chat->f, "ping"), chat_written,
                                                   chat);
    else
        grpcc_testing_echo_chat_stream_read_start(chat->stream, chat->f->arena, chat_read, chat);
}

static void chat_written(void *data, bool ok)
{
    struct chat *chat = data;
    assert_true(ok);
    chat->written++;
    if (chat->written == 20)
        assert_true(grpcc_testing_echo_chat_stream_close_send(chat->stream));
    grpcc_testing_echo_chat_stream_read_start(chat->stream, chat->f->arena, chat_read, chat);
}

static void callbacks_drive_a_stream(void **state)
{
    struct fixture *f = *state;
    struct chat chat = {.f = f};
    gate_init(&chat.ended);
    chat.stream = grpcc_testing_echo_chat_stream_open(f->channel, NULL, &f->err);
    grpcc_testing_echo_chat_stream_write_start(chat.stream, ask(f, "ping"), chat_written, &chat);
    gate_wait(&chat.ended, 1);
    assert_int_equal(chat.status, GRPCC_OK);
    assert_int_equal(chat.read, 20);
    grpcc_testing_echo_chat_stream_free(chat.stream);
    gate_done(&chat.ended);
}

static void a_stream_of_the_wrong_kind_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_null(grpcc_stream_open(f->channel, &grpcc_testing_echo_methods[0], NULL,
                                  &ask(f, "x")->base, &f->err));
    assert_int_equal(f->err.status, GRPCC_FAILED_PRECONDITION);
    assert_null(grpcc_stream_open(f->channel, &grpcc_testing_echo_methods[2], NULL, NULL, &f->err));
    assert_int_equal(f->err.status, GRPCC_FAILED_PRECONDITION);
}

/* ---- a client that does not read ---- */

struct endless {
    struct fixture *f;
    struct grpcc_call *call;
    struct grpcc_testing_answer *answer;
};

static void sent_endless(void *data, enum grpcc_status status)
{
    struct endless *endless = data;
    if (status == GRPCC_OK) {
        grpcc_testing_echo_expand_send_start(endless->call, endless->answer, sent_endless, endless);
        return;
    }
    gate_open(&endless->f->leave);
    grpcc_call_fail(endless->call, status, "it does not read");
}

static void send_without_end(void *self, struct grpcc_call *call,
                             const struct grpcc_testing_ask *request)
{
    struct endless *endless = grpcc_arena_zalloc(grpcc_call_arena(call), sizeof(*endless));
    (void)request;
    *endless = (struct endless){self, call, grpcc_testing_answer_new(grpcc_call_arena(call))};
    endless->answer->data.len = 1 << 16;
    endless->answer->data.data = grpcc_arena_zalloc(grpcc_call_arena(call), 1 << 16);
    sent_endless(endless, GRPCC_OK);
}

/* Its call is ended after send_wait_max_ms, though it has no deadline and nobody waits in a send.
 */
static void who_does_not_read_is_left(void **state)
{
    static const struct grpcc_testing_echo_server table = {.expand = send_without_end};
    const struct grpcc_server_options options = {.size = sizeof(options), .send_wait_max_ms = 300};
    struct fixture *f = fixture_new(&options, &table);
    struct grpcc_testing_answer *answer = NULL;
    int result;
    (void)state;
    fixture_configure(f, "/grpcc.testing.Echo/Expand",
                      (struct grpcc_method_config){.mode = GRPCC_MODE_ASYNC});
    fixture_start(f);
    struct grpcc_testing_echo_expand_stream *stream =
        grpcc_testing_echo_expand_stream_open(f->channel, NULL, ask(f, "x"), &f->err);
    assert_non_null(stream);
    gate_wait(&f->leave, 1);
    while ((result = grpcc_testing_echo_expand_stream_read(stream, f->arena, &answer, &f->err)) > 0)
        grpcc_arena_reset(f->arena);
    assert_int_equal(result, 0);
    assert_int_equal(grpcc_testing_echo_expand_stream_finish(stream, f->arena, &f->err),
                     GRPCC_RESOURCE_EXHAUSTED);
    grpcc_testing_echo_expand_stream_free(stream);
    void *fixture = f;
    fixture_free(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_stream_is_collected),
        cmocka_unit_test(an_empty_client_stream_is_answered),
        cmocka_unit_test(a_client_stream_that_fails_tells_why),
        cmocka_unit_test(a_server_stream_is_read_to_its_end),
        cmocka_unit_test(a_server_stream_may_fail_after_messages),
        cmocka_unit_test(finish_before_the_end_cancels),
        cmocka_unit_test(a_bidi_stream_goes_to_and_fro),
        cmocka_unit_test(a_stream_outlives_its_connections_age_by_the_grace),
        cmocka_unit_test(callbacks_drive_a_stream),
        cmocka_unit_test(a_stream_of_the_wrong_kind_is_refused),
        cmocka_unit_test(who_does_not_read_is_left),
    };
    return cmocka_run_group_tests(tests, fixture_echo, fixture_free);
}
