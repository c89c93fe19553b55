/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/plugin/model.h"

#include <string.h>

#include "gen/plugin/model_field.h"
#include "gen/plugin/names.h"

/* Field numbers of descriptor.proto, as the paths of SourceCodeInfo use them. */
enum {
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6,
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUM = 4,
    MESSAGE_ONEOF = 8,
    ENUM_VALUE = 2,
    SERVICE_METHOD = 2
};

/* "a.b" + "C" -> "a.b.C"; "" + "C" -> "C". */
static const char *qualify(struct model *model, const char *scope, const char *name)
{
    return *scope ? pool_printf(model->pool, "%s.%s", scope, name) : name;
}

static void add_type(struct model *model, const char *full_name, void *type)
{
    map_put(&model->types, pool_printf(model->pool, ".%s", full_name), type);
}

static void build_enum(struct model *model, struct model_file *file, const char *scope,
                       const Google__Protobuf__EnumDescriptorProto *proto,
                       const struct source_path *path)
{
    struct model_enum *e = pool_alloc(model->pool, sizeof(*e));
    const char *prefix = names_upper(model->pool, names_snake(model->pool, scope));

    e->file = file;
    e->name = proto->name;
    e->scope = scope;
    e->full_name = qualify(model, scope, proto->name);
    e->c_name = names_c(model->pool, e->full_name);
    e->place = source_find(&file->source, model->pool, path);
    e->n_values = proto->n_value;
    e->values = pool_array(model->pool, e->n_values, sizeof(*e->values));
    for (size_t i = 0; i < e->n_values; i++) {
        struct source_path value_path = source_step(path, ENUM_VALUE, i);
        struct model_value *value = &e->values[i];

        value->name = proto->value[i]->name;
        value->number = proto->value[i]->number;
        value->c_name = *prefix ? pool_printf(model->pool, "%s_%s", prefix, value->name)
                                : names_safe(model->pool, value->name);
        value->place = source_find(&file->source, model->pool, &value_path);
    }
    file->enums[file->n_enums++] = e;
    add_type(model, e->full_name, e);
}

/* Names of the message and of what is nested in it; its fields come when all types of the run are
 * known. */
static void build_message(struct model *model, struct model_file *file, const char *scope,
                          const Google__Protobuf__DescriptorProto *proto,
                          const struct source_path *path)
{
    struct model_message *m = pool_alloc(model->pool, sizeof(*m));

    m->file = file;
    m->name = proto->name;
    m->full_name = qualify(model, scope, proto->name);
    m->c_name = names_c(model->pool, m->full_name);
    m->is_map_entry = proto->options && proto->options->map_entry;
    m->proto = proto;
    m->path = *path;
    m->place = source_find(&file->source, model->pool, path);
    file->messages[file->n_messages++] = m;
    add_type(model, m->full_name, m);
    for (size_t i = 0; i < proto->n_enum_type; i++) {
        struct source_path enum_path = source_step(path, MESSAGE_ENUM, i);

        build_enum(model, file, m->full_name, proto->enum_type[i], &enum_path);
    }
    for (size_t i = 0; i < proto->n_nested_type; i++) {
        struct source_path nested = source_step(path, MESSAGE_NESTED, i);

        build_message(model, file, m->full_name, proto->nested_type[i], &nested);
    }
}

static void count_nested(const Google__Protobuf__DescriptorProto *proto, size_t *messages,
                         size_t *enums)
{
    *messages += 1;
    *enums += proto->n_enum_type;
    for (size_t i = 0; i < proto->n_nested_type; i++)
        count_nested(proto->nested_type[i], messages, enums);
}

static void build_types(struct model *model, struct model_file *file)
{
    const Google__Protobuf__FileDescriptorProto *proto = file->proto;
    size_t messages = 0, enums = proto->n_enum_type;
    struct source_path root = {.n = 0};

    for (size_t i = 0; i < proto->n_message_type; i++)
        count_nested(proto->message_type[i], &messages, &enums);
    file->messages = pool_array(model->pool, messages, sizeof(*file->messages));
    file->enums = pool_array(model->pool, enums, sizeof(*file->enums));
    for (size_t i = 0; i < proto->n_enum_type; i++) {
        struct source_path path = source_step(&root, FILE_ENUM, i);

        build_enum(model, file, file->package, proto->enum_type[i], &path);
    }
    for (size_t i = 0; i < proto->n_message_type; i++) {
        struct source_path path = source_step(&root, FILE_MESSAGE, i);

        build_message(model, file, file->package, proto->message_type[i], &path);
    }
}

static void build_oneofs(struct model *model, struct model_message *m)
{
    const Google__Protobuf__DescriptorProto *proto = m->proto;
    const char *base = names_snake(model->pool, m->full_name);

    /* protoc puts the synthetic oneofs of proto3 optional fields behind the real ones. */
    m->n_oneofs = proto->n_oneof_decl;
    for (size_t i = 0; i < proto->n_field; i++)
        m->n_oneofs -= proto->field[i]->proto3_optional ? 1 : 0;
    m->oneofs = pool_array(model->pool, m->n_oneofs, sizeof(*m->oneofs));
    for (size_t i = 0; i < m->n_oneofs; i++) {
        struct model_oneof *oneof = &m->oneofs[i];
        struct source_path path = source_step(&m->path, MESSAGE_ONEOF, i);

        oneof->name = proto->oneof_decl[i]->name;
        oneof->member_case = pool_printf(model->pool, "%s_case", oneof->name);
        oneof->c_enum =
            pool_printf(model->pool, "%s_%s_case", base, names_snake(model->pool, oneof->name));
        oneof->c_prefix =
            names_upper(model->pool, pool_printf(model->pool, "%s_%s", base, oneof->name));
        oneof->fields = pool_array(model->pool, proto->n_field, sizeof(*oneof->fields));
        oneof->place = source_find(&m->file->source, model->pool, &path);
    }
}

