/* SPDX-License-Identifier: Apache-2.0 */
/* Generated structs as programs use them: defaults, presence, accessors, and the exact bytes on the
 * wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "corpus/legacy.grpcc.h"
#include "corpus/scalars.grpcc.h"
#include "corpus/shapes.grpcc.h"
#include "corpus/words.grpcc.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

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

static void must_pack_to(struct grpcc_arena *arena, const ProtobufCMessage *message,
                         const uint8_t *want, size_t want_size)
{
    size_t size = 0;
    void *data = grpcc_message_pack(arena, message, &size);

    assert_non_null(data);
    assert_int_equal(size, want_size);
    assert_memory_equal(data, want, want_size);
}

static void implicit_fields_are_never_null_and_zero_is_not_sent(void **state)
{
    struct corpus_v1_implicit *message = corpus_v1_implicit_new(*state);
    size_t size = 1;

    assert_non_null(message);
    assert_string_equal(message->a_string, "");
    assert_int_equal(message->a_bytes.len, 0);
    assert_int_equal(message->colour, CORPUS_V1_COLOUR_UNSPECIFIED);
    assert_non_null(corpus_v1_implicit_pack(*state, message, &size));
    assert_int_equal(size, 0);
    corpus_v1_implicit_set_a_string(message, "x");
    message->colour = CORPUS_V1_COLOUR_GREEN;
    must_pack_to(*state, &message->base, BYTES(0x72, 1, 'x', 0x80, 1, 40));
    corpus_v1_implicit_set_a_string(message, NULL);
    assert_string_equal(message->a_string, "");
    corpus_v1_implicit_set_a_bytes(message, "\0\1", 2);
    message->colour = CORPUS_V1_COLOUR_UNSPECIFIED;
    must_pack_to(*state, &message->base, BYTES(0x7a, 2, 0, 1));
}

static void explicit_zero_is_sent(void **state)
{
    struct corpus_v1_explicit *message = corpus_v1_explicit_new(*state);
    struct corpus_v1_explicit *back = NULL;
    size_t size = 0;
    void *data;

    assert_null(message->a_string);
    assert_null(message->message);
    assert_false(message->has_an_int32 || message->has_a_bytes || message->has_colour);
    corpus_v1_explicit_set_an_int32(message, 0);
    corpus_v1_explicit_set_a_string(message, "");
    corpus_v1_explicit_set_a_bytes(message, "", 0);
    corpus_v1_explicit_set_colour(message, CORPUS_V1_COLOUR_UNSPECIFIED);
    must_pack_to(*state, &message->base, BYTES(0x10, 0, 0x1a, 0, 0x22, 0, 0x78, 0));
    data = corpus_v1_explicit_pack(*state, message, &size);
    assert_int_equal(GRPCC_OK, corpus_v1_explicit_unpack(*state, NULL, data, size, &back, NULL));
    assert_true(back->has_an_int32 && back->has_a_bytes && back->has_colour);
    assert_false(back->has_a_bool || back->has_an_int64);
    assert_non_null(back->a_string);
    assert_null(back->message);
}

static void oneof_setters_set_the_case(void **state)
{
    struct corpus_v1_choices *message = corpus_v1_choices_new(*state);
    struct corpus_v1_outer *outer = corpus_v1_outer_new(*state);

    assert_int_equal(message->first_case, CORPUS_V1_CHOICES_FIRST_NOT_SET);
    assert_int_equal(message->second_case, CORPUS_V1_CHOICES_SECOND_NOT_SET);
    corpus_v1_choices_set_a_string(message, NULL);
    assert_int_equal(message->first_case, CORPUS_V1_CHOICES_FIRST_A_STRING);
    must_pack_to(*state, &message->base, BYTES(0x92, 1, 0));
    corpus_v1_choices_set_right(message, 0);
    corpus_v1_choices_set_outer(message, outer);
    assert_int_equal(message->first_case, CORPUS_V1_CHOICES_FIRST_OUTER);
    assert_ptr_equal(message->outer, outer);
    must_pack_to(*state, &message->base, BYTES(0x20, 0, 0xaa, 1, 0));
}

static void the_last_member_of_a_oneof_wins(void **state)
{
    static const uint8_t both[] = {0x92, 1, 1, 'a', 0x60, 7};
    struct corpus_v1_choices *message = NULL;

    assert_int_equal(GRPCC_OK,
                     corpus_v1_choices_unpack(*state, NULL, both, sizeof(both), &message, NULL));
    assert_int_equal(message->first_case, CORPUS_V1_CHOICES_FIRST_AN_INT32);
    assert_int_equal(message->an_int32, 7);
}

static void adders_keep_what_is_there(void **state)
{
    struct corpus_v1_repeated *message = corpus_v1_repeated_new(*state);

    for (int i = 0; i < 1000; i++) {
        assert_true(corpus_v1_repeated_add_an_int32(*state, message, i));
        assert_true(corpus_v1_repeated_add_a_string(*state, message, i % 2 ? "odd" : NULL));
        assert_true(corpus_v1_repeated_add_a_bytes(*state, message, "ab", (size_t)i % 3));
        assert_true(
            corpus_v1_repeated_add_message(*state, message, corpus_v1_implicit_new(*state)));
    }
    assert_int_equal(message->n_an_int32, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(message->an_int32[i], i);
        assert_string_equal(message->a_string[i], i % 2 ? "odd" : "");
        assert_int_equal(message->a_bytes[i].len, i % 3);
        assert_non_null(message->message[i]);
    }
}

/* libprotobuf-c decodes into arrays without room behind; programs set arrays of their own. Both
 * must be copied. */
