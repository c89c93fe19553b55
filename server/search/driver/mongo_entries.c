/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search/driver/mongo_entries.h"

#include <stdlib.h>

/* Characters of the beginnings that have entries. */
static const size_t beginnings[] = {1, 2, 3};
enum { BEGINNINGS = sizeof beginnings / sizeof beginnings[0] };

/* ---- of a document ---- */

/* The next term of a row of them; false: that was the last. */
static bool next_term(comb_str *terms, comb_str *ret_term)
{
    if (terms->len == 0)
        return false;
    const char *blank = memchr(terms->ptr, ' ', terms->len);
    size_t length = blank ? (size_t)(blank - terms->ptr) : terms->len;
    size_t passed = blank ? length + 1 : length;
    *ret_term = comb_str_of(terms->ptr, length);
    *terms = comb_str_of(terms->ptr + passed, terms->len - passed);
    return true;
}

/* Bytes of the first n characters; 0: it has fewer. */
static size_t bytes_of(comb_str term, size_t n)
{
    size_t at = 0;
    for (; n > 0 && at < term.len; n--)
        for (at++; at < term.len && ((unsigned char)term.ptr[at] & 0xc0) == 0x80; at++)
            continue;
    return n == 0 ? at : 0;
}

static comb_str with_mark(struct grpcc_arena *arena, char mark, comb_str text)
{
    char *entry = grpcc_arena_alloc(arena, text.len + 1);
    if (!entry)
        return (comb_str){NULL, 0};
    entry[0] = mark;
    memcpy(entry + 1, text.ptr, text.len);
    return comb_str_of(entry, text.len + 1);
}

struct entries {
    struct grpcc_arena *arena;
    comb_str *all;
    size_t n;
};

static bool is_gap(comb_str term)
{
    return comb_str_equal(term, STR(COMB_SEARCH_GAP));
}

static size_t count_terms(comb_str terms)
{
    comb_str term;
    size_t n = 0;
    while (next_term(&terms, &term))
        n++;
    return n;
}

