/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/plugin/emit.h"
#include "gen/plugin/names.h"

/* The parameters that carry one value of field into a function. */
static const char *value_parameters(struct emit *emit, const struct model_field *field)
{
    if (field->kind == MODEL_BYTES)
        return "const void *data, size_t size";
    if (field->kind == MODEL_STRING)
        return "const char *value";
    return names_declaration(emit->pool, field->c_type, "value");
}

/* The statements, at one level of indentation, that put these parameters into target. */
static const char *assign_value(struct emit *emit, const struct model_field *field,
                                const char *target)
{
    if (field->kind == MODEL_BYTES)
        return pool_printf(emit->pool,
                           "    %s.data = (uint8_t *)data;\n"
                           "    %s.len = size;\n",
                           target, target);
    if (field->kind == MODEL_STRING && field->presence == MODEL_POINTER)
        return pool_printf(emit->pool, "    %s = (char *)value;\n", target);
    if (field->kind == MODEL_STRING)
        return pool_printf(emit->pool,
                           "    %s = (char *)(value ? value : protobuf_c_empty_string);\n", target);
    return pool_printf(emit->pool, "    %s = value;\n", target);
}

/* What tells that the field is there; "" for those that need nothing. */
static const char *mark_present(struct emit *emit, const struct model_field *field)
{
    if (field->presence == MODEL_HAS)
        return pool_printf(emit->pool, "    message->has_%s = 1;\n", field->name);
    if (field->presence == MODEL_ONEOF)
        return pool_printf(emit->pool, "    message->%s = %s_%s;\n", field->oneof->member_case,
                           field->oneof->c_prefix, names_upper(emit->pool, field->name));
    return "";
}

static bool has_setter(const struct model_field *field)
{
    if (field->presence == MODEL_REPEATED)
        return false;
    return field->presence == MODEL_HAS || field->presence == MODEL_ONEOF ||
           field->kind == MODEL_STRING || field->kind == MODEL_BYTES;
}

static void emit_setter(struct emit *emit, const struct model_message *m,
                        const struct model_field *field)
{
    const char *target = pool_printf(emit->pool, "message->%s", field->member);
    const char *name = pool_printf(emit->pool, "%s_set_%s", m->c_name, field->name);

    emit_declare(emit, &field->place, name, "");
    text_fill(emit->header,
              "\n"
              "static inline void\n"
              "$name$(\n"
              "    struct $m$ *message, $parameters$)\n"
              "{\n"
              "$assign$$mark$"
              "}\n",
              "name", name, "m", m->c_name, "parameters", value_parameters(emit, field), "assign",
              assign_value(emit, field, target), "mark", mark_present(emit, field), NULL);
}

static bool has_presence(const struct model_field *field)
{
    return field->presence == MODEL_HAS || field->presence == MODEL_POINTER ||
           field->presence == MODEL_ONEOF;
}

static const char *present_when(struct emit *emit, const struct model_field *field)
{
    if (field->presence == MODEL_HAS)
        return pool_printf(emit->pool, "message->has_%s != 0", field->name);
    if (field->presence == MODEL_ONEOF)
        return pool_printf(emit->pool, "message->%s == %s_%s", field->oneof->member_case,
                           field->oneof->c_prefix, names_upper(emit->pool, field->name));
    return pool_printf(emit->pool, "message->%s != NULL", field->member);
}

/* Absent again; its value needs no change but where the value is what tells. */
static const char *mark_absent(struct emit *emit, const struct model_field *field)
{
    if (field->presence == MODEL_HAS)
        return pool_printf(emit->pool, "    message->has_%s = 0;\n", field->name);
    if (field->presence == MODEL_ONEOF)
        return pool_printf(emit->pool,
                           "    if (message->%s == %s_%s)\n"
                           "        message->%s = %s_NOT_SET;\n",
                           field->oneof->member_case, field->oneof->c_prefix,
                           names_upper(emit->pool, field->name), field->oneof->member_case,
                           field->oneof->c_prefix);
    return pool_printf(emit->pool, "    message->%s = NULL;\n", field->member);
}

