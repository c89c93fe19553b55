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

/* The order of COMB_FEED_COLUMNS. */
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
    record->cursor = (struct comb_cursor){incarnation, (uint64_t)row[COLUMN_SEQ].integer};
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

static enum comb_status decode(struct grpcc_arena *arena, uint64_t incarnation,
                               const struct comb_sql_rows *rows,
                               const struct comb_feed_record **ret_records, struct comb_error *err)
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

static uint64_t number_at(const struct comb_sql_rows *rows, size_t column)
{
    return (uint64_t)comb_sql_at(rows, 0, column)->integer;
}

/* ---- the ordered reader ---- */

enum { BOUND_HEAD, BOUND_FLOOR, BOUND_COMPLETE, BOUNDS };

static enum comb_status check_cursor(struct comb_cursor after, const struct comb_sql_rows *bounds,
                                     struct comb_error *err)
{
    if (after.sequence > number_at(bounds, BOUND_HEAD))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_CURSOR_INVALID,
                              "the cursor is ahead of the change feed");
    if (after.sequence < number_at(bounds, BOUND_FLOOR))
        return comb_error_set(err, COMB_OUT_OF_RANGE, COMB_V1_ERROR_REASON_CURSOR_EXPIRED,
                              "the change feed no longer goes back to this cursor; list again and "
                              "go on from a new one");
    return COMB_OK;
}

/* What a read of the feed asks, on one snapshot. */
enum { READ_POSITION, READ_BOUNDS, READ_ENTRIES, READ_STATEMENTS };

static enum comb_status read_rows(struct comb_sql *sql, struct comb_ctx *ctx, uint64_t after,
                                  size_t *max, const struct comb_sql_result **ret_result,
                                  struct comb_error *err)
{
    const struct comb_mutation_dialect *dialect = comb_mutation_dialect_of(sql);
    enum comb_status status;
    for (;; *max /= 2) {
        const struct comb_sql_value params[] = {comb_sql_integer((int64_t)after),
                                                comb_sql_integer((int64_t)*max)};
        const struct comb_sql_statement statements[READ_STATEMENTS] = {
            [READ_POSITION] = {.text = dialect->position},
            [READ_BOUNDS] = {.text = dialect->feed_bounds},
            [READ_ENTRIES] = {dialect->feed_read, params, 2, false},
        };
        const struct comb_sql_request request = {COMB_SQL_SCAN, 0, statements, READ_STATEMENTS};
        status = comb_sql_run(sql, ctx, &request, ret_result, err);
        /* Large payloads: half as many entries may fit into one answer. */
        if (status != COMB_RESOURCE_EXHAUSTED || *max <= 1)
            return status;
    }
}

static enum comb_status take_page(struct comb_sql *sql, struct comb_ctx *ctx,
                                  struct comb_cursor after, size_t max,
                                  const struct comb_sql_result *result,
                                  struct comb_feed_page *ret_page, struct comb_error *err)
{
    uint64_t incarnation = comb_sql_incarnation(sql);
    const struct comb_sql_rows *bounds = &result->rows[READ_BOUNDS];
    struct comb_feed_page page = {.n = result->rows[READ_ENTRIES].n_rows, .end = after};
    enum comb_status status = check_cursor(after, bounds, err);
    if (status == COMB_OK)
        status = decode(ctx->arena, incarnation, &result->rows[READ_ENTRIES], &page.records, err);
    if (status != COMB_OK)
        return status;
    page.end.incarnation = incarnation;
    page.complete = (struct comb_position){incarnation, number_at(bounds, BOUND_COMPLETE)};
    if (page.n > 0)
        page.end = page.records[page.n - 1].cursor;
    if (page.n == max)
        page.complete.sequence = comb_mutation_dialect_of(sql)->complete_up_to(page.end.sequence);
    comb_ctx_reach(ctx,
                   (struct comb_position){incarnation, number_at(&result->rows[READ_POSITION], 0)});
    *ret_page = page;
    return COMB_OK;
}

