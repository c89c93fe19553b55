/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items in the MongoDB database of the docs row: an item is one document, whose keys are an array
 * with a multikey index. Members: _id, at, k keys, body; of a note _id, key (the same, since
 * not every planner uses the index of _id for a range), value, create_us.
 */
#include <stdlib.h>

#include "server/backend/mongo/mongo.h"
#include "server/core/memory.h"
#include "server/items/driver/internal.h"

enum { N_INDEXES = 3 };

struct collection {
    const char *items, *notes;
    const char *by_place, *by_key; /* names of the first two indexes */
    struct comb_mongo_index indexes[N_INDEXES];
};

#define BY_PLACE "{\"at\": 1}"
#define BY_KEY "{\"k\": 1, \"at\": -1}"
#define BY_NOTE "{\"key\": 1}"

static const struct collection collections[] = {
    [COMB_ITEMS_ACTIVITIES] =
        {
            .items = "activity",
            .notes = "activity_note",
            .by_place = "activity_at",
            .by_key = "activity_keys",
            .indexes = {{"activity", "activity_at", BY_PLACE, NULL},
                        {"activity", "activity_keys", BY_KEY, NULL},
                        {"activity_note", "activity_note_key", BY_NOTE, NULL}},
        },
    [COMB_ITEMS_AUDIT] =
        {
            .items = "audit_line",
            .notes = "audit_line_note",
            .by_place = "audit_line_at",
            .by_key = "audit_line_keys",
            .indexes = {{"audit_line", "audit_line_at", BY_PLACE, NULL},
                        {"audit_line", "audit_line_keys", BY_KEY, NULL},
                        {"audit_line_note", "audit_line_note_key", BY_NOTE, NULL}},
        },
    [COMB_ITEMS_LOGS] =
        {
            .items = "log_entry",
            .notes = "log_entry_note",
            .by_place = "log_entry_at",
            .by_key = "log_entry_keys",
            .indexes = {{"log_entry", "log_entry_at", BY_PLACE, NULL},
                        {"log_entry", "log_entry_keys", BY_KEY, NULL},
                        {"log_entry_note", "log_entry_note_key", BY_NOTE, NULL}},
        },
};

struct mongo {
    struct comb_items_store base;
    struct comb_mongo *mongo;
    const struct collection *collection;
};

static const struct collection *collection_of(const struct comb_items_store *self)
{
    return ((const struct mongo *)self)->collection;
}

static struct comb_mongo *mongo_of(struct comb_items_store *self)
{
    return ((struct mongo *)self)->mongo;
}

static void append_text(bson_t *to, const char *name, comb_str text)
{
    bson_append_utf8(to, name, -1, text.len > 0 ? text.ptr : "", (int)text.len);
}

static void append_texts(bson_t *to, const char *name, const comb_str *texts, size_t n)
{
    char number[12];
    const char *key;
    bson_t list;
    bson_append_array_begin(to, name, -1, &list);
    for (size_t i = 0; i < n; i++) {
        bson_uint32_to_string((uint32_t)i, &key, number, sizeof number);
        append_text(&list, key, texts[i]);
    }
    bson_append_array_end(to, &list);
}

/* {name: {$in: texts}} */
static void append_in(bson_t *to, const char *name, const comb_str *texts, size_t n)
{
    bson_t in;
    bson_append_document_begin(to, name, -1, &in);
    append_texts(&in, "$in", texts, n);
    bson_append_document_end(to, &in);
}

/* {VERB: collection, ITEMS: [{q: …}]}: until end_one(). */
static void begin_one(bson_t *command, const char *verb, const char *collection, const char *items,
                      bson_t *list, bson_t *one)
{
    bson_append_utf8(command, verb, -1, collection, -1);
    bson_append_array_begin(command, items, -1, list);
    bson_append_document_begin(list, "0", -1, one);
}

static void end_one(bson_t *command, bson_t *list, bson_t *one)
{
    bson_append_document_end(list, one);
    bson_append_array_end(command, list);
}

/* ---- writing ---- */

static void append_item(bson_t *to, const struct comb_item *item)
{
    append_text(to, "_id", item->id);
    append_text(to, "at", item->at);
    append_texts(to, "k", item->keys, item->n_keys);
    bson_append_binary(to, "body", -1, BSON_SUBTYPE_BINARY, (const uint8_t *)item->body.ptr,
                       (uint32_t)item->body.len);
}

