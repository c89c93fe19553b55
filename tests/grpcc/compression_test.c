/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed messages: refused where nobody asked for them, inflated under a limit where somebody
 * did, sent as calls and messages choose. Core's own API plays a client that compresses anything.
 */
#include <grpc/byte_buffer.h>
#include <grpc/compression.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/grpcc/deflated.h"
#include "tests/grpcc/fixture.h"

#define UNARY "/grpcc.testing.Echo/Unary"
#define COLLECT "/grpcc.testing.Echo/Collect"

enum { LIMIT = 100000, METHOD_LIMIT = 20000 };
/* Field and length of Ask.text before its bytes: one byte, and three for lengths up to 2^21. */
enum { TEXT_PREFIX = 4 };

static const enum grpcc_compression both[] = {GRPCC_COMPRESSION_DEFLATE, GRPCC_COMPRESSION_GZIP};

/* ---- a table whose answers tell what came compressed, and choose what goes compressed ---- */

static struct grpcc_testing_answer *answer_to(struct grpcc_call *call,
                                              const struct grpcc_testing_ask *request)
{
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    assert_non_null(answer);
    answer->text = request->text;
    answer->count = grpcc_call_request_was_compressed(call);
    return answer;
}

/* Ask.count is an enum grpcc_compression, Ask.data of any length: but not this message. */
static void choose(struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    if (!grpcc_call_set_compression(call, (enum grpcc_compression)request->count))
        assert_int_equal(grpcc_call_method(call)->kind, GRPCC_BIDI_STREAM);
    grpcc_call_set_message_compression(call, request->data.len == 0);
}

static void tell_unary(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    (void)self;
    choose(call, request);
    grpcc_testing_echo_unary_finish(call, answer_to(call, request));
}

static void tell_collect(void *self, struct grpcc_call *call)
{
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    struct grpcc_testing_ask *request = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    (void)self;
    assert_non_null(answer);
    for (;;) {
        if (grpcc_testing_echo_collect_read(call, grpcc_call_arena(call), &request, &err)) {
            grpcc_call_fail(call, err.status, "%s", err.message);
            return;
        }
        if (!request)
            break;
        /* A bit for each. */
        answer->count = answer->count << 1 | grpcc_call_request_was_compressed(call);
        answer->text = request->text;
    }
    grpcc_testing_echo_collect_finish(call, answer);
}

static void tell_chat(void *self, struct grpcc_call *call)
{
    struct grpcc_testing_ask *request = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    (void)self;
    while (!grpcc_testing_echo_chat_read(call, grpcc_call_arena(call), &request, &err) && request) {
        choose(call, request);
        if (grpcc_testing_echo_chat_send(call, answer_to(call, request), &err))
            break;
    }
    if (err.status)
        grpcc_call_fail(call, err.status, "%s", err.message);
    else
        grpcc_call_finish_ok(call);
}

static const struct grpcc_testing_echo_server tell_table = {
    .unary = tell_unary,
    .collect = tell_collect,
    .chat = tell_chat,
};

/* ---- the fixtures ---- */

static int port;

static void serve(void **state, const struct grpcc_server_options *options)
{
    struct fixture *f = fixture_new(options, &tell_table);
    assert_int_equal(grpcc_server_listen(f->server, "127.0.0.1:0", NULL, &port, &f->err), GRPCC_OK);
    fixture_start(f);
    *state = f;
}

static int refusing(void **state)
{
    serve(state, NULL);
    return 0;
}

static int accepting(void **state)
{
    const struct grpcc_server_options options = {
        .size = sizeof(options), .accept_compressed = true, .inflated_bytes_max = LIMIT};
    serve(state, &options);
    return 0;
}

static int accepting_by_method(void **state)
{
    const struct grpcc_server_options options = {
        .size = sizeof(options), .accept_compressed = true, .inflated_bytes_max = LIMIT};
    struct fixture *f = fixture_new(&options, &tell_table);
    fixture_configure(f, UNARY, (struct grpcc_method_config){.request_bytes_max = METHOD_LIMIT});
    fixture_configure(f, COLLECT, (struct grpcc_method_config){.request_bytes_max = METHOD_LIMIT});
    assert_int_equal(grpcc_server_listen(f->server, "127.0.0.1:0", NULL, &port, &f->err), GRPCC_OK);
    fixture_start(f);
    *state = f;
    return 0;
}

