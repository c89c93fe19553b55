/* SPDX-License-Identifier: Apache-2.0 */
/* Documents in the MongoDB database of the docs row: a record is one document. */
#include "server/backend/mongo/mongo.h"
#include "server/core/memory.h"
#include "server/documents/driver/internal.h"

#define COLLECTION "document"

/* Members by order. "at" is beside "_id", which has the same text, since not every planner uses
 * that one's index for a range or together with other members. */
static const char *const members[COMB_DOCUMENT_ORDERS] = {"at", "made", "due", "k0", "k1", "k2",
                                                          "k3", "k4",   "k5",  "k6", "k7"};

#define TEXT_INDEX(member)                                                                         \
    {                                                                                              \
        COLLECTION, COLLECTION "_" member, "{\"" member "\": 1}", "{\"sparse\": true}"             \
    }
static const struct comb_mongo_index indexes[] = {
    TEXT_INDEX("at"),  TEXT_INDEX("made"),
    TEXT_INDEX("due"), TEXT_INDEX("k0"),
    TEXT_INDEX("k1"),  TEXT_INDEX("k2"),
    TEXT_INDEX("k3"),  TEXT_INDEX("k4"),
    TEXT_INDEX("k5"),  TEXT_INDEX("k6"),
    TEXT_INDEX("k7"),  {COLLECTION, COLLECTION "_guard", "{\"at\": 1, \"revision\": 1}", NULL},
};

struct mongo {
    struct comb_documents_store base;
    struct comb_mongo *mongo;
};

static struct comb_mongo *mongo_of(struct comb_documents_store *self)
{
    return ((struct mongo *)self)->mongo;
}

/* Zero-terminated or not. */
static void append_text(bson_t *to, const char *name, comb_str text)
{
    bson_append_utf8(to, name, -1, text.ptr, (int)text.len);
}

/* {NAME: {$gte: from, $lt: to}} */
static void append_range(bson_t *to, const char *name, comb_str from, comb_str until)
{
    bson_t range;
    bson_append_document_begin(to, name, -1, &range);
    append_text(&range, "$gte", from);
    append_text(&range, "$lt", until);
    bson_append_document_end(to, &range);
}

/* ---- reading ---- */

static void to_record(comb_str document, struct comb_document_record *ret)
{
    for (int i = 0; i < COMB_DOCUMENT_ORDERS; i++)
        ret->texts[i] = comb_mongo_text(document, members[i]);
    ret->revision = comb_mongo_integer(document, "revision", 0);
    ret->is_deleted = comb_mongo_integer(document, "is_deleted", 0) != 0;
    ret->body = comb_mongo_text(document, "body");
    ret->requests = comb_mongo_bytes(document, "requests");
    ret->create_us = comb_mongo_integer(document, "create_us", 0);
    ret->update_us = comb_mongo_integer(document, "update_us", 0);
    ret->expire_us = comb_mongo_integer(document, "expire_us", 0);
}

static enum comb_status find(struct comb_documents_store *self, struct comb_ctx *ctx,
                             const bson_t *command, size_t max,
                             const struct comb_document_record **ret_records, size_t *ret_n,
                             struct comb_error *err)
{
    struct comb_document_record *records = grpcc_arena_calloc(ctx->arena, max, sizeof *records);
    comb_str reply, document;
    bson_iter_t batch;
    size_t n = 0;
    if (!records)
        return comb_error_no_memory(err);
    enum comb_status status = comb_mongo_read(mongo_of(self), ctx, command, &reply, err);
    if (status != COMB_OK)
        return status;
    if (comb_mongo_array(reply, "cursor.firstBatch", &batch)) {
        while (n < max && comb_mongo_next(&batch, &document))
            to_record(document, &records[n++]);
    }
    *ret_records = records;
    *ret_n = n;
    return COMB_OK;
}

static void append_page(bson_t *command, size_t max)
{
    BSON_APPEND_INT32(command, "limit", (int32_t)max);
    BSON_APPEND_INT32(command, "batchSize", (int32_t)max);
    BSON_APPEND_BOOL(command, "singleBatch", true);
}

