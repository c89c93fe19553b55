/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors of enums, files, services and methods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus/known.grpcc.h"
#include "corpus/legacy.grpcc.h"
#include "corpus/scalars.grpcc.h"
#include "corpus/services.grpcc.h"
#include "corpus/shapes.grpcc.h"
#include "corpus/words.grpcc.h"
#include "google/protobuf/descriptor.grpcc.h"
#include "tests/gen/huge_enum.grpcc.h"

#define SET_BYTES_MAX (1u << 20)

/* argv[1]: the FileDescriptorSet of the corpus, as protoc writes it. */
static const char *set_path;

static const struct grpcc_file *const files[] = {
    &corpus_known_file,    &corpus_legacy_file,     &corpus_scalars_file,
    &corpus_services_file, &corpus_shapes_file,     &corpus_words_file,
    &corpus_options_file,  &corpus_other_deep_file, &corpus_other_thing_file,
};

static int make_arena(void **state)
{
    *state = grpcc_arena_new(0);
    return *state ? 0 : -1;
}

static int free_arena(void **state)
{
    grpcc_arena_free(*state);
    return 0;
}

static void enums_are_found_by_number_and_name(void **state)
{
    const ProtobufCEnumValue *value;

    (void)state;
    assert_int_equal(CORPUS_V1_COLOUR_NIGHT, -7);
    assert_string_equal(corpus_v1_colour_name(-7), "COLOUR_NIGHT");
    assert_string_equal(corpus_v1_colour_name(40), "COLOUR_GREEN");
    assert_null(corpus_v1_colour_name(3));
    assert_null(corpus_v1_colour_name(INT32_MAX));
    value =
        protobuf_c_enum_descriptor_get_value_by_name(&corpus_v1_colour_descriptor, "COLOUR_BLUE");
    assert_int_equal(value->value, 2);
    assert_string_equal(value->c_name, "CORPUS_V1_COLOUR_BLUE");
    assert_string_equal(corpus_v1_outer_kind_name(CORPUS_V1_OUTER_KIND_A), "KIND_A");
}

static void aliases_have_one_name_and_both_are_found(void **state)
{
    const ProtobufCEnumValue *value;

    (void)state;
    assert_int_equal(CORPUS_V1_ANSWER_YES, CORPUS_V1_ANSWER_AYE);
    assert_string_equal(corpus_v1_answer_name(1), "ANSWER_YES");
    assert_string_equal(corpus_v1_answer_name(INT32_MIN), "ANSWER_LOWEST");
    assert_string_equal(corpus_v1_answer_name(INT32_MAX), "ANSWER_HIGHEST");
    value =
        protobuf_c_enum_descriptor_get_value_by_name(&corpus_v1_answer_descriptor, "ANSWER_AYE");
    assert_int_equal(value->value, 1);
    assert_int_equal(corpus_v1_answer_descriptor.n_values + 1,
                     corpus_v1_answer_descriptor.n_value_names);
}

static void a_huge_enum_is_whole(void **state)
{
    char name[32];

    (void)state;
    assert_int_equal(corpus_huge_huge_descriptor.n_values, 5001);
    for (int i = 1; i <= 5000; i++) {
        int number = i * 3 - i % 3;
        const ProtobufCEnumValue *value;

        snprintf(name, sizeof(name), "HUGE_%d", i);
        assert_string_equal(corpus_huge_huge_name(number), name);
        value = protobuf_c_enum_descriptor_get_value_by_name(&corpus_huge_huge_descriptor, name);
        assert_non_null(value);
        assert_int_equal(value->value, number);
    }
}

