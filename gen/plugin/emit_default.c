/* SPDX-License-Identifier: Apache-2.0 */
/* Default values: those that a proto2 file gives, and "" for strings that are never NULL. */
#include <stdlib.h>
#include <string.h>

#include "gen/plugin/emit.h"

/* A field whose absent value is protobuf_c_empty_string, so that readers need not look for NULL. */
static bool is_empty_string(const struct model_field *field)
{
    return field->kind == MODEL_STRING && !field->proto->default_value &&
           (field->presence == MODEL_IMPLICIT || field->presence == MODEL_REQUIRED);
}

/* Members of a union have no default of their own: which one it is says its case. */
static bool has_default_value(const struct model_field *field)
{
    return field->proto->default_value && field->presence != MODEL_ONEOF;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One byte of C-escaped text; *text moves behind it. */
static uint8_t unescape(const char **text)
{
    static const char letters[] = "abfnrtv";
    static const char values[] = "\a\b\f\n\r\t\v";
    const char *p = *text, *letter;
    unsigned value = 0;

    if (*p != '\\' || !p[1]) {
        *text = p + 1;
        return (uint8_t)*p;
    }
    p++;
    letter = strchr(letters, *p);
    if (letter) {
        value = (unsigned char)values[letter - letters];
        p++;
    } else if (*p == 'x') {
        for (p++; hex_digit(*p) >= 0; p++)
            value = 16 * value + (unsigned)hex_digit(*p);
    } else if (*p >= '0' && *p <= '7') {
        for (int i = 0; i < 3 && *p >= '0' && *p <= '7'; i++, p++)
            value = 8 * value + (unsigned)(*p - '0');
    } else {
        value = (unsigned char)*p++;
    }
    *text = p;
    return (uint8_t)value;
}

static const char *integer_constant(struct emit *emit, const struct model_field *field)
{
    const char *text = field->proto->default_value;

    switch (field->kind) {
    case MODEL_INT32:
        return strcmp(text, "-2147483648") == 0 ? "INT32_MIN" : text;
    case MODEL_INT64:
        if (strcmp(text, "-9223372036854775808") == 0)
            return "INT64_MIN";
        return pool_printf(emit->pool, "INT64_C(%s)", text);
    case MODEL_UINT32:
        return pool_printf(emit->pool, "UINT32_C(%s)", text);
    default:
        return pool_printf(emit->pool, "UINT64_C(%s)", text);
    }
}

static const char *float_constant(struct emit *emit, const struct model_field *field)
{
    const char *text = field->proto->default_value;
    const char *constant = text;

    if (strcmp(text, "inf") == 0)
        constant = "INFINITY";
    else if (strcmp(text, "-inf") == 0)
        constant = "-INFINITY";
    else if (strcmp(text, "nan") == 0)
        constant = "NAN";
    return pool_printf(emit->pool, "(%s)%s", field->c_type, constant);
}

static const char *enum_constant(const struct model_field *field, const char *name)
{
    const struct model_enum *e = field->enumeration;

    for (size_t i = 0; i < e->n_values; i++) {
        if (!name || strcmp(e->values[i].name, name) == 0)
            return e->values[i].c_name;
    }
    return "0";
}

static const char *scalar_constant(struct emit *emit, const struct model_field *field)
{
    switch (field->kind) {
    case MODEL_FLOAT:
    case MODEL_DOUBLE:
        return float_constant(emit, field);
    case MODEL_BOOL:
        return strcmp(field->proto->default_value, "true") == 0 ? "1" : "0";
    case MODEL_ENUM:
        return enum_constant(field, field->proto->default_value);
    default:
        return integer_constant(emit, field);
    }
}

static const char *object_name(struct emit *emit, const struct model_message *m,
                               const struct model_field *field)
{
    return pool_printf(emit->pool, "%s_%s_default_", m->c_name, field->name);
}

static void emit_bytes_object(struct emit *emit, const struct model_field *field, const char *name)
{
    const char *text = field->proto->default_value;
    uint8_t *bytes = pool_alloc(emit->pool, strlen(text) + 1);
    size_t n = 0;

    while (*text)
        bytes[n++] = unescape(&text);
    /* One byte more than there are, so that the array of an empty default is an array. */
    text_printf(emit->source, "static const uint8_t %sdata_[] = {\n", name);
    emit_bytes(emit->source, bytes, n + 1);
    text_printf(emit->source,
                "};\nstatic const ProtobufCBinaryData %s = {%zu, (uint8_t *)%sdata_};\n", name, n,
                name);
}

const char *emit_field_default_object(struct emit *emit, const struct model_message *m,
                                      const struct model_field *field)
{
    if (is_empty_string(field))
        return "protobuf_c_empty_string";
    return has_default_value(field) ? object_name(emit, m, field) : NULL;
}

const char *emit_field_default(struct emit *emit, const struct model_message *m,
                               const struct model_field *field)
{
    const char *name = object_name(emit, m, field);
    const char *constant;

    if (is_empty_string(field))
        return "(char *)protobuf_c_empty_string";
    if (!has_default_value(field)) {
        /* The default of a proto2 enum is its first value, whatever its number. */
        bool first = field->kind == MODEL_ENUM && field->enumeration->values[0].number != 0 &&
                     (field->presence == MODEL_HAS || field->presence == MODEL_REQUIRED);

        return first ? enum_constant(field, NULL) : NULL;
    }
    if (field->kind == MODEL_STRING) {
        text_printf(emit->source, "static const char %s[] = ", name);
        text_literal(emit->source, field->proto->default_value);
        text_puts(emit->source, ";\n");
        return pool_printf(emit->pool, "(char *)%s", name);
    }
    if (field->kind == MODEL_BYTES) {
        emit_bytes_object(emit, field, name);
        return pool_printf(emit->pool, "{sizeof(%sdata_) - 1, (uint8_t *)%sdata_}", name, name);
    }
    constant = scalar_constant(emit, field);
    text_printf(emit->source, "static const %s %s = %s;\n", field->c_type, name, constant);
    return constant;
}
