/* SPDX-License-Identifier: Apache-2.0 */
/* Inflating under a limit: what comes out, what is refused, and what it may cost. */
#include <grpcc/arena.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gen/runtime/src/core/inflate.h"
#include "gen/runtime/src/message/memory.h"
#include "tests/grpcc/deflated.h"

static const enum grpcc_compression both[] = {GRPCC_COMPRESSION_DEFLATE, GRPCC_COMPRESSION_GZIP};

/* ---- an allocator that counts and can fail ---- */

static size_t largest, allocations, failing;

static bool fails(size_t size)
{
    if (size > largest)
        largest = size;
    return ++allocations == failing;
}

static void *counting_alloc(size_t size)
{
    return fails(size) ? NULL : malloc(size);
}

static void *counting_realloc(void *pointer, size_t size)
{
    return fails(size) ? NULL : realloc(pointer, size);
}

static const struct grpcc_allocator counting = {counting_alloc, counting_realloc, free};

static void count_from_here(size_t fail_at)
{
    largest = 0;
    allocations = 0;
    failing = fail_at;
}

/* ---- what comes out ---- */

static void must_give(enum grpcc_compression compression, const void *data, size_t size,
                      size_t bytes_max, size_t expected)
{
    uint8_t *inflated = NULL;
    size_t inflated_size = 0;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    enum grpcc_status status =
        grpcc_inflate(compression, data, size, bytes_max, &inflated, &inflated_size, &err);
    if (status)
        print_error("%s\n", err.message);
    assert_int_equal(status, GRPCC_OK);
    assert_int_equal(inflated_size, expected);
    for (size_t i = 0; i < inflated_size; i++)
        assert_int_equal(inflated[i], 'x');
    assert_int_equal(inflated != NULL, expected != 0);
    grpcc_memory_free(inflated);
}

static void must_refuse(enum grpcc_compression compression, const void *data, size_t size,
                        size_t bytes_max, enum grpcc_status expected, const char *says)
{
    uint8_t *inflated = NULL;
    size_t inflated_size = 0;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    enum grpcc_status status =
        grpcc_inflate(compression, data, size, bytes_max, &inflated, &inflated_size, &err);
    assert_int_equal(status, expected);
    if (!strstr(err.message, says))
        fail_msg("\"%s\" does not say \"%s\"", err.message, says);
    assert_null(inflated);
    assert_int_equal(inflated_size, 0);
}

static void every_size_up_to_the_limit(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 4095, 4096, 4097, 8191, 8192, 8193, 100000, 1 << 20};
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t c = 0; c < 2; c++) {
            struct deflated made = deflated_new(both[c], NULL, 0, 'x', sizes[i]);
            must_give(both[c], made.data, made.size, sizes[i], sizes[i]);
            must_give(both[c], made.data, made.size, sizes[i] + 1, sizes[i]);
            must_give(both[c], made.data, made.size, SIZE_MAX, sizes[i]);
            if (sizes[i])
                must_refuse(both[c], made.data, made.size, sizes[i] - 1, GRPCC_RESOURCE_EXHAUSTED,
                            "inflates to more than the");
            free(made.data);
        }
    }
}

static void pieces_of_any_size(void **state)
{
    (void)state;
    struct deflated made = deflated_new(GRPCC_COMPRESSION_GZIP, NULL, 0, 'x', 50000);
    for (size_t piece = 1; piece <= made.size; piece++) {
        struct grpcc_inflate inflate;
        struct grpcc_error err = GRPCC_ERROR_INIT;
        uint8_t *data = NULL;
        size_t size = 0;
        assert_int_equal(grpcc_inflate_begin(&inflate, GRPCC_COMPRESSION_GZIP, 50000, &err),
                         GRPCC_OK);
        for (size_t at = 0; at < made.size; at += piece) {
            size_t n = made.size - at < piece ? made.size - at : piece;
            assert_int_equal(grpcc_inflate_feed(&inflate, made.data + at, n, &err), GRPCC_OK);
        }
        assert_int_equal(grpcc_inflate_end(&inflate, &data, &size, &err), GRPCC_OK);
        grpcc_inflate_done(&inflate);
        assert_int_equal(size, 50000);
        grpcc_memory_free(data);
    }
    free(made.data);
}

