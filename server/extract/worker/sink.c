/* SPDX-License-Identifier: Apache-2.0 */
#include "server/extract/worker/sink.h"

#define REPLACEMENT 0xfffdu
#define BYTE_ORDER_MARK 0xfeffu

/* What Windows-1252 has at 0x80 to 0x9f, where Latin-1 has control characters that nobody writes;
 * 0: nothing. */
static const uint16_t windows_1252[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178,
};

void comb_extract_sink_init(struct comb_extract_sink *sink, uint64_t max_bytes,
                            bool (*write)(void *data, comb_str text), void *data)
{
    sink->write = write;
    sink->data = data;
    sink->left = max_bytes;
    sink->full = sink->guess = sink->space = sink->was_return = false;
    sink->high = 0;
    sink->n_partial = sink->used = 0;
    sink->last = '\n';
}

static void hand_on(struct comb_extract_sink *sink)
{
    if (sink->used > 0 && !sink->write(sink->data, comb_str_of(sink->buffer, sink->used)))
        sink->full = true;
    sink->used = 0;
}

/* Whole characters only: one that does not fit is not begun. */
static void emit(struct comb_extract_sink *sink, const void *bytes, size_t n)
{
    bool has_space = sink->space && *(const char *)bytes != '\n';
    sink->space = sink->was_return = false;
    if (has_space)
        emit(sink, " ", 1);
    if (sink->full || n > sink->left) {
        sink->full = true;
        return;
    }
    if (sink->used + n > sizeof sink->buffer)
        hand_on(sink);
    memcpy(sink->buffer + sink->used, bytes, n);
    sink->used += n;
    sink->left -= n;
    sink->last = sink->buffer[sink->used - 1];
}

static void emit_ascii(struct comb_extract_sink *sink, unsigned char c)
{
    char out = (char)c;
    if (c == '\f' || c == '\v') {
        comb_extract_sink_break(sink);
    } else if (c == '\r') {
        emit(sink, "\n", 1);
        sink->was_return = true;
    } else if (c == '\n' && sink->was_return) {
        sink->was_return = false; /* "\r\n" is one end of a line */
    } else if (c >= 0x20 ? c != 0x7f : c == '\n' || c == '\t') {
        emit(sink, &out, 1);
    }
}

static void emit_code_point(struct comb_extract_sink *sink, uint32_t c)
{
    unsigned char out[4];
    if (c < 0x80) {
        emit_ascii(sink, (unsigned char)c);
        return;
    }
    if (c < 0xa0 || c == BYTE_ORDER_MARK)
        return; /* the former are C1, control characters */
    if (c < 0x800) {
        out[0] = (unsigned char)(0xc0 | c >> 6);
        out[1] = (unsigned char)(0x80 | (c & 0x3f));
        emit(sink, out, 2);
    } else if (c < 0x10000) {
        out[0] = (unsigned char)(0xe0 | c >> 12);
        out[1] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (unsigned char)(0x80 | (c & 0x3f));
        emit(sink, out, 3);
    } else {
        out[0] = (unsigned char)(0xf0 | c >> 18);
        out[1] = (unsigned char)(0x80 | (c >> 12 & 0x3f));
        out[2] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
        out[3] = (unsigned char)(0x80 | (c & 0x3f));
        emit(sink, out, 4);
    }
}

/* Bytes that are no UTF-8. */
static void emit_foreign(struct comb_extract_sink *sink, const unsigned char *bytes, size_t n)
{
    if (!sink->guess) {
        emit_code_point(sink, REPLACEMENT);
        return;
    }
    for (size_t i = 0; i < n; i++)
        emit_code_point(sink, bytes[i] >= 0x80 && bytes[i] < 0xa0 ? windows_1252[bytes[i] - 0x80]
                                                                  : bytes[i]);
}

static void end_partial(struct comb_extract_sink *sink)
{
    size_t n = sink->n_partial;
    sink->n_partial = 0;
    if (n > 0)
        emit_foreign(sink, sink->partial, n);
    if (sink->high)
        emit_code_point(sink, REPLACEMENT);
    sink->high = 0;
}

/* How long a character is that begins with this byte; 1: none does. */
static size_t length_of(unsigned char lead)
{
    return lead >= 0xf0 && lead < 0xf5 ? 4
           : lead >= 0xe0              ? lead < 0xf0 ? 3 : 1
           : lead >= 0xc2              ? 2
                                       : 1;
}

static uint32_t code_point(const unsigned char *at, size_t n)
{
    return n == 2 ? (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu)
                  : (at[0] & 0xfu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
}

/* A byte of a character of several. */
static void put_byte(struct comb_extract_sink *sink, unsigned char byte)
{
    size_t need;
    if (sink->n_partial > 0 && (byte & 0xc0) != 0x80)
        end_partial(sink);
    if (sink->n_partial == 0 && length_of(byte) == 1) {
        emit_foreign(sink, &byte, 1);
        return;
    }
    sink->partial[sink->n_partial++] = byte;
    need = length_of(sink->partial[0]);
    if (sink->n_partial < need)
        return;
    sink->n_partial = 0;
    if (!comb_str_is_utf8(comb_str_of(sink->partial, need)))
        emit_foreign(sink, sink->partial, need);
    else if (need == 2 || need == 3)
        emit_code_point(sink, code_point(sink->partial, need));
    else
        emit(sink, sink->partial, need);
}

void comb_extract_sink_put(struct comb_extract_sink *sink, comb_str text)
{
    const unsigned char *at = (const unsigned char *)text.ptr;
    size_t i = 0, run;
    if (sink->high)
        end_partial(sink);
    while (i < text.len && !sink->full) {
        for (run = i; run < text.len && run - i < 4096 && at[run] >= 0x20 && at[run] < 0x7f; run++)
            continue;
        if (run > i) {
            end_partial(sink);
            /* A run may be cut anywhere. */
            size_t n = run - i <= sink->left ? run - i : (size_t)sink->left;
            if (n > 0)
                emit(sink, at + i, n);
            if (n < run - i)
                sink->full = true;
            i = run;
        } else if (at[i] < 0x80) {
            end_partial(sink);
            emit_ascii(sink, at[i++]);
        } else {
            put_byte(sink, at[i++]);
        }
    }
}

void comb_extract_sink_put_utf16(struct comb_extract_sink *sink, uint16_t unit)
{
    if (unit >= 0xdc00 && unit < 0xe000 && sink->high) {
        uint32_t c = 0x10000u + ((uint32_t)(sink->high - 0xd800) << 10) + (unit - 0xdc00u);
        sink->high = 0;
        emit_code_point(sink, c);
        return;
    }
    end_partial(sink);
    if (unit >= 0xd800 && unit < 0xdc00)
        sink->high = unit;
    else
        emit_code_point(sink, unit >= 0xdc00 && unit < 0xe000 ? REPLACEMENT : unit);
}

void comb_extract_sink_break(struct comb_extract_sink *sink)
{
    end_partial(sink);
    sink->space = false;
    if (sink->last != '\n')
        emit(sink, "\n", 1);
}

void comb_extract_sink_space(struct comb_extract_sink *sink)
{
    end_partial(sink);
    sink->space = sink->last != '\n' && sink->last != ' ' && sink->last != '\t';
}

void comb_extract_sink_flush(struct comb_extract_sink *sink)
{
    end_partial(sink);
    hand_on(sink);
}
