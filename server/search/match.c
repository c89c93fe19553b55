/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search/match.h"

static bool is_media(comb_str wanted, comb_str media)
{
    if (wanted.len > 0 && wanted.ptr[wanted.len - 1] == '/')
        return comb_str_starts_with(media, wanted);
    return comb_str_equal(media, wanted);
}

static bool all_match(const struct comb_search_condition *query,
                      const struct comb_search_candidate *candidate, uint64_t holds,
                      comb_search_is_in is_in, void *data)
{
    for (size_t i = 0; i < query->n_parts; i++)
        if (!comb_search_match(query->parts[i], candidate, holds, is_in, data))
            return false;
    return true;
}

static bool any_matches(const struct comb_search_condition *query,
                        const struct comb_search_candidate *candidate, uint64_t holds,
                        comb_search_is_in is_in, void *data)
{
    for (size_t i = 0; i < query->n_parts; i++)
        if (comb_search_match(query->parts[i], candidate, holds, is_in, data))
            return true;
    return false;
}

bool comb_search_match(const struct comb_search_condition *query,
                       const struct comb_search_candidate *candidate, uint64_t holds,
                       comb_search_is_in is_in, void *data)
{
    switch (query->kind) {
    case COMB_SEARCH_AND:
        return all_match(query, candidate, holds, is_in, data);
    case COMB_SEARCH_OR:
        return any_matches(query, candidate, holds, is_in, data);
    case COMB_SEARCH_NOT:
        return !comb_search_match(query->parts[0], candidate, holds, is_in, data);
    case COMB_SEARCH_WORDS:
        return holds >> query->number & 1;
    case COMB_SEARCH_SIZE:
        return !candidate->is_folder && candidate->size >= query->least &&
               candidate->size <= query->most;
    case COMB_SEARCH_MODIFIED:
        return candidate->modified_us >= query->least && candidate->modified_us <= query->most;
    case COMB_SEARCH_FILE:
        return !candidate->is_folder;
    case COMB_SEARCH_FOLDER:
        return candidate->is_folder;
    case COMB_SEARCH_MEDIA:
        return is_media(query->text, candidate->media);
    case COMB_SEARCH_OWNER:
    case COMB_SEARCH_IN:
        return is_in(data, query, candidate);
    }
    return false;
}

uint64_t comb_search_named(const struct comb_search_condition *query, comb_str name_terms,
                           uint64_t holds)
{
    for (size_t i = 0; i < query->n_parts; i++)
        holds = comb_search_named(query->parts[i], name_terms, holds);
    if (query->kind != COMB_SEARCH_WORDS || query->field != COMB_SEARCH_ANY || query->is_negated)
        return holds;
    holds &= ~(UINT64_C(1) << query->number);
    if (comb_search_terms_have(name_terms, query, STR("")))
        holds |= UINT64_C(1) << query->number;
    return holds;
}

bool comb_search_has_rank(const struct comb_search_condition *query)
{
    for (size_t i = 0; i < query->n_parts; i++)
        if (comb_search_has_rank(query->parts[i]))
            return true;
    return query->kind == COMB_SEARCH_WORDS && query->field == COMB_SEARCH_ANY &&
           !query->is_negated;
}
