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
#include "server/move/content.h"
#include "server/move/lanes.h"
#include "server/move/move.h"
#include "server/move/record.h"

/* What one page of names, or one piece of a large content, may take. */
#define STEP_MS 60000
#define PAGE_NAMES 200
static const char PART[] = "object";

/* Objects go as they are stored: what is encrypted stays so. */
#define STORED "coalesce(stored, size), coalesce(stored_sha256, sha256)"
/* In the order of their keys. What is doomed is on its way out, and no node names it. */
static const char blobs_first[] = "SELECT session, id, " STORED ", id, size FROM blob"
                                  " WHERE session IS NOT NULL AND doomed = 0 ORDER BY id LIMIT 200";
static const char blobs_next[] =
    "SELECT session, id, " STORED ", id, size FROM blob"
    " WHERE session IS NOT NULL AND doomed = 0 AND id > ?1 ORDER BY id LIMIT 200";
static const char parts_first[] =
    "SELECT session, object, " STORED ", blob, \"offset\" FROM blob_part"
    " ORDER BY blob, \"offset\" LIMIT 200";
static const char parts_next[] =
    "SELECT session, object, " STORED ", blob, \"offset\" FROM blob_part"
    " WHERE (blob, \"offset\") > (?1, ?2) ORDER BY blob, \"offset\" LIMIT 200";
enum { SESSION, OBJECT, SIZE, SHA256, KEY_ID, KEY_OFFSET };

struct row_data {
    struct comb_move_row base;
    struct comb_blobs *blobs;
    struct comb_sql_snapshot *names;
    struct comb_move_faults faults;
    struct move_lanes *lanes;
    struct move_content contents[COMB_MOVE_AT_ONCE_MAX]; /* used in turn */
    size_t turn;
    uint8_t *buffer; /* COMB_MOVE_CHUNK_BYTES */
    struct comb_sha256 sha;
    bool has_sha;

    /* of what comes in */
    struct move_content *taking; /* whose end has not come; NULL: none */
    uint64_t n_absent;           /* that were not here one after the other */
};

static struct comb_ctx step(struct grpcc_arena *arena)
{
    return (struct comb_ctx){.arena = arena, .deadline_ns = comb_clock_in_ms(STEP_MS)};
}

/* The next one in turn, which nobody is at: the lanes are not full. */
static struct move_content *next_content(struct row_data *row)
{
    return &row->contents[row->turn % COMB_MOVE_AT_ONCE_MAX];
}

static void put_content(struct row_data *row, void (*run)(void *item))
{
    move_lanes_put(row->lanes, run, next_content(row));
    row->turn++;
}