/* ---- a client that sends any bytes under any name ---- */

struct attempt {
    grpc_compression_algorithm header;  /* what grpc-encoding says */
    grpc_compression_algorithm message; /* NONE: core compresses it, if the header says so */
    const void *data;
    size_t size;
};

struct answer {
    grpc_status_code code;
    char message[256];
};

static grpc_byte_buffer *buffer_of(const struct attempt *attempt)
{
    grpc_slice slice = grpc_slice_from_copied_buffer(attempt->data, attempt->size);
    grpc_byte_buffer *buffer =
        attempt->message == GRPC_COMPRESS_NONE
            ? grpc_raw_byte_buffer_create(&slice, 1)
            : grpc_raw_compressed_byte_buffer_create(&slice, 1, attempt->message);
    grpc_slice_unref(slice);
    return buffer;
}

static grpc_channel *channel_with(grpc_compression_algorithm algorithm)
{
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    char key[] = GRPC_COMPRESSION_CHANNEL_DEFAULT_ALGORITHM;
    grpc_arg arg = {.type = GRPC_ARG_INTEGER, .key = key, .value.integer = (int)algorithm};
    grpc_channel_args args = {1, &arg};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(target, credentials, &args);
    grpc_channel_credentials_release(credentials);
    return channel;
}

static struct answer send_raw(const char *path, const struct attempt *attempt)
{
    struct answer answer = {.code = GRPC_STATUS_UNKNOWN};
    grpc_channel *channel = channel_with(attempt->header);
    grpc_completion_queue *queue = grpc_completion_queue_create_for_pluck(NULL);
    grpc_call *core =
        grpc_channel_create_call(channel, NULL, 0, queue, grpc_slice_from_static_string(path), NULL,
                                 gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_byte_buffer *request = buffer_of(attempt), *received = NULL;
    grpc_metadata_array initial, trailing;
    grpc_slice message = grpc_empty_slice();
    grpc_metadata_array_init(&initial);
    grpc_metadata_array_init(&trailing);
    grpc_op ops[6] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = request},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA,
         .data.recv_initial_metadata.recv_initial_metadata = &initial},
        {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &received},
        {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
         .data.recv_status_on_client = {.trailing_metadata = &trailing,
                                        .status = &answer.code,
                                        .status_details = &message}},
    };
    assert_int_equal(grpc_call_start_batch(core, ops, 6, &answer, NULL), GRPC_CALL_OK);
    grpc_completion_queue_pluck(queue, &answer, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    snprintf(answer.message, sizeof(answer.message), "%.*s", (int)GRPC_SLICE_LENGTH(message),
             (const char *)GRPC_SLICE_START_PTR(message));
    grpc_byte_buffer_destroy(request);
    grpc_byte_buffer_destroy(received);
    grpc_slice_unref(message);
    grpc_metadata_array_destroy(&initial);
    grpc_metadata_array_destroy(&trailing);
    grpc_call_unref(core);
    grpc_channel_destroy(channel);
    grpc_completion_queue_shutdown(queue);
    grpc_completion_queue_pluck(queue, NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_completion_queue_destroy(queue);
    return answer;
}

static void must_answer(const struct attempt *attempt, grpc_status_code code, const char *says)
{
    static const char *const paths[] = {UNARY, COLLECT};
    for (size_t i = 0; i < 2; i++) {
        struct answer answer = send_raw(paths[i], attempt);
        if (answer.code != code || !strstr(answer.message, says))
            fail_msg("%s: status %d: \"%s\", not %d: \"%s\"", paths[i], (int)answer.code,
                     answer.message, (int)code, says);
    }
}

/* An Ask of size bytes in all, compressed. */
static struct deflated ask_of(enum grpcc_compression compression, size_t size)
{
    size_t length = size - TEXT_PREFIX;
    const uint8_t prefix[TEXT_PREFIX] = {0x0A, (uint8_t)(length | 0x80),
                                         (uint8_t)(length >> 7 | 0x80), (uint8_t)(length >> 14)};
    return deflated_new(compression, prefix, TEXT_PREFIX, 'x', length);
}

static struct attempt attempt_of(enum grpcc_compression compression, const struct deflated *made)
{
    grpc_compression_algorithm algorithm =
        compression == GRPCC_COMPRESSION_GZIP ? GRPC_COMPRESS_GZIP : GRPC_COMPRESS_DEFLATE;
    return (struct attempt){algorithm, algorithm, made->data, made->size};
}

/* ---- where nothing compressed is accepted ---- */

static void identity_is_accepted(void **state)
{
    const struct attempt plain = {GRPC_COMPRESS_NONE, GRPC_COMPRESS_NONE, "\x0A\x01x", 3};
    (void)state;
    must_answer(&plain, GRPC_STATUS_OK, "");
}

static void compressed_is_unimplemented(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct deflated made = ask_of(both[i], 10000);
        struct attempt attempt = attempt_of(both[i], &made);
        must_answer(&attempt, GRPC_STATUS_UNIMPLEMENTED, "is disabled");
        free(made.data);
    }
}

