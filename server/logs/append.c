/* SPDX-License-Identifier: Apache-2.0 */
#include "server/logs/internal.h"

static enum comb_status check_batch(const struct comb_uuid *batch, size_t first, size_t n,
                                    struct comb_error *err)
{
    if (!comb_uuid_is_v7(batch))
        return comb_error_field(err, "request_id", "is a UUID of version 7");
    if (n > COMB_LOGS_APPEND_MAX)
        return comb_error_field(err, "entries", "are at most %d in a message",
                                COMB_LOGS_APPEND_MAX);
    if (first > COMB_LOGS_BATCH_MAX - n)
        return comb_error_field(err, "entries", "are at most %d under one request id",
                                COMB_LOGS_BATCH_MAX);
    return COMB_OK;
}

enum comb_status comb_logs_append(struct comb_logs *logs, struct comb_ctx *ctx,
                                  const struct comb_uuid *batch, size_t first,
                                  const struct comb_log_entry *entries, size_t n,
                                  struct comb_error *err)
{
    struct comb_items_store *store = logs->parts.store;
    enum comb_status status = check_batch(batch, first, n, err);
    if (status != COMB_OK)
        return status;
    struct comb_item *items = grpcc_arena_calloc(ctx->arena, n, sizeof *items);
    if (!items)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n && status == COMB_OK; i++)
        status = logs_to_item(ctx, batch, first + i, &entries[i], &items[i], err);
    for (size_t i = 0; i < n && status == COMB_OK; i += COMB_ITEM_SCAN_MAX) {
        size_t some = n - i < COMB_ITEM_SCAN_MAX ? n - i : COMB_ITEM_SCAN_MAX;
        status = store->driver->put(store, ctx, items + i, some, err);
        if (status == COMB_OK)
            atomic_fetch_add(&logs->appended, some);
    }
    return status;
}
