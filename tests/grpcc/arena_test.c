/* SPDX-License-Identifier: Apache-2.0 */
#include <grpcc/arena.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void items_are_aligned_and_distinct(void **state)
{
    (void)state;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    unsigned char *last = NULL;
    for (size_t size = 0; size < 3000; size += 7) {
        unsigned char *item = grpcc_arena_alloc(arena, size);
        assert_non_null(item);
        assert_int_equal((uintptr_t)item % 16, 0);
        memset(item, 0xA5, size);
        if (last && size > 7)
            assert_int_equal(last[0], 0xA5);
        last = item;
    }
    grpcc_arena_free(arena);
}

static void the_limit_holds_and_reset_clears_the_failure(void **state)
{
    (void)state;
    struct grpcc_arena *arena = grpcc_arena_new(1000);
    assert_non_null(grpcc_arena_alloc(arena, 900));
    assert_false(grpcc_arena_failed(arena));
    assert_null(grpcc_arena_alloc(arena, 200));
    assert_true(grpcc_arena_failed(arena));
    assert_int_equal(grpcc_arena_used(arena), 900);
    grpcc_arena_reset(arena);
    assert_false(grpcc_arena_failed(arena));
    assert_int_equal(grpcc_arena_used(arena), 0);
    assert_non_null(grpcc_arena_alloc(arena, 1000));
    grpcc_arena_free(arena);
}

static void a_count_that_overflows_is_refused(void **state)
{
    (void)state;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    assert_null(grpcc_arena_calloc(arena, SIZE_MAX / 2, 4));
    assert_true(grpcc_arena_failed(arena));
    grpcc_arena_free(arena);
}

static void calloc_and_zalloc_are_zeroed_after_reset(void **state)
{
    static const unsigned char zero[64];
    (void)state;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    void *dirty = grpcc_arena_alloc(arena, 64);
    memset(dirty, 0xFF, 64);
    grpcc_arena_reset(arena);
    assert_memory_equal(grpcc_arena_zalloc(arena, 64), zero, 64);
    assert_memory_equal(grpcc_arena_calloc(arena, 8, 8), zero, 64);
    grpcc_arena_free(arena);
}

static void strings_are_copied(void **state)
{
    (void)state;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    assert_string_equal(grpcc_arena_strdup(arena, "comb"), "comb");
    assert_string_equal(grpcc_arena_strndup(arena, "combs", 4), "comb");
    assert_string_equal(grpcc_arena_strndup(arena, "comb", 9), "comb");
    assert_string_equal(grpcc_arena_printf(arena, "%d-%s", 7, "x"), "7-x");
    assert_memory_equal(grpcc_arena_memdup(arena, "a\0b", 3), "a\0b", 3);
    grpcc_arena_free(arena);
}

struct trace {
    char text[8];
    size_t length;
};

struct step {
    struct trace *trace;
    char letter;
};

static void note_step(void *data)
{
    struct step *step = data;
    step->trace->text[step->trace->length++] = step->letter;
}

static void cleanups_run_newest_first_and_once(void **state)
{
    (void)state;
    struct trace trace = {{0}, 0};
    struct step a = {&trace, 'a'}, b = {&trace, 'b'}, c = {&trace, 'c'};
    struct grpcc_arena *arena = grpcc_arena_new(0);
    assert_true(grpcc_arena_on_free(arena, note_step, &a));
    assert_true(grpcc_arena_on_free(arena, note_step, &b));
    grpcc_arena_reset(arena);
    assert_true(grpcc_arena_on_free(arena, note_step, &c));
    grpcc_arena_free(arena);
    assert_string_equal(trace.text, "bac");
}

static unsigned allocations_left;

static void *failing_alloc(size_t size)
{
    if (allocations_left == 0)
        return NULL;
    allocations_left--;
    return malloc(size);
}

static void a_failed_allocation_is_a_null_and_a_flag(void **state)
{
    (void)state;
    allocations_left = 0;
    assert_null(grpcc_arena_new(0));
    allocations_left = 1;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    assert_non_null(arena);
    assert_null(grpcc_arena_alloc(arena, 100000));
    assert_true(grpcc_arena_failed(arena));
    grpcc_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_aligned_and_distinct),
        cmocka_unit_test(the_limit_holds_and_reset_clears_the_failure),
        cmocka_unit_test(a_count_that_overflows_is_refused),
        cmocka_unit_test(calloc_and_zalloc_are_zeroed_after_reset),
        cmocka_unit_test(strings_are_copied),
        cmocka_unit_test(cleanups_run_newest_first_and_once),
        cmocka_unit_test(a_failed_allocation_is_a_null_and_a_flag),
    };
    static const struct grpcc_allocator allocator = {failing_alloc, realloc, free};
    grpcc_set_allocator(&allocator);
    allocations_left = 1000;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
