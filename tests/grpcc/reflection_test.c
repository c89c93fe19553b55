/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.reflection, v1 and v1alpha. */
#include <grpc/reflection/v1/reflection.grpcc.h>
#include <grpc/reflection/v1alpha/reflection.grpcc.h>

#include "grpcc/testing.grpcc.h"
#include "grpcc/testing_options.grpcc.h"
#include "tests/grpcc/fixture.h"

typedef struct grpc_reflection_v1_server_reflection_request question;
typedef struct grpc_reflection_v1_server_reflection_response answer;
typedef struct grpc_reflection_v1_server_reflection_server_reflection_info_stream info_stream;

#define ANSWER(kind) GRPC_REFLECTION_V1_SERVER_REFLECTION_RESPONSE_MESSAGE_RESPONSE_##kind

static question *question_new(struct fixture *f)
{
    return grpc_reflection_v1_server_reflection_request_new(f->arena);
}

static const answer *ask_once(struct fixture *f, question *asked)
{
    answer *response = NULL;
    info_stream *stream = grpc_reflection_v1_server_reflection_server_reflection_info_stream_open(
        f->channel, NULL, &f->err);
    assert_true(
        grpc_reflection_v1_server_reflection_server_reflection_info_stream_write(stream, asked));
    assert_int_equal(grpc_reflection_v1_server_reflection_server_reflection_info_stream_read(
                         stream, f->arena, &response, &f->err),
                     1);
    assert_true(
        grpc_reflection_v1_server_reflection_server_reflection_info_stream_close_send(stream));
    answer *none = NULL;
    assert_int_equal(grpc_reflection_v1_server_reflection_server_reflection_info_stream_read(
                         stream, f->arena, &none, &f->err),
                     0);
    assert_int_equal(grpc_reflection_v1_server_reflection_server_reflection_info_stream_finish(
                         stream, NULL, &f->err),
                     GRPCC_OK);
    grpc_reflection_v1_server_reflection_server_reflection_info_stream_free(stream);
    return response;
}

static bool has_service(const answer *response, const char *name)
{
    for (size_t i = 0; i < response->list_services_response->n_service; i++)
        if (strcmp(response->list_services_response->service[i]->name, name) == 0)
            return true;
    return false;
}

static void services_are_listed(void **state)
{
    struct fixture *f = *state;
    question *asked = question_new(f);
    grpc_reflection_v1_server_reflection_request_set_list_services(asked, "*");
    const answer *response = ask_once(f, asked);
    assert_int_equal(response->message_response_case, ANSWER(LIST_SERVICES_RESPONSE));
    assert_true(has_service(response, "grpcc.testing.Echo"));
    assert_true(has_service(response, "grpc.health.v1.Health"));
    assert_true(has_service(response, "grpc.reflection.v1.ServerReflection"));
    assert_true(has_service(response, "grpc.reflection.v1alpha.ServerReflection"));
}

static void must_be_testing(const answer *response)
{
    assert_int_equal(response->message_response_case, ANSWER(FILE_DESCRIPTOR_RESPONSE));
    const ProtobufCBinaryData *files = response->file_descriptor_response->file_descriptor_proto;
    /* The file, the options that it imports, and descriptor.proto, which they import. */
    assert_int_equal(response->file_descriptor_response->n_file_descriptor_proto, 3);
    assert_int_equal(files[0].len, grpcc_testing_file.descriptor_size);
    assert_memory_equal(files[0].data, grpcc_testing_file.descriptor, files[0].len);
}

static void files_are_found_by_name(void **state)
{
    struct fixture *f = *state;
    question *asked = question_new(f);
    grpc_reflection_v1_server_reflection_request_set_file_by_filename(asked, "grpcc/testing.proto");
    must_be_testing(ask_once(f, asked));
}

static void files_are_found_by_every_symbol(void **state)
{
    static const char *const symbols[] = {
        "grpcc.testing.Echo",
        "grpcc.testing.Echo.Chat",
        "grpcc.testing.Ask",
        "grpcc.testing.Ask.text",
        "grpcc.testing.Mood",
        "grpcc.testing.MOOD_FINE",
        "grpcc.testing.Ask.LabelsEntry",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        question *asked = question_new(f);
        grpc_reflection_v1_server_reflection_request_set_file_containing_symbol(asked, symbols[i]);
        must_be_testing(ask_once(f, asked));
    }
}