static void adders_copy_arrays_that_are_not_theirs(void **state)
{
    static const uint8_t data[] = {0x1a, 5, 1, 2, 3, 4, 5};
    int32_t own[] = {7, 8, 9, -1};
    struct corpus_v1_repeated *message = NULL;
    int32_t *decoded;

    assert_int_equal(GRPCC_OK,
                     corpus_v1_repeated_unpack(*state, NULL, data, sizeof(data), &message, NULL));
    decoded = message->an_int32;
    assert_true(corpus_v1_repeated_add_an_int32(*state, message, 6));
    assert_ptr_not_equal(decoded, message->an_int32);
    assert_int_equal(message->an_int32[4], 5);
    assert_int_equal(message->an_int32[5], 6);
    message->an_int32 = own;
    message->n_an_int32 = 3;
    assert_true(corpus_v1_repeated_add_an_int32(*state, message, 10));
    assert_int_equal(own[3], -1);
    assert_int_equal(message->n_an_int32, 4);
    assert_int_equal(message->an_int32[0], 7);
    assert_int_equal(message->an_int32[3], 10);
}

static void adders_fail_without_room(void **state)
{
    struct grpcc_arena *tiny = grpcc_arena_new(1);
    struct corpus_v1_repeated *message = corpus_v1_repeated_new(*state);

    assert_false(corpus_v1_repeated_add_an_int32(tiny, message, 1));
    assert_int_equal(message->n_an_int32, 0);
    assert_null(corpus_v1_repeated_new(tiny));
    grpcc_arena_free(tiny);
}

static void maps_find_the_last_entry_of_a_key(void **state)
{
    static const uint8_t twice[] = {0x0a, 6, 0x0a, 1, 'k', 0x12, 1, '1',
                                    0x0a, 6, 0x0a, 1, 'k', 0x12, 1, '2'};
    struct corpus_v1_maps *maps = NULL;

    assert_int_equal(GRPCC_OK,
                     corpus_v1_maps_unpack(*state, NULL, twice, sizeof(twice), &maps, NULL));
    assert_int_equal(maps->n_labels, 2);
    assert_string_equal(corpus_v1_maps_find_labels(maps, "k")->value, "2");
    assert_null(corpus_v1_maps_find_labels(maps, "absent"));
    assert_true(corpus_v1_maps_put_labels(*state, maps, "k", "3"));
    assert_true(corpus_v1_maps_put_labels(*state, maps, "new", "4"));
    assert_int_equal(maps->n_labels, 3);
    assert_string_equal(corpus_v1_maps_find_labels(maps, "k")->value, "3");
    assert_string_equal(corpus_v1_maps_find_labels(maps, "new")->value, "4");
    assert_true(corpus_v1_maps_put_by_int64(*state, maps, -1, "raw", 3));
    assert_int_equal(corpus_v1_maps_find_by_int64(maps, -1)->value.len, 3);
    assert_true(corpus_v1_maps_put_by_bool(*state, maps, 0, corpus_other_thing_new(*state)));
    assert_null(corpus_v1_maps_find_by_bool(maps, 1));
    assert_non_null(corpus_v1_maps_find_by_bool(maps, 0)->value);
}

