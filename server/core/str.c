/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/str.h"

int comb_str_compare(comb_str a, comb_str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

char *comb_str_dup(struct grpcc_arena *arena, comb_str s)
{
    char *copy = grpcc_arena_alloc(arena, s.len + 1);
    if (!copy)
        return NULL;
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

/* Length of the sequence that a lead byte begins, and the lowest code point that may need it; 0:
 * not a lead byte. */
static size_t sequence_length(unsigned char lead, uint32_t *ret_lowest)
{
    if (lead >= 0xC2 && lead <= 0xDF) {
        *ret_lowest = 0x80;
        return 2;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        *ret_lowest = 0x800;
        return 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        *ret_lowest = 0x10000;
        return 4;
    }
    return 0;
}

bool comb_str_is_utf8(comb_str s)
{
    const unsigned char *at = (const unsigned char *)s.ptr;
    size_t left = s.len;
    while (left > 0) {
        if (*at < 0x80) {
            at++, left--;
            continue;
        }
        uint32_t lowest = 0;
        size_t length = sequence_length(*at, &lowest);
        if (length == 0 || length > left)
            return false;
        uint32_t point = *at & (0x7Fu >> length);
        for (size_t i = 1; i < length; i++) {
            if ((at[i] & 0xC0) != 0x80)
                return false;
            point = point << 6 | (at[i] & 0x3Fu);
        }
        if (point < lowest || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
            return false;
        at += length;
        left -= length;
    }
    return true;
}