static enum comb_status mongo_get(struct comb_documents_store *self, struct comb_ctx *ctx,
                                  const comb_str *ats, size_t n,
                                  const struct comb_document_record **ret_records, size_t *ret_n,
                                  struct comb_error *err)
{
    bson_t command = BSON_INITIALIZER, filter, in, list;
    char number[12];
    const char *name;
    BSON_APPEND_UTF8(&command, "find", COLLECTION);
    bson_append_document_begin(&command, "filter", -1, &filter);
    bson_append_document_begin(&filter, "_id", -1, &in);
    bson_append_array_begin(&in, "$in", -1, &list);
    for (size_t i = 0; i < n; i++) {
        bson_uint32_to_string((uint32_t)i, &name, number, sizeof number);
        append_text(&list, name, ats[i]);
    }
    bson_append_array_end(&in, &list);
    bson_append_document_end(&filter, &in);
    bson_append_document_end(&command, &filter);
    append_page(&command, n);
    enum comb_status status = find(self, ctx, &command, n, ret_records, ret_n, err);
    bson_destroy(&command);
    return status;
}

static enum comb_status mongo_scan(struct comb_documents_store *self, struct comb_ctx *ctx,
                                   const struct comb_document_scan *scan,
                                   const struct comb_document_record **ret_records, size_t *ret_n,
                                   struct comb_error *err)
{
    const char *member = members[scan->order];
    bson_t command = BSON_INITIALIZER, filter, sort;
    BSON_APPEND_UTF8(&command, "find", COLLECTION);
    bson_append_document_begin(&command, "filter", -1, &filter);
    append_range(&filter, member, scan->from, scan->to);
    bson_append_document_end(&command, &filter);
    bson_append_document_begin(&command, "sort", -1, &sort);
    BSON_APPEND_INT32(&sort, member, scan->is_descending ? -1 : 1);
    bson_append_document_end(&command, &sort);
    append_page(&command, scan->max);
    enum comb_status status = find(self, ctx, &command, scan->max, ret_records, ret_n, err);
    bson_destroy(&command);
    return status;
}

static enum comb_status mongo_count(struct comb_documents_store *self, struct comb_ctx *ctx,
                                    comb_str from, comb_str to, size_t max, size_t *ret_n,
                                    struct comb_error *err)
{
    bson_t command = BSON_INITIALIZER, query;
    comb_str reply;
    BSON_APPEND_UTF8(&command, "count", COLLECTION);
    bson_append_document_begin(&command, "query", -1, &query);
    append_range(&query, "at", from, to);
    bson_append_document_end(&command, &query);
    BSON_APPEND_INT64(&command, "limit", (int64_t)max);
    enum comb_status status = comb_mongo_read(mongo_of(self), ctx, &command, &reply, err);
    bson_destroy(&command);
    if (status == COMB_OK)
        *ret_n = (size_t)comb_mongo_integer(reply, "n", 0);
    return status;
}

/* ---- writing ---- */

static void append_record(bson_t *to, const struct comb_document_record *record)
{
    append_text(to, "_id", record->texts[COMB_DOCUMENT_BY_AT]);
    for (int i = 0; i < COMB_DOCUMENT_ORDERS; i++) {
        if (record->texts[i].ptr)
            append_text(to, members[i], record->texts[i]);
    }
    BSON_APPEND_INT64(to, "revision", record->revision);
    BSON_APPEND_BOOL(to, "is_deleted", record->is_deleted);
    append_text(to, "body", record->body);
    bson_append_binary(to, "requests", -1, BSON_SUBTYPE_BINARY,
                       (const uint8_t *)record->requests.ptr, (uint32_t)record->requests.len);
    BSON_APPEND_INT64(to, "create_us", record->create_us);
    BSON_APPEND_INT64(to, "update_us", record->update_us);
    BSON_APPEND_INT64(to, "expire_us", record->expire_us);
}

/* {insert: "document", documents: [record]} */
static void fill_insert(bson_t *command, const struct comb_document_record *record)
{
    bson_t list, one;
    BSON_APPEND_UTF8(command, "insert", COLLECTION);
    bson_append_array_begin(command, "documents", -1, &list);
    bson_append_document_begin(&list, "0", -1, &one);
    append_record(&one, record);
    bson_append_document_end(&list, &one);
    bson_append_array_end(command, &list);
}

/* {VERB: "document", ITEMS: [{q: {at: at, revision: revision}, …}]}: until end_guarded(). */
static void begin_guarded(bson_t *command, const char *verb, const char *items, comb_str at,
                          int64_t revision, bson_t *list, bson_t *one)
{
    bson_t query;
    BSON_APPEND_UTF8(command, verb, COLLECTION);
    bson_append_array_begin(command, items, -1, list);
    bson_append_document_begin(list, "0", -1, one);
    bson_append_document_begin(one, "q", -1, &query);
    append_text(&query, "at", at);
    BSON_APPEND_INT64(&query, "revision", revision);
    bson_append_document_end(one, &query);
}

