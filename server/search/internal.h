/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the domain share. */
#ifndef COMB_SEARCH_INTERNAL_H
#define COMB_SEARCH_INTERNAL_H

#include "server/search/hits.h"
#include "server/search/query.h"
#include "server/search/search.h"

struct comb_search {
    struct comb_search_parts parts;
};

/* ---- question.c ---- */

/* The conditions of a question, with the ids of users and folders in it. */
enum comb_status search_question_read(struct comb_search *search, struct comb_ctx *ctx,
                                      const struct comb_search_question *question,
                                      struct comb_search_condition **ret_query,
                                      struct comb_error *err) COMB_MUST_CHECK;

/* ---- rights.c ---- */

/* What a caller can read at all, once it has been asked for. */
struct search_reach {
    struct comb_ctx *keeper; /* in whose arena it lives: as long as all walks of a call */
    bool is_known;
    struct comb_reach reach;
};

/* Decides what the caller may see. */
struct search_rights {
    struct comb_search *search;
    const struct comb_search_condition *query;
    /* Of the candidates that were prepared last. */
    const struct comb_search_candidate *candidates;
    struct search_verdict *verdicts;
    /* The owners of the hits, in their order; NULL: nobody wants to know. */
    struct comb_uuid *owners;
    size_t n_owners;
    struct search_reach *reach;
};
struct comb_search_judge search_rights_judge(struct search_rights *rights);

/* ---- highlight.c ---- */

/* The piece of a text in which words of the query stand, all of it where `whole`. *ret_highlight is
 * NULL where there is none. In arena. */
enum comb_status search_highlight(struct grpcc_arena *arena,
                                  const struct comb_search_condition *query,
                                  enum comb_search_field field, comb_str text, bool whole,
                                  struct comb_v1_search_highlight **ret_highlight,
                                  struct comb_error *err) COMB_MUST_CHECK;

/* ---- reading.c ---- */

/* How far the content of a node has been read, into its hit; content: what the index has of it. */
enum comb_status search_reading_show(struct grpcc_arena *arena, const struct comb_node *node,
                                     const struct comb_search_content *content,
                                     struct comb_v1_search_hit *hit,
                                     struct comb_error *err) COMB_MUST_CHECK;

/* ---- search.c ---- */

/* Walks hits, from the first on, until `take` answers false, there are no more, or examined_max
 * candidates have been looked at. take's hit lives until it returns; memory does not grow with
 * the hits. *ret_complete: there were no more. */
typedef bool (*search_take)(void *data, const struct comb_search_candidate *hit,
                            const struct comb_uuid *owner);
enum comb_status search_each(struct comb_search *search, struct comb_ctx *ctx,
                             const struct comb_search_condition *query, size_t examined_max,
                             search_take take, void *data, bool *ret_complete,
                             struct comb_error *err) COMB_MUST_CHECK;

#endif
