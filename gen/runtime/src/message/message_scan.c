/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/message/message_scan.h"

#include <stdio.h>
#include <string.h>

#include "gen/runtime/src/message/utf8.h"

enum { VARINT_SIZE_MAX = 10 };
/* The part of a path that an error shows; the end of a longer one, where the fault is. */
enum { PATH_SIZE = 256 };

struct scan {
    uint32_t depth_max;
    uint32_t elements_left;
    bool repeats;
    struct grpcc_error *err;
};

/* The message that is being read; parents lead to the root. */
struct frame {
    const struct frame *parent;
    const ProtobufCMessageDescriptor *descriptor;
    const uint8_t *begin;
    const uint8_t *end;
    const uint8_t *next;
    const uint8_t *field_begin; /* the tag of the field that is being read */
    const ProtobufCFieldDescriptor *field;
    uint64_t seen; /* singular sub-messages, a bit for each field modulo 64 */
    uint32_t depth;
};

static bool read_varint(const uint8_t **next, const uint8_t *end, uint64_t *ret_value)
{
    const uint8_t *at = *next;
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_SIZE_MAX && at + i < end; i++) {
        value |= (uint64_t)(at[i] & 0x7F) << (7 * i);
        if (!(at[i] & 0x80)) {
            *next = at + i + 1;
            *ret_value = value;
            return true;
        }
    }
    return false;
}

const char *grpcc_token_read(const uint8_t **next, const uint8_t *end, struct grpcc_token *token)
{
    uint64_t tag, length = 0;
    if (!read_varint(next, end, &tag))
        return "cut off in a tag";
    if (tag >> 3 == 0 || tag >> 32 != 0)
        return "field number out of range";
    token->number = (uint32_t)(tag >> 3);
    token->wire_type = (unsigned)(tag & 7);
    token->data = *next;
    switch (token->wire_type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        if (!read_varint(next, end, &length))
            return "cut off in a number";
        token->size = (size_t)(*next - token->data);
        return NULL;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        length = 8;
        break;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        length = 4;
        break;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        if (!read_varint(next, end, &length))
            return "cut off in a length";
        break;
    default:
        return "groups are not supported";
    }
    if (length > (uint64_t)(end - *next))
        return "longer than the message that holds it";
    token->data = *next;
    token->size = (size_t)length;
    *next += length;
    return NULL;
}

/* Which element of its repeated field the current one is: counted again, only when an error needs
 * it. */
static unsigned long frame_index(const struct frame *frame)
{
    unsigned long index = 0;
    const uint8_t *at = frame->begin;
    struct grpcc_token token;
    while (at < frame->field_begin && !grpcc_token_read(&at, frame->end, &token))
        if (token.number == frame->field->id)
            index++;
    return index;
}

/* Writes the path backwards, the innermost field first, so that a long one loses its middle:
 * *ret_first is the name of the outermost field then, else "". */
static const char *frame_path(const struct frame *frame, char path[PATH_SIZE],
                              const char **ret_first)
{
    size_t start = PATH_SIZE - 1;
    path[start] = '\0';
    for (; frame && frame->field; frame = frame->parent) {
        char part[PATH_SIZE];
        const char *dot = path[start] ? "." : "";
        int length;
        if (frame->field->label == PROTOBUF_C_LABEL_REPEATED)
            length = snprintf(part, sizeof(part), "%s[%lu]%s", frame->field->name,
                              frame_index(frame), dot);
        else
            length = snprintf(part, sizeof(part), "%s%s", frame->field->name, dot);
        if (length < 0 || (size_t)length > start)
            break;
        start -= (size_t)length;
        memcpy(path + start, part, (size_t)length);
    }
    *ret_first = "";
    for (; frame && frame->field; frame = frame->parent)
        *ret_first = frame->field->name;
    return path + start;
}

static enum grpcc_status scan_fail(struct scan *scan, const struct frame *frame,
                                   enum grpcc_status status, const char *what)
{
    char path[PATH_SIZE];
    const char *first = "";
    const char *start = frame_path(frame, path, &first);
    const char *where = *start ? start : "message";
    return grpcc_error_set(scan->err, status, "%s%s%s: %s", first, *first ? "..." : "", where,
                           what);
}

static enum grpcc_status scan_count(struct scan *scan, const struct frame *frame, size_t elements)
{
    if (elements > scan->elements_left)
        return scan_fail(scan, frame, GRPCC_RESOURCE_EXHAUSTED,
                         "too many elements in this message");
    scan->elements_left -= (uint32_t)elements;
    return GRPCC_OK;
}

