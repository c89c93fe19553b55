/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Letters by number, for a search index of any size: "letter NUMBER" has the words "common", "even"
 * or "odd", and "w" with the last three digits of its number. Greater numbers are newer; 0 is
 * nobody's, and their folder's.
 */
#ifndef COMB_TESTS_SUPPORT_LETTERS_H
#define COMB_TESTS_SUPPORT_LETTERS_H

#include "server/search/search_driver.h"

struct comb_uuid letter_id(unsigned number);
unsigned letter_number(const struct comb_uuid *id);

/* n letters from the number first on, in arena, as documents and as their contents. */
enum comb_status letters_write(struct grpcc_arena *arena, unsigned first, unsigned n,
                               struct comb_search_document documents[],
                               struct comb_search_content contents[],
                               struct comb_error *err) COMB_MUST_CHECK;

#endif
