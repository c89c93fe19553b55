/* SPDX-License-Identifier: Apache-2.0 */
#include "server/extract/worker/input.h"

void comb_extract_input_init(struct comb_extract_input *input,
                             bool (*fetch)(void *data, comb_str *ret_piece), void *data)
{
    *input = (struct comb_extract_input){.fetch = fetch, .data = data};
    comb_buf_init(&input->held, SIZE_MAX); /* how much is held is the caller's to say */
}

void comb_extract_input_init_memory(struct comb_extract_input *input, comb_str content)
{
    *input = (struct comb_extract_input){.memory = content, .is_memory = true, .ended = true};
    comb_buf_init(&input->held, SIZE_MAX);
}

void comb_extract_input_done(struct comb_extract_input *input)
{
    comb_buf_done(&input->held);
}

static comb_str fetch(struct comb_extract_input *input)
{
    comb_str piece = {NULL, 0};
    if (input->ended)
        return piece;
    input->failed = !input->fetch(input->data, &piece);
    if (input->failed)
        piece.len = 0;
    input->ended = piece.len == 0;
    return piece;
}

comb_str comb_extract_input_peek(struct comb_extract_input *input, size_t n)
{
    if (input->is_memory)
        return comb_str_of(input->memory.ptr, input->memory.len < n ? input->memory.len : n);
    while (input->held.len < n && !input->ended) {
        if (!comb_buf_append_str(&input->held, fetch(input))) {
            input->failed = input->ended = true;
            break;
        }
    }
    return comb_str_of(input->held.data, input->held.len < n ? input->held.len : n);
}

comb_str comb_extract_input_next(struct comb_extract_input *input)
{
    comb_str piece;
    if (input->is_memory) {
        piece = input->memory;
        input->memory.len = 0;
        return piece;
    }
    piece = comb_buf_str(&input->held);
    if (piece.len == 0)
        return fetch(input);
    /* The bytes stay where they are until the buffer is used again, which is never before _done. */
    input->held.len = 0;
    return piece;
}

enum comb_extract_reason comb_extract_input_whole(struct comb_extract_input *input,
                                                  uint64_t max_bytes, comb_str *ret_content)
{
    comb_str content = input->memory;
    if (!input->is_memory) {
        while (!input->ended && input->held.len <= max_bytes) {
            if (!comb_buf_append_str(&input->held, fetch(input)))
                return COMB_EXTRACT_REASON_MEMORY;
        }
        content = comb_buf_str(&input->held);
    }
    if (input->failed)
        return COMB_EXTRACT_REASON_SOURCE;
    if (content.len > max_bytes)
        return COMB_EXTRACT_REASON_TOO_LARGE;
    *ret_content = content;
    return COMB_EXTRACT_REASON_NONE;
}
