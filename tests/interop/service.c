/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/interop/service.h"

#include <grpcc/server.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* The largest payload that is made for a peer, and the longest wait before one. */
enum { PAYLOAD_BYTES_MAX = 16 << 20, INTERVAL_US_MAX = 10000000 };

#define ECHO_INITIAL "x-grpc-test-echo-initial"
#define ECHO_TRAILING "x-grpc-test-echo-trailing-bin"

void interop_service_init(struct interop_service *service)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(service->server_id, sizeof(service->server_id), "%ld-%lld.%09ld", (long)getpid(),
             (long long)now.tv_sec, now.tv_nsec);
    if (gethostname(service->hostname, sizeof(service->hostname) - 1) != 0)
        service->hostname[0] = '\0';
}

/* ---- what several methods do ---- */

static void fail_without_memory(struct grpcc_call *call)
{
    grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory for the response");
}

/* Sends back the headers by which the cases look for metadata. */
static void echo_metadata(struct grpcc_call *call)
{
    size_t length = 0;
    const char *value = grpcc_call_metadata(call, ECHO_INITIAL, &length);
    if (value && !grpcc_call_add_initial_metadata(call, ECHO_INITIAL, value, length))
        fprintf(stderr, "%s cannot be sent back\n", ECHO_INITIAL);
    value = grpcc_call_metadata(call, ECHO_TRAILING, &length);
    if (value && !grpcc_call_add_trailing_metadata(call, ECHO_TRAILING, value, length))
        fprintf(stderr, "%s cannot be sent back\n", ECHO_TRAILING);
}

/* True: the request wants a status, and the call has been ended with it. */
static bool ended_as_asked(struct grpcc_call *call, const struct grpc_testing_echo_status *status)
{
    if (!status || status->code == 0)
        return false;
    grpcc_call_fail(call, (enum grpcc_status)status->code, "%s", status->message);
    return true;
}

/* False: the request is not what it says, and the call has been ended. */
static bool came_as_said(struct grpcc_call *call, const struct grpc_testing_bool_value *said)
{
    bool compressed = grpcc_call_request_was_compressed(call);
    if (!said || said->value == compressed)
        return true;
    grpcc_call_fail(call, GRPCC_INVALID_ARGUMENT, "expect_compressed is %s, and the request was%s",
                    said->value ? "true" : "false", compressed ? " compressed" : " not compressed");
    return false;
}

/* NULL: it cannot be made, and the call has been ended. */
static struct grpc_testing_payload *payload_of(struct grpcc_call *call,
                                               enum grpc_testing_payload_type type, int32_t size)
{
    if (type != GRPC_TESTING_COMPRESSABLE) {
        grpcc_call_fail(call, GRPCC_INVALID_ARGUMENT, "no payloads of type %d", (int)type);
        return NULL;
    }
    if (size < 0 || size > PAYLOAD_BYTES_MAX) {
        grpcc_call_fail(call, GRPCC_INVALID_ARGUMENT, "a payload has from 0 to %d bytes, not %d",
                        PAYLOAD_BYTES_MAX, (int)size);
        return NULL;
    }
    struct grpc_testing_payload *payload = grpc_testing_payload_new(grpcc_call_arena(call));
    uint8_t *body = grpcc_arena_zalloc(grpcc_call_arena(call), (size_t)size);
    if (!payload || !body) {
        fail_without_memory(call);
        return NULL;
    }
    payload->body.data = body;
    payload->body.len = (size_t)size;
    return payload;
}

/* ---- one request, one response ---- */

static void empty_call(void *self, struct grpcc_call *call,
                       const struct grpc_testing_empty *request)
{
    struct grpc_testing_empty *response = grpc_testing_empty_new(grpcc_call_arena(call));
    (void)self;
    (void)request;
    echo_metadata(call);
    if (response)
        grpc_testing_test_service_empty_call_finish(call, response);
    else
        fail_without_memory(call);
}

static void unary_call(void *self, struct grpcc_call *call,
                       const struct grpc_testing_simple_request *request)
{
    const struct interop_service *service = self;
    echo_metadata(call);
    if (!came_as_said(call, request->expect_compressed) ||
        ended_as_asked(call, request->response_status))
        return;
    struct grpc_testing_payload *payload =
        payload_of(call, request->response_type, request->response_size);
    if (!payload)
        return;
    struct grpc_testing_simple_response *response =
        grpc_testing_simple_response_new(grpcc_call_arena(call));
    if (!response) {
        fail_without_memory(call);
        return;
    }
    response->payload = payload;
    grpc_testing_simple_response_set_hostname(response, service->hostname);
    if (request->fill_server_id)
        grpc_testing_simple_response_set_server_id(response, service->server_id);
    bool compress = request->response_compressed && request->response_compressed->value;
    if (compress && !grpcc_call_set_compression(call, GRPCC_COMPRESSION_GZIP))
        fprintf(stderr, "the headers of a unary call have gone before its response\n");
    grpc_testing_test_service_unary_call_finish(call, response);
}

static void cacheable_unary_call(void *self, struct grpcc_call *call,
                                 const struct grpc_testing_simple_request *request)
{
    static const char leave[] = "max-age=60, public";
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct timespec now;
    (void)self;
    (void)request;
    clock_gettime(CLOCK_REALTIME, &now);
    char *text = grpcc_arena_printf(arena, "%lld%09ld", (long long)now.tv_sec, now.tv_nsec);
    struct grpc_testing_simple_response *response = grpc_testing_simple_response_new(arena);
    struct grpc_testing_payload *payload = grpc_testing_payload_new(arena);
    if (!text || !response || !payload ||
        !grpcc_call_add_initial_metadata(call, "cache-control", leave, sizeof(leave) - 1)) {
        fail_without_memory(call);
        return;
    }
    payload->body.data = (uint8_t *)text;
    payload->body.len = strlen(text);
    response->payload = payload;
    grpc_testing_test_service_cacheable_unary_call_finish(call, response);
}

