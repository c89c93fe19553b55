/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config/schema.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/config/config_driver.h"

enum { DUMP_FLAGS = JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY };
enum { PLACE_MAX = 128 };

/* ---- values ---- */

static bool is_deeper(const json_t *value, unsigned most)
{
    json_t *own = (json_t *)(uintptr_t)value, *child;
    const char *key;
    size_t i;

    if (!json_is_array(value) && !json_is_object(value))
        return false;
    if (most == 0)
        return true;
    json_array_foreach(own, i, child)
    {
        if (is_deeper(child, most - 1))
            return true;
    }
    json_object_foreach(own, key, child)
    {
        if (is_deeper(child, most - 1))
            return true;
    }
    return false;
}

enum comb_status config_json_parse(comb_str path, comb_str text, json_t **ret_value,
                                   struct comb_error *err)
{
    json_error_t native;
    json_t *value =
        json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &native);

    if (!value)
        return comb_error_field(err, "value", "%.*s: not JSON, line %d column %d: %s",
                                COMB_STR_ARG(path), native.line, native.column, native.text);
    if (is_deeper(value, COMB_CONFIG_VALUE_DEPTH_MAX)) {
        json_decref(value);
        return comb_error_field(err, "value", "%.*s: deeper than %d arrays and objects",
                                COMB_STR_ARG(path), COMB_CONFIG_VALUE_DEPTH_MAX);
    }
    *ret_value = value;
    return COMB_OK;
}

enum comb_status config_json_text(struct grpcc_arena *arena, const json_t *value,
                                  comb_str *ret_text, struct comb_error *err)
{
    char *text = json_dumps(value, DUMP_FLAGS);
    char *copy = text ? grpcc_arena_strdup(arena, text) : NULL;

    free(text);
    if (!copy)
        return comb_error_no_memory(err);
    *ret_text = comb_str_from(copy);
    return COMB_OK;
}

/* ---- is it a schema? ---- */

static const char *const type_names[] = {"object", "array",   "string", "integer",
                                         "number", "boolean", "null"};

static bool is_type_name(const json_t *name)
{
    for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++) {
        if (json_is_string(name) && strcmp(json_string_value(name), type_names[i]) == 0)
            return true;
    }
    return false;
}

static bool is_type(const json_t *type)
{
    if (!json_is_array(type))
        return is_type_name(type);
    for (size_t i = 0; i < json_array_size(type); i++) {
        if (!is_type_name(json_array_get(type, i)))
            return false;
    }
    return json_array_size(type) > 0;
}

static bool is_any(const json_t *value)
{
    return value != NULL;
}

static bool is_array(const json_t *value)
{
    return json_is_array(value);
}

static bool is_number(const json_t *value)
{
    return json_is_number(value);
}

static bool is_count(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool is_boolean(const json_t *value)
{
    return json_is_boolean(value);
}

static bool is_names(const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!json_is_string(json_array_get(value, i)))
            return false;
    }
    return json_is_array(value);
}

static bool is_schema(const json_t *value)
{
    return config_schema_check(value, NULL) == COMB_OK;
}

static bool is_schemas(const json_t *value)
{
    json_t *own = (json_t *)(uintptr_t)value, *child;
    const char *key;

    json_object_foreach(own, key, child)
    {
        if (!is_schema(child))
            return false;
    }
    return json_is_object(value);
}

static const struct {
    const char *name;
    bool (*is_good)(const json_t *value);
} keywords[] = {
    {"type", is_type},
    {"enum", is_array},
    {"const", is_any},
    {"minimum", is_number},
    {"maximum", is_number},
    {"minLength", is_count},
    {"maxLength", is_count},
    {"minItems", is_count},
    {"maxItems", is_count},
    {"items", is_schema},
    {"properties", is_schemas},
    {"required", is_names},
    {"additionalProperties", is_boolean},
    {"title", is_any},
    {"description", is_any},
    {"default", is_any},
};
enum { N_KEYWORDS = sizeof keywords / sizeof keywords[0] };

enum comb_status config_schema_check(const json_t *schema, struct comb_error *err)
{
    json_t *own = (json_t *)(uintptr_t)schema, *value;
    const char *key;

    if (!json_is_object(schema))
        return comb_error_field(err, "value", "a schema is an object");
    json_object_foreach(own, key, value)
    {
        size_t i = 0;
        while (i < N_KEYWORDS && strcmp(keywords[i].name, key) != 0)
            i++;
        if (i == N_KEYWORDS)
            return comb_error_field(err, "value", "a schema cannot have \"%.40s\"", key);
        if (!keywords[i].is_good(value))
            return comb_error_field(err, "value", "the schema's \"%s\" is not what it must be",
                                    keywords[i].name);
    }
    return COMB_OK;
}

/* ---- does a value fit? ---- */

