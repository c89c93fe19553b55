/* SPDX-License-Identifier: Apache-2.0 */
/* The well-known types that have a form of their own in JSON. */
#include <math.h>
#include <string.h>

#include "gen/runtime/src/json/json.h"
#include "grpcc/message.h"

/* Field numbers of google.protobuf. */
enum { TIME_SECONDS = 1, TIME_NANOS = 2 };
enum { MASK_PATHS = 1 };
enum { WRAPPED = 1 };
enum { VALUE_NULL = 1, VALUE_NUMBER, VALUE_STRING, VALUE_BOOL, VALUE_STRUCT, VALUE_LIST };
enum { ANY_TYPE_URL = 1, ANY_VALUE = 2 };

static const char type_key[] = "@type", value_key[] = "value";

typedef struct grpcc_json_place place_t;

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessage *message, unsigned number)
{
    return protobuf_c_message_descriptor_get_field(message->descriptor, number);
}

static const void *value_of(const ProtobufCMessage *message, unsigned number)
{
    return (const uint8_t *)message + field_of(message, number)->offset;
}

static void put_value(ProtobufCMessage *message, unsigned number, const void *value, size_t size)
{
    memcpy((uint8_t *)message + field_of(message, number)->offset, value, size);
}

static json_t *text_value(struct grpcc_json *json, const char *text)
{
    json_t *value = text ? json_string(text) : NULL;
    if (!value)
        grpcc_json_no_memory(json);
    return value;
}

/* ---- Timestamp, Duration ---- */

static bool read_times(struct grpcc_json *json, const place_t *place, const json_t *value,
                       ProtobufCMessage *message,
                       bool (*read)(const char *text, int64_t *ret_seconds, int32_t *ret_nanos),
                       const char *what)
{
    int64_t seconds;
    int32_t nanos;
    if (!json_is_string(value) || !read(json_string_value(value), &seconds, &nanos))
        return grpcc_json_fail(json, place, "not %s", what);
    put_value(message, TIME_SECONDS, &seconds, sizeof(seconds));
    put_value(message, TIME_NANOS, &nanos, sizeof(nanos));
    return true;
}

static bool read_timestamp(struct grpcc_json *json, const place_t *place, const json_t *value,
                           ProtobufCMessage *message)
{
    return read_times(json, place, value, message, grpcc_json_time_read,
                      "a time like 2026-01-31T23:59:59.5Z");
}

static bool read_duration(struct grpcc_json *json, const place_t *place, const json_t *value,
                          ProtobufCMessage *message)
{
    return read_times(json, place, value, message, grpcc_json_duration_read,
                      "a duration like 1.5s");
}

static json_t *
write_times(struct grpcc_json *json, const place_t *place, const ProtobufCMessage *message,
            bool (*write)(int64_t seconds, int32_t nanos, char ret_text[GRPCC_JSON_TIME_SIZE]))
{
    char text[GRPCC_JSON_TIME_SIZE];
    int64_t seconds;
    int32_t nanos;
    memcpy(&seconds, value_of(message, TIME_SECONDS), sizeof(seconds));
    memcpy(&nanos, value_of(message, TIME_NANOS), sizeof(nanos));
    if (write(seconds, nanos, text))
        return text_value(json, text);
    grpcc_json_fail(json, place, "out of range");
    return NULL;
}

static json_t *write_timestamp(struct grpcc_json *json, const place_t *place,
                               const ProtobufCMessage *message)
{
    return write_times(json, place, message, grpcc_json_time_write);
}

static json_t *write_duration(struct grpcc_json *json, const place_t *place,
                              const ProtobufCMessage *message)
{
    return write_times(json, place, message, grpcc_json_duration_write);
}

/* ---- FieldMask ---- */

