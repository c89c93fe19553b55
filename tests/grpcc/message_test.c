/* SPDX-License-Identifier: Apache-2.0 */
#include <grpcc/arena.h>
#include <grpcc/message.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grpcc/testing.grpcc.h"

/* Field tags of grpcc.testing.Ask. */
enum { TEXT = 0x0A, COUNT = 0x10, INNER = 0x2A, MANY = 0x32, NUMBERS = 0x3A, NAMES = 0x42 };

struct state {
    struct grpcc_arena *arena;
    struct grpcc_error err;
};

static int setup(void **state)
{
    struct state *s = calloc(1, sizeof(*s));
    s->arena = grpcc_arena_new(0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct state *s = *state;
    grpcc_arena_free(s->arena);
    free(s);
    return 0;
}

/* Decodes and checks the status; the output is untouched on failure. */
static struct grpcc_testing_ask *must_unpack(struct state *s, enum grpcc_status expected,
                                             const void *data, size_t size,
                                             const struct grpcc_message_limits *limits)
{
    static char untouched;
    void *message = &untouched;
    enum grpcc_status status = grpcc_message_unpack(s->arena, &grpcc_testing_ask_descriptor, limits,
                                                    data, size, &message, &s->err);
    assert_int_equal(status, expected);
    if (status)
        assert_ptr_equal(message, &untouched);
    return status ? NULL : message;
}

static void a_message_survives_packing(void **state)
{
    struct state *s = *state;
    struct grpcc_testing_ask *message = grpcc_testing_ask_new(s->arena);
    grpcc_testing_ask_set_text(message, "gr\xc3\xbc\xc3\x9f");
    message->count = 7;
    message->inner = grpcc_testing_ask_new(s->arena);
    assert_true(grpcc_testing_ask_add_names(s->arena, message, "a"));
    assert_true(grpcc_testing_ask_add_names(s->arena, message, ""));
    assert_true(grpcc_testing_ask_add_numbers(s->arena, message, UINT64_MAX));
    size_t size = 0;
    void *data = grpcc_message_pack(s->arena, &message->base, &size);
    assert_non_null(data);
    struct grpcc_testing_ask *copy = must_unpack(s, GRPCC_OK, data, size, NULL);
    assert_string_equal(copy->text, "gr\xc3\xbc\xc3\x9f");
    assert_int_equal(copy->count, 7);
    assert_non_null(copy->inner);
    assert_null(copy->inner->inner);
    assert_int_equal(copy->n_names, 2);
    assert_string_equal(copy->names[1], "");
    assert_true(copy->numbers[0] == UINT64_MAX);
}

static void an_empty_message_has_defaults(void **state)
{
    struct state *s = *state;
    struct grpcc_testing_ask *message = must_unpack(s, GRPCC_OK, NULL, 0, NULL);
    assert_string_equal(message->text, "");
    assert_int_equal(message->n_many, 0);
}

static void unknown_fields_are_kept(void **state)
{
    struct state *s = *state;
    static const uint8_t data[] = {0xA0, 0x06, 0x2A, TEXT, 1, 'x'}; /* field 100 = 42 */
    struct grpcc_testing_ask *message = must_unpack(s, GRPCC_OK, data, sizeof(data), NULL);
    assert_int_equal(message->base.n_unknown_fields, 1);
    struct grpcc_testing_ask *copy = grpcc_message_dup(s->arena, &message->base);
    assert_int_equal(copy->base.n_unknown_fields, 1);
    assert_int_equal(copy->base.unknown_fields[0].tag, 100);
    assert_string_equal(copy->text, "x");
}

/* depth messages in each other, all bytes of it; the caller frees. */
static uint8_t *nested(size_t depth, size_t *ret_size)
{
    enum { ROOM = 1 << 16 };
    uint8_t *buffer = malloc(ROOM);
    size_t start = ROOM;
    for (size_t i = 1; i < depth; i++) {
        size_t size = ROOM - start;
        uint8_t length[3] = {(uint8_t)(size | 0x80), (uint8_t)(size >> 7 | 0x80),
                             (uint8_t)(size >> 14)};
        start -= 3;
        memcpy(buffer + start, length, 3);
        buffer[--start] = INNER;
    }
    *ret_size = ROOM - start;
    memmove(buffer, buffer + start, *ret_size);
    return buffer;
}

static void depth_is_limited(void **state)
{
    struct state *s = *state;
    size_t size = 0;
    uint8_t *data = nested(100, &size);
    assert_non_null(must_unpack(s, GRPCC_OK, data, size, NULL));
    free(data);
    data = nested(101, &size);
    must_unpack(s, GRPCC_INVALID_ARGUMENT, data, size, NULL);
    assert_non_null(strstr(s->err.message, "nested too deeply"));
    free(data);
}

static void five_thousand_levels_are_refused_not_survived_by_luck(void **state)
{
    struct state *s = *state;
    size_t size = 0;
    uint8_t *data = nested(5000, &size);
    must_unpack(s, GRPCC_INVALID_ARGUMENT, data, size, NULL);
    free(data);
}

static void text_must_be_utf8(void **state)
{
    static const char *const bad[] = {
        "\x80",                      /* a continuation without a start */
        "\xc0\xaf",                  /* overlong */
        "\xe0\x80\xaf",              /* overlong */
        "\xf0\x80\x80\xaf",          /* overlong */
        "\xed\xa0\x80",              /* a surrogate */
        "\xf4\x90\x80\x80",          /* above U+10FFFF */
        "\xc3",                      /* cut off */
        "\xe2\x82",                  /* cut off */
        "plain text, then \xf8\x88", /* no such lead byte */
    };
    struct state *s = *state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t data[64] = {TEXT, (uint8_t)strlen(bad[i])};
        memcpy(data + 2, bad[i], strlen(bad[i]));
        must_unpack(s, GRPCC_INVALID_ARGUMENT, data, strlen(bad[i]) + 2, NULL);
        assert_string_equal(s->err.message, "text: not UTF-8 text without NUL");
    }
}

