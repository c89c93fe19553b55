/* SPDX-License-Identifier: Apache-2.0 */
/* Items in the SQLite file of the docs row: a row an item, and one for each of its keys. */
#include <stdlib.h>

#include "server/backend/sql/sql.h"
#include "server/backend/sql/sql_read.h"
#include "server/core/memory.h"
#include "server/items/driver/internal.h"

/* One collection: its tables, whose names begin with its own, and its statements. */
struct collection {
    struct comb_sql_migration migration;
    const char *insert;
    const char *insert_keys; /* ?1 at, ?2 a JSON array of keys */
    const char *of_key, *of_key_ascending, *of_all, *of_all_ascending;
    const char *fetch; /* ?1 a JSON array of places, in whose order the rows come */
    const char *keys;  /* likewise */
    const char *get, *remove_keys, *remove, *count, *raise, *unset, *notes;
};

#define TABLES(name)                                                                               \
    "CREATE TABLE " name " (at TEXT PRIMARY KEY NOT NULL, id TEXT NOT NULL UNIQUE,"                \
    " body BLOB NOT NULL) STRICT;"                                                                 \
    "CREATE TABLE " name "_key (key TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (key, at))"       \
    " STRICT, WITHOUT ROWID;"                                                                      \
    "CREATE INDEX " name "_key_at ON " name "_key (at);"                                           \
    "CREATE TABLE " name "_note (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL,"              \
    " create_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

#define COLLECTION(area, name)                                                                     \
    {                                                                                              \
        .migration = {area, 1, TABLES(name)},                                                      \
        .insert = "INSERT OR IGNORE INTO " name " (at, id, body) VALUES (?1, ?2, ?3)",             \
        .insert_keys = "INSERT OR IGNORE INTO " name "_key (key, at)"                              \
                       " SELECT value, ?1 FROM json_each(?2)",                                     \
        .of_key = "SELECT at FROM " name "_key WHERE key = ?1 AND at > ?2"                         \
                  " AND at < ?3 ORDER BY at DESC LIMIT ?4",                                        \
        .of_key_ascending = "SELECT at FROM " name "_key WHERE key = ?1 AND at > ?2"               \
                            " AND at < ?3 ORDER BY at LIMIT ?4",                                   \
        .of_all = "SELECT at, id, body FROM " name " WHERE at > ?1 AND at < ?2"                    \
                  " ORDER BY at DESC LIMIT ?3",                                                    \
        .of_all_ascending = "SELECT at, id, body FROM " name " WHERE at > ?1 AND at < ?2"          \
                            " ORDER BY at LIMIT ?3",                                               \
        .fetch = "SELECT item.at, item.id, body FROM json_each(?1) CROSS JOIN"                     \
                 " " name " AS item ON item.at = value",                                           \
        .keys = "SELECT at, " name "_key.key FROM json_each(?1) CROSS JOIN " name                  \
                "_key ON at = value",                                                              \
        .get = "SELECT at, id, body FROM " name " WHERE id = ?1",                                  \
        .remove_keys = "DELETE FROM " name "_key WHERE at IN (SELECT value FROM json_each(?1))",   \
        .remove = "DELETE FROM " name " WHERE at IN (SELECT value FROM json_each(?1))",            \
        .count = "SELECT count(*) FROM " name,                                                     \
        .raise = "INSERT INTO " name "_note (key, value, create_us) VALUES (?1, ?2, ?3)"           \
                 " ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",            \
        .unset = "DELETE FROM " name "_note WHERE key = ?1",                                       \
        .notes = "SELECT key, value, create_us FROM " name "_note WHERE key >= ?1"                 \
                 " AND key < ?2 ORDER BY key LIMIT ?3",                                            \
    }

static const struct collection collections[] = {
    [COMB_ITEMS_ACTIVITIES] = COLLECTION("activities", "activity"),
    [COMB_ITEMS_AUDIT] = COLLECTION("audit", "audit_line"),
    [COMB_ITEMS_LOGS] = COLLECTION("logs", "log_entry"),
};

