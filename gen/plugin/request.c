/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/plugin/request.h"

#include <string.h>

#include "gen/plugin/map.h"
#include "gen/plugin/pool.h"

/* protoc refuses messages that are nested more than 32 deep. */
enum { NESTED_MAX = 32 };

typedef Google__Protobuf__FieldDescriptorProto field_type;
typedef Google__Protobuf__DescriptorProto message_type;
typedef Google__Protobuf__EnumDescriptorProto enum_type;
typedef Google__Protobuf__FileDescriptorProto file_type;

#define TYPE(name) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_##name

/* What a full name stands for. */
static char is_message, is_enum;

struct checker {
    struct pool pool;
    struct map types; /* ".pkg.v1.Node" -> &is_message or &is_enum */
    struct errors *errors;
    const char *file;
};

/* False, to be returned. */
static bool fault(struct checker *checker, const char *what, const char *name)
{
    errors_add(checker->errors, checker->file, 0, "%s%s%s: protoc writes no such request", what,
               name ? " " : "", name ? name : "");
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_identifier(const char *name)
{
    if (!name || !is_letter(*name))
        return false;
    while (is_letter(*name) || (*name >= '0' && *name <= '9'))
        name++;
    return *name == '\0';
}

/* Identifiers with dots between them. */
static bool is_package(const char *name)
{
    for (bool begins = true; *name; name++) {
        if (begins ? !is_letter(*name)
                   : !is_letter(*name) && *name != '.' && !(*name >= '0' && *name <= '9'))
            return false;
        begins = *name == '.';
        if (begins && !name[1])
            return false;
    }
    return true;
}

/* ---- names: all types of the run are known before any is looked up ---- */

static bool add_type(struct checker *checker, const char *scope, const char *name, void *kind,
                     const char **ret_full)
{
    if (!is_identifier(name))
        return fault(checker, "a type that has no name below", scope);
    *ret_full = pool_printf(&checker->pool, "%s.%s", scope, name);
    if (map_get(&checker->types, *ret_full))
        return fault(checker, "two types called", *ret_full);
    map_put(&checker->types, *ret_full, kind);
    return true;
}

static bool add_enum(struct checker *checker, const char *scope, const enum_type *proto)
{
    const char *full;

    if (!add_type(checker, scope, proto->name, &is_enum, &full))
        return false;
    if (proto->n_value == 0)
        return fault(checker, "an enum without values:", full);
    for (size_t i = 0; i < proto->n_value; i++) {
        if (!is_identifier(proto->value[i]->name))
            return fault(checker, "a value that has no name in", full);
    }
    return true;
}

static bool add_message(struct checker *checker, const char *scope, const message_type *proto,
                        unsigned depth)
{
    const char *full;

    if (!add_type(checker, scope, proto->name, &is_message, &full))
        return false;
    if (depth > NESTED_MAX)
        return fault(checker, "messages in each other, too many, to", proto->name);
    for (size_t i = 0; i < proto->n_enum_type; i++) {
        if (!add_enum(checker, full, proto->enum_type[i]))
            return false;
    }
    for (size_t i = 0; i < proto->n_nested_type; i++) {
        if (!add_message(checker, full, proto->nested_type[i], depth + 1))
            return false;
    }
    return true;
}

static bool add_file(struct checker *checker, const file_type *proto)
{
    const char *scope = "";

    if (!proto->name || !*proto->name)
        return fault(checker, "a file without a name", NULL);
    checker->file = proto->name;
    if (proto->package && !is_package(proto->package))
        return fault(checker, "package", proto->package);
    if (proto->package && *proto->package)
        scope = pool_printf(&checker->pool, ".%s", proto->package);
    for (size_t i = 0; i < proto->n_enum_type; i++) {
        if (!add_enum(checker, scope, proto->enum_type[i]))
            return false;
    }
    for (size_t i = 0; i < proto->n_message_type; i++) {
        if (!add_message(checker, scope, proto->message_type[i], 1))
            return false;
    }
    return true;
}

/* ---- what refers to types, and all else ---- */

static bool refers_to(const struct checker *checker, const char *name, const void *kind)
{
    return name && map_get(&checker->types, name) == kind;
}

static bool check_field(struct checker *checker, const message_type *message,
                        const field_type *proto)
{
    bool number = proto->has_number && proto->number > 0;

    if (!is_identifier(proto->name))
        return fault(checker, "a field that has no name in", message->name);
    if (!number || !proto->has_label || !proto->has_type || proto->type < TYPE(DOUBLE) ||
        proto->type > TYPE(SINT64))
        return fault(checker, "a field without number, label or type:", proto->name);
    if ((proto->type == TYPE(MESSAGE) || proto->type == TYPE(GROUP)) &&
        !refers_to(checker, proto->type_name, &is_message))
        return fault(checker, "no message is the type of field", proto->name);
    if (proto->type == TYPE(ENUM) && !refers_to(checker, proto->type_name, &is_enum))
        return fault(checker, "no enum is the type of field", proto->name);
    if (proto->has_oneof_index &&
        (proto->oneof_index < 0 || (size_t)proto->oneof_index >= message->n_oneof_decl))
        return fault(checker, "no such oneof for field", proto->name);
    return true;
}

/* The oneofs that proto3's optional fields are in come last, one for each. */
static bool check_oneofs(struct checker *checker, const message_type *proto)
{
    size_t synthetic = 0, first;

    for (size_t i = 0; i < proto->n_field; i++)
        synthetic += proto->field[i]->proto3_optional ? 1 : 0;
    if (synthetic > proto->n_oneof_decl)
        return fault(checker, "optional fields without their oneofs in", proto->name);
    first = proto->n_oneof_decl - synthetic;
    for (size_t i = 0; i < proto->n_oneof_decl; i++) {
        if (!is_identifier(proto->oneof_decl[i]->name))
            return fault(checker, "a oneof that has no name in", proto->name);
    }
    for (size_t i = 0; i < proto->n_field; i++) {
        const field_type *field = proto->field[i];
        bool last = field->has_oneof_index && (size_t)field->oneof_index >= first;

        if (last != (field->proto3_optional != 0))
            return fault(checker, "an optional field in the wrong oneof:", field->name);
    }
    return true;
}

static bool check_extensions(struct checker *checker, field_type *const *extensions, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_identifier(extensions[i]->name) || !extensions[i]->extendee ||
            extensions[i]->extendee[0] != '.')
            return fault(checker, "an extension of nothing", NULL);
    }
    return true;
}