/* ---- where it is ---- */

static void the_limit_is_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct deflated just = ask_of(both[i], LIMIT), more = ask_of(both[i], LIMIT + 1);
        struct attempt fits = attempt_of(both[i], &just), exceeds = attempt_of(both[i], &more);
        must_answer(&fits, GRPC_STATUS_OK, "");
        must_answer(&exceeds, GRPC_STATUS_RESOURCE_EXHAUSTED,
                    "inflates to more than the 100000 bytes");
        free(just.data);
        free(more.data);
    }
}

static void the_limit_of_a_method_goes_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct deflated just = ask_of(both[i], METHOD_LIMIT);
        struct deflated more = ask_of(both[i], METHOD_LIMIT + 1);
        struct attempt fits = attempt_of(both[i], &just), exceeds = attempt_of(both[i], &more);
        must_answer(&fits, GRPC_STATUS_OK, "");
        must_answer(&exceeds, GRPC_STATUS_RESOURCE_EXHAUSTED,
                    "inflates to more than the 20000 bytes");
        free(just.data);
        free(more.data);
    }
}

static void a_bomb_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct deflated bomb = deflated_new(both[i], NULL, 0, 0, 32 << 20);
        struct attempt attempt = attempt_of(both[i], &bomb);
        must_answer(&attempt, GRPC_STATUS_RESOURCE_EXHAUSTED, "100000 bytes");
        free(bomb.data);
    }
}

static void a_bomb_in_a_message_stays_what_it_is(void **state)
{
    (void)state;
    struct deflated inner = deflated_new(GRPCC_COMPRESSION_GZIP, NULL, 0, 0, 1 << 20);
    struct deflated outer = deflated_new(GRPCC_COMPRESSION_GZIP, inner.data, inner.size, 0, 0);
    struct attempt attempt = attempt_of(GRPCC_COMPRESSION_GZIP, &outer);
    must_answer(&attempt, GRPC_STATUS_INVALID_ARGUMENT, "");
    free(inner.data);
    free(outer.data);
}

static void damaged_ones_are_internal(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct deflated made = ask_of(both[i], 10000);
        struct attempt cut = attempt_of(both[i], &made);
        cut.size -= 1;
        must_answer(&cut, GRPC_STATUS_INTERNAL, "cannot be inflated: it is cut off");
        struct attempt garbage = attempt_of(both[i], &made);
        garbage.data = "\x0A\x01x";
        garbage.size = 3;
        must_answer(&garbage, GRPC_STATUS_INTERNAL, "cannot be inflated");
        free(made.data);
    }
}

/* Whoever compresses by the name of one algorithm and says the other has sent garbage. */
static void the_header_counts(void **state)
{
    (void)state;
    struct deflated made = ask_of(GRPCC_COMPRESSION_GZIP, 10000);
    struct attempt attempt = attempt_of(GRPCC_COMPRESSION_GZIP, &made);
    attempt.header = GRPC_COMPRESS_DEFLATE;
    must_answer(&attempt, GRPC_STATUS_INTERNAL, "incorrect header");
    free(made.data);
}

static void empty_messages_are_empty(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct deflated made = deflated_new(both[i], NULL, 0, 0, 0);
        struct attempt attempt = attempt_of(both[i], &made);
        must_answer(&attempt, GRPC_STATUS_OK, "");
        attempt.size = 0;
        must_answer(&attempt, GRPC_STATUS_OK, "");
        free(made.data);
    }
}

