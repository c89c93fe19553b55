/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc.reflection, v1 and v1alpha. Both have the same messages but for their names, so both are
 * decoded as v1. All of it runs on pollers.
 */
#include <grpc/reflection/v1/reflection.grpcc.h>
#include <grpc/reflection/v1alpha/reflection.grpcc.h>

#include "gen/runtime/src/server/reflection.h"
#include "gen/runtime/src/server/server.h"
#include "google/rpc/error_details.grpcc.h"

typedef struct grpc_reflection_v1_server_reflection_request question_message;
typedef struct grpc_reflection_v1_server_reflection_response answer_message;

/* Bytes that one question and its answer may take. */
enum { ARENA_LIMIT = 8 << 20 };

/* One stream, in its call's arena. */
struct stream {
    struct grpcc_server *server;
    struct grpcc_call *call;
    struct grpcc_arena *arena; /* of one question and its answer */
    struct grpcc_file_set sent;
};

/* One question. Outcomes: an answer, an error in the stream, or no memory. */
struct exchange {
    struct grpcc_arena *arena;
    struct grpcc_file_set files; /* all of the server */
    struct grpcc_file_set *sent; /* in earlier answers of the stream */
    const question_message *question;
    answer_message *answer;
};

static bool answer_error(struct exchange *exchange, enum grpcc_status status, const char *what,
                         const char *name)
{
    struct grpc_reflection_v1_error_response *error =
        grpc_reflection_v1_error_response_new(exchange->arena);
    char *text =
        grpcc_arena_printf(exchange->arena, "%s: %.*s", what, GRPCC_STATUS_MESSAGE_MAX, name);
    if (!error || !text)
        return false;
    error->error_code = (int32_t)status;
    error->error_message = text;
    grpc_reflection_v1_server_reflection_response_set_error_response(exchange->answer, error);
    return true;
}

/* The file, and of what it imports, directly or not, all that the stream has not sent yet. */
static bool answer_file(struct exchange *exchange, const struct grpcc_file *file, const char *what,
                        const char *name)
{
    if (!file)
        return answer_error(exchange, GRPCC_NOT_FOUND, what, name);
    struct grpcc_file_set wanted = {.arena = exchange->arena};
    struct grpc_reflection_v1_file_descriptor_response *response =
        grpc_reflection_v1_file_descriptor_response_new(exchange->arena);
    if (!response || !grpcc_file_set_add(&wanted, file))
        return false;
    for (size_t i = 0; i < wanted.n; i++)
        if ((i == 0 || !grpcc_file_set_has(exchange->sent, wanted.files[i])) &&
            !grpc_reflection_v1_file_descriptor_response_add_file_descriptor_proto(
                exchange->arena, response, wanted.files[i]->descriptor,
                wanted.files[i]->descriptor_size))
            return false;
    if (!grpcc_file_set_add(exchange->sent, file))
        return false;
    grpc_reflection_v1_server_reflection_response_set_file_descriptor_response(exchange->answer,
                                                                               response);
    return true;
}

/* ---- extensions ---- */

struct numbers {
    struct exchange *exchange;
    struct grpc_reflection_v1_extension_number_response *response;
    int32_t wanted;
    bool found;
    bool failed;
};

static bool is_wanted(void *data, int32_t number)
{
    struct numbers *numbers = data;
    numbers->found = number == numbers->wanted;
    return !numbers->found;
}

static bool answer_extension(struct exchange *exchange,
                             const struct grpc_reflection_v1_extension_request *request)
{
    struct numbers numbers = {.wanted = request->extension_number};
    const struct grpcc_file *file = NULL;
    for (size_t i = 0; i < exchange->files.n && !numbers.found; i++) {
        file = exchange->files.files[i];
        grpcc_file_extensions(file, request->containing_type, is_wanted, &numbers);
    }
    return answer_file(exchange, numbers.found ? file : NULL, "no such extension of",
                       request->containing_type);
}

static bool add_number(void *data, int32_t number)
{
    struct numbers *numbers = data;
    numbers->failed = !grpc_reflection_v1_extension_number_response_add_extension_number(
        numbers->exchange->arena, numbers->response, number);
    return !numbers->failed;
}

static bool answer_numbers(struct exchange *exchange, const char *type)
{
    struct numbers numbers = {.exchange = exchange};
    numbers.response = grpc_reflection_v1_extension_number_response_new(exchange->arena);
    if (!numbers.response)
        return false;
    for (size_t i = 0; i < exchange->files.n && !numbers.failed; i++)
        grpcc_file_extensions(exchange->files.files[i], type, add_number, &numbers);
    if (numbers.failed)
        return false;
    if (numbers.response->n_extension_number == 0 &&
        !grpcc_file_set_by_symbol(&exchange->files, type))
        return answer_error(exchange, GRPCC_NOT_FOUND, "no such message", type);
    grpc_reflection_v1_extension_number_response_set_base_type_name(numbers.response, type);
    grpc_reflection_v1_server_reflection_response_set_all_extension_numbers_response(
        exchange->answer, numbers.response);
    return true;
}

/* ---- services ---- */

