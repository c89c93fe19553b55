/* SPDX-License-Identifier: Apache-2.0 */
/* Reading options at run time, without a descriptor of the message that holds them. */
#include <stdbool.h>
#include <string.h>

#include "grpcc/descriptor.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* A cursor over serialized fields; bad once the bytes make no sense. */
struct fields {
    const uint8_t *at, *end;
    bool bad;
};

static uint64_t read_varint(struct fields *fields)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && fields->at < fields->end; shift += 7) {
        uint8_t byte = *fields->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    fields->bad = true;
    return 0;
}

/* Steps over one value; where it is length-delimited, its bytes are *ret_size from the result on.
 */
static const uint8_t *read_value(struct fields *fields, unsigned wire, size_t *ret_size)
{
    uint64_t size = 0;
    if (wire == WIRE_VARINT)
        (void)read_varint(fields);
    else if (wire == WIRE_BYTES)
        size = read_varint(fields);
    else if (wire == WIRE_FIXED64)
        size = 8;
    else if (wire == WIRE_FIXED32)
        size = 4;
    else
        fields->bad = true;
    if (fields->bad || size > (uint64_t)(fields->end - fields->at)) {
        fields->bad = true;
        return NULL;
    }
    const uint8_t *value = fields->at;
    fields->at += size;
    *ret_size = (size_t)size;
    return value;
}

enum grpcc_status grpcc_option_find(struct grpcc_arena *arena, const void *options, size_t size,
                                    uint32_t field, const void **ret_data, size_t *ret_size,
                                    struct grpcc_error *err)
{
    /* NULL and 0 are no options. */
    const uint8_t *begin = options ? options : (const uint8_t *)"";
    struct fields fields = {begin, begin + (options ? size : 0), false};
    size_t length = 0;
    uint8_t *merged = grpcc_arena_alloc(arena, size);
    if (!merged)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no room for an option");
    while (fields.at < fields.end && !fields.bad) {
        size_t n = 0;
        uint64_t key = read_varint(&fields);
        const uint8_t *value = read_value(&fields, (unsigned)(key & 7), &n);
        if (value && key == ((uint64_t)field << 3 | WIRE_BYTES)) {
            memcpy(merged + length, value, n);
            length += n;
        }
    }
    if (fields.bad)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "the options are malformed");
    *ret_data = merged;
    *ret_size = length;
    return GRPCC_OK;
}
