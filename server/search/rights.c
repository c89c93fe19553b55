/* SPDX-License-Identifier: Apache-2.0 */
/* Candidates against the rights of the caller: one question to the facts for a batch of them. */
#include "comb/v1/options.grpcc.h"
#include "server/search/internal.h"

struct search_verdict {
    bool may_read;
    struct comb_uuid owner; /* of the workspace */
    uint64_t in;            /* bit 1 << number: of the conditions on folders, which hold */
};

/* The conditions on folders that hold for what has these folders above it. */
static uint64_t conditions_in(const struct comb_search_condition *query,
                              const struct comb_fact_chain *chain)
{
    uint64_t in = 0;
    for (size_t i = 0; i < query->n_parts; i++)
        in |= conditions_in(query->parts[i], chain);
    /* A folder does not lie in itself. */
    for (size_t i = 1; query->kind == COMB_SEARCH_IN && i < chain->n_links; i++) {
        if (comb_uuid_equal(&chain->links[i].node->id, &query->id))
            in |= UINT64_C(1) << query->number;
    }
    return in;
}

static enum comb_status decide(void *data, size_t i, int rights,
                               const struct comb_fact_chain *chain, struct comb_error *err)
{
    struct search_rights *self = data;
    (void)err;
    self->verdicts[i] = (struct search_verdict){
        .may_read = rights & COMB_V1_RIGHTS_READ,
        .owner = chain->workspace.owner,
        .in = conditions_in(self->query, chain),
    };
    return COMB_OK;
}

static enum comb_status prepare(void *data, struct comb_ctx *ctx,
                                const struct comb_search_candidate *candidates, size_t n,
                                struct comb_error *err)
{
    struct search_rights *self = data;
    struct comb_uuid *ids = grpcc_arena_calloc(ctx->arena, n, sizeof *ids);
    self->candidates = candidates;
    self->verdicts = grpcc_arena_calloc(ctx->arena, n, sizeof *self->verdicts);
    if (!ids || !self->verdicts)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++)
        ids[i] = candidates[i].id;
    enum comb_status status =
        comb_access_rights_each(self->search->parts.access, ctx, ids, n, decide, self, err);
    /* One look at the store is new enough for all batches of the call. */
    if (status == COMB_OK)
        comb_ctx_asked(ctx);
    return status;
}

static bool is_in(void *data, const struct comb_search_condition *condition,
                  const struct comb_search_candidate *candidate)
{
    const struct search_rights *self = data;
    const struct search_verdict *verdict = &self->verdicts[candidate - self->candidates];
    if (condition->kind == COMB_SEARCH_OWNER)
        return comb_uuid_equal(&verdict->owner, &condition->id);
    return verdict->in >> condition->number & 1;
}

/* The last thing that is asked of a hit. */
static bool may_see(void *data, const struct comb_search_candidate *candidate)
{
    struct search_rights *self = data;
    const struct search_verdict *verdict = &self->verdicts[candidate - self->candidates];
    if (verdict->may_read && self->owners)
        self->owners[self->n_owners++] = verdict->owner;
    return verdict->may_read;
}

/* Folders that every hit lies in. */
static void add_folders(const struct comb_search_condition *query,
                        struct comb_reach_question *question)
{
    if (query->kind == COMB_SEARCH_IN && question->n_within < COMB_REACH_WITHIN_MAX)
        question->within[question->n_within++] = query->id;
    for (size_t i = 0; query->kind == COMB_SEARCH_AND && i < query->n_parts; i++)
        add_folders(query->parts[i], question);
}

static enum comb_status narrow(void *data, struct comb_ctx *ctx, struct comb_search_few *ret_few,
                               bool *ret_are_few, struct comb_error *err)
{
    struct search_rights *self = data;
    struct search_reach *reach = self->reach;
    struct comb_reach_question question = {.n_within = 0};
    (void)ctx;
    if (!reach->is_known) {
        add_folders(self->query, &question);
        enum comb_status status = comb_reach_find(&self->search->parts.reach, reach->keeper,
                                                  &question, &reach->reach, err);
        if (status != COMB_OK)
            return status;
        reach->is_known = true;
    }
    *ret_few = (struct comb_search_few){reach->reach.ids, reach->reach.n};
    *ret_are_few = reach->reach.are_few;
    return COMB_OK;
}

struct comb_search_judge search_rights_judge(struct search_rights *rights)
{
    return (struct comb_search_judge){
        .prepare = prepare, .narrow = narrow, .is_in = is_in, .may_see = may_see, .data = rights};
}
