/* SPDX-License-Identifier: Apache-2.0 */
#include "server/logs/logs_rpc.h"

#include "server/core/clock.h"
#include "server/logs/tails_rpc.h"
#include "server/rpc/rpc.h"

/* What one message of a stream may take in memory, with what is made of it. */
#define MESSAGE_ARENA_MAX (64u << 20)

/* ---- conversions ---- */

static enum comb_status read_filter(const struct comb_v1_log_filter *message,
                                    struct comb_log_filter *ret, struct comb_error *err)
{
    *ret = (struct comb_log_filter){0};
    if (!message)
        return COMB_OK;
    ret->text = comb_str_from(message->text);
    ret->level = (enum comb_log_level)message->level;
    ret->service = comb_str_from(message->service);
    ret->user = comb_str_from(message->user);
    ret->trace = comb_str_from(message->trace_id);
    enum comb_status status = comb_rpc_time(message->since, "filter.since", &ret->since_us, err);
    if (status == COMB_OK)
        status = comb_rpc_time(message->until, "filter.until", &ret->until_us, err);
    return status;
}

/* ---- Append ---- */

static enum comb_status native_error(struct comb_error *err, const struct grpcc_error *native)
{
    return comb_error_set(err, (enum comb_status)native->status, 0, "%s", native->message);
}

static enum comb_status read_entry(struct grpcc_arena *arena,
                                   const struct comb_v1_log_entry *message,
                                   struct comb_log_entry *ret, struct comb_error *err)
{
    struct comb_log_value *values = grpcc_arena_calloc(arena, message->n_fields, sizeof *values);
    if (!values)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < message->n_fields; i++)
        values[i] = (struct comb_log_value){comb_str_from(message->fields[i]->name),
                                            comb_str_from(message->fields[i]->value)};
    *ret = (struct comb_log_entry){
        .level = message->level ? (enum comb_log_level)message->level : COMB_LOG_INFO,
        .service = comb_str_from(message->service),
        .user = comb_str_from(message->user),
        .trace = comb_str_from(message->trace_id),
        .message = comb_str_from(message->message),
        .values = values,
        .n_values = message->n_fields,
    };
    return comb_rpc_time(message->time, "entries.time", &ret->time_us, err);
}

static enum comb_status append_batch(struct comb_logs *logs, struct comb_ctx *ctx,
                                     const struct comb_uuid *batch, size_t first,
                                     const struct comb_v1_logs_append_batch *message,
                                     struct comb_error *err)
{
    struct comb_log_entry *entries =
        grpcc_arena_calloc(ctx->arena, message->n_entries, sizeof *entries);
    enum comb_status status = entries ? COMB_OK : comb_error_no_memory(err);
    for (size_t i = 0; i < message->n_entries && status == COMB_OK; i++)
        status = read_entry(ctx->arena, message->entries[i], &entries[i], err);
    return status == COMB_OK
               ? comb_logs_append(logs, ctx, batch, first, entries, message->n_entries, err)
               : status;
}

/* Batches, up to the end of the stream. */
static enum comb_status take_batches(const struct comb_logs_rpc *rpc, struct grpcc_call *call,
                                     const struct comb_uuid *batch, uint32_t *ret_n,
                                     struct comb_error *err)
{
    struct comb_ctx ctx = *comb_rpc_ctx(call);
    enum comb_status status = COMB_OK;
    bool is_over = false;
    size_t n = 0;
    ctx.arena = grpcc_arena_new(MESSAGE_ARENA_MAX);
    if (!ctx.arena)
        return comb_error_no_memory(err);
    while (status == COMB_OK && !is_over) {
        struct comb_v1_logs_append_request *message = NULL;
        struct grpcc_error native;
        grpcc_arena_reset(ctx.arena);
        if (comb_v1_logs_append_read(call, ctx.arena, &message, &native) != GRPCC_OK) {
            status = native_error(err, &native);
        } else if (!message) {
            is_over = true;
        } else if (message->part_case != COMB_V1_LOGS_APPEND_REQUEST_PART_BATCH) {
            status = comb_error_field(err, "batch", "every message after the first is a batch");
        } else {
            status = append_batch(rpc->logs, &ctx, batch, n, message->batch, err);
            n += message->batch->n_entries;
        }
    }
    grpcc_arena_free(ctx.arena);
    if (status == COMB_OK)
        *ret_n = (uint32_t)n;
    return status;
}

static enum comb_status append_stream(const struct comb_logs_rpc *rpc, struct grpcc_call *call,
                                      uint32_t *ret_n, struct comb_error *err)
{
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_logs_append_request *first = NULL;
    struct comb_request_key key;
    struct comb_uuid batch;
    struct grpcc_error native;
    if (comb_v1_logs_append_read(call, ctx->arena, &first, &native) != GRPCC_OK)
        return native_error(err, &native);
    if (!first || first->part_case != COMB_V1_LOGS_APPEND_REQUEST_PART_HEADER)
        return comb_error_field(err, "header", "the first message must be the header");
    enum comb_status status =
        comb_rpc_request_key(call, first->header->request_id, &first->header->base, &key, err);
    if (status == COMB_OK && !comb_uuid_parse(comb_str_from(first->header->request_id), &batch))
        status = comb_error_field(err, "header.request_id", "is a UUID of version 7");
    return status == COMB_OK ? take_batches(rpc, call, &batch, ret_n, err) : status;
}