enum comb_status comb_feed_read(struct comb_sql *sql, struct comb_ctx *ctx,
                                struct comb_cursor after, size_t max,
                                struct comb_feed_page *ret_page, struct comb_error *err)
{
    if (!comb_sql_is_history(sql, after.incarnation) || after.sequence > INT64_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_CURSOR_INVALID,
                              "the cursor is of another history of this installation");
    const struct comb_sql_result *result;
    max = max < READ_MAX ? max : READ_MAX;
    enum comb_status status = read_rows(sql, ctx, after.sequence, &max, &result, err);
    if (status != COMB_OK)
        return status;
    status = take_page(sql, ctx, after, max, result, ret_page, err);
    if (status != COMB_OK && err)
        err->domain = domain;
    return status;
}

/* One of the bounds. */
static enum comb_status read_bound(struct comb_sql *sql, struct comb_ctx *ctx, size_t bound,
                                   struct comb_cursor *ret_cursor, struct comb_error *err)
{
    const struct comb_mutation_dialect *dialect = comb_mutation_dialect_of(sql);
    const struct comb_sql_statement statements[] = {{.text = dialect->position},
                                                    {.text = dialect->feed_bounds}};
    const struct comb_sql_request request = {COMB_SQL_READ, 0, statements, 2};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(sql, ctx, &request, &result, err);
    if (status != COMB_OK)
        return status;
    uint64_t incarnation = comb_sql_incarnation(sql);
    comb_ctx_reach(ctx, (struct comb_position){incarnation, number_at(&result->rows[0], 0)});
    *ret_cursor = (struct comb_cursor){incarnation, number_at(&result->rows[1], bound)};
    return COMB_OK;
}

enum comb_status comb_feed_head(struct comb_sql *sql, struct comb_ctx *ctx,
                                struct comb_cursor *ret_head, struct comb_error *err)
{
    return read_bound(sql, ctx, BOUND_HEAD, ret_head, err);
}

enum comb_status comb_feed_oldest(struct comb_sql *sql, struct comb_ctx *ctx,
                                  struct comb_cursor *ret_oldest, struct comb_error *err)
{
    return read_bound(sql, ctx, BOUND_FLOOR, ret_oldest, err);
}

enum comb_status comb_feed_lag(struct comb_sql *sql, struct comb_ctx *ctx, struct comb_cursor after,
                               size_t max, size_t *ret_n, int64_t *ret_oldest_us,
                               struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_integer((int64_t)after.sequence),
                                            comb_sql_integer((int64_t)max)};
    const struct comb_sql_statement statement = {comb_mutation_dialect_of(sql)->feed_lag, params, 2,
                                                 false};
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, &statement, 1};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(sql, ctx, &request, &result, err);
    if (status != COMB_OK)
        return status;
    *ret_n = (size_t)number_at(&result->rows[0], 0);
    *ret_oldest_us = comb_sql_at(&result->rows[0], 0, 1)->integer;
    return COMB_OK;
}

const char *comb_position_sql(struct comb_sql *sql)
{
    return comb_mutation_dialect_of(sql)->position;
}

const char *comb_cursor_sql(struct comb_sql *sql)
{
    return comb_mutation_dialect_of(sql)->feed_bounds;
}

size_t comb_feed_hold(struct comb_sql *sql,
                      struct comb_sql_statement statements[COMB_FEED_HOLD_STATEMENTS])
{
    const struct comb_mutation_dialect *dialect = comb_mutation_dialect_of(sql);
    if (!dialect->feed_lock)
        return 0;
    statements[0] = (struct comb_sql_statement){.text = dialect->feed_lock};
    statements[1] = (struct comb_sql_statement){.text = dialect->feed_is_even, .guard = true};
    return 2;
}

enum comb_status comb_feed_begin_anew(struct comb_sql *sql, struct comb_ctx *ctx,
                                      struct comb_error *err)
{
    const struct comb_mutation_dialect *dialect = comb_mutation_dialect_of(sql);
    if (!dialect->feed_empty)
        return COMB_OK;
    const struct comb_sql_statement statements[] = {{.text = dialect->feed_empty},
                                                    {.text = dialect->floor_anew}};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, statements, 2};
    const struct comb_sql_result *result;
    return comb_sql_run(sql, ctx, &request, &result, err);
}

/* ---- the poll ---- */

enum {
    STATE_POSITION,
    STATE_FLOOR,
    STATE_THROUGH,
    STATE_SNAPSHOT,
    STATE_SESSION,
    STATE_BEAT,
    STATE_COLUMNS
};

const char *comb_feed_heartbeat_sql(struct comb_sql *sql)
{
    return comb_mutation_dialect_of(sql)->heartbeat;
}

