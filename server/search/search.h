/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searching the tree: questions of callers, answered from the index, with the rights that hold
 * when they are asked. A candidate of the index is a hit if the conditions hold and the caller may
 * read the node; folders are asked of the facts, since documents know their parent alone. What goes
 * out is the node as it is now.
 *
 * Threads: any, one per ctx. All functions block and obey ctx's deadline; what they return lives in
 * ctx->arena. Errors, unless said otherwise: those of the index (UNAVAILABLE, while the docs row is
 * away) and of the facts.
 */
#ifndef COMB_SEARCH_H
#define COMB_SEARCH_H

#include "comb/v1/search.grpcc.h"
#include "server/permissions/access.h"
#include "server/permissions/reach.h"
#include "server/search/search_driver.h"

struct comb_search;

/* Hits of one page. */
#define COMB_SEARCH_PAGE_MAX 100
#define COMB_SEARCH_PAGE_DEFAULT 20
/* Hits that are counted, and candidates that are looked at for it. */
#define COMB_SEARCH_COUNTED_MAX 10000
#define COMB_SEARCH_COUNTED_EXAMINED_MAX 20000
/* Values of a facet that are told, and kept apart while counting; the rest is in no value. */
#define COMB_SEARCH_FACET_VALUES_MAX 20
#define COMB_SEARCH_FACET_KEPT_MAX 1000
/* Suggestions of one answer; hits whose names are looked at, and candidates. */
#define COMB_SEARCH_SUGGESTIONS_MAX 50
#define COMB_SEARCH_SUGGESTIONS_DEFAULT 10
#define COMB_SEARCH_SUGGESTED_HITS_MAX 500
/* Of a text, bytes that are looked through for a highlight, and of the piece that is shown. */
#define COMB_SEARCH_HIGHLIGHT_TEXT_MAX ((size_t)32 << 10)
#define COMB_SEARCH_HIGHLIGHT_BYTES_MAX 240
/* See comb_search_parts.patience: what so many cost is less than the question. */
#define COMB_SEARCH_PATIENCE 400
/* What a page's state has at most. */
#define COMB_SEARCH_STATE_MAX 32

struct comb_search_parts {
    struct comb_search_store *store; /* borrowed */
    struct comb_access *access;      /* borrowed */
    struct comb_reach_parts reach;
    /* Candidates behind which, where hits are rare among them, it is asked what the caller can read
     * at all: COMB_SEARCH_PATIENCE, and 0 in tests. */
    size_t patience;
    /* The id of a user by id or login; NOT_FOUND. */
    enum comb_status (*find_user)(void *data, struct comb_ctx *ctx, comb_str id_or_login,
                                  struct comb_uuid *ret_id, struct comb_error *err);
    void *data;
};

enum comb_status comb_search_new(const struct comb_search_parts *parts,
                                 struct comb_search **ret_search,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_search_free(struct comb_search *search);

/* What is asked: all that is set must hold; at least one is. */
struct comb_search_question {
    comb_str text;
    const struct comb_v1_search_condition *condition;
    const struct comb_v1_node_ref *in;
};

/* What a page shows of its hits besides the nodes. */
enum comb_search_show {
    COMB_SEARCH_SHOW_HIGHLIGHTS = 1 << 0,
    COMB_SEARCH_SHOW_READING = 1 << 1 /* how far contents have been read */
};

/* A page of 1 to COMB_SEARCH_PAGE_MAX hits into response. show: of comb_search_show. state: of the
 * page before, "" for the first; *ret_state: for the next page, "": there is none.
 * INVALID_ARGUMENT: the question; NOT_FOUND (NODE_NOT_FOUND): a folder of it. */
enum comb_status comb_search_query(struct comb_search *search, struct comb_ctx *ctx,
                                   const struct comb_search_question *question, size_t size,
                                   unsigned show, comb_str state,
                                   struct comb_v1_search_query_response *response,
                                   comb_str *ret_state, struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_search_facets(struct comb_search *search, struct comb_ctx *ctx,
                                    const struct comb_search_question *question,
                                    struct comb_v1_search_facets_response *response,
                                    struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_search_suggest(struct comb_search *search, struct comb_ctx *ctx,
                                     comb_str text, size_t max,
                                     struct comb_v1_search_suggest_response *response,
                                     struct comb_error *err) COMB_MUST_CHECK;

#endif
