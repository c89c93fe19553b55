/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "gen/plugin/emit.h"
#include "gen/plugin/names.h"

struct symbols {
    const char **names;
    size_t n;
    size_t capacity;
};

static void add_symbol(struct symbols *symbols, const char *name)
{
    if (symbols->n == symbols->capacity) {
        symbols->capacity = symbols->capacity ? 2 * symbols->capacity : 64;
        symbols->names = must_realloc(symbols->names, symbols->capacity * sizeof(*symbols->names));
    }
    symbols->names[symbols->n++] = name;
}

static const char *qualified(struct emit *emit, const char *scope, const char *name)
{
    return *scope ? pool_printf(emit->pool, "%s.%s", scope, name) : name;
}

static void add_extensions(struct emit *emit, struct symbols *symbols, const char *scope,
                           Google__Protobuf__FieldDescriptorProto *const *extensions, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add_symbol(symbols, qualified(emit, scope, extensions[i]->name));
}

static void add_message_symbols(struct emit *emit, struct symbols *symbols,
                                const struct model_message *m)
{
    add_symbol(symbols, m->full_name);
    for (size_t i = 0; i < m->n_fields; i++)
        add_symbol(symbols, qualified(emit, m->full_name, m->fields[i].name));
    for (size_t i = 0; i < m->n_oneofs; i++)
        add_symbol(symbols, qualified(emit, m->full_name, m->oneofs[i].name));
    add_extensions(emit, symbols, m->full_name, m->proto->extension, m->proto->n_extension);
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void collect_symbols(struct emit *emit, struct symbols *symbols)
{
    const struct model_file *file = emit->file;

    for (size_t i = 0; i < file->n_messages; i++)
        add_message_symbols(emit, symbols, file->messages[i]);
    for (size_t i = 0; i < file->n_enums; i++) {
        const struct model_enum *e = file->enums[i];

        add_symbol(symbols, e->full_name);
        for (size_t j = 0; j < e->n_values; j++)
            add_symbol(symbols, qualified(emit, e->scope, e->values[j].name));
    }
    for (size_t i = 0; i < file->n_services; i++) {
        const struct model_service *service = &file->services[i];

        add_symbol(symbols, service->full_name);
        for (size_t j = 0; j < service->n_methods; j++)
            add_symbol(symbols, qualified(emit, service->full_name, service->methods[j].name));
    }
    add_extensions(emit, symbols, file->package, file->proto->extension, file->proto->n_extension);
    if (symbols->n > 0)
        qsort(symbols->names, symbols->n, sizeof(*symbols->names), compare_strings);
}

/* The file as protoc gave it, less the source info: comments and positions are of no use at run
 * time. */
static size_t emit_descriptor(struct emit *emit)
{
    Google__Protobuf__FileDescriptorProto bare = *emit->file->proto;
    uint8_t *bytes;
    size_t size;

    bare.source_code_info = NULL;
    size = google__protobuf__file_descriptor_proto__get_packed_size(&bare);
    bytes = pool_alloc(emit->pool, size);
    google__protobuf__file_descriptor_proto__pack(&bare, bytes);
    text_printf(emit->source, "\nstatic const uint8_t %s_descriptor_[] = {\n", emit->file->c_name);
    emit_bytes(emit->source, bytes, size);
    text_puts(emit->source, "};\n");
    return size;
}

void emit_file_tables(struct emit *emit)
{
    const struct model_file *file = emit->file;
    struct text *out = emit->source;
    struct symbols symbols = {0};
    size_t size = emit_descriptor(emit);

    text_printf(out, "static const struct grpcc_file *const %s_imports_[] = {\n", file->c_name);
    for (size_t i = 0; i < file->n_imports; i++)
        text_printf(out, "    &%s_file,\n", file->imports[i]->c_name);
    text_puts(out, "    NULL,\n};\n");
    collect_symbols(emit, &symbols);
    if (symbols.n > 0)
        text_printf(out, "static const char *const %s_symbols_[] = {\n", file->c_name);
    for (size_t i = 0; i < symbols.n; i++)
        text_printf(out, "    \"%s\",\n", symbols.names[i]);
    text_fill(out,
              "$close$"
              "const struct grpcc_file $f$_file = {\n"
              "    .name = \"$name$\",\n"
              "    .package = \"$package$\",\n"
              "    .descriptor = $f$_descriptor_,\n"
              "    .descriptor_size = $size$,\n"
              "    .imports = $f$_imports_,\n",
              "close", symbols.n > 0 ? "};\n" : "", "f", file->c_name, "name", file->name,
              "package", file->package, "size", pool_printf(emit->pool, "%zu", size), NULL);
    if (symbols.n > 0)
        text_printf(out, "    .symbols = %s_symbols_,\n    .n_symbols = %zu,\n", file->c_name,
                    symbols.n);
    text_puts(out, "};\n");
    free(symbols.names);
}

static void emit_header_start(struct emit *emit)
{
    const struct model_file *file = emit->file;
    struct text *out = emit->header;

    text_fill(out,
              "/* Generated by protoc-gen-grpcc from $name$. Do not edit. */\n"
              "#ifndef $guard$_GRPCC_H\n"
              "#define $guard$_GRPCC_H\n"
              "\n"
              "#include \"grpcc/generated.h\"\n",
              "name", file->name, "guard", names_upper(emit->pool, file->c_name), NULL);
    if (file->n_services > 0)
        text_puts(out, "#include \"grpcc/channel.h\"\n#include \"grpcc/server.h\"\n");
    for (size_t i = 0; i < file->n_imports; i++)
        text_printf(out, "#include \"%s\"\n",
                    names_output(emit->pool, file->imports[i]->name, ".grpcc.h"));
    text_fill(out,
              "\n"
              "#ifdef __cplusplus\n"
              "extern \"C\" {\n"
              "#endif\n"
              "\n"
              "extern const struct grpcc_file $f$_file;\n",
              "f", file->c_name, NULL);
}

static void emit_source_start(struct emit *emit)
{
    text_fill(emit->source,
              "/* Generated by protoc-gen-grpcc from $name$. Do not edit. */\n"
              "#include \"$header$\"\n"
              "\n"
              "$math$"
              "#include <stddef.h>\n"
              "#include <string.h>\n",
              "name", emit->file->name, "header",
              names_output(emit->pool, emit->file->name, ".grpcc.h"), "math",
              /* Default values of proto2 may be INFINITY or NAN. */
              emit->file->proto3 ? "" : "#include <math.h>\n", NULL);
}

void emit_file(struct emit *emit)
{
    const struct model_file *file = emit->file;
    const struct source_place whole = {.line = 1};

    emit_declare(emit, &whole, file->c_name, "_file");
    emit_header_start(emit);
    emit_source_start(emit);
    for (size_t i = 0; i < file->n_enums; i++)
        emit_enum(emit, file->enums[i]);
    if (file->n_messages > 0)
        text_puts(emit->header, "\n");
    for (size_t i = 0; i < file->n_messages; i++)
        text_printf(emit->header, "struct %s;\n", file->messages[i]->c_name);
    for (size_t i = 0; i < file->n_messages; i++) {
        emit_message_struct(emit, file->messages[i]);
        emit_message_tables(emit, file->messages[i]);
    }
    for (size_t i = 0; i < file->n_messages; i++)
        emit_message_functions(emit, file->messages[i]);
    for (size_t i = 0; i < file->n_messages; i++)
        emit_accessors(emit, file->messages[i]);
    emit_file_tables(emit);
    for (size_t i = 0; i < file->n_services; i++) {
        emit_service_server(emit, &file->services[i]);
        emit_service_client(emit, &file->services[i]);
        emit_service_tables(emit, &file->services[i]);
    }
    text_puts(emit->header, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}