struct sqlite {
    struct comb_items_store base;
    struct comb_sql *sql;
    const struct collection *collection;
};

static const struct collection *collection_of(const struct comb_items_store *self)
{
    return ((const struct sqlite *)self)->collection;
}

static enum comb_status run(struct comb_items_store *self, struct comb_ctx *ctx,
                            enum comb_sql_kind kind, const struct comb_sql_statement *statements,
                            size_t n, const struct comb_sql_result **ret_result,
                            struct comb_error *err)
{
    const struct comb_sql_request request = {kind, 0, statements, n};
    return comb_sql_run(((struct sqlite *)self)->sql, ctx, &request, ret_result, err);
}

/* ["a","b"]; the texts have nothing that JSON would escape. ptr NULL: no room. */
static comb_str to_json(struct grpcc_arena *arena, const comb_str *texts, size_t n)
{
    size_t size = 2, len = 0;
    for (size_t i = 0; i < n; i++)
        size += texts[i].len + 3;
    char *json = grpcc_arena_alloc(arena, size);
    if (!json)
        return (comb_str){0};
    json[len++] = '[';
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            json[len++] = ',';
        json[len++] = '"';
        memcpy(json + len, texts[i].ptr, texts[i].len);
        len += texts[i].len;
        json[len++] = '"';
    }
    json[len++] = ']';
    return comb_str_of(json, len);
}

/* ---- writing ---- */

/* Items of one request. */
enum { PUT_MAX = COMB_SQL_STATEMENTS_MAX / 2 };

static enum comb_status put_some(struct comb_items_store *self, struct comb_ctx *ctx,
                                 const struct comb_item *items, size_t n, struct comb_error *err)
{
    struct comb_sql_value rows[PUT_MAX][3], keys[PUT_MAX][2];
    struct comb_sql_statement statements[2 * PUT_MAX];
    const struct comb_sql_result *result;
    for (size_t i = 0; i < n; i++) {
        comb_str json = to_json(ctx->arena, items[i].keys, items[i].n_keys);
        if (!json.ptr)
            return comb_error_no_memory(err);
        rows[i][0] = keys[i][0] = comb_sql_text(items[i].at);
        rows[i][1] = comb_sql_text(items[i].id);
        rows[i][2] = comb_sql_blob(items[i].body);
        keys[i][1] = comb_sql_text(json);
        statements[2 * i] =
            (struct comb_sql_statement){collection_of(self)->insert, rows[i], 3, false};
        statements[2 * i + 1] =
            (struct comb_sql_statement){collection_of(self)->insert_keys, keys[i], 2, false};
    }
    return run(self, ctx, COMB_SQL_WRITE, statements, 2 * n, &result, err);
}

static enum comb_status sqlite_put(struct comb_items_store *self, struct comb_ctx *ctx,
                                   const struct comb_item *items, size_t n, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    for (size_t at = 0; at < n && status == COMB_OK; at += PUT_MAX)
        status = put_some(self, ctx, items + at, n - at < PUT_MAX ? n - at : PUT_MAX, err);
    return status;
}

static enum comb_status sqlite_remove(struct comb_items_store *self, struct comb_ctx *ctx,
                                      const comb_str *ats, size_t n, struct comb_error *err)
{
    const comb_str json = to_json(ctx->arena, ats, n);
    const struct comb_sql_value param = comb_sql_text(json);
    const struct comb_sql_statement statements[] = {
        {collection_of(self)->remove_keys, &param, 1, false},
        {collection_of(self)->remove, &param, 1, false}};
    const struct comb_sql_result *result;
    if (!json.ptr)
        return comb_error_no_memory(err);
    return run(self, ctx, COMB_SQL_WRITE, statements, 2, &result, err);
}

/* ---- reading ---- */

