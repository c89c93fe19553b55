/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions on words as FTS5 is asked for them. */
#ifndef COMB_SEARCH_DRIVER_SQLITE_MATCH_H
#define COMB_SEARCH_DRIVER_SQLITE_MATCH_H

#include "server/core/buf.h"
#include "server/search/search_driver.h"

/* Bytes of an expression: all terms of a query, each with its mark, and what stands around them. */
#define SEARCH_MATCH_BYTES_MAX (64u << 10)

/* Adds the expression of one condition on words. */
void search_match_words(struct comb_buf *buf, const struct comb_search_condition *words,
                        bool names_alone);

/*
 * Adds an expression that every hit of the query matches; false: there is none, nothing was added.
 * *ret_certain: bits of the conditions that hold for whatever matches it.
 */
bool search_match_query(struct comb_buf *buf, const struct comb_search_condition *query,
                        bool names_alone, uint64_t *ret_certain);

/* Whether that expression is on names and nothing else. */
bool search_match_is_of_names(const struct comb_search_condition *query, bool names_alone);

/* All conditions on words of a query; returns their number. */
size_t search_match_collect(const struct comb_search_condition *query,
                            const struct comb_search_condition *words[COMB_SEARCH_CONDITIONS_MAX]);

#endif