/* ---- our own client ---- */

/* A channel over the port; NULL options: such as accepts nothing. */
static struct grpcc_channel *connect_to(struct fixture *f,
                                        const struct grpcc_channel_options *options)
{
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    struct grpcc_channel *channel = grpcc_channel_new(target, options, &f->err);
    assert_non_null(channel);
    return channel;
}

static const struct grpcc_channel_options accepts = {
    .size = sizeof(accepts), .accept_compressed = true, .inflated_bytes_max = LIMIT};

static struct grpcc_testing_ask *long_ask(struct fixture *f, enum grpcc_compression responses,
                                          bool off, size_t size)
{
    struct grpcc_testing_ask *request = ask(f, "");
    char *text = grpcc_arena_zalloc(f->arena, size + 1);
    memset(text, 'x', size);
    request->text = text;
    request->count = responses;
    request->data.len = off;
    request->data.data = (uint8_t *)text;
    return request;
}

static void both_directions_as_calls_choose(void **state)
{
    struct fixture *f = *state;
    struct grpcc_channel *channel = connect_to(f, &accepts);
    for (unsigned requests = 0; requests < 3; requests++) {
        for (unsigned responses = 0; responses < 6; responses++) {
            bool off = responses >= 3, was_compressed = !responses;
            const struct grpcc_call_options options = {.size = sizeof(options),
                                                       .compression =
                                                           (enum grpcc_compression)requests,
                                                       .ret_was_compressed = &was_compressed};
            struct grpcc_testing_answer *answer = NULL;
            struct grpcc_testing_ask *request =
                long_ask(f, (enum grpcc_compression)(responses % 3), off, 5000);
            assert_int_equal(
                grpcc_testing_echo_unary(channel, f->arena, &options, request, &answer, &f->err),
                GRPCC_OK);
            assert_string_equal(answer->text, request->text);
            assert_int_equal(answer->count, requests != 0);
            assert_int_equal(was_compressed, responses % 3 != 0 && !off);
        }
    }
    grpcc_channel_free(channel);
}

static void what_does_not_get_smaller_is_not_compressed(void **state)
{
    struct fixture *f = *state;
    struct grpcc_channel *channel = connect_to(f, &accepts);
    bool was_compressed = true;
    const struct grpcc_call_options options = {.size = sizeof(options),
                                               .compression = GRPCC_COMPRESSION_GZIP,
                                               .ret_was_compressed = &was_compressed};
    struct grpcc_testing_answer *answer = NULL;
    assert_int_equal(grpcc_testing_echo_unary(channel, f->arena, &options,
                                              long_ask(f, GRPCC_COMPRESSION_GZIP, false, 1),
                                              &answer, &f->err),
                     GRPCC_OK);
    assert_int_equal(answer->count, 0);
    assert_false(was_compressed);
    grpcc_channel_free(channel);
}

static void a_client_that_accepts_nothing_gets_nothing_compressed(void **state)
{
    struct fixture *f = *state;
    struct grpcc_channel *channel = connect_to(f, NULL);
    bool was_compressed = true;
    const struct grpcc_call_options options = {.size = sizeof(options),
                                               .ret_was_compressed = &was_compressed};
    struct grpcc_testing_answer *answer = NULL;
    assert_int_equal(grpcc_testing_echo_unary(channel, f->arena, &options,
                                              long_ask(f, GRPCC_COMPRESSION_GZIP, false, 5000),
                                              &answer, &f->err),
                     GRPCC_OK);
    assert_false(was_compressed);
    grpcc_channel_free(channel);
}

static void the_limit_of_a_client_is_exact(void **state)
{
    struct fixture *f = *state;
    struct grpcc_channel_options options = accepts;
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_testing_ask *request = long_ask(f, GRPCC_COMPRESSION_GZIP, false, 5000);
    for (size_t less = 0; less < 2; less++) {
        /* Answer.text of 5,000 bytes and its prefix, and no count. */
        options.inflated_bytes_max = 5003 - less;
        struct grpcc_channel *channel = connect_to(f, &options);
        enum grpcc_status status =
            grpcc_testing_echo_unary(channel, f->arena, NULL, request, &answer, &f->err);
        assert_int_equal(status, less ? GRPCC_RESOURCE_EXHAUSTED : GRPCC_OK);
        grpcc_channel_free(channel);
    }
    assert_string_equal(f->err.message, "the response: a message inflates to more than the 5002 "
                                        "bytes that are accepted");
}