static void extensions_are_found(void **state)
{
    struct fixture *f = *state;
    question *asked = question_new(f);
    struct grpc_reflection_v1_extension_request *extension =
        grpc_reflection_v1_extension_request_new(f->arena);
    grpc_reflection_v1_extension_request_set_containing_type(extension,
                                                             "google.protobuf.MethodOptions");
    extension->extension_number = 50001;
    grpc_reflection_v1_server_reflection_request_set_file_containing_extension(asked, extension);
    const answer *response = ask_once(f, asked);
    assert_int_equal(response->message_response_case, ANSWER(FILE_DESCRIPTOR_RESPONSE));
    assert_memory_equal(response->file_descriptor_response->file_descriptor_proto[0].data,
                        grpcc_testing_options_file.descriptor,
                        grpcc_testing_options_file.descriptor_size);
    asked = question_new(f);
    grpc_reflection_v1_server_reflection_request_set_all_extension_numbers_of_type(
        asked, "google.protobuf.MethodOptions");
    response = ask_once(f, asked);
    assert_int_equal(response->message_response_case, ANSWER(ALL_EXTENSION_NUMBERS_RESPONSE));
    assert_int_equal(response->all_extension_numbers_response->n_extension_number, 2);
    assert_int_equal(response->all_extension_numbers_response->extension_number[0] +
                         response->all_extension_numbers_response->extension_number[1],
                     50001 + 50002);
}

static void must_be_error(struct fixture *f, question *asked, enum grpcc_status status)
{
    const answer *response = ask_once(f, asked);
    assert_int_equal(response->message_response_case, ANSWER(ERROR_RESPONSE));
    assert_int_equal(response->error_response->error_code, status);
}

static void what_is_not_there_is_an_error_in_the_stream(void **state)
{
    struct fixture *f = *state;
    question *asked = question_new(f);
    grpc_reflection_v1_server_reflection_request_set_file_by_filename(asked, "no/such.proto");
    must_be_error(f, asked, GRPCC_NOT_FOUND);
    grpc_reflection_v1_server_reflection_request_set_file_containing_symbol(asked, "no.Such");
    must_be_error(f, asked, GRPCC_NOT_FOUND);
    grpc_reflection_v1_server_reflection_request_set_all_extension_numbers_of_type(asked,
                                                                                   "no.Such");
    must_be_error(f, asked, GRPCC_NOT_FOUND);
    struct grpc_reflection_v1_extension_request *extension =
        grpc_reflection_v1_extension_request_new(f->arena);
    grpc_reflection_v1_extension_request_set_containing_type(extension,
                                                             "google.protobuf.MethodOptions");
    extension->extension_number = 7;
    grpc_reflection_v1_server_reflection_request_set_file_containing_extension(asked, extension);
    must_be_error(f, asked, GRPCC_NOT_FOUND);
    must_be_error(f, question_new(f), GRPCC_INVALID_ARGUMENT);
}

static void one_stream_answers_many_questions(void **state)
{
    struct fixture *f = *state;
    info_stream *stream = grpc_reflection_v1_server_reflection_server_reflection_info_stream_open(
        f->channel, NULL, &f->err);
    for (int i = 0; i < 50; i++) {
        question *asked = question_new(f);
        answer *response = NULL;
        grpc_reflection_v1_server_reflection_request_set_file_by_filename(
            asked, i % 2 ? "grpcc/testing.proto" : "none");
        assert_true(grpc_reflection_v1_server_reflection_server_reflection_info_stream_write(
            stream, asked));
        assert_int_equal(grpc_reflection_v1_server_reflection_server_reflection_info_stream_read(
                             stream, f->arena, &response, &f->err),
                         1);
        assert_int_equal(response->message_response_case,
                         i % 2 ? ANSWER(FILE_DESCRIPTOR_RESPONSE) : ANSWER(ERROR_RESPONSE));
        assert_string_equal(response->original_request->file_by_filename, asked->file_by_filename);
    }
    grpc_reflection_v1_server_reflection_server_reflection_info_stream_free(stream);
}

