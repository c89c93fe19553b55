/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the generator knows of a file, a service and a method, as tables that generated code fills
 * and the runtime reads. All of it is const and lives as long as the program.
 */
#ifndef GRPCC_DESCRIPTOR_H
#define GRPCC_DESCRIPTOR_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/arena.h"
#include "grpcc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grpcc_file {
    const char *name;          /* "comb/v1/tree.proto", as imports spell it */
    const char *package;       /* "comb.v1" */
    const uint8_t *descriptor; /* the serialized FileDescriptorProto as protoc gave it
                                  (proto3_optional kept, no source info) */
    size_t descriptor_size;
    const struct grpcc_file *const *imports; /* NULL-terminated */
    /* Full names of all that reflection can be asked for: services, methods, messages, enums, enum
     * values, fields, extensions; sorted bytewise. */
    const char *const *symbols;
    size_t n_symbols;
};

enum grpcc_call_kind {
    GRPCC_UNARY = 0,
    GRPCC_CLIENT_STREAM = 1, /* many requests, one response */
    GRPCC_SERVER_STREAM = 2, /* one request, many responses */
    GRPCC_BIDI_STREAM = 3
};

struct grpcc_method {
    const char *name; /* "Stat" */
    const char *path; /* "/comb.v1.Tree/Stat" */
    enum grpcc_call_kind kind;
    const ProtobufCMessageDescriptor *request;
    const ProtobufCMessageDescriptor *response;
    /* The serialized MethodOptions, custom options among them; NULL and 0 for none. Repeated
     * occurrences of one option are to be merged by whoever reads it. */
    const uint8_t *options;
    size_t options_size;
};

struct grpcc_service {
    const char *name; /* "comb.v1.Tree" */
    const struct grpcc_file *file;
    const struct grpcc_method
        *methods; /* in the order of the .proto; a server table's slots have the same order */
    size_t n_methods;
};

/*
 * Finds the option with that field number among serialized options (a method's: method->options).
 * All occurrences are concatenated into arena, which is how protobuf merges a message: *ret_data
 * and *ret_size are what the option's own _unpack() wants, 0 bytes where it is not there.
 * INVALID_ARGUMENT: the options are malformed; RESOURCE_EXHAUSTED: no room.
 */
enum grpcc_status grpcc_option_find(struct grpcc_arena *arena, const void *options, size_t size,
                                    uint32_t field, const void **ret_data, size_t *ret_size,
                                    struct grpcc_error *err) GRPCC_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