static void fields_are_found_by_number_and_name(void **state)
{
    const ProtobufCMessageDescriptor *const messages[] = {
        &corpus_v1_implicit_descriptor,
        &corpus_v1_explicit_descriptor,
        &corpus_v1_repeated_descriptor,
        &corpus_v1_choices_descriptor,
        &corpus_legacy_lists_descriptor,
        &int__descriptor,
        &google_protobuf_file_descriptor_proto_descriptor,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        for (unsigned j = 0; j < messages[i]->n_fields; j++) {
            const ProtobufCFieldDescriptor *field = &messages[i]->fields[j];

            assert_true(j == 0 || field[-1].id < field->id);
            assert_ptr_equal(field,
                             protobuf_c_message_descriptor_get_field(messages[i], field->id));
            assert_ptr_equal(
                field, protobuf_c_message_descriptor_get_field_by_name(messages[i], field->name));
        }
        assert_null(protobuf_c_message_descriptor_get_field(messages[i], 536870910));
    }
    assert_int_equal(corpus_v1_empty_descriptor.n_fields, 0);
    assert_true(protobuf_c_message_descriptor_get_field(&corpus_legacy_lists_descriptor, 6)->flags &
                PROTOBUF_C_FIELD_FLAG_DEPRECATED);
}

static void packing_follows_syntax_and_option(void **state)
{
    const ProtobufCMessageDescriptor *modern = &corpus_v1_repeated_descriptor;
    const ProtobufCMessageDescriptor *legacy = &corpus_legacy_lists_descriptor;
    static const struct {
        unsigned number;
        bool modern;
        bool packed;
    } cases[] = {{3, true, true},  {13, true, true},  {14, true, false},
                 {16, true, true}, {18, true, false}, {1, false, false},
                 {2, false, true}, {3, false, false}, {536870911, true, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
            cases[i].modern ? modern : legacy, cases[i].number);

        assert_non_null(field);
        assert_int_equal(cases[i].packed, (field->flags & PROTOBUF_C_FIELD_FLAG_PACKED) != 0);
    }
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool has_symbol(const struct grpcc_file *file, const char *symbol)
{
    return bsearch(&symbol, file->symbols, file->n_symbols, sizeof(symbol), compare_strings);
}

static void symbols_are_sorted_and_complete(void **state)
{
    static const char *const shapes[] = {
        "corpus.v1.Filter",
        "corpus.v1.Filter.List",
        "corpus.v1.Filter.List.filters",
        "corpus.v1.Filter.and",
        "corpus.v1.Outer.Kind",
        "corpus.v1.Outer.KIND_A",
        "corpus.v1.Maps.LabelsEntry",
        "corpus.v1.Outer.Inner.HTTPRule.OAuth2Token",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        for (size_t j = 1; j < files[i]->n_symbols; j++)
            assert_true(strcmp(files[i]->symbols[j - 1], files[i]->symbols[j]) < 0);
    }
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        assert_true(has_symbol(&corpus_shapes_file, shapes[i]));
    assert_true(has_symbol(&corpus_scalars_file, "corpus.v1.COLOUR_RED"));
    assert_true(has_symbol(&corpus_options_file, "corpus.v1.rule"));
    assert_true(has_symbol(&corpus_shapes_file, "corpus.v1.Filter.which"));
    assert_true(has_symbol(&corpus_services_file, "corpus.v1.Echo"));
    assert_true(has_symbol(&corpus_services_file, "corpus.v1.Echo.Chat"));
    assert_true(has_symbol(&corpus_words_file, "namespace"));
    assert_false(has_symbol(&corpus_shapes_file, "corpus.other.Thing"));
}

static void imports_are_those_of_the_file(void **state)
{
    (void)state;
    assert_ptr_equal(corpus_shapes_file.imports[0], &corpus_other_thing_file);
    assert_ptr_equal(corpus_shapes_file.imports[1], &corpus_scalars_file);
    assert_null(corpus_shapes_file.imports[2]);
    assert_ptr_equal(corpus_options_file.imports[0], &google_protobuf_descriptor_file);
    assert_null(corpus_legacy_file.imports[0]);
    assert_string_equal(corpus_words_file.package, "");
    assert_string_equal(corpus_other_thing_file.name, "corpus/other/thing.proto");
    assert_string_equal(corpus_other_thing_file.package, "corpus.other");
}

static struct google_protobuf_file_descriptor_set *read_set(struct grpcc_arena *arena)
{
    struct google_protobuf_file_descriptor_set *set = NULL;
    uint8_t *data = grpcc_arena_alloc(arena, SET_BYTES_MAX);
    FILE *file = fopen(set_path, "rb");
    size_t size;

    assert_non_null(file);
    assert_non_null(data);
    size = fread(data, 1, SET_BYTES_MAX, file);
    fclose(file);
    assert_int_equal(
        GRPCC_OK, google_protobuf_file_descriptor_set_unpack(arena, NULL, data, size, &set, NULL));
    return set;
}

/* The bytes for reflection are those that protoc itself writes, proto3_optional and custom options
 * included. */
static void embedded_descriptors_are_protocs(void **state)
{
    struct google_protobuf_file_descriptor_set *set = read_set(*state);

    assert_int_equal(set->n_file, sizeof(files) / sizeof(files[0]));
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const struct google_protobuf_file_descriptor_proto *want = NULL;
        size_t size = 0;
        void *data;

        for (size_t j = 0; j < set->n_file; j++) {
            if (strcmp(set->file[j]->name, files[i]->name) == 0)
                want = set->file[j];
        }
        assert_non_null(want);
        data = google_protobuf_file_descriptor_proto_pack(*state, want, &size);
        assert_int_equal(size, files[i]->descriptor_size);
        assert_memory_equal(data, files[i]->descriptor, size);
    }
}

