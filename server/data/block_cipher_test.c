/* SPDX-License-Identifier: Apache-2.0 */
#include "server/data/block_cipher.h"

#include <stdlib.h>

#include "server/core/hash.h"
#include "tests/support/support.h"

static uint8_t key[COMB_BLOCK_KEY_BYTES];
static struct comb_uuid object;

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof object.bytes; i++)
        object.bytes[i] = (uint8_t)(0x10 + i);
    return 0;
}

static struct comb_block_cipher *cipher_of(bool seals, const struct comb_uuid *id)
{
    struct comb_block_cipher *cipher = NULL;
    struct comb_error err = {0};

    must_ok(comb_block_cipher_new(seals, key, id, &cipher, &err), &err);
    return cipher;
}

static enum comb_status open_block(const struct comb_uuid *id, uint64_t number, bool is_last,
                                   void *stored, size_t len)
{
    struct comb_block_cipher *cipher = cipher_of(false, id);
    enum comb_status status = comb_block_open(cipher, number, is_last, stored, len, NULL);

    comb_block_cipher_free(cipher);
    return status;
}

/* By another implementation (Python's cryptography), from the description of the format. */
static void blocks_are_those_of_the_format(void **state)
{
    static const struct {
        uint64_t number;
        bool is_last;
        const char *plain, *stored;
    } known[] = {
        {0, false, "comb", "6dd3d8bc425cdd07d9b5fad083142fd16dde84e4"},
        {0, true, "comb", "6dd3d8bcb9d75d1ad4dada2dc4881cb7d40d9a1d"},
        {1, true, "comb", "76b9d29ed1fa93f284c144e540545f4d1f262a03"},
        {0, true, "", "09f69c1eac1741a93450204363df1bda"},
    };
    struct comb_block_cipher *cipher = cipher_of(true, &object);
    struct comb_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        comb_str plain = comb_str_from(known[i].plain);
        size_t len = plain.len + COMB_BLOCK_TAG_BYTES;
        uint8_t stored[32], expected[32];

        assert_true(comb_hex_decode(comb_str_from(known[i].stored), expected, len));
        must_ok(comb_block_seal(cipher, known[i].number, known[i].is_last, plain, stored, &err),
                &err);
        assert_memory_equal(stored, expected, len);
        assert_int_equal(open_block(&object, known[i].number, known[i].is_last, stored, len),
                         COMB_OK);
        assert_memory_equal(stored, plain.ptr, plain.len);
    }
    comb_block_cipher_free(cipher);
}

static void what_was_changed_does_not_open(void **state)
{
    struct comb_block_cipher *cipher = cipher_of(true, &object);
    struct comb_uuid other = object;
    uint8_t stored[4 + COMB_BLOCK_TAG_BYTES], copy[sizeof stored];
    static const uint8_t wiped[sizeof stored];

    (void)state;
    other.bytes[0] ^= 1;
    assert_int_equal(comb_block_seal(cipher, 7, true, STR("comb"), stored, NULL), COMB_OK);
    comb_block_cipher_free(cipher);
    for (size_t bit = 0; bit < 8 * sizeof stored; bit++) {
        memcpy(copy, stored, sizeof copy);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(open_block(&object, 7, true, copy, sizeof copy), COMB_DATA_LOSS);
        assert_memory_equal(copy, wiped, sizeof copy);
    }
    const struct {
        const struct comb_uuid *object;
        uint64_t number;
        bool is_last;
        size_t len;
    } wrong[] = {
        {&object, 6, true, sizeof stored},
        {&object, 7, false, sizeof stored},
        {&other, 7, true, sizeof stored},
        {&object, 7, true, sizeof stored - 1},
        {&object, 7, true, COMB_BLOCK_TAG_BYTES - 1},
        {&object, 7, true, 0},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memcpy(copy, stored, sizeof copy);
        assert_int_equal(
            open_block(wrong[i].object, wrong[i].number, wrong[i].is_last, copy, wrong[i].len),
            COMB_DATA_LOSS);
    }
}

static void sizes_count_the_tags(void **state)
{
    static const struct {
        uint64_t size, blocks;
    } cases[] = {{0, 1},     {1, 1},      {65535, 1},  {65536, 1},
                 {65537, 2}, {131072, 2}, {131073, 3}, {1ULL << 44, 1ULL << 28}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(comb_blocks_of(cases[i].size) == cases[i].blocks);
        assert_true(comb_blocks_stored(cases[i].size) == cases[i].size + 16 * cases[i].blocks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_those_of_the_format),
        cmocka_unit_test(what_was_changed_does_not_open),
        cmocka_unit_test(sizes_count_the_tags),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
