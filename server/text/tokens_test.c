/* SPDX-License-Identifier: Apache-2.0 */
#include "server/text/tokens.h"

#include <stdio.h>

#include "tests/support/cmocka.h"

/* The terms of a text, one blank between them; a prefix ends with "*". */
static void must_be_as(comb_str text, enum comb_text_use use, const char *expected)
{
    static char all[1 << 16];
    struct comb_text_tokens tokens;
    struct comb_text_token token;
    size_t length = 0;
    uint32_t position = 0;
    comb_text_tokens_init(&tokens, text, use);
    all[0] = 0;
    while (comb_text_tokens_next(&tokens, &token)) {
        assert_int_equal(token.position, position++);
        assert_true(token.start < token.end && token.end <= text.len);
        length +=
            (size_t)snprintf(all + length, sizeof all - length, "%s%.*s%s", length > 0 ? " " : "",
                             COMB_STR_ARG(token.term), token.is_prefix ? "*" : "");
    }
    assert_string_equal(all, expected);
}

static void must_be(const char *text, const char *expected)
{
    must_be_as(comb_str_from(text), COMB_TEXT_STORE, expected);
}

static void words_are_letters_and_digits(void **state)
{
    (void)state;
    must_be("", "");
    must_be(" \t\n.,;", "");
    must_be("Hello, World!", "hello world");
    must_be("IMG_1234.JPG", "img 1234 jpg");
    must_be("annual-report (final) v2.docx", "annual report final v2 docx");
    must_be("don't", "don t");
    must_be("3.14 1,000 2024-05-06T07:08", "3 14 1 000 2024 05 06t07 08");
    must_be("a\xe2\x80\x94"
            "b",
            "a b");
}

static void case_is_folded_in_all_scripts(void **state)
{
    (void)state;
    must_be("STRASSE Straße", "strasse strasse");
    must_be("ΣΊΣΥΦΟΣ Σίσυφος", "σισυφοσ σισυφοσ");
    must_be("МОСКВА Москва", "москва москва");
    must_be("İstanbul ISTANBUL", "istanbul istanbul");
    must_be("ǅ", "dz");
    must_be("ᎠᎡ ԱԲ", "ᎠᎡ աբ");
}

static void marks_that_people_leave_out_are_left_out(void **state)
{
    (void)state;
    must_be("Résumé naïve Ångström Zürich", "resume naive angstrom zurich");
    /* Composed or not. */
    must_be("e\xcc\x81"
            "te\xcc\x81",
            "ete");
    must_be("Việt Hà", "viet ha");
    must_be("ёлка йод", "елка иод");
    must_be("שָׁלוֹם", "שלום");
    must_be("مُحَمَّد", "محمد");
    must_be("ά", "α");
}

static void marks_that_are_sounds_stay(void **state)
{
    (void)state;
    must_be("हिन्दी", "हिन्दी");
    must_be("தமிழ்", "தமிழ்");
    /* か is not が, composed or not. */
    must_be("が", "が");
    must_be("か\xe3\x82\x99", "が");
    must_be("か", "か");
}

static void compatibility_forms_are_one(void **state)
{
    (void)state;
    must_be("ﬁle ｆｕｌｌ Ｗidth ①", "file full width 1");
    must_be("½", "1 2");
    must_be("㎏ ㎐", "kg hz");
    must_be("ｶﾞｷﾞ", "ガギ ギ");
    must_be("soft\xc2\xadhyphen zero\xe2\x80\x8dwidth", "softhyphen zerowidth");
}

static void digits_of_all_scripts_are_the_same(void **state)
{
    (void)state;
    must_be("٢٠٢٤ २०२४ ２０２４ 𝟐𝟎𝟐𝟒", "2024 2024 2024 2024");
    must_be("๒๐๒๔", "2024");
}

static void scripts_without_spaces_are_cut_into_pairs(void **state)
{
    (void)state;
    must_be("東京都", "東京 京都 都");
    must_be("東", "東");
    must_be("東京タワーhas333m", "東京 京タ タワ ワー ー has333m");
    must_be("안녕", "안녕 녕");
    /* The same syllables decomposed. */
    must_be("\xe1\x84\x8b\xe1\x85\xa1\xe1\x86\xab\xe1\x84\x82\xe1\x85\xa7\xe1\x86\xbc", "안녕 녕");
    must_be("ไทย", "ไท ทย ย");
    must_be("中文。英文", "中文 文 英文 文");
    must_be("𠮷野家", "𠮷野 野家 家");
}