static bool check_message(struct checker *checker, const message_type *proto)
{
    for (size_t i = 0; i < proto->n_field; i++) {
        if (!check_field(checker, proto, proto->field[i]))
            return false;
    }
    if (proto->options && proto->options->map_entry &&
        (proto->n_field != 2 || strcmp(proto->field[0]->name, "key") != 0 ||
         strcmp(proto->field[1]->name, "value") != 0))
        return fault(checker, "not an entry of a map:", proto->name);
    if (!check_oneofs(checker, proto) ||
        !check_extensions(checker, proto->extension, proto->n_extension))
        return false;
    for (size_t i = 0; i < proto->n_nested_type; i++) {
        if (!check_message(checker, proto->nested_type[i]))
            return false;
    }
    return true;
}

static bool check_service(struct checker *checker,
                          const Google__Protobuf__ServiceDescriptorProto *proto)
{
    if (!is_identifier(proto->name))
        return fault(checker, "a service that has no name", NULL);
    for (size_t i = 0; i < proto->n_method; i++) {
        if (!is_identifier(proto->method[i]->name))
            return fault(checker, "a method that has no name in", proto->name);
        if (!refers_to(checker, proto->method[i]->input_type, &is_message) ||
            !refers_to(checker, proto->method[i]->output_type, &is_message))
            return fault(checker, "no message is the request or response of",
                         proto->method[i]->name);
    }
    return true;
}

static bool check_file(struct checker *checker, const file_type *proto)
{
    checker->file = proto->name;
    for (size_t i = 0; i < proto->n_message_type; i++) {
        if (!check_message(checker, proto->message_type[i]))
            return false;
    }
    for (size_t i = 0; i < proto->n_service; i++) {
        if (!check_service(checker, proto->service[i]))
            return false;
    }
    return check_extensions(checker, proto->extension, proto->n_extension);
}

bool request_check(const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                   struct errors *errors)
{
    struct checker checker = {.errors = errors};
    bool sound = true;

    for (size_t i = 0; sound && i < request->n_proto_file; i++)
        sound = add_file(&checker, request->proto_file[i]);
    for (size_t i = 0; sound && i < request->n_proto_file; i++)
        sound = check_file(&checker, request->proto_file[i]);
    map_done(&checker.types);
    pool_done(&checker.pool);
    return sound;
}
