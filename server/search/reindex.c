/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search/reindex.h"

#include "comb/v1/errors.grpcc.h"

enum comb_status comb_search_reindex_start(struct comb_operations *operations, struct comb_ctx *ctx,
                                           const struct comb_request_key *key,
                                           struct comb_operation *ret_operation,
                                           struct comb_error *err)
{
    const struct comb_operation_filter open = {.kind = STR(COMB_SEARCH_REINDEX_KIND),
                                               .states = 1u << COMB_OPERATION_WAITING |
                                                         1u << COMB_OPERATION_RUNNING};
    const struct comb_operation *found;
    size_t n = 0;
    struct comb_error failure = {0};
    enum comb_status status = comb_operations_start_kind(
        operations, ctx, key, STR(COMB_SEARCH_REINDEX_KIND), ret_operation, &failure);
    if (status == COMB_OK)
        return COMB_OK;
    if (failure.reason == COMB_V1_ERROR_REASON_OPERATION_RUNNING) {
        status = comb_operations_list(operations, ctx, &open, NULL, 1, &found, &n, err);
        if (status != COMB_OK)
            return status;
        if (n > 0) {
            *ret_operation = found[0];
            return COMB_OK;
        }
        /* It has ended in between. */
    }
    if (err)
        *err = failure;
    return failure.status;
}
