/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search/driver/sqlite_match.h"

static const char *columns_of(const struct comb_search_condition *words, bool names_alone)
{
    switch (words->field) {
    case COMB_SEARCH_NAME:
        return "name";
    case COMB_SEARCH_CONTENT:
        return "content";
    case COMB_SEARCH_META:
        return words->key.len > 0 ? "keyed" : "meta";
    case COMB_SEARCH_ANY:
        break;
    }
    return names_alone && !words->is_negated ? "name" : "{name meta content}";
}

void search_match_words(struct comb_buf *buf, const struct comb_search_condition *words,
                        bool names_alone)
{
    char mark[COMB_SEARCH_KEY_MARK_BYTES];
    size_t mark_size = 0;
    if (words->field == COMB_SEARCH_META && words->key.len > 0) {
        comb_search_key_mark(words->key, mark);
        mark_size = sizeof mark;
    }
    /* Terms have no quotes in them. */
    comb_buf_printf(buf, "(%s : \"", columns_of(words, names_alone));
    for (size_t i = 0; i < words->n_terms; i++) {
        if (i > 0)
            comb_buf_append_char(buf, ' ');
        comb_buf_append(buf, mark, mark_size);
        comb_buf_append_str(buf, words->terms[i].term);
    }
    comb_buf_printf(buf, "\"%s)", words->terms[words->n_terms - 1].is_prefix ? " *" : "");
}

/* Of AND those parts count that have an expression, of OR all must have one. */
static bool match_parts(struct comb_buf *buf, const struct comb_search_condition *query,
                        bool names_alone, uint64_t *ret_certain)
{
    bool is_or = query->kind == COMB_SEARCH_OR;
    size_t before = buf->len, n = 0;
    uint64_t certain = 0;
    comb_buf_append_char(buf, '(');
    for (size_t i = 0; i < query->n_parts; i++) {
        size_t here = buf->len;
        uint64_t of_part = 0;
        if (n > 0)
            comb_buf_printf(buf, "%s", is_or ? " OR " : " AND ");
        if (search_match_query(buf, query->parts[i], names_alone, &of_part)) {
            certain |= is_or ? 0 : of_part;
            n++;
            continue;
        }
        buf->len = here;
        if (is_or) {
            n = 0;
            break;
        }
    }
    if (n == 0) {
        buf->len = before;
        return false;
    }
    comb_buf_append_char(buf, ')');
    *ret_certain = certain;
    return true;
}

bool search_match_query(struct comb_buf *buf, const struct comb_search_condition *query,
                        bool names_alone, uint64_t *ret_certain)
{
    switch (query->kind) {
    case COMB_SEARCH_WORDS:
        search_match_words(buf, query, names_alone);
        *ret_certain = UINT64_C(1) << query->number;
        return true;
    case COMB_SEARCH_AND:
    case COMB_SEARCH_OR:
        return match_parts(buf, query, names_alone, ret_certain);
    default:
        return false;
    }
}

static size_t collect(const struct comb_search_condition *query,
                      const struct comb_search_condition **words, size_t n)
{
    if (query->kind == COMB_SEARCH_WORDS && n < COMB_SEARCH_CONDITIONS_MAX)
        words[n++] = query;
    for (size_t i = 0; i < query->n_parts; i++)
        n = collect(query->parts[i], words, n);
    return n;
}

size_t search_match_collect(const struct comb_search_condition *query,
                            const struct comb_search_condition *words[COMB_SEARCH_CONDITIONS_MAX])
{
    return collect(query, words, 0);
}

bool search_match_is_of_names(const struct comb_search_condition *query, bool names_alone)
{
    const struct comb_search_condition *words[COMB_SEARCH_CONDITIONS_MAX];
    size_t n = search_match_collect(query, words);
    for (size_t i = 0; i < n; i++) {
        bool is_of_name = words[i]->field == COMB_SEARCH_NAME ||
                          (words[i]->field == COMB_SEARCH_ANY && names_alone);
        /* What is negated is in no expression. */
        if (!words[i]->is_negated && !is_of_name)
            return false;
    }
    return true;
}
