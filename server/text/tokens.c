/* SPDX-License-Identifier: Apache-2.0 */
#include "server/text/tokens.h"

#include <utf8proc.h>

_Static_assert(sizeof(utf8proc_int32_t) == sizeof(int32_t), "code points are of one type");

enum kind {
    END,
    SEPARATOR,
    MARK, /* belongs to what stands before it */
    WORD,
    PAIRED,    /* begins a character of a script cut into pairs */
    PAIRED_ON, /* goes on with it: the vowel and the final of a Hangul syllable */
};

/* ---- characters ---- */

struct range {
    int32_t first, last;
};

/* Scripts without spaces, in their decomposed forms, in order. */
static const struct range paired[] = {
    {0x0e00, 0x0eff},   /* Thai, Lao */
    {0x1000, 0x109f},   /* Myanmar */
    {0x1100, 0x11ff},   /* Hangul Jamo */
    {0x1780, 0x17ff},   /* Khmer */
    {0x1980, 0x19ff},   /* New Tai Lue, Khmer symbols */
    {0x1a20, 0x1aaf},   /* Tai Tham */
    {0x2e80, 0x2fdf},   /* radicals */
    {0x3005, 0x3007},   /* iteration marks */
    {0x3021, 0x3029},   /* Hangzhou numerals */
    {0x3031, 0x3035},   /* kana repeat marks */
    {0x3038, 0x303c},   /* further numerals and marks */
    {0x3041, 0x30ff},   /* Hiragana, Katakana */
    {0x3105, 0x312f},   /* Bopomofo */
    {0x31a0, 0x31bf},   /* Bopomofo extended */
    {0x31f0, 0x31ff},   /* Katakana extended */
    {0x3400, 0x4dbf},   /* Han extension A */
    {0x4e00, 0x9fff},   /* Han */
    {0xa960, 0xa97f},   /* Hangul Jamo extended A */
    {0xa9e0, 0xa9ff},   /* Myanmar extended B */
    {0xaa60, 0xaa7f},   /* Myanmar extended A */
    {0xac00, 0xd7ff},   /* Hangul */
    {0xf900, 0xfaff},   /* Han, compatibility */
    {0x1aff0, 0x1b16f}, /* kana extended */
    {0x20000, 0x3ffff}, /* Han extensions */
};

static bool is_paired(int32_t c)
{
    size_t low = 0, high = sizeof paired / sizeof paired[0];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c > paired[middle].last)
            low = middle + 1;
        else if (c < paired[middle].first)
            high = middle;
        else
            return true;
    }
    return false;
}

/* The vowel and the final of a Hangul syllable. */
static bool is_inner_jamo(int32_t c)
{
    return (c >= 0x1160 && c <= 0x11ff) || (c >= 0xd7b0 && c <= 0xd7ff);
}

static enum kind kind_of(int32_t c)
{
    if (c < 0)
        return SEPARATOR;
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        if (is_inner_jamo(c))
            return PAIRED_ON;
        return is_paired(c) ? PAIRED : WORD;
    case UTF8PROC_CATEGORY_ND:
        return WORD;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return MARK;
    default:
        return SEPARATOR;
    }
}

/* Whether people leave the mark out: by its combining class, which tells what kind it is. Kept are
 * those without a class and nuktas, voicing and viramas (to 9), and the vowels and tones of Telugu,
 * Thai, Lao and Tibetan (84 to 132). */
static bool is_left_out(int32_t c)
{
    const utf8proc_property_t *property = utf8proc_get_property(c);
    switch (property->category) {
    case UTF8PROC_CATEGORY_ME:
        return true;
    case UTF8PROC_CATEGORY_MN:
        return property->combining_class == 1 ||
               (property->combining_class > 9 && property->combining_class < 84) ||
               property->combining_class > 132;
    default:
        return false;
    }
}

