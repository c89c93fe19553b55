/* SPDX-License-Identifier: Apache-2.0 */
#include "server/data/content_hash.h"
#include "tests/support/cmocka.h"

static void digest_is_that_of_core(void **state)
{
    struct comb_content_hash hash;
    uint8_t digest[COMB_SHA256_SIZE], expected[COMB_SHA256_SIZE];

    (void)state;
    comb_content_hash_init(&hash);
    assert_int_equal(comb_sha256(STR(""), expected, NULL), COMB_OK);
    comb_content_hash_digest(&hash, digest);
    assert_memory_equal(digest, expected, sizeof digest);
    comb_content_hash_update(&hash, STR("one "));
    comb_content_hash_digest(&hash, digest);
    comb_content_hash_update(&hash, STR("two"));
    comb_content_hash_digest(&hash, digest);
    assert_int_equal(comb_sha256(STR("one two"), expected, NULL), COMB_OK);
    assert_memory_equal(digest, expected, sizeof digest);
}

/* Put down and taken up again after every number of bytes up to three blocks. */
static void state_goes_on_elsewhere(void **state)
{
    static char bytes[200];
    uint8_t expected[COMB_SHA256_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    assert_int_equal(comb_sha256(comb_str_of(bytes, sizeof bytes), expected, NULL), COMB_OK);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        char buffer[COMB_DATA_HASH_STATE_MAX];
        uint8_t digest[COMB_SHA256_SIZE];
        struct comb_content_hash first, second;
        struct comb_data_hashed saved;

        comb_content_hash_init(&first);
        comb_content_hash_update(&first, comb_str_of(bytes, cut));
        saved = comb_content_hash_save(&first, buffer);
        if (cut == 0)
            saved.state.len = 0; /* as a new upload has it */
        assert_true(comb_content_hash_load(&saved, &second));
        comb_content_hash_update(&second, comb_str_of(bytes + cut, sizeof bytes - cut));
        comb_content_hash_digest(&second, digest);
        assert_memory_equal(digest, expected, sizeof digest);
    }
}

static void broken_state_is_refused(void **state)
{
    char buffer[COMB_DATA_HASH_STATE_MAX];
    struct comb_content_hash hash, loaded;
    struct comb_data_hashed saved;

    (void)state;
    comb_content_hash_init(&hash);
    comb_content_hash_update(&hash, STR("abc"));
    saved = comb_content_hash_save(&hash, buffer);
    saved.bytes++;
    assert_false(comb_content_hash_load(&saved, &loaded));
    saved.bytes--;
    buffer[0]++;
    assert_false(comb_content_hash_load(&saved, &loaded));
    buffer[0]--;
    assert_true(comb_content_hash_load(&saved, &loaded));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digest_is_that_of_core),
        cmocka_unit_test(state_goes_on_elsewhere),
        cmocka_unit_test(broken_state_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
