/* SPDX-License-Identifier: Apache-2.0 */
#include "server/data/encrypt_kinds.h"

#include <string.h>

/* The state between steps: whether the walk is among the parts (1), the blob (16), then the offset
 * and the numbers of objects, bytes and objects left (8 each, big-endian). */
enum { ID_AT = 1, NUMBERS_AT = 17, N_NUMBERS = 4, STATE_SIZE = NUMBERS_AT + 8 * N_NUMBERS };

static enum comb_status read_state(comb_str bytes, struct comb_data_encrypted *ret_state,
                                   struct comb_error *err)
{
    const uint8_t *from = (const uint8_t *)bytes.ptr;
    uint64_t numbers[N_NUMBERS] = {0};

    *ret_state = (struct comb_data_encrypted){.objects = 0};
    if (bytes.len == 0)
        return COMB_OK;
    if (bytes.len != STATE_SIZE)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "the state of the operation is damaged");
    for (size_t i = 0; i < sizeof numbers; i++)
        numbers[i / 8] = numbers[i / 8] << 8 | from[NUMBERS_AT + i];
    ret_state->walk.in_parts = from[0];
    memcpy(ret_state->walk.blob.bytes, from + ID_AT, sizeof ret_state->walk.blob.bytes);
    ret_state->walk.offset = numbers[0];
    ret_state->objects = numbers[1];
    ret_state->bytes = numbers[2];
    ret_state->left = numbers[3];
    return COMB_OK;
}

static enum comb_status write_state(struct comb_ctx *ctx, const struct comb_data_encrypted *state,
                                    struct comb_operation_step *step, struct comb_error *err)
{
    const uint64_t numbers[N_NUMBERS] = {state->walk.offset, state->objects, state->bytes,
                                         state->left};
    uint8_t *bytes = grpcc_arena_alloc(ctx->arena, STATE_SIZE);
    char *message =
        grpcc_arena_printf(ctx->arena, "%llu bytes; %llu contents left as they were",
                           (unsigned long long)state->bytes, (unsigned long long)state->left);

    if (!bytes || !message)
        return comb_error_no_memory(err);
    bytes[0] = state->walk.in_parts;
    memcpy(bytes + ID_AT, state->walk.blob.bytes, sizeof state->walk.blob.bytes);
    for (size_t i = 0; i < sizeof numbers; i++)
        bytes[NUMBERS_AT + i] = (uint8_t)(numbers[i / 8] >> (56 - 8 * (i % 8)));
    step->next_state = comb_str_of(bytes, STATE_SIZE);
    step->progress = (struct comb_operation_progress){
        .done = state->objects, .unit = STR("contents"), .message = comb_str_from(message)};
    step->is_last = state->walk.is_over;
    return COMB_OK;
}

static bool may_go_on(const void *run)
{
    return comb_operation_may_go_on(run);
}

static enum comb_status encrypt_step(void *data, struct comb_ctx *ctx,
                                     struct comb_operation_step *step, struct comb_error *err)
{
    struct comb_data_encrypted state;
    enum comb_status status = read_state(step->state, &state, err);

    if (status == COMB_OK)
        status = comb_data_encrypt_some(data, ctx, &state, may_go_on, step->run, err);
    return status == COMB_OK ? write_state(ctx, &state, step, err) : status;
}

static enum comb_status rotate_step(void *data, struct comb_ctx *ctx,
                                    struct comb_operation_step *step, struct comb_error *err)
{
    struct comb_data_encrypted state;
    enum comb_status status = read_state(step->state, &state, err);

    if (status == COMB_OK)
        status = comb_data_rewrap_some(data, ctx, &step->id, &state, err);
    return status == COMB_OK ? write_state(ctx, &state, step, err) : status;
}

void comb_data_encrypt_kind(struct comb_data *data, struct comb_operation_kind *ret_kind)
{
    *ret_kind = (struct comb_operation_kind){.name = COMB_DATA_ENCRYPT_KIND,
                                             .is_startable = true,
                                             .is_single = true,
                                             .step = encrypt_step,
                                             .data = data};
}

void comb_data_rotate_kind(struct comb_data *data, struct comb_operation_kind *ret_kind)
{
    *ret_kind = (struct comb_operation_kind){.name = COMB_DATA_ROTATE_KIND,
                                             .is_startable = true,
                                             .is_single = true,
                                             .step = rotate_step,
                                             .data = data};
}
