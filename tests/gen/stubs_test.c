/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated stubs over a runtime of fakes: each typed function hands exactly its arguments to the
 * runtime's generic one, and leaves its outputs alone when that fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "corpus/services.grpcc.h"

/* What the fakes were called with last, and what they answer. */
static struct {
    const char *function;
    const void *object;
    const struct grpcc_method *method;
    const void *message;
    const struct grpcc_arena *arena;
    const void *options;
    const struct grpcc_service *service;
    const void *table;
    const void *self;
    const void *data;
    enum grpcc_status status;
    int result;
    void *answer;
} fake;

/* Addresses that only have to be told apart. */
static char objects[8];
#define CHANNEL ((struct grpcc_channel *)&objects[0])
#define CALL ((struct grpcc_call *)&objects[1])
#define CLIENT_CALL ((struct grpcc_client_call *)&objects[2])
#define ARENA ((struct grpcc_arena *)&objects[3])
#define SERVER ((struct grpcc_server *)&objects[4])
#define DATA ((void *)&objects[5])

static const struct grpcc_call_options options = {.size = sizeof(options)};
static struct corpus_v1_echo_request request;
static struct corpus_v1_echo_response response;
static struct grpcc_error error;

enum grpcc_status grpcc_server_add_service_table(struct grpcc_server *server,
                                                 const struct grpcc_service *service,
                                                 const void *table, size_t table_size, void *self,
                                                 struct grpcc_error *err)
{
    (void)err;
    assert_int_equal(table_size, service->n_methods * sizeof(void (*)(void)));
    fake.object = server;
    fake.service = service;
    fake.table = table;
    fake.self = self;
    return fake.status;
}

enum grpcc_status grpcc_unary(struct grpcc_channel *channel, const struct grpcc_method *method,
                              struct grpcc_arena *arena, const struct grpcc_call_options *given,
                              const ProtobufCMessage *message, void **ret_response,
                              struct grpcc_error *err)
{
    assert_ptr_equal(err, &error);
    fake.object = channel;
    fake.method = method;
    fake.arena = arena;
    fake.options = given;
    fake.message = message;
    if (fake.status == GRPCC_OK)
        *ret_response = fake.answer;
    return fake.status;
}

void grpcc_unary_start(struct grpcc_channel *channel, const struct grpcc_method *method,
                       struct grpcc_arena *arena, const struct grpcc_call_options *given,
                       const ProtobufCMessage *message, grpcc_unary_done done, void *data,
                       struct grpcc_client_call **ret_call)
{
    fake.object = channel;
    fake.method = method;
    fake.arena = arena;
    fake.options = given;
    fake.message = message;
    *ret_call = CLIENT_CALL;
    done(data, fake.status, fake.answer, &error);
}

struct grpcc_client_call *grpcc_stream_open(struct grpcc_channel *channel,
                                            const struct grpcc_method *method,
                                            const struct grpcc_call_options *given,
                                            const ProtobufCMessage *message,
                                            struct grpcc_error *err)
{
    assert_ptr_equal(err, &error);
    fake.object = channel;
    fake.method = method;
    fake.options = given;
    fake.message = message;
    return fake.status == GRPCC_OK ? CLIENT_CALL : NULL;
}

int grpcc_stream_read(struct grpcc_client_call *call, struct grpcc_arena *arena, void **ret_message,
                      struct grpcc_error *err)
{
    (void)err;
    fake.object = call;
    fake.arena = arena;
    if (fake.result > 0)
        *ret_message = fake.answer;
    return fake.result;
}

bool grpcc_stream_write(struct grpcc_client_call *call, const ProtobufCMessage *message)
{
    fake.object = call;
    fake.message = message;
    return fake.result != 0;
}

bool grpcc_stream_close_send(struct grpcc_client_call *call)
{
    fake.function = "close_send";
    fake.object = call;
    return fake.result != 0;
}

