/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is searched for: a tree of conditions, and the language that people write it in.
 *
 *   annual report                     both words, in the name, the content or the metadata
 *   "annual report" repor*            the words one behind the other; a word that begins so
 *   report -draft (2023 OR 2024)      NOT and AND may be written too, in capitals
 *   name:report content:"net income"  in the name, in the content
 *   meta.tags:red meta.crm/customer:acme
 *   size:>10MB size:1k..2k            K, M, G, T are powers of 1024, as KiB …; kB … of 1000
 *   modified:2024-05 modified:>=2024-05-06 modified:2023..2024 modified:7d modified:today
 *   type:folder type:image type:application/pdf
 *   owner:alice owner:me in:/personal/letters in:"/common files/a"
 *
 * A word is cut into terms as stored text is (server/text); one that gives several is a phrase. AND
 * binds closer than OR. Dates are UTC. Limits hold for what is written and for what is built.
 */
#ifndef COMB_SEARCH_QUERY_H
#define COMB_SEARCH_QUERY_H

#include "server/search/search_driver.h"

/* Of the text of a query. */
#define COMB_SEARCH_QUERY_BYTES_MAX 4096
/* Of parentheses and NOTs inside each other. */
#define COMB_SEARCH_DEPTH_MAX 16
/* NAMESPACE or NAMESPACE/NAME. */
#define COMB_SEARCH_KEY_BYTES_MAX 193

/* What is said where a query has neither words nor conditions. */
#define COMB_SEARCH_NOTHING_ASKED                                                                  \
    "here is nothing to look for; write a word, or a condition as type:file or modified:today"

/* Builds a query, and counts. For the parser and for typed messages. */
struct comb_search_builder {
    struct grpcc_arena *arena;
    size_t n_conditions, n_terms;
};

/* NULL and err: too many (INVALID_ARGUMENT, FIELD_INVALID about `field`), or no memory. */
struct comb_search_condition *comb_search_add(struct comb_search_builder *builder,
                                              enum comb_search_kind kind, const char *field,
                                              struct comb_error *err) COMB_MUST_CHECK;
/* A condition on words, which are cut into terms. is_prefix: of the last one only the beginning is
 * known. *ret_condition is NULL where the text has no word. */
enum comb_status comb_search_add_words(struct comb_search_builder *builder,
                                       enum comb_search_field in, comb_str key, comb_str text,
                                       bool is_prefix, const char *field,
                                       struct comb_search_condition **ret_condition,
                                       struct comb_error *err) COMB_MUST_CHECK;

/*
 * Reads a query. now_us: for what is relative to it. All lives in arena, but what is text, which is
 * borrowed. INVALID_ARGUMENT, FIELD_INVALID about `field`: the message says at which character what
 * is wrong, and what to write instead.
 */
enum comb_status comb_search_parse(struct grpcc_arena *arena, comb_str text, int64_t now_us,
                                   const char *field,
                                   const struct comb_search_condition **ret_query,
                                   struct comb_error *err) COMB_MUST_CHECK;

/* The same as a part of a larger query, which is marked as a whole when it is there. *ret_part is
 * NULL where the text has nothing to look for. */
enum comb_status comb_search_parse_part(struct comb_search_builder *builder, comb_str text,
                                        int64_t now_us, const char *field,
                                        struct comb_search_condition **ret_part,
                                        struct comb_error *err) COMB_MUST_CHECK;

/* A value of `size:` or `modified:`, with its sign or as a range. False: *ret_why says what is
 * wrong with it. */
bool comb_search_parse_size(comb_str text, int64_t *ret_least, int64_t *ret_most,
                            const char **ret_why) COMB_MUST_CHECK;
bool comb_search_parse_modified(comb_str text, int64_t now_us, int64_t *ret_least,
                                int64_t *ret_most, const char **ret_why) COMB_MUST_CHECK;

#endif
