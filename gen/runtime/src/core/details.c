/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/core/details.h"

#include <string.h>

/* Tags of google.rpc.Status and google.protobuf.Any: field number and wire type. */
enum { STATUS_CODE = 0x08, STATUS_MESSAGE = 0x12, STATUS_DETAILS = 0x1A };
enum { ANY_TYPE_URL = 0x0A, ANY_VALUE = 0x12 };
enum { LENGTH_SIZE_MAX = 5 };

static const char type_prefix[] = "type.googleapis.com/";

static uint8_t *put_varint(uint8_t *at, size_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static size_t varint_size(size_t value)
{
    uint8_t bytes[10];
    return (size_t)(put_varint(bytes, value) - bytes);
}

static uint8_t *put_bytes(uint8_t *at, const void *data, size_t size)
{
    if (size)
        memcpy(at, data, size);
    return at + size;
}

struct grpcc_detail *grpcc_detail_new(struct grpcc_arena *arena, const ProtobufCMessage *message)
{
    const char *name = message->descriptor->name;
    size_t name_size = strlen(name);
    size_t url_size = sizeof(type_prefix) - 1 + name_size;
    size_t value_size = protobuf_c_message_get_packed_size(message);
    size_t any_size =
        1 + varint_size(url_size) + url_size + 1 + varint_size(value_size) + value_size;
    if (any_size > GRPCC_STATUS_DETAILS_MAX)
        return NULL;
    struct grpcc_detail *detail =
        grpcc_arena_alloc(arena, sizeof(*detail) + 1 + LENGTH_SIZE_MAX + any_size);
    if (!detail)
        return NULL;
    uint8_t *at = detail->bytes;
    *at++ = STATUS_DETAILS;
    at = put_varint(at, any_size);
    *at++ = ANY_TYPE_URL;
    at = put_varint(at, url_size);
    at = put_bytes(at, type_prefix, sizeof(type_prefix) - 1);
    at = put_bytes(at, name, name_size);
    *at++ = ANY_VALUE;
    at = put_varint(at, value_size);
    at += protobuf_c_message_pack(message, at);
    detail->next = NULL;
    detail->size = (size_t)(at - detail->bytes);
    return detail;
}

const void *grpcc_details_encode(struct grpcc_arena *arena, enum grpcc_status status,
                                 const char *message, const struct grpcc_detail *details,
                                 size_t *ret_size)
{
    size_t message_size = strlen(message);
    uint8_t *start = grpcc_arena_alloc(arena, GRPCC_STATUS_DETAILS_MAX);
    if (!start)
        return NULL;
    uint8_t *at = start;
    *at++ = STATUS_CODE;
    at = put_varint(at, (size_t)status);
    *at++ = STATUS_MESSAGE;
    at = put_varint(at, message_size);
    at = put_bytes(at, message, message_size);
    for (; details; details = details->next) {
        if (details->size > GRPCC_STATUS_DETAILS_MAX - (size_t)(at - start))
            break;
        at = put_bytes(at, details->bytes, details->size);
    }
    *ret_size = (size_t)(at - start);
    return start;
}
