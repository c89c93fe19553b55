/* SPDX-License-Identifier: Apache-2.0 */
/* Messages from JSON. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gen/runtime/src/json/json.h"
#include "grpcc/descriptor.h"
#include "grpcc/message.h"

/* The largest integer up to which every one is a double of its own. */
static const double exact_max = 9007199254740992.0;

/* ---- numbers ---- */

/* An integer of either sign, as JSON has it: a number, a number in quotes, the key of a map. */
struct integer {
    bool negative;
    uint64_t magnitude;
};

static bool integer_from_real(double real, struct integer *ret_integer)
{
    if (!(fabs(real) <= exact_max) || real != floor(real))
        return false;
    *ret_integer = (struct integer){real < 0, (uint64_t)fabs(real)};
    return true;
}

/* Whole text: digits, or what a number in JSON may look like as long as it is integral. */
static bool integer_from_text(const char *text, struct integer *ret_integer)
{
    const char *digits = text + (*text == '-');
    char *end;
    if (*digits < '0' || *digits > '9')
        return false;
    errno = 0;
    unsigned long long magnitude = strtoull(digits, &end, 10);
    if (*end == '\0') {
        *ret_integer = (struct integer){digits > text, magnitude};
        return errno == 0;
    }
    double real = strtod(text, &end);
    /* strtod() reads hexadecimal and more; a number in JSON has nothing but these. */
    return *end == '\0' && strspn(text, "-+.eE0123456789") == strlen(text) &&
           integer_from_real(real, ret_integer);
}

static bool integer_from(const json_t *value, struct integer *ret_integer)
{
    if (json_is_string(value))
        return integer_from_text(json_string_value(value), ret_integer);
    if (json_is_real(value))
        return integer_from_real(json_real_value(value), ret_integer);
    if (!json_is_integer(value))
        return false;
    json_int_t number = json_integer_value(value);
    *ret_integer =
        (struct integer){number < 0, number < 0 ? 0 - (uint64_t)number : (uint64_t)number};
    return true;
}

/* Into a field of 32 or 64 bits; false: it does not fit. */
static bool put_integer(const ProtobufCFieldDescriptor *field, struct integer integer, void *at)
{
    bool wide = grpcc_json_value_size(field) == 8;
    uint64_t max;
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        max = integer.negative ? 0 : wide ? UINT64_MAX : UINT32_MAX;
        break;
    default:
        max = (wide ? (uint64_t)INT64_MAX : (uint64_t)INT32_MAX) + integer.negative;
    }
    if (integer.magnitude > max)
        return false;
    uint64_t bits = integer.negative ? 0 - integer.magnitude : integer.magnitude;
    uint32_t low = (uint32_t)bits;
    memcpy(at, wide ? (void *)&bits : (void *)&low, wide ? sizeof(bits) : sizeof(low));
    return true;
}

static bool real_from(const json_t *value, double *ret_real)
{
    if (json_is_number(value)) {
        *ret_real = json_number_value(value);
        return true;
    }
    const char *text = json_string_value(value);
    char *end;
    if (!text)
        return false;
    if (strcmp(text, "NaN") == 0)
        *ret_real = NAN;
    else if (strcmp(text, "Infinity") == 0)
        *ret_real = INFINITY;
    else if (strcmp(text, "-Infinity") == 0)
        *ret_real = -INFINITY;
    else if (*text && strspn(text, "-+.eE0123456789") == strlen(text)) {
        *ret_real = strtod(text, &end);
        return end != text && *end == '\0' && isfinite(*ret_real);
    } else
        return false;
    return true;
}

static bool put_real(const ProtobufCFieldDescriptor *field, double real, void *at)
{
    float single = (float)real;
    if (field->type == PROTOBUF_C_TYPE_DOUBLE) {
        memcpy(at, &real, sizeof(real));
        return true;
    }
    if (isinf(single) && !isinf(real))
        return false;
    memcpy(at, &single, sizeof(single));
    return true;
}

/* ---- single values ---- */

static bool read_text(struct grpcc_json *json, const struct grpcc_json_place *place,
                      const json_t *value, void *at)
{
    if (!json_is_string(value))
        return grpcc_json_fail(json, place, "not a text");
    char *copy =
        grpcc_arena_strndup(json->arena, json_string_value(value), json_string_length(value));
    if (!copy)
        return grpcc_json_no_memory(json);
    memcpy(at, &copy, sizeof(copy));
    return true;
}

