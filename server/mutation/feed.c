/* SPDX-License-Identifier: Apache-2.0 */
#include "server/mutation/feed.h"

#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/limits.h"
#include "server/mutation/dialect.h"

static const char domain[] = "feed";

/* Entries that one read asks for at most. */
enum { READ_MAX = 1000 };
/* A chain has the parts of a path, and the root above them. */
enum { ANCESTORS_MAX = COMB_PATH_DEPTH_MAX + 2 };

enum column {
    COLUMN_SEQ,
    COLUMN_TIME,
    COLUMN_KIND,
    COLUMN_SUBJECT,
    COLUMN_REVISION,
    COLUMN_ACTOR,
    COLUMN_OLD_PARENT,
    COLUMN_OLD_NAME,
    COLUMN_ANCESTORS,
    COLUMN_OLD_ANCESTORS,
    COLUMN_BYTES_DELTA,
    COLUMN_PAYLOAD,
    COLUMNS
};

static bool decode_id(const struct comb_sql_value *value, struct comb_uuid *ret_id)
{
    if (value->type != COMB_SQL_BLOB || value->bytes.len != sizeof ret_id->bytes)
        return false;
    memcpy(ret_id->bytes, value->bytes.ptr, sizeof ret_id->bytes);
    return true;
}

static bool decode_ids(const struct comb_sql_value *value, const struct comb_uuid **ret_ids,
                       size_t *ret_n)
{
    size_t n = value->bytes.len / sizeof(struct comb_uuid);
    if (value->type != COMB_SQL_BLOB || value->bytes.len % sizeof(struct comb_uuid) != 0 ||
        n > ANCESTORS_MAX)
        return false;
    /* An id is 16 bytes without alignment: the row's bytes are the array. */
    *ret_ids = n > 0 ? (const struct comb_uuid *)(const void *)value->bytes.ptr : NULL;
    *ret_n = n;
    return true;
}

/* Views of the row's bytes. False: damaged. */
static bool decode_row(const struct comb_sql_value *row, uint64_t incarnation,
                       struct comb_feed_record *record)
{
    static const int integers[] = {COLUMN_SEQ, COLUMN_TIME, COLUMN_KIND, COLUMN_REVISION,
                                   COLUMN_BYTES_DELTA};
    struct comb_feed_entry *entry = &record->entry;
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        if (row[integers[i]].type != COMB_SQL_INTEGER)
            return false;
    }
    record->position = (struct comb_position){incarnation, (uint64_t)row[COLUMN_SEQ].integer};
    record->time_us = row[COLUMN_TIME].integer;
    entry->kind = (enum comb_feed_kind)row[COLUMN_KIND].integer;
    entry->revision = (uint64_t)row[COLUMN_REVISION].integer;
    entry->bytes_delta = row[COLUMN_BYTES_DELTA].integer;
    entry->old_name = row[COLUMN_OLD_NAME].bytes;
    entry->payload = row[COLUMN_PAYLOAD].bytes;
    return decode_id(&row[COLUMN_SUBJECT], &entry->subject) &&
           decode_id(&row[COLUMN_ACTOR], &record->actor) &&
           decode_id(&row[COLUMN_OLD_PARENT], &entry->old_parent) &&
           decode_ids(&row[COLUMN_ANCESTORS], &entry->ancestors, &entry->n_ancestors) &&
           decode_ids(&row[COLUMN_OLD_ANCESTORS], &entry->old_ancestors, &entry->n_old_ancestors);
}

static bool copy_bytes(struct grpcc_arena *arena, const void **data, size_t size)
{
    if (size > 0)
        *data = grpcc_arena_memdup(arena, *data, size);
    return *data || size == 0;
}

/* The row lives only as long as the store's answer: an entry has its own bytes. */
static bool copy_entry(struct grpcc_arena *arena, struct comb_feed_entry *entry)
{
    const void *name = entry->old_name.ptr, *payload = entry->payload.ptr;
    const void *ancestors = entry->ancestors, *old_ancestors = entry->old_ancestors;
    if (!copy_bytes(arena, &name, entry->old_name.len) ||
        !copy_bytes(arena, &payload, entry->payload.len) ||
        !copy_bytes(arena, &ancestors, entry->n_ancestors * sizeof(struct comb_uuid)) ||
        !copy_bytes(arena, &old_ancestors, entry->n_old_ancestors * sizeof(struct comb_uuid)))
        return false;
    entry->old_name.ptr = name;
    entry->payload.ptr = payload;
    entry->ancestors = ancestors;
    entry->old_ancestors = old_ancestors;
    return true;
}

