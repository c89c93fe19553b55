/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of a text, as search knows them: what is stored and what is asked are cut by the same
 * rules, on every store, so both give the same hits.
 *
 * A term is case folded and in compatibility form (NFKC), without the marks that people leave out:
 * diacritics of Latin, Greek and Cyrillic, points of Hebrew and Arabic. Marks that are vowels or
 * sounds of their own stay: those of Indic scripts, the voicing of kana. Digits of all scripts are
 * ASCII's. Letters and digits make words, all else separates them.
 *
 * Scripts that write no spaces (Han, kana, Hangul, Bopomofo, Thai, Lao, Khmer, Myanmar) are cut
 * into overlapping pairs of characters; the last one of a run stands alone behind them. So each
 * character begins a term, and one alone is found as the prefix of a term.
 */
#ifndef COMB_TEXT_TOKENS_H
#define COMB_TEXT_TOKENS_H

#include "server/core/str.h"

/* Characters of a term; longer words are cut there, in what is stored and in what is asked. */
#define COMB_TEXT_TERM_CHARS_MAX 40
#define COMB_TEXT_TERM_BYTES_MAX (4 * COMB_TEXT_TERM_CHARS_MAX)

enum comb_text_use {
    COMB_TEXT_STORE,      /* what is found */
    COMB_TEXT_ASK,        /* what is looked for: consecutive terms */
    COMB_TEXT_ASK_PREFIX, /* the same, but of the last word only its beginning is known */
};

struct comb_text_token {
    comb_str term;     /* valid UTF-8, no blanks; lives until the next call */
    uint32_t position; /* 0, 1, … without gaps */
    size_t start, end; /* bytes of the text that it was made of */
    bool is_prefix;    /* of what is asked: every term that begins so */
};

/* Of one character, when it is decomposed; the longest today is 18. */
#define COMB_TEXT_DECOMPOSED_MAX 32
/* A character with its marks, in scripts cut into pairs; further marks are left out. */
#define COMB_TEXT_UNIT_MAX 8

/* A walk over a text. Members are private. */
struct comb_text_tokens {
    comb_str text;
    enum comb_text_use use;
    size_t at; /* behind the character that was decomposed last */
    size_t char_start;
    int32_t parts[COMB_TEXT_DECOMPOSED_MAX]; /* of that character */
    int n_parts, next_part;
    uint32_t position;
    struct comb_text_unit {
        int32_t chars[COMB_TEXT_UNIT_MAX];
        size_t n;
        size_t start, end;
    } last; /* of the run of pairs that is under way; n 0: none is */
    size_t run;
    char term[COMB_TEXT_TERM_BYTES_MAX];
};

/* text is borrowed; what is not valid UTF-8 in it separates words. */
void comb_text_tokens_init(struct comb_text_tokens *tokens, comb_str text, enum comb_text_use use);
/* False: there is no further one. Takes time in proportion to the bytes that it passes. */
bool comb_text_tokens_next(struct comb_text_tokens *tokens, struct comb_text_token *ret_token);

#endif
