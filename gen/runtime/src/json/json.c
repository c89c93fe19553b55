/* SPDX-License-Identifier: Apache-2.0 */
/* What reading and writing JSON have in common: limits, errors with paths, names. */
#include "gen/runtime/src/json/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gen/runtime/src/message/memory.h"
#include "grpcc/descriptor.h"

enum { DEPTH_MAX_DEFAULT = 100, TEXT_MAX_DEFAULT = 4 << 20 };
/* The end of a path that an error shows, where the fault is. */
enum { PATH_SIZE = 160 };

void grpcc_json_init(struct grpcc_json *json, const struct grpcc_json_options *options,
                     struct grpcc_arena *arena, struct grpcc_error *err)
{
    memset(json, 0, sizeof(*json));
    grpcc_options_copy(&json->options, sizeof(json->options), options);
    if (!json->options.depth_max)
        json->options.depth_max = DEPTH_MAX_DEFAULT;
    if (!json->options.text_max)
        json->options.text_max = TEXT_MAX_DEFAULT;
    json->arena = arena;
    json->err = err;
}

/* Written backwards, so that a long path loses its front. */
static const char *path_of(const struct grpcc_json_place *place, char path[PATH_SIZE])
{
    size_t start = PATH_SIZE - 1;
    path[start] = '\0';
    for (; place && place->parent; place = place->parent) {
        char part[PATH_SIZE];
        bool joined = path[start] == '\0' || path[start] == '[';
        int length = place->name
                         ? snprintf(part, sizeof(part), "%s%s", place->name, joined ? "" : ".")
                         : snprintf(part, sizeof(part), "[%zu]%s", place->index, joined ? "" : ".");
        if (length < 0 || (size_t)length > start)
            break;
        start -= (size_t)length;
        memcpy(path + start, part, (size_t)length);
    }
    return path[start] ? path + start : "the message";
}

bool grpcc_json_fail(struct grpcc_json *json, const struct grpcc_json_place *place,
                     const char *format, ...)
{
    /* Longer than a message may be: where this is cut, grpcc_error_set() cuts before it. */
    char path[PATH_SIZE], what[GRPCC_STATUS_MESSAGE_MAX + 8];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    json->status =
        grpcc_error_set(json->err, GRPCC_INVALID_ARGUMENT, "%s: %s", path_of(place, path), what);
    return false;
}

bool grpcc_json_no_memory(struct grpcc_json *json)
{
    json->status = grpcc_error_set(json->err, GRPCC_RESOURCE_EXHAUSTED, "no memory for JSON");
    return false;
}

bool grpcc_json_enter(struct grpcc_json *json, const struct grpcc_json_place *place)
{
    if (json->depth >= json->options.depth_max)
        return grpcc_json_fail(json, place, "nested too deeply");
    json->depth++;
    return true;
}

void grpcc_json_leave(struct grpcc_json *json)
{
    json->depth--;
}

size_t grpcc_json_value_size(const ProtobufCFieldDescriptor *field)
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

/* The next character of the lowerCamelCase of *name, which moves on; 0 at the end. */
static char camel_next(const char **name)
{
    bool raise = false;
    while (**name == '_') {
        raise = true;
        (*name)++;
    }
    char c = **name;
    if (c)
        (*name)++;
    return raise && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

char *grpcc_json_camel(struct grpcc_arena *arena, const char *name)
{
    char *camel = grpcc_arena_alloc(arena, strlen(name) + 1);
    for (char *at = camel; camel; at++)
        if (!(*at = camel_next(&name)))
            break;
    return camel;
}

const char *grpcc_json_field_name(struct grpcc_json *json, const ProtobufCFieldDescriptor *field)
{
    if (json->options.proto_names)
        return field->name;
    const char *name = grpcc_field_json_name(field);
    return name ? name : grpcc_json_camel(json->arena, field->name);
}

bool grpcc_json_is_named(const ProtobufCFieldDescriptor *field, const char *key)
{
    const char *other = grpcc_field_json_name(field);
    if (strcmp(field->name, key) == 0)
        return true;
    if (other)
        return strcmp(other, key) == 0;
    const char *name = field->name;
    for (; *key; key++)
        if (camel_next(&name) != *key)
            return false;
    return camel_next(&name) == '\0';
}

const ProtobufCMessageDescriptor *grpcc_json_type(const struct grpcc_json *json, const char *url)
{
    const char *slash = strrchr(url, '/');
    for (size_t i = 0; slash && i < json->options.n_types; i++)
        if (strcmp(json->options.types[i]->name, slash + 1) == 0)
            return json->options.types[i];
    return NULL;
}
