/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing buffer with a named maximum. An append that does not fit, or finds no memory, changes
 * nothing and is remembered: a row of appends is checked once, at its end.
 */
#ifndef COMB_CORE_BUF_H
#define COMB_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "server/core/str.h"

struct comb_buf {
    char *data; /* NULL while empty; otherwise a NUL stands behind len bytes */
    size_t len, capacity;
    size_t max; /* len never exceeds it */
    bool failed;
};

void comb_buf_init(struct comb_buf *buf, size_t max_bytes);
/* Frees what the buffer holds; it is empty again, with the same maximum. */
void comb_buf_done(struct comb_buf *buf);
/* As done, and overwrites what it held. */
void comb_buf_done_secret(struct comb_buf *buf);
/* Empties, keeps the memory, forgets a failure. */
void comb_buf_clear(struct comb_buf *buf);

/* False: too long or no memory; buf->failed is set and stays. */
bool comb_buf_append(struct comb_buf *buf, const void *data, size_t len);
bool comb_buf_append_str(struct comb_buf *buf, comb_str s);
bool comb_buf_append_char(struct comb_buf *buf, char c);
bool comb_buf_printf(struct comb_buf *buf, const char *format, ...) COMB_FORMAT(2, 3);

static inline comb_str comb_buf_str(const struct comb_buf *buf)
{
    return comb_str_of(buf->data, buf->len);
}
/* Moves the bytes to the caller, who frees them with comb_memory_free(); NULL while empty. */
char *comb_buf_take(struct comb_buf *buf) COMB_MUST_CHECK;

#endif