enum grpcc_status grpcc_stream_finish(struct grpcc_client_call *call, struct grpcc_arena *arena,
                                      void **ret_response, struct grpcc_error *err)
{
    (void)err;
    fake.function = ret_response ? "finish with response" : "finish";
    fake.object = call;
    fake.arena = arena;
    if (fake.status == GRPCC_OK && ret_response)
        *ret_response = fake.answer;
    return fake.status;
}

void grpcc_client_call_cancel(struct grpcc_client_call *call)
{
    fake.function = "cancel";
    fake.object = call;
}

void grpcc_client_call_free(struct grpcc_client_call *call)
{
    fake.function = "free";
    fake.object = call;
}

void grpcc_stream_read_start(struct grpcc_client_call *call, struct grpcc_arena *arena,
                             void (*done)(void *data, int result, void *message,
                                          const struct grpcc_error *err),
                             void *data)
{
    fake.object = call;
    fake.arena = arena;
    done(data, fake.result, fake.answer, &error);
}

void grpcc_stream_write_start(struct grpcc_client_call *call, const ProtobufCMessage *message,
                              void (*done)(void *data, bool ok), void *data)
{
    fake.object = call;
    fake.message = message;
    done(data, true);
}

enum grpcc_status grpcc_call_read(struct grpcc_call *call, struct grpcc_arena *arena,
                                  void **ret_message, struct grpcc_error *err)
{
    (void)err;
    fake.object = call;
    fake.arena = arena;
    if (fake.status == GRPCC_OK)
        *ret_message = fake.answer;
    return fake.status;
}

enum grpcc_status grpcc_call_send(struct grpcc_call *call, const ProtobufCMessage *message,
                                  struct grpcc_error *err)
{
    (void)err;
    fake.object = call;
    fake.message = message;
    return fake.status;
}

void grpcc_call_read_start(struct grpcc_call *call, struct grpcc_arena *arena,
                           void (*done)(void *data, enum grpcc_status status, void *message,
                                        const struct grpcc_error *err),
                           void *data)
{
    fake.object = call;
    fake.arena = arena;
    done(data, fake.status, fake.answer, &error);
}

void grpcc_call_send_start(struct grpcc_call *call, const ProtobufCMessage *message,
                           void (*done)(void *data, enum grpcc_status status), void *data)
{
    fake.object = call;
    fake.message = message;
    done(data, fake.status);
}

void grpcc_call_finish(struct grpcc_call *call, const ProtobufCMessage *message)
{
    fake.object = call;
    fake.message = message;
}

static int reset(void **state)
{
    (void)state;
    fake = (__typeof__(fake)){.answer = &response};
    return 0;
}

static void got_response(void *data, enum grpcc_status status, struct corpus_v1_echo_response *got,
                         const struct grpcc_error *err)
{
    assert_int_equal(status, GRPCC_OK);
    assert_ptr_equal(got, &response);
    assert_ptr_equal(err, &error);
    fake.data = data;
}

static void got_read(void *data, int result, struct corpus_v1_echo_response *got,
                     const struct grpcc_error *err)
{
    assert_int_equal(result, 1);
    assert_ptr_equal(got, &response);
    assert_ptr_equal(err, &error);
    fake.data = data;
}

static void got_request(void *data, enum grpcc_status status, struct corpus_v1_echo_request *got,
                        const struct grpcc_error *err)
{
    assert_int_equal(status, GRPCC_OK);
    assert_ptr_equal(got, &request);
    assert_ptr_equal(err, &error);
    fake.data = data;
}

static void written(void *data, bool ok)
{
    assert_true(ok);
    fake.data = data;
}

static void sent(void *data, enum grpcc_status status)
{
    assert_int_equal(status, GRPCC_OK);
    fake.data = data;
}