static void build_fields(struct model *model, struct model_message *m)
{
    build_oneofs(model, m);
    m->n_fields = m->proto->n_field;
    m->fields = pool_array(model->pool, m->n_fields, sizeof(*m->fields));
    for (size_t i = 0; i < m->n_fields; i++) {
        struct source_path path = source_step(&m->path, MESSAGE_FIELD, i);
        struct model_field *field = &m->fields[i];

        field->place = source_find(&m->file->source, model->pool, &path);
        model_field_build(model, m, field, m->proto->field[i]);
    }
}

/* What the service itself has functions, objects and types for, so that a method cannot. */
static bool is_taken_by_service(const char *method)
{
    static const char *const taken[] = {"methods", "register", "server", "service"};

    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (strcmp(method, taken[i]) == 0)
            return true;
    }
    return false;
}

static void build_method(struct model *model, const struct model_service *service,
                         struct model_method *method,
                         const Google__Protobuf__MethodDescriptorProto *proto)
{
    const char *name = names_snake(model->pool, proto->name);

    method->name = proto->name;
    method->c_name = pool_printf(model->pool, "%s_%s%s", service->c_name, name,
                                 is_taken_by_service(name) ? "_rpc" : "");
    method->slot = names_safe(model->pool, name);
    method->request = map_get(&model->types, proto->input_type);
    method->response = map_get(&model->types, proto->output_type);
    method->client_streaming = proto->client_streaming;
    method->server_streaming = proto->server_streaming;
    method->options = proto->options;
}

static void build_services(struct model *model, struct model_file *file)
{
    const Google__Protobuf__FileDescriptorProto *proto = file->proto;
    struct source_path root = {.n = 0};

    file->n_services = proto->n_service;
    file->services = pool_array(model->pool, file->n_services, sizeof(*file->services));
    for (size_t i = 0; i < file->n_services; i++) {
        struct model_service *service = &file->services[i];
        struct source_path path = source_step(&root, FILE_SERVICE, i);

        service->file = file;
        service->name = proto->service[i]->name;
        service->full_name = qualify(model, file->package, service->name);
        service->c_name = names_c(model->pool, service->full_name);
        service->place = source_find(&file->source, model->pool, &path);
        service->n_methods = proto->service[i]->n_method;
        service->methods = pool_array(model->pool, service->n_methods, sizeof(*service->methods));
        for (size_t j = 0; j < service->n_methods; j++) {
            struct source_path method_path = source_step(&path, SERVICE_METHOD, j);

            service->methods[j].place = source_find(&file->source, model->pool, &method_path);
            build_method(model, service, &service->methods[j], proto->service[i]->method[j]);
        }
    }
}

static void build_file(struct model *model, struct model_file *file,
                       const Google__Protobuf__FileDescriptorProto *proto)
{
    file->name = proto->name;
    file->package = proto->package ? proto->package : "";
    file->c_name = names_of_path(model->pool, proto->name);
    file->proto3 = proto->syntax && strcmp(proto->syntax, "proto3") == 0;
    file->proto = proto;
    source_init(&file->source, model->pool, proto->source_code_info);
    file->imports = pool_array(model->pool, proto->n_dependency, sizeof(*file->imports));
    for (size_t i = 0; i < proto->n_dependency; i++) {
        struct model_file *import = model_file_by_name(model, proto->dependency[i]);

        if (import)
            file->imports[file->n_imports++] = import;
    }
    build_types(model, file);
}

struct model_file *model_file_by_name(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->n_files; i++) {
        if (strcmp(model->files[i].name, name) == 0)
            return &model->files[i];
    }
    return NULL;
}

void model_build(struct model *model, struct pool *pool, struct errors *errors,
                 const Google__Protobuf__Compiler__CodeGeneratorRequest *request)
{
    memset(model, 0, sizeof(*model));
    model->pool = pool;
    model->errors = errors;
    model->files = pool_array(pool, request->n_proto_file, sizeof(*model->files));
    for (size_t i = 0; i < request->n_proto_file; i++) {
        build_file(model, &model->files[i], request->proto_file[i]);
        model->n_files++;
    }
    for (size_t i = 0; i < request->n_file_to_generate; i++) {
        struct model_file *file = model_file_by_name(model, request->file_to_generate[i]);

        if (file)
            file->generate = true;
    }
    for (size_t i = 0; i < model->n_files; i++) {
        for (size_t j = 0; j < model->files[i].n_messages; j++)
            build_fields(model, model->files[i].messages[j]);
        build_services(model, &model->files[i]);
    }
}

void model_done(struct model *model)
{
    map_done(&model->types);
}
