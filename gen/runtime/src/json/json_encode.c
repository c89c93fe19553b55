/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to JSON. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/runtime/src/json/json.h"
#include "grpcc/descriptor.h"

/* value, or the note that there was no memory for it. */
static json_t *made(struct grpcc_json *json, json_t *value)
{
    if (!value)
        grpcc_json_no_memory(json);
    return value;
}

static json_t *write_text(struct grpcc_json *json, const struct grpcc_json_place *place,
                          const char *text)
{
    json_t *value = json_string(text ? text : "");
    /* libjansson does not say which of the two it was. */
    if (!value)
        grpcc_json_fail(json, place, "not UTF-8, or no memory");
    return value;
}

static json_t *write_bytes(struct grpcc_json *json, const void *at)
{
    char *text = grpcc_base64_encode(json->arena, at);
    return made(json, text ? json_string_nocheck(text) : NULL);
}

static json_t *write_real(struct grpcc_json *json, double value)
{
    if (isnan(value))
        return made(json, json_string_nocheck("NaN"));
    if (isinf(value))
        return made(json, json_string_nocheck(value > 0 ? "Infinity" : "-Infinity"));
    return made(json, json_real(value));
}

/* With as few digits as bring the same float back. */
static json_t *write_float(struct grpcc_json *json, float value)
{
    char text[32];
    double shortest = (double)value;
    for (int digits = 6; isfinite(value) && digits <= 9; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, (double)value);
        shortest = strtod(text, NULL);
        if ((float)shortest == value)
            break;
    }
    return write_real(json, shortest);
}

static json_t *write_enum(struct grpcc_json *json, const ProtobufCEnumDescriptor *descriptor,
                          int value)
{
    for (unsigned i = 0; i < descriptor->n_values; i++)
        if (descriptor->values[i].value == value)
            return made(json, json_string_nocheck(descriptor->values[i].name));
    return made(json, json_integer(value));
}

/* As text in any case, for the key of a map; as JSON has it, for a value. */
static void print_integer(const ProtobufCFieldDescriptor *field, const void *at, char text[32])
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        snprintf(text, 32, "%" PRIu32, *(const uint32_t *)at);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        snprintf(text, 32, "%" PRIu64, *(const uint64_t *)at);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        snprintf(text, 32, "%" PRId64, *(const int64_t *)at);
        break;
    default:
        snprintf(text, 32, "%" PRId32, *(const int32_t *)at);
    }
}

static json_t *write_integer(struct grpcc_json *json, const ProtobufCFieldDescriptor *field,
                             const void *at)
{
    char text[32];
    print_integer(field, at, text);
    /* JSON numbers are doubles to many readers: 64 bits go as text. */
    if (grpcc_json_value_size(field) == 8)
        return made(json, json_string_nocheck(text));
    return made(json, json_integer(strtoll(text, NULL, 10)));
}

static json_t *write_nested(struct grpcc_json *json, const struct grpcc_json_place *place,
                            const ProtobufCMessage *message)
{
    /* The value of a map's entry may be NULL: a message with nothing set. */
    return message ? grpcc_json_write_message(json, place, message) : made(json, json_object());
}

json_t *grpcc_json_write_value(struct grpcc_json *json, const struct grpcc_json_place *place,
                               const ProtobufCFieldDescriptor *field, const void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_FLOAT:
        return write_float(json, *(const float *)at);
    case PROTOBUF_C_TYPE_DOUBLE:
        return write_real(json, *(const double *)at);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_ENUM:
        if (grpcc_json_takes_null(field))
            return json_null();
        return write_enum(json, field->descriptor, *(const int *)at);
    case PROTOBUF_C_TYPE_STRING:
        return write_text(json, place, *(char *const *)at);
    case PROTOBUF_C_TYPE_BYTES:
        return write_bytes(json, at);
    case PROTOBUF_C_TYPE_MESSAGE:
        return write_nested(json, place, *(ProtobufCMessage *const *)at);
    default:
        return write_integer(json, field, at);
    }
}

/* ---- lists and maps ---- */

static json_t *write_list(struct grpcc_json *json, const struct grpcc_json_place *place,
                          const ProtobufCFieldDescriptor *field, const uint8_t *items, size_t n)
{
    json_t *list = made(json, json_array());
    for (size_t i = 0; list && i < n; i++) {
        struct grpcc_json_place at = {.parent = place, .index = i};
        json_t *item =
            grpcc_json_write_value(json, &at, field, items + i * grpcc_json_value_size(field));
        if (item && json_array_append_new(list, item) == 0)
            continue;
        if (item)
            grpcc_json_no_memory(json);
        json_decref(list);
        return NULL;
    }
    return list;
}

static const char *key_of(const ProtobufCFieldDescriptor *field, const void *at, char text[32])
{
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return *(char *const *)at ? *(char *const *)at : "";
    if (field->type == PROTOBUF_C_TYPE_BOOL)
        return *(const protobuf_c_boolean *)at ? "true" : "false";
    print_integer(field, at, text);
    return text;
}

