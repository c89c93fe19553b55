/* SPDX-License-Identifier: Apache-2.0 */
/* What Debian's protoc would not hand to a plugin; the rest of the checks is in tests/gen/errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gen/plugin/check.h"

typedef Google__Protobuf__Compiler__CodeGeneratorRequest request_type;
typedef Google__Protobuf__FileDescriptorProto file_type;

static void editions_are_refused(void **state)
{
    file_type file = GOOGLE__PROTOBUF__FILE_DESCRIPTOR_PROTO__INIT;
    file_type *files[] = {&file};
    char name[] = "a.proto", syntax[] = "editions";
    char *names[] = {name};
    request_type request = GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_REQUEST__INIT;
    struct pool pool = {0};
    struct errors errors = {{0}};
    struct model model;

    (void)state;
    file.name = name;
    file.syntax = syntax;
    request.n_proto_file = request.n_file_to_generate = 1;
    request.proto_file = files;
    request.file_to_generate = names;
    model_build(&model, &pool, &errors, &request);
    check_supported(&model);
    assert_string_equal(text_string(&errors.lines),
                        "a.proto: syntax editions is not supported; use syntax = \"proto3\"");
    model_done(&model);
    text_done(&errors.lines);
    pool_done(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(editions_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
