/* SPDX-License-Identifier: Apache-2.0 */
#include "server/move/record.h"

bool move_put_u8(struct comb_buf *buf, uint8_t value)
{
    return comb_buf_append(buf, &value, 1);
}

bool move_put_u64(struct comb_buf *buf, uint64_t value)
{
    uint8_t bytes[8];
    for (int i = 7; i >= 0; i--, value >>= 8)
        bytes[i] = (uint8_t)value;
    return comb_buf_append(buf, bytes, sizeof bytes);
}

bool move_put_bytes(struct comb_buf *buf, comb_str bytes)
{
    return move_put_u64(buf, bytes.len) && comb_buf_append_str(buf, bytes);
}

bool move_get_u8(comb_str *from, uint8_t *ret_value)
{
    if (from->len < 1)
        return false;
    *ret_value = (uint8_t)from->ptr[0];
    *from = comb_str_of(from->ptr + 1, from->len - 1);
    return true;
}

bool move_get_u64(comb_str *from, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (from->len < 8)
        return false;
    for (int i = 0; i < 8; i++)
        value = value << 8 | (uint8_t)from->ptr[i];
    *from = comb_str_of(from->ptr + 8, from->len - 8);
    *ret_value = value;
    return true;
}

bool move_get_bytes(comb_str *from, comb_str *ret_bytes)
{
    uint64_t len;
    comb_str rest = *from;
    if (!move_get_u64(&rest, &len) || len > rest.len)
        return false;
    *ret_bytes = comb_str_of(rest.ptr, (size_t)len);
    *from = comb_str_of(rest.ptr + len, rest.len - (size_t)len);
    return true;
}
