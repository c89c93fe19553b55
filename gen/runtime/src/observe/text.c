/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/observe/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ESCAPE_MAX = 8, MS_PER_S = 1000 };

static void add_bytes(struct grpcc_text *text, const char *bytes, size_t n)
{
    if (n > text->size - text->n) {
        text->cut = true;
        return;
    }
    memcpy(text->at + text->n, bytes, n);
    text->n += n;
}

void grpcc_text_add(struct grpcc_text *text, const char *piece)
{
    add_bytes(text, piece, strlen(piece));
}

void grpcc_text_printf(struct grpcc_text *text, const char *format, ...)
{
    va_list args;
    size_t room = text->size - text->n;
    va_start(args, format);
    int n = vsnprintf(text->at + text->n, room, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room)
        text->cut = true;
    else
        text->n += (size_t)n;
}

/* The character at value, which has length bytes; *ret_n is how many it takes. Not UTF-8: 0 and 1.
 */
static uint32_t decode(const unsigned char *value, size_t length, size_t *ret_n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = value[0] < 0x80             ? 1
               : (value[0] & 0xe0) == 0xc0 ? 2
               : (value[0] & 0xf0) == 0xe0 ? 3
               : (value[0] & 0xf8) == 0xf0 ? 4
                                           : 0;
    uint32_t code = n == 1 ? value[0] : value[0] & (0x7fu >> n);
    *ret_n = 1;
    if (n == 0 || n > length)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((value[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (value[i] & 0x3f);
    }
    if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret_n = n;
    return code;
}

static bool is_printable(uint32_t code)
{
    return code >= ' ' && code != '"' && code != '\\' && !(code >= 0x7f && code <= 0x9f) &&
           code != 0x2028 && code != 0x2029;
}

void grpcc_text_quote(struct grpcc_text *text, const char *value, size_t length, size_t bytes_max)
{
    const unsigned char *at = (const unsigned char *)value;
    size_t start = text->n, n = 0;
    if (length > bytes_max)
        length = bytes_max;
    grpcc_text_add(text, "\"");
    for (size_t i = 0; i < length && !text->cut; i += n) {
        char escaped[ESCAPE_MAX];
        uint32_t code = decode(at + i, length - i, &n);
        if (is_printable(code)) {
            add_bytes(text, value + i, n);
        } else {
            /* What is not UTF-8 is the replacement character. */
            bool bad = code == 0 && at[i] != 0;
            snprintf(escaped, sizeof(escaped), "\\u%04x", bad ? 0xfffd : (unsigned)code & 0xffff);
            grpcc_text_add(text, escaped);
        }
    }
    grpcc_text_add(text, "\"");
    if (text->cut)
        text->n = start;
}

void grpcc_text_word(struct grpcc_text *text, const char *value, size_t length, size_t bytes_max)
{
    bool plain = length > 0 && length <= bytes_max;
    for (size_t i = 0; plain && i < length; i++)
        plain = value[i] > ' ' && value[i] < 0x7f && value[i] != '"' && value[i] != '\\' &&
                value[i] != '=';
    if (plain)
        add_bytes(text, value, length);
    else
        grpcc_text_quote(text, value, length, bytes_max);
}

void grpcc_text_time(struct grpcc_text *text, long long unix_ms)
{
    struct tm parts;
    char second[32];
    time_t seconds = (time_t)(unix_ms / MS_PER_S);
    gmtime_r(&seconds, &parts);
    strftime(second, sizeof(second), "%Y-%m-%dT%H:%M:%S", &parts);
    grpcc_text_printf(text, "%s.%03dZ", second, (int)(unix_ms % MS_PER_S));
}