static enum comb_status take_items(const struct comb_sql_rows *rows, struct comb_ctx *ctx,
                                   struct comb_item **ret_items, size_t *ret_n,
                                   struct comb_error *err)
{
    struct comb_item *items = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *items);
    if (!items)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows; i++) {
        const struct comb_sql_value *row = comb_sql_at(rows, i, 0);
        items[i] = (struct comb_item){.at = row[0].bytes, .id = row[1].bytes, .body = row[2].bytes};
    }
    *ret_items = items;
    *ret_n = rows->n_rows;
    return COMB_OK;
}

static enum comb_status run_items(struct comb_items_store *self, struct comb_ctx *ctx,
                                  const struct comb_sql_statement *statement,
                                  struct comb_item **ret_items, size_t *ret_n,
                                  struct comb_error *err)
{
    const struct comb_sql_result *result;
    enum comb_status status = run(self, ctx, COMB_SQL_SCAN, statement, 1, &result, err);
    return status == COMB_OK ? take_items(&result->rows[0], ctx, ret_items, ret_n, err) : status;
}

static int newest_first(const void *a, const void *b)
{
    return comb_str_compare(*(const comb_str *)b, *(const comb_str *)a);
}

static int oldest_first(const void *a, const void *b)
{
    return newest_first(b, a);
}

/* The places, in an array of JSON. ptr NULL: no room. */
static comb_str places_of(struct comb_ctx *ctx, const struct comb_item *items, size_t n)
{
    comb_str *ats = grpcc_arena_calloc(ctx->arena, n, sizeof *ats);
    for (size_t i = 0; ats && i < n; i++)
        ats[i] = items[i].at;
    return ats ? to_json(ctx->arena, ats, n) : (comb_str){0};
}

/* Gives items their keys. */
static enum comb_status add_keys(struct comb_items_store *self, struct comb_ctx *ctx,
                                 struct comb_item *items, size_t n, struct comb_error *err)
{
    const struct comb_sql_value param = comb_sql_text(places_of(ctx, items, n));
    const struct comb_sql_statement statement = {collection_of(self)->keys, &param, 1, false};
    const struct comb_sql_result *result;
    if (!param.bytes.ptr)
        return comb_error_no_memory(err);
    enum comb_status status = run(self, ctx, COMB_SQL_SCAN, &statement, 1, &result, err);
    if (status != COMB_OK)
        return status;
    const struct comb_sql_rows *rows = &result->rows[0];
    comb_str *keys = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *keys);
    if (!keys)
        return comb_error_no_memory(err);
    struct comb_item *item = NULL; /* whose keys come: those of one follow each other */
    for (size_t row = 0; row < rows->n_rows; row++) {
        comb_str at = comb_sql_at(rows, row, 0)->bytes;
        keys[row] = comb_sql_at(rows, row, 1)->bytes;
        if (!item || !comb_str_equal(item->at, at)) {
            for (item = items; !comb_str_equal(item->at, at);)
                item++;
            item->keys = &keys[row];
        }
        item->n_keys++;
    }
    for (size_t i = 0; i < n; i++) {
        if (items[i].n_keys > 1)
            qsort(keys + (items[i].keys - keys), items[i].n_keys, sizeof *keys, oldest_first);
    }
    return COMB_OK;
}

/* Keeps the first max of places in the order of the scan, each once; returns how many. */
static size_t merge(comb_str *ats, size_t n, const struct comb_item_scan *scan)
{
    size_t kept = 0;
    qsort(ats, n, sizeof *ats, scan->is_ascending ? oldest_first : newest_first);
    for (size_t i = 0; i < n && kept < scan->max; i++) {
        if (kept == 0 || !comb_str_equal(ats[kept - 1], ats[i]))
            ats[kept++] = ats[i];
    }
    return kept;
}

