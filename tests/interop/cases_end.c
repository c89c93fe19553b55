/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of calls that do not end well, and of what goes beside the messages. */
#include <stdio.h>
#include <string.h>

#include "tests/interop/case.h"

typedef struct grpc_testing_test_service_full_duplex_call_stream duplex;

enum { FIRST_REQUEST = 27182, FIRST_RESPONSE = 31415, TIMEOUT_MS = 1 };

/* ---- cancelled, timed out ---- */

static bool cancel_after_begin(struct run *run)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpc_testing_streaming_input_call_response *response = NULL;
    struct grpc_testing_test_service_streaming_input_call_stream *stream =
        grpc_testing_test_service_streaming_input_call_stream_open(run->channel, &run->options,
                                                                   &err);
    if (!check(stream != NULL, "%s", err.message))
        return false;
    grpc_testing_test_service_streaming_input_call_stream_cancel(stream);
    enum grpcc_status status = grpc_testing_test_service_streaming_input_call_stream_finish(
        stream, run->arena, &response, &err);
    grpc_testing_test_service_streaming_input_call_stream_free(stream);
    return check_status(status, GRPCC_CANCELLED, &err);
}

/* Asks for one response, of FIRST_RESPONSE bytes. */
static struct grpc_testing_streaming_output_call_request *first_request(struct run *run)
{
    struct grpc_testing_streaming_output_call_request *request =
        MESSAGE_NEW(run, grpc_testing_streaming_output_call_request);
    if (!request || !(request->payload = payload_new(run, FIRST_REQUEST)))
        return NULL;
    return parameters_add(run, request, FIRST_RESPONSE) ? request : NULL;
}

static bool cancel_after_first_response(struct run *run)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpc_testing_streaming_output_call_response *response = NULL;
    struct grpc_testing_streaming_output_call_request *request = first_request(run);
    if (!request)
        return false;
    duplex *stream =
        grpc_testing_test_service_full_duplex_call_stream_open(run->channel, &run->options, &err);
    if (!check(stream != NULL, "%s", err.message))
        return false;
    bool good = check(grpc_testing_test_service_full_duplex_call_stream_write(stream, request),
                      "the request could not be written") &&
                check(grpc_testing_test_service_full_duplex_call_stream_read(stream, run->arena,
                                                                             &response, &err) > 0,
                      "no response") &&
                check_payload(response->payload, FIRST_RESPONSE);
    grpc_testing_test_service_full_duplex_call_stream_cancel(stream);
    enum grpcc_status status =
        grpc_testing_test_service_full_duplex_call_stream_finish(stream, run->arena, &err);
    grpc_testing_test_service_full_duplex_call_stream_free(stream);
    return good && check_status(status, GRPCC_CANCELLED, &err);
}

static bool timeout_on_sleeping_server(struct run *run)
{
    struct grpcc_call_options options = run->options;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpc_testing_streaming_output_call_response *response = NULL;
    struct grpc_testing_streaming_output_call_request *request =
        MESSAGE_NEW(run, grpc_testing_streaming_output_call_request);
    if (!request || !(request->payload = payload_new(run, FIRST_REQUEST)))
        return false;
    options.timeout_ms = TIMEOUT_MS;
    duplex *stream =
        grpc_testing_test_service_full_duplex_call_stream_open(run->channel, &options, &err);
    if (!check(stream != NULL, "%s", err.message))
        return false;
    /* The time may be over before it is written: both are fine. */
    bool written = grpc_testing_test_service_full_duplex_call_stream_write(stream, request);
    bool good =
        check(grpc_testing_test_service_full_duplex_call_stream_read(stream, run->arena, &response,
                                                                     &err) == 0,
              "a response, where the server was asked for none (request written: %d)", written);
    enum grpcc_status status =
        grpc_testing_test_service_full_duplex_call_stream_finish(stream, run->arena, &err);
    grpc_testing_test_service_full_duplex_call_stream_free(stream);
    return good && check_status(status, GRPCC_DEADLINE_EXCEEDED, &err);
}

