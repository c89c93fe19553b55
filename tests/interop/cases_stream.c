/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of streams that end well. */
#include <stdio.h>

#include "tests/interop/case.h"

static const int32_t request_sizes[] = {27182, 8, 1828, 45904};
static const int32_t response_sizes[] = {31415, 9, 2653, 58979};
enum { SIZES = 4, SIZES_SUM = 74922 };

static bool client_streaming(struct run *run)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpc_testing_streaming_input_call_response *response = NULL;
    struct grpc_testing_test_service_streaming_input_call_stream *stream =
        grpc_testing_test_service_streaming_input_call_stream_open(run->channel, &run->options,
                                                                   &err);
    if (!check(stream != NULL, "%s", err.message))
        return false;
    bool good = true;
    for (int i = 0; good && i < SIZES; i++) {
        struct grpc_testing_streaming_input_call_request *request =
            MESSAGE_NEW(run, grpc_testing_streaming_input_call_request);
        good = request && (request->payload = payload_new(run, (size_t)request_sizes[i])) &&
               check(grpc_testing_test_service_streaming_input_call_stream_write(stream, request),
                     "request %d could not be written", i);
    }
    enum grpcc_status status = grpc_testing_test_service_streaming_input_call_stream_finish(
        stream, run->arena, &response, &err);
    grpc_testing_test_service_streaming_input_call_stream_free(stream);
    return good && check_status(status, GRPCC_OK, &err) &&
           check(response->aggregated_payload_size == SIZES_SUM, "%d bytes were counted, not %d",
                 (int)response->aggregated_payload_size, SIZES_SUM);
}

/* Asks for n responses of these sizes; NULL without memory. */
static struct grpc_testing_streaming_output_call_request *
output_request(struct run *run, const int32_t *sizes, size_t n)
{
    struct grpc_testing_streaming_output_call_request *request =
        MESSAGE_NEW(run, grpc_testing_streaming_output_call_request);
    for (size_t i = 0; request && i < n; i++)
        if (!parameters_add(run, request, sizes[i]))
            return NULL;
    return request;
}

static bool server_streaming(struct run *run)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpc_testing_streaming_output_call_response *response = NULL;
    struct grpc_testing_streaming_output_call_request *request =
        output_request(run, response_sizes, SIZES);
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
        good = check(n < SIZES, "more responses than asked for") &&
               check_payload(response->payload, (size_t)response_sizes[n]);
        n++;
    }
    enum grpcc_status status =
        grpc_testing_test_service_streaming_output_call_stream_finish(stream, run->arena, &err);
    grpc_testing_test_service_streaming_output_call_stream_free(stream);
    return good && check_status(status, GRPCC_OK, &err) &&
           check(n == SIZES, "%d responses, not %d", n, SIZES);
}

/* ---- both directions at once ---- */

typedef struct grpc_testing_test_service_full_duplex_call_stream duplex;

static duplex *duplex_open(struct run *run)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    duplex *stream =
        grpc_testing_test_service_full_duplex_call_stream_open(run->channel, &run->options, &err);
    return check(stream != NULL, "%s", err.message) ? stream : NULL;
}

static bool ping(struct run *run, duplex *stream, int i)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpc_testing_streaming_output_call_response *response = NULL;
    struct grpc_testing_streaming_output_call_request *request =
        output_request(run, &response_sizes[i], 1);
    return request && (request->payload = payload_new(run, (size_t)request_sizes[i])) &&
           check(grpc_testing_test_service_full_duplex_call_stream_write(stream, request),
                 "request %d could not be written", i) &&
           check(grpc_testing_test_service_full_duplex_call_stream_read(stream, run->arena,
                                                                        &response, &err) > 0,
                 "request %d got no response", i) &&
           check_payload(response->payload, (size_t)response_sizes[i]);
}

/* Closes, and expects no more responses and OK. */
static bool duplex_end(struct run *run, duplex *stream)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpc_testing_streaming_output_call_response *response = NULL;
    grpc_testing_test_service_full_duplex_call_stream_close_send(stream);
    return check(grpc_testing_test_service_full_duplex_call_stream_read(stream, run->arena,
                                                                        &response, &err) == 0,
                 "more responses than asked for") &&
           check_status(
               grpc_testing_test_service_full_duplex_call_stream_finish(stream, run->arena, &err),
               GRPCC_OK, &err);
}

static bool ping_pong(struct run *run)
{
    duplex *stream = duplex_open(run);
    bool good = stream != NULL;
    for (int i = 0; good && i < SIZES; i++)
        good = ping(run, stream, i);
    good = good && duplex_end(run, stream);
    grpc_testing_test_service_full_duplex_call_stream_free(stream);
    return good;
}

static bool empty_stream(struct run *run)
{
    duplex *stream = duplex_open(run);
    bool good = stream && duplex_end(run, stream);
    grpc_testing_test_service_full_duplex_call_stream_free(stream);
    return good;
}

/* All requests, and then all responses. */
static bool half_duplex(struct run *run)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpc_testing_streaming_output_call_response *response = NULL;
    struct grpc_testing_test_service_half_duplex_call_stream *stream =
        grpc_testing_test_service_half_duplex_call_stream_open(run->channel, &run->options, &err);
    if (!check(stream != NULL, "%s", err.message))
        return false;
    bool good = true;
    for (int i = 0; good && i < SIZES; i++) {
        struct grpc_testing_streaming_output_call_request *request =
            output_request(run, &response_sizes[i], 1);
        good = request &&
               check(grpc_testing_test_service_half_duplex_call_stream_write(stream, request),
                     "request %d could not be written", i);
    }
    grpc_testing_test_service_half_duplex_call_stream_close_send(stream);
    for (int i = 0; good && i < SIZES; i++)
        good = check(grpc_testing_test_service_half_duplex_call_stream_read(stream, run->arena,
                                                                            &response, &err) > 0,
                     "response %d is missing", i) &&
               check_payload(response->payload, (size_t)response_sizes[i]);
    good = good && check(grpc_testing_test_service_half_duplex_call_stream_read(
                             stream, run->arena, &response, &err) == 0,
                         "more responses than asked for");
    enum grpcc_status status =
        grpc_testing_test_service_half_duplex_call_stream_finish(stream, run->arena, &err);
    grpc_testing_test_service_half_duplex_call_stream_free(stream);
    return good && check_status(status, GRPCC_OK, &err);
}

const struct interop_case cases_stream[] = {
    {"client_streaming", client_streaming},
    {"server_streaming", server_streaming},
    {"ping_pong", ping_pong},
    {"empty_stream", empty_stream},
    {"half_duplex", half_duplex},
    {NULL, NULL},
};