/* "pageSize" as "page_size"; NULL: not such a name (*ret_memory true), or no memory. */
static char *snake(struct grpcc_arena *arena, const char *name, size_t length, bool *ret_memory)
{
    char *path = grpcc_arena_alloc(arena, 2 * length + 1);
    size_t n = 0;
    *ret_memory = path != NULL;
    for (size_t i = 0; path && i < length; i++) {
        bool upper = name[i] >= 'A' && name[i] <= 'Z';
        if (name[i] == '_')
            return NULL;
        if (upper)
            path[n++] = '_';
        path[n++] = upper ? (char)(name[i] - 'A' + 'a') : name[i];
    }
    if (path)
        path[n] = '\0';
    return path;
}

static bool read_mask(struct grpcc_json *json, const place_t *place, const json_t *value,
                      ProtobufCMessage *message)
{
    const char *text = json_string_value(value);
    size_t n = text && *text ? 1 : 0;
    if (!text)
        return grpcc_json_fail(json, place, "not a text of paths");
    for (const char *at = text; *at; at++)
        n += *at == ',';
    char **paths = grpcc_arena_calloc(json->arena, n, sizeof(*paths));
    if (!paths)
        return grpcc_json_no_memory(json);
    for (size_t i = 0; i < n; i++) {
        size_t length = strcspn(text, ",");
        bool memory;
        paths[i] = snake(json->arena, text, length, &memory);
        if (!paths[i])
            return memory ? grpcc_json_fail(json, place, "a path that is not in lowerCamelCase")
                          : grpcc_json_no_memory(json);
        text += length + (text[length] == ',');
    }
    put_value(message, MASK_PATHS, &paths, sizeof(paths));
    memcpy((uint8_t *)message + field_of(message, MASK_PATHS)->quantifier_offset, &n, sizeof(n));
    return true;
}

/* Whether the path comes back as it was. */
static bool is_reversible(const char *path)
{
    for (; *path; path++)
        if ((*path >= 'A' && *path <= 'Z') || *path == ',' ||
            (*path == '_' && (path[1] < 'a' || path[1] > 'z')))
            return false;
    return true;
}

static json_t *write_mask(struct grpcc_json *json, const place_t *place,
                          const ProtobufCMessage *message)
{
    char *const *paths = *(char *const *const *)value_of(message, MASK_PATHS);
    size_t n, size = 1;
    memcpy(&n, (const uint8_t *)message + field_of(message, MASK_PATHS)->quantifier_offset,
           sizeof(n));
    for (size_t i = 0; i < n; i++)
        size += strlen(paths[i]) + 1;
    char *text = grpcc_arena_zalloc(json->arena, size);
    char *end = text;
    for (size_t i = 0; text && i < n; i++) {
        if (!is_reversible(paths[i])) {
            grpcc_json_fail(json, place, "a path that JSON cannot say");
            return NULL;
        }
        const char *camel = grpcc_json_camel(json->arena, paths[i]);
        if (!camel)
            return text_value(json, NULL);
        if (i)
            *end++ = ',';
        end = stpcpy(end, camel);
    }
    return text_value(json, text);
}

/* ---- wrappers ---- */

static bool read_wrapper(struct grpcc_json *json, const place_t *place, const json_t *value,
                         ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *field = field_of(message, WRAPPED);
    return grpcc_json_read_value(json, place, field, value, (uint8_t *)message + field->offset);
}

static json_t *write_wrapper(struct grpcc_json *json, const place_t *place,
                             const ProtobufCMessage *message)
{
    return grpcc_json_write_value(json, place, field_of(message, WRAPPED),
                                  value_of(message, WRAPPED));
}

/* ---- Struct, ListValue, Value ---- */

static bool read_struct(struct grpcc_json *json, const place_t *place, const json_t *value,
                        ProtobufCMessage *message)
{
    if (!json_is_object(value))
        return grpcc_json_fail(json, place, "not an object");
    return grpcc_json_read_field(json, place, field_of(message, WRAPPED), value, message);
}

static bool read_list(struct grpcc_json *json, const place_t *place, const json_t *value,
                      ProtobufCMessage *message)
{
    if (!json_is_array(value))
        return grpcc_json_fail(json, place, "not a list");
    return grpcc_json_read_field(json, place, field_of(message, WRAPPED), value, message);
}

