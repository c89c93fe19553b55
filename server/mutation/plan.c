/* SPDX-License-Identifier: Apache-2.0 */
#include "server/mutation/plan.h"

static enum comb_status full(const char *of_what, struct comb_error *err)
{
    return comb_error_set(err, COMB_INTERNAL, 0, "a plan has too many %s", of_what);
}

enum comb_status comb_plan_add(struct comb_ctx *ctx, struct comb_plan *plan, const char *text,
                               const struct comb_sql_value *params, size_t n_params, bool guard,
                               struct comb_error *err)
{
    if (plan->n_statements == COMB_PLAN_STATEMENTS_MAX)
        return full("statements", err);
    struct comb_sql_value *copy =
        grpcc_arena_memdup(ctx->arena, params, n_params * sizeof params[0]);
    if (!copy)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n_params; i++) {
        comb_str *bytes = &copy[i].bytes;
        bytes->ptr = grpcc_arena_memdup(ctx->arena, bytes->ptr, bytes->len);
        if (!bytes->ptr)
            return comb_error_no_memory(err);
    }
    plan->statements[plan->n_statements++] = (struct comb_sql_statement){
        .text = text, .params = copy, .n_params = n_params, .guard = guard};
    return COMB_OK;
}

enum comb_status comb_plan_tell(struct comb_plan *plan, enum comb_feed_kind kind,
                                const struct comb_uuid *subject, uint64_t revision,
                                struct comb_error *err)
{
    if (plan->n_feed == COMB_PLAN_FEED_MAX)
        return full("feed entries", err);
    plan->feed[plan->n_feed++] =
        (struct comb_feed_entry){.kind = kind, .subject = *subject, .revision = revision};
    return COMB_OK;
}
