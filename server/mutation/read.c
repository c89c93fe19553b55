/* SPDX-License-Identifier: Apache-2.0 */
#include "server/mutation/read.h"

#include "server/mutation/feed.h"

enum comb_status comb_read_rows(struct comb_sql *sql, struct comb_ctx *ctx, enum comb_sql_kind kind,
                                const char *text, const struct comb_sql_value *params,
                                size_t n_params, const struct comb_sql_rows **ret_rows,
                                struct comb_error *err)
{
    const struct comb_sql_statement statements[] = {
        {.text = comb_position_sql(sql)}, {.text = text, .params = params, .n_params = n_params}};
    const struct comb_sql_request request = {
        .kind = kind, .statements = statements, .n_statements = 2};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(sql, ctx, &request, &result, err);
    if (status != COMB_OK)
        return status;
    comb_ctx_reach(ctx, (struct comb_position){
                            .incarnation = comb_sql_incarnation(sql),
                            .sequence = (uint64_t)comb_sql_at(&result->rows[0], 0, 0)->integer});
    *ret_rows = &result->rows[1];
    return COMB_OK;
}
