/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What protoc hands to the generator: whatever it is, there are files, or there is an error, and
 * never the one without saying the other.
 */
#include "gen/plugin/generate.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Google__Protobuf__Compiler__CodeGeneratorResponse response =
        GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__INIT;
    Google__Protobuf__Compiler__CodeGeneratorRequest *request =
        google__protobuf__compiler__code_generator_request__unpack(NULL, size, data);
    struct errors errors = {0};
    struct pool pool = {0};
    if (!request)
        return 0;
    generate(request, &response, &pool, &errors);
    must((errors.lines.length > 0) == (response.error != NULL), "an error is told");
    must(!response.error || response.n_file == 0, "an error comes without files");
    for (size_t i = 0; i < response.n_file; i++)
        must(response.file[i]->name[0] && response.file[i]->content[0], "a file has a content");
    pool_done(&pool);
    text_done(&errors.lines);
    google__protobuf__compiler__code_generator_request__free_unpacked(request, NULL);
    return 0;
}