static void gzip_may_have_members(void **state)
{
    struct deflated member = deflated_new(GRPCC_COMPRESSION_GZIP, NULL, 0, 'x', 1000);
    struct deflated empty = deflated_new(GRPCC_COMPRESSION_GZIP, NULL, 0, 'x', 0);
    size_t size = 2 * member.size + empty.size;
    uint8_t *three = malloc(size);
    (void)state;
    memcpy(three, member.data, member.size);
    memcpy(three + member.size, empty.data, empty.size);
    memcpy(three + member.size + empty.size, member.data, member.size);
    must_give(GRPCC_COMPRESSION_GZIP, three, size, 2000, 2000);
    /* The limit is that of all members together. */
    must_refuse(GRPCC_COMPRESSION_GZIP, three, size, 1999, GRPCC_RESOURCE_EXHAUSTED, "1999 bytes");
    must_refuse(GRPCC_COMPRESSION_GZIP, three, size - 1, 2000, GRPCC_INTERNAL, "cut off");
    free(three);
    free(member.data);
    free(empty.data);
}

/* ---- what is refused ---- */

static void cut_off_anywhere(void **state)
{
    (void)state;
    for (size_t c = 0; c < 2; c++) {
        struct deflated made = deflated_new(both[c], "begin", 5, 'x', 300);
        for (size_t size = 0; size < made.size; size++)
            must_refuse(both[c], made.data, size, 1000, GRPCC_INTERNAL, "cut off");
        free(made.data);
    }
}

static void more_behind_the_end(void **state)
{
    (void)state;
    for (size_t c = 0; c < 2; c++) {
        struct deflated made = deflated_new(both[c], NULL, 0, 'x', 300);
        uint8_t *longer = malloc(made.size + 1);
        memcpy(longer, made.data, made.size);
        longer[made.size] = 0;
        must_refuse(both[c], longer, made.size + 1, 1000, GRPCC_INTERNAL, "");
        free(longer);
        free(made.data);
    }
}

static void other_bytes(void **state)
{
    (void)state;
    for (size_t c = 0; c < 2; c++) {
        must_refuse(both[c], "not compressed at all", 21, 1000, GRPCC_INTERNAL, "incorrect header");
        struct deflated other = deflated_new(both[1 - c], NULL, 0, 'x', 300);
        must_refuse(both[c], other.data, other.size, 1000, GRPCC_INTERNAL, "incorrect header");
        free(other.data);
        struct deflated made = deflated_new(both[c], NULL, 0, 'x', 300);
        made.data[made.size - 1] ^= 1; /* the check value, or the length */
        must_refuse(both[c], made.data, made.size, 1000, GRPCC_INTERNAL, "incorrect");
        free(made.data);
    }
    /* zlib's header with the bit that asks for a dictionary. */
    must_refuse(GRPCC_COMPRESSION_DEFLATE, "\x78\xBB\x00\x00\x00\x01\x00", 7, 1000, GRPCC_INTERNAL,
                "dictionary");
}

/* ---- what it may cost ---- */

static void a_bomb_costs_no_more_than_the_limit(void **state)
{
    enum { LIMIT = 100000, BOMB = 64 << 20 };
    (void)state;
    for (size_t c = 0; c < 2; c++) {
        struct deflated bomb = deflated_new(both[c], NULL, 0, 'x', BOMB);
        assert_true(bomb.size * 1000 < BOMB);
        count_from_here(0);
        must_refuse(both[c], bomb.data, bomb.size, LIMIT, GRPCC_RESOURCE_EXHAUSTED, "100000 bytes");
        assert_int_equal(largest, LIMIT);
        free(bomb.data);
    }
}

static void each_allocation_may_fail(void **state)
{
    struct deflated made = deflated_new(GRPCC_COMPRESSION_GZIP, NULL, 0, 'x', 20000);
    (void)state;
    count_from_here(0);
    must_give(GRPCC_COMPRESSION_GZIP, made.data, made.size, 20000, 20000);
    size_t n = allocations;
    assert_true(n >= 4);
    for (size_t i = 1; i <= n; i++) {
        count_from_here(i);
        must_refuse(GRPCC_COMPRESSION_GZIP, made.data, made.size, 20000, GRPCC_RESOURCE_EXHAUSTED,
                    "no memory");
    }
    count_from_here(0);
    free(made.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_up_to_the_limit),
        cmocka_unit_test(pieces_of_any_size),
        cmocka_unit_test(gzip_may_have_members),
        cmocka_unit_test(cut_off_anywhere),
        cmocka_unit_test(more_behind_the_end),
        cmocka_unit_test(other_bytes),
        cmocka_unit_test(a_bomb_costs_no_more_than_the_limit),
        cmocka_unit_test(each_allocation_may_fail),
    };
    grpcc_set_allocator(&counting);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
