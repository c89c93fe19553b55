/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/hash.h"

#include "tests/support/support.h"

static struct grpcc_arena *arena;

static void sha256_of_known_texts(void **state)
{
    (void)state;
    uint8_t digest[COMB_SHA256_SIZE];
    must_ok(comb_sha256(STR(""), digest, NULL), NULL);
    assert_string_equal(comb_hex_encode(arena, comb_str_of(digest, sizeof digest)),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    must_ok(comb_sha256(STR("abc"), digest, NULL), NULL);
    assert_string_equal(comb_hex_encode(arena, comb_str_of(digest, sizeof digest)),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void pieces_and_whole_agree_and_it_begins_anew(void **state)
{
    (void)state;
    struct comb_sha256 sha;
    uint8_t whole[COMB_SHA256_SIZE], pieces[COMB_SHA256_SIZE];
    must_ok(comb_sha256(STR("abc"), whole, NULL), NULL);
    must_ok(comb_sha256_init(&sha, NULL), NULL);
    for (int i = 0; i < 2; i++) {
        comb_sha256_update(&sha, "a", 1);
        comb_sha256_update(&sha, "bc", 2);
        comb_sha256_finish(&sha, pieces);
        assert_memory_equal(whole, pieces, sizeof whole);
    }
    comb_sha256_done(&sha);
}

static void hmac_of_rfc_4231(void **state)
{
    (void)state;
    uint8_t mac[COMB_SHA256_SIZE];
    must_ok(comb_hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), mac, NULL), NULL);
    assert_string_equal(comb_hex_encode(arena, comb_str_of(mac, sizeof mac)),
                        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void hex_there_and_back(void **state)
{
    (void)state;
    uint8_t data[3] = {1, 2, 3};
    assert_true(comb_hex_decode(STR("00fFa5"), data, 3));
    assert_memory_equal(data, "\x00\xFF\xA5", 3);
    assert_false(comb_hex_decode(STR("00ff"), data, 3));
    assert_false(comb_hex_decode(STR("00ffg0"), data, 3));
    assert_false(comb_hex_decode(STR("00ff0"), data, 2));
    assert_memory_equal(data, "\x00\xFF\xA5", 3);
}

static void base64url_of_rfc_4648(void **state)
{
    const struct {
        comb_str plain, text;
    } samples[] = {
        {STR(""), STR("")},           {STR("f"), STR("Zg")},
        {STR("fo"), STR("Zm8")},      {STR("foo"), STR("Zm9v")},
        {STR("foob"), STR("Zm9vYg")}, {STR("\xFB\xFF\xBF"), STR("-_-_")},
        {STR("\0"), STR("AA")},       {STR("\0\0\0\0"), STR("AAAAAA")},
    };
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        comb_str back;
        assert_string_equal(comb_base64url_encode(arena, samples[i].plain), samples[i].text.ptr);
        assert_true(comb_base64url_decode(arena, samples[i].text, &back));
        assert_true(comb_str_equal(back, samples[i].plain));
    }
}

static void base64url_has_one_text_for_a_value(void **state)
{
    const comb_str bad[] = {STR("Z"),    STR("Zg=="),  STR("Zh"),   STR("Zm9"), STR("+/+/"),
                            STR("Zg\n"), STR("Zm9v!"), STR("Zm 9"), STR("Zg=")};
    (void)state;
    comb_str back;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(comb_base64url_decode(arena, bad[i], &back));
}

static void secrets_are_compared_whole(void **state)
{
    (void)state;
    assert_true(comb_secret_equal(STR("abc"), STR("abc")));
    assert_false(comb_secret_equal(STR("abc"), STR("abd")));
    assert_false(comb_secret_equal(STR("abc"), STR("ab")));
    assert_true(comb_secret_equal(STR(""), (comb_str){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_of_known_texts),
        cmocka_unit_test(pieces_and_whole_agree_and_it_begins_anew),
        cmocka_unit_test(hmac_of_rfc_4231),
        cmocka_unit_test(hex_there_and_back),
        cmocka_unit_test(base64url_of_rfc_4648),
        cmocka_unit_test(base64url_has_one_text_for_a_value),
        cmocka_unit_test(secrets_are_compared_whole),
    };
    arena = grpcc_arena_new(0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    grpcc_arena_free(arena);
    return failed;
}