/* Decimal digits stand together from zero to nine. */
static int32_t to_ascii_digit(int32_t c)
{
    int value = 0;
    while (value < 9 && utf8proc_category(c - value - 1) == UTF8PROC_CATEGORY_ND)
        value++;
    return '0' + value;
}

/* Decomposes the character at tokens->at; what is left out, or is not UTF-8, has no parts or one
 * that separates. */
static void decompose(struct comb_text_tokens *tokens)
{
    const uint8_t *at = (const uint8_t *)tokens->text.ptr + tokens->at;
    utf8proc_ssize_t left = (utf8proc_ssize_t)(tokens->text.len - tokens->at);
    utf8proc_int32_t c = -1;
    int boundary = 0;
    tokens->char_start = tokens->at;
    tokens->next_part = 0;
    tokens->n_parts = 1;
    if (at[0] < 0x80) {
        tokens->parts[0] = at[0] >= 'A' && at[0] <= 'Z' ? at[0] - 'A' + 'a' : at[0];
        tokens->at++;
        return;
    }
    utf8proc_ssize_t length = utf8proc_iterate(at, left, &c);
    tokens->parts[0] = -1;
    tokens->at += length > 0 ? (size_t)length : 1;
    if (length <= 0)
        return;
    utf8proc_ssize_t n = utf8proc_decompose_char(
        c, tokens->parts, COMB_TEXT_DECOMPOSED_MAX,
        UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE, &boundary);
    if (n < 0 || n > COMB_TEXT_DECOMPOSED_MAX)
        return;
    int kept = 0;
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        int32_t part = tokens->parts[i];
        if (is_left_out(part))
            continue;
        if (part >= 0x80 && utf8proc_category(part) == UTF8PROC_CATEGORY_ND)
            part = to_ascii_digit(part);
        tokens->parts[kept++] = part;
    }
    tokens->n_parts = kept;
}

/* The next part, without passing it. */
static enum kind peek(struct comb_text_tokens *tokens, int32_t *ret_part)
{
    while (tokens->next_part == tokens->n_parts) {
        if (tokens->at == tokens->text.len)
            return END;
        decompose(tokens);
    }
    *ret_part = tokens->parts[tokens->next_part];
    if (*ret_part >= 0 && *ret_part < 0x80)
        return (*ret_part >= 'a' && *ret_part <= 'z') || (*ret_part >= '0' && *ret_part <= '9')
                   ? WORD
                   : SEPARATOR;
    return kind_of(*ret_part);
}

static void pass(struct comb_text_tokens *tokens)
{
    tokens->next_part++;
}

/* Whether there is another term ahead. */
static bool has_more(const struct comb_text_tokens *tokens)
{
    struct comb_text_tokens ahead = *tokens;
    int32_t part;
    for (;; pass(&ahead)) {
        enum kind kind = peek(&ahead, &part);
        if (kind == END)
            return false;
        if (kind != SEPARATOR && kind != MARK)
            return true;
    }
}

/* ---- terms ---- */

