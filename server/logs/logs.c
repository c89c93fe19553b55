/* SPDX-License-Identifier: Apache-2.0 */
#include "server/logs/logs.h"

#include "server/core/memory.h"
#include "server/logs/internal.h"

static bool time_of(struct comb_ctx *ctx, const struct comb_item *item, int64_t *ret_us)
{
    int64_t us = logs_time_of(item->at);
    (void)ctx;
    if (us < 0)
        return false;
    *ret_us = us;
    return true;
}

struct comb_items_keep logs_keep(const struct comb_logs *logs)
{
    return (struct comb_items_keep){.store = logs->parts.store,
                                    .time_of = time_of,
                                    .keep_us = logs->parts.keep_us,
                                    .keep_items = logs->parts.keep_entries,
                                    .component = "logs"};
}

enum comb_status comb_logs_new(const struct comb_logs_parts *parts, struct comb_logs **ret_logs,
                               struct comb_error *err)
{
    struct comb_logs *logs = comb_memory_zalloc(sizeof *logs);
    if (!logs)
        return comb_error_no_memory(err);
    logs->parts = *parts;
    if (logs->parts.examined_max == 0)
        logs->parts.examined_max = COMB_LOGS_PAGE_EXAMINED_MAX;
    const struct comb_items_keep keep = logs_keep(logs);
    enum comb_status status = comb_items_keeper_new(&keep, &logs->keeper, err);
    if (status == COMB_OK)
        *ret_logs = logs;
    else
        comb_memory_free(logs);
    return status;
}

void comb_logs_get_stats(const struct comb_logs *logs, struct comb_logs_stats *ret_stats)
{
    *ret_stats =
        (struct comb_logs_stats){atomic_load(&logs->appended), atomic_load(&logs->followers)};
}

void comb_logs_free(struct comb_logs *logs)
{
    if (!logs)
        return;
    comb_items_keeper_free(logs->keeper);
    comb_memory_free(logs);
}
