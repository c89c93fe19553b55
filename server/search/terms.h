/* SPDX-License-Identifier: Apache-2.0 */
/* Texts as the terms that are stored. */
#ifndef COMB_SEARCH_TERMS_H
#define COMB_SEARCH_TERMS_H

#include "server/search/search_driver.h"

/* The terms of a text, one blank between them, up to COMB_SEARCH_TERMS_BYTES_MAX. In arena. */
enum comb_status comb_search_terms(struct grpcc_arena *arena, comb_str text, comb_str *ret_terms,
                                   struct comb_error *err) COMB_MUST_CHECK;

/* One text of a node's metadata; a list has several of one name. */
struct comb_search_meta {
    comb_str space, name, value;
};
/* The terms of all values, and the same under the key NAMESPACE and under NAMESPACE/NAME. No phrase
 * reaches from one value into the next. In arena. */
enum comb_status comb_search_meta_terms(struct grpcc_arena *arena,
                                        const struct comb_search_meta *metas, size_t n,
                                        comb_str *ret_meta_terms, comb_str *ret_keyed_terms,
                                        struct comb_error *err) COMB_MUST_CHECK;

#endif
