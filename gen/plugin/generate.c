/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/plugin/generate.h"

#include <string.h>

#include "gen/plugin/check.h"
#include "gen/plugin/emit.h"
#include "gen/plugin/names.h"
#include "gen/plugin/request.h"

typedef Google__Protobuf__Compiler__CodeGeneratorResponse response_type;
typedef Google__Protobuf__Compiler__CodeGeneratorResponse__File output_type;

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
static void emit_all(const struct model *model, response_type *response)
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

void generate(const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
              Google__Protobuf__Compiler__CodeGeneratorResponse *response, struct pool *pool,
              struct errors *errors)
{
    struct model model;

    if (request_check(request, errors)) {
        model_build(&model, pool, errors, request);
        check_supported(&model);
        check_parameter(&model, request->parameter);
        if (errors->lines.length == 0)
            emit_all(&model, response);
        model_done(&model);
    }
    if (errors->lines.length > 0) {
        response->n_file = 0;
        response->error = pool_strdup(pool, text_string(&errors->lines));
    }
}
