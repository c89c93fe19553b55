/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contents as a stream, and back: the objects that the sql row names as blobs or as parts, in its
 * order. The key of a record is the object's key and the offset of its bytes; the last record of
 * each has the offset UINT64_MAX, and its size and SHA-256 as its value.
 */
#include <stdio.h>
#include <string.h>

#include "server/core/clock.h"
#include "server/core/log.h"
#include "server/core/memory.h"
#include "server/move/move.h"
#include "server/move/record.h"

/* What one page of names, or one piece of a content, may take. */
#define STEP_MS 60000
#define PAGE_NAMES 200
static const char PART[] = "object";

/* In the order of their keys. What is doomed is on its way out, and no node names it. */
static const char blobs_first[] = "SELECT session, id, size, sha256, id, size FROM blob"
                                  " WHERE session IS NOT NULL AND doomed = 0 ORDER BY id LIMIT 200";
static const char blobs_next[] =
    "SELECT session, id, size, sha256, id, size FROM blob"
    " WHERE session IS NOT NULL AND doomed = 0 AND id > ?1 ORDER BY id LIMIT 200";
static const char parts_first[] =
    "SELECT session, object, size, sha256, blob, \"offset\" FROM blob_part"
    " ORDER BY blob, \"offset\" LIMIT 200";
static const char parts_next[] =
    "SELECT session, object, size, sha256, blob, \"offset\" FROM blob_part"
    " WHERE (blob, \"offset\") > (?1, ?2) ORDER BY blob, \"offset\" LIMIT 200";
enum { SESSION, OBJECT, SIZE, SHA256, KEY_ID, KEY_OFFSET };

struct row_data {
    struct comb_move_row base;
    struct comb_blobs *blobs;
    struct comb_sql_snapshot *names;
    struct comb_move_faults faults;
    uint8_t *buffer; /* COMB_MOVE_CHUNK_BYTES */
    struct comb_sha256 sha;
    bool has_sha;

    /* of what comes in */
    struct grpcc_arena *arena; /* the writer's */
    struct comb_blob_writer *writer;
    char writing[COMB_BLOB_KEY_MAX];
    bool skips; /* it is here already */
};

static struct comb_ctx step(struct grpcc_arena *arena)
{
    return (struct comb_ctx){.arena = arena, .deadline_ns = comb_clock_in_ms(STEP_MS)};
}

/* ---- out ---- */

static enum comb_status give_piece(const struct comb_move_sink *sink, comb_str key, uint64_t offset,
                                   comb_str value, struct comb_error *err)
{
    struct comb_buf buf;
    comb_buf_init(&buf, COMB_MOVE_KEY_BYTES_MAX);
    bool ok = move_put_bytes(&buf, key) && move_put_u64(&buf, offset);
    const struct comb_move_record record = {comb_str_from(PART), comb_buf_str(&buf), value};
    enum comb_status status = ok ? sink->take(sink->data, &record, err) : comb_error_no_memory(err);
    comb_buf_done(&buf);
    return status;
}

static void note_fault(struct row_data *row, uint64_t *count, comb_str key)
{
    ++*count;
    if (!row->faults.first[0])
        snprintf(row->faults.first, sizeof row->faults.first, "%.*s", COMB_STR_ARG(key));
    comb_log(COMB_LOG_WARN, "move",
             count == &row->faults.missing ? "a content is missing" : "a content is damaged",
             comb_log_text("key", key));
}

/* Its bytes, then its end. */
static enum comb_status give_bytes(struct row_data *row, const struct comb_move_sink *sink,
                                   comb_str key, struct comb_blob_reader *reader,
                                   const struct comb_sql_value *name, struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    uint8_t end[8 + COMB_SHA256_SIZE];
    uint64_t offset = 0;
    size_t n = 1;
    enum comb_status status = arena ? COMB_OK : comb_error_no_memory(err);
    while (status == COMB_OK && n > 0) {
        struct comb_ctx ctx = step(arena);
        grpcc_arena_reset(arena);
        status = comb_blob_read(row->blobs, &ctx, reader, offset, row->buffer,
                                COMB_MOVE_CHUNK_BYTES, &n, err);
        if (status == COMB_OK && n > 0) {
            comb_sha256_update(&row->sha, row->buffer, n);
            status = give_piece(sink, key, offset, comb_str_of(row->buffer, n), err);
            offset += n;
        }
    }
    grpcc_arena_free(arena);
    if (status != COMB_OK)
        return status;
    for (int i = 0; i < 8; i++)
        end[i] = (uint8_t)(offset >> (56 - 8 * i));
    comb_sha256_finish(&row->sha, end + 8);
    comb_str sha256 = comb_str_of(end + 8, COMB_SHA256_SIZE);
    if (offset != (uint64_t)name[SIZE].integer || !comb_str_equal(sha256, name[SHA256].bytes))
        note_fault(row, &row->faults.damaged, key);
    return give_piece(sink, key, UINT64_MAX, comb_str_of(end, sizeof end), err);
}