/* The first places of all the keys; ats has room for max of each key of a request. */
static enum comb_status find_places(struct comb_items_store *self, struct comb_ctx *ctx,
                                    const struct comb_item_scan *scan, comb_str before,
                                    comb_str *ats, size_t *ret_n, struct comb_error *err)
{
    struct comb_sql_value params[COMB_SQL_STATEMENTS_MAX][4];
    struct comb_sql_statement statements[COMB_SQL_STATEMENTS_MAX];
    const struct collection *collection = collection_of(self);
    const char *text = scan->is_ascending ? collection->of_key_ascending : collection->of_key;
    const struct comb_sql_result *result;
    size_t n = 0;
    for (size_t first = 0; first < scan->n_keys; first += COMB_SQL_STATEMENTS_MAX) {
        size_t n_keys = scan->n_keys - first;
        if (n_keys > COMB_SQL_STATEMENTS_MAX)
            n_keys = COMB_SQL_STATEMENTS_MAX;
        for (size_t i = 0; i < n_keys; i++) {
            params[i][0] = comb_sql_text(scan->keys[first + i]);
            params[i][1] = comb_sql_text(scan->after);
            params[i][2] = comb_sql_text(before);
            params[i][3] = comb_sql_integer((int64_t)scan->max);
            statements[i] = (struct comb_sql_statement){text, params[i], 4, false};
        }
        enum comb_status status = run(self, ctx, COMB_SQL_SCAN, statements, n_keys, &result, err);
        if (status != COMB_OK)
            return status;
        for (size_t i = 0; i < n_keys; i++) {
            for (size_t row = 0; row < result->rows[i].n_rows; row++)
                ats[n++] = comb_sql_at(&result->rows[i], row, 0)->bytes;
        }
        n = merge(ats, n, scan);
    }
    *ret_n = n;
    return COMB_OK;
}

static enum comb_status sqlite_scan(struct comb_items_store *self, struct comb_ctx *ctx,
                                    const struct comb_item_scan *scan,
                                    const struct comb_item **ret_items, size_t *ret_n,
                                    struct comb_error *err)
{
    comb_str before = scan->before.len > 0 ? scan->before : ITEMS_AFTER_ALL;
    comb_str after = scan->after.len > 0 ? scan->after : ITEMS_BEFORE_ALL;
    if (scan->n_keys == 0) {
        const struct comb_sql_value params[] = {comb_sql_text(after), comb_sql_text(before),
                                                comb_sql_integer((int64_t)scan->max)};
        const struct comb_sql_statement statement = {scan->is_ascending
                                                         ? collection_of(self)->of_all_ascending
                                                         : collection_of(self)->of_all,
                                                     params, 3, false};
        struct comb_item *items;
        enum comb_status status = run_items(self, ctx, &statement, &items, ret_n, err);
        if (status == COMB_OK && scan->with_keys)
            status = add_keys(self, ctx, items, *ret_n, err);
        if (status == COMB_OK)
            *ret_items = items;
        return status;
    }
    size_t room = (COMB_SQL_STATEMENTS_MAX + 1) * scan->max, n = 0;
    struct comb_item_scan bounded = *scan;
    comb_str *ats = grpcc_arena_calloc(ctx->arena, room, sizeof *ats);
    if (!ats)
        return comb_error_no_memory(err);
    bounded.after = after;
    enum comb_status status = find_places(self, ctx, &bounded, before, ats, &n, err);
    if (status != COMB_OK)
        return status;
    const comb_str json = to_json(ctx->arena, ats, n);
    const struct comb_sql_value param = comb_sql_text(json);
    const struct comb_sql_statement statement = {collection_of(self)->fetch, &param, 1, false};
    if (!json.ptr)
        return comb_error_no_memory(err);
    struct comb_item *items;
    status = run_items(self, ctx, &statement, &items, ret_n, err);
    if (status == COMB_OK)
        *ret_items = items;
    return status;
}

