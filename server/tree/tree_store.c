/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tree/tree_store.h"

const struct comb_uuid comb_node_purge = {{0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 4}};

enum comb_status comb_tree_plan_statement(struct comb_ctx *ctx, struct comb_plan *plan,
                                          const char *text, const struct comb_sql_value *params,
                                          size_t n_params, bool guard, struct comb_error *err)
{
    struct comb_sql_value *copy;

    if (plan->n_statements == COMB_PLAN_STATEMENTS_MAX)
        return comb_error_set(err, COMB_INTERNAL, 0, "the plan has no room for a statement");
    copy = grpcc_arena_memdup(ctx->arena, params, n_params * sizeof *params);
    if (!copy)
        return comb_error_no_memory(err);
    plan->statements[plan->n_statements++] = (struct comb_sql_statement){
        .text = text, .params = copy, .n_params = n_params, .guard = guard};
    return COMB_OK;
}