static enum comb_status give_object(struct row_data *row, struct comb_ctx *ctx,
                                    const struct comb_move_sink *sink,
                                    const struct comb_sql_value *name, struct comb_error *err)
{
    struct comb_error why = {0};
    struct comb_uuid session, object;
    struct comb_blob_reader *reader = NULL;
    char text[COMB_BLOB_KEY_MAX];
    uint64_t size;
    if (name[SESSION].bytes.len != sizeof session.bytes ||
        name[OBJECT].bytes.len != sizeof object.bytes)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "a content's row is damaged");
    memcpy(session.bytes, name[SESSION].bytes.ptr, sizeof session.bytes);
    memcpy(object.bytes, name[OBJECT].bytes.ptr, sizeof object.bytes);
    comb_str key = comb_blob_key(&session, &object, text);
    ctx->deadline_ns = comb_clock_in_ms(STEP_MS);
    enum comb_status status = comb_blob_open(row->blobs, ctx, key, &reader, &size, &why);
    if (status == COMB_NOT_FOUND) {
        note_fault(row, &row->faults.missing, key);
        return COMB_OK;
    }
    if (status != COMB_OK) {
        if (err)
            *err = why;
        return status;
    }
    status = give_bytes(row, sink, key, reader, name, err);
    comb_blob_close_reader(row->blobs, reader);
    return status;
}

static enum comb_status give_list(struct row_data *row, const struct comb_move_sink *sink,
                                  const char *first, const char *next, size_t n_keys,
                                  struct comb_error *err)
{
    struct grpcc_arena *arenas[2] = {grpcc_arena_new(0), grpcc_arena_new(0)};
    enum comb_status status = arenas[0] && arenas[1] ? COMB_OK : comb_error_no_memory(err);
    const struct comb_sql_value *last = NULL;
    for (int turn = 0; status == COMB_OK; turn = !turn) {
        struct comb_ctx ctx = step(arenas[turn]);
        const struct comb_sql_statement statement = {
            .text = last ? next : first,
            .params = last ? last + KEY_ID : NULL,
            .n_params = last ? n_keys : 0,
        };
        const struct comb_sql_rows *rows;
        grpcc_arena_reset(arenas[turn]);
        status = comb_sql_snapshot_read(row->names, &ctx, &statement, &rows, err);
        for (size_t i = 0; status == COMB_OK && i < rows->n_rows; i++)
            status = give_object(row, &ctx, sink, comb_sql_at(rows, i, 0), err);
        if (status != COMB_OK || rows->n_rows < PAGE_NAMES)
            break;
        last = comb_sql_at(rows, rows->n_rows - 1, 0);
    }
    grpcc_arena_free(arenas[0]);
    grpcc_arena_free(arenas[1]);
    return status;
}

static enum comb_status data_give(struct comb_move_row *self, const struct comb_move_sink *sink,
                                  struct comb_error *err)
{
    struct row_data *row = (struct row_data *)self;
    row->faults = (struct comb_move_faults){.missing = 0};
    enum comb_status status = give_list(row, sink, blobs_first, blobs_next, 1, err);
    return status == COMB_OK ? give_list(row, sink, parts_first, parts_next, 2, err) : status;
}

void comb_move_data_faults(const struct comb_move_row *row, struct comb_move_faults *ret_faults)
{
    *ret_faults = ((const struct row_data *)row)->faults;
}

/* ---- in ---- */

static bool found_one(void *data, comb_str key, uint64_t size)
{
    (void)key;
    (void)size;
    *(bool *)data = false;
    return false;
}

