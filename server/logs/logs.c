/* SPDX-License-Identifier: Apache-2.0 */
#include "server/logs/logs.h"

#include "server/core/memory.h"
#include "server/logs/internal.h"

enum comb_status comb_logs_new(const struct comb_logs_parts *parts, struct comb_logs **ret_logs,
                               struct comb_error *err)
{
    struct comb_logs *logs = comb_memory_zalloc(sizeof *logs);
    if (!logs)
        return comb_error_no_memory(err);
    logs->parts = *parts;
    if (logs->parts.examined_max == 0)
        logs->parts.examined_max = COMB_LOGS_PAGE_EXAMINED_MAX;
    *ret_logs = logs;
    return COMB_OK;
}

void comb_logs_free(struct comb_logs *logs)
{
    comb_memory_free(logs);
}