enum comb_status comb_feed_decode(struct grpcc_arena *arena, uint64_t incarnation,
                                  const struct comb_sql_rows *rows,
                                  const struct comb_feed_record **ret_records,
                                  struct comb_error *err)
{
    struct comb_feed_record *records = grpcc_arena_calloc(arena, rows->n_rows, sizeof(*records));
    if (!records)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows; i++) {
        const struct comb_sql_value *row = comb_sql_at(rows, i, 0);
        if (rows->n_columns != COLUMNS || !decode_row(row, incarnation, &records[i]))
            return comb_error_set(err, COMB_DATA_LOSS, 0, "an entry of the change feed is damaged");
        if (!copy_entry(arena, &records[i].entry))
            return comb_error_no_memory(err);
    }
    *ret_records = records;
    return COMB_OK;
}

static enum comb_status check_cursor(struct comb_position after, int64_t head, int64_t floor,
                                     struct comb_error *err)
{
    if (after.sequence > (uint64_t)head)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_CURSOR_INVALID,
                              "the cursor is ahead of the change feed");
    if (after.sequence < (uint64_t)floor)
        return comb_error_set(err, COMB_OUT_OF_RANGE, COMB_V1_ERROR_REASON_CURSOR_EXPIRED,
                              "the change feed no longer goes back to this cursor; list again and "
                              "go on from a new one");
    return COMB_OK;
}

/* Head, floor and entries, on one snapshot. */
static enum comb_status read_rows(struct comb_sql *sql, struct comb_ctx *ctx, uint64_t after,
                                  size_t max, const struct comb_sql_result **ret_result,
                                  struct comb_error *err)
{
    const struct comb_mutation_dialect *dialect = comb_mutation_dialect_of(sql);
    enum comb_status status;
    do {
        const struct comb_sql_value params[] = {comb_sql_integer((int64_t)after),
                                                comb_sql_integer((int64_t)max)};
        const struct comb_sql_statement statements[] = {
            {.text = dialect->feed_head},
            {.text = dialect->feed_floor},
            {dialect->feed_poll, params, 2, false},
        };
        const struct comb_sql_request request = {COMB_SQL_SCAN, 0, statements, 3};
        status = comb_sql_run(sql, ctx, &request, ret_result, err);
        /* Large payloads: half as many entries may fit into one answer. */
        max /= 2;
    } while (status == COMB_RESOURCE_EXHAUSTED && max > 0);
    return status;
}

enum comb_status comb_feed_read(struct comb_sql *sql, struct comb_ctx *ctx,
                                struct comb_position after, size_t max,
                                const struct comb_feed_record **ret_records, size_t *ret_n,
                                struct comb_position *ret_end, struct comb_error *err)
{
    struct comb_sql_info info;
    comb_sql_get_info(sql, &info);
    if (after.incarnation != info.incarnation || after.sequence > INT64_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_CURSOR_INVALID,
                              "the cursor is of another history of this installation");
    const struct comb_sql_result *result;
    const struct comb_feed_record *records = NULL;
    enum comb_status status =
        read_rows(sql, ctx, after.sequence, max < READ_MAX ? max : READ_MAX, &result, err);
    if (status != COMB_OK)
        return status;
    int64_t head = comb_sql_at(&result->rows[0], 0, 0)->integer;
    status = check_cursor(after, head, comb_sql_at(&result->rows[1], 0, 0)->integer, err);
    if (status == COMB_OK)
        status = comb_feed_decode(ctx->arena, info.incarnation, &result->rows[2], &records, err);
    if (status != COMB_OK) {
        if (err)
            err->domain = domain;
        return status;
    }
    *ret_n = result->rows[2].n_rows;
    *ret_records = records;
    *ret_end = *ret_n > 0 ? records[*ret_n - 1].position : after;
    return COMB_OK;
}

enum comb_status comb_feed_head(struct comb_sql *sql, struct comb_ctx *ctx,
                                struct comb_position *ret_head, struct comb_error *err)
{
    const struct comb_sql_statement statement = {.text = comb_mutation_dialect_of(sql)->feed_head};
    const struct comb_sql_request request = {COMB_SQL_READ, 0, &statement, 1};
    const struct comb_sql_result *result;
    struct comb_sql_info info;
    enum comb_status status = comb_sql_run(sql, ctx, &request, &result, err);
    if (status != COMB_OK)
        return status;
    comb_sql_get_info(sql, &info);
    *ret_head = (struct comb_position){info.incarnation,
                                       (uint64_t)comb_sql_at(&result->rows[0], 0, 0)->integer};
    return COMB_OK;
}