static bool is_nothing(const struct comb_feed_mark *mark)
{
    return mark->position.incarnation == 0;
}

size_t comb_feed_poll(struct comb_sql *sql, const struct comb_feed_mark *since, size_t max,
                      struct comb_sql_statement statements[COMB_FEED_POLL_STATEMENTS],
                      struct comb_sql_value params[2])
{
    const struct comb_mutation_dialect *dialect = comb_mutation_dialect_of(sql);
    statements[0] = (struct comb_sql_statement){.text = dialect->poll_state};
    if (is_nothing(since))
        return 1;
    params[0] = dialect->polls_by_snapshot ? comb_sql_text(since->snapshot)
                                           : comb_sql_integer((int64_t)since->through);
    params[1] = comb_sql_integer((int64_t)max);
    statements[1] = (struct comb_sql_statement){dialect->poll, params, 2, false};
    return 2;
}

static enum comb_status decode_state(struct comb_sql *sql, struct grpcc_arena *arena,
                                     const struct comb_sql_rows *rows, struct comb_feed_mark *mark,
                                     struct comb_error *err)
{
    if (rows->n_rows != 1 || rows->n_columns != STATE_COLUMNS ||
        comb_sql_at(rows, 0, STATE_SNAPSHOT)->type != COMB_SQL_TEXT)
        return comb_error_set(err, COMB_INTERNAL, 0, "the state of the feed cannot be read");
    comb_str snapshot = comb_sql_at(rows, 0, STATE_SNAPSHOT)->bytes;
    comb_str session = comb_sql_at(rows, 0, STATE_SESSION)->bytes;
    *mark = (struct comb_feed_mark){
        .position = {comb_sql_incarnation(sql), number_at(rows, STATE_POSITION)},
        .through = number_at(rows, STATE_THROUGH),
        .beat = number_at(rows, STATE_BEAT),
        .snapshot = {grpcc_arena_memdup(arena, snapshot.ptr, snapshot.len), snapshot.len},
    };
    if (!mark->snapshot.ptr)
        return comb_error_no_memory(err);
    if (session.len >= sizeof mark->session)
        return comb_error_set(err, COMB_INTERNAL, 0, "the store's session has too long a name");
    memcpy(mark->session, session.ptr, session.len);
    return COMB_OK;
}

/* What is to be seen of the poll's entries, by a reader who goes on from the last one. */
static void go_on(const struct comb_feed_mark *since, size_t max, struct comb_feed_news *news)
{
    uint64_t next = since->through + 1;
    for (size_t i = 0; i < news->n; i++)
        news->lost |= news->records[i].cursor.sequence != next + i;
    news->more = news->n == max;
    if (news->more)
        news->mark.position.sequence = news->mark.through =
            news->records[news->n - 1].cursor.sequence;
    else
        news->lost |= since->through + news->n != news->mark.through;
}

enum comb_status comb_feed_poll_decode(struct comb_sql *sql, struct grpcc_arena *arena,
                                       const struct comb_feed_mark *since, size_t max,
                                       const struct comb_sql_result *result,
                                       struct comb_feed_news *ret_news, struct comb_error *err)
{
    struct comb_feed_news news = {.n = 0};
    enum comb_status status = decode_state(sql, arena, &result->rows[0], &news.mark, err);
    if (status != COMB_OK)
        return status;
    news.lost = is_nothing(since) ||
                news.mark.position.incarnation != since->position.incarnation ||
                strcmp(news.mark.session, since->session) != 0;
    if (!news.lost) {
        if (news.mark.position.sequence < since->position.sequence)
            return comb_error_set(err, COMB_DATA_LOSS, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                                  "the feed ends at %llu and has been seen up to %llu",
                                  (unsigned long long)news.mark.position.sequence,
                                  (unsigned long long)since->position.sequence);
        status =
            decode(arena, news.mark.position.incarnation, &result->rows[1], &news.records, err);
        if (status != COMB_OK)
            return status;
        news.n = result->rows[1].n_rows;
        if (comb_mutation_dialect_of(sql)->polls_by_snapshot)
            news.lost = news.n == max || number_at(&result->rows[0], STATE_FLOOR) > since->through;
        else
            go_on(since, max, &news);
    }
    *ret_news = news;
    return COMB_OK;
}
