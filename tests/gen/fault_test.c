/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages without memory: the arena is full a little later in each run, and libjansson's
 * allocations fail one by one. Each function says so, or gives what it gives with all the memory.
 */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "corpus/known.grpcc.h"
#include "corpus/shapes.grpcc.h"
#include "grpcc/json.h"
#include "grpcc/wkt.h"

static const char text[] =
    "{\"time\":\"2026-01-31T23:59:59.500Z\",\"duration\":\"-1.000250s\",\"mask\":\"user.name,"
    "photo\","
    "\"object\":{\"a\":1.5,\"b\":{\"c\":null}},\"value\":[true,\"x\",[]],"
    "\"any\":{\"@type\":\"x/corpus.v1.Named\",\"plainName\":\"inside\"},\"aBytes\":\"AP/+\","
    "\"aString\":\"\",\"times\":[\"0001-01-01T00:00:00Z\"],\"values\":{\"k\":\"v\"}}";

static const ProtobufCMessageDescriptor *const types[] = {&corpus_v1_named_descriptor};
static const struct grpcc_json_options options = {
    .size = sizeof(options), .types = types, .n_types = 1};

/* Every step; false where one had no memory. */
static bool through_json(struct grpcc_arena *arena)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct corpus_v1_known *known = NULL, *copy = NULL;
    void *message = NULL;
    char *written = NULL;
    size_t size = 0;
    enum grpcc_status status = grpcc_json_decode(arena, &corpus_v1_known_descriptor, &options, text,
                                                 sizeof(text) - 1, &message, &err);
    if (!status) {
        void *packed = grpcc_message_pack(arena, message, &size);
        if (!packed)
            return false;
        status = corpus_v1_known_unpack(arena, NULL, packed, size, &known, &err);
    }
    if (!status) {
        copy = grpcc_message_dup(arena, &known->base);
        if (!copy)
            return false;
        status = grpcc_json_encode(arena, &copy->base, &options, &written, &size, &err);
    }
    if (status) {
        /* What libjansson could not allocate while it read may look like a fault of the text. */
        assert_true(status == GRPCC_RESOURCE_EXHAUSTED || status == GRPCC_INVALID_ARGUMENT);
        assert_true(err.message[0] != '\0');
        return false;
    }
    assert_string_equal(written, text);
    return true;
}

/* What generated code grows: repeated fields and maps, an Any. */
static bool through_setters(struct grpcc_arena *arena)
{
    enum { N = 40 };
    struct corpus_v1_maps *maps = corpus_v1_maps_new(arena);
    struct corpus_v1_named *named = corpus_v1_named_new(arena);
    if (!maps || !named)
        return false;
    for (int i = 0; i < N; i++) {
        char *key = grpcc_arena_printf(arena, "key %d", i);
        if (!key || !corpus_v1_named_add_some_numbers(arena, named, i) ||
            !corpus_v1_maps_put_labels(arena, maps, key, "value"))
            return false;
        /* What had room is there, whatever comes after. */
        assert_int_equal(named->n_some_numbers, i + 1);
        assert_non_null(corpus_v1_maps_find_labels(maps, key));
    }
    struct google_protobuf_any *any = grpcc_any_pack(arena, &named->base);
    return any && grpcc_any_is(any, &corpus_v1_named_descriptor);
}

static void a_full_arena_is_told(void **state)
{
    static bool (*const steps[])(struct grpcc_arena * arena) = {through_json, through_setters};
    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        unsigned refused = 0;
        bool done = false;
        for (size_t limit = 16; !done && limit < 1 << 20; limit += 16) {
            struct grpcc_arena *arena = grpcc_arena_new(limit);
            done = arena && steps[i](arena);
            assert_true(done || !arena || grpcc_arena_failed(arena));
            refused += !done;
            grpcc_arena_free(arena);
        }
        assert_true(done);
        assert_true(refused > 20);
    }
}

static unsigned calls, failing = UINT32_MAX;
static long live;

static void *faulty(size_t size)
{
    void *pointer = calls++ == failing ? NULL : malloc(size);
    live += pointer != NULL;
    return pointer;
}

static void counted_free(void *pointer)
{
    live -= pointer != NULL;
    free(pointer);
}

static void no_allocation_of_json_is_lost(void **state)
{
    bool done = false;
    (void)state;
    json_set_alloc_funcs(faulty, counted_free);
    for (failing = 0; !done; failing++) {
        struct grpcc_arena *arena = grpcc_arena_new(0);
        assert_non_null(arena);
        calls = 0;
        through_json(arena);
        done = calls <= failing;
        grpcc_arena_free(arena);
        assert_int_equal(live, 0);
    }
    assert_true(failing > 100);
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_arena_is_told),
        cmocka_unit_test(no_allocation_of_json_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