static bool answer_services(struct exchange *exchange, const struct grpcc_server *server)
{
    struct grpc_reflection_v1_list_service_response *response =
        grpc_reflection_v1_list_service_response_new(exchange->arena);
    for (size_t i = 0; response && i < server->n_services; i++) {
        struct grpc_reflection_v1_service_response *service =
            grpc_reflection_v1_service_response_new(exchange->arena);
        if (!service || !grpc_reflection_v1_list_service_response_add_service(exchange->arena,
                                                                              response, service))
            return false;
        grpc_reflection_v1_service_response_set_name(service, server->services[i]->name);
    }
    if (!response)
        return false;
    grpc_reflection_v1_server_reflection_response_set_list_services_response(exchange->answer,
                                                                             response);
    return true;
}

/* ---- a stream ---- */

static bool answer_question(struct exchange *exchange, const struct grpcc_server *server)
{
    const question_message *question = exchange->question;
    const struct grpcc_file_set *files = &exchange->files;
    switch (question->message_request_case) {
    case GRPC_REFLECTION_V1_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_FILE_BY_FILENAME:
        return answer_file(exchange, grpcc_file_set_by_name(files, question->file_by_filename),
                           "no such file", question->file_by_filename);
    case GRPC_REFLECTION_V1_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        return answer_file(exchange,
                           grpcc_file_set_by_symbol(files, question->file_containing_symbol),
                           "no such symbol", question->file_containing_symbol);
    case GRPC_REFLECTION_V1_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
        return answer_extension(exchange, question->file_containing_extension);
    case GRPC_REFLECTION_V1_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        return answer_numbers(exchange, question->all_extension_numbers_of_type);
    case GRPC_REFLECTION_V1_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_LIST_SERVICES:
        return answer_services(exchange, server);
    default:
        return answer_error(exchange, GRPCC_INVALID_ARGUMENT, "a question of no known kind", "");
    }
}

static answer_message *make_answer(struct stream *stream, question_message *question)
{
    struct exchange exchange = {
        .arena = stream->arena,
        .files.arena = stream->arena,
        .sent = &stream->sent,
        .question = question,
        .answer = grpc_reflection_v1_server_reflection_response_new(stream->arena)};
    if (!exchange.answer)
        return NULL;
    for (size_t i = 0; i < stream->server->n_services; i++)
        if (!grpcc_file_set_add(&exchange.files, stream->server->services[i]->file))
            return NULL;
    /* What google.rpc.Status.details hold: clients that print errors ask for them. */
    if (!grpcc_file_set_add(&exchange.files, &google_rpc_error_details_file))
        return NULL;
    grpc_reflection_v1_server_reflection_response_set_valid_host(exchange.answer, question->host);
    exchange.answer->original_request = question;
    return answer_question(&exchange, stream->server) ? exchange.answer : NULL;
}

static void next_question(struct stream *stream);

static void on_answered(void *data, enum grpcc_status status)
{
    struct stream *stream = data;
    if (status)
        grpcc_call_fail(stream->call, status, "the answer could not be sent");
    else
        next_question(stream);
}

static void on_question(void *data, enum grpcc_status status, question_message *question,
                        const struct grpcc_error *err)
{
    struct stream *stream = data;
    if (status) {
        grpcc_call_fail(stream->call, status, "%s", err->message);
        return;
    }
    if (!question) {
        grpcc_call_finish_ok(stream->call);
        return;
    }
    answer_message *answer = make_answer(stream, question);
    if (answer)
        grpc_reflection_v1_server_reflection_server_reflection_info_send_start(stream->call, answer,
                                                                               on_answered, stream);
    else
        grpcc_call_fail(stream->call, GRPCC_RESOURCE_EXHAUSTED, "no memory for the answer");
}

static void next_question(struct stream *stream)
{
    grpcc_arena_reset(stream->arena);
    grpc_reflection_v1_server_reflection_server_reflection_info_read_start(
        stream->call, stream->arena, on_question, stream);
}

static void free_arena(void *arena)
{
    grpcc_arena_free(arena);
}

static void info(void *self, struct grpcc_call *call)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct stream *stream = grpcc_arena_zalloc(arena, sizeof(*stream));
    struct grpcc_arena *own = grpcc_arena_new(ARENA_LIMIT);
    if (!stream || !own || !grpcc_arena_on_free(arena, free_arena, own)) {
        grpcc_arena_free(own);
        grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory for the stream");
        return;
    }
    stream->server = self;
    stream->call = call;
    stream->arena = own;
    stream->sent.arena = arena;
    next_question(stream);
}

/* v1alpha under its own names, with v1's messages. */
static const struct grpcc_method alpha_methods[] = {{
    .name = "ServerReflectionInfo",
    .path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    .kind = GRPCC_BIDI_STREAM,
    .request = &grpc_reflection_v1_server_reflection_request_descriptor,
    .response = &grpc_reflection_v1_server_reflection_response_descriptor,
}};

static const struct grpcc_service alpha_service = {
    .name = "grpc.reflection.v1alpha.ServerReflection",
    .file = &grpc_reflection_v1alpha_reflection_file,
    .methods = alpha_methods,
    .n_methods = 1,
};

enum grpcc_status grpcc_reflection_serve(struct grpcc_server *server, struct grpcc_error *err)
{
    static const struct grpc_reflection_v1_server_reflection_server table = {
        .server_reflection_info = info,
    };
    enum grpcc_status status = grpcc_server_add_builtin(
        server, &grpc_reflection_v1_server_reflection_service, &table, server, err);
    if (!status)
        status = grpcc_server_add_builtin(server, &alpha_service, &table, server, err);
    return status;
}