/* A Struct is its map, a ListValue its list. */
static json_t *write_content(struct grpcc_json *json, const place_t *place,
                             const ProtobufCMessage *message)
{
    return grpcc_json_write_repeated(json, place, field_of(message, WRAPPED), message);
}

static bool read_any_value(struct grpcc_json *json, const place_t *place, const json_t *value,
                           ProtobufCMessage *message)
{
    static const unsigned numbers[] = {
        [JSON_OBJECT] = VALUE_STRUCT,  [JSON_ARRAY] = VALUE_LIST,  [JSON_STRING] = VALUE_STRING,
        [JSON_INTEGER] = VALUE_NUMBER, [JSON_REAL] = VALUE_NUMBER, [JSON_TRUE] = VALUE_BOOL,
        [JSON_FALSE] = VALUE_BOOL,     [JSON_NULL] = VALUE_NULL,
    };
    return grpcc_json_read_field(json, place, field_of(message, numbers[json_typeof(value)]), value,
                                 message);
}

static json_t *write_any_value(struct grpcc_json *json, const place_t *place,
                               const ProtobufCMessage *message)
{
    for (unsigned number = VALUE_NULL; number <= VALUE_LIST; number++) {
        const ProtobufCFieldDescriptor *field = field_of(message, number);
        const void *at = value_of(message, number);
        if (!grpcc_json_is_present(field, message))
            continue;
        if (number == VALUE_NUMBER && !isfinite(*(const double *)at)) {
            grpcc_json_fail(json, place, "a number that JSON does not have");
            return NULL;
        }
        return grpcc_json_write_value(json, place, field, at);
    }
    grpcc_json_fail(json, place, "a Value that holds nothing");
    return NULL;
}

/* ---- Any ---- */

static bool pack_any(struct grpcc_json *json, const ProtobufCMessage *content,
                     ProtobufCMessage *any)
{
    ProtobufCBinaryData bytes = {0};
    bytes.data = grpcc_message_pack(json->arena, content, &bytes.len);
    if (!bytes.data)
        return grpcc_json_no_memory(json);
    put_value(any, ANY_VALUE, &bytes, sizeof(bytes));
    return true;
}

static bool read_any_of(struct grpcc_json *json, const place_t *place, const json_t *value,
                        const ProtobufCMessageDescriptor *type, ProtobufCMessage *any)
{
    ProtobufCMessage *content = grpcc_message_new(json->arena, type);
    const json_t *form = json_object_get(value, value_key);
    const place_t at = {.parent = place, .name = value_key};
    if (!content)
        return grpcc_json_no_memory(json);
    if (!grpcc_json_known(type))
        return grpcc_json_read_fields(json, place, value, type_key, content) &&
               pack_any(json, content, any);
    if (!form || json_object_size(value) != 2)
        return grpcc_json_fail(json, place, "%s in an Any is its \"value\", alone", type->name);
    return grpcc_json_read_message(json, &at, form, content) && pack_any(json, content, any);
}

static bool read_any(struct grpcc_json *json, const place_t *place, const json_t *value,
                     ProtobufCMessage *message)
{
    const json_t *url = json_object_get(value, type_key);
    const json_t *bytes = json_object_get(value, value_key);
    if (json_is_object(value) && json_object_size(value) == 0)
        return true;
    if (!json_is_string(url))
        return grpcc_json_fail(json, place, "no \"@type\" that says what the Any holds");
    if (!grpcc_json_read_field(json, place, field_of(message, ANY_TYPE_URL), url, message))
        return false;
    const ProtobufCMessageDescriptor *type = grpcc_json_type(json, json_string_value(url));
    if (type)
        return read_any_of(json, place, value, type, message);
    if (!bytes || json_object_size(value) != 2)
        return grpcc_json_fail(json, place, "an Any of a type that is not known here");
    const place_t at = {.parent = place, .name = value_key};
    return grpcc_json_read_field(json, &at, field_of(message, ANY_VALUE), bytes, message);
}