static void emit_has_and_clear(struct emit *emit, const struct model_message *m,
                               const struct model_field *field)
{
    const char *has = pool_printf(emit->pool, "%s_has_%s", m->c_name, field->name);
    const char *clear = pool_printf(emit->pool, "%s_clear_%s", m->c_name, field->name);

    emit_declare(emit, &field->place, has, "");
    emit_declare(emit, &field->place, clear, "");
    text_fill(emit->header,
              "\n"
              "static inline bool\n"
              "$has$(const struct $m$ *message)\n"
              "{\n"
              "    return $present$;\n"
              "}\n"
              "\n"
              "static inline void\n"
              "$clear$(struct $m$ *message)\n"
              "{\n"
              "$absent$"
              "}\n",
              "has", has, "clear", clear, "m", m->c_name, "present", present_when(emit, field),
              "absent", mark_absent(emit, field), NULL);
}

static void emit_oneof_clear(struct emit *emit, const struct model_message *m,
                             const struct model_oneof *oneof)
{
    const char *name = pool_printf(emit->pool, "%s_clear_%s", m->c_name, oneof->name);

    emit_declare(emit, &oneof->place, name, "");
    text_fill(emit->header,
              "\n"
              "static inline void\n"
              "$name$(struct $m$ *message)\n"
              "{\n"
              "    message->$case$ = $prefix$_NOT_SET;\n"
              "}\n",
              "name", name, "m", m->c_name, "case", oneof->member_case, "prefix", oneof->c_prefix,
              NULL);
}

static void emit_adder(struct emit *emit, const struct model_message *m,
                       const struct model_field *field)
{
    const char *name = pool_printf(emit->pool, "%s_add_%s", m->c_name, field->name);
    const char *element = pool_printf(emit->pool, "array[message->n_%s]", field->name);

    emit_declare(emit, &field->place, name, "");
    text_fill(emit->header,
              "\n"
              "GRPCC_MUST_CHECK static inline bool\n"
              "$name$(\n"
              "    struct grpcc_arena *arena, struct $m$ *message,\n"
              "    $parameters$)\n"
              "{\n"
              "    $type$*array = ($type$*)grpcc_generated_grow(\n"
              "        arena, message->$member$, message->n_$field$, sizeof(*array),\n"
              "        &message->$field$_grown_);\n"
              "\n"
              "    if (!array)\n"
              "        return false;\n"
              "$assign$"
              "    message->$member$ = array;\n"
              "    message->n_$field$++;\n"
              "    return true;\n"
              "}\n",
              "name", name, "m", m->c_name, "parameters", value_parameters(emit, field), "type",
              names_declaration(emit->pool, field->c_type, ""), "member", field->member, "field",
              field->name, "assign", assign_value(emit, field, element), NULL);
}

static bool is_map(const struct model_field *field)
{
    return field->message && field->message->is_map_entry;
}

/* Of several entries with one key the last one counts, as the protocol says. */
static void emit_map_find(struct emit *emit, const struct model_message *m,
                          const struct model_field *field)
{
    const struct model_field *key = &field->message->fields[0];
    const char *name = pool_printf(emit->pool, "%s_find_%s", m->c_name, field->name);
    const char *equal =
        key->kind == MODEL_STRING ? "strcmp(entry->key, key) == 0" : "entry->key == key";

    emit_declare(emit, &field->place, name, "");
    text_fill(emit->header,
              "\n"
              "/* The entry of key, the last of several; NULL: absent. */\n"
              "static inline struct $entry$ *\n"
              "$name$(\n"
              "    const struct $m$ *message, $key$)\n"
              "{\n"
              "    for (size_t i = message->n_$field$; i > 0; i--) {\n"
              "        struct $entry$ *entry = message->$member$[i - 1];\n"
              "\n"
              "        if ($equal$)\n"
              "            return entry;\n"
              "    }\n"
              "    return NULL;\n"
              "}\n",
              "entry", field->message->c_name, "name", name, "m", m->c_name, "key",
              names_declaration(emit->pool,
                                key->kind == MODEL_STRING ? "const char *" : key->c_type, "key"),
              "field", field->name, "member", field->member, "equal", equal, NULL);
}

