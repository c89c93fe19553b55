/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where parsers put text. Whatever they put, what leaves is valid UTF-8 without control characters
 * but "\n" and "\t", and not longer than allowed. One thread.
 */
#ifndef COMB_EXTRACT_WORKER_SINK_H
#define COMB_EXTRACT_WORKER_SINK_H

#include "server/core/str.h"

/* Text is handed on in pieces of at most this size. */
#define COMB_EXTRACT_PIECE_BYTES_MAX 65536u

struct comb_extract_sink {
    /* False: nobody wants more. */
    bool (*write)(void *data, comb_str text);
    void *data;
    uint64_t left;   /* bytes that may still come */
    bool full;       /* something did not fit, or nobody wants more: parsers had better end */
    bool guess;      /* bytes that are no UTF-8 are Windows-1252; otherwise they become U+FFFD */
    bool space;      /* one stands before what comes next, unless a line ends */
    bool was_return; /* a "\r" was the last */
    uint16_t high;   /* half of a UTF-16 pair, or 0 */
    unsigned char partial[4]; /* the beginning of a character whose end has not been put */
    size_t n_partial;
    char last; /* the last byte, "\n" at the beginning */
    size_t used;
    char buffer[COMB_EXTRACT_PIECE_BYTES_MAX];
};

void comb_extract_sink_init(struct comb_extract_sink *sink, uint64_t max_bytes,
                            bool (*write)(void *data, comb_str text), void *data);
/* UTF-8; a character may be split between two calls. */
void comb_extract_sink_put(struct comb_extract_sink *sink, comb_str text);
/* A code unit of UTF-16. */
void comb_extract_sink_put_utf16(struct comb_extract_sink *sink, uint16_t unit);
/* "\n", unless a line begins here; " ", unless white space stands here or
 * the line ends. */
void comb_extract_sink_break(struct comb_extract_sink *sink);
void comb_extract_sink_space(struct comb_extract_sink *sink);
/* Hands on what has been put. */
void comb_extract_sink_flush(struct comb_extract_sink *sink);

#endif
