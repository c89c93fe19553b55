/* SPDX-License-Identifier: Apache-2.0 */
/* ProtobufCMessageDescriptor and its tables, as libprotobuf-c reads them. */
#include <stdlib.h>
#include <string.h>

#include "gen/plugin/emit.h"
#include "gen/plugin/ranges.h"

static int compare_numbers(const void *a, const void *b)
{
    const struct model_field *x = *(const struct model_field *const *)a;
    const struct model_field *y = *(const struct model_field *const *)b;

    return (x->number > y->number) - (x->number < y->number);
}

struct named_index {
    const char *name;
    size_t index;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct named_index *)a)->name, ((const struct named_index *)b)->name);
}

static const struct model_field **sort_fields(struct emit *emit, const struct model_message *m)
{
    const struct model_field **sorted = pool_array(emit->pool, m->n_fields, sizeof(*sorted));

    for (size_t i = 0; i < m->n_fields; i++)
        sorted[i] = &m->fields[i];
    qsort(sorted, m->n_fields, sizeof(*sorted), compare_numbers);
    return sorted;
}

static const char *label_of(const struct model_field *field)
{
    switch (field->presence) {
    case MODEL_IMPLICIT:
        return "PROTOBUF_C_LABEL_NONE";
    case MODEL_REQUIRED:
        return "PROTOBUF_C_LABEL_REQUIRED";
    case MODEL_REPEATED:
        return "PROTOBUF_C_LABEL_REPEATED";
    case MODEL_HAS:
    case MODEL_POINTER:
    case MODEL_ONEOF:
        break;
    }
    return "PROTOBUF_C_LABEL_OPTIONAL";
}

/* The member that tells presence or number; NULL: the value itself does. */
static const char *quantifier_of(struct emit *emit, const struct model_field *field)
{
    if (field->presence == MODEL_REPEATED)
        return pool_printf(emit->pool, "n_%s", field->name);
    if (field->presence == MODEL_HAS)
        return pool_printf(emit->pool, "has_%s", field->name);
    return field->presence == MODEL_ONEOF ? field->oneof->member_case : NULL;
}

static const char *flags_of(struct emit *emit, const struct model_field *field)
{
    bool map = field->message && field->message->is_map_entry;

    return pool_printf(
        emit->pool, "0%s%s%s%s", field->packed ? " | PROTOBUF_C_FIELD_FLAG_PACKED" : "",
        field->deprecated ? " | PROTOBUF_C_FIELD_FLAG_DEPRECATED" : "",
        field->oneof ? " | PROTOBUF_C_FIELD_FLAG_ONEOF" : "", map ? " | GRPCC_FIELD_FLAG_MAP" : "");
}