static bool read_bytes(struct grpcc_json *json, const struct grpcc_json_place *place,
                       const json_t *value, void *at)
{
    ProtobufCBinaryData bytes;
    if (!json_is_string(value) || !grpcc_base64_decode(json->arena, json_string_value(value),
                                                       json_string_length(value), &bytes))
        return grpcc_json_fail(json, place, "not base64");
    if (!bytes.data)
        return grpcc_json_no_memory(json);
    memcpy(at, &bytes, sizeof(bytes));
    return true;
}

/* *ret_skipped: a name that the type does not have, where such names are ignored. */
static bool read_enum(struct grpcc_json *json, const struct grpcc_json_place *place,
                      const ProtobufCFieldDescriptor *field, const json_t *value, void *at)
{
    const ProtobufCEnumDescriptor *type = field->descriptor;
    const char *name = json_string_value(value);
    struct integer integer = {0};
    const ProtobufCEnumValue *known =
        name ? protobuf_c_enum_descriptor_get_value_by_name(type, name) : NULL;
    if (known) {
        int number = known->value;
        memcpy(at, &number, sizeof(number));
        return true;
    }
    if (json_is_null(value))
        return put_integer(field, integer, at);
    if (name)
        return grpcc_json_fail(json, place, "%s has no \"%s\"", type->name, name);
    if (!integer_from(value, &integer) || !put_integer(field, integer, at))
        return grpcc_json_fail(json, place, "neither a name nor a number of %s", type->name);
    return true;
}

static bool read_nested(struct grpcc_json *json, const struct grpcc_json_place *place,
                        const ProtobufCFieldDescriptor *field, const json_t *value, void *at)
{
    ProtobufCMessage *message = grpcc_message_new(json->arena, field->descriptor);
    if (!message)
        return grpcc_json_no_memory(json);
    memcpy(at, &message, sizeof(message));
    return grpcc_json_read_message(json, place, value, message);
}

static bool read_number(struct grpcc_json *json, const struct grpcc_json_place *place,
                        const ProtobufCFieldDescriptor *field, const json_t *value, void *at)
{
    struct integer integer;
    double real;
    bool floating = field->type == PROTOBUF_C_TYPE_FLOAT || field->type == PROTOBUF_C_TYPE_DOUBLE;
    if (floating ? !real_from(value, &real) : !integer_from(value, &integer))
        return grpcc_json_fail(json, place, "not %s", floating ? "a number" : "an integer");
    if (floating ? !put_real(field, real, at) : !put_integer(field, integer, at))
        return grpcc_json_fail(json, place, "out of range");
    return true;
}

bool grpcc_json_read_value(struct grpcc_json *json, const struct grpcc_json_place *place,
                           const ProtobufCFieldDescriptor *field, const json_t *value, void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        if (!json_is_boolean(value))
            return grpcc_json_fail(json, place, "neither true nor false");
        *(protobuf_c_boolean *)at = json_is_true(value);
        return true;
    case PROTOBUF_C_TYPE_STRING:
        return read_text(json, place, value, at);
    case PROTOBUF_C_TYPE_BYTES:
        return read_bytes(json, place, value, at);
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(json, place, field, value, at);
    case PROTOBUF_C_TYPE_MESSAGE:
        return read_nested(json, place, field, value, at);
    default:
        return read_number(json, place, field, value, at);
    }
}

/* A name that its enum does not have, which is as if the field were not there. */
static bool is_ignored(const struct grpcc_json *json, const ProtobufCFieldDescriptor *field,
                       const json_t *value)
{
    return json->options.ignore_unknown && field->type == PROTOBUF_C_TYPE_ENUM &&
           json_is_string(value) &&
           !protobuf_c_enum_descriptor_get_value_by_name(field->descriptor,
                                                         json_string_value(value));
}

/* ---- lists and maps ---- */

static bool read_list(struct grpcc_json *json, const struct grpcc_json_place *place,
                      const ProtobufCFieldDescriptor *field, const json_t *value, uint8_t *message)
{
    size_t size = grpcc_json_value_size(field), n = 0;
    if (!json_is_array(value))
        return grpcc_json_fail(json, place, "not a list");
    uint8_t *items = grpcc_arena_calloc(json->arena, json_array_size(value), size);
    if (!items)
        return grpcc_json_no_memory(json);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        struct grpcc_json_place at = {.parent = place, .index = i};
        if (is_ignored(json, field, item))
            continue;
        if (json_is_null(item) && !grpcc_json_takes_null(field))
            return grpcc_json_fail(json, &at, "null in a list");
        if (!grpcc_json_read_value(json, &at, field, item, items + n * size))
            return false;
        n++;
    }
    memcpy(message + field->offset, &items, sizeof(items));
    memcpy(message + field->quantifier_offset, &n, sizeof(n));
    return true;
}

