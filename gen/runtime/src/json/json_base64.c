/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 4648: written in the first alphabet with padding, read in both, padded or not. */
#include <string.h>

#include "gen/runtime/src/json/json.h"

char *grpcc_base64_encode(struct grpcc_arena *arena, const ProtobufCBinaryData *bytes)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (bytes->len > SIZE_MAX / 2)
        return NULL;
    char *text = grpcc_arena_alloc(arena, (bytes->len + 2) / 3 * 4 + 1);
    char *at = text;
    for (size_t i = 0; text && i < bytes->len; i += 3) {
        size_t left = bytes->len - i;
        unsigned bits = (unsigned)bytes->data[i] << 16;
        if (left > 1)
            bits |= (unsigned)bytes->data[i + 1] << 8;
        if (left > 2)
            bits |= bytes->data[i + 2];
        *at++ = alphabet[bits >> 18];
        *at++ = alphabet[bits >> 12 & 63];
        *at++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        *at++ = left > 2 ? alphabet[bits & 63] : '=';
    }
    if (text)
        *at = '\0';
    return text;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool grpcc_base64_decode(struct grpcc_arena *arena, const char *text, size_t length,
                         ProtobufCBinaryData *ret_bytes)
{
    size_t n = length;
    while (n > 0 && length - n < 2 && text[n - 1] == '=')
        n--;
    /* Padding fills up to four; one character alone holds no byte. */
    if ((n < length && length % 4 != 0) || n % 4 == 1)
        return false;
    uint8_t *data = grpcc_arena_alloc(arena, n / 4 * 3 + 3);
    size_t size = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < n; i++) {
        int value = value_of(text[i]);
        if (value < 0)
            return false;
        bits = (bits << 6 | (unsigned)value) & 0xFFFFFF;
        if (data && i % 4 != 0)
            data[size++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *ret_bytes = (ProtobufCBinaryData){.len = data ? size : 0, .data = data};
    return true;
}