static void proto2_defaults_are_there_without_being_sent(void **state)
{
    static const uint8_t raw[] = {0, 1, '\n', '"', '\\', 0xff, 'x'};
    struct corpus_legacy_defaults *message = corpus_legacy_defaults_new(*state);
    size_t size = 1;

    assert_true(message->a_double == -1.5);
    assert_true(isinf(message->infinite) && message->infinite > 0);
    assert_true(isinf(message->negative) && message->negative < 0);
    assert_true(isnan(message->not_a_number));
    assert_int_equal(message->lowest32, INT32_MIN);
    assert_true(message->lowest64 == INT64_MIN);
    assert_int_equal(message->highest32, UINT32_MAX);
    assert_true(message->highest64 == UINT64_MAX);
    assert_true(message->yes);
    assert_string_equal(message->text, "a \"quoted\"\n?\?/ \\ caf\303\251");
    assert_int_equal(message->raw.len, sizeof(raw));
    assert_memory_equal(message->raw.data, raw, sizeof(raw));
    assert_int_equal(message->empty.len, 0);
    assert_int_equal(message->small, CORPUS_LEGACY_SIZE_SMALL);
    assert_int_equal(message->first, CORPUS_LEGACY_SIZE_LARGE);
    assert_null(message->plain);
    assert_true(message->large == 1e20f);
    assert_non_null(corpus_legacy_defaults_pack(*state, message, &size));
    assert_int_equal(size, 0);
}

static void required_fields_are_required(void **state)
{
    static const uint8_t part[] = {0x08, 1};
    struct corpus_legacy_required *message = corpus_legacy_required_new(*state), *back = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;

    assert_string_equal(message->text, "");
    assert_string_equal(message->named, "nobody");
    assert_int_equal(message->size, CORPUS_LEGACY_SIZE_LARGE);
    must_pack_to(*state, &message->base,
                 BYTES(0x08, 0, 0x12, 0, 0x18, 10, 0x22, 6, 'n', 'o', 'b', 'o', 'd', 'y'));
    assert_int_equal(GRPCC_INVALID_ARGUMENT,
                     corpus_legacy_required_unpack(*state, NULL, part, sizeof(part), &back, &err));
    assert_null(back);
}

static void unknown_fields_survive(void **state)
{
    static const uint8_t data[] = {0x9a, 6, 2, 'h', 'i', 0xa0, 6, 1};
    struct corpus_v1_empty *message = NULL;

    assert_int_equal(GRPCC_OK,
                     corpus_v1_empty_unpack(*state, NULL, data, sizeof(data), &message, NULL));
    message = corpus_v1_empty_dup(*state, message);
    assert_non_null(message);
    must_pack_to(*state, &message->base, data, sizeof(data));
}

static void presence_is_asked_and_cleared_alike(void **state)
{
    struct corpus_v1_explicit *message = corpus_v1_explicit_new(*state);
    struct corpus_v1_choices *choices = corpus_v1_choices_new(*state);

    assert_false(corpus_v1_explicit_has_an_int32(message));
    assert_false(corpus_v1_explicit_has_a_string(message));
    corpus_v1_explicit_set_an_int32(message, 0);
    corpus_v1_explicit_set_a_string(message, "");
    assert_true(corpus_v1_explicit_has_an_int32(message));
    assert_true(corpus_v1_explicit_has_a_string(message));
    corpus_v1_explicit_clear_an_int32(message);
    corpus_v1_explicit_clear_a_string(message);
    must_pack_to(*state, &message->base, NULL, 0);

    corpus_v1_choices_set_a_string(choices, "x");
    assert_true(corpus_v1_choices_has_a_string(choices));
    assert_false(corpus_v1_choices_has_a_double(choices));
    corpus_v1_choices_clear_a_double(choices); /* not the one that is set */
    assert_true(corpus_v1_choices_has_a_string(choices));
    corpus_v1_choices_clear_a_string(choices);
    assert_int_equal(choices->first_case, CORPUS_V1_CHOICES_FIRST_NOT_SET);
    corpus_v1_choices_set_a_double(choices, 1);
    corpus_v1_choices_clear_first(choices);
    must_pack_to(*state, &choices->base, NULL, 0);
}

