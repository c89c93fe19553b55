/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/uuid.h"

#include <stdatomic.h>

#include "server/core/clock.h"
#include "server/core/random.h"

/* The last time handed out, in 1/4096 ms since 1970: the 48 bits of milliseconds and 12 bits of a
 * fraction, RFC 9562 section 6.2, method 3. */
static _Atomic uint64_t last_ticks;

/* The present time, or one tick after the last one where the clock has not moved on. */
static uint64_t next_ticks(void)
{
    int64_t now_us = comb_clock_wall_us();
    uint64_t now = (uint64_t)(now_us / 1000) << 12 | (uint64_t)(now_us % 1000) * 4096 / 1000;
    uint64_t last = atomic_load(&last_ticks), next;
    do {
        next = now > last ? now : last + 1;
    } while (!atomic_compare_exchange_weak(&last_ticks, &last, next));
    return next;
}

struct comb_uuid comb_uuid_new(void)
{
    struct comb_uuid id;
    uint64_t ticks = next_ticks();
    comb_random(id.bytes + 8, 8);
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(ticks >> (52 - 8 * i));
    id.bytes[6] = (uint8_t)(0x70 | (ticks >> 8 & 0x0F));
    id.bytes[7] = (uint8_t)ticks;
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3F));
    return id;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_dash(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

bool comb_uuid_parse(comb_str text, struct comb_uuid *ret_id)
{
    struct comb_uuid id;
    size_t n = 0;
    if (text.len != COMB_UUID_TEXT_LENGTH)
        return false;
    for (size_t at = 0; at < text.len;) {
        if (is_dash(at)) {
            if (text.ptr[at++] != '-')
                return false;
            continue;
        }
        int high = hex_digit(text.ptr[at]), low = hex_digit(text.ptr[at + 1]);
        if (high < 0 || low < 0)
            return false;
        id.bytes[n++] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    *ret_id = id;
    return true;
}

void comb_uuid_format(const struct comb_uuid *id, char ret_text[COMB_UUID_TEXT_LENGTH + 1])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t n = 0; n < sizeof id->bytes; n++) {
        if (is_dash(at))
            ret_text[at++] = '-';
        ret_text[at++] = digits[id->bytes[n] >> 4];
        ret_text[at++] = digits[id->bytes[n] & 0x0F];
    }
    ret_text[at] = '\0';
}

char *comb_uuid_text(struct grpcc_arena *arena, const struct comb_uuid *id)
{
    char *text = grpcc_arena_alloc(arena, COMB_UUID_TEXT_LENGTH + 1);
    if (text)
        comb_uuid_format(id, text);
    return text;
}

bool comb_uuid_is_v7(const struct comb_uuid *id)
{
    return id->bytes[6] >> 4 == 7 && id->bytes[8] >> 6 == 2;
}

int64_t comb_uuid_time_ms(const struct comb_uuid *id)
{
    int64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id->bytes[i];
    return ms;
}