static void text_of_all_widths_is_accepted(void **state)
{
    static const char good[] = "a\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
                               "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf and more plain text";
    struct state *s = *state;
    uint8_t data[128] = {TEXT, sizeof(good) - 1};
    memcpy(data + 2, good, sizeof(good) - 1);
    assert_string_equal(must_unpack(s, GRPCC_OK, data, sizeof(good) + 1, NULL)->text, good);
}

static void a_nul_in_text_is_refused(void **state)
{
    struct state *s = *state;
    static const uint8_t data[] = {TEXT, 10, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 0, 'j'};
    must_unpack(s, GRPCC_INVALID_ARGUMENT, data, sizeof(data), NULL);
}

static void an_error_names_the_field_by_its_path(void **state)
{
    struct state *s = *state;
    /* inner { many {} many { names "ok" names 0xFF } } */
    static const uint8_t data[] = {INNER, 11, MANY, 0, MANY, 7, NAMES, 2, 'o', 'k', NAMES, 1, 0xFF};
    must_unpack(s, GRPCC_INVALID_ARGUMENT, data, sizeof(data), NULL);
    assert_string_equal(s->err.message, "inner.many[1].names[1]: not UTF-8 text without NUL");
}

static void malformed_bytes_are_refused(void **state)
{
    static const struct {
        uint8_t data[12];
        size_t size;
        const char *message;
    } bad[] = {
        {{TEXT}, 1, "message: cut off in a length"},
        {{TEXT, 5, 'a'}, 3, "message: longer than the message that holds it"},
        {{COUNT}, 1, "message: cut off in a number"},
        {{0x80}, 1, "message: cut off in a tag"},
        {{0x02, 0}, 2, "message: field number out of range"},
        {{0x0B, 0x0C}, 2, "message: groups are not supported"},
        {{0x08, 1}, 2, "text: wrong wire type"},
        {{COUNT, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01},
         12,
         "message: cut off in a number"},
        {{INNER, 2, TEXT, 9}, 4, "inner: longer than the message that holds it"},
        {{NUMBERS, 1, 0x80}, 3, "numbers[0]: cut off in a number"},
        {{0x52, 3, 0, 0, 0}, 5, "fixed[0]: length of a packed field"},
    };
    struct state *s = *state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        must_unpack(s, GRPCC_INVALID_ARGUMENT, bad[i].data, bad[i].size, NULL);
        assert_string_equal(s->err.message, bad[i].message);
    }
}

static void elements_are_limited(void **state)
{
    struct state *s = *state;
    struct grpcc_message_limits limits = {.elements_max = 3};
    static const uint8_t packed_3[] = {NUMBERS, 3, 1, 2, 3};
    static const uint8_t packed_4[] = {NUMBERS, 4, 1, 2, 3, 4};
    static const uint8_t messages_4[] = {MANY, 0, MANY, 0, INNER, 0, MANY, 0};
    assert_non_null(must_unpack(s, GRPCC_OK, packed_3, sizeof(packed_3), &limits));
    must_unpack(s, GRPCC_RESOURCE_EXHAUSTED, packed_4, sizeof(packed_4), &limits);
    must_unpack(s, GRPCC_RESOURCE_EXHAUSTED, messages_4, sizeof(messages_4), &limits);
    assert_string_equal(s->err.message, "many[2]: too many elements in this message");
}

/* Two bytes of wire for a whole struct: the memory allowance stops what the element count lets
 * through. */
static void a_bomb_of_empty_messages_is_refused(void **state)
{
    enum { N = 100000 };
    struct state *s = *state;
    uint8_t *data = malloc(2 * N);
    for (size_t i = 0; i < N; i++) {
        data[2 * i] = MANY;
        data[2 * i + 1] = 0;
    }
    must_unpack(s, GRPCC_RESOURCE_EXHAUSTED, data, 2 * N, NULL);
    assert_true(grpcc_arena_used(s->arena) < 2 * N * 32 + (64 << 10));
    free(data);
}

/* A singular message that comes again and again is merged once, at the price of one. */
static void many_merges_are_no_bomb(void **state)
{
    enum { N = 4000 };
    struct state *s = *state;
    uint8_t *data = malloc(6 * N);
    for (size_t i = 0; i < N; i++)
        memcpy(data + 6 * i, (uint8_t[]){INNER, 4, NUMBERS, 2, 1, 2}, 6);
    struct grpcc_testing_ask *ask = must_unpack(s, GRPCC_OK, data, 6 * N, NULL);
    assert_int_equal(ask->inner->n_numbers, 2 * N);
    assert_int_equal(ask->inner->numbers[2 * N - 1], 2);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_survives_packing, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_message_has_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_fields_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(depth_is_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(five_thousand_levels_are_refused_not_survived_by_luck,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(text_must_be_utf8, setup, teardown),
        cmocka_unit_test_setup_teardown(text_of_all_widths_is_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_nul_in_text_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_names_the_field_by_its_path, setup, teardown),
        cmocka_unit_test_setup_teardown(malformed_bytes_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(elements_are_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bomb_of_empty_messages_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(many_merges_are_no_bomb, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