static void methods_carry_kind_and_options(void **state)
{
    static const enum grpcc_call_kind kinds[] = {
        GRPCC_UNARY, GRPCC_CLIENT_STREAM, GRPCC_SERVER_STREAM, GRPCC_BIDI_STREAM, GRPCC_UNARY,
    };
    /* deprecated = 33 first, then field 50999 with need "nothing" and limits 1, 2, 3. */
    static const uint8_t options[] = {0x88, 2,   1,   0xba, 0xf3, 0x18, 14, 0x0a, 7, 'n', 'o',
                                      't',  'h', 'i', 'n',  'g',  0x12, 3,  1,    2, 3};
    const struct grpcc_service *service = &corpus_v1_echo_service;

    (void)state;
    assert_string_equal(service->name, "corpus.v1.Echo");
    assert_ptr_equal(service->file, &corpus_services_file);
    assert_int_equal(service->n_methods, sizeof(kinds) / sizeof(kinds[0]));
    for (size_t i = 0; i < service->n_methods; i++)
        assert_int_equal(service->methods[i].kind, kinds[i]);
    assert_string_equal(service->methods[0].name, "Say");
    assert_string_equal(service->methods[0].path, "/corpus.v1.Echo/Say");
    assert_ptr_equal(service->methods[0].request, &corpus_v1_echo_request_descriptor);
    assert_ptr_equal(service->methods[4].response, &corpus_v1_rule_descriptor);
    assert_int_equal(service->methods[0].options_size, sizeof(options));
    assert_memory_equal(service->methods[0].options, options, sizeof(options));
    assert_string_equal(register__service.methods[0].path, "/Register/Delete");
    assert_null(register__service.methods[0].options);
    assert_int_equal(register__service.methods[0].options_size, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enums_are_found_by_number_and_name),
        cmocka_unit_test(aliases_have_one_name_and_both_are_found),
        cmocka_unit_test(a_huge_enum_is_whole),
        cmocka_unit_test(fields_are_found_by_number_and_name),
        cmocka_unit_test(packing_follows_syntax_and_option),
        cmocka_unit_test(symbols_are_sorted_and_complete),
        cmocka_unit_test(imports_are_those_of_the_file),
        cmocka_unit_test(embedded_descriptors_are_protocs),
        cmocka_unit_test(methods_carry_kind_and_options),
    };

    if (argc != 2) {
        fputs("usage: tables_test FILE_DESCRIPTOR_SET\n", stderr);
        return 2;
    }
    set_path = argv[1];
    return cmocka_run_group_tests(tests, make_arena, free_arena);
}