static unsigned field_wire_type(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return PROTOBUF_C_WIRE_TYPE_32BIT;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return PROTOBUF_C_WIRE_TYPE_64BIT;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    default:
        return PROTOBUF_C_WIRE_TYPE_VARINT;
    }
}

static enum grpcc_status scan_packed(struct scan *scan, const struct frame *frame,
                                     const struct grpcc_token *token)
{
    size_t elements = 0;
    unsigned wire_type = field_wire_type(frame->field);
    if (wire_type == PROTOBUF_C_WIRE_TYPE_VARINT) {
        const uint8_t *at = token->data;
        const uint8_t *end = at + token->size;
        uint64_t value;
        for (; at < end; elements++)
            if (!read_varint(&at, end, &value))
                return scan_fail(scan, frame, GRPCC_INVALID_ARGUMENT, "cut off in a number");
    } else {
        size_t width = wire_type == PROTOBUF_C_WIRE_TYPE_32BIT ? 4 : 8;
        if (token->size % width)
            return scan_fail(scan, frame, GRPCC_INVALID_ARGUMENT, "length of a packed field");
        elements = token->size / width;
    }
    return scan_count(scan, frame, elements);
}

static enum grpcc_status scan_message(struct scan *scan, struct frame *frame);

static enum grpcc_status scan_field(struct scan *scan, struct frame *frame,
                                    const struct grpcc_token *token)
{
    const ProtobufCFieldDescriptor *field = frame->field;
    uint64_t bit = UINT64_C(1) << ((size_t)(field - frame->descriptor->fields) % 64);
    bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
    unsigned expected = field_wire_type(field);
    if (repeated && expected != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED &&
        token->wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
        return scan_packed(scan, frame, token);
    if (token->wire_type != expected)
        return scan_fail(scan, frame, GRPCC_INVALID_ARGUMENT, "wrong wire type");
    if (field->type == PROTOBUF_C_TYPE_STRING && !grpcc_utf8_is_text(token->data, token->size))
        return scan_fail(scan, frame, GRPCC_INVALID_ARGUMENT, "not UTF-8 text without NUL");
    if (repeated || field->type == PROTOBUF_C_TYPE_MESSAGE) {
        enum grpcc_status status = scan_count(scan, frame, 1);
        if (status)
            return status;
    }
    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return GRPCC_OK;
    if (!repeated) {
        scan->repeats = scan->repeats || frame->seen & bit;
        frame->seen |= bit;
    }
    if (frame->depth >= scan->depth_max)
        return scan_fail(scan, frame, GRPCC_INVALID_ARGUMENT, "nested too deeply");
    struct frame child = {.parent = frame,
                          .descriptor = field->descriptor,
                          .begin = token->data,
                          .end = token->data + token->size,
                          .next = token->data,
                          .depth = frame->depth + 1};
    return scan_message(scan, &child);
}

static enum grpcc_status scan_message(struct scan *scan, struct frame *frame)
{
    while (frame->next < frame->end) {
        struct grpcc_token token;
        frame->field_begin = frame->next;
        frame->field = NULL;
        const char *fault = grpcc_token_read(&frame->next, frame->end, &token);
        if (fault)
            return scan_fail(scan, frame->parent, GRPCC_INVALID_ARGUMENT, fault);
        frame->field = protobuf_c_message_descriptor_get_field(frame->descriptor, token.number);
        if (!frame->field)
            continue;
        enum grpcc_status status = scan_field(scan, frame, &token);
        if (status)
            return status;
    }
    return GRPCC_OK;
}

enum grpcc_status grpcc_message_scan(const ProtobufCMessageDescriptor *descriptor,
                                     uint32_t depth_max, uint32_t elements_max, const void *data,
                                     size_t size, bool *ret_repeats, struct grpcc_error *err)
{
    struct scan scan = {.depth_max = depth_max, .elements_left = elements_max, .err = err};
    *ret_repeats = false;
    if (size == 0)
        return GRPCC_OK;
    struct frame root = {.descriptor = descriptor,
                         .begin = data,
                         .end = (const uint8_t *)data + size,
                         .next = data,
                         .depth = 1};
    enum grpcc_status status = scan_message(&scan, &root);
    *ret_repeats = scan.repeats;
    return status;
}
