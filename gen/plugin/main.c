/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protoc-gen-grpcc: protoc's plugin that writes messages and typed gRPC stubs in C.
 *
 * Reads a CodeGeneratorRequest from standard input and writes a CodeGeneratorResponse to standard
 * output. What is wrong with a .proto goes into the response; only a failure of the program itself
 * is an exit code.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/plugin/check.h"
#include "gen/plugin/emit.h"
#include "gen/plugin/names.h"

/* The largest request that is read, in bytes: protobuf's own limit is 2 GiB, no real set of files
 * comes near to this. */
#define REQUEST_BYTES_MAX (256u << 20)

typedef Google__Protobuf__Compiler__CodeGeneratorRequest request_type;
typedef Google__Protobuf__Compiler__CodeGeneratorResponse response_type;
typedef Google__Protobuf__Compiler__CodeGeneratorResponse__File output_type;

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

static void add_output(response_type *response, struct pool *pool, const struct model_file *file,
                       const char *suffix, const struct text *content)
{
    output_type *output = pool_alloc(pool, sizeof(*output));

    google__protobuf__compiler__code_generator_response__file__init(output);
    output->name = names_output(pool, file->name, suffix);
    output->content = pool_strdup(pool, text_string(content));
    response->file[response->n_file++] = output;
}

/* Emits every file of the run, so that all identifiers are known, and keeps those that protoc asked
 * for. */
static void generate(const struct model *model, response_type *response)
{
    struct identifiers identifiers = {.pool = model->pool, .errors = model->errors};

    response->file = pool_array(model->pool, 2 * model->n_files, sizeof(*response->file));
    for (size_t i = 0; i < model->n_files; i++) {
        const struct model_file *file = &model->files[i];
        struct text header = {0}, source = {0};
        struct emit emit = {
            .pool = model->pool,
            .identifiers = &identifiers,
            .file = file,
            .header = &header,
            .source = &source,
        };

        emit_file(&emit);
        if (file->generate) {
            add_output(response, model->pool, file, ".grpcc.h", &header);
            add_output(response, model->pool, file, ".grpcc.c", &source);
        }
        text_done(&header);
        text_done(&source);
    }
    map_done(&identifiers.taken);
}

/* The parameter is "require=a.b.option,require=...", from --grpcc_opt or
 * --grpcc_out=PARAMETER:DIRECTORY. */
static void check_parameter(const struct model *model, const char *parameter)
{
    static const char require[] = "require=";
    char *words = pool_strdup(model->pool, parameter ? parameter : "");
    char *rest = NULL;

    for (char *word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        if (strncmp(word, require, sizeof(require) - 1) == 0 && word[sizeof(require) - 1])
            check_required_option(model, word + sizeof(require) - 1);
        else
            errors_add(model->errors, NULL, 0, "unknown parameter \"%s\"; there is require=OPTION",
                       word);
    }
}

static void answer(const request_type *request, response_type *response, struct pool *pool,
                   struct errors *errors)
{
    struct model model;

    model_build(&model, pool, errors, request);
    check_supported(&model);
    check_parameter(&model, request->parameter);
    if (errors->lines.length == 0)
        generate(&model, response);
    model_done(&model);
    if (errors->lines.length > 0) {
        response->n_file = 0;
        response->error = pool_strdup(pool, text_string(&errors->lines));
    }
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
        answer(request, &response, &pool, &errors);
        ok = write_response(&response, stdout);
        google__protobuf__compiler__code_generator_request__free_unpacked(request, NULL);
    }
    pool_done(&pool);
    text_done(&errors.lines);
    text_done(&input);
    return ok ? 0 : 1;
}
