/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The .proto files of one run as the emitters want them: types resolved, C names chosen, presence
 * decided, comments and lines attached. Everything lives in the pool given to model_build() and
 * points into the request.
 */
#ifndef GEN_PLUGIN_MODEL_H
#define GEN_PLUGIN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gen/plugin/errors.h"
#include "gen/plugin/map.h"
#include "gen/plugin/pool.h"
#include "gen/plugin/source.h"
#include "google/protobuf/compiler/plugin.pb-c.h"

enum model_kind {
    MODEL_INT32, /* and sint32, sfixed32 */
    MODEL_INT64,
    MODEL_UINT32,
    MODEL_UINT64,
    MODEL_FLOAT,
    MODEL_DOUBLE,
    MODEL_BOOL,
    MODEL_ENUM,
    MODEL_STRING,
    MODEL_BYTES,
    MODEL_MESSAGE
};

/* How a field tells "absent" from "default", and so what its members are. */
enum model_presence {
    MODEL_IMPLICIT, /* T x; absent is the default value */
    MODEL_REQUIRED, /* T x; proto2 */
    MODEL_HAS,      /* protobuf_c_boolean has_x; T x; */
    MODEL_POINTER,  /* T *x; strings and messages with presence: NULL is absent */
    MODEL_REPEATED, /* size_t n_x; T *x; */
    MODEL_ONEOF     /* in the union of its oneof, told by the case */
};

struct model_field {
    const char *name;   /* as in the .proto */
    const char *member; /* as in C */
    int32_t number;
    enum model_kind kind;
    const char *c_type;          /* of one value, "int32_t", "char *", "struct pkg_v1_node *" */
    const char *descriptor_type; /* "PROTOBUF_C_TYPE_SINT32" */
    enum model_presence presence;
    const struct model_message *message; /* MODEL_MESSAGE */
    const struct model_enum *enumeration;
    struct model_oneof *oneof; /* MODEL_ONEOF */
    const Google__Protobuf__FieldDescriptorProto *proto;
    bool packed;
    bool deprecated;
    struct source_place place;
};

struct model_oneof {
    const char *name;
    const char *member_case; /* "which_case" */
    const char *c_enum;      /* "pkg_v1_msg_which_case" */
    const char *c_prefix;    /* "PKG_V1_MSG_WHICH" */
    struct model_field **fields;
    size_t n_fields;
    struct source_place place;
};

struct model_message {
    const struct model_file *file;
    const char *name;           /* "Inner" */
    const char *full_name;      /* "pkg.v1.Outer.Inner" */
    const char *c_name;         /* "pkg_v1_outer_inner" */
    struct model_field *fields; /* in the order of the .proto */
    size_t n_fields;
    struct model_oneof *oneofs; /* less the synthetic ones of proto3 optional */
    size_t n_oneofs;
    bool is_map_entry;
    const Google__Protobuf__DescriptorProto *proto;
    struct source_path path;
    struct source_place place;
};

struct model_value {
    const char *name;
    const char *c_name;
    int32_t number;
    struct source_place place;
};

struct model_enum {
    const struct model_file *file;
    const char *name;
    const char *full_name;
    const char *c_name;
    const char *scope; /* full name of what encloses it: a package or a message; its values are
                          named in there */
    struct model_value *values;
    size_t n_values;
    struct source_place place;
};

struct model_method {
    const char *name;
    const char *c_name; /* "pkg_v1_tree_stat" */
    const char *slot;   /* "stat" */
    const struct model_message *request;
    const struct model_message *response;
    bool client_streaming;
    bool server_streaming;
    const Google__Protobuf__MethodOptions *options; /* NULL: none */
    struct source_place place;
};

struct model_service {
    const struct model_file *file;
    const char *name;
    const char *full_name;
    const char *c_name;
    struct model_method *methods;
    size_t n_methods;
    struct source_place place;
};

struct model_file {
    const char *name;    /* "comb/v1/tree.proto" */
    const char *package; /* "" without one */
    const char *c_name;  /* "comb_v1_tree" */
    bool proto3;
    bool generate;
    struct model_file **imports;
    size_t n_imports;
    struct model_message **messages; /* nested ones too, each after what encloses it */
    size_t n_messages;
    struct model_enum **enums;
    size_t n_enums;
    struct model_service *services;
    size_t n_services;
    const Google__Protobuf__FileDescriptorProto *proto;
    struct source source;
};

struct model {
    struct pool *pool;
    struct errors *errors;
    struct model_file *files; /* in protoc's order: imports first */
    size_t n_files;
    struct map types; /* ".pkg.v1.Node" -> struct model_message or struct model_enum */
};

/* What the model cannot express is reported in errors, for the files that are to be generated. */
void model_build(struct model *model, struct pool *pool, struct errors *errors,
                 const Google__Protobuf__Compiler__CodeGeneratorRequest *request);
void model_done(struct model *model);

/* NULL: no such file in this run. */
struct model_file *model_file_by_name(const struct model *model, const char *name);

#endif