/* Whether the name in JSON is the lowerCamelCase of the field's, as protoc makes it. */
static bool is_usual_json_name(const char *name, const char *json_name)
{
    for (bool raise = false; *name; name++) {
        char c = *name;

        if (c == '_') {
            raise = true;
            continue;
        }
        if (raise && c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (*json_name++ != c)
            return false;
        raise = false;
    }
    return *json_name == '\0';
}

static void emit_field_row(struct emit *emit, const struct model_message *m,
                           const struct model_field *field)
{
    struct text *out = emit->source;
    const char *quantifier = quantifier_of(emit, field);
    const char *object = emit_field_default_object(emit, m, field);

    text_printf(out, "    {\n        .name = \"%s\",\n        .id = %d,\n        .label = %s,\n",
                field->name, (int)field->number, label_of(field));
    text_printf(out, "        .type = %s,\n", field->descriptor_type);
    if (quantifier)
        text_printf(out, "        .quantifier_offset = offsetof(struct %s, %s),\n", m->c_name,
                    quantifier);
    text_printf(out, "        .offset = offsetof(struct %s, %s),\n", m->c_name, field->member);
    if (field->message)
        text_printf(out, "        .descriptor = &%s_descriptor,\n", field->message->c_name);
    if (field->enumeration)
        text_printf(out, "        .descriptor = &%s_descriptor,\n", field->enumeration->c_name);
    if (object)
        text_printf(out, "        .default_value = &%s,\n", object);
    if (field->proto->json_name && !is_usual_json_name(field->name, field->proto->json_name)) {
        text_puts(out, "        .reserved2 = (char *)");
        text_literal(out, field->proto->json_name);
        text_puts(out, ", /* its name in JSON */\n");
    }
    text_printf(out, "        .flags = %s,\n    },\n", flags_of(emit, field));
}

static void emit_init(struct emit *emit, const struct model_message *m)
{
    struct text body = {0};

    for (size_t i = 0; i < m->n_fields; i++) {
        const char *value = emit_field_default(emit, m, &m->fields[i]);

        if (value)
            text_printf(&body, "        .%s = %s,\n", m->fields[i].member, value);
    }
    text_fill(emit->source,
              "static void $m$_init_(ProtobufCMessage *message)\n"
              "{\n"
              "    static const struct $m$ initial = {\n"
              "        .base = PROTOBUF_C_MESSAGE_INIT(&$m$_descriptor),\n"
              "$body$"
              "    };\n"
              "\n"
              "    memcpy(message, &initial, sizeof(initial));\n"
              "}\n",
              "m", m->c_name, "body", text_string(&body), NULL);
    text_done(&body);
}

static void emit_field_tables(struct emit *emit, const struct model_message *m, size_t *ret_ranges)
{
    struct text *out = emit->source;
    const struct model_field **sorted = sort_fields(emit, m);
    struct named_index *by_name = pool_array(emit->pool, m->n_fields, sizeof(*by_name));
    int32_t *numbers = pool_array(emit->pool, m->n_fields, sizeof(*numbers));

    text_printf(out, "static const ProtobufCFieldDescriptor %s_fields_[] = {\n", m->c_name);
    for (size_t i = 0; i < m->n_fields; i++) {
        emit_field_row(emit, m, sorted[i]);
        numbers[i] = sorted[i]->number;
        by_name[i] = (struct named_index){sorted[i]->name, i};
    }
    qsort(by_name, m->n_fields, sizeof(*by_name), compare_names);
    text_printf(out, "};\nstatic const unsigned %s_by_name_[] = {\n", m->c_name);
    for (size_t i = 0; i < m->n_fields; i++)
        text_printf(out, "    %zu, /* %s */\n", by_name[i].index, by_name[i].name);
    text_puts(out, "};\n");
    *ret_ranges = ranges_emit(out, m->c_name, numbers, m->n_fields);
}

void emit_message_tables(struct emit *emit, const struct model_message *m)
{
    size_t n_ranges = 0;

    text_puts(emit->source, "\n");
    emit_init(emit, m);
    if (m->n_fields > 0)
        emit_field_tables(emit, m, &n_ranges);
    text_fill(emit->source,
              "const ProtobufCMessageDescriptor $m$_descriptor = {\n"
              "    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,\n"
              "    .name = \"$full$\",\n"
              "    .short_name = \"$short$\",\n"
              "    .c_name = \"$m$\",\n"
              "    .package_name = \"$package$\",\n"
              "    .sizeof_message = sizeof(struct $m$),\n",
              "m", m->c_name, "full", m->full_name, "short", m->name, "package", m->file->package,
              NULL);
    if (m->n_fields > 0)
        text_fill(emit->source,
                  "    .n_fields = $fields$,\n"
                  "    .fields = $m$_fields_,\n"
                  "    .fields_sorted_by_name = $m$_by_name_,\n"
                  "    .n_field_ranges = $ranges$,\n"
                  "    .field_ranges = $m$_ranges_,\n",
                  "fields", pool_printf(emit->pool, "%zu", m->n_fields), "m", m->c_name, "ranges",
                  pool_printf(emit->pool, "%zu", n_ranges), NULL);
    text_printf(emit->source, "    .message_init = %s_init_,\n};\n", m->c_name);
}