static void unary_calls_name_their_method(void **state)
{
    struct corpus_v1_echo_response *got = NULL;
    struct grpcc_client_call *call = NULL;

    (void)state;
    assert_int_equal(GRPCC_OK,
                     corpus_v1_echo_say(CHANNEL, ARENA, &options, &request, &got, &error));
    assert_ptr_equal(got, &response);
    assert_ptr_equal(fake.object, CHANNEL);
    assert_string_equal(fake.method->path, "/corpus.v1.Echo/Say");
    assert_ptr_equal(fake.arena, ARENA);
    assert_ptr_equal(fake.options, &options);
    assert_ptr_equal(fake.message, &request);
    fake.status = GRPCC_UNAVAILABLE;
    got = NULL;
    assert_int_equal(GRPCC_UNAVAILABLE,
                     corpus_v1_echo_say(CHANNEL, ARENA, NULL, &request, &got, &error));
    assert_null(got);
    fake.status = GRPCC_OK;
    corpus_v1_echo_say_start(CHANNEL, ARENA, &options, &request, got_response, DATA, &call);
    assert_ptr_equal(call, CLIENT_CALL);
    assert_ptr_equal(fake.data, DATA);
    assert_ptr_equal(fake.method, &corpus_v1_echo_service.methods[0]);
}

static void server_streams_are_read(void **state)
{
    struct corpus_v1_echo_response *got = NULL;
    struct corpus_v1_echo_expand_stream *stream =
        corpus_v1_echo_expand_stream_open(CHANNEL, &options, &request, &error);

    (void)state;
    assert_ptr_equal(stream, CLIENT_CALL);
    assert_ptr_equal(fake.message, &request);
    assert_string_equal(fake.method->name, "Expand");
    assert_int_equal(0, corpus_v1_echo_expand_stream_read(stream, ARENA, &got, &error));
    assert_null(got);
    fake.result = 1;
    assert_int_equal(1, corpus_v1_echo_expand_stream_read(stream, ARENA, &got, &error));
    assert_ptr_equal(got, &response);
    corpus_v1_echo_expand_stream_read_start(stream, ARENA, got_read, DATA);
    assert_ptr_equal(fake.data, DATA);
    assert_int_equal(GRPCC_OK, corpus_v1_echo_expand_stream_finish(stream, ARENA, &error));
    assert_string_equal(fake.function, "finish");
    corpus_v1_echo_expand_stream_cancel(stream);
    assert_string_equal(fake.function, "cancel");
    corpus_v1_echo_expand_stream_free(stream);
    assert_string_equal(fake.function, "free");
    assert_ptr_equal(fake.object, CLIENT_CALL);
    fake.status = GRPCC_UNAVAILABLE;
    assert_null(corpus_v1_echo_expand_stream_open(CHANNEL, &options, &request, &error));
}

static void client_streams_are_written_and_end_with_a_response(void **state)
{
    struct corpus_v1_echo_response *got = NULL;
    struct corpus_v1_echo_collect_stream *stream =
        corpus_v1_echo_collect_stream_open(CHANNEL, &options, &error);

    (void)state;
    assert_null(fake.message);
    assert_string_equal(fake.method->name, "Collect");
    assert_false(corpus_v1_echo_collect_stream_write(stream, &request));
    assert_ptr_equal(fake.message, &request);
    fake.result = 1;
    assert_true(corpus_v1_echo_collect_stream_write(stream, &request));
    corpus_v1_echo_collect_stream_write_start(stream, &request, written, DATA);
    assert_ptr_equal(fake.data, DATA);
    assert_true(corpus_v1_echo_collect_stream_close_send(stream));
    assert_string_equal(fake.function, "close_send");
    fake.status = GRPCC_ABORTED;
    assert_int_equal(GRPCC_ABORTED,
                     corpus_v1_echo_collect_stream_finish(stream, ARENA, &got, &error));
    assert_null(got);
    fake.status = GRPCC_OK;
    assert_int_equal(GRPCC_OK, corpus_v1_echo_collect_stream_finish(stream, ARENA, &got, &error));
    assert_string_equal(fake.function, "finish with response");
    assert_ptr_equal(got, &response);
    corpus_v1_echo_collect_stream_free(NULL);
    assert_null(fake.object);
}

