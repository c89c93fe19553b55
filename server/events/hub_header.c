/* SPDX-License-Identifier: Apache-2.0 */
#include "server/events/hub_internal.h"

enum { VERSION = 1, KIND_MESSAGE = 0, KIND_HEARTBEAT = 1 };

static void write_number(uint8_t *to, uint64_t number, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)(number >> 8 * (n - 1 - i));
}

static uint64_t read_number(const uint8_t *from, size_t n)
{
    uint64_t number = 0;
    for (size_t i = 0; i < n; i++)
        number = number << 8 | from[i];
    return number;
}

void comb_hub_header_write(const struct comb_hub_header *header,
                           uint8_t ret_bytes[COMB_HUB_HEADER_BYTES])
{
    ret_bytes[0] = 'C';
    ret_bytes[1] = 'E';
    ret_bytes[2] = VERSION;
    ret_bytes[3] = header->heartbeat ? KIND_HEARTBEAT : KIND_MESSAGE;
    write_number(ret_bytes + 4, header->stream, 4);
    write_number(ret_bytes + 8, header->number, 8);
    write_number(ret_bytes + 16, header->since_ms, 4);
    memcpy(ret_bytes + 20, header->publisher.bytes, sizeof header->publisher.bytes);
}

bool comb_hub_header_read(comb_str bytes, struct comb_hub_header *ret_header, comb_str *ret_payload)
{
    const uint8_t *from = (const uint8_t *)bytes.ptr;
    if (bytes.len < COMB_HUB_HEADER_BYTES || from[0] != 'C' || from[1] != 'E' ||
        from[2] != VERSION || from[3] > KIND_HEARTBEAT)
        return false;
    struct comb_hub_header header = {.heartbeat = from[3] == KIND_HEARTBEAT,
                                     .stream = (uint32_t)read_number(from + 4, 4),
                                     .number = read_number(from + 8, 8),
                                     .since_ms = (uint32_t)read_number(from + 16, 4)};
    memcpy(header.publisher.bytes, from + 20, sizeof header.publisher.bytes);
    if (header.number == 0)
        return false;
    *ret_header = header;
    *ret_payload =
        comb_str_of(bytes.ptr + COMB_HUB_HEADER_BYTES, bytes.len - COMB_HUB_HEADER_BYTES);
    return true;
}