/* Room for all of them was made. */
static bool add_terms(struct entries *entries, comb_str terms, bool begins, char mark)
{
    comb_str term;
    while (next_term(&terms, &term)) {
        if (is_gap(term))
            continue;
        comb_str entry = mark ? with_mark(entries->arena, mark, term) : term;
        if (!entry.ptr)
            return false;
        entries->all[entries->n++] = entry;
        for (size_t i = 0; begins && i < BEGINNINGS; i++) {
            size_t bytes = bytes_of(term, beginnings[i]);
            if (bytes == 0)
                break;
            entry = with_mark(entries->arena, '*', comb_str_of(term.ptr, bytes));
            if (!entry.ptr)
                return false;
            entries->all[entries->n++] = entry;
        }
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    return comb_str_compare(*(const comb_str *)a, *(const comb_str *)b);
}

enum comb_status search_entries_of(struct grpcc_arena *arena,
                                   const struct comb_search_document *document,
                                   comb_str content_terms, const comb_str **ret_entries,
                                   size_t *ret_n, struct comb_error *err)
{
    size_t names = count_terms(document->name_terms);
    size_t begun = names + count_terms(content_terms) + count_terms(document->meta_terms);
    size_t max = begun * (1 + BEGINNINGS) + names + count_terms(document->keyed_terms);
    struct entries entries = {.arena = arena,
                              .all = grpcc_arena_calloc(arena, max, sizeof *entries.all)};
    size_t n = 0;
    if (!entries.all || !add_terms(&entries, document->name_terms, true, 0) ||
        !add_terms(&entries, content_terms, true, 0) ||
        !add_terms(&entries, document->meta_terms, true, 0) ||
        !add_terms(&entries, document->name_terms, false, '/') ||
        !add_terms(&entries, document->keyed_terms, false, 0))
        return comb_error_no_memory(err);
    qsort(entries.all, entries.n, sizeof *entries.all, compare);
    for (size_t i = 0; i < entries.n; i++)
        if (n == 0 || !comb_str_equal(entries.all[n - 1], entries.all[i]))
            entries.all[n++] = entries.all[i];
    *ret_entries = entries.all;
    *ret_n = n;
    return COMB_OK;
}

/* ---- of a query ---- */

/* The entry that a document with this term has; ptr is NULL without room. */
static comb_str entry_of(struct grpcc_arena *arena, const struct comb_search_condition *words,
                         const struct comb_search_term *term, bool names_alone)
{
    char mark[COMB_SEARCH_KEY_MARK_BYTES];
    if (term->is_prefix) {
        size_t bytes = 0;
        for (size_t i = 0; i < BEGINNINGS; i++) {
            size_t of_beginning = bytes_of(term->term, beginnings[i]);
            bytes = of_beginning ? of_beginning : bytes;
        }
        return with_mark(arena, '*', comb_str_of(term->term.ptr, bytes));
    }
    if (search_looks_at_name_alone(words, names_alone))
        return with_mark(arena, '/', term->term);
    if (!search_is_keyed(words))
        return term->term;
    comb_search_key_mark(words->key, mark);
    char *entry = grpcc_arena_alloc(arena, sizeof mark + term->term.len);
    if (!entry)
        return (comb_str){NULL, 0};
    memcpy(entry, mark, sizeof mark);
    memcpy(entry + sizeof mark, term->term.ptr, term->term.len);
    return comb_str_of(entry, sizeof mark + term->term.len);
}

struct needing {
    struct grpcc_arena *arena;
    bool names_alone;
    struct search_need *need;
};

static bool need(struct needing *needing, const struct comb_search_condition *query, bool is_sure);

/* Whoever has the one entry of a single whole term has the term where it is looked for. */
static bool is_exact(const struct comb_search_condition *words, bool names_alone)
{
    return words->n_terms == 1 && !words->terms[0].is_prefix &&
           (words->field == COMB_SEARCH_ANY || search_is_keyed(words) ||
            search_looks_at_name_alone(words, names_alone));
}

static bool need_words(struct needing *needing, const struct comb_search_condition *words,
                       bool is_sure)
{
    struct search_need *all = needing->need;
    for (size_t i = 0; i < words->n_terms; i++) {
        struct search_clause *clause = &all->clauses[all->n++];
        clause->entries[0] =
            entry_of(needing->arena, words, &words->terms[i], needing->names_alone);
        clause->n = 1;
        if (!clause->entries[0].ptr)
            return false;
    }
    if (is_sure && is_exact(words, needing->names_alone))
        all->certain |= UINT64_C(1) << words->number;
    return true;
}

/* One of the parts holds: so one of their first entries is there, if each has one. */
static bool need_any(struct needing *needing, const struct comb_search_condition *query)
{
    struct search_need *all = needing->need;
    struct search_clause either = {.n = 0};
    size_t before = all->n;
    bool have_all = true;
    for (size_t i = 0; i < query->n_parts; i++) {
        if (!need(needing, query->parts[i], false))
            return false;
        have_all = have_all && all->n > before &&
                   either.n + all->clauses[before].n <= COMB_SEARCH_CONDITIONS_MAX;
        for (size_t j = 0; have_all && j < all->clauses[before].n; j++)
            either.entries[either.n++] = all->clauses[before].entries[j];
        all->n = before;
    }
    if (have_all)
        all->clauses[all->n++] = either;
    return true;
}

/* Adds what every hit has. is_sure: the condition holds for every hit. False: no memory. */
static bool need(struct needing *needing, const struct comb_search_condition *query, bool is_sure)
{
    switch (query->kind) {
    case COMB_SEARCH_WORDS:
        return need_words(needing, query, is_sure);
    case COMB_SEARCH_OR:
        return need_any(needing, query);
    case COMB_SEARCH_AND:
        for (size_t i = 0; i < query->n_parts; i++)
            if (!need(needing, query->parts[i], is_sure))
                return false;
        return true;
    default:
        return true;
    }
}

enum comb_status search_need_of(struct grpcc_arena *arena,
                                const struct comb_search_condition *query, bool names_alone,
                                struct search_need *ret_need, struct comb_error *err)
{
    struct needing needing = {.arena = arena, .names_alone = names_alone, .need = ret_need};
    ret_need->n = 0;
    ret_need->certain = 0;
    if (!need(&needing, query, true))
        return comb_error_no_memory(err);
    ret_need->wants = search_wanted_by(query, names_alone, ret_need->certain);
    return COMB_OK;
}
