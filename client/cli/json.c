/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as JSON, by their descriptors: https://protobuf.dev/programming-guides/json/ */
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/cli.h"
#include "google/protobuf/any.grpcc.h"
#include "google/protobuf/duration.grpcc.h"
#include "google/protobuf/field_mask.grpcc.h"
#include "google/protobuf/timestamp.grpcc.h"

#define FIELD_NAME_MAX 256

static json_t *from_message(const ProtobufCMessage *message);

/* "page_size" -> "pageSize" */
static void camel_name(const char *name, char ret_name[FIELD_NAME_MAX])
{
    size_t n = 0;
    bool upper = false;
    for (; *name && n + 1 < FIELD_NAME_MAX; name++) {
        if (*name == '_') {
            upper = true;
            continue;
        }
        bool raise = upper && *name >= 'a' && *name <= 'z';
        ret_name[n++] = raise ? (char)(*name - 'a' + 'A') : *name;
        upper = false;
    }
    ret_name[n] = 0;
}

static json_t *from_bytes(const ProtobufCBinaryData *bytes)
{
    unsigned char *text = bytes->len < INT_MAX / 2 ? malloc(bytes->len / 3 * 4 + 5) : NULL;
    if (!text)
        return NULL;
    int length = EVP_EncodeBlock(text, bytes->data, (int)bytes->len);
    json_t *value = json_stringn((const char *)text, (size_t)length);
    free(text);
    return value;
}

static json_t *from_integer64(bool is_signed, uint64_t value)
{
    /* JSON numbers are doubles to many readers: 64 bits go as text. */
    return is_signed ? json_sprintf("%lld", (long long)value)
                     : json_sprintf("%llu", (unsigned long long)value);
}

static json_t *from_double(double value)
{
    if (isnan(value))
        return json_string("NaN");
    if (isinf(value))
        return json_string(value > 0 ? "Infinity" : "-Infinity");
    return json_real(value);
}

static json_t *from_enum(const ProtobufCEnumDescriptor *descriptor, int value)
{
    for (unsigned i = 0; i < descriptor->n_values; i++)
        if (descriptor->values[i].value == value)
            return json_string(descriptor->values[i].name);
    return json_integer(value);
}

/* One value of a field's type at `at`. */
static json_t *from_value(const ProtobufCFieldDescriptor *field, const void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return json_integer(*(const int32_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_integer(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return from_integer64(true, *(const uint64_t *)at);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return from_integer64(false, *(const uint64_t *)at);
    case PROTOBUF_C_TYPE_FLOAT:
        return from_double((double)*(const float *)at);
    case PROTOBUF_C_TYPE_DOUBLE:
        return from_double(*(const double *)at);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_ENUM:
        return from_enum(field->descriptor, *(const int *)at);
    case PROTOBUF_C_TYPE_STRING:
        return *(char *const *)at ? json_string(*(char *const *)at) : NULL;
    case PROTOBUF_C_TYPE_BYTES:
        return from_bytes(at);
    default:
        return *(ProtobufCMessage *const *)at ? from_message(*(ProtobufCMessage *const *)at) : NULL;
    }
}

static size_t size_of(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

static json_t *from_repeated(const ProtobufCFieldDescriptor *field, const uint8_t *message)
{
    size_t n = *(const size_t *)(message + field->quantifier_offset);
    const uint8_t *items = *(const uint8_t *const *)(message + field->offset);
    json_t *array = n ? json_array() : NULL;
    for (size_t i = 0; array && i < n; i++) {
        json_t *item = from_value(field, items + i * size_of(field));
        json_array_append_new(array, item ? item : json_null());
    }
    return array;
}

/* Proto3 leaves out what is at its default, unless the field knows presence. */
static bool is_present(const ProtobufCFieldDescriptor *field, const uint8_t *message)
{
    static const uint8_t zeros[sizeof(ProtobufCBinaryData)];
    const void *at = message + field->offset;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)(message + field->quantifier_offset) == field->id;
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char *const *)at;
        return text && (field->label == PROTOBUF_C_LABEL_OPTIONAL || text[0]);
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(void *const *)at != NULL;
    if (field->label == PROTOBUF_C_LABEL_OPTIONAL)
        return *(const protobuf_c_boolean *)(message + field->quantifier_offset);
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)at)->len > 0;
    return memcmp(at, zeros, size_of(field)) != 0;
}

static json_t *from_timestamp(const struct google_protobuf_timestamp *time)
{
    struct tm utc;
    char text[32], fraction[16] = "";
    time_t seconds = (time_t)time->seconds;
    if (!gmtime_r(&seconds, &utc) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc))
        return json_null();
    if (time->nanos)
        snprintf(fraction, sizeof fraction, ".%09d", time->nanos);
    return json_sprintf("%s%sZ", text, fraction);
}

static json_t *from_field_mask(const struct google_protobuf_field_mask *mask)
{
    json_t *text = json_string("");
    for (size_t i = 0; text && i < mask->n_paths; i++) {
        char name[FIELD_NAME_MAX];
        camel_name(mask->paths[i], name);
        json_t *longer = json_sprintf("%s%s%s", json_string_value(text), i ? "," : "", name);
        json_decref(text);
        text = longer;
    }
    return text;
}

/* The well-known types that have a form of their own; NULL: message is none of them. */
static json_t *from_well_known(const ProtobufCMessage *message)
{
    if (message->descriptor == &google_protobuf_timestamp_descriptor)
        return from_timestamp((const struct google_protobuf_timestamp *)message);
    if (message->descriptor == &google_protobuf_field_mask_descriptor)
        return from_field_mask((const struct google_protobuf_field_mask *)message);
    if (message->descriptor == &google_protobuf_duration_descriptor) {
        const struct google_protobuf_duration *duration = (const void *)message;
        return json_sprintf("%lld.%09ds", (long long)duration->seconds, abs(duration->nanos));
    }
    return NULL;
}

static json_t *from_message(const ProtobufCMessage *message)
{
    json_t *object = from_well_known(message);
    if (object)
        return object;
    object = json_object();
    for (unsigned i = 0; object && i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const uint8_t *bytes = (const uint8_t *)message;
        char name[FIELD_NAME_MAX];
        json_t *value = NULL;
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            value = from_repeated(field, bytes);
        else if (is_present(field, bytes))
            value = from_value(field, bytes + field->offset);
        camel_name(field->name, name);
        if (value)
            json_object_set_new(object, name, value);
    }
    return object;
}

void cli_print_json(FILE *out, const ProtobufCMessage *message)
{
    json_t *value = from_message(message);
    if (value)
        json_dumpf(value, out, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY);
    json_decref(value);
    fputc('\n', out);
}
