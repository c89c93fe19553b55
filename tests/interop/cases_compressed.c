/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of compressed messages. */
#include <grpcc/compression.h>
#include <stdio.h>

#include "tests/interop/case.h"

enum { COMPRESSED_SIZE = 27182, PLAIN_SIZE = 45904, AGGREGATED_SIZE = 73086 };

/* ---- compressed by the client ---- */

/* A call whose request says of itself what it is, truly or not. */
static enum grpcc_status unary_expecting(struct run *run, bool compress, bool said,
                                         struct grpcc_error *err)
{
    struct grpcc_call_options options = run->options;
    struct grpc_testing_simple_request *request = MESSAGE_NEW(run, grpc_testing_simple_request);
    struct grpc_testing_simple_response *response = NULL;
    if (!request || !(request->payload = payload_new(run, LARGE_REQUEST)) ||
        !(request->expect_compressed = bool_new(run, said)))
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory");
    request->response_size = LARGE_RESPONSE;
    options.compression = compress ? GRPCC_COMPRESSION_GZIP : GRPCC_COMPRESSION_NONE;
    enum grpcc_status status = grpc_testing_test_service_unary_call(
        run->channel, run->arena, &options, request, &response, err);
    if (!status && !check_payload(response->payload, LARGE_RESPONSE))
        return grpcc_error_set(err, GRPCC_DATA_LOSS, "the response is not as asked for");
    return status;
}

static bool client_compressed_unary_noprobe(struct run *run)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    return check_status(unary_expecting(run, true, true, &err), GRPCC_OK, &err) &&
           check_status(unary_expecting(run, false, false, &err), GRPCC_OK, &err);
}

static bool client_compressed_unary(struct run *run)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    return check_status(unary_expecting(run, false, true, &err), GRPCC_INVALID_ARGUMENT, &err) &&
           client_compressed_unary_noprobe(run);
}

typedef struct grpc_testing_test_service_streaming_input_call_stream input;

static input *input_open(struct run *run)
{
    struct grpcc_call_options options = run->options;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    options.compression = GRPCC_COMPRESSION_GZIP;
    input *stream =
        grpc_testing_test_service_streaming_input_call_stream_open(run->channel, &options, &err);
    return check(stream != NULL, "%s", err.message) ? stream : NULL;
}

static bool input_write(struct run *run, input *stream, size_t size, bool compress, bool said)
{
    struct grpc_testing_streaming_input_call_request *request =
        MESSAGE_NEW(run, grpc_testing_streaming_input_call_request);
    if (!request || !(request->payload = payload_new(run, size)) ||
        !(request->expect_compressed = bool_new(run, said)))
        return false;
    grpcc_stream_set_message_compression(
        grpc_testing_test_service_streaming_input_call_stream_call(stream), compress);
    return check(grpc_testing_test_service_streaming_input_call_stream_write(stream, request),
                 "a request could not be written");
}

static bool probe_streaming(struct run *run)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpc_testing_streaming_input_call_response *response = NULL;
    input *stream = input_open(run);
    if (!stream)
        return false;
    bool good = input_write(run, stream, COMPRESSED_SIZE, false, true);
    enum grpcc_status status = grpc_testing_test_service_streaming_input_call_stream_finish(
        stream, run->arena, &response, &err);
    grpc_testing_test_service_streaming_input_call_stream_free(stream);
    return good && check_status(status, GRPCC_INVALID_ARGUMENT, &err);
}

static bool client_compressed_streaming_noprobe(struct run *run)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpc_testing_streaming_input_call_response *response = NULL;
    input *stream = input_open(run);
    if (!stream)
        return false;
    bool good = input_write(run, stream, COMPRESSED_SIZE, true, true) &&
                input_write(run, stream, PLAIN_SIZE, false, false);
    enum grpcc_status status = grpc_testing_test_service_streaming_input_call_stream_finish(
        stream, run->arena, &response, &err);
    grpc_testing_test_service_streaming_input_call_stream_free(stream);
    return good && check_status(status, GRPCC_OK, &err) &&
           check(response->aggregated_payload_size == AGGREGATED_SIZE,
                 "%d bytes were counted, not %d", (int)response->aggregated_payload_size,
                 AGGREGATED_SIZE);
}

