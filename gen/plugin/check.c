/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/plugin/check.h"

#include <string.h>

#define OPTIONS_PREFIX ".google.protobuf."
#define METHOD_OPTIONS ".google.protobuf.MethodOptions"

typedef const Google__Protobuf__FieldDescriptorProto *extension_ptr;

/* Custom options extend the options messages of descriptor.proto; nothing else may be extended. */
static void check_extensions(const struct model *model, const struct model_file *file,
                             Google__Protobuf__FieldDescriptorProto *const *extensions, size_t n,
                             const struct source_path *scope, int32_t step)
{
    for (size_t i = 0; i < n; i++) {
        struct source_path path = source_step(scope, step, i);
        struct source_place place = source_find(&file->source, model->pool, &path);

        if (strncmp(extensions[i]->extendee, OPTIONS_PREFIX, strlen(OPTIONS_PREFIX)) != 0)
            errors_add(model->errors, file->name, place.line,
                       "extension %s of %s: only the options of google.protobuf may be extended",
                       extensions[i]->name, extensions[i]->extendee + 1);
    }
}

static void check_file(const struct model *model, const struct model_file *file)
{
    enum { FILE_EXTENSION = 7, MESSAGE_EXTENSION = 6 };
    const struct source_path root = {.n = 0};
    const char *syntax = file->proto->syntax ? file->proto->syntax : "proto2";

    if (strcmp(syntax, "proto2") != 0 && strcmp(syntax, "proto3") != 0)
        errors_add(model->errors, file->name, 0,
                   "syntax %s is not supported; use syntax = \"proto3\"", syntax);
    check_extensions(model, file, file->proto->extension, file->proto->n_extension, &root,
                     FILE_EXTENSION);
    for (size_t i = 0; i < file->n_messages; i++)
        check_extensions(model, file, file->messages[i]->proto->extension,
                         file->messages[i]->proto->n_extension, &file->messages[i]->path,
                         MESSAGE_EXTENSION);
    for (size_t i = 0; i < file->n_services; i++) {
        if (file->services[i].n_methods == 0)
            errors_add(model->errors, file->name, file->services[i].place.line,
                       "service %s has no methods: its server table would be an empty struct",
                       file->services[i].full_name);
    }
}

void check_supported(const struct model *model)
{
    for (size_t i = 0; i < model->n_files; i++) {
        if (model->files[i].generate)
            check_file(model, &model->files[i]);
    }
}

/* Whether option is scope's full name, a dot, and name. */
static bool is_named(const char *option, const char *scope, const char *name)
{
    size_t length = strlen(scope);

    if (length > 0) {
        if (strncmp(option, scope, length) != 0 || option[length] != '.')
            return false;
        option += length + 1;
    }
    return strcmp(option, name) == 0;
}

static extension_ptr find_in(const char *option, const char *scope,
                             Google__Protobuf__FieldDescriptorProto *const *extensions, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (is_named(option, scope, extensions[i]->name))
            return extensions[i];
    }
    return NULL;
}

static extension_ptr find_extension(const struct model *model, const char *option)
{
    for (size_t i = 0; i < model->n_files; i++) {
        const struct model_file *file = &model->files[i];
        extension_ptr found =
            find_in(option, file->package, file->proto->extension, file->proto->n_extension);

        for (size_t j = 0; !found && j < file->n_messages; j++)
            found =
                find_in(option, file->messages[j]->full_name, file->messages[j]->proto->extension,
                        file->messages[j]->proto->n_extension);
        if (found)
            return found;
    }
    return NULL;
}

/* protobuf-c does not know the extension, so it is among the unknown fields. */
static bool has_option(const struct model_method *method, extension_ptr extension)
{
    if (!method->options || !extension)
        return false;
    for (unsigned i = 0; i < method->options->base.n_unknown_fields; i++) {
        if (method->options->base.unknown_fields[i].tag == (uint32_t)extension->number)
            return true;
    }
    return false;
}

static void check_service(const struct model *model, const struct model_service *service,
                          const char *option, extension_ptr extension)
{
    for (size_t i = 0; i < service->n_methods; i++) {
        const struct model_method *method = &service->methods[i];

        if (!has_option(method, extension))
            errors_add(model->errors, service->file->name, method->place.line,
                       "method %s.%s lacks option (%s)", service->full_name, method->name, option);
    }
}

void check_required_option(const struct model *model, const char *option)
{
    extension_ptr extension = find_extension(model, option);

    /* Not imported by these files: then no method of theirs can have it, and each is told so. */
    if (extension && strcmp(extension->extendee, METHOD_OPTIONS) != 0) {
        errors_add(model->errors, NULL, 0,
                   "require=%s: extends %s, not google.protobuf.MethodOptions", option,
                   extension->extendee + 1);
        return;
    }
    for (size_t i = 0; i < model->n_files; i++) {
        const struct model_file *file = &model->files[i];

        for (size_t j = 0; file->generate && j < file->n_services; j++)
            check_service(model, &file->services[j], option, extension);
    }
}