static json_t *write_map(struct grpcc_json *json, const struct grpcc_json_place *place,
                         const ProtobufCMessageDescriptor *type, uint8_t *const *entries, size_t n)
{
    const ProtobufCFieldDescriptor *key_field = &type->fields[0], *value_field = &type->fields[1];
    json_t *object = made(json, json_object());
    for (size_t i = 0; object && i < n; i++) {
        char text[32];
        const char *key = key_of(key_field, entries[i] + key_field->offset, text);
        struct grpcc_json_place at = {.parent = place, .name = key};
        json_t *value =
            grpcc_json_write_value(json, &at, value_field, entries[i] + value_field->offset);
        /* Of several entries with one key the last counts. */
        if (value && json_object_set_new(object, key, value) == 0)
            continue;
        if (value)
            grpcc_json_fail(json, &at, "a key that is not UTF-8, or no memory");
        json_decref(object);
        return NULL;
    }
    return object;
}

json_t *grpcc_json_write_repeated(struct grpcc_json *json, const struct grpcc_json_place *place,
                                  const ProtobufCFieldDescriptor *field,
                                  const ProtobufCMessage *message)
{
    const uint8_t *bytes = (const uint8_t *)message;
    size_t n = *(const size_t *)(bytes + field->quantifier_offset);
    const void *items = *(const void *const *)(bytes + field->offset);
    json_t *value = NULL;
    if (!grpcc_json_enter(json, place))
        return NULL;
    if (field->flags & GRPCC_FIELD_FLAG_MAP)
        value = write_map(json, place, field->descriptor, items, n);
    else
        value = write_list(json, place, field, items, n);
    grpcc_json_leave(json);
    return value;
}

/* ---- messages ---- */

bool grpcc_json_is_present(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message)
{
    static const uint8_t zeros[sizeof(ProtobufCBinaryData)];
    const uint8_t *bytes = (const uint8_t *)message;
    const void *at = bytes + field->offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return *(const size_t *)(bytes + field->quantifier_offset) > 0;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)(bytes + field->quantifier_offset) == field->id;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(void *const *)at != NULL;
    if (field->label == PROTOBUF_C_LABEL_REQUIRED)
        return true;
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char *const *)at;
        if (field->label == PROTOBUF_C_LABEL_OPTIONAL)
            return text && text != field->default_value;
        return text && text[0];
    }
    if (field->label == PROTOBUF_C_LABEL_OPTIONAL)
        return *(const protobuf_c_boolean *)(bytes + field->quantifier_offset);
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)at)->len > 0;
    return memcmp(at, zeros, grpcc_json_value_size(field)) != 0;
}

/* At its default, but wanted all the same: what has no presence of its own. */
static bool is_wanted(const struct grpcc_json *json, const ProtobufCFieldDescriptor *field)
{
    return json->options.with_defaults &&
           (field->label == PROTOBUF_C_LABEL_REPEATED ||
            (field->label == PROTOBUF_C_LABEL_NONE && field->type != PROTOBUF_C_TYPE_MESSAGE &&
             !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)));
}

static bool write_member(struct grpcc_json *json, const struct grpcc_json_place *place,
                         const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message,
                         json_t *object)
{
    const char *name = grpcc_json_field_name(json, field);
    if (!name)
        return grpcc_json_no_memory(json);
    struct grpcc_json_place at = {.parent = place, .name = name};
    json_t *value =
        field->label == PROTOBUF_C_LABEL_REPEATED
            ? grpcc_json_write_repeated(json, &at, field, message)
            : grpcc_json_write_value(json, &at, field, (const uint8_t *)message + field->offset);
    if (!value)
        return false;
    return json_object_set_new(object, name, value) == 0 || grpcc_json_no_memory(json);
}

json_t *grpcc_json_write_fields(struct grpcc_json *json, const struct grpcc_json_place *place,
                                const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    json_t *object = made(json, json_object());
    for (unsigned i = 0; object && i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        if (!grpcc_json_is_present(field, message) && !is_wanted(json, field))
            continue;
        if (write_member(json, place, field, message, object))
            continue;
        json_decref(object);
        return NULL;
    }
    return object;
}

json_t *grpcc_json_write_message(struct grpcc_json *json, const struct grpcc_json_place *place,
                                 const ProtobufCMessage *message)
{
    const struct grpcc_json_known *known = grpcc_json_known(message->descriptor);
    if (!grpcc_json_enter(json, place))
        return NULL;
    json_t *value =
        known ? known->write(json, place, message) : grpcc_json_write_fields(json, place, message);
    grpcc_json_leave(json);
    return value;
}

enum grpcc_status grpcc_json_encode(struct grpcc_arena *arena, const ProtobufCMessage *message,
                                    const struct grpcc_json_options *options, char **ret_text,
                                    size_t *ret_length, struct grpcc_error *err)
{
    struct grpcc_json json;
    const struct grpcc_json_place root = {0};
    grpcc_json_init(&json, options, arena, err);
    json_t *value = grpcc_json_write_message(&json, &root, message);
    if (!value)
        return json.status;
    size_t flags = JSON_ENCODE_ANY | (json.options.indent ? JSON_INDENT(2) : JSON_COMPACT);
    size_t size = json_dumpb(value, NULL, 0, flags);
    char *text = size ? grpcc_arena_alloc(arena, size + 1) : NULL;
    /* Nothing to print is what libjansson says where it had no memory. */
    if (text && json_dumpb(value, text, size, flags) == size) {
        text[size] = '\0';
        *ret_text = text;
        if (ret_length)
            *ret_length = size;
    } else {
        grpcc_json_no_memory(&json);
    }
    json_decref(value);
    return json.status;
}
