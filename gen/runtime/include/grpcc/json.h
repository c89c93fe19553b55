/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages from JSON and to JSON, by their descriptors, as proto3 maps them
 * (https://protobuf.dev/programming-guides/json/). In a library of its own, //gen/runtime:json,
 * because it stands on libjansson.
 *
 * Read: field names in lowerCamelCase, as `json_name` says or as in the .proto; 64 bits as text or
 * as numbers; bytes in both alphabets of base64, padded or not; enums by name or number; null as
 * absent. Written: lowerCamelCase, 64 bits as text, base64 with padding, enums by name, only fields
 * that are set. Timestamp, Duration, FieldMask, Struct, Value, ListValue, the wrappers and Any have
 * their own forms both ways.
 *
 * Refused, always: a name that comes twice, in either form; two members of one oneof; null in a
 * list; text that is not UTF-8 or has a NUL; numbers that do not fit; an integer above 2^63 - 1
 * that is not in quotes (JSON readers round it); a required field of proto2 that is missing.
 */
#ifndef GRPCC_JSON_H
#define GRPCC_JSON_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "grpcc/arena.h"
#include "grpcc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero in a member: the default in brackets. */
struct grpcc_json_options {
    size_t size;         /* sizeof(struct grpcc_json_options): lets the struct grow */
    bool ignore_unknown; /* reading: skip fields and names of enums that the type does not have
                            [refuse them] */
    bool proto_names;    /* writing: names as in the .proto [lowerCamelCase] */
    bool with_defaults;  /* writing: fields without presence also where they are at their default
                            [leave them out] */
    bool indent;         /* writing: over several lines [compact] */
    unsigned depth_max;  /* messages, lists and maps in each other [100] */
    size_t text_max;     /* reading: bytes of text [4 MiB]; libjansson needs up to 50 times as much
                            while it reads */
    /* What a google.protobuf.Any may hold. One of another type is {"@type": its URL, "value": its
     * bytes in base64}, both ways. */
    const ProtobufCMessageDescriptor *const *types;
    size_t n_types;
};

/*
 * Decodes length bytes of text. NULL options: the defaults. *ret_message lives in arena and is
 * untouched on failure. Errors: INVALID_ARGUMENT with the path of the field ("a.list[3].name: not a
 * number") or the line of the fault, RESOURCE_EXHAUSTED where arena is full or the text too long.
 * Threads: any.
 */
enum grpcc_status grpcc_json_decode(struct grpcc_arena *arena,
                                    const ProtobufCMessageDescriptor *descriptor,
                                    const struct grpcc_json_options *options, const char *text,
                                    size_t length, void **ret_message,
                                    struct grpcc_error *err) GRPCC_MUST_CHECK;

/*
 * message as text that ends with a NUL, in arena; *ret_length (NULL is fine) does not count it.
 * Errors: INVALID_ARGUMENT where message cannot be said in JSON (text that is not UTF-8, a time out
 * of range, nested too deeply), RESOURCE_EXHAUSTED without memory. Threads: any.
 */
enum grpcc_status grpcc_json_encode(struct grpcc_arena *arena, const ProtobufCMessage *message,
                                    const struct grpcc_json_options *options, char **ret_text,
                                    size_t *ret_length, struct grpcc_error *err) GRPCC_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