static enum comb_status data_is_empty(struct comb_move_row *self, bool *ret_empty,
                                      struct comb_error *err)
{
    struct comb_ctx ctx = step(grpcc_arena_new(0));
    bool empty = true;
    if (!ctx.arena)
        return comb_error_no_memory(err);
    enum comb_status status =
        comb_blob_list(((struct row_data *)self)->blobs, &ctx, STR(""), found_one, &empty, err);
    if (status == COMB_OK)
        *ret_empty = empty;
    grpcc_arena_free(ctx.arena);
    return status;
}

/* Whether all of the object is here from a copy before: objects become visible whole. */
static bool is_here(struct row_data *row, comb_str key)
{
    struct comb_ctx ctx = step(row->arena);
    struct comb_blob_reader *reader = NULL;
    uint64_t size;
    if (comb_blob_open(row->blobs, &ctx, key, &reader, &size, NULL) != COMB_OK)
        return false;
    comb_blob_close_reader(row->blobs, reader);
    return true;
}

static void drop_writer(struct row_data *row)
{
    if (row->writer)
        comb_blob_abort(row->blobs, row->writer);
    row->writer = NULL;
    row->writing[0] = '\0';
    row->skips = false;
}

static enum comb_status begin_object(struct row_data *row, comb_str key, struct comb_error *err)
{
    drop_writer(row);
    grpcc_arena_reset(row->arena);
    snprintf(row->writing, sizeof row->writing, "%.*s", COMB_STR_ARG(key));
    row->skips = is_here(row, key);
    struct comb_ctx ctx = step(row->arena);
    return row->skips ? COMB_OK : comb_blob_create(row->blobs, &ctx, key, 0, &row->writer, err);
}

static enum comb_status end_object(struct row_data *row, struct comb_error *err)
{
    struct comb_ctx ctx = step(row->arena);
    struct comb_blob_writer *writer = row->writer;
    struct comb_error why = {0};
    row->writer = NULL;
    enum comb_status status = writer ? comb_blob_commit(row->blobs, &ctx, writer, &why) : COMB_OK;
    drop_writer(row);
    /* By a copy before this one, whose answer was lost; it is read again and compared. */
    if (status == COMB_ALREADY_EXISTS)
        return COMB_OK;
    if (status != COMB_OK && err)
        *err = why;
    return status;
}

static enum comb_status data_take(struct comb_move_row *self, const struct comb_move_record *record,
                                  struct comb_error *err)
{
    struct row_data *row = (struct row_data *)self;
    comb_str rest = record->key, key;
    uint64_t offset;
    enum comb_status status = COMB_OK;
    if (!move_get_bytes(&rest, &key) || !move_get_u64(&rest, &offset) ||
        key.len >= sizeof row->writing)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "a content is damaged");
    if (!comb_str_equal(key, comb_str_from(row->writing)))
        status = begin_object(row, key, err);
    if (status != COMB_OK)
        return status;
    if (offset == UINT64_MAX)
        return end_object(row, err);
    struct comb_ctx ctx = step(row->arena);
    return row->skips ? COMB_OK
                      : comb_blob_write(row->blobs, &ctx, row->writer, record->value, err);
}

/* ---- life ---- */

static void data_free(struct comb_move_row *self)
{
    struct row_data *row = (struct row_data *)self;
    drop_writer(row);
    if (row->has_sha)
        comb_sha256_done(&row->sha);
    comb_memory_free(row->buffer);
    grpcc_arena_free(row->arena);
    comb_memory_free(row);
}

static const struct comb_move_row_ops ops = {
    .name = "data",
    .give = data_give,
    .is_empty = data_is_empty,
    .take = data_take,
    .free = data_free,
};

enum comb_status comb_move_data_new(struct comb_blobs *blobs, struct comb_sql_snapshot *names,
                                    struct comb_move_row **ret_row, struct comb_error *err)
{
    struct row_data *row = comb_memory_zalloc(sizeof *row);
    if (!row)
        return comb_error_no_memory(err);
    row->base.ops = &ops;
    row->blobs = blobs;
    row->names = names;
    row->arena = grpcc_arena_new(0);
    row->buffer = comb_memory_alloc(COMB_MOVE_CHUNK_BYTES);
    enum comb_status status =
        row->arena && row->buffer ? comb_sha256_init(&row->sha, err) : comb_error_no_memory(err);
    row->has_sha = status == COMB_OK;
    if (status != COMB_OK) {
        data_free(&row->base);
        return status;
    }
    *ret_row = &row->base;
    return COMB_OK;
}