static void emit_map_put(struct emit *emit, const struct model_message *m,
                         const struct model_field *field)
{
    const struct model_field *key = &field->message->fields[0];
    const struct model_field *value = &field->message->fields[1];
    const char *name = pool_printf(emit->pool, "%s_put_%s", m->c_name, field->name);
    bool text_key = key->kind == MODEL_STRING;

    emit_declare(emit, &field->place, name, "");
    text_fill(emit->header,
              "\n"
              "/* Sets the value of key, adding an entry where there is none. False: no room. */\n"
              "GRPCC_MUST_CHECK static inline bool\n"
              "$name$(\n"
              "    struct grpcc_arena *arena, struct $m$ *message,\n"
              "    $key$, $value$)\n"
              "{\n"
              "    struct $entry$ *entry = $m$_find_$field$(message, key);\n"
              "\n"
              "    if (!entry) {\n"
              "        entry = $entry$_new(arena);\n"
              "        if (!entry || !$m$_add_$field$(arena, message, entry))\n"
              "            return false;\n"
              "        entry->key = $cast$key;\n"
              "    }\n"
              "$assign$"
              "    return true;\n"
              "}\n",
              "name", name, "m", m->c_name, "key",
              names_declaration(emit->pool, text_key ? "const char *" : key->c_type, "key"),
              "value", value_parameters(emit, value), "entry", field->message->c_name, "field",
              field->name, "cast", text_key ? "(char *)" : "", "assign",
              assign_value(emit, value, "entry->value"), NULL);
}

static void emit_map_remove(struct emit *emit, const struct model_message *m,
                            const struct model_field *field)
{
    const struct model_field *key = &field->message->fields[0];
    const char *name = pool_printf(emit->pool, "%s_remove_%s", m->c_name, field->name);
    bool text_key = key->kind == MODEL_STRING;

    emit_declare(emit, &field->place, name, "");
    text_fill(
        emit->header,
        "\n"
        "/* Takes every entry of key out; the others keep their order. False: there was none. */\n"
        "static inline bool\n"
        "$name$(\n"
        "    struct $m$ *message, $key$)\n"
        "{\n"
        "    size_t kept = 0, n = message->n_$field$;\n"
        "\n"
        "    for (size_t i = 0; i < n; i++) {\n"
        "        struct $entry$ *entry = message->$member$[i];\n"
        "\n"
        "        if (!($equal$))\n"
        "            message->$member$[kept++] = entry;\n"
        "    }\n"
        "    message->n_$field$ = kept;\n"
        "    return kept < n;\n"
        "}\n",
        "name", name, "m", m->c_name, "key",
        names_declaration(emit->pool, text_key ? "const char *" : key->c_type, "key"), "field",
        field->name, "member", field->member, "entry", field->message->c_name, "equal",
        text_key ? "strcmp(entry->key, key) == 0" : "entry->key == key", NULL);
}

void emit_accessors(struct emit *emit, const struct model_message *m)
{
    for (size_t i = 0; i < m->n_fields; i++) {
        const struct model_field *field = &m->fields[i];

        if (has_setter(field))
            emit_setter(emit, m, field);
        if (has_presence(field))
            emit_has_and_clear(emit, m, field);
        if (field->presence == MODEL_REPEATED)
            emit_adder(emit, m, field);
        if (is_map(field)) {
            emit_map_find(emit, m, field);
            emit_map_put(emit, m, field);
            emit_map_remove(emit, m, field);
        }
    }
    for (size_t i = 0; i < m->n_oneofs; i++)
        emit_oneof_clear(emit, m, &m->oneofs[i]);
}
