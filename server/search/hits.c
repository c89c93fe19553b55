/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search/hits.h"

#include "server/search/terms.h"

enum { RANK_NAMES, RANK_REST, RANKS };
/* A walk that wants few hits asks for few candidates at first, then for more each time. */
enum { SCAN_FIRST = 64 };

struct course {
    const struct comb_search_walk *walk;
    struct comb_ctx *ctx;
    struct comb_search_at at;
    bool has_rank;
    size_t examined_max, examined, scan_max;
    const struct comb_search_few *few; /* NULL: any document may be a hit */
    struct comb_search_hit *hits;
    size_t n;
};

/* Whether a candidate of this rank is a hit. */
static enum comb_status is_hit(const struct course *course,
                               const struct comb_search_candidate *candidate, bool *ret_hit,
                               struct comb_error *err)
{
    const struct comb_search_walk *walk = course->walk;
    const struct comb_search_judge *judge = walk->judge;
    comb_str terms;
    *ret_hit =
        comb_search_match(walk->query, candidate, candidate->holds, judge->is_in, judge->data);
    if (*ret_hit && course->has_rank && course->at.rank == RANK_REST) {
        /* What has ranked above is no hit again. */
        enum comb_status status =
            comb_search_terms(course->ctx->arena, candidate->name, &terms, err);
        if (status != COMB_OK)
            return status;
        uint64_t named = comb_search_named(walk->query, terms, candidate->holds);
        *ret_hit = !comb_search_match(walk->query, candidate, named, judge->is_in, judge->data);
    }
    *ret_hit = *ret_hit && judge->may_see(judge->data, candidate);
    return COMB_OK;
}

/* Stops behind the candidate that fills the hits, or that is the last to be looked at. */
static enum comb_status take(struct course *course, const struct comb_search_found *found,
                             struct comb_error *err)
{
    for (size_t i = 0;
         i < found->n && course->n < course->walk->max && course->examined < course->examined_max;
         i++) {
        bool hit = false;
        enum comb_status status = is_hit(course, &found->candidates[i], &hit, err);
        if (status != COMB_OK)
            return status;
        if (hit)
            course->hits[course->n++] =
                (struct comb_search_hit){found->candidates[i], course->at.rank};
        course->at.id = found->candidates[i].id;
        course->at.has_id = true;
        course->at.examined++;
        course->at.hits += hit;
        course->examined++;
    }
    return COMB_OK;
}

/* The next of the few, below what was looked at last. */
static void choose(const struct course *course, struct comb_search_scan *scan)
{
    const struct comb_search_few *few = course->few;
    size_t first = 0;
    while (course->at.has_id && first < few->n &&
           memcmp(&few->ids[first], &course->at.id, sizeof course->at.id) >= 0)
        first++;
    scan->among = few->ids + first;
    scan->n_among = few->n - first < scan->max ? few->n - first : scan->max;
}

/* Behind a batch of which all was looked at: where the rank goes on, or the next one. */
static void pass(struct course *course, const struct comb_search_scan *scan, bool more)
{
    struct comb_search_at *at = &course->at;
    if (more)
        return;
    if (scan->among && scan->n_among > 0) {
        at->id = scan->among[scan->n_among - 1];
        at->has_id = true;
        more = !comb_uuid_equal(&at->id, &course->few->ids[course->few->n - 1]);
    }
    if (!more) {
        at->rank++;
        at->has_id = false;
    }
}

/* One batch of candidates. */
static enum comb_status advance(struct course *course, struct comb_error *err)
{
    const struct comb_search_walk *walk = course->walk;
    const struct comb_uuid last = course->at.id;
    struct comb_search_scan scan = {.query = walk->query,
                                    .names_alone = course->at.rank == RANK_NAMES,
                                    .before = course->at.has_id ? &last : NULL,
                                    .max = course->scan_max};
    struct comb_search_found found = {.n = 0};
    enum comb_status status = COMB_OK;
    if (course->few)
        choose(course, &scan);
    if (!scan.among || scan.n_among > 0)
        status = walk->store->driver->scan(walk->store, course->ctx, &scan, &found, err);
    if (status == COMB_OK && found.n > 0 && walk->judge->prepare)
        status =
            walk->judge->prepare(walk->judge->data, course->ctx, found.candidates, found.n, err);
    if (status == COMB_OK)
        status = take(course, &found, err);
    if (status != COMB_OK)
        return status;
    bool is_through =
        found.n == 0 || comb_uuid_equal(&course->at.id, &found.candidates[found.n - 1].id);
    if (is_through)
        pass(course, &scan, found.more);
    course->scan_max =
        course->scan_max * 2 < COMB_SEARCH_SCAN_MAX ? course->scan_max * 2 : COMB_SEARCH_SCAN_MAX;
    return COMB_OK;
}

/* Whether it is time to ask who can be a hit at all: it costs more than a page of frequent hits. */
static bool wants_to_know(const struct course *course)
{
    const struct comb_search_at *at = &course->at;
    if (course->few || !course->walk->judge->narrow)
        return false;
    return at->reach == COMB_SEARCH_REACH_FEW ||
           (at->reach == COMB_SEARCH_REACH_UNKNOWN && at->examined >= course->walk->patience &&
            (uint64_t)at->hits * COMB_SEARCH_RARE <= at->examined);
}

static enum comb_status narrow(struct course *course, struct comb_error *err)
{
    const struct comb_search_judge *judge = course->walk->judge;
    struct comb_search_few *few = grpcc_arena_zalloc(course->ctx->arena, sizeof *few);
    bool are_few = false;
    if (!few)
        return comb_error_no_memory(err);
    enum comb_status status = judge->narrow(judge->data, course->ctx, few, &are_few, err);
    if (status != COMB_OK)
        return status;
    course->at.reach = are_few ? COMB_SEARCH_REACH_FEW : COMB_SEARCH_REACH_MANY;
    course->few = are_few ? few : NULL;
    return COMB_OK;
}

enum comb_status comb_search_walk(const struct comb_search_walk *walk, struct comb_ctx *ctx,
                                  struct comb_search_at *at,
                                  const struct comb_search_hit **ret_hits, size_t *ret_n,
                                  bool *ret_more, struct comb_error *err)
{
    struct course course = {.walk = walk,
                            .ctx = ctx,
                            .at = *at,
                            .has_rank = comb_search_has_rank(walk->query),
                            .scan_max = SCAN_FIRST};
    enum comb_status status = COMB_OK;
    course.examined_max = walk->examined_max ? walk->examined_max : COMB_SEARCH_EXAMINED_MAX;
    if (!course.has_rank && course.at.rank == RANK_NAMES)
        course.at.rank = RANK_REST;
    course.hits = grpcc_arena_calloc(ctx->arena, walk->max, sizeof *course.hits);
    if (!course.hits)
        return comb_error_no_memory(err);
    while (status == COMB_OK && course.at.rank < RANKS && course.n < walk->max &&
           course.examined < course.examined_max) {
        if (wants_to_know(&course))
            status = narrow(&course, err);
        if (status == COMB_OK)
            status = advance(&course, err);
    }
    if (status != COMB_OK)
        return status;
    *at = course.at;
    *ret_hits = course.hits;
    *ret_n = course.n;
    *ret_more = course.at.rank < RANKS;
    return COMB_OK;
}