static enum comb_status sqlite_get(struct comb_items_store *self, struct comb_ctx *ctx, comb_str id,
                                   const struct comb_item **ret_item, struct comb_error *err)
{
    const struct comb_sql_value param = comb_sql_text(id);
    const struct comb_sql_statement statement = {collection_of(self)->get, &param, 1, false};
    struct comb_item *items;
    size_t n = 0;
    enum comb_status status = run_items(self, ctx, &statement, &items, &n, err);
    if (status == COMB_OK)
        *ret_item = n > 0 ? items : NULL;
    return status;
}

static enum comb_status sqlite_count(struct comb_items_store *self, struct comb_ctx *ctx,
                                     uint64_t *ret_n, struct comb_error *err)
{
    const struct comb_sql_statement statement = {.text = collection_of(self)->count};
    const struct comb_sql_result *result;
    enum comb_status status = run(self, ctx, COMB_SQL_SCAN, &statement, 1, &result, err);
    if (status == COMB_OK)
        *ret_n = (uint64_t)comb_sql_at(&result->rows[0], 0, 0)->integer;
    return status;
}

/* ---- notes ---- */

static enum comb_status sqlite_raise(struct comb_items_store *self, struct comb_ctx *ctx,
                                     const struct comb_item_note *note, struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_text(note->key), comb_sql_text(note->value),
                                            comb_sql_integer(note->create_us)};
    const struct comb_sql_statement statement = {collection_of(self)->raise, params, 3, false};
    const struct comb_sql_result *result;
    return run(self, ctx, COMB_SQL_WRITE, &statement, 1, &result, err);
}

static enum comb_status sqlite_unset(struct comb_items_store *self, struct comb_ctx *ctx,
                                     comb_str key, struct comb_error *err)
{
    const struct comb_sql_value param = comb_sql_text(key);
    const struct comb_sql_statement statement = {collection_of(self)->unset, &param, 1, false};
    const struct comb_sql_result *result;
    return run(self, ctx, COMB_SQL_WRITE, &statement, 1, &result, err);
}

static enum comb_status sqlite_notes(struct comb_items_store *self, struct comb_ctx *ctx,
                                     comb_str from, comb_str to, size_t max,
                                     const struct comb_item_note **ret_notes, size_t *ret_n,
                                     struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_text(from), comb_sql_text(to),
                                            comb_sql_integer((int64_t)max)};
    const struct comb_sql_statement statement = {collection_of(self)->notes, params, 3, false};
    const struct comb_sql_result *result;
    enum comb_status status = run(self, ctx, COMB_SQL_SCAN, &statement, 1, &result, err);
    if (status != COMB_OK)
        return status;
    size_t n = result->rows[0].n_rows;
    struct comb_item_note *notes = grpcc_arena_calloc(ctx->arena, n, sizeof *notes);
    if (!notes)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const struct comb_sql_value *row = comb_sql_at(&result->rows[0], i, 0);
        notes[i] = (struct comb_item_note){row[0].bytes, row[1].bytes, row[2].integer};
    }
    *ret_notes = notes;
    *ret_n = n;
    return COMB_OK;
}

static void sqlite_close(struct comb_items_store *self)
{
    comb_memory_free(self);
}

static const struct comb_items_driver sqlite_driver = {
    .name = "sqlite",
    .put = sqlite_put,
    .scan = sqlite_scan,
    .get = sqlite_get,
    .remove = sqlite_remove,
    .count = sqlite_count,
    .raise = sqlite_raise,
    .unset = sqlite_unset,
    .notes = sqlite_notes,
    .close = sqlite_close,
};

enum comb_status items_sqlite_open(struct comb_sql *sql, enum comb_items items,
                                   struct comb_items_store **ret_store, struct comb_error *err)
{
    enum comb_status status = comb_sql_migrate(sql, &collections[items].migration, 1, err);
    if (status != COMB_OK)
        return status;
    struct sqlite *store = comb_memory_zalloc(sizeof *store);
    if (!store)
        return comb_error_no_memory(err);
    store->base.driver = &sqlite_driver;
    store->sql = sql;
    store->collection = &collections[items];
    *ret_store = &store->base;
    return COMB_OK;
}
