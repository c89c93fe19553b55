/* SPDX-License-Identifier: Apache-2.0 */
#include "server/data/hashers.h"

#include <pthread.h>

#include "tests/support/support.h"

#define WRITERS 6
#define CHUNKS 40
#define CHUNK_MAX (300u << 10)

static struct comb_hashers *hashers;
static char bytes[CHUNK_MAX];

/* Chunks that are worth a thread, and others. */
static size_t chunk_size(size_t i)
{
    return i % 3 == 0 ? 1 + i : CHUNK_MAX - i;
}

/* Two hashes of the same bytes at once, as a part of an upload has. */
static void *write_content(void *data)
{
    struct comb_content_hash plain, one, other;
    uint8_t expected[COMB_SHA256_SIZE], digests[2][COMB_SHA256_SIZE];
    comb_content_hash_init(&plain);
    comb_content_hash_init(&one);
    comb_content_hash_init(&other);
    for (size_t i = 0; i < CHUNKS; i++) {
        const comb_str chunk = comb_str_of(bytes + i, chunk_size(i) - i);
        struct comb_hash_job first, second;
        comb_hashers_begin(hashers, &first, &one, chunk);
        comb_hashers_begin(hashers, &second, &other, chunk);
        comb_content_hash_update(&plain, chunk);
        comb_hashers_end(hashers, &first);
        comb_hashers_end(hashers, &second);
    }
    comb_content_hash_digest(&plain, expected);
    comb_content_hash_digest(&one, digests[0]);
    comb_content_hash_digest(&other, digests[1]);
    *(bool *)data = memcmp(digests[0], expected, sizeof expected) == 0 &&
                    memcmp(digests[1], expected, sizeof expected) == 0 &&
                    one.bytes == plain.bytes && other.bytes == plain.bytes;
    return NULL;
}

static void what_comes_out_is_the_hash_of_all_in_order(void **state)
{
    struct comb_error err = {0};
    pthread_t writers[WRITERS];
    bool same[WRITERS] = {false};
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    must_ok(comb_hashers_new(&hashers, &err), &err);
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_content, &same[i]), 0);
    for (size_t i = 0; i < WRITERS; i++) {
        pthread_join(writers[i], NULL);
        assert_true(same[i]);
    }
    comb_hashers_free(hashers);
}

static void none_is_fine_to_free(void **state)
{
    (void)state;
    comb_hashers_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_out_is_the_hash_of_all_in_order),
        cmocka_unit_test(none_is_fine_to_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
