/* SPDX-License-Identifier: Apache-2.0 */
/* Which conditions on words hold for a document, by its terms: where a store's index does not tell.
 */
#ifndef COMB_SEARCH_DRIVER_HOLDS_H
#define COMB_SEARCH_DRIVER_HOLDS_H

#include "server/search/search_driver.h"

bool search_looks_at_name_alone(const struct comb_search_condition *words, bool names_alone);
bool search_is_keyed(const struct comb_search_condition *words);

/* The fields, besides the name, whose terms tell of the conditions that are not certain. */
struct search_wanted {
    bool content, meta, keyed;
};
struct search_wanted search_wanted_by(const struct comb_search_condition *query, bool names_alone,
                                      uint64_t certain);
static inline bool search_wants_any(struct search_wanted wanted)
{
    return wanted.content || wanted.meta || wanted.keyed;
}

/* The terms of a document: of the name, and those that are wanted. */
struct search_fields {
    comb_str name, content, meta, keyed;
};
uint64_t search_holds(const struct comb_search_condition *query, bool names_alone,
                      const struct search_fields *fields, uint64_t certain);

#endif
