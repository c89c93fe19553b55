/* SPDX-License-Identifier: Apache-2.0 */
/* Removing items: by age and number, and those that a restored store has never had. */
#include "server/activities/internal.h"

static bool time_of(struct comb_ctx *ctx, const struct comb_item *item, int64_t *ret_us)
{
    struct activities_record record;
    if (activities_read_item(ctx, item, &record, NULL) != COMB_OK)
        return false;
    *ret_us = record.time_us;
    return true;
}

enum comb_status activities_cut(struct comb_activities *activities, struct comb_ctx *ctx,
                                uint64_t history, int64_t from_us, size_t max, size_t *ret_n,
                                struct comb_error *err)
{
    const struct comb_item_scan scan = {.before = activities_place(ctx->arena, history, 0)};
    struct comb_items_sieve sieve = {.from_us = from_us};
    return scan.before.ptr ? comb_items_sift(activities->parts.store, time_of, ctx, &scan, &sieve,
                                             max, ret_n, err)
                           : comb_error_no_memory(err);
}

struct comb_items_keep activities_keep(const struct comb_activities *activities)
{
    const struct comb_activities_parts *parts = &activities->parts;
    return (struct comb_items_keep){.store = parts->store,
                                    .time_of = time_of,
                                    .keep_us = parts->keep_us,
                                    .keep_items = parts->keep_items,
                                    .component = "activities"};
}

enum comb_status comb_activities_purge(struct comb_activities *activities, struct comb_ctx *ctx,
                                       int64_t before_us, uint64_t keep, uint64_t *ret_removed,
                                       bool *ret_more, struct comb_error *err)
{
    const struct comb_items_keep what = activities_keep(activities);
    return comb_items_purge(&what, ctx, before_us, keep, ret_removed, ret_more, err);
}
