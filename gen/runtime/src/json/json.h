/* SPDX-License-Identifier: Apache-2.0 */
/* What json_decode.c, json_encode.c and json_known.c share. */
#ifndef GRPCC_SRC_JSON_H
#define GRPCC_SRC_JSON_H

#include <jansson.h>

#include "grpcc/json.h"

/* Where in the value one is: an element of the list or the member `name` of what parent holds. */
struct grpcc_json_place {
    const struct grpcc_json_place *parent;
    const char *name; /* NULL: the element `index` */
    size_t index;
};

/* One reading or writing. */
struct grpcc_json {
    struct grpcc_json_options options;
    struct grpcc_arena *arena;
    struct grpcc_error *err;
    unsigned depth;           /* of the value at hand */
    enum grpcc_status status; /* why there is no value, once there is none */
};

/* ---- json.c ---- */

void grpcc_json_init(struct grpcc_json *json, const struct grpcc_json_options *options,
                     struct grpcc_arena *arena, struct grpcc_error *err);
/* Notes why it fails, with the path of place; false, to be returned. */
bool grpcc_json_fail(struct grpcc_json *json, const struct grpcc_json_place *place,
                     const char *format, ...) GRPCC_FORMAT(3, 4);
bool grpcc_json_no_memory(struct grpcc_json *json);
/* One level deeper; false: too deep. */
bool grpcc_json_enter(struct grpcc_json *json,
                      const struct grpcc_json_place *place) GRPCC_MUST_CHECK;
void grpcc_json_leave(struct grpcc_json *json);

/* Bytes of one value of that field's type. */
size_t grpcc_json_value_size(const ProtobufCFieldDescriptor *field);
/* The field's name in JSON; in arena where it has to be made. NULL: no memory. */
const char *grpcc_json_field_name(struct grpcc_json *json,
                                  const ProtobufCFieldDescriptor *field) GRPCC_MUST_CHECK;
/* Whether key is a name of that field, in any form. */
bool grpcc_json_is_named(const ProtobufCFieldDescriptor *field, const char *key);
/* lowerCamelCase of a name of a .proto. NULL: no memory. */
char *grpcc_json_camel(struct grpcc_arena *arena, const char *name) GRPCC_MUST_CHECK;
/* The type whose full name follows the last '/' of url; NULL: none of options.types. */
const ProtobufCMessageDescriptor *grpcc_json_type(const struct grpcc_json *json, const char *url);

/* ---- json_base64.c ---- */

/* NULL: no memory. */
char *grpcc_base64_encode(struct grpcc_arena *arena,
                          const ProtobufCBinaryData *bytes) GRPCC_MUST_CHECK;
/* False: not base64; *ret_bytes with data NULL where there is no memory. Empty text is 0 bytes. */
bool grpcc_base64_decode(struct grpcc_arena *arena, const char *text, size_t length,
                         ProtobufCBinaryData *ret_bytes) GRPCC_MUST_CHECK;

/* ---- json_decode.c ---- */

/* The members of a JSON object but `skip` (NULL: none) as fields of message. */
bool grpcc_json_read_fields(struct grpcc_json *json, const struct grpcc_json_place *place,
                            const json_t *object, const char *skip, ProtobufCMessage *message);
bool grpcc_json_read_message(struct grpcc_json *json, const struct grpcc_json_place *place,
                             const json_t *value, ProtobufCMessage *message);
/* value as one value of the field's type at `at`; the field's presence is the caller's matter. */
bool grpcc_json_read_value(struct grpcc_json *json, const struct grpcc_json_place *place,
                           const ProtobufCFieldDescriptor *field, const json_t *value, void *at);
/* value as the field of message, presence too. */
bool grpcc_json_read_field(struct grpcc_json *json, const struct grpcc_json_place *place,
                           const ProtobufCFieldDescriptor *field, const json_t *value,
                           ProtobufCMessage *message);

/* ---- json_encode.c: each NULL on failure ---- */

json_t *grpcc_json_write_message(struct grpcc_json *json, const struct grpcc_json_place *place,
                                 const ProtobufCMessage *message);
json_t *grpcc_json_write_fields(struct grpcc_json *json, const struct grpcc_json_place *place,
                                const ProtobufCMessage *message);
json_t *grpcc_json_write_value(struct grpcc_json *json, const struct grpcc_json_place *place,
                               const ProtobufCFieldDescriptor *field, const void *at);
/* A repeated field or a map, also where it is empty. */
json_t *grpcc_json_write_repeated(struct grpcc_json *json, const struct grpcc_json_place *place,
                                  const ProtobufCFieldDescriptor *field,
                                  const ProtobufCMessage *message);
bool grpcc_json_is_present(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message);

/* ---- json_known.c: Google's well-known types ---- */

/* The form of one type; found by name, so that it fits whoever generated the type. */
struct grpcc_json_known {
    const char *name;
    bool (*read)(struct grpcc_json *json, const struct grpcc_json_place *place, const json_t *value,
                 ProtobufCMessage *message);
    json_t *(*write)(struct grpcc_json *json, const struct grpcc_json_place *place,
                     const ProtobufCMessage *message);
};
/* NULL: it has no form of its own. */
const struct grpcc_json_known *grpcc_json_known(const ProtobufCMessageDescriptor *descriptor);
/* Whether null is a value of the field's type (Value, NullValue). */
bool grpcc_json_takes_null(const ProtobufCFieldDescriptor *field);

/* ---- json_time.c ---- */

/* RFC 3339 and seconds with a fraction and an "s", between text and {seconds, nanos}. */
bool grpcc_json_time_read(const char *text, int64_t *ret_seconds,
                          int32_t *ret_nanos) GRPCC_MUST_CHECK;
bool grpcc_json_duration_read(const char *text, int64_t *ret_seconds,
                              int32_t *ret_nanos) GRPCC_MUST_CHECK;
/* False: out of range. */
enum { GRPCC_JSON_TIME_SIZE = 40 };
bool grpcc_json_time_write(int64_t seconds, int32_t nanos,
                           char ret_text[GRPCC_JSON_TIME_SIZE]) GRPCC_MUST_CHECK;
bool grpcc_json_duration_write(int64_t seconds, int32_t nanos,
                               char ret_text[GRPCC_JSON_TIME_SIZE]) GRPCC_MUST_CHECK;

#endif
