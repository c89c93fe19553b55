/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/plugin/model_field.h"

#include <string.h>

#include "gen/plugin/names.h"

#define TYPE(name) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_##name

struct scalar {
    enum model_kind kind;
    const char *c_type;          /* NULL: made from the type's name */
    const char *descriptor_type; /* NULL: not supported */
};

/* By the number of FieldDescriptorProto.Type. */
static const struct scalar scalars[] = {
    [TYPE(DOUBLE)] = {MODEL_DOUBLE, "double", "PROTOBUF_C_TYPE_DOUBLE"},
    [TYPE(FLOAT)] = {MODEL_FLOAT, "float", "PROTOBUF_C_TYPE_FLOAT"},
    [TYPE(INT64)] = {MODEL_INT64, "int64_t", "PROTOBUF_C_TYPE_INT64"},
    [TYPE(UINT64)] = {MODEL_UINT64, "uint64_t", "PROTOBUF_C_TYPE_UINT64"},
    [TYPE(INT32)] = {MODEL_INT32, "int32_t", "PROTOBUF_C_TYPE_INT32"},
    [TYPE(FIXED64)] = {MODEL_UINT64, "uint64_t", "PROTOBUF_C_TYPE_FIXED64"},
    [TYPE(FIXED32)] = {MODEL_UINT32, "uint32_t", "PROTOBUF_C_TYPE_FIXED32"},
    [TYPE(BOOL)] = {MODEL_BOOL, "protobuf_c_boolean", "PROTOBUF_C_TYPE_BOOL"},
    [TYPE(STRING)] = {MODEL_STRING, "char *", "PROTOBUF_C_TYPE_STRING"},
    [TYPE(MESSAGE)] = {MODEL_MESSAGE, NULL, "PROTOBUF_C_TYPE_MESSAGE"},
    [TYPE(BYTES)] = {MODEL_BYTES, "ProtobufCBinaryData", "PROTOBUF_C_TYPE_BYTES"},
    [TYPE(UINT32)] = {MODEL_UINT32, "uint32_t", "PROTOBUF_C_TYPE_UINT32"},
    [TYPE(ENUM)] = {MODEL_ENUM, NULL, "PROTOBUF_C_TYPE_ENUM"},
    [TYPE(SFIXED32)] = {MODEL_INT32, "int32_t", "PROTOBUF_C_TYPE_SFIXED32"},
    [TYPE(SFIXED64)] = {MODEL_INT64, "int64_t", "PROTOBUF_C_TYPE_SFIXED64"},
    [TYPE(SINT32)] = {MODEL_INT32, "int32_t", "PROTOBUF_C_TYPE_SINT32"},
    [TYPE(SINT64)] = {MODEL_INT64, "int64_t", "PROTOBUF_C_TYPE_SINT64"},
};

static void set_type(struct model *model, const struct model_message *message,
                     struct model_field *field)
{
    const Google__Protobuf__FieldDescriptorProto *proto = field->proto;
    size_t number = (size_t)proto->type;
    const struct scalar *scalar =
        number < sizeof(scalars) / sizeof(scalars[0]) ? &scalars[number] : NULL;

    if (!scalar || !scalar->descriptor_type) {
        if (message->file->generate)
            errors_add(model->errors, message->file->name, field->place.line,
                       "%s.%s: groups are not supported; use a message field", message->full_name,
                       proto->name);
        scalar = &scalars[TYPE(MESSAGE)];
    }
    field->kind = scalar->kind;
    field->c_type = scalar->c_type;
    field->descriptor_type = scalar->descriptor_type;
    if (field->kind == MODEL_MESSAGE) {
        field->message = map_get(&model->types, proto->type_name);
        field->c_type = pool_printf(model->pool, "struct %s *", field->message->c_name);
    } else if (field->kind == MODEL_ENUM) {
        field->enumeration = map_get(&model->types, proto->type_name);
        field->c_type = pool_printf(model->pool, "enum %s", field->enumeration->c_name);
    }
}

static enum model_presence presence_of(const struct model_message *message,
                                       const struct model_field *field)
{
    const Google__Protobuf__FieldDescriptorProto *proto = field->proto;
    bool pointer = field->kind == MODEL_MESSAGE || field->kind == MODEL_STRING;

    if (proto->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED)
        return MODEL_REPEATED;
    if (proto->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REQUIRED)
        return MODEL_REQUIRED;
    if (proto->has_oneof_index && !proto->proto3_optional)
        return MODEL_ONEOF;
    if (field->kind == MODEL_MESSAGE)
        return MODEL_POINTER;
    /* The entries of a map have a key and a value in proto2 too. */
    if (message->is_map_entry || (message->file->proto3 && !proto->proto3_optional))
        return MODEL_IMPLICIT;
    return pointer ? MODEL_POINTER : MODEL_HAS;
}

static bool is_packed(const struct model_message *message, const struct model_field *field)
{
    const Google__Protobuf__FieldOptions *options = field->proto->options;

    if (field->presence != MODEL_REPEATED || field->kind >= MODEL_STRING)
        return false;
    return options && options->has_packed ? options->packed : message->file->proto3;
}

void model_field_build(struct model *model, const struct model_message *message,
                       struct model_field *field,
                       const Google__Protobuf__FieldDescriptorProto *proto)
{
    field->name = proto->name;
    field->member =
        strcmp(proto->name, "base") == 0 ? "base_" : names_safe(model->pool, proto->name);
    field->number = proto->number;
    field->proto = proto;
    set_type(model, message, field);
    field->presence = presence_of(message, field);
    field->packed = is_packed(message, field);
    field->deprecated = proto->options && proto->options->deprecated;
    if (field->presence == MODEL_ONEOF) {
        field->oneof = &message->oneofs[proto->oneof_index];
        field->oneof->fields[field->oneof->n_fields++] = field;
    }
}
