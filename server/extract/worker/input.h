/* SPDX-License-Identifier: Apache-2.0 */
/* The content of one file, in pieces, from memory or from whoever has it. One thread. */
#ifndef COMB_EXTRACT_WORKER_INPUT_H
#define COMB_EXTRACT_WORKER_INPUT_H

#include "server/core/buf.h"
#include "server/extract/outcome.h"

struct comb_extract_input {
    /* The next piece, empty at the end; valid until the next call. False: it cannot be read. */
    bool (*fetch)(void *data, comb_str *ret_piece);
    void *data;
    struct comb_buf held; /* fetched, but not taken yet */
    comb_str memory;      /* instead of fetch: all of it */
    bool is_memory, failed, ended;
};

void comb_extract_input_init(struct comb_extract_input *input,
                             bool (*fetch)(void *data, comb_str *ret_piece), void *data);
/* Borrows content. */
void comb_extract_input_init_memory(struct comb_extract_input *input, comb_str content);
void comb_extract_input_done(struct comb_extract_input *input);

/* The first n bytes, or all where it has less. Before _next and _whole only; valid until then. */
comb_str comb_extract_input_peek(struct comb_extract_input *input, size_t n);
/* The next piece, empty at the end or where it cannot be read (input->failed); valid until the next
 * call. */
comb_str comb_extract_input_next(struct comb_extract_input *input);
/* All of it, valid until _done. TOO_LARGE: more than max_bytes; SOURCE; MEMORY. */
enum comb_extract_reason comb_extract_input_whole(struct comb_extract_input *input,
                                                  uint64_t max_bytes, comb_str *ret_content);

#endif
