/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries as people write them. What is accepted keeps the limits and has the form that its readers
 * rely on; what is refused says why.
 */
#include "server/search/query.h"
#include "tests/fuzz/fuzz.h"

static size_t n_terms, n_conditions;

static void check(const struct comb_search_condition *condition, unsigned depth)
{
    must(depth < 4 * COMB_SEARCH_DEPTH_MAX, "a query is not deep");
    n_conditions++;
    switch (condition->kind) {
    case COMB_SEARCH_AND:
    case COMB_SEARCH_OR:
        must(condition->n_parts >= 2, "what joins has parts");
        break;
    case COMB_SEARCH_NOT:
        must(condition->n_parts == 1, "what negates has one part");
        break;
    case COMB_SEARCH_WORDS:
        must(condition->n_terms > 0, "words have terms");
        for (size_t i = 0; i < condition->n_terms; i++)
            must(condition->terms[i].term.len > 0 && comb_str_is_utf8(condition->terms[i].term) &&
                     (!condition->terms[i].is_prefix || i + 1 == condition->n_terms),
                 "a term is text, and whole but for the last");
        n_terms += condition->n_terms;
        break;
    case COMB_SEARCH_IN:
        must(condition->text.ptr[0] == '/', "a place is absolute");
        break;
    default:
        must(condition->n_parts == 0, "a condition has no parts");
    }
    for (size_t i = 0; i < condition->n_parts; i++)
        check(condition->parts[i], depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    const struct comb_search_condition *query = NULL;
    struct comb_error err = {0};
    must(arena != NULL, "there is memory for an arena");
    if (comb_search_parse(arena, comb_str_of(data, size), 1714996800000000LL, "query", &query,
                          &err) == COMB_OK) {
        n_terms = n_conditions = 0;
        check(query, 0);
        must(n_terms <= COMB_SEARCH_TERMS_MAX && n_conditions <= COMB_SEARCH_CONDITIONS_MAX,
             "limits hold");
    } else {
        must(query == NULL && err.status == COMB_INVALID_ARGUMENT && err.msg[0] != 0,
             "a refusal says why, and gives nothing");
    }
    grpcc_arena_free(arena);
    return 0;
}