/* Not before there is something to do. */
static enum comb_status start_lanes(struct row_data *row, struct comb_error *err)
{
    return row->lanes ? COMB_OK : move_lanes_new(&row->lanes, err);
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

static enum comb_status give_pieces(struct row_data *row, const struct comb_move_sink *sink,
                                    comb_str key, uint64_t *offset, comb_str bytes,
                                    struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    comb_sha256_update(&row->sha, bytes.ptr, bytes.len);
    while (status == COMB_OK && bytes.len > 0) {
        size_t n = bytes.len < COMB_MOVE_CHUNK_BYTES ? bytes.len : COMB_MOVE_CHUNK_BYTES;
        status = give_piece(sink, key, *offset, comb_str_of(bytes.ptr, n), err);
        *offset += n;
        bytes = comb_str_of(bytes.ptr + n, bytes.len - n);
    }
    return status;
}

/* What is behind the bytes that are in memory. */
static enum comb_status give_rest(struct row_data *row, const struct comb_move_sink *sink,
                                  struct move_content *content, uint64_t *offset,
                                  struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    size_t n = 1;
    while (status == COMB_OK && n > 0) {
        struct comb_ctx ctx = step(content->arena);
        grpcc_arena_reset(content->arena);
        status = comb_blob_read(row->blobs, &ctx, content->reader, *offset, row->buffer,
                                COMB_MOVE_CHUNK_BYTES, &n, err);
        if (status == COMB_OK)
            status = give_pieces(row, sink, content->key, offset, comb_str_of(row->buffer, n), err);
    }
    return status;
}

/* Its bytes, then its end. */
static enum comb_status give_bytes(struct row_data *row, const struct comb_move_sink *sink,
                                   struct move_content *content, struct comb_error *err)
{
    uint8_t end[8 + COMB_SHA256_SIZE];
    uint64_t offset = 0;
    enum comb_status status =
        give_pieces(row, sink, content->key, &offset, comb_str_of(content->bytes, content->n), err);
    if (status == COMB_OK && content->n == COMB_MOVE_SMALL_BYTES_MAX)
        status = give_rest(row, sink, content, &offset, err);
    if (status != COMB_OK)
        return status;
    for (int i = 0; i < 8; i++)
        end[i] = (uint8_t)(offset >> (56 - 8 * i));
    comb_sha256_finish(&row->sha, end + 8);
    if (offset != content->size || memcmp(end + 8, content->sha256, COMB_SHA256_SIZE) != 0)
        note_fault(row, &row->faults.damaged, content->key);
    return give_piece(sink, content->key, UINT64_MAX, comb_str_of(end, sizeof end), err);
}

/* The one that was asked for first; OK also where there is none. */
static enum comb_status give_oldest(struct row_data *row, const struct comb_move_sink *sink,
                                    struct comb_error *err)
{
    struct move_content *content = move_lanes_take(row->lanes);
    enum comb_status status = content ? content->status : COMB_OK;
    if (content && status == COMB_NOT_FOUND) {
        note_fault(row, &row->faults.missing, content->key);
        status = COMB_OK;
    } else if (content && status == COMB_OK) {
        status = give_bytes(row, sink, content, err);
    } else if (content && err) {
        *err = content->err;
    }
    if (content)
        move_content_close(content);
    return status;
}

/* Has the object of one row of names read. */
static enum comb_status ask_for(struct row_data *row, const struct comb_move_sink *sink,
                                const struct comb_sql_value *name, struct comb_error *err)
{
    struct comb_uuid session, object;
    struct move_content *content;
    enum comb_status status =
        move_lanes_are_full(row->lanes) ? give_oldest(row, sink, err) : COMB_OK;
    if (status != COMB_OK)
        return status;
    content = next_content(row);
    if (name[SESSION].bytes.len != sizeof session.bytes ||
        name[OBJECT].bytes.len != sizeof object.bytes)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "a content's row is damaged");
    memcpy(session.bytes, name[SESSION].bytes.ptr, sizeof session.bytes);
    memcpy(object.bytes, name[OBJECT].bytes.ptr, sizeof object.bytes);
    memset(content->sha256, 0, sizeof content->sha256);
    if (name[SHA256].bytes.len == sizeof content->sha256)
        memcpy(content->sha256, name[SHA256].bytes.ptr, sizeof content->sha256);
    content->size = (uint64_t)name[SIZE].integer;
    content->key = comb_blob_key(&session, &object, content->key_text);
    put_content(row, move_content_fetch);
    return COMB_OK;
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
            status = ask_for(row, sink, comb_sql_at(rows, i, 0), err);
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
    struct move_content *content;
    row->faults = (struct comb_move_faults){.missing = 0};
    enum comb_status status = start_lanes(row, err);
    if (status == COMB_OK)
        status = give_list(row, sink, blobs_first, blobs_next, 1, err);
    if (status == COMB_OK)
        status = give_list(row, sink, parts_first, parts_next, 2, err);
    for (int i = 0; status == COMB_OK && i < COMB_MOVE_AT_ONCE_MAX; i++)
        status = give_oldest(row, sink, err);
    /* After a failure: what was asked for is dropped. */
    while (row->lanes && (content = move_lanes_take(row->lanes)))
        move_content_close(content);
    return status;
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

static enum comb_status note_taken(struct row_data *row, const struct move_content *content,
                                   struct comb_error *err)
{
    row->n_absent = content->was_there ? 0 : row->n_absent + 1;
    if (content->status != COMB_OK && err)
        *err = content->err;
    return content->status;
}

/* The one that was put first has been written; OK also where there is none. */
static enum comb_status end_oldest(struct row_data *row, struct comb_error *err)
{
    const struct move_content *content = move_lanes_take(row->lanes);
    return content ? note_taken(row, content, err) : COMB_OK;
}

static enum comb_status begin_taking(struct row_data *row, comb_str key, struct comb_error *err)
{
    enum comb_status status = start_lanes(row, err);
    if (row->taking)
        move_content_close(row->taking);
    row->taking = NULL;
    if (status == COMB_OK && move_lanes_are_full(row->lanes))
        status = end_oldest(row, err);
    if (status != COMB_OK)
        return status;
    row->taking = next_content(row);
    /* A copy before this one came in the same order, and was at so many at once: behind more than
     * these that are not here there is none. */
    move_content_begin(row->taking, key, row->n_absent <= COMB_MOVE_AT_ONCE_MAX);
    return COMB_OK;
}

static enum comb_status end_taking(struct row_data *row, struct comb_error *err)
{
    struct move_content *content = row->taking;
    row->taking = NULL;
    if (!content->is_large) {
        put_content(row, move_content_store);
        return COMB_OK;
    }
    move_content_store(content);
    return note_taken(row, content, err);
}

static enum comb_status data_take(struct comb_move_row *self, const struct comb_move_record *record,
                                  struct comb_error *err)
{
    struct row_data *row = (struct row_data *)self;
    comb_str rest = record->key, key;
    uint64_t offset;
    enum comb_status status = COMB_OK;
    if (!move_get_bytes(&rest, &key) || !move_get_u64(&rest, &offset) ||
        key.len >= COMB_BLOB_KEY_MAX || record->value.len > COMB_MOVE_CHUNK_BYTES)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "a content is damaged");
    if (!row->taking || !comb_str_equal(key, row->taking->key))
        status = begin_taking(row, key, err);
    if (status != COMB_OK)
        return status;
    return offset == UINT64_MAX ? end_taking(row, err)
                                : move_content_add(row->taking, record->value, err);
}