/* Marks in canonical order, then composed, then as bytes. chars is scratch. */
static comb_str to_term(struct comb_text_tokens *tokens, int32_t *chars, size_t n)
{
    bool is_ascii = true;
    for (size_t i = 0; i < n; i++)
        is_ascii = is_ascii && chars[i] < 0x80;
    for (size_t i = 1; !is_ascii && i < n; i++) {
        for (size_t j = i; j > 0; j--) {
            int before = utf8proc_get_property(chars[j - 1])->combining_class;
            int after = utf8proc_get_property(chars[j])->combining_class;
            if (after == 0 || before <= after)
                break;
            int32_t swapped = chars[j - 1];
            chars[j - 1] = chars[j];
            chars[j] = swapped;
        }
    }
    utf8proc_ssize_t length = (utf8proc_ssize_t)n;
    if (!is_ascii)
        length = utf8proc_normalize_utf32(chars, length, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    size_t size = 0;
    for (utf8proc_ssize_t i = 0; i < length && i < COMB_TEXT_TERM_CHARS_MAX; i++)
        size += (size_t)utf8proc_encode_char(chars[i], (uint8_t *)tokens->term + size);
    return comb_str_of(tokens->term, size);
}

static void take_word(struct comb_text_tokens *tokens, struct comb_text_token *ret_token)
{
    int32_t chars[COMB_TEXT_TERM_CHARS_MAX], part = 0;
    size_t n = 0;
    enum kind kind;
    (void)peek(tokens, &part);
    ret_token->start = tokens->char_start;
    do {
        if (n < COMB_TEXT_TERM_CHARS_MAX)
            chars[n++] = part;
        ret_token->end = tokens->at;
        pass(tokens);
        kind = peek(tokens, &part);
    } while (kind == WORD || kind == MARK);
    ret_token->term = to_term(tokens, chars, n);
    ret_token->is_prefix = tokens->use == COMB_TEXT_ASK_PREFIX && !has_more(tokens);
}

/* A character of a script cut into pairs, with what belongs to it. */
static struct comb_text_unit take_unit(struct comb_text_tokens *tokens)
{
    struct comb_text_unit unit = {.start = tokens->char_start};
    int32_t part = 0;
    enum kind kind;
    (void)peek(tokens, &part);
    do {
        if (unit.n < COMB_TEXT_UNIT_MAX)
            unit.chars[unit.n++] = part;
        unit.end = tokens->at;
        pass(tokens);
        kind = peek(tokens, &part);
    } while (kind == MARK || kind == PAIRED_ON);
    return unit;
}

static void take_pair(struct comb_text_tokens *tokens, struct comb_text_token *ret_token)
{
    const struct comb_text_unit first = tokens->last, second = take_unit(tokens);
    int32_t chars[2 * COMB_TEXT_UNIT_MAX];
    memcpy(chars, first.chars, first.n * sizeof *chars);
    memcpy(chars + first.n, second.chars, second.n * sizeof *chars);
    tokens->last = second;
    tokens->run++;
    *ret_token = (struct comb_text_token){.term = to_term(tokens, chars, first.n + second.n),
                                          .start = first.start,
                                          .end = second.end};
}

/* The run of pairs is over. False: its last character is no term. */
static bool end_run(struct comb_text_tokens *tokens, struct comb_text_token *ret_token)
{
    struct comb_text_unit last = tokens->last;
    bool is_end = tokens->use != COMB_TEXT_STORE && !has_more(tokens);
    tokens->last.n = 0;
    if (is_end && tokens->use == COMB_TEXT_ASK && tokens->run > 1)
        return false;
    *ret_token = (struct comb_text_token){.term = to_term(tokens, last.chars, last.n),
                                          .start = last.start,
                                          .end = last.end,
                                          .is_prefix = is_end};
    return true;
}

void comb_text_tokens_init(struct comb_text_tokens *tokens, comb_str text, enum comb_text_use use)
{
    *tokens = (struct comb_text_tokens){.text = text, .use = use};
}

bool comb_text_tokens_next(struct comb_text_tokens *tokens, struct comb_text_token *ret_token)
{
    struct comb_text_token token = {.position = 0};
    bool found = false;
    while (!found) {
        int32_t part;
        enum kind kind = peek(tokens, &part);
        if (tokens->last.n > 0 && (kind == PAIRED || kind == PAIRED_ON)) {
            take_pair(tokens, &token);
            found = true;
        } else if (tokens->last.n > 0) {
            found = end_run(tokens, &token);
        } else if (kind == END) {
            return false;
        } else if (kind == WORD) {
            take_word(tokens, &token);
            found = true;
        } else if (kind == PAIRED || kind == PAIRED_ON) {
            tokens->last = take_unit(tokens);
            tokens->run = 1;
        } else {
            pass(tokens);
        }
    }
    token.position = tokens->position++;
    *ret_token = token;
    return true;
}