/* Not ordered: those that are there already are refused, the rest is written. */
static enum comb_status mongo_put(struct comb_items_store *self, struct comb_ctx *ctx,
                                  const struct comb_item *items, size_t n, struct comb_error *err)
{
    bson_t command = BSON_INITIALIZER, list, one;
    char number[12];
    const char *key;
    comb_str reply;
    BSON_APPEND_UTF8(&command, "insert", collection_of(self)->items);
    BSON_APPEND_BOOL(&command, "ordered", false);
    bson_append_array_begin(&command, "documents", -1, &list);
    for (size_t i = 0; i < n; i++) {
        bson_uint32_to_string((uint32_t)i, &key, number, sizeof number);
        bson_append_document_begin(&list, key, -1, &one);
        append_item(&one, &items[i]);
        bson_append_document_end(&list, &one);
    }
    bson_append_array_end(&command, &list);
    enum comb_status status = comb_mongo_write(mongo_of(self), ctx, &command, &reply, err);
    bson_destroy(&command);
    if (status != COMB_ALREADY_EXISTS || n == 1)
        return status == COMB_ALREADY_EXISTS ? COMB_OK : status;
    /* What became of another item may hide behind it: each by itself says. */
    status = COMB_OK;
    for (size_t i = 0; i < n && status == COMB_OK; i++)
        status = mongo_put(self, ctx, &items[i], 1, err);
    return status;
}

static enum comb_status mongo_remove(struct comb_items_store *self, struct comb_ctx *ctx,
                                     const comb_str *ats, size_t n, struct comb_error *err)
{
    bson_t command = BSON_INITIALIZER, list, one, query;
    comb_str reply;
    begin_one(&command, "delete", collection_of(self)->items, "deletes", &list, &one);
    bson_append_document_begin(&one, "q", -1, &query);
    append_in(&query, "at", ats, n);
    bson_append_document_end(&one, &query);
    BSON_APPEND_INT32(&one, "limit", 0);
    end_one(&command, &list, &one);
    enum comb_status status = comb_mongo_write(mongo_of(self), ctx, &command, &reply, err);
    bson_destroy(&command);
    return status;
}

/* ---- reading ---- */

static int by_text(const void *a, const void *b)
{
    return comb_str_compare(*(const comb_str *)a, *(const comb_str *)b);
}

/* The item's keys as the document has them, in order, each once. */
static enum comb_status read_keys(struct comb_ctx *ctx, comb_str document, struct comb_item *item,
                                  struct comb_error *err)
{
    bson_iter_t list, count;
    size_t n = 0, room = 0;
    if (!comb_mongo_array(document, "k", &list))
        return COMB_OK;
    for (count = list; bson_iter_next(&count);)
        room++;
    comb_str *keys = grpcc_arena_calloc(ctx->arena, room, sizeof *keys);
    if (!keys)
        return comb_error_no_memory(err);
    while (bson_iter_next(&list)) {
        uint32_t len = 0;
        const char *text = bson_iter_utf8(&list, &len);
        if (text)
            keys[n++] = comb_str_of(text, len);
    }
    qsort(keys, n, sizeof *keys, by_text);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !comb_str_equal(keys[i], keys[i - 1]))
            keys[item->n_keys++] = keys[i];
    }
    item->keys = keys;
    return COMB_OK;
}

static void append_page(bson_t *command, const char *member, int order, size_t max)
{
    bson_t sort;
    bson_append_document_begin(command, "sort", -1, &sort);
    BSON_APPEND_INT32(&sort, member, order);
    bson_append_document_end(command, &sort);
    BSON_APPEND_INT32(command, "limit", (int32_t)max);
    BSON_APPEND_INT32(command, "batchSize", (int32_t)max);
    BSON_APPEND_BOOL(command, "singleBatch", true);
}

static enum comb_status find_items(struct comb_items_store *self, struct comb_ctx *ctx,
                                   const bson_t *command, size_t max,
                                   const struct comb_item **ret_items, size_t *ret_n,
                                   struct comb_error *err)
{
    struct comb_item *items = grpcc_arena_calloc(ctx->arena, max, sizeof *items);
    comb_str reply, document;
    bson_iter_t batch;
    size_t n = 0;
    if (!items)
        return comb_error_no_memory(err);
    enum comb_status status = comb_mongo_read(mongo_of(self), ctx, command, &reply, err);
    if (status != COMB_OK)
        return status;
    if (comb_mongo_array(reply, "cursor.firstBatch", &batch)) {
        for (; status == COMB_OK && n < max && comb_mongo_next(&batch, &document); n++) {
            items[n].id = comb_mongo_text(document, "_id");
            items[n].at = comb_mongo_text(document, "at");
            items[n].body = comb_mongo_bytes(document, "body");
            status = read_keys(ctx, document, &items[n], err);
        }
    }
    if (status != COMB_OK)
        return status;
    *ret_items = items;
    *ret_n = n;
    return COMB_OK;
}

