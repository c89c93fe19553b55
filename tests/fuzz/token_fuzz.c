/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts cut into terms. Whatever the bytes are, terms are text within their limits, stand in order,
 * and what is asked with the whole text is found in it.
 */
#include "server/text/tokens.h"
#include "tests/fuzz/fuzz.h"

static void walk(comb_str text, enum comb_text_use use)
{
    struct comb_text_tokens tokens;
    struct comb_text_token token;
    uint32_t position = 0;
    size_t start = 0;
    comb_text_tokens_init(&tokens, text, use);
    while (comb_text_tokens_next(&tokens, &token)) {
        must(token.term.len > 0 && token.term.len <= COMB_TEXT_TERM_BYTES_MAX,
             "a term has bytes, and not too many");
        must(comb_str_is_utf8(token.term), "a term is UTF-8");
        must(memchr(token.term.ptr, ' ', token.term.len) == NULL, "a term has no blank");
        must(token.position == position++, "positions have no gap");
        must(token.start >= start && token.start < token.end && token.end <= text.len,
             "terms stand in the order of the text");
        must(use != COMB_TEXT_STORE || !token.is_prefix, "what is stored is whole");
        start = token.start;
    }
}

/* Each asked term is the stored one at its position. */
static void compare(comb_str text)
{
    struct comb_text_tokens stored, asked;
    struct comb_text_token have, want;
    comb_text_tokens_init(&stored, text, COMB_TEXT_STORE);
    comb_text_tokens_init(&asked, text, COMB_TEXT_ASK);
    while (comb_text_tokens_next(&asked, &want)) {
        must(comb_text_tokens_next(&stored, &have), "what is asked is stored");
        must(comb_str_equal(have.term, want.term), "what is asked is the same term");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const comb_str text = comb_str_of(data, size);
    walk(text, COMB_TEXT_STORE);
    /* Queries are short, and looking ahead in them is not for long texts. */
    if (size <= 4096) {
        walk(text, COMB_TEXT_ASK);
        walk(text, COMB_TEXT_ASK_PREFIX);
        compare(text);
    }
    return 0;
}
