/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of a document, by which the multikey index finds it, and those that a query needs:
 *
 *   report         a term of the name, the content or the metadata
 *   /report        a term of the name
 *   *r *re *rep    the first 1, 2 and 3 characters of a term
 *   HASH§report    a term of one piece of metadata
 *
 * An index on entries and ids gives the documents of one entry in the order of their ids.
 */
#ifndef COMB_SEARCH_DRIVER_MONGO_ENTRIES_H
#define COMB_SEARCH_DRIVER_MONGO_ENTRIES_H

#include "server/search/driver/holds.h"

/* Of a document's attributes, of which the terms are looked at, and of its content. In arena,
 * sorted, each once. */
enum comb_status search_entries_of(struct grpcc_arena *arena,
                                   const struct comb_search_document *document,
                                   comb_str content_terms, const comb_str **ret_entries,
                                   size_t *ret_n, struct comb_error *err) COMB_MUST_CHECK;

/* One of these entries every hit has. */
struct search_clause {
    comb_str entries[COMB_SEARCH_CONDITIONS_MAX];
    size_t n;
};

/* What every hit of a query has, and what follows from it. */
struct search_need {
    struct search_clause clauses[COMB_SEARCH_TERMS_MAX];
    size_t n;
    uint64_t certain;           /* conditions on words that hold for whatever has all of that */
    struct search_wanted wants; /* to decide the other ones */
};

enum comb_status search_need_of(struct grpcc_arena *arena,
                                const struct comb_search_condition *query, bool names_alone,
                                struct search_need *ret_need,
                                struct comb_error *err) COMB_MUST_CHECK;

#endif