static void end_guarded(bson_t *command, bson_t *list, bson_t *one)
{
    bson_append_document_end(list, one);
    bson_append_array_end(command, list);
}

static enum comb_status mongo_write(struct comb_documents_store *self, struct comb_ctx *ctx,
                                    const struct comb_document_record *record, int64_t replaced,
                                    bool *ret_written, struct comb_error *err)
{
    bson_t command = BSON_INITIALIZER, list, one, whole;
    comb_str reply;
    if (replaced) {
        begin_guarded(&command, "update", "updates", record->texts[COMB_DOCUMENT_BY_AT], replaced,
                      &list, &one);
        bson_append_document_begin(&one, "u", -1, &whole);
        append_record(&whole, record);
        bson_append_document_end(&one, &whole);
        end_guarded(&command, &list, &one);
    } else {
        fill_insert(&command, record);
    }
    enum comb_status status = comb_mongo_write(mongo_of(self), ctx, &command, &reply, err);
    bson_destroy(&command);
    if (status != COMB_OK && status != COMB_ALREADY_EXISTS)
        return status;
    *ret_written = status == COMB_OK && comb_mongo_integer(reply, "n", 0) == 1;
    return COMB_OK;
}

static enum comb_status mongo_set_keys(struct comb_documents_store *self, struct comb_ctx *ctx,
                                       const struct comb_document_record *record,
                                       struct comb_error *err)
{
    bson_t command = BSON_INITIALIZER, list, one, update, set, unset = BSON_INITIALIZER;
    bool has_unset = false;
    comb_str reply;
    begin_guarded(&command, "update", "updates", record->texts[COMB_DOCUMENT_BY_AT],
                  record->revision, &list, &one);
    bson_append_document_begin(&one, "u", -1, &update);
    bson_append_document_begin(&update, "$set", -1, &set);
    for (int i = COMB_DOCUMENT_BY_MADE; i < COMB_DOCUMENT_ORDERS; i++) {
        if (record->texts[i].ptr)
            append_text(&set, members[i], record->texts[i]);
        else if (i >= COMB_DOCUMENT_BY_KEY)
            has_unset = BSON_APPEND_BOOL(&unset, members[i], true);
    }
    bson_append_document_end(&update, &set);
    if (has_unset)
        BSON_APPEND_DOCUMENT(&update, "$unset", &unset);
    bson_append_document_end(&one, &update);
    end_guarded(&command, &list, &one);
    enum comb_status status = comb_mongo_write(mongo_of(self), ctx, &command, &reply, err);
    bson_destroy(&unset);
    bson_destroy(&command);
    return status;
}

static enum comb_status mongo_remove(struct comb_documents_store *self, struct comb_ctx *ctx,
                                     comb_str at, int64_t revision, struct comb_error *err)
{
    bson_t command = BSON_INITIALIZER, list, one;
    comb_str reply;
    begin_guarded(&command, "delete", "deletes", at, revision, &list, &one);
    BSON_APPEND_INT32(&one, "limit", 1);
    end_guarded(&command, &list, &one);
    enum comb_status status = comb_mongo_write(mongo_of(self), ctx, &command, &reply, err);
    bson_destroy(&command);
    return status;
}

static void mongo_close(struct comb_documents_store *self)
{
    comb_memory_free(self);
}

static const struct comb_documents_driver mongo_driver = {
    .name = "mongo",
    .get = mongo_get,
    .scan = mongo_scan,
    .count = mongo_count,
    .write = mongo_write,
    .set_keys = mongo_set_keys,
    .remove = mongo_remove,
    .close = mongo_close,
};

enum comb_status documents_mongo_open(struct comb_mongo *mongo,
                                      struct comb_documents_store **ret_store,
                                      struct comb_error *err)
{
    struct mongo *store = comb_memory_zalloc(sizeof *store);
    if (!store)
        return comb_error_no_memory(err);
    store->base.driver = &mongo_driver;
    store->mongo = mongo;
    enum comb_status status =
        comb_mongo_declare(mongo, indexes, sizeof indexes / sizeof indexes[0], err);
    if (status == COMB_OK)
        *ret_store = &store->base;
    else
        comb_memory_free(store);
    return status;
}