/* ---- statuses ---- */

static bool check_end(enum grpcc_status status, enum grpcc_status expected, const char *message,
                      const struct grpcc_error *err)
{
    return check_status(status, expected, err) &&
           check(strcmp(err->message, message) == 0, "the message is \"%s\", not \"%s\"",
                 err->message, message);
}

static struct grpc_testing_echo_status *echo_status(struct run *run, const char *message)
{
    struct grpc_testing_echo_status *status = MESSAGE_NEW(run, grpc_testing_echo_status);
    if (status) {
        status->code = GRPCC_UNKNOWN;
        grpc_testing_echo_status_set_message(status, message);
    }
    return status;
}

static bool unary_status(struct run *run, const char *message)
{
    struct grpc_testing_simple_request *request = MESSAGE_NEW(run, grpc_testing_simple_request);
    struct grpc_testing_simple_response *response = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (!request || !(request->response_status = echo_status(run, message)))
        return false;
    enum grpcc_status status = grpc_testing_test_service_unary_call(
        run->channel, run->arena, &run->options, request, &response, &err);
    return check_end(status, GRPCC_UNKNOWN, message, &err);
}

static bool duplex_status(struct run *run, const char *message)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpc_testing_streaming_output_call_response *response = NULL;
    struct grpc_testing_streaming_output_call_request *request =
        MESSAGE_NEW(run, grpc_testing_streaming_output_call_request);
    if (!request || !(request->response_status = echo_status(run, message)))
        return false;
    duplex *stream =
        grpc_testing_test_service_full_duplex_call_stream_open(run->channel, &run->options, &err);
    if (!check(stream != NULL, "%s", err.message))
        return false;
    bool good = check(grpc_testing_test_service_full_duplex_call_stream_write(stream, request),
                      "the request could not be written");
    grpc_testing_test_service_full_duplex_call_stream_close_send(stream);
    good = good && check(grpc_testing_test_service_full_duplex_call_stream_read(
                             stream, run->arena, &response, &err) == 0,
                         "a response instead of a status");
    enum grpcc_status status =
        grpc_testing_test_service_full_duplex_call_stream_finish(stream, run->arena, &err);
    grpc_testing_test_service_full_duplex_call_stream_free(stream);
    return good && check_end(status, GRPCC_UNKNOWN, message, &err);
}

static bool status_code_and_message(struct run *run)
{
    return unary_status(run, "test status message") && duplex_status(run, "test status message");
}

static bool special_status_message(struct run *run)
{
    return unary_status(run, "\t\ntest with whitespace\r\nand Unicode BMP \xE2\x98\xBA and non-BMP "
                             "\xF0\x9F\x98\x88\t\n");
}

static bool unimplemented_method(struct run *run)
{
    struct grpc_testing_empty *request = MESSAGE_NEW(run, grpc_testing_empty), *response = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (!request)
        return false;
    enum grpcc_status status = grpc_testing_test_service_unimplemented_call(
        run->channel, run->arena, &run->options, request, &response, &err);
    return check_status(status, GRPCC_UNIMPLEMENTED, &err);
}

static bool unimplemented_service(struct run *run)
{
    struct grpc_testing_empty *request = MESSAGE_NEW(run, grpc_testing_empty), *response = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (!request)
        return false;
    enum grpcc_status status = grpc_testing_unimplemented_service_unimplemented_call(
        run->channel, run->arena, &run->options, request, &response, &err);
    return check_status(status, GRPCC_UNIMPLEMENTED, &err);
}

/* ---- metadata ---- */

#define INITIAL_KEY "x-grpc-test-echo-initial"
#define INITIAL_VALUE "test_initial_metadata_value"
#define TRAILING_KEY "x-grpc-test-echo-trailing-bin"
#define TRAILING_VALUE "\xAB\xAB\xAB"

struct seen {
    bool initial, trailing;
};

