/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of unary calls. */
#include <stdio.h>
#include <string.h>

#include "tests/interop/case.h"

static bool empty_unary(struct run *run)
{
    struct grpc_testing_empty *request = MESSAGE_NEW(run, grpc_testing_empty), *response = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (!request)
        return false;
    enum grpcc_status status = grpc_testing_test_service_empty_call(
        run->channel, run->arena, &run->options, request, &response, &err);
    return check_status(status, GRPCC_OK, &err) &&
           check(response->base.n_unknown_fields == 0, "an empty message has fields");
}

static bool unary_of(struct run *run, size_t request_size, int32_t response_size)
{
    struct grpc_testing_simple_request *request = MESSAGE_NEW(run, grpc_testing_simple_request);
    struct grpc_testing_simple_response *response = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (!request || !(request->payload = payload_new(run, request_size)))
        return false;
    request->response_size = response_size;
    enum grpcc_status status = grpc_testing_test_service_unary_call(
        run->channel, run->arena, &run->options, request, &response, &err);
    return check_status(status, GRPCC_OK, &err) &&
           check_payload(response->payload, (size_t)response_size);
}

static bool large_unary(struct run *run)
{
    return unary_of(run, LARGE_REQUEST, LARGE_RESPONSE);
}

/* grpc-java's own case: more than servers accept unless they say so. */
static bool very_large_request(struct run *run)
{
    enum { VERY_LARGE_REQUEST = 10 << 20, SMALL_RESPONSE = 10 };
    return unary_of(run, VERY_LARGE_REQUEST, SMALL_RESPONSE);
}

/* One connection is chosen, and kept to. */
static bool pick_first_unary(struct run *run)
{
    enum { CALLS = 100 };
    struct grpc_testing_simple_request *request = MESSAGE_NEW(run, grpc_testing_simple_request);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    const char *server = NULL;
    if (!request)
        return false;
    request->response_size = 1;
    request->fill_server_id = true;
    if (!(request->payload = payload_new(run, 1)))
        return false;
    for (int i = 0; i < CALLS; i++) {
        struct grpc_testing_simple_response *response = NULL;
        enum grpcc_status status = grpc_testing_test_service_unary_call(
            run->channel, run->arena, &run->options, request, &response, &err);
        if (!check_status(status, GRPCC_OK, &err) ||
            !check(response->server_id[0] != '\0', "the server has no id"))
            return false;
        if (!server)
            server = response->server_id;
        if (!check(strcmp(server, response->server_id) == 0, "call %d went to %s, the first to %s",
                   i, response->server_id, server))
            return false;
    }
    return true;
}

const struct interop_case cases_unary[] = {
    {"empty_unary", empty_unary},
    {"large_unary", large_unary},
    {"very_large_request", very_large_request},
    {"pick_first_unary", pick_first_unary},
    {NULL, NULL},
};