static void append_projection(bson_t *command, bool with_keys)
{
    bson_t projection;
    bson_append_document_begin(command, "projection", -1, &projection);
    BSON_APPEND_INT32(&projection, "at", 1);
    BSON_APPEND_INT32(&projection, "body", 1);
    if (with_keys)
        BSON_APPEND_INT32(&projection, "k", 1);
    bson_append_document_end(command, &projection);
}

static enum comb_status mongo_scan(struct comb_items_store *self, struct comb_ctx *ctx,
                                   const struct comb_item_scan *scan,
                                   const struct comb_item **ret_items, size_t *ret_n,
                                   struct comb_error *err)
{
    bson_t command = BSON_INITIALIZER, filter, range;
    BSON_APPEND_UTF8(&command, "find", collection_of(self)->items);
    bson_append_document_begin(&command, "filter", -1, &filter);
    if (scan->n_keys == 1)
        append_text(&filter, "k", scan->keys[0]);
    else if (scan->n_keys > 1)
        append_in(&filter, "k", scan->keys, scan->n_keys);
    bson_append_document_begin(&filter, "at", -1, &range);
    append_text(&range, "$gt", scan->after.len > 0 ? scan->after : ITEMS_BEFORE_ALL);
    append_text(&range, "$lt", scan->before.len > 0 ? scan->before : ITEMS_AFTER_ALL);
    bson_append_document_end(&filter, &range);
    bson_append_document_end(&command, &filter);
    append_projection(&command, scan->with_keys);
    append_page(&command, "at", scan->is_ascending ? 1 : -1, scan->max);
    BSON_APPEND_UTF8(&command, "hint",
                     scan->n_keys > 0 ? collection_of(self)->by_key
                                      : collection_of(self)->by_place);
    enum comb_status status = find_items(self, ctx, &command, scan->max, ret_items, ret_n, err);
    bson_destroy(&command);
    return status;
}

static enum comb_status mongo_get(struct comb_items_store *self, struct comb_ctx *ctx, comb_str id,
                                  const struct comb_item **ret_item, struct comb_error *err)
{
    bson_t command = BSON_INITIALIZER, filter;
    const struct comb_item *items;
    size_t n = 0;
    BSON_APPEND_UTF8(&command, "find", collection_of(self)->items);
    bson_append_document_begin(&command, "filter", -1, &filter);
    append_text(&filter, "_id", id);
    bson_append_document_end(&command, &filter);
    append_projection(&command, false);
    BSON_APPEND_INT32(&command, "limit", 1);
    BSON_APPEND_BOOL(&command, "singleBatch", true);
    enum comb_status status = find_items(self, ctx, &command, 1, &items, &n, err);
    bson_destroy(&command);
    if (status == COMB_OK)
        *ret_item = n > 0 ? items : NULL;
    return status;
}

/* Without a query the store counts by what it knows of the collection. */
static enum comb_status mongo_count(struct comb_items_store *self, struct comb_ctx *ctx,
                                    uint64_t *ret_n, struct comb_error *err)
{
    bson_t command = BSON_INITIALIZER;
    comb_str reply;
    BSON_APPEND_UTF8(&command, "count", collection_of(self)->items);
    enum comb_status status = comb_mongo_read(mongo_of(self), ctx, &command, &reply, err);
    bson_destroy(&command);
    if (status == COMB_OK)
        *ret_n = (uint64_t)comb_mongo_integer(reply, "n", 0);
    return status;
}

/* ---- notes ---- */

