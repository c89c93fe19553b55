/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a text the words of a query stand: cut by the same rules as what is stored and asked. */
#include "server/search/internal.h"
#include "server/text/tokens.h"

/* Words of a text that are looked at, and matches that are shown. */
#define WORDS_MAX 8192
#define MATCHES_MAX 32
/* What is shown in front of the first match, in bytes. */
#define LEAD_BYTES 60

struct word {
    comb_str term;
    size_t start, end;
};

struct match {
    size_t start, end;
};

struct matches {
    struct match items[MATCHES_MAX];
    size_t n;
};

static bool is_term(const struct word *word, const struct comb_search_term *term)
{
    return term->is_prefix ? comb_str_starts_with(word->term, term->term)
                           : comb_str_equal(word->term, term->term);
}

/* Adds the words at which a condition's terms begin, in the order of the text. */
static void find(const struct comb_search_condition *words, const struct word *text, size_t n,
                 struct matches *matches)
{
    for (size_t i = 0; i + words->n_terms <= n && matches->n < MATCHES_MAX; i++) {
        size_t k = 0;
        while (k < words->n_terms && is_term(&text[i + k], &words->terms[k]))
            k++;
        if (k == words->n_terms)
            matches->items[matches->n++] = (struct match){text[i].start, text[i + k - 1].end};
    }
}

static void find_all(const struct comb_search_condition *query, enum comb_search_field field,
                     const struct word *text, size_t n, struct matches *matches)
{
    for (size_t i = 0; i < query->n_parts; i++)
        find_all(query->parts[i], field, text, n, matches);
    if (query->kind == COMB_SEARCH_WORDS && !query->is_negated &&
        (query->field == COMB_SEARCH_ANY || query->field == field))
        find(query, text, n, matches);
}

/* By their places; what overlaps becomes one. */
static void sort(struct matches *matches)
{
    size_t kept = 0;
    for (size_t i = 1; i < matches->n; i++) {
        struct match match = matches->items[i];
        size_t k = i;
        for (; k > 0 && matches->items[k - 1].start > match.start; k--)
            matches->items[k] = matches->items[k - 1];
        matches->items[k] = match;
    }
    for (size_t i = 1; i < matches->n; i++) {
        struct match *last = &matches->items[kept], *match = &matches->items[i];
        if (match->start > last->end)
            matches->items[++kept] = *match;
        else if (match->end > last->end)
            last->end = match->end;
    }
    if (matches->n > 0)
        matches->n = kept + 1;
}

/* The words of the text, at most WORDS_MAX. */
static size_t cut(struct grpcc_arena *arena, comb_str text, struct word *words)
{
    struct comb_text_tokens tokens;
    struct comb_text_token token;
    size_t n = 0;
    comb_text_tokens_init(&tokens, text, COMB_TEXT_STORE);
    while (n < WORDS_MAX && comb_text_tokens_next(&tokens, &token)) {
        const char *term = comb_str_dup(arena, token.term);
        if (!term)
            return n;
        words[n++] = (struct word){comb_str_of(term, token.term.len), token.start, token.end};
    }
    return n;
}

static bool is_continued(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* The piece that is shown: around the first match, from a blank to a blank where one is near. */
static struct match piece_of(comb_str text, const struct match *first)
{
    size_t start = first->start > LEAD_BYTES ? first->start - LEAD_BYTES : 0;
    size_t end = text.len - start > COMB_SEARCH_HIGHLIGHT_BYTES_MAX
                     ? start + COMB_SEARCH_HIGHLIGHT_BYTES_MAX
                     : text.len;
    while (start > 0 && start < first->start && text.ptr[start - 1] != ' ' &&
           text.ptr[start - 1] != '\n')
        start++;
    if (end < first->end)
        end = first->end;
    size_t cut = end;
    while (cut > first->end && cut < text.len && text.ptr[cut] != ' ' && text.ptr[cut] != '\n')
        cut--;
    if (cut > first->end)
        end = cut;
    while (start < first->start && is_continued(text.ptr[start]))
        start++;
    while (end < text.len && is_continued(text.ptr[end]))
        end++;
    return (struct match){start, end};
}

static bool add_span(struct grpcc_arena *arena, struct comb_v1_search_highlight *highlight,
                     comb_str text, bool is_match)
{
    struct comb_v1_search_span *span = comb_v1_search_span_new(arena);
    char *copy = comb_str_dup(arena, text);
    if (!span || !copy || !comb_v1_search_highlight_add_spans(arena, highlight, span))
        return false;
    span->text = copy;
    span->is_match = is_match;
    return true;
}

static struct comb_v1_search_highlight *show(struct grpcc_arena *arena, comb_str text,
                                             struct match piece, const struct matches *matches)
{
    struct comb_v1_search_highlight *highlight = comb_v1_search_highlight_new(arena);
    size_t at = piece.start;
    if (!highlight)
        return NULL;
    for (size_t i = 0; i < matches->n && matches->items[i].end <= piece.end; i++) {
        const struct match *match = &matches->items[i];
        if ((match->start > at &&
             !add_span(arena, highlight, comb_str_of(text.ptr + at, match->start - at), false)) ||
            !add_span(arena, highlight,
                      comb_str_of(text.ptr + match->start, match->end - match->start), true))
            return NULL;
        at = match->end;
    }
    if (at < piece.end &&
        !add_span(arena, highlight, comb_str_of(text.ptr + at, piece.end - at), false))
        return NULL;
    return highlight;
}

enum comb_status search_highlight(struct grpcc_arena *arena,
                                  const struct comb_search_condition *query,
                                  enum comb_search_field field, comb_str text, bool whole,
                                  struct comb_v1_search_highlight **ret_highlight,
                                  struct comb_error *err)
{
    struct grpcc_arena *scratch = grpcc_arena_new(0);
    struct word *words = scratch ? grpcc_arena_calloc(scratch, WORDS_MAX, sizeof *words) : NULL;
    struct matches matches = {.n = 0};
    enum comb_status status = words ? COMB_OK : comb_error_no_memory(err);
    *ret_highlight = NULL;
    if (words)
        find_all(query, field, words, cut(scratch, text, words), &matches);
    sort(&matches);
    if (matches.n > 0) {
        const struct match all = {0, text.len};
        *ret_highlight =
            show(arena, text, whole ? all : piece_of(text, &matches.items[0]), &matches);
        if (!*ret_highlight)
            status = comb_error_no_memory(err);
        else
            (*ret_highlight)->field = field == COMB_SEARCH_NAME ? COMB_V1_SEARCH_FIELD_NAME
                                                                : COMB_V1_SEARCH_FIELD_CONTENT;
    }
    grpcc_arena_free(scratch);
    return status;
}