static enum comb_status data_flush(struct comb_move_row *self, struct comb_error *err)
{
    struct row_data *row = (struct row_data *)self;
    enum comb_status status = COMB_OK;
    for (int i = 0; row->lanes && status == COMB_OK && i < COMB_MOVE_AT_ONCE_MAX; i++)
        status = end_oldest(row, err);
    return status;
}

/* ---- life ---- */

static void data_free(struct comb_move_row *self)
{
    struct row_data *row = (struct row_data *)self;
    move_lanes_free(row->lanes);
    for (size_t i = 0; i < COMB_MOVE_AT_ONCE_MAX; i++)
        move_content_done(&row->contents[i]);
    if (row->has_sha)
        comb_sha256_done(&row->sha);
    comb_memory_free(row->buffer);
    comb_memory_free(row);
}

static const struct comb_move_row_ops ops = {
    .name = "data",
    .give = data_give,
    .is_empty = data_is_empty,
    .take = data_take,
    .flush = data_flush,
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
    row->buffer = comb_memory_alloc(COMB_MOVE_CHUNK_BYTES);
    enum comb_status status =
        row->buffer ? comb_sha256_init(&row->sha, err) : comb_error_no_memory(err);
    row->has_sha = status == COMB_OK;
    for (size_t i = 0; status == COMB_OK && i < COMB_MOVE_AT_ONCE_MAX; i++)
        status = move_content_init(&row->contents[i], blobs, err);
    if (status != COMB_OK) {
        data_free(&row->base);
        return status;
    }
    *ret_row = &row->base;
    return COMB_OK;
}
