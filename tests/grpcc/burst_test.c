/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that a server sends one right after the other, by callbacks: put together on their way,
 * in order, and none kept back when no other follows. */
#include "tests/grpcc/fixture.h"

enum { MANY = 5000, LARGE = 100000 };

/* Answers each request with as many messages as it asks for. */
struct burst {
    struct grpcc_call *call;
    struct fixture *f;
    struct grpcc_testing_answer *answer;
    unsigned left;
};

static void burst_read(void *data, enum grpcc_status status, struct grpcc_testing_ask *request,
                       const struct grpcc_error *err);

static void burst_end(struct burst *burst, enum grpcc_status status)
{
    struct fixture *f = burst->f;
    if (status)
        grpcc_call_fail(burst->call, status, "the burst was cut off");
    else
        grpcc_call_finish_ok(burst->call);
    gate_open(&f->leave);
}

static void burst_sent(void *data, enum grpcc_status status)
{
    struct burst *burst = data;
    if (status) {
        burst_end(burst, status);
    } else if (burst->left == 0) {
        grpcc_testing_echo_chat_read_start(burst->call, grpcc_call_arena(burst->call), burst_read,
                                           burst);
    } else {
        burst->left--;
        burst->answer->count++;
        grpcc_testing_echo_chat_send_start(burst->call, burst->answer, burst_sent, burst);
    }
}

static void burst_read(void *data, enum grpcc_status status, struct grpcc_testing_ask *request,
                       const struct grpcc_error *err)
{
    struct burst *burst = data;
    (void)err;
    if (status || !request) {
        burst_end(burst, status);
        return;
    }
    burst->left = request->count;
    burst->answer->text = request->text;
    burst_sent(burst, GRPCC_OK);
}

static void burst_chat(void *self, struct grpcc_call *call)
{
    struct burst *burst = grpcc_arena_zalloc(grpcc_call_arena(call), sizeof(*burst));
    *burst = (struct burst){
        .call = call, .f = self, .answer = grpcc_testing_answer_new(grpcc_call_arena(call))};
    grpcc_testing_echo_chat_read_start(call, grpcc_call_arena(call), burst_read, burst);
}

static void sent_last(void *data, enum grpcc_status status)
{
    (void)data;
    (void)status;
}

/* Ends the call while its last message is on its way. */
static void expand_sent(void *data, enum grpcc_status status)
{
    struct burst *burst = data;
    bool last = burst->left-- <= 1;
    if (!status)
        grpcc_testing_echo_expand_send_start(burst->call, burst->answer,
                                             last ? sent_last : expand_sent, burst);
    if (status || last)
        burst_end(burst, status);
}

static void burst_expand(void *self, struct grpcc_call *call,
                         const struct grpcc_testing_ask *request)
{
    struct burst *burst = grpcc_arena_zalloc(grpcc_call_arena(call), sizeof(*burst));
    *burst = (struct burst){.call = call,
                            .f = self,
                            .answer = grpcc_testing_answer_new(grpcc_call_arena(call)),
                            .left = request->count};
    burst->answer->text = request->text;
    expand_sent(burst, GRPCC_OK);
}

static const struct grpcc_testing_echo_server bursts = {.chat = burst_chat, .expand = burst_expand};

static int setup(void **state)
{
    struct fixture *f = fixture_new(NULL, &bursts);
    const struct grpcc_method_config async = {.mode = GRPCC_MODE_ASYNC};
    fixture_configure(f, "/grpcc.testing.Echo/Chat", async);
    fixture_configure(f, "/grpcc.testing.Echo/Expand", async);
    fixture_start(f);
    *state = f;
    return 0;
}

static void ask_for(struct fixture *f, struct grpcc_testing_echo_chat_stream *stream,
                    const char *text, unsigned count)
{
    struct grpcc_testing_ask *request = ask(f, text);
    request->count = count;
    assert_true(grpcc_testing_echo_chat_stream_write(stream, request));
}

static void nothing_is_kept_back(void **state)
{
    static const unsigned counts[] = {1, 2, 3, 4, 1, 50, 1, MANY, 2};
    struct fixture *f = *state;
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(f->channel, NULL, &f->err);
    unsigned read = 0;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        ask_for(f, stream, "x", counts[i]);
        /* The server sends no more than these: one that it held back would never come. */
        for (unsigned j = 0; j < counts[i]; j++) {
            assert_int_equal(
                grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err), 1);
            assert_int_equal(answer->count, ++read);
        }
    }
    assert_true(grpcc_testing_echo_chat_stream_close_send(stream));
    assert_int_equal(grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err), 0);
    assert_int_equal(grpcc_testing_echo_chat_stream_finish(stream, NULL, &f->err), GRPCC_OK);
    grpcc_testing_echo_chat_stream_free(stream);
}

static void the_end_comes_after_the_last_message(void **state)
{
    static char large[LARGE];
    struct fixture *f = *state;
    struct grpcc_testing_answer *answer = NULL;
    memset(large, 'x', sizeof(large) - 1);
    for (unsigned count = 1; count < 40; count++) {
        struct grpcc_testing_ask *request = ask(f, count % 2 ? "x" : large);
        unsigned read = 0;
        request->count = count;
        struct grpcc_testing_echo_expand_stream *stream =
            grpcc_testing_echo_expand_stream_open(f->channel, NULL, request, &f->err);
        while (grpcc_testing_echo_expand_stream_read(stream, f->arena, &answer, &f->err) == 1)
            read++;
        assert_int_equal(read, count);
        assert_int_equal(grpcc_testing_echo_expand_stream_finish(stream, NULL, &f->err), GRPCC_OK);
        grpcc_testing_echo_expand_stream_free(stream);
        grpcc_arena_reset(f->arena);
    }
}

static void a_burst_that_nobody_reads_is_cut_off(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_answer *answer = NULL;
    for (unsigned i = 0; i < 50; i++) {
        struct grpcc_testing_echo_chat_stream *stream =
            grpcc_testing_echo_chat_stream_open(f->channel, NULL, &f->err);
        ask_for(f, stream, "x", 1000000000);
        for (unsigned j = 0; j <= i; j++)
            assert_int_equal(
                grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err), 1);
        grpcc_testing_echo_chat_stream_free(stream);
        gate_wait(&f->leave, i + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_kept_back, setup, fixture_free),
        cmocka_unit_test_setup_teardown(the_end_comes_after_the_last_message, setup, fixture_free),
        cmocka_unit_test_setup_teardown(a_burst_that_nobody_reads_is_cut_off, setup, fixture_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
