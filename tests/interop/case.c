/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/interop/case.h"

#include <stdarg.h>
#include <stdio.h>

bool check(bool holds, const char *format, ...)
{
    va_list args;
    if (holds)
        return true;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return false;
}

bool check_status(enum grpcc_status status, enum grpcc_status expected,
                  const struct grpcc_error *err)
{
    return check(status == expected, "the call ended with %s (%s), not with %s",
                 grpcc_status_name(status), status ? err->message : "",
                 grpcc_status_name(expected));
}

void *check_memory(void *pointer)
{
    return check(pointer != NULL, "no memory for a message") ? pointer : NULL;
}

struct grpc_testing_payload *payload_new(struct run *run, size_t size)
{
    struct grpc_testing_payload *payload = MESSAGE_NEW(run, grpc_testing_payload);
    uint8_t *body = check_memory(grpcc_arena_zalloc(run->arena, size));
    if (!payload || !body)
        return NULL;
    payload->body.data = body;
    payload->body.len = size;
    return payload;
}

bool check_payload(const struct grpc_testing_payload *payload, size_t size)
{
    size_t got = payload ? payload->body.len : 0;
    if (!check(got == size, "a payload has %zu bytes, not %zu", got, size))
        return false;
    for (size_t i = 0; i < got; i++)
        if (!check(payload->body.data[i] == 0, "byte %zu of a payload is not zero", i))
            return false;
    return true;
}

struct grpc_testing_bool_value *bool_new(struct run *run, bool value)
{
    struct grpc_testing_bool_value *made = MESSAGE_NEW(run, grpc_testing_bool_value);
    if (made)
        made->value = value;
    return made;
}

struct grpc_testing_response_parameters *
parameters_add(struct run *run, struct grpc_testing_streaming_output_call_request *request,
               int32_t size)
{
    struct grpc_testing_response_parameters *asked =
        MESSAGE_NEW(run, grpc_testing_response_parameters);
    if (!asked || !grpc_testing_streaming_output_call_request_add_response_parameters(
                      run->arena, request, asked))
        return check_memory(NULL);
    asked->size = size;
    return asked;
}
