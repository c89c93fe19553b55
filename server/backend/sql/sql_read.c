/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/sql/sql_read.h"

#define ID_DIGITS 32

bool comb_sql_uuid_at(const struct comb_sql_rows *rows, size_t row, size_t column,
                      struct comb_uuid *ret_id)
{
    const struct comb_sql_value *value = comb_sql_at(rows, row, column);
    if (value->type != COMB_SQL_BLOB || value->bytes.len != sizeof ret_id->bytes)
        return false;
    memcpy(ret_id->bytes, value->bytes.ptr, sizeof ret_id->bytes);
    return true;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_id(const char *text, struct comb_uuid *ret_id)
{
    for (size_t i = 0; i < sizeof ret_id->bytes; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret_id->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

enum comb_status comb_sql_uuids_at(struct grpcc_arena *arena, const struct comb_sql_rows *rows,
                                   size_t row, size_t column, const struct comb_uuid **ret_ids,
                                   size_t *ret_n, struct comb_error *err)
{
    const struct comb_sql_value *value = comb_sql_at(rows, row, column);
    comb_str text = value->type == COMB_SQL_TEXT ? value->bytes : STR("");
    size_t n = text.len / ID_DIGITS;
    struct comb_uuid *ids = grpcc_arena_calloc(arena, n, sizeof *ids);
    if (!ids)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        if (!read_id(text.ptr + i * ID_DIGITS, &ids[i]))
            return comb_error_set(err, COMB_DATA_LOSS, 0, "a list of ids cannot be read");
    }
    *ret_ids = ids;
    *ret_n = n;
    return COMB_OK;
}

enum comb_status comb_sql_row_damaged(const char *table, struct comb_error *err)
{
    return comb_error_set(err, COMB_DATA_LOSS, 0, "a row of table %s cannot be read", table);
}
