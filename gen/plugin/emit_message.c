/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/plugin/emit.h"
#include "gen/plugin/names.h"

static void member(struct emit *emit, const struct model_message *m,
                   const struct source_place *place, const char *indent, const char *type,
                   const char *name)
{
    identifiers_declare_member(emit->identifiers, emit->file, place, m->c_name, name);
    text_printf(emit->header, "%s%s;\n", indent, names_declaration(emit->pool, type, name));
}

/* "T" -> "T *", "T *" -> "T **". */
static const char *pointer_to(struct emit *emit, const char *type)
{
    return names_declaration(emit->pool, type, "*");
}

static void emit_field(struct emit *emit, const struct model_message *m,
                       const struct model_field *field, const char *indent)
{
    const struct source_place *place = &field->place;
    const char *n_name = pool_printf(emit->pool, "n_%s", field->name);

    emit_comment(emit->header, place->comment, indent);
    switch (field->presence) {
    case MODEL_REPEATED:
        member(emit, m, place, indent, "size_t", n_name);
        member(emit, m, place, indent, pointer_to(emit, field->c_type), field->member);
        member(emit, m, place, indent, "void *", pool_printf(emit->pool, "%s_grown_", field->name));
        break;
    case MODEL_HAS:
        member(emit, m, place, indent, "protobuf_c_boolean",
               pool_printf(emit->pool, "has_%s", field->name));
        member(emit, m, place, indent, field->c_type, field->member);
        break;
    case MODEL_IMPLICIT:
    case MODEL_REQUIRED:
    case MODEL_POINTER:
    case MODEL_ONEOF:
        member(emit, m, place, indent, field->c_type, field->member);
        break;
    }
}

static void emit_oneof_cases(struct emit *emit, const struct model_oneof *oneof)
{
    struct text *out = emit->header;

    identifiers_declare_tag(emit->identifiers, emit->file, &oneof->place, oneof->c_enum);
    emit_declare(emit, &oneof->place, oneof->c_prefix, "_NOT_SET");
    text_printf(out, "\nenum %s {\n    %s_NOT_SET = 0,\n", oneof->c_enum, oneof->c_prefix);
    for (size_t i = 0; i < oneof->n_fields; i++) {
        const struct model_field *field = oneof->fields[i];
        const char *name =
            pool_printf(emit->pool, "%s_%s", oneof->c_prefix, names_upper(emit->pool, field->name));

        emit_declare(emit, &field->place, name, "");
        text_printf(out, "    %s = %d%s\n", name, (int)field->number,
                    i + 1 < oneof->n_fields ? "," : "");
    }
    text_puts(out, "};\n");
}

static void emit_oneof(struct emit *emit, const struct model_message *m,
                       const struct model_oneof *oneof)
{
    emit_comment(emit->header, oneof->place.comment, "    ");
    member(emit, m, &oneof->place, "    ", pool_printf(emit->pool, "enum %s", oneof->c_enum),
           oneof->member_case);
    text_puts(emit->header, "    union {\n");
    for (size_t i = 0; i < oneof->n_fields; i++)
        emit_field(emit, m, oneof->fields[i], "        ");
    text_puts(emit->header, "    };\n");
}

void emit_message_struct(struct emit *emit, const struct model_message *m)
{
    struct text *out = emit->header;

    identifiers_declare_tag(emit->identifiers, emit->file, &m->place, m->c_name);
    for (size_t i = 0; i < m->n_oneofs; i++)
        emit_oneof_cases(emit, &m->oneofs[i]);
    text_puts(out, "\n");
    emit_comment(out, m->place.comment, "");
    text_printf(out, "struct %s {\n", m->c_name);
    member(emit, m, &m->place, "    ", "ProtobufCMessage", "base");
    for (size_t i = 0; i < m->n_fields; i++) {
        const struct model_field *field = &m->fields[i];

        if (!field->oneof)
            emit_field(emit, m, field, "    ");
        else if (field->oneof->fields[0] == field)
            emit_oneof(emit, m, field->oneof);
    }
    text_puts(out, "};\n");
}

void emit_message_functions(struct emit *emit, const struct model_message *m)
{
    static const char *const suffixes[] = {"_descriptor", "_new", "_unpack", "_pack", "_dup"};

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        emit_declare(emit, &m->place, m->c_name, suffixes[i]);
    text_fill(emit->header,
              "\n"
              "extern const ProtobufCMessageDescriptor $m$_descriptor;\n"
              "\n"
              "GRPCC_MUST_CHECK static inline struct $m$ *\n"
              "$m$_new(struct grpcc_arena *arena)\n"
              "{\n"
              "    return (struct $m$ *)grpcc_message_new(\n"
              "        arena, &$m$_descriptor);\n"
              "}\n"
              "\n"
              "GRPCC_MUST_CHECK static inline enum grpcc_status\n"
              "$m$_unpack(\n"
              "    struct grpcc_arena *arena, const struct grpcc_message_limits *limits,\n"
              "    const void *data, size_t size,\n"
              "    struct $m$ **ret_message, struct grpcc_error *err)\n"
              "{\n"
              "    void *message = NULL;\n"
              "    enum grpcc_status status = grpcc_message_unpack(\n"
              "        arena, &$m$_descriptor,\n"
              "        limits, data, size, &message, err);\n"
              "\n"
              "    if (status == GRPCC_OK)\n"
              "        *ret_message = (struct $m$ *)message;\n"
              "    return status;\n"
              "}\n"
              "\n"
              "GRPCC_MUST_CHECK static inline void *\n"
              "$m$_pack(\n"
              "    struct grpcc_arena *arena, const struct $m$ *message,\n"
              "    size_t *ret_size)\n"
              "{\n"
              "    return grpcc_message_pack(arena, &message->base, ret_size);\n"
              "}\n"
              "\n"
              "GRPCC_MUST_CHECK static inline struct $m$ *\n"
              "$m$_dup(\n"
              "    struct grpcc_arena *arena, const struct $m$ *message)\n"
              "{\n"
              "    return (struct $m$ *)grpcc_message_dup(arena, &message->base);\n"
              "}\n",
              "m", m->c_name, NULL);
}
