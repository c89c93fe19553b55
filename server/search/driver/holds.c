/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search/driver/holds.h"

bool search_looks_at_name_alone(const struct comb_search_condition *words, bool names_alone)
{
    return words->field == COMB_SEARCH_NAME ||
           (words->field == COMB_SEARCH_ANY && names_alone && !words->is_negated);
}

bool search_is_keyed(const struct comb_search_condition *words)
{
    return words->field == COMB_SEARCH_META && words->key.len > 0;
}

struct search_wanted search_wanted_by(const struct comb_search_condition *query, bool names_alone,
                                      uint64_t certain)
{
    struct search_wanted wanted = {false, false, false};
    for (size_t i = 0; i < query->n_parts; i++) {
        struct search_wanted of_part = search_wanted_by(query->parts[i], names_alone, certain);
        wanted.content |= of_part.content;
        wanted.meta |= of_part.meta;
        wanted.keyed |= of_part.keyed;
    }
    if (query->kind != COMB_SEARCH_WORDS || certain >> query->number & 1 ||
        search_looks_at_name_alone(query, names_alone))
        return wanted;
    wanted.content |= query->field != COMB_SEARCH_META;
    wanted.keyed |= search_is_keyed(query);
    wanted.meta |= query->field != COMB_SEARCH_CONTENT && !search_is_keyed(query);
    return wanted;
}

static bool words_hold(const struct comb_search_condition *words, bool names_alone,
                       const struct search_fields *fields)
{
    char mark[COMB_SEARCH_KEY_MARK_BYTES];
    switch (words->field) {
    case COMB_SEARCH_NAME:
        return comb_search_terms_have(fields->name, words, STR(""));
    case COMB_SEARCH_CONTENT:
        return comb_search_terms_have(fields->content, words, STR(""));
    case COMB_SEARCH_META:
        if (!search_is_keyed(words))
            return comb_search_terms_have(fields->meta, words, STR(""));
        comb_search_key_mark(words->key, mark);
        return comb_search_terms_have(fields->keyed, words, comb_str_of(mark, sizeof mark));
    case COMB_SEARCH_ANY:
        break;
    }
    if (comb_search_terms_have(fields->name, words, STR("")))
        return true;
    return !search_looks_at_name_alone(words, names_alone) &&
           (comb_search_terms_have(fields->meta, words, STR("")) ||
            comb_search_terms_have(fields->content, words, STR("")));
}

uint64_t search_holds(const struct comb_search_condition *query, bool names_alone,
                      const struct search_fields *fields, uint64_t certain)
{
    uint64_t holds = certain;
    for (size_t i = 0; i < query->n_parts; i++)
        holds |= search_holds(query->parts[i], names_alone, fields, certain);
    if (query->kind == COMB_SEARCH_WORDS && !(certain >> query->number & 1) &&
        words_hold(query, names_alone, fields))
        holds |= UINT64_C(1) << query->number;
    return holds;
}