static void rpc_append(void *self, struct grpcc_call *call)
{
    struct comb_v1_logs_append_response *response =
        comb_v1_logs_append_response_new(grpcc_call_arena(call));
    struct comb_error err = {0};
    enum comb_status status =
        response ? append_stream(self, call, &response->entries, &err) : comb_error_no_memory(&err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- Query ---- */

static enum comb_status query(const struct comb_logs_rpc *rpc, struct comb_ctx *ctx,
                              const struct comb_v1_logs_query_request *request,
                              struct comb_v1_logs_query_response *response, struct comb_error *err)
{
    struct comb_v1_logs_query_request same = *request;
    struct comb_log_query what = {.is_oldest_first = request->order_by == COMB_V1_LOG_ORDER_OLDEST};
    struct comb_log_page page;
    same.page_size = 0;
    same.page_token = (char *)"";
    const comb_str packed = comb_rpc_pack(ctx->arena, &same.base);
    if (!packed.ptr)
        return comb_error_no_memory(err);
    if ((int)request->order_by < 0 || request->order_by > COMB_V1_LOG_ORDER_OLDEST)
        return comb_error_field(err, "order_by", "is NEWEST or OLDEST");
    enum comb_status status = comb_rpc_page_size(request->page_size, &what.max, err);
    if (status == COMB_OK)
        status = read_filter(request->filter, &what.filter, err);
    if (status == COMB_OK)
        status =
            comb_page_token_open(rpc->sealer, ctx, packed, request->page_token, &what.behind, err);
    if (status == COMB_OK)
        status = comb_logs_query(rpc->logs, ctx, &what, &page, err);
    if (status != COMB_OK)
        return status;
    response->entries = page.entries;
    response->n_entries = page.n;
    return page.next.len == 0 ? COMB_OK
                              : comb_page_token_seal(rpc->sealer, ctx, packed, page.next,
                                                     &response->next_page_token, err);
}

static void rpc_query(void *self, struct grpcc_call *call,
                      const struct comb_v1_logs_query_request *request)
{
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_logs_query_response *response = comb_v1_logs_query_response_new(ctx->arena);
    struct comb_error err = {0};
    enum comb_status status =
        response ? query(self, ctx, request, response, &err) : comb_error_no_memory(&err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- Count ---- */

static enum comb_status count(const struct comb_logs_rpc *rpc, struct comb_ctx *ctx,
                              const struct comb_v1_logs_count_request *request,
                              struct comb_v1_logs_count_response *response, struct comb_error *err)
{
    static const int64_t lengths_s[] = {0, 60, 3600, 24 * 3600};
    struct comb_v1_logs_count_request same = *request;
    struct comb_log_filter filter;
    struct comb_log_counts counts;
    comb_str behind = {0};
    int period = (int)request->period;
    same.page_token = (char *)"";
    const comb_str packed = comb_rpc_pack(ctx->arena, &same.base);
    if (!packed.ptr)
        return comb_error_no_memory(err);
    if (period < COMB_V1_LOG_PERIOD_MINUTE || period > COMB_V1_LOG_PERIOD_DAY)
        return comb_error_field(err, "period", "is MINUTE, HOUR or DAY");
    enum comb_status status = read_filter(request->filter, &filter, err);
    if (status == COMB_OK)
        status = comb_page_token_open(rpc->sealer, ctx, packed, request->page_token, &behind, err);
    if (status == COMB_OK)
        status = comb_logs_count(rpc->logs, ctx, &filter, lengths_s[period] * COMB_US_PER_S, behind,
                                 &counts, err);
    if (status != COMB_OK)
        return status;
    response->counts = counts.counts;
    response->n_counts = counts.n;
    return counts.next.len == 0 ? COMB_OK
                                : comb_page_token_seal(rpc->sealer, ctx, packed, counts.next,
                                                       &response->next_page_token, err);
}

static void rpc_count(void *self, struct grpcc_call *call,
                      const struct comb_v1_logs_count_request *request)
{
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_logs_count_response *response = comb_v1_logs_count_response_new(ctx->arena);
    struct comb_error err = {0};
    enum comb_status status =
        response ? count(self, ctx, request, response, &err) : comb_error_no_memory(&err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- Tail ---- */

static void rpc_tail(void *self, struct grpcc_call *call,
                     const struct comb_v1_logs_tail_request *request)
{
    const struct comb_logs_rpc *rpc = self;
    struct comb_log_filter filter;
    struct comb_error err = {0};
    if (read_filter(request->filter, &filter, &err) == COMB_OK)
        comb_logs_tails_add(rpc->tails, call, &filter);
    else
        comb_rpc_fail(call, &err);
}

/* ---- all of it ---- */

static const struct comb_v1_logs_server METHODS = {
    .append = rpc_append,
    .query = rpc_query,
    .count = rpc_count,
    .tail = rpc_tail,
};

enum comb_status comb_logs_rpc_init(struct comb_logs_rpc *rpc, struct comb_logs *logs,
                                    struct comb_sealer *sealer, struct comb_error *err)
{
    *rpc = (struct comb_logs_rpc){.logs = logs, .sealer = sealer};
    return comb_logs_tails_new(logs, &rpc->tails, err);
}

void comb_logs_rpc_drain(struct comb_logs_rpc *rpc)
{
    comb_logs_tails_drain(rpc->tails);
}

void comb_logs_rpc_done(struct comb_logs_rpc *rpc)
{
    comb_logs_tails_free(rpc->tails);
    rpc->tails = NULL;
}

enum comb_status comb_logs_rpc_register(struct grpcc_server *server, struct comb_logs_rpc *rpc,
                                        struct comb_error *err)
{
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (comb_v1_logs_register(server, &METHODS, rpc, &failure) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Logs: %.200s", failure.message);
}