static bool has_type_name(const json_t *value, const char *name)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return strcmp(name, "object") == 0;
    case JSON_ARRAY:
        return strcmp(name, "array") == 0;
    case JSON_STRING:
        return strcmp(name, "string") == 0;
    case JSON_INTEGER:
        return strcmp(name, "integer") == 0 || strcmp(name, "number") == 0;
    case JSON_REAL:
        return strcmp(name, "number") == 0;
    case JSON_TRUE:
    case JSON_FALSE:
        return strcmp(name, "boolean") == 0;
    default:
        return strcmp(name, "null") == 0;
    }
}

static bool has_type(const json_t *value, const json_t *type)
{
    if (json_is_string(type))
        return has_type_name(value, json_string_value(type));
    for (size_t i = 0; i < json_array_size(type); i++) {
        if (has_type_name(value, json_string_value(json_array_get(type, i))))
            return true;
    }
    return type == NULL;
}

/* JSON Schema has one kind of numbers: 1 and 1.0 are equal. */
static bool are_equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b) && json_typeof(a) != json_typeof(b)) {
        double x = json_number_value(a), y = json_number_value(b);
        return !(x < y) && !(x > y);
    }
    return json_equal(a, b);
}

static bool is_among(const json_t *value, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (are_equal(value, json_array_get(list, i)))
            return true;
    }
    return list == NULL;
}

/* Characters, not bytes. */
static size_t length_of(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static bool is_within(const json_t *schema, const char *least, const char *most, size_t n)
{
    const json_t *low = json_object_get(schema, least), *high = json_object_get(schema, most);
    return (!low || n >= (size_t)json_integer_value(low)) &&
           (!high || n <= (size_t)json_integer_value(high));
}

/* Compared as integers where both are: doubles are not exact above 2^53. */
static bool is_below(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b))
        return json_integer_value(a) < json_integer_value(b);
    return json_number_value(a) < json_number_value(b);
}

/* What is wrong with the value itself; NULL: nothing. */
static const char *misfit(const json_t *schema, const json_t *value)
{
    const json_t *low = json_object_get(schema, "minimum");
    const json_t *high = json_object_get(schema, "maximum");
    const json_t *constant = json_object_get(schema, "const");

    if (!has_type(value, json_object_get(schema, "type")))
        return "has another type than its schema says";
    if (!is_among(value, json_object_get(schema, "enum")) ||
        (constant && !are_equal(value, constant)))
        return "is not among the values of its schema";
    if (json_is_number(value) && ((low && is_below(value, low)) || (high && is_below(high, value))))
        return "is outside of the bounds of its schema";
    if (json_is_string(value) &&
        !is_within(schema, "minLength", "maxLength", length_of(json_string_value(value))))
        return "is shorter or longer than its schema says";
    if (json_is_array(value) && !is_within(schema, "minItems", "maxItems", json_array_size(value)))
        return "has fewer or more items than its schema says";
    return NULL;
}

/* The schema of a member; NULL and *ret_known false: there must be no such member. */
static const json_t *schema_of_member(const json_t *schema, const char *name, bool *ret_known)
{
    const json_t *found = json_object_get(json_object_get(schema, "properties"), name);

    *ret_known = found || !json_is_false(json_object_get(schema, "additionalProperties"));
    return found;
}

static enum comb_status match(const json_t *schema, const char *place, const json_t *value,
                              struct comb_error *err);

static enum comb_status match_members(const json_t *schema, const char *place, const json_t *value,
                                      struct comb_error *err)
{
    const json_t *required = json_object_get(schema, "required");
    json_t *own = (json_t *)(uintptr_t)value, *member;
    enum comb_status status = COMB_OK;
    char below[PLACE_MAX];
    const char *name;

    for (size_t i = 0; i < json_array_size(required); i++) {
        name = json_string_value(json_array_get(required, i));
        if (!json_object_get(value, name))
            return comb_error_field(err, "value", "%s lacks \"%.40s\"", place, name);
    }
    json_object_foreach(own, name, member)
    {
        bool known;
        const json_t *its = schema_of_member(schema, name, &known);
        if (!known)
            return comb_error_field(err, "value", "%s must not have \"%.40s\"", place, name);
        snprintf(below, sizeof below, "%.80s.%.40s", place, name);
        if (its && status == COMB_OK)
            status = match(its, below, member, err);
    }
    return status;
}

static enum comb_status match(const json_t *schema, const char *place, const json_t *value,
                              struct comb_error *err)
{
    const json_t *items = json_object_get(schema, "items");
    const char *why = misfit(schema, value);
    char below[PLACE_MAX];

    if (why)
        return comb_error_field(err, "value", "%s %s", place, why);
    for (size_t i = 0; items && json_is_array(value) && i < json_array_size(value); i++) {
        snprintf(below, sizeof below, "%.100s[%zu]", place, i);
        enum comb_status status = match(items, below, json_array_get(value, i), err);
        if (status != COMB_OK)
            return status;
    }
    return json_is_object(value) ? match_members(schema, place, value, err) : COMB_OK;
}

enum comb_status config_schema_match(const json_t *schema, comb_str path, const json_t *value,
                                     struct comb_error *err)
{
    char place[PLACE_MAX];

    snprintf(place, sizeof place, "%.*s", path.len < 100 ? (int)path.len : 100, path.ptr);
    return match(schema, place, value, err);
}
