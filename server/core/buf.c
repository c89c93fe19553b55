/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "server/core/memory.h"

enum { CAPACITY_FIRST = 64 };

void comb_buf_init(struct comb_buf *buf, size_t max_bytes)
{
    *buf = (struct comb_buf){.max = max_bytes};
}

void comb_buf_done(struct comb_buf *buf)
{
    comb_memory_free(buf->data);
    comb_buf_init(buf, buf->max);
}

void comb_buf_done_secret(struct comb_buf *buf)
{
    comb_memory_wipe(buf->data, buf->capacity);
    comb_buf_done(buf);
}

void comb_buf_clear(struct comb_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

/* Room for len more bytes and a NUL. */
static bool reserve(struct comb_buf *buf, size_t len)
{
    if (buf->failed || len > buf->max - buf->len) {
        buf->failed = true;
        return false;
    }
    size_t needed = buf->len + len + 1;
    if (needed <= buf->capacity)
        return true;
    size_t capacity = buf->capacity ? buf->capacity * 2 : CAPACITY_FIRST;
    if (capacity - 1 > buf->max)
        capacity = buf->max + 1;
    if (capacity < needed)
        capacity = needed;
    char *data = comb_memory_realloc(buf->data, capacity);
    if (!data) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

bool comb_buf_append(struct comb_buf *buf, const void *data, size_t len)
{
    if (!reserve(buf, len))
        return false;
    if (len)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
    return true;
}

bool comb_buf_append_str(struct comb_buf *buf, comb_str s)
{
    return comb_buf_append(buf, s.ptr, s.len);
}

bool comb_buf_append_char(struct comb_buf *buf, char c)
{
    return comb_buf_append(buf, &c, 1);
}

bool comb_buf_printf(struct comb_buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    bool fits = len >= 0 && reserve(buf, (size_t)len);
    if (fits) {
        vsnprintf(buf->data + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
    return fits;
}

char *comb_buf_take(struct comb_buf *buf)
{
    char *data = buf->data;
    comb_buf_init(buf, buf->max);
    return data;
}
