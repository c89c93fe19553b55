/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protoc-gen-grpcc: protoc's plugin that writes messages and typed gRPC stubs in C.
 *
 * Reads a CodeGeneratorRequest from standard input and writes a CodeGeneratorResponse to standard
 * output. What is wrong with a .proto goes into the response; only a failure of the program itself
 * is an exit code.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/plugin/generate.h"
#include "gen/plugin/pool.h"
#include "gen/plugin/text.h"

/* The largest request that is read, in bytes: protobuf's own limit is 2 GiB, no real set of files
 * comes near to this. */
#define REQUEST_BYTES_MAX (256u << 20)

typedef Google__Protobuf__Compiler__CodeGeneratorRequest request_type;
typedef Google__Protobuf__Compiler__CodeGeneratorResponse response_type;

static bool read_all(FILE *in, struct text *ret_data)
{
    char block[65536];
    size_t n;

    while ((n = fread(block, 1, sizeof(block), in)) > 0) {
        if (ret_data->length + n > REQUEST_BYTES_MAX)
            return false;
        text_add(ret_data, block, n);
    }
    return !ferror(in);
}

static bool write_response(const response_type *response, FILE *out)
{
    size_t size = google__protobuf__compiler__code_generator_response__get_packed_size(response);
    uint8_t *data = must_realloc(NULL, size + 1);
    bool ok;

    google__protobuf__compiler__code_generator_response__pack(response, data);
    ok = fwrite(data, 1, size, out) == size && fflush(out) == 0;
    free(data);
    return ok;
}

int main(void)
{
    response_type response = GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__INIT;
    struct text input = {0};
    struct errors errors = {0};
    struct pool pool = {0};
    request_type *request = NULL;
    bool ok = false;

    if (read_all(stdin, &input))
        request = google__protobuf__compiler__code_generator_request__unpack(
            NULL, input.length, (const uint8_t *)text_string(&input));
    if (!request) {
        fputs("protoc-gen-grpcc: standard input is not a CodeGeneratorRequest; "
              "protoc runs this program, see protoc --help\n",
              stderr);
    } else {
        response.has_supported_features = 1;
        response.supported_features =
            GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__FEATURE__FEATURE_PROTO3_OPTIONAL;
        generate(request, &response, &pool, &errors);
        ok = write_response(&response, stdout);
        google__protobuf__compiler__code_generator_request__free_unpacked(request, NULL);
    }
    pool_done(&pool);
    text_done(&errors.lines);
    text_done(&input);
    return ok ? 0 : 1;
}