static void streams_choose_for_each_message(void **state)
{
    struct fixture *f = *state;
    struct grpcc_channel *channel = connect_to(f, &accepts);
    const struct grpcc_call_options options = {.size = sizeof(options),
                                               .compression = GRPCC_COMPRESSION_DEFLATE};
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(channel, &options, &f->err);
    assert_non_null(stream);
    struct grpcc_client_call *call = grpcc_testing_echo_chat_stream_call(stream);
    for (unsigned i = 0; i < 8; i++) {
        bool write_off = i & 1, answer_off = i & 2;
        struct grpcc_testing_answer *answer = NULL;
        grpcc_stream_set_message_compression(call, !write_off);
        assert_true(grpcc_testing_echo_chat_stream_write(
            stream, long_ask(f, GRPCC_COMPRESSION_GZIP, answer_off, 3000 + i)));
        assert_int_equal(grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err),
                         1);
        assert_int_equal(strlen(answer->text), 3000 + i);
        assert_int_equal(answer->count, !write_off);
        assert_int_equal(grpcc_stream_response_was_compressed(call), !answer_off);
    }
    grpcc_testing_echo_chat_stream_close_send(stream);
    struct grpcc_testing_answer *none = NULL;
    assert_int_equal(grpcc_testing_echo_chat_stream_read(stream, f->arena, &none, &f->err), 0);
    assert_int_equal(grpcc_testing_echo_chat_stream_finish(stream, f->arena, &f->err), GRPCC_OK);
    grpcc_testing_echo_chat_stream_free(stream);
    grpcc_channel_free(channel);
}

static void client_streams_choose_for_each_message(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_answer *answer = NULL;
    const struct grpcc_call_options options = {.size = sizeof(options),
                                               .compression = GRPCC_COMPRESSION_GZIP};
    struct grpcc_testing_echo_collect_stream *stream =
        grpcc_testing_echo_collect_stream_open(f->channel, &options, &f->err);
    assert_non_null(stream);
    static const bool compressed[] = {true, false, false, true};
    for (size_t i = 0; i < 4; i++) {
        grpcc_stream_set_message_compression(grpcc_testing_echo_collect_stream_call(stream),
                                             compressed[i]);
        assert_true(grpcc_testing_echo_collect_stream_write(stream, long_ask(f, 0, false, 3000)));
    }
    assert_int_equal(grpcc_testing_echo_collect_stream_finish(stream, f->arena, &answer, &f->err),
                     GRPCC_OK);
    assert_int_equal(answer->count, 9);
    grpcc_testing_echo_collect_stream_free(stream);
}

int main(void)
{
    const struct CMUnitTest refuses[] = {
        cmocka_unit_test(identity_is_accepted),
        cmocka_unit_test(compressed_is_unimplemented),
    };
    const struct CMUnitTest inflates[] = {
        cmocka_unit_test(identity_is_accepted),
        cmocka_unit_test(the_limit_is_exact),
        cmocka_unit_test(a_bomb_is_refused),
        cmocka_unit_test(a_bomb_in_a_message_stays_what_it_is),
        cmocka_unit_test(damaged_ones_are_internal),
        cmocka_unit_test(the_header_counts),
        cmocka_unit_test(empty_messages_are_empty),
        cmocka_unit_test(both_directions_as_calls_choose),
        cmocka_unit_test(what_does_not_get_smaller_is_not_compressed),
        cmocka_unit_test(a_client_that_accepts_nothing_gets_nothing_compressed),
        cmocka_unit_test(the_limit_of_a_client_is_exact),
        cmocka_unit_test(streams_choose_for_each_message),
        cmocka_unit_test(client_streams_choose_for_each_message),
    };
    const struct CMUnitTest by_method[] = {
        cmocka_unit_test(the_limit_of_a_method_goes_first),
    };
    int failed = cmocka_run_group_tests(refuses, refusing, fixture_free);
    failed += cmocka_run_group_tests(inflates, accepting, fixture_free);
    failed += cmocka_run_group_tests(by_method, accepting_by_method, fixture_free);
    return failed;
}