/* ---- streams ---- */

static void streaming_input_call(void *self, struct grpcc_call *call)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct grpc_testing_streaming_input_call_request *request = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    int64_t size = 0;
    (void)self;
    echo_metadata(call);
    for (;;) {
        if (grpc_testing_test_service_streaming_input_call_read(call, arena, &request, &err)) {
            grpcc_call_fail(call, err.status, "%s", err.message);
            return;
        }
        if (!request)
            break;
        if (!came_as_said(call, request->expect_compressed))
            return;
        size += request->payload ? (int64_t)request->payload->body.len : 0;
    }
    struct grpc_testing_streaming_input_call_response *response =
        grpc_testing_streaming_input_call_response_new(arena);
    if (!response || size > INT32_MAX) {
        grpcc_call_fail(call, response ? GRPCC_OUT_OF_RANGE : GRPCC_RESOURCE_EXHAUSTED,
                        "%" PRId64 " bytes cannot be answered", size);
        return;
    }
    response->aggregated_payload_size = (int32_t)size;
    grpc_testing_test_service_streaming_input_call_finish(call, response);
}

static void wait_us(int32_t interval_us)
{
    if (interval_us > INTERVAL_US_MAX)
        interval_us = INTERVAL_US_MAX;
    if (interval_us <= 0)
        return;
    const struct timespec interval = {interval_us / 1000000, interval_us % 1000000 * 1000L};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &interval, NULL);
}

/* The messages of a stream that is allowed to compress are compressed one by one, as asked. */
static void allow_compression(struct grpcc_call *call)
{
    if (!grpcc_call_set_compression(call, GRPCC_COMPRESSION_GZIP))
        fprintf(stderr, "the headers of a stream have gone before its first response\n");
}

/* All responses that one request asks for. False: the call has been ended. */
static bool respond(struct grpcc_call *call,
                    const struct grpc_testing_streaming_output_call_request *request)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (ended_as_asked(call, request->response_status))
        return false;
    for (size_t i = 0; i < request->n_response_parameters; i++) {
        const struct grpc_testing_response_parameters *asked = request->response_parameters[i];
        struct grpc_testing_payload *payload =
            payload_of(call, request->response_type, asked->size);
        if (!payload)
            return false;
        struct grpc_testing_streaming_output_call_response *response =
            grpc_testing_streaming_output_call_response_new(grpcc_call_arena(call));
        if (!response) {
            fail_without_memory(call);
            return false;
        }
        response->payload = payload;
        wait_us(asked->interval_us);
        grpcc_call_set_message_compression(call, asked->compressed && asked->compressed->value);
        /* Untyped: three methods send this type. */
        if (grpcc_call_send(call, &response->base, &err)) {
            grpcc_call_fail(call, err.status, "%s", err.message);
            return false;
        }
    }
    return true;
}

static void streaming_output_call(void *self, struct grpcc_call *call,
                                  const struct grpc_testing_streaming_output_call_request *request)
{
    (void)self;
    echo_metadata(call);
    allow_compression(call);
    if (respond(call, request))
        grpcc_call_finish_ok(call);
}

static void full_duplex_call(void *self, struct grpcc_call *call)
{
    struct grpc_testing_streaming_output_call_request *request = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    (void)self;
    echo_metadata(call);
    allow_compression(call);
    while (!grpc_testing_test_service_full_duplex_call_read(call, grpcc_call_arena(call), &request,
                                                            &err) &&
           request)
        if (!respond(call, request))
            return;
    if (err.status)
        grpcc_call_fail(call, err.status, "%s", err.message);
    else
        grpcc_call_finish_ok(call);
}

struct kept {
    const struct grpc_testing_streaming_output_call_request *request;
    struct kept *next;
};

/* Reads all requests. False: the call has been ended. */
static bool keep_all(struct grpcc_call *call, struct kept **ret_first)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct grpc_testing_streaming_output_call_request *request = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct kept **tail = ret_first;
    while (!grpc_testing_test_service_half_duplex_call_read(call, arena, &request, &err) &&
           request) {
        struct kept *kept = grpcc_arena_zalloc(arena, sizeof(*kept));
        if (!kept) {
            fail_without_memory(call);
            return false;
        }
        kept->request = request;
        *tail = kept;
        tail = &kept->next;
    }
    if (err.status)
        grpcc_call_fail(call, err.status, "%s", err.message);
    return !err.status;
}

static void half_duplex_call(void *self, struct grpcc_call *call)
{
    struct kept *first = NULL;
    (void)self;
    echo_metadata(call);
    allow_compression(call);
    if (!keep_all(call, &first))
        return;
    for (const struct kept *kept = first; kept; kept = kept->next)
        if (!respond(call, kept->request))
            return;
    grpcc_call_finish_ok(call);
}

const struct grpc_testing_test_service_server interop_service_table = {
    .empty_call = empty_call,
    .unary_call = unary_call,
    .cacheable_unary_call = cacheable_unary_call,
    .streaming_output_call = streaming_output_call,
    .streaming_input_call = streaming_input_call,
    .full_duplex_call = full_duplex_call,
    .half_duplex_call = half_duplex_call,
};