static void look_for(void *data, bool trailing, const char *key, const void *value, size_t length)
{
    struct seen *seen = data;
    if (!trailing && strcmp(key, INITIAL_KEY) == 0)
        seen->initial =
            length == strlen(INITIAL_VALUE) && memcmp(value, INITIAL_VALUE, length) == 0;
    if (trailing && strcmp(key, TRAILING_KEY) == 0)
        seen->trailing =
            length == strlen(TRAILING_VALUE) && memcmp(value, TRAILING_VALUE, length) == 0;
}

static bool check_seen(const struct seen *seen)
{
    return check(seen->initial, "%s did not come back as a header", INITIAL_KEY) &&
           check(seen->trailing, "%s did not come back as a trailer", TRAILING_KEY);
}

static bool unary_metadata(struct run *run, struct grpcc_call_options *options)
{
    struct grpc_testing_simple_request *request = MESSAGE_NEW(run, grpc_testing_simple_request);
    struct grpc_testing_simple_response *response = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct seen seen = {false, false};
    if (!request || !(request->payload = payload_new(run, LARGE_REQUEST)))
        return false;
    request->response_size = LARGE_RESPONSE;
    options->on_metadata_data = &seen;
    enum grpcc_status status = grpc_testing_test_service_unary_call(
        run->channel, run->arena, options, request, &response, &err);
    return check_status(status, GRPCC_OK, &err) &&
           check_payload(response->payload, LARGE_RESPONSE) && check_seen(&seen);
}

static bool duplex_metadata(struct run *run, struct grpcc_call_options *options)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpc_testing_streaming_output_call_response *response = NULL;
    struct grpc_testing_streaming_output_call_request *request = first_request(run);
    struct seen seen = {false, false};
    if (!request)
        return false;
    options->on_metadata_data = &seen;
    duplex *stream =
        grpc_testing_test_service_full_duplex_call_stream_open(run->channel, options, &err);
    if (!check(stream != NULL, "%s", err.message))
        return false;
    bool good = check(grpc_testing_test_service_full_duplex_call_stream_write(stream, request),
                      "the request could not be written");
    grpc_testing_test_service_full_duplex_call_stream_close_send(stream);
    while (grpc_testing_test_service_full_duplex_call_stream_read(stream, run->arena, &response,
                                                                  &err) > 0)
        good = good && check_payload(response->payload, FIRST_RESPONSE);
    enum grpcc_status status =
        grpc_testing_test_service_full_duplex_call_stream_finish(stream, run->arena, &err);
    grpc_testing_test_service_full_duplex_call_stream_free(stream);
    return good && check_status(status, GRPCC_OK, &err) && check_seen(&seen);
}

static bool custom_metadata(struct run *run)
{
    struct grpcc_call_options options = run->options;
    struct grpcc_metadata *metadata =
        check_memory(grpcc_arena_calloc(run->arena, options.n_metadata + 2, sizeof(*metadata)));
    if (!metadata)
        return false;
    for (size_t i = 0; i < options.n_metadata; i++)
        metadata[i] = options.metadata[i];
    metadata[options.n_metadata++] =
        (struct grpcc_metadata){INITIAL_KEY, INITIAL_VALUE, strlen(INITIAL_VALUE)};
    metadata[options.n_metadata++] =
        (struct grpcc_metadata){TRAILING_KEY, TRAILING_VALUE, strlen(TRAILING_VALUE)};
    options.metadata = metadata;
    options.on_metadata = look_for;
    return unary_metadata(run, &options) && duplex_metadata(run, &options);
}

const struct interop_case cases_end[] = {
    {"cancel_after_begin", cancel_after_begin},
    {"cancel_after_first_response", cancel_after_first_response},
    {"timeout_on_sleeping_server", timeout_on_sleeping_server},
    {"status_code_and_message", status_code_and_message},
    {"special_status_message", special_status_message},
    {"unimplemented_method", unimplemented_method},
    {"unimplemented_service", unimplemented_service},
    {"custom_metadata", custom_metadata},
    {NULL, NULL},
};