static json_t *any_content(struct grpcc_json *json, const place_t *place,
                           const ProtobufCMessageDescriptor *type, const ProtobufCBinaryData *bytes)
{
    struct grpcc_error err;
    void *content = NULL;
    enum grpcc_status status =
        grpcc_message_unpack(json->arena, type, NULL, bytes->data, bytes->len, &content, &err);
    if (status == GRPCC_RESOURCE_EXHAUSTED)
        grpcc_json_no_memory(json);
    else if (status)
        grpcc_json_fail(json, place, "not a sound %s", type->name);
    if (status)
        return NULL;
    return grpcc_json_known(type) ? grpcc_json_write_message(json, place, content)
                                  : grpcc_json_write_fields(json, place, content);
}

static json_t *write_any(struct grpcc_json *json, const place_t *place,
                         const ProtobufCMessage *message)
{
    const char *url = *(char *const *)value_of(message, ANY_TYPE_URL);
    const ProtobufCBinaryData *bytes = value_of(message, ANY_VALUE);
    if (!url[0] && bytes->len == 0)
        return json_object();
    const ProtobufCMessageDescriptor *type = grpcc_json_type(json, url);
    json_t *content =
        type ? any_content(json, place, type, bytes)
             : grpcc_json_write_value(json, place, field_of(message, ANY_VALUE), bytes);
    if (!content)
        return NULL;
    json_t *object = json_object(), *name = text_value(json, url);
    int failed = json_object_set_new(object, type_key, name);
    if (!failed && type && !grpcc_json_known(type))
        failed = json_object_update(object, content);
    else if (!failed)
        failed = json_object_set(object, value_key, content);
    json_decref(content);
    if (!failed)
        return object;
    json_decref(object);
    return text_value(json, NULL);
}

/* ---- */

/* Each with the number of its fields: another type of that name is none of them. */
static const struct {
    struct grpcc_json_known known;
    unsigned n_fields;
} types[] = {
    {{"google.protobuf.Any", read_any, write_any}, 2},
    {{"google.protobuf.BoolValue", read_wrapper, write_wrapper}, 1},
    {{"google.protobuf.BytesValue", read_wrapper, write_wrapper}, 1},
    {{"google.protobuf.DoubleValue", read_wrapper, write_wrapper}, 1},
    {{"google.protobuf.Duration", read_duration, write_duration}, 2},
    {{"google.protobuf.FieldMask", read_mask, write_mask}, 1},
    {{"google.protobuf.FloatValue", read_wrapper, write_wrapper}, 1},
    {{"google.protobuf.Int32Value", read_wrapper, write_wrapper}, 1},
    {{"google.protobuf.Int64Value", read_wrapper, write_wrapper}, 1},
    {{"google.protobuf.ListValue", read_list, write_content}, 1},
    {{"google.protobuf.StringValue", read_wrapper, write_wrapper}, 1},
    {{"google.protobuf.Struct", read_struct, write_content}, 1},
    {{"google.protobuf.Timestamp", read_timestamp, write_timestamp}, 2},
    {{"google.protobuf.UInt32Value", read_wrapper, write_wrapper}, 1},
    {{"google.protobuf.UInt64Value", read_wrapper, write_wrapper}, 1},
    {{"google.protobuf.Value", read_any_value, write_any_value}, 6},
};

const struct grpcc_json_known *grpcc_json_known(const ProtobufCMessageDescriptor *descriptor)
{
    static const char package[] = "google.protobuf.";
    if (!descriptor->name || strncmp(descriptor->name, package, sizeof(package) - 1) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i].known.name, descriptor->name) == 0 &&
            types[i].n_fields == descriptor->n_fields)
            return &types[i].known;
    return NULL;
}

bool grpcc_json_takes_null(const ProtobufCFieldDescriptor *field)
{
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        const ProtobufCEnumDescriptor *type = field->descriptor;
        return strcmp(type->name, "google.protobuf.NullValue") == 0;
    }
    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    const struct grpcc_json_known *known = grpcc_json_known(field->descriptor);
    return known && known->read == read_any_value;
}
