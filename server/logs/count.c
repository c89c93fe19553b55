/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of each period. */
#include "server/core/clock.h"
#include "server/core/timestamp.h"
#include "server/logs/internal.h"

struct counter {
    struct grpcc_arena *arena;
    int64_t period_us;
    int64_t begin_us; /* of the last period */
    struct comb_v1_logs_count_response *response;
};

static struct comb_v1_log_count *last_of(const struct counter *counter)
{
    return counter->response->counts[counter->response->n_counts - 1];
}

static bool add_period(struct counter *counter, int64_t begin_us)
{
    struct comb_v1_log_count *count = comb_v1_log_count_new(counter->arena);
    if (!count)
        return false;
    count->period = comb_timestamp_new(counter->arena, begin_us);
    counter->begin_us = begin_us;
    return count->period &&
           comb_v1_logs_count_response_add_counts(counter->arena, counter->response, count);
}

static enum comb_status take(void *data, const struct comb_item *item,
                             const struct comb_v1_log_entry *entry, bool *ret_full,
                             struct comb_error *err)
{
    struct counter *counter = data;
    int64_t us = logs_time_of(item->at);
    int64_t begin_us = us - us % counter->period_us;
    *ret_full = false;
    if ((counter->response->n_counts == 0 || begin_us != counter->begin_us) &&
        !add_period(counter, begin_us))
        return comb_error_no_memory(err);
    struct comb_v1_log_count *count = last_of(counter);
    count->entries++;
    count->errors += entry->level == COMB_V1_LOG_LEVEL_ERROR;
    count->warnings += entry->level == COMB_V1_LOG_LEVEL_WARN;
    return COMB_OK;
}

enum comb_status comb_logs_count(struct comb_logs *logs, struct comb_ctx *ctx,
                                 const struct comb_log_filter *filter, int64_t period_us,
                                 comb_str behind, struct comb_log_counts *ret_counts,
                                 struct comb_error *err)
{
    struct counter counter = {.arena = ctx->arena, .period_us = period_us};
    struct logs_search search;
    struct logs_walk walk = {.logs = logs,
                             .search = &search,
                             .examined_max = COMB_LOGS_LONG_PAGES * logs->parts.examined_max,
                             .until_ns = comb_clock_in_ms(COMB_LOGS_PAGE_MS_MAX),
                             .take = take,
                             .data = &counter};
    enum comb_status status = logs_search_init(&search, ctx->arena, filter, err);
    if (status == COMB_OK)
        status = logs_walk_begin(&walk, behind, err);
    if (status != COMB_OK)
        return status;
    counter.response = comb_v1_logs_count_response_new(ctx->arena);
    if (!counter.response)
        return comb_error_no_memory(err);
    status = logs_walk_run(&walk, ctx, err);
    if (status != COMB_OK)
        return status;
    comb_str next = logs_walk_end(&walk, ctx->arena);
    if (!next.ptr)
        return comb_error_no_memory(err);
    *ret_counts =
        (struct comb_log_counts){counter.response->counts, counter.response->n_counts, next};
    return COMB_OK;
}