/* Each number in one spelling only, so that no two keys of an object are the same one of the map.
 */
static bool is_key_number(const char *key)
{
    const char *digits = key + (*key == '-');
    if (strspn(digits, "0123456789") != strlen(digits))
        return false;
    return digits[0] != '0' || strcmp(key, "0") == 0;
}

static bool read_key(struct grpcc_json *json, const struct grpcc_json_place *place,
                     const ProtobufCFieldDescriptor *field, const char *key, void *at)
{
    struct integer integer;
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        char *copy = grpcc_arena_strdup(json->arena, key);
        memcpy(at, &copy, sizeof(copy));
        return copy ? true : grpcc_json_no_memory(json);
    }
    if (field->type == PROTOBUF_C_TYPE_BOOL) {
        bool yes = strcmp(key, "true") == 0;
        *(protobuf_c_boolean *)at = yes;
        return yes || strcmp(key, "false") == 0 ||
               grpcc_json_fail(json, place, "a key that is neither true nor false");
    }
    return (is_key_number(key) && integer_from_text(key, &integer) &&
            put_integer(field, integer, at)) ||
           grpcc_json_fail(json, place, "a key that is not an integer, or out of range");
}

static bool read_map(struct grpcc_json *json, const struct grpcc_json_place *place,
                     const ProtobufCFieldDescriptor *field, const json_t *value, uint8_t *message)
{
    const ProtobufCMessageDescriptor *type = field->descriptor;
    const ProtobufCFieldDescriptor *key_field = &type->fields[0], *value_field = &type->fields[1];
    json_t *object = (json_t *)(uintptr_t)value;
    size_t n = 0;
    if (!json_is_object(value))
        return grpcc_json_fail(json, place, "not an object");
    ProtobufCMessage **entries =
        grpcc_arena_calloc(json->arena, json_object_size(value), sizeof(*entries));
    if (!entries)
        return grpcc_json_no_memory(json);
    for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
        const char *key = json_object_iter_key(i);
        const json_t *item = json_object_iter_value(i);
        struct grpcc_json_place at = {.parent = place, .name = key};
        if (is_ignored(json, value_field, item))
            continue;
        if (json_is_null(item) && !grpcc_json_takes_null(value_field))
            return grpcc_json_fail(json, &at, "null in a map");
        ProtobufCMessage *entry = grpcc_message_new(json->arena, type);
        if (!entry)
            return grpcc_json_no_memory(json);
        if (!read_key(json, &at, key_field, key, (uint8_t *)entry + key_field->offset) ||
            !grpcc_json_read_value(json, &at, value_field, item,
                                   (uint8_t *)entry + value_field->offset))
            return false;
        entries[n++] = entry;
    }
    memcpy(message + field->offset, &entries, sizeof(entries));
    memcpy(message + field->quantifier_offset, &n, sizeof(n));
    return true;
}

/* ---- messages ---- */

/* Notes that the field is set, in its oneof or its own flag; false: another one of the oneof is. */
static bool note_presence(struct grpcc_json *json, const struct grpcc_json_place *place,
                          const ProtobufCFieldDescriptor *field, uint8_t *message)
{
    uint8_t *quantifier = message + field->quantifier_offset;
    uint32_t number = field->id, set;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        memcpy(&set, quantifier, sizeof(set));
        if (set != 0)
            return grpcc_json_fail(json, place, "another member of its oneof is set too");
        memcpy(quantifier, &number, sizeof(number));
        return true;
    }
    if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING &&
        field->type != PROTOBUF_C_TYPE_MESSAGE)
        *(protobuf_c_boolean *)quantifier = 1;
    return true;
}

bool grpcc_json_read_field(struct grpcc_json *json, const struct grpcc_json_place *place,
                           const ProtobufCFieldDescriptor *field, const json_t *value,
                           ProtobufCMessage *message)
{
    uint8_t *bytes = (uint8_t *)message;
    if (json_is_null(value) &&
        (field->label == PROTOBUF_C_LABEL_REPEATED || !grpcc_json_takes_null(field)))
        return true;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        if (!grpcc_json_enter(json, place))
            return false;
        bool done = field->flags & GRPCC_FIELD_FLAG_MAP
                        ? read_map(json, place, field, value, bytes)
                        : read_list(json, place, field, value, bytes);
        grpcc_json_leave(json);
        return done;
    }
    if (is_ignored(json, field, value))
        return true;
    return note_presence(json, place, field, bytes) &&
           grpcc_json_read_value(json, place, field, value, bytes + field->offset);
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *descriptor,
                                                  const char *key)
{
    for (unsigned i = 0; i < descriptor->n_fields; i++)
        if (grpcc_json_is_named(&descriptor->fields[i], key))
            return &descriptor->fields[i];
    return NULL;
}

