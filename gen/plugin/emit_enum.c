/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "gen/plugin/emit.h"
#include "gen/plugin/names.h"
#include "gen/plugin/ranges.h"

static void emit_enum_type(struct emit *emit, const struct model_enum *e)
{
    struct text *out = emit->header;
    const char *last = pool_printf(emit->pool, "%s_INT_SIZE_", names_upper(emit->pool, e->c_name));

    identifiers_declare_tag(emit->identifiers, emit->file, &e->place, e->c_name);
    emit_declare(emit, &e->place, e->c_name, "_descriptor");
    emit_declare(emit, &e->place, e->c_name, "_name");
    emit_declare(emit, &e->place, e->c_name, "_from_name");
    emit_declare(emit, &e->place, last, "");
    text_puts(out, "\n");
    emit_comment(out, e->place.comment, "");
    text_printf(out, "enum %s {\n", e->c_name);
    for (size_t i = 0; i < e->n_values; i++) {
        const struct model_value *value = &e->values[i];

        emit_declare(emit, &value->place, value->c_name, "");
        emit_comment(out, value->place.comment, "    ");
        /* -2147483648 is no int constant in C: it is minus an integer that does not fit. */
        if (value->number == INT32_MIN)
            text_printf(out, "    %s = INT_MIN,\n", value->c_name);
        else
            text_printf(out, "    %s = %d,\n", value->c_name, (int)value->number);
    }
    text_fill(
        out,
        "    $last$ = INT_MAX\n"
        "};\n"
        "extern const ProtobufCEnumDescriptor $e$_descriptor;\n"
        "/* The name that the .proto gives value, the first of several; NULL: it gives none. */\n"
        "const char *$e$_name(int value);\n"
        "\n"
        "/* The value that the .proto calls name; false: none, and *ret_value is untouched. */\n"
        "GRPCC_MUST_CHECK static inline bool\n"
        "$e$_from_name(const char *name, enum $e$ *ret_value)\n"
        "{\n"
        "    int value = 0;\n"
        "\n"
        "    if (!grpcc_generated_enum_value(&$e$_descriptor, name, &value))\n"
        "        return false;\n"
        "    *ret_value = (enum $e$)value;\n"
        "    return true;\n"
        "}\n",
        "e", e->c_name, "last", last, NULL);
}

/* Sorted by number; of one number the first in the .proto comes first. */
static int compare_numbers(const void *a, const void *b)
{
    const struct model_value *x = *(const struct model_value *const *)a;
    const struct model_value *y = *(const struct model_value *const *)b;

    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (x > y) - (x < y);
}

static int compare_names(const void *a, const void *b)
{
    const struct model_value *x = *(const struct model_value *const *)a;
    const struct model_value *y = *(const struct model_value *const *)b;

    return strcmp(x->name, y->name);
}

static const struct model_value **sorted_values(struct emit *emit, const struct model_enum *e,
                                                int (*compare)(const void *, const void *))
{
    const struct model_value **sorted = pool_array(emit->pool, e->n_values, sizeof(*sorted));

    for (size_t i = 0; i < e->n_values; i++)
        sorted[i] = &e->values[i];
    qsort(sorted, e->n_values, sizeof(*sorted), compare);
    return sorted;
}

/* Drops the aliases of sorted; returns how many are left. */
static size_t drop_aliases(const struct model_value **sorted, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || sorted[kept - 1]->number != sorted[i]->number)
            sorted[kept++] = sorted[i];
    }
    return kept;
}

static size_t index_of_number(const struct model_value *const *sorted, size_t n, int32_t number)
{
    size_t low = 0;

    while (n > 1) {
        size_t half = n / 2;

        if (sorted[low + half]->number <= number)
            low += half;
        n -= half;
    }
    return low;
}

static void emit_enum_tables(struct emit *emit, const struct model_enum *e)
{
    struct text *out = emit->source;
    const struct model_value **by_number = sorted_values(emit, e, compare_numbers);
    const struct model_value **by_name = sorted_values(emit, e, compare_names);
    size_t n = drop_aliases(by_number, e->n_values);
    int32_t *numbers = pool_array(emit->pool, n, sizeof(*numbers));
    size_t n_ranges;

    text_printf(out, "\nstatic const ProtobufCEnumValue %s_values_[] = {\n", e->c_name);
    for (size_t i = 0; i < n; i++) {
        numbers[i] = by_number[i]->number;
        text_printf(out, "    {\"%s\", \"%s\", %s},\n", by_number[i]->name, by_number[i]->c_name,
                    by_number[i]->c_name);
    }
    text_printf(out, "};\nstatic const ProtobufCEnumValueIndex %s_by_name_[] = {\n", e->c_name);
    for (size_t i = 0; i < e->n_values; i++)
        text_printf(out, "    {\"%s\", %zu},\n", by_name[i]->name,
                    index_of_number(by_number, n, by_name[i]->number));
    text_puts(out, "};\n");
    n_ranges = ranges_emit(out, e->c_name, numbers, n);
    text_fill(out,
              "const ProtobufCEnumDescriptor $e$_descriptor = {\n"
              "    .magic = PROTOBUF_C__ENUM_DESCRIPTOR_MAGIC,\n"
              "    .name = \"$full$\",\n"
              "    .short_name = \"$short$\",\n"
              "    .c_name = \"$e$\",\n"
              "    .package_name = \"$package$\",\n"
              "    .n_values = $values$,\n"
              "    .values = $e$_values_,\n"
              "    .n_value_names = $names$,\n"
              "    .values_by_name = $e$_by_name_,\n"
              "    .n_value_ranges = $ranges$,\n"
              "    .value_ranges = $e$_ranges_,\n"
              "};\n"
              "_Static_assert(sizeof(enum $e$) == sizeof(int), \"an enum is stored as an int\");\n"
              "\n"
              "const char *$e$_name(int value)\n"
              "{\n"
              "    return grpcc_generated_enum_name(&$e$_descriptor, value);\n"
              "}\n",
              "e", e->c_name, "full", e->full_name, "short", e->name, "package", e->file->package,
              "values", pool_printf(emit->pool, "%zu", n), "names",
              pool_printf(emit->pool, "%zu", e->n_values), "ranges",
              pool_printf(emit->pool, "%zu", n_ranges), NULL);
}

void emit_enum(struct emit *emit, const struct model_enum *e)
{
    emit_enum_type(emit, e);
    emit_enum_tables(emit, e);
}