static size_t files_of(struct fixture *f, info_stream *stream, const char *symbol)
{
    question *asked = question_new(f);
    answer *response = NULL;
    grpc_reflection_v1_server_reflection_request_set_file_containing_symbol(asked, symbol);
    assert_true(
        grpc_reflection_v1_server_reflection_server_reflection_info_stream_write(stream, asked));
    assert_int_equal(grpc_reflection_v1_server_reflection_server_reflection_info_stream_read(
                         stream, f->arena, &response, &f->err),
                     1);
    assert_int_equal(response->message_response_case, ANSWER(FILE_DESCRIPTOR_RESPONSE));
    return response->file_descriptor_response->n_file_descriptor_proto;
}

static void a_stream_sends_imports_once(void **state)
{
    struct fixture *f = *state;
    info_stream *stream = grpc_reflection_v1_server_reflection_server_reflection_info_stream_open(
        f->channel, NULL, &f->err);
    /* The import first; what is asked for always comes, however often. */
    assert_int_equal(files_of(f, stream, "grpcc.testing.note"), 2);
    assert_int_equal(files_of(f, stream, "grpcc.testing.Echo"), 1);
    assert_int_equal(files_of(f, stream, "grpcc.testing.note"), 1);
    grpc_reflection_v1_server_reflection_server_reflection_info_stream_free(stream);
}

static void a_message_without_extensions_has_none(void **state)
{
    struct fixture *f = *state;
    question *asked = question_new(f);
    grpc_reflection_v1_server_reflection_request_set_all_extension_numbers_of_type(
        asked, "grpcc.testing.Ask");
    const answer *response = ask_once(f, asked);
    assert_int_equal(response->message_response_case, ANSWER(ALL_EXTENSION_NUMBERS_RESPONSE));
    assert_int_equal(response->all_extension_numbers_response->n_extension_number, 0);
    assert_string_equal(response->all_extension_numbers_response->base_type_name,
                        "grpcc.testing.Ask");
}

static void v1alpha_answers_too(void **state)
{
    struct fixture *f = *state;
    struct grpc_reflection_v1alpha_server_reflection_request *asked =
        grpc_reflection_v1alpha_server_reflection_request_new(f->arena);
    struct grpc_reflection_v1alpha_server_reflection_response *response = NULL;
    grpc_reflection_v1alpha_server_reflection_request_set_file_containing_symbol(
        asked, "grpcc.testing.Echo");
    struct grpc_reflection_v1alpha_server_reflection_server_reflection_info_stream *stream =
        grpc_reflection_v1alpha_server_reflection_server_reflection_info_stream_open(f->channel,
                                                                                     NULL, &f->err);
    assert_true(grpc_reflection_v1alpha_server_reflection_server_reflection_info_stream_write(
        stream, asked));
    assert_int_equal(grpc_reflection_v1alpha_server_reflection_server_reflection_info_stream_read(
                         stream, f->arena, &response, &f->err),
                     1);
    assert_int_equal(response->file_descriptor_response->n_file_descriptor_proto, 3);
    assert_string_equal(response->original_request->file_containing_symbol, "grpcc.testing.Echo");
    grpc_reflection_v1alpha_server_reflection_server_reflection_info_stream_free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_are_listed),
        cmocka_unit_test(files_are_found_by_name),
        cmocka_unit_test(files_are_found_by_every_symbol),
        cmocka_unit_test(extensions_are_found),
        cmocka_unit_test(what_is_not_there_is_an_error_in_the_stream),
        cmocka_unit_test(one_stream_answers_many_questions),
        cmocka_unit_test(a_stream_sends_imports_once),
        cmocka_unit_test(a_message_without_extensions_has_none),
        cmocka_unit_test(v1alpha_answers_too),
    };
    return cmocka_run_group_tests(tests, fixture_echo, fixture_free);
}
