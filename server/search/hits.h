/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hits of a query, in their order: those whose names have all that is asked of any field rank
 * first, then the rest, each the newest id first. Nothing of the order, and nothing that is counted
 * tells of documents that the caller may not see: there are no statistics of the whole.
 *
 * A walk looks at a bounded number of candidates and can be gone on with from where it stopped.
 */
#ifndef COMB_SEARCH_HITS_H
#define COMB_SEARCH_HITS_H

#include "server/search/match.h"

/* Candidates that one walk looks at unless told otherwise. */
#define COMB_SEARCH_EXAMINED_MAX 5000
/* Hits are rare where at most one of so many candidates was one. */
#define COMB_SEARCH_RARE 20

/* Whether few documents can be hits at all; see comb_search_judge.narrow. */
enum comb_search_reach {
    COMB_SEARCH_REACH_UNKNOWN, /* nobody has asked yet */
    COMB_SEARCH_REACH_FEW,
    COMB_SEARCH_REACH_MANY
};

/* Where a walk goes on. Zero: at the beginning. */
struct comb_search_at {
    uint32_t rank;       /* 0: names, 1: the rest */
    bool has_id;         /* the walk goes on below id */
    struct comb_uuid id; /* the last one that was looked at */
    enum comb_search_reach reach;
    /* Until the reach is known, how many were looked at, and how many of them were hits. */
    uint32_t examined, hits;
};

/* Documents, by falling id, each once. */
struct comb_search_few {
    const struct comb_uuid *ids;
    size_t n;
};

/* Who decides what the caller may see. */
struct comb_search_judge {
    /* Fetches what the two below need of n candidates, in one go. Blocks. NULL: nothing. */
    enum comb_status (*prepare)(void *data, struct comb_ctx *ctx,
                                const struct comb_search_candidate *candidates, size_t n,
                                struct comb_error *err);
    /* Which documents alone can be hits, where these are few; *ret_are_few false: they are not.
     * Asked where hits are rare among the candidates; then a walk looks at these documents instead
     * of at all that have the words. They must live as long as the walk. Blocks. NULL: nobody
     * knows. */
    enum comb_status (*narrow)(void *data, struct comb_ctx *ctx, struct comb_search_few *ret_few,
                               bool *ret_are_few, struct comb_error *err);
    comb_search_is_in is_in;
    bool (*may_see)(void *data, const struct comb_search_candidate *candidate);
    void *data;
};

struct comb_search_walk {
    struct comb_search_store *store;
    const struct comb_search_condition *query; /* OWNER and IN have their ids */
    const struct comb_search_judge *judge;
    size_t max;          /* hits */
    size_t examined_max; /* candidates; 0: COMB_SEARCH_EXAMINED_MAX */
    size_t patience;     /* candidates that may be no hits before the judge is asked to narrow */
};

struct comb_search_hit {
    struct comb_search_candidate candidate;
    uint32_t rank;
};

/*
 * The next hits from *at on, which is moved. *ret_more: there may be further ones; a walk that
 * stopped at examined_max may have found none and still have more. In ctx's arena. Errors: those of
 * the store and of the judge.
 */
enum comb_status comb_search_walk(const struct comb_search_walk *walk, struct comb_ctx *ctx,
                                  struct comb_search_at *at,
                                  const struct comb_search_hit **ret_hits, size_t *ret_n,
                                  bool *ret_more, struct comb_error *err) COMB_MUST_CHECK;

#endif