static bool client_compressed_streaming(struct run *run)
{
    return probe_streaming(run) && client_compressed_streaming_noprobe(run);
}

/* ---- compressed by the server ---- */

static bool check_compressed(bool was, bool asked)
{
    return check(was == asked, "a response was %s, and should%s have been",
                 was ? "compressed" : "not compressed", asked ? "" : " not");
}

static bool unary_compressed_response(struct run *run, bool compressed)
{
    struct grpcc_call_options options = run->options;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpc_testing_simple_request *request = MESSAGE_NEW(run, grpc_testing_simple_request);
    struct grpc_testing_simple_response *response = NULL;
    bool was_compressed = false;
    if (!request || !(request->payload = payload_new(run, LARGE_REQUEST)) ||
        !(request->response_compressed = bool_new(run, compressed)))
        return false;
    request->response_size = LARGE_RESPONSE;
    options.ret_was_compressed = &was_compressed;
    enum grpcc_status status = grpc_testing_test_service_unary_call(
        run->channel, run->arena, &options, request, &response, &err);
    return check_status(status, GRPCC_OK, &err) &&
           check_payload(response->payload, LARGE_RESPONSE) &&
           check_compressed(was_compressed, compressed);
}

static bool server_compressed_unary(struct run *run)
{
    return unary_compressed_response(run, true) && unary_compressed_response(run, false);
}

static bool server_compressed_streaming(struct run *run)
{
    static const int32_t sizes[] = {31415, 92653};
    static const bool compressed[] = {true, false};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpc_testing_streaming_output_call_response *response = NULL;
    struct grpc_testing_streaming_output_call_request *request =
        MESSAGE_NEW(run, grpc_testing_streaming_output_call_request);
    for (int i = 0; request && i < 2; i++) {
        struct grpc_testing_response_parameters *asked = parameters_add(run, request, sizes[i]);
        if (!asked || !(asked->compressed = bool_new(run, compressed[i])))
            return false;
    }
    if (!request)
        return false;
    struct grpc_testing_test_service_streaming_output_call_stream *stream =
        grpc_testing_test_service_streaming_output_call_stream_open(run->channel, &run->options,
                                                                    request, &err);
    if (!check(stream != NULL, "%s", err.message))
        return false;
    bool good = true;
    int n = 0;
    while (good && grpc_testing_test_service_streaming_output_call_stream_read(
                       stream, run->arena, &response, &err) > 0) {
        good = check(n < 2, "more responses than asked for") &&
               check_payload(response->payload, (size_t)sizes[n]) &&
               check_compressed(
                   grpcc_stream_response_was_compressed(
                       grpc_testing_test_service_streaming_output_call_stream_call(stream)),
                   compressed[n]);
        n++;
    }
    enum grpcc_status status =
        grpc_testing_test_service_streaming_output_call_stream_finish(stream, run->arena, &err);
    grpc_testing_test_service_streaming_output_call_stream_free(stream);
    return good && check_status(status, GRPCC_OK, &err) && check(n == 2, "%d responses, not 2", n);
}

const struct interop_case cases_compressed[] = {
    {"client_compressed_unary", client_compressed_unary},
    {"client_compressed_unary_noprobe", client_compressed_unary_noprobe},
    {"client_compressed_streaming", client_compressed_streaming},
    {"client_compressed_streaming_noprobe", client_compressed_streaming_noprobe},
    {"server_compressed_unary", server_compressed_unary},
    {"server_compressed_streaming", server_compressed_streaming},
    {NULL, NULL},
};
