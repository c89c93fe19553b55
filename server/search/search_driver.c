/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search/search_driver.h"

/* FNV-1a: keys are few and nobody's secret, and who makes two of one hash finds his own. */
void comb_search_key_mark(comb_str key, char ret_mark[COMB_SEARCH_KEY_MARK_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * 0x100000001b3u;
    for (int i = 0; i < 16; i++)
        ret_mark[i] = digits[hash >> (60 - 4 * i) & 15];
    memcpy(ret_mark + 16, COMB_SEARCH_GAP, sizeof COMB_SEARCH_GAP - 1);
}

static void mark(struct comb_search_condition *condition, bool is_negated)
{
    condition->is_negated = is_negated;
    for (size_t i = 0; i < condition->n_parts; i++)
        mark(condition->parts[i], is_negated != (condition->kind == COMB_SEARCH_NOT));
}

void comb_search_mark(struct comb_search_condition *query)
{
    mark(query, false);
}

/* Whether the condition's terms begin here. at: behind the last one that did. */
static bool stands_here(comb_str terms, size_t at, const struct comb_search_condition *words,
                        comb_str mark)
{
    for (size_t i = 0; i < words->n_terms; i++) {
        const struct comb_search_term *term = &words->terms[i];
        comb_str rest = {terms.ptr + at, terms.len - at};
        if (!comb_str_starts_with(rest, mark))
            return false;
        rest = (comb_str){rest.ptr + mark.len, rest.len - mark.len};
        if (!comb_str_starts_with(rest, term->term))
            return false;
        at += mark.len + term->term.len;
        bool is_whole = at == terms.len || terms.ptr[at] == ' ';
        if (!is_whole && !term->is_prefix)
            return false;
        if (i + 1 == words->n_terms)
            return true;
        if (at == terms.len)
            return false;
        at++;
    }
    return false;
}

bool comb_search_terms_have(comb_str terms, const struct comb_search_condition *words,
                            comb_str mark)
{
    for (size_t at = 0; at < terms.len;) {
        if (stands_here(terms, at, words, mark))
            return true;
        const char *blank = memchr(terms.ptr + at, ' ', terms.len - at);
        if (!blank)
            return false;
        at = (size_t)(blank - terms.ptr) + 1;
    }
    return false;
}

void comb_search_store_close(struct comb_search_store *store)
{
    if (store)
        store->driver->close(store);
}
