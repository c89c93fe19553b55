/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/message/message_merge.h"

#include <stdbool.h>
#include <string.h>

#include "gen/runtime/src/message/message_scan.h"

enum { HEADER_SIZE_MAX = 10 }; /* of a tag of 32 bits and a length below 4 GiB */

/* What is known of one singular sub-message after the first pass. */
struct merged {
    const uint8_t *first; /* the occurrences that count lie from here */
    const uint8_t *last;
    size_t size; /* of them all */
    uint8_t *joined;
    size_t n_joined;
};

struct merge {
    ProtobufCAllocator *allocator;
    bool failed;
};

/* One message on its way into out. */
struct level {
    const ProtobufCMessageDescriptor *descriptor;
    struct merged *fields; /* by index; NULL: nothing comes twice */
    uint32_t *cases;       /* the member of each oneof that came last, by where its case lies */
};

static uint8_t *merge_message(struct merge *merge, const ProtobufCMessageDescriptor *descriptor,
                              const uint8_t *data, size_t size, uint8_t *out);

static void *zalloc(struct merge *merge, size_t size)
{
    void *memory = merge->allocator->alloc(merge->allocator->allocator_data, size ? size : 1);
    if (memory)
        memset(memory, 0, size);
    else
        merge->failed = true;
    return memory;
}

static bool is_single_message(const ProtobufCFieldDescriptor *field)
{
    return field && field->type == PROTOBUF_C_TYPE_MESSAGE &&
           field->label != PROTOBUF_C_LABEL_REPEATED;
}

static uint8_t *write_varint(uint8_t *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *out++ = (uint8_t)(value | 0x80);
    *out++ = (uint8_t)value;
    return out;
}

static bool comes_twice(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data,
                        const uint8_t *end)
{
    uint64_t seen = 0; /* as in the scan: two fields of one bit cost time, nothing else */
    struct grpcc_token token;
    while (data < end && !grpcc_token_read(&data, end, &token)) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(descriptor, token.number);
        if (!is_single_message(field))
            continue;
        uint64_t bit = UINT64_C(1) << ((size_t)(field - descriptor->fields) % 64);
        if (seen & bit)
            return true;
        seen |= bit;
    }
    return false;
}

/* Another member of its oneof makes what came before not count. */
static void enter_oneof(struct level *level, const ProtobufCFieldDescriptor *field)
{
    uint32_t *current = &level->cases[field->quantifier_offset / sizeof(uint32_t)];
    if (*current && *current != field->id) {
        const ProtobufCFieldDescriptor *before =
            protobuf_c_message_descriptor_get_field(level->descriptor, *current);
        level->fields[before - level->descriptor->fields] = (struct merged){0};
    }
    *current = field->id;
}

static void measure(struct level *level, const uint8_t *data, const uint8_t *end)
{
    struct grpcc_token token;
    while (data < end && !grpcc_token_read(&data, end, &token)) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(level->descriptor, token.number);
        if (field && field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
            enter_oneof(level, field);
        if (!is_single_message(field))
            continue;
        struct merged *merged = &level->fields[field - level->descriptor->fields];
        if (!merged->first)
            merged->first = token.data;
        merged->last = token.data;
        merged->size += token.size;
    }
}

static uint8_t *write_message(struct merge *merge, const ProtobufCFieldDescriptor *field,
                              const uint8_t *data, size_t size, uint8_t *out)
{
    uint8_t header[HEADER_SIZE_MAX];
    uint8_t *content = out;
    uint8_t *end = merge_message(merge, field->descriptor, data, size, content);
    uint64_t tag = (uint64_t)field->id << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    size_t header_size =
        (size_t)(write_varint(write_varint(header, tag), (uint64_t)(end - content)) - header);
    memmove(content + header_size, content, (size_t)(end - content));
    memcpy(out, header, header_size);
    return end + header_size;
}

static uint8_t *write_merged(struct merge *merge, const ProtobufCFieldDescriptor *field,
                             struct merged *merged, const struct grpcc_token *token, uint8_t *out)
{
    if (!merged->first || token->data < merged->first)
        return out; /* did not count: another member of the oneof came after it */
    if (merged->size == token->size && merged->first == merged->last)
        return write_message(merge, field, token->data, token->size, out);
    if (!merged->joined)
        merged->joined = zalloc(merge, merged->size);
    if (!merged->joined)
        return out;
    memcpy(merged->joined + merged->n_joined, token->data, token->size);
    merged->n_joined += token->size;
    if (token->data != merged->last)
        return out;
    return write_message(merge, field, merged->joined, merged->size, out);
}

/* Returns the end of what it has written to out, which has room for size bytes. */
static uint8_t *merge_message(struct merge *merge, const ProtobufCMessageDescriptor *descriptor,
                              const uint8_t *data, size_t size, uint8_t *out)
{
    const uint8_t *end = data + size;
    struct level level = {.descriptor = descriptor};
    if (comes_twice(descriptor, data, end)) {
        level.fields = zalloc(merge, descriptor->n_fields * sizeof(*level.fields));
        level.cases = zalloc(merge, descriptor->sizeof_message);
        if (merge->failed)
            return out;
        measure(&level, data, end);
    }
    while (data < end && !merge->failed) {
        const uint8_t *start = data;
        struct grpcc_token token;
        if (grpcc_token_read(&data, end, &token))
            break; /* the scan found it sound */
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(descriptor, token.number);
        if (level.fields && is_single_message(field)) {
            out =
                write_merged(merge, field, &level.fields[field - descriptor->fields], &token, out);
        } else if (field && field->type == PROTOBUF_C_TYPE_MESSAGE) {
            out = write_message(merge, field, token.data, token.size, out);
        } else {
            memcpy(out, start, (size_t)(data - start));
            out += data - start;
        }
    }
    return out;
}

uint8_t *grpcc_message_merge(const ProtobufCMessageDescriptor *descriptor,
                             ProtobufCAllocator *allocator, const uint8_t *data, size_t size,
                             size_t *ret_size)
{
    struct merge merge = {.allocator = allocator};
    uint8_t *out = zalloc(&merge, size + HEADER_SIZE_MAX);
    if (!out)
        return NULL;
    uint8_t *end = merge_message(&merge, descriptor, data, size, out);
    if (merge.failed)
        return NULL;
    *ret_size = (size_t)(end - out);
    return out;
}