/* Of the members of object, another one than `key` that names the field too; NULL: none. */
static bool is_named_twice(const json_t *object, const ProtobufCFieldDescriptor *field,
                           const char *key)
{
    json_t *members = (json_t *)(uintptr_t)object;
    if (strcmp(field->name, key) == 0)
        return false; /* the other one finds this */
    for (void *i = json_object_iter(members); i; i = json_object_iter_next(members, i))
        if (strcmp(json_object_iter_key(i), field->name) == 0)
            return true;
    return false;
}

/* proto2: what must be there. */
static bool has_required(struct grpcc_json *json, const struct grpcc_json_place *place,
                         const json_t *object, const ProtobufCMessageDescriptor *descriptor)
{
    json_t *members = (json_t *)(uintptr_t)object;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        bool found = field->label != PROTOBUF_C_LABEL_REQUIRED;
        for (void *at = json_object_iter(members); at && !found;
             at = json_object_iter_next(members, at))
            found = grpcc_json_is_named(field, json_object_iter_key(at)) &&
                    !json_is_null(json_object_iter_value(at));
        if (!found)
            return grpcc_json_fail(json, place, "%s is required", field->name);
    }
    return true;
}

bool grpcc_json_read_fields(struct grpcc_json *json, const struct grpcc_json_place *place,
                            const json_t *object, const char *skip, ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    json_t *members = (json_t *)(uintptr_t)object;
    if (!json_is_object(object))
        return grpcc_json_fail(json, place, "not an object");
    for (void *i = json_object_iter(members); i; i = json_object_iter_next(members, i)) {
        const char *key = json_object_iter_key(i);
        struct grpcc_json_place at = {.parent = place, .name = key};
        if (skip && strcmp(key, skip) == 0)
            continue;
        const ProtobufCFieldDescriptor *field = find_field(descriptor, key);
        if (!field && json->options.ignore_unknown)
            continue;
        if (!field)
            return grpcc_json_fail(json, &at, "%s has no such field", descriptor->name);
        if (is_named_twice(object, field, key))
            return grpcc_json_fail(json, &at, "comes twice, as %s too", field->name);
        if (!grpcc_json_read_field(json, &at, field, json_object_iter_value(i), message))
            return false;
    }
    return has_required(json, place, object, descriptor);
}

bool grpcc_json_read_message(struct grpcc_json *json, const struct grpcc_json_place *place,
                             const json_t *value, ProtobufCMessage *message)
{
    const struct grpcc_json_known *known = grpcc_json_known(message->descriptor);
    if (!grpcc_json_enter(json, place))
        return false;
    bool done = known ? known->read(json, place, value, message)
                      : grpcc_json_read_fields(json, place, value, NULL, message);
    grpcc_json_leave(json);
    return done;
}

enum grpcc_status grpcc_json_decode(struct grpcc_arena *arena,
                                    const ProtobufCMessageDescriptor *descriptor,
                                    const struct grpcc_json_options *options, const char *text,
                                    size_t length, void **ret_message, struct grpcc_error *err)
{
    struct grpcc_json json;
    const struct grpcc_json_place root = {0};
    json_error_t fault;
    grpcc_json_init(&json, options, arena, err);
    if (length > json.options.text_max)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED,
                               "JSON of %zu bytes, where %zu are allowed", length,
                               json.options.text_max);
    json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &fault);
    /* Where it has no memory libjansson mostly does not say so, but says nothing. */
    if (!value && (fault.text[0] == '\0' || json_error_code(&fault) == json_error_out_of_memory)) {
        grpcc_json_no_memory(&json);
        return json.status;
    }
    if (!value)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "not JSON: line %d, column %d: %s",
                               fault.line, fault.column, fault.text);
    ProtobufCMessage *message = grpcc_message_new(arena, descriptor);
    if (!message)
        grpcc_json_no_memory(&json);
    else if (grpcc_json_read_message(&json, &root, value, message))
        *ret_message = message;
    json_decref(value);
    return json.status;
}
