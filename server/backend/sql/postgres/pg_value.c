/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values in PostgreSQL's binary format. Source: PostgreSQL 15, src/backend/utils/adt, the *send and
 * *recv functions of each type; integers and floats are in network byte order.
 */
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/sql/postgres/postgres.h"

/* Object ids of pg_type, which never change. */
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_OID = 26,
    OID_JSON = 114,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_UNKNOWN = 705,
    OID_BPCHAR = 1042,
    OID_VARCHAR = 1043,
    OID_UUID = 2950,
    OID_PG_SNAPSHOT = 5038,
    OID_XID8 = 5069
};

Oid comb_pg_type_of(enum comb_sql_type type)
{
    switch (type) {
    case COMB_SQL_NULL:
        break;
    case COMB_SQL_INTEGER:
        return OID_INT8;
    case COMB_SQL_REAL:
        return OID_FLOAT8;
    case COMB_SQL_TEXT:
        return OID_TEXT;
    case COMB_SQL_BLOB:
        return OID_BYTEA;
    }
    return 0; /* the server finds out */
}

bool comb_pg_encode(struct grpcc_arena *arena, const struct comb_sql_statement *statement,
                    const char *const **ret_values, const int **ret_lengths,
                    const int **ret_formats)
{
    size_t n = statement->n_params;
    const char **values = grpcc_arena_calloc(arena, n, sizeof *values);
    int *lengths = grpcc_arena_calloc(arena, n, sizeof *lengths);
    int *formats = grpcc_arena_calloc(arena, n, sizeof *formats);
    uint64_t *numbers = grpcc_arena_calloc(arena, n, sizeof *numbers);
    if (!values || !lengths || !formats || !numbers)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct comb_sql_value *param = &statement->params[i];
        formats[i] = 1;
        if (param->type == COMB_SQL_NULL)
            continue;
        if (param->type == COMB_SQL_TEXT || param->type == COMB_SQL_BLOB) {
            values[i] = param->bytes.len ? (const char *)param->bytes.ptr : "";
            lengths[i] = (int)param->bytes.len;
            continue;
        }
        if (param->type == COMB_SQL_REAL)
            memcpy(&numbers[i], &param->real, sizeof numbers[i]);
        else
            numbers[i] = (uint64_t)param->integer;
        numbers[i] = htobe64(numbers[i]);
        values[i] = (const char *)&numbers[i];
        lengths[i] = sizeof numbers[i];
    }
    *ret_values = values;
    *ret_lengths = lengths;
    *ret_formats = formats;
    return true;
}

static int64_t integer_of(const char *bytes, int length)
{
    uint64_t number = 0;
    for (int i = 0; i < length; i++)
        number = number << 8 | (uint8_t)bytes[i];
    if (length == 2)
        return (int16_t)number;
    if (length == 4)
        return (int32_t)number;
    return (int64_t)number;
}

/* snapshot.h. Sent as the number of transactions in progress, xmin, xmax and those transactions. */
static int64_t snapshot_of(const char *bytes)
{
    enum { COUNT_SIZE = 4, XID_SIZE = 8, IN_PROGRESS_MAX = 65535 };
    int64_t in_progress = integer_of(bytes, COUNT_SIZE);
    int64_t xmax = integer_of(bytes + COUNT_SIZE + XID_SIZE, XID_SIZE);
    return xmax << 16 |
           (IN_PROGRESS_MAX - (in_progress < IN_PROGRESS_MAX ? in_progress : IN_PROGRESS_MAX));
}

static double real_of(const char *bytes, int length)
{
    uint64_t bits = (uint64_t)integer_of(bytes, length);
    if (length == 4) {
        uint32_t half = (uint32_t)bits;
        float real;
        memcpy(&real, &half, sizeof real);
        return (double)real;
    }
    double real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

/* False: a type that no statement of ours should give. */
static bool decode_value(PGresult *result, int row, int column, struct comb_sql_value *ret_value)
{
    const char *bytes = PQgetvalue(result, row, column);
    int length = PQgetlength(result, row, column);
    Oid type = PQftype(result, column);
    if (PQgetisnull(result, row, column)) {
        *ret_value = comb_sql_null();
        return true;
    }
    switch (type) {
    case OID_BOOL:
        *ret_value = comb_sql_integer(bytes[0] != 0);
        return true;
    case OID_OID: /* the one that has no sign */
        *ret_value = comb_sql_integer((uint32_t)integer_of(bytes, length));
        return true;
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
    case OID_XID8:
        *ret_value = comb_sql_integer(integer_of(bytes, length));
        return true;
    case OID_PG_SNAPSHOT:
        *ret_value = comb_sql_integer(snapshot_of(bytes));
        return true;
    case OID_FLOAT4:
    case OID_FLOAT8:
        *ret_value = comb_sql_real(real_of(bytes, length));
        return true;
    case OID_TEXT:
    case OID_VARCHAR:
    case OID_BPCHAR:
    case OID_NAME:
    case OID_JSON:
    case OID_UNKNOWN:
        *ret_value = comb_sql_text(comb_str_of(bytes, (size_t)length));
        return true;
    case OID_BYTEA:
    case OID_UUID:
        *ret_value = comb_sql_blob(comb_str_of(bytes, (size_t)length));
        return true;
    default:
        return false;
    }
}

static void clear_result(void *result)
{
    PQclear(result);
}

static bool is_change(PGresult *result)
{
    const char *tag = PQcmdStatus(result);
    return strncmp(tag, "INSERT", 6) == 0 || strncmp(tag, "UPDATE", 6) == 0 ||
           strncmp(tag, "DELETE", 6) == 0;
}

static int64_t changes_of(PGresult *result, const struct comb_pg_text *text)
{
    if (text->guard)
        return PQntuples(result);
    if (!is_change(result))
        return 0;
    long long changes = 0;
    return sscanf(PQcmdTuples(result), "%lld", &changes) == 1 ? changes : 0;
}

enum comb_status comb_pg_decode(struct grpcc_arena *arena, PGresult *result,
                                const struct comb_pg_text *text, struct comb_sql_rows *ret_rows,
                                struct comb_error *err)
{
    if (!grpcc_arena_on_free(arena, clear_result, result)) {
        PQclear(result);
        return comb_error_no_memory(err);
    }
    ret_rows->changes = changes_of(result, text);
    int first = (int)text->hidden, columns = PQnfields(result), rows = PQntuples(result);
    if (text->hides_all || rows == 0 || columns <= first)
        return COMB_OK;
    size_t n_columns = (size_t)(columns - first);
    struct comb_sql_value *values =
        grpcc_arena_calloc(arena, (size_t)rows * n_columns, sizeof *values);
    if (!values)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                              "the answer is larger than %u bytes", COMB_SQL_REQUEST_BYTES_MAX);
    for (int row = 0; row < rows; row++) {
        for (int column = first; column < columns; column++) {
            struct comb_sql_value *value =
                &values[(size_t)row * n_columns + (size_t)(column - first)];
            if (!decode_value(result, row, column, value))
                return comb_error_set(err, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL,
                                      "column \"%s\" has a type (%u) that this driver does not "
                                      "read: cast it",
                                      PQfname(result, column), PQftype(result, column));
        }
    }
    ret_rows->n_rows = (size_t)rows;
    ret_rows->n_columns = n_columns;
    ret_rows->values = values;
    return COMB_OK;
}
