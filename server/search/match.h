/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a candidate is a hit: pure functions, the same for every store. */
#ifndef COMB_SEARCH_MATCH_H
#define COMB_SEARCH_MATCH_H

#include "server/search/search_driver.h"

/* Whether a candidate lies in the folder condition->id, at any depth (IN), or in a workspace of the
 * user condition->id (OWNER). */
typedef bool (*comb_search_is_in)(void *data, const struct comb_search_condition *condition,
                                  const struct comb_search_candidate *candidate);

/* holds: which conditions on words hold (comb_search_candidate.holds, or comb_search_named()).
 * is_in says it of OWNER and IN. */
bool comb_search_match(const struct comb_search_condition *query,
                       const struct comb_search_candidate *candidate, uint64_t holds,
                       comb_search_is_in is_in, void *data);

/* holds, where conditions on words in any field look at the candidate's name alone, but for those
 * that are negated. What matches so matches in all fields as well. */
uint64_t comb_search_named(const struct comb_search_condition *query, comb_str name_terms,
                           uint64_t holds);

/* Whether a condition wants words in any field: only then names rank above the rest. */
bool comb_search_has_rank(const struct comb_search_condition *query);

#endif