static void maps_lose_every_entry_of_a_key(void **state)
{
    static const uint8_t data[] = {0x0a, 6, 0x0a, 1,    'k', 0x12, 1, '1', 0x0a, 6, 0x0a, 1, 'o',
                                   0x12, 1, '9',  0x0a, 6,   0x0a, 1, 'k', 0x12, 1, '2'};
    struct corpus_v1_maps *maps = NULL;

    assert_int_equal(GRPCC_OK,
                     corpus_v1_maps_unpack(*state, NULL, data, sizeof(data), &maps, NULL));
    assert_int_equal(maps->n_labels, 3);
    assert_true(corpus_v1_maps_remove_labels(maps, "k"));
    assert_false(corpus_v1_maps_remove_labels(maps, "k"));
    must_pack_to(*state, &maps->base, data + 8, 8);
    for (int i = 0; i < 9; i++)
        assert_true(
            corpus_v1_maps_put_labels(*state, maps, grpcc_arena_printf(*state, "%d", i), "v"));
    assert_string_equal(corpus_v1_maps_find_labels(maps, "o")->value, "9");
    assert_int_equal(maps->n_labels, 10);
}

static void enums_go_by_name_both_ways(void **state)
{
    enum corpus_v1_colour colour = CORPUS_V1_COLOUR_UNSPECIFIED;

    (void)state;
    assert_false(corpus_v1_colour_from_name("COLOUR_OF_NOTHING", &colour));
    assert_false(corpus_v1_colour_from_name("", &colour));
    assert_int_equal(colour, CORPUS_V1_COLOUR_UNSPECIFIED);
    for (unsigned i = 0; i < corpus_v1_colour_descriptor.n_value_names; i++) {
        const char *name = corpus_v1_colour_descriptor.values_by_name[i].name;

        assert_true(corpus_v1_colour_from_name(name, &colour));
        assert_non_null(corpus_v1_colour_name((int)colour));
    }
}

static void reserved_words_get_an_underscore(void **state)
{
    struct int_ *message = int__new(*state);

    message->int_ = 1;
    int__set_class(message, 0);
    int__set_new(message, 5);
    message->errno_ = 2;
    int__set_NULL(message, 3);
    assert_true(message->has_class && message->has_NULL);
    assert_int_equal(message->union_case, INT_UNION_NEW);
    must_pack_to(*state, &message->base, BYTES(0x08, 1, 0x18, 0, 0x28, 5, 0x40, 2, 0x60, 3));
    assert_int_equal(EOF_, 1);
    assert_string_equal(struct__name(namespace_), "namespace");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(implicit_fields_are_never_null_and_zero_is_not_sent),
        cmocka_unit_test(explicit_zero_is_sent),
        cmocka_unit_test(oneof_setters_set_the_case),
        cmocka_unit_test(the_last_member_of_a_oneof_wins),
        cmocka_unit_test(adders_keep_what_is_there),
        cmocka_unit_test(adders_copy_arrays_that_are_not_theirs),
        cmocka_unit_test(adders_fail_without_room),
        cmocka_unit_test(maps_find_the_last_entry_of_a_key),
        cmocka_unit_test(proto2_defaults_are_there_without_being_sent),
        cmocka_unit_test(required_fields_are_required),
        cmocka_unit_test(unknown_fields_survive),
        cmocka_unit_test(presence_is_asked_and_cleared_alike),
        cmocka_unit_test(maps_lose_every_entry_of_a_key),
        cmocka_unit_test(enums_go_by_name_both_ways),
        cmocka_unit_test(reserved_words_get_an_underscore),
    };

    return cmocka_run_group_tests(tests, make_arena, free_arena);
}
