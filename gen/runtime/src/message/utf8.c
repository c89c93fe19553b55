/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/message/utf8.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the character that starts at text, or 0. The second byte's range is what excludes
 * overlong forms, surrogates and values above U+10FFFF (Unicode, table 3-7). */
static size_t character_size(const unsigned char *text, size_t room)
{
    unsigned char lead = text[0];
    unsigned char low = 0x80, high = 0xBF;
    size_t size;
    if (lead < 0x80)
        return lead ? 1 : 0;
    if (lead >= 0xC2 && lead <= 0xDF) {
        size = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        size = 3;
        if (lead == 0xE0)
            low = 0xA0;
        if (lead == 0xED)
            high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        size = 4;
        if (lead == 0xF0)
            low = 0x90;
        if (lead == 0xF4)
            high = 0x8F;
    } else {
        return 0;
    }
    if (size > room || text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return size;
}

/* Whether eight bytes are ASCII without NUL: the common case, taken in one step. */
static bool is_plain(const unsigned char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof(word));
    uint64_t has_zero = (word - 0x0101010101010101u) & ~word;
    return ((word | has_zero) & 0x8080808080808080u) == 0;
}

bool grpcc_utf8_is_text(const void *data, size_t size)
{
    const unsigned char *text = data;
    size_t i = 0;
    while (i < size) {
        if (size - i >= 8 && is_plain(text + i)) {
            i += 8;
            continue;
        }
        size_t n = character_size(text + i, size - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t grpcc_utf8_cut(const char *data, size_t size, size_t size_max)
{
    if (size <= size_max)
        return size;
    size_t cut = size_max;
    while (cut > 0 && ((unsigned char)data[cut] & 0xC0) == 0x80)
        cut--;
    return cut;
}
