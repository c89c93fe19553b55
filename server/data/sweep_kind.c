/* SPDX-License-Identifier: Apache-2.0 */
#include "server/data/sweep_kind.h"

#include "comb/v1/operations.grpcc.h"
#include "grpcc/wkt.h"
#include "server/core/clock.h"

/* One round's own deadline. */
#define ROUND_MS_MAX 30000

/* What the rounds before this one have removed. */
static enum comb_status read_state(struct comb_ctx *ctx, comb_str state,
                                   struct comb_data_swept *ret_swept, struct comb_error *err)
{
    struct comb_v1_data_sweep_result *before = NULL;
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (comb_v1_data_sweep_result_unpack(ctx->arena, NULL, state.ptr, state.len, &before,
                                         &failure) != GRPCC_OK)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "the state of a sweep: %.160s",
                              failure.message);
    *ret_swept = (struct comb_data_swept){
        .sessions = before->sessions, .uploads = before->uploads, .blobs = before->blobs};
    return COMB_OK;
}

static enum comb_status write_state(struct comb_ctx *ctx, const struct comb_data_swept *swept,
                                    struct comb_operation_step *step, struct comb_error *err)
{
    struct comb_v1_data_sweep_result *message = comb_v1_data_sweep_result_new(ctx->arena);
    size_t size = 0, result_size = 0;
    if (!message)
        return comb_error_no_memory(err);
    message->sessions = swept->sessions;
    message->uploads = swept->uploads;
    message->blobs = swept->blobs;
    void *state = grpcc_message_pack(ctx->arena, &message->base, &size);
    struct google_protobuf_any *any = grpcc_any_pack(ctx->arena, &message->base);
    void *result = any ? grpcc_message_pack(ctx->arena, &any->base, &result_size) : NULL;
    if (!state || !result)
        return comb_error_no_memory(err);
    step->next_state = comb_str_of(state, size);
    step->result = comb_str_of(result, result_size);
    return COMB_OK;
}

static enum comb_status sweep_step(void *data, struct comb_ctx *ctx,
                                   struct comb_operation_step *step, struct comb_error *err)
{
    struct comb_data_swept swept;
    bool more = false;
    int64_t round_ns = comb_clock_monotonic_ns() + ROUND_MS_MAX * COMB_NS_PER_MS;
    if (round_ns < ctx->deadline_ns)
        ctx->deadline_ns = round_ns;
    enum comb_status status = read_state(ctx, step->state, &swept, err);
    if (status == COMB_OK)
        status = comb_data_sweep(data, ctx, &swept, &more, err);
    if (status == COMB_OK)
        status = write_state(ctx, &swept, step, err);
    if (status != COMB_OK)
        return status;
    step->progress =
        (struct comb_operation_progress){.done = swept.sessions + swept.uploads + swept.blobs,
                                         .unit = STR("removals"),
                                         .message = more ? STR("sweeping") : STR("swept")};
    step->is_last = !more;
    return COMB_OK;
}

void comb_data_sweep_kind(struct comb_data *data, struct comb_operation_kind *ret_kind)
{
    *ret_kind = (struct comb_operation_kind){.name = COMB_DATA_SWEEP_KIND,
                                             .is_startable = true,
                                             .is_single = true,
                                             .step = sweep_step,
                                             .data = data};
}