/* {q: {_id: key}, u: {$max: {value}, $setOnInsert: {key, create_us}}, upsert: true} */
static enum comb_status raise_once(struct comb_items_store *self, struct comb_ctx *ctx,
                                   const struct comb_item_note *note, struct comb_error *err)
{
    bson_t command = BSON_INITIALIZER, list, one, query, update, members;
    comb_str reply;
    begin_one(&command, "update", collection_of(self)->notes, "updates", &list, &one);
    bson_append_document_begin(&one, "q", -1, &query);
    append_text(&query, "_id", note->key);
    bson_append_document_end(&one, &query);
    bson_append_document_begin(&one, "u", -1, &update);
    bson_append_document_begin(&update, "$max", -1, &members);
    append_text(&members, "value", note->value);
    bson_append_document_end(&update, &members);
    bson_append_document_begin(&update, "$setOnInsert", -1, &members);
    append_text(&members, "key", note->key);
    BSON_APPEND_INT64(&members, "create_us", note->create_us);
    bson_append_document_end(&update, &members);
    bson_append_document_end(&one, &update);
    BSON_APPEND_BOOL(&one, "upsert", true);
    end_one(&command, &list, &one);
    enum comb_status status = comb_mongo_write(mongo_of(self), ctx, &command, &reply, err);
    bson_destroy(&command);
    return status;
}

static enum comb_status mongo_raise(struct comb_items_store *self, struct comb_ctx *ctx,
                                    const struct comb_item_note *note, struct comb_error *err)
{
    enum comb_status status = raise_once(self, ctx, note, err);
    /* Somebody else has made it in between: now it is there to be raised. */
    return status == COMB_ALREADY_EXISTS ? raise_once(self, ctx, note, err) : status;
}

static enum comb_status mongo_unset(struct comb_items_store *self, struct comb_ctx *ctx,
                                    comb_str key, struct comb_error *err)
{
    bson_t command = BSON_INITIALIZER, list, one, query;
    comb_str reply;
    begin_one(&command, "delete", collection_of(self)->notes, "deletes", &list, &one);
    bson_append_document_begin(&one, "q", -1, &query);
    append_text(&query, "_id", key);
    bson_append_document_end(&one, &query);
    BSON_APPEND_INT32(&one, "limit", 1);
    end_one(&command, &list, &one);
    enum comb_status status = comb_mongo_write(mongo_of(self), ctx, &command, &reply, err);
    bson_destroy(&command);
    return status;
}

static enum comb_status mongo_notes(struct comb_items_store *self, struct comb_ctx *ctx,
                                    comb_str from, comb_str to, size_t max,
                                    const struct comb_item_note **ret_notes, size_t *ret_n,
                                    struct comb_error *err)
{
    struct comb_item_note *notes = grpcc_arena_calloc(ctx->arena, max, sizeof *notes);
    bson_t command = BSON_INITIALIZER, filter, range;
    comb_str reply, document;
    bson_iter_t batch;
    size_t n = 0;
    if (!notes)
        return comb_error_no_memory(err);
    BSON_APPEND_UTF8(&command, "find", collection_of(self)->notes);
    bson_append_document_begin(&command, "filter", -1, &filter);
    bson_append_document_begin(&filter, "key", -1, &range);
    append_text(&range, "$gte", from);
    append_text(&range, "$lt", to);
    bson_append_document_end(&filter, &range);
    bson_append_document_end(&command, &filter);
    append_page(&command, "key", 1, max);
    enum comb_status status = comb_mongo_read(mongo_of(self), ctx, &command, &reply, err);
    bson_destroy(&command);
    if (status != COMB_OK)
        return status;
    if (comb_mongo_array(reply, "cursor.firstBatch", &batch)) {
        for (; n < max && comb_mongo_next(&batch, &document); n++) {
            notes[n].key = comb_mongo_text(document, "key");
            notes[n].value = comb_mongo_text(document, "value");
            notes[n].create_us = comb_mongo_integer(document, "create_us", 0);
        }
    }
    *ret_notes = notes;
    *ret_n = n;
    return COMB_OK;
}

static void mongo_close(struct comb_items_store *self)
{
    comb_memory_free(self);
}

static const struct comb_items_driver mongo_driver = {
    .name = "mongo",
    .put = mongo_put,
    .scan = mongo_scan,
    .get = mongo_get,
    .remove = mongo_remove,
    .count = mongo_count,
    .raise = mongo_raise,
    .unset = mongo_unset,
    .notes = mongo_notes,
    .close = mongo_close,
};

enum comb_status items_mongo_open(struct comb_mongo *mongo, enum comb_items items,
                                  struct comb_items_store **ret_store, struct comb_error *err)
{
    struct mongo *store = comb_memory_zalloc(sizeof *store);
    if (!store)
        return comb_error_no_memory(err);
    store->base.driver = &mongo_driver;
    store->mongo = mongo;
    store->collection = &collections[items];
    enum comb_status status = comb_mongo_declare(mongo, store->collection->indexes, N_INDEXES, err);
    if (status == COMB_OK)
        *ret_store = &store->base;
    else
        comb_memory_free(store);
    return status;
}