static void bidi_streams_do_both(void **state)
{
    struct corpus_v1_echo_response *got = NULL;
    struct corpus_v1_echo_chat_stream *stream =
        corpus_v1_echo_chat_stream_open(CHANNEL, NULL, &error);

    (void)state;
    fake.result = 1;
    assert_string_equal(fake.method->name, "Chat");
    assert_true(corpus_v1_echo_chat_stream_write(stream, &request));
    assert_int_equal(1, corpus_v1_echo_chat_stream_read(stream, ARENA, &got, &error));
    assert_ptr_equal(got, &response);
    assert_true(corpus_v1_echo_chat_stream_close_send(stream));
    assert_int_equal(GRPCC_OK, corpus_v1_echo_chat_stream_finish(stream, NULL, &error));
}

static void say(void *self, struct grpcc_call *call, const struct corpus_v1_echo_request *given)
{
    assert_ptr_equal(self, DATA);
    assert_ptr_equal(given, &request);
    corpus_v1_echo_say_finish(call, &response);
}

static void chat(void *self, struct grpcc_call *call)
{
    assert_ptr_equal(self, DATA);
    fake.object = call;
}

/* The runtime sees a table as an array of slots in the order of the .proto; this is how it calls
 * them. */
static void tables_are_arrays_of_slots(void **state)
{
    static const struct corpus_v1_echo_server table = {.say = say, .chat = chat};
    void (*slots[5])(void);
    struct grpcc_error err = GRPCC_ERROR_INIT;

    (void)state;
    assert_int_equal(GRPCC_OK, corpus_v1_echo_register(SERVER, &table, DATA, &err));
    assert_ptr_equal(fake.object, SERVER);
    assert_ptr_equal(fake.service, &corpus_v1_echo_service);
    assert_ptr_equal(fake.table, &table);
    assert_ptr_equal(fake.self, DATA);
    memcpy(slots, fake.table, sizeof(slots));
    assert_null(slots[1]);
    assert_null(slots[2]);
    assert_null(slots[4]);
    ((void (*)(void *, struct grpcc_call *, const void *))slots[0])(DATA, CALL, &request);
    assert_ptr_equal(fake.object, CALL);
    assert_ptr_equal(fake.message, &response);
    fake.object = NULL;
    ((void (*)(void *, struct grpcc_call *))slots[3])(DATA, CALL);
    assert_ptr_equal(fake.object, CALL);
}

static void handlers_read_and_send(void **state)
{
    struct corpus_v1_echo_request *got = NULL;

    (void)state;
    fake.answer = &request;
    assert_int_equal(GRPCC_OK, corpus_v1_echo_collect_read(CALL, ARENA, &got, &error));
    assert_ptr_equal(got, &request);
    corpus_v1_echo_chat_read_start(CALL, ARENA, got_request, DATA);
    assert_ptr_equal(fake.data, DATA);
    fake.status = GRPCC_CANCELLED;
    got = NULL;
    assert_int_equal(GRPCC_CANCELLED, corpus_v1_echo_chat_read(CALL, ARENA, &got, &error));
    assert_null(got);
    assert_int_equal(GRPCC_CANCELLED, corpus_v1_echo_expand_send(CALL, &response, &error));
    assert_ptr_equal(fake.message, &response);
    fake.status = GRPCC_OK;
    fake.data = NULL;
    corpus_v1_echo_chat_send_start(CALL, &response, sent, DATA);
    assert_ptr_equal(fake.data, DATA);
    corpus_v1_echo_collect_finish(CALL, &response);
    assert_ptr_equal(fake.message, &response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(unary_calls_name_their_method, reset),
        cmocka_unit_test_setup(server_streams_are_read, reset),
        cmocka_unit_test_setup(client_streams_are_written_and_end_with_a_response, reset),
        cmocka_unit_test_setup(bidi_streams_do_both, reset),
        cmocka_unit_test_setup(tables_are_arrays_of_slots, reset),
        cmocka_unit_test_setup(handlers_read_and_send, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