static void what_is_asked_matches_what_is_stored(void **state)
{
    (void)state;
    must_be_as(STR("東京"), COMB_TEXT_ASK, "東京");
    must_be_as(STR("東京都"), COMB_TEXT_ASK, "東京 京都");
    /* One alone begins a term wherever it stands. */
    must_be_as(STR("京"), COMB_TEXT_ASK, "京*");
    must_be_as(STR("東京 abc"), COMB_TEXT_ASK, "東京 京 abc");
    must_be_as(STR("京 abc"), COMB_TEXT_ASK, "京 abc");
    must_be_as(STR("hello world"), COMB_TEXT_ASK, "hello world");
    must_be_as(STR("hello wor"), COMB_TEXT_ASK_PREFIX, "hello wor*");
    must_be_as(STR("hello wor!"), COMB_TEXT_ASK_PREFIX, "hello wor*");
    must_be_as(STR("東京タ"), COMB_TEXT_ASK_PREFIX, "東京 京タ タ*");
    must_be_as(STR("..."), COMB_TEXT_ASK_PREFIX, "");
}

static void offsets_are_those_of_the_text(void **state)
{
    (void)state;
    const comb_str text = STR("  Ça va, 東京都?");
    struct comb_text_tokens tokens;
    struct comb_text_token token;
    const char *expected[] = {"Ça", "va", "東京", "京都", "都"};
    comb_text_tokens_init(&tokens, text, COMB_TEXT_STORE);
    for (size_t i = 0; i < 5; i++) {
        assert_true(comb_text_tokens_next(&tokens, &token));
        assert_true(comb_str_equal(comb_str_of(text.ptr + token.start, token.end - token.start),
                                   comb_str_from(expected[i])));
    }
    assert_false(comb_text_tokens_next(&tokens, &token));
}

static void what_is_no_text_separates(void **state)
{
    (void)state;
    must_be_as(STR("a\xff\xfe"
                   "b\xc3"),
               COMB_TEXT_STORE, "a b");
    must_be_as(STR("a\0b"), COMB_TEXT_STORE, "a b");
    must_be_as(STR("\xed\xa0\x80"), COMB_TEXT_STORE, "");
    must_be_as(STR("\xf4\x90\x80\x80x"), COMB_TEXT_STORE, "x");
    must_be("\xcc\x81\xcc\x81", "");
    /* The longest decomposition that there is. */
    must_be("ﷺ", "صلى الله عليه وسلم");
}

static void long_words_are_cut_alike(void **state)
{
    (void)state;
    char text[3000], expected[COMB_TEXT_TERM_CHARS_MAX + 1];
    memset(text, 'x', sizeof text);
    memset(expected, 'x', sizeof expected);
    expected[COMB_TEXT_TERM_CHARS_MAX] = 0;
    must_be_as(comb_str_of(text, sizeof text), COMB_TEXT_STORE, expected);
    /* A heap of marks on one character. */
    for (size_t i = 3; i + 3 <= sizeof text; i += 3)
        memcpy(text + i, "\xe0\xa4\xbf", 3);
    memcpy(text, "\xe0\xa4\x95", 3);
    struct comb_text_tokens tokens;
    struct comb_text_token token;
    comb_text_tokens_init(&tokens, comb_str_of(text, sizeof text), COMB_TEXT_STORE);
    assert_true(comb_text_tokens_next(&tokens, &token));
    assert_true(token.term.len <= COMB_TEXT_TERM_BYTES_MAX && comb_str_is_utf8(token.term));
    assert_int_equal(token.end, sizeof text);
    assert_false(comb_text_tokens_next(&tokens, &token));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_letters_and_digits),
        cmocka_unit_test(case_is_folded_in_all_scripts),
        cmocka_unit_test(marks_that_people_leave_out_are_left_out),
        cmocka_unit_test(marks_that_are_sounds_stay),
        cmocka_unit_test(compatibility_forms_are_one),
        cmocka_unit_test(digits_of_all_scripts_are_the_same),
        cmocka_unit_test(scripts_without_spaces_are_cut_into_pairs),
        cmocka_unit_test(what_is_asked_matches_what_is_stored),
        cmocka_unit_test(offsets_are_those_of_the_text),
        cmocka_unit_test(what_is_no_text_separates),
        cmocka_unit_test(long_words_are_cut_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
