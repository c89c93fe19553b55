/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values without a schema: google.protobuf.Value, Struct, ListValue and the wrappers of scalars.
 *
 * What is made lives in arena; NULL: no room. Texts are borrowed and must live as long. A Struct is
 * filled by google_protobuf_struct_put_fields(), a list by google_protobuf_list_value_add_values().
 */
#ifndef GRPCC_VALUES_H
#define GRPCC_VALUES_H

#include "google/protobuf/struct.grpcc.h"
#include "google/protobuf/wrappers.grpcc.h"

#ifdef __cplusplus
extern "C" {
#endif

GRPCC_MUST_CHECK static inline struct google_protobuf_value *
grpcc_value_new_null(struct grpcc_arena *arena)
{
    struct google_protobuf_value *value = google_protobuf_value_new(arena);
    if (value)
        google_protobuf_value_set_null_value(value, GOOGLE_PROTOBUF_NULL_VALUE);
    return value;
}

GRPCC_MUST_CHECK static inline struct google_protobuf_value *
grpcc_value_new_number(struct grpcc_arena *arena, double number)
{
    struct google_protobuf_value *value = google_protobuf_value_new(arena);
    if (value)
        google_protobuf_value_set_number_value(value, number);
    return value;
}

GRPCC_MUST_CHECK static inline struct google_protobuf_value *
grpcc_value_new_text(struct grpcc_arena *arena, const char *text)
{
    struct google_protobuf_value *value = google_protobuf_value_new(arena);
    if (value)
        google_protobuf_value_set_string_value(value, text);
    return value;
}

GRPCC_MUST_CHECK static inline struct google_protobuf_value *
grpcc_value_new_bool(struct grpcc_arena *arena, bool yes)
{
    struct google_protobuf_value *value = google_protobuf_value_new(arena);
    if (value)
        google_protobuf_value_set_bool_value(value, yes);
    return value;
}

/* The value of key, NULL: absent. */
static inline const struct google_protobuf_value *
grpcc_struct_get(const struct google_protobuf_struct *object, const char *key)
{
    const struct google_protobuf_struct_fields_entry *entry =
        google_protobuf_struct_find_fields(object, key);
    return entry ? entry->value : NULL;
}

/* What value holds; the fallback where it holds another kind, or is NULL. */
static inline const char *grpcc_value_text(const struct google_protobuf_value *value,
                                           const char *fallback)
{
    return value && google_protobuf_value_has_string_value(value) ? value->string_value : fallback;
}

static inline double grpcc_value_number(const struct google_protobuf_value *value, double fallback)
{
    return value && google_protobuf_value_has_number_value(value) ? value->number_value : fallback;
}

static inline bool grpcc_value_bool(const struct google_protobuf_value *value, bool fallback)
{
    return value && google_protobuf_value_has_bool_value(value) ? value->bool_value != 0 : fallback;
}

GRPCC_MUST_CHECK static inline struct google_protobuf_string_value *
grpcc_string_value_new(struct grpcc_arena *arena, const char *text)
{
    struct google_protobuf_string_value *wrapper = google_protobuf_string_value_new(arena);
    if (wrapper)
        google_protobuf_string_value_set_value(wrapper, text);
    return wrapper;
}

GRPCC_MUST_CHECK static inline struct google_protobuf_int64_value *
grpcc_int64_value_new(struct grpcc_arena *arena, int64_t number)
{
    struct google_protobuf_int64_value *wrapper = google_protobuf_int64_value_new(arena);
    if (wrapper)
        wrapper->value = number;
    return wrapper;
}

GRPCC_MUST_CHECK static inline struct google_protobuf_bool_value *
grpcc_bool_value_new(struct grpcc_arena *arena, bool yes)
{
    struct google_protobuf_bool_value *wrapper = google_protobuf_bool_value_new(arena);
    if (wrapper)
        wrapper->value = yes;
    return wrapper;
}

#ifdef __cplusplus
}
#endif

#endif
