/* SPDX-License-Identifier: Apache-2.0 */
#include "server/logs/own.h"

#include <string.h>

/* "component" and "replica" stand in front of a line's own. */
enum { OWN_VALUES = 2, TRACE_LENGTH = 32 };
_Static_assert(COMB_LOGS_SINK_FIELDS_MAX + OWN_VALUES <= COMB_LOGS_VALUES_MAX,
               "values of an entry");
_Static_assert(COMB_LOGS_SINK_BATCH_MAX <= COMB_LOGS_APPEND_MAX, "entries of an append");

static const char digits[] = "0123456789abcdef";

/* As it is, or with everything but printable ASCII as \xNN where it is no text. ptr NULL: no
 * memory. */
static comb_str to_text(struct grpcc_arena *arena, comb_str bytes)
{
    if (bytes.len == 0)
        return STR("");
    if (comb_str_is_utf8(bytes) && !memchr(bytes.ptr, '\0', bytes.len))
        return bytes;
    char *text = grpcc_arena_alloc(arena, 4 * bytes.len);
    size_t len = 0;
    if (!text)
        return (comb_str){0};
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        if (c >= 0x20 && c < 0x7F) {
            text[len++] = (char)c;
            continue;
        }
        const char escaped[] = {'\\', 'x', digits[c >> 4], digits[c & 15]};
        memcpy(text + len, escaped, sizeof escaped);
        len += sizeof escaped;
    }
    return comb_str_of(text, len);
}

/* A field's value as text. ptr NULL: no memory. */
static comb_str value_of(struct grpcc_arena *arena, const struct comb_log_field *field)
{
    if (field->is_text)
        return to_text(arena, field->text);
    return comb_str_from(grpcc_arena_printf(arena, "%lld", (long long)field->integer));
}

static bool is_trace(comb_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!memchr(digits, text.ptr[i], sizeof digits - 1))
            return false;
    return text.len == TRACE_LENGTH;
}

/* False: no memory. */
static bool add_field(struct grpcc_arena *arena, const struct comb_log_field *field,
                      struct comb_log_entry *entry, struct comb_log_value *values)
{
    comb_str value = value_of(arena, field);
    if (!value.ptr)
        return false;
    if (strcmp(field->name, "user") == 0 && value.len <= COMB_LOGS_USER_BYTES_MAX)
        entry->user = value;
    else if (strcmp(field->name, "trace") == 0 && (value.len == 0 || is_trace(value)))
        entry->trace = value;
    else if (value.len > 0)
        values[entry->n_values++] = (struct comb_log_value){comb_str_from(field->name), value};
    return true;
}

static enum comb_status to_entry(const struct comb_logs_own *own, struct comb_ctx *ctx,
                                 const struct comb_log_line *line, struct comb_log_entry *ret_entry,
                                 struct comb_error *err)
{
    struct comb_log_value *values =
        grpcc_arena_calloc(ctx->arena, line->n_fields + OWN_VALUES, sizeof *values);
    struct comb_log_entry entry = {.time_us = line->time_us,
                                   .level = line->level,
                                   .service = STR(COMB_LOGS_OWN_SERVICE),
                                   .message = comb_str_from(line->message),
                                   .values = values,
                                   .n_values = OWN_VALUES};
    if (!values)
        return comb_error_no_memory(err);
    values[0] = (struct comb_log_value){STR("component"), comb_str_from(line->component)};
    values[1] = (struct comb_log_value){STR("replica"), comb_str_from(own->replica)};
    for (size_t i = 0; i < line->n_fields; i++)
        if (!add_field(ctx->arena, &line->fields[i], &entry, values))
            return comb_error_no_memory(err);
    *ret_entry = entry;
    return COMB_OK;
}

enum comb_status comb_logs_own_append(void *data, struct comb_ctx *ctx,
                                      const struct comb_uuid *batch,
                                      const struct comb_log_line *const *lines, size_t n,
                                      struct comb_error *err)
{
    const struct comb_logs_own *own = data;
    struct comb_log_entry *entries = grpcc_arena_calloc(ctx->arena, n, sizeof *entries);
    enum comb_status status = entries ? COMB_OK : comb_error_no_memory(err);
    for (size_t i = 0; i < n && status == COMB_OK; i++)
        status = to_entry(own, ctx, lines[i], &entries[i], err);
    return status == COMB_OK ? comb_logs_append(own->logs, ctx, batch, 0, entries, n, err) : status;
}
