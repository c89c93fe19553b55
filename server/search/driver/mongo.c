/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search index over MongoDB, whose own text search is not asked: it would cut and weigh words
 * by rules of its own. A document has entries (mongo_entries.h) in an array with a multikey index;
 * what these do not decide, the terms do, which are kept in their order beside them.
 *
 * Members: _id, e and r the version of the attributes, d since when it has none (0: it has), p
 * parent, f folder, s size, m modified, n name, y media, nt mt kt terms; ce and cr the version of
 * the content, c its blob, k ce where there is one, u outcome, w reason, ct terms, x text; t the
 * entries of both while it has attributes; b 1: a folder's tombstone that is to be worked off.
 */
#include "server/core/memory.h"
#include "server/search/driver/mongo_entries.h"
#include "server/search/driver/mongo_internal.h"

/* A reply has 16 MiB: documents in it, with a field of terms or their text, and without. */
#define LARGE_MAX 8
#define TEXTS_MAX (COMB_SEARCH_TEXTS_BYTES_MAX / COMB_SEARCH_TERMS_BYTES_MAX)

static const struct comb_mongo_index indexes[] = {
    {SEARCH_MONGO_COLLECTION, "search_entries", "{\"t\": 1, \"_id\": -1}", NULL},
    {SEARCH_MONGO_COLLECTION, "search_dead", "{\"d\": 1, \"_id\": -1}", NULL},
    {SEARCH_MONGO_COLLECTION, "search_epoch", "{\"d\": 1, \"e\": 1}", NULL},
    {SEARCH_MONGO_COLLECTION, "search_content_epoch", "{\"k\": 1}", NULL},
    {SEARCH_MONGO_COLLECTION, "search_parent", "{\"p\": 1, \"_id\": 1}", NULL},
    {SEARCH_MONGO_COLLECTION, "search_below", "{\"b\": 1, \"_id\": 1}", NULL},
};

/* ---- scanning ---- */

/* {$and: [{t: {$in: [...]}}, ...]}, without it where nothing is needed; of a clause with one entry
 * {t: entry}. */
static void add_clauses(bson_t *filter, const struct search_need *need)
{
    char buffer[16];
    bson_t all, clause, in;
    if (need->n == 0) {
        bson_append_int64(filter, "d", -1, 0);
        return;
    }
    bson_append_array_begin(filter, "$and", -1, &all);
    for (size_t i = 0; i < need->n; i++) {
        const struct search_clause *either = &need->clauses[i];
        bson_append_document_begin(&all, search_mongo_key((uint32_t)i, buffer), -1, &clause);
        if (either->n == 1) {
            search_mongo_add_text(&clause, "t", either->entries[0]);
        } else {
            bson_append_document_begin(&clause, "t", -1, &in);
            search_mongo_add_texts(&in, "$in", either->entries, either->n);
            bson_append_document_end(&clause, &in);
        }
        bson_append_document_end(&all, &clause);
    }
    bson_append_array_end(filter, &all);
}

static void add_projection(bson_t *command, const struct search_need *need)
{
    static const char *const members[] = {"e", "r", "p", "f", "s", "m", "n", "y", "nt"};
    bson_t projection;
    bson_append_document_begin(command, "projection", -1, &projection);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        bson_append_int32(&projection, members[i], -1, 1);
    if (need->wants.content)
        bson_append_int32(&projection, "ct", -1, 1);
    if (need->wants.meta)
        bson_append_int32(&projection, "mt", -1, 1);
    if (need->wants.keyed)
        bson_append_int32(&projection, "kt", -1, 1);
    bson_append_document_end(command, &projection);
}

static void add_page(bson_t *command, const char *sort_key, int order, size_t max)
{
    bson_t sort;
    bson_append_document_begin(command, "sort", -1, &sort);
    bson_append_int32(&sort, sort_key, -1, order);
    bson_append_document_end(command, &sort);
    bson_append_int64(command, "limit", -1, (int64_t)max);
    bson_append_int64(command, "batchSize", -1, (int64_t)max);
    bson_append_bool(command, "singleBatch", -1, true);
}

/* {_id: {$in: [...]}}, or {_id: {$lt: before}}. */
static void add_ids(bson_t *filter, const struct comb_search_scan *scan)
{
    bson_t id;
    if (!scan->among && !scan->before)
        return;
    bson_append_document_begin(filter, "_id", -1, &id);
    if (scan->among)
        search_mongo_add_ids(&id, "$in", scan->among, scan->n_among);
    else
        search_mongo_add_id(&id, "$lt", scan->before);
    bson_append_document_end(filter, &id);
}

static bson_t *scan_command(const struct comb_search_scan *scan, const struct search_need *need,
                            size_t max)
{
    bson_t *command = bson_new(), filter;
    const char *index = need->n > 0 ? "search_entries" : "search_dead";
    bson_append_utf8(command, "find", -1, SEARCH_MONGO_COLLECTION, -1);
    bson_append_document_begin(command, "filter", -1, &filter);
    add_clauses(&filter, need);
    add_ids(&filter, scan);
    bson_append_document_end(command, &filter);
    add_projection(command, need);
    add_page(command, "_id", -1, max);
    bson_append_utf8(command, "hint", -1, scan->among ? "_id_" : index, -1);
    return command;
}

static enum comb_status to_candidate(const struct comb_search_scan *scan,
                                     const struct search_need *need, comb_str document,
                                     struct comb_search_candidate *ret_candidate,
                                     struct comb_error *err)
{
    const struct search_fields fields = {
        search_mongo_text_at(document, "nt"), search_mongo_text_at(document, "ct"),
        search_mongo_text_at(document, "mt"), search_mongo_text_at(document, "kt")};
    struct comb_search_candidate candidate = {
        .version = {(uint64_t)comb_mongo_integer(document, "e", 0),
                    (uint64_t)comb_mongo_integer(document, "r", 0)},
        .is_folder = comb_mongo_integer(document, "f", 0) != 0,
        .size = comb_mongo_integer(document, "s", 0),
        .modified_us = comb_mongo_integer(document, "m", 0),
        .name = search_mongo_text_at(document, "n"),
        .media = search_mongo_text_at(document, "y"),
        .holds = search_holds(scan->query, scan->names_alone, &fields, need->certain),
    };
    if (!search_mongo_id_at(document, "_id", &candidate.id) ||
        !search_mongo_id_at(document, "p", &candidate.parent))
        return comb_error_set(err, COMB_DATA_LOSS, 0, "a document of the search index is damaged");
    *ret_candidate = candidate;
    return COMB_OK;
}

static enum comb_status read_candidates(struct comb_ctx *ctx, const struct comb_search_scan *scan,
                                        const struct search_need *need, comb_str reply, size_t max,
                                        struct comb_search_found *ret_found, struct comb_error *err)
{
    struct comb_search_candidate *candidates =
        grpcc_arena_calloc(ctx->arena, max, sizeof *candidates);
    comb_str document;
    bson_iter_t batch;
    size_t n = 0;
    if (!candidates)
        return comb_error_no_memory(err);
    if (!comb_mongo_array(reply, "cursor.firstBatch", &batch))
        return comb_error_set(err, COMB_INTERNAL, 0, "MongoDB gave no documents");
    while (n < max && comb_mongo_next(&batch, &document)) {
        enum comb_status status = to_candidate(scan, need, document, &candidates[n], err);
        if (status != COMB_OK)
            return status;
        n++;
    }
    *ret_found = (struct comb_search_found){candidates, n, n == max};
    return COMB_OK;
}

static enum comb_status mongo_scan(struct comb_search_store *self, struct comb_ctx *ctx,
                                   const struct comb_search_scan *scan,
                                   struct comb_search_found *ret_found, struct comb_error *err)
{
    struct search_need *need = grpcc_arena_alloc(ctx->arena, sizeof *need);
    comb_str reply;
    if (!need)
        return comb_error_no_memory(err);
    enum comb_status status = search_need_of(ctx->arena, scan->query, scan->names_alone, need, err);
    if (status != COMB_OK)
        return status;
    bool is_large = search_wants_any(need->wants);
    size_t max = is_large && scan->max > LARGE_MAX ? LARGE_MAX : scan->max;
    bson_t *command = scan_command(scan, need, max);
    status = comb_mongo_read(search_mongo_of(self), ctx, command, &reply, err);
    bson_destroy(command);
    return status == COMB_OK ? read_candidates(ctx, scan, need, reply, max, ret_found, err)
                             : status;
}

/* ---- the rest ---- */

/* Without a character that was cut in two. */
static comb_str beginning_of(comb_str text, size_t bytes_max)
{
    size_t at = bytes_max;
    if (text.len <= bytes_max)
        return text;
    while (at > 0 && ((unsigned char)text.ptr[at] & 0xc0) == 0x80)
        at--;
    return comb_str_of(text.ptr, at);
}

static bson_t *texts_command(const struct comb_uuid *ids, size_t n)
{
    bson_t *command = search_mongo_find(ids, n), projection;
    bson_append_document_begin(command, "projection", -1, &projection);
    bson_append_int32(&projection, "d", -1, 1);
    bson_append_int32(&projection, "x", -1, 1);
    bson_append_document_end(command, &projection);
    return command;
}

static void take_texts(comb_str reply, const struct comb_uuid *ids, size_t n, size_t bytes_max,
                       comb_str *texts)
{
    comb_str document;
    bson_iter_t batch;
    struct comb_uuid id;
    if (!comb_mongo_array(reply, "cursor.firstBatch", &batch))
        return;
    while (comb_mongo_next(&batch, &document)) {
        comb_str text = comb_mongo_bytes(document, "x");
        if (!text.ptr || comb_mongo_integer(document, "d", 0) != 0 ||
            !search_mongo_id_at(document, "_id", &id))
            continue;
        for (size_t i = 0; i < n; i++)
            if (comb_uuid_equal(&ids[i], &id))
                texts[i] = beginning_of(text, bytes_max);
    }
}

static enum comb_status mongo_texts(struct comb_search_store *self, struct comb_ctx *ctx,
                                    const struct comb_uuid *ids, size_t n, size_t bytes_max,
                                    const comb_str **ret_texts, struct comb_error *err)
{
    comb_str *texts = grpcc_arena_calloc(ctx->arena, n, sizeof *texts);
    enum comb_status status = COMB_OK;
    if (!texts)
        return comb_error_no_memory(err);
    for (size_t at = 0; at < n && status == COMB_OK; at += TEXTS_MAX) {
        size_t some = n - at < TEXTS_MAX ? n - at : TEXTS_MAX;
        bson_t *command = texts_command(ids + at, some);
        comb_str reply;
        status = comb_mongo_read(search_mongo_of(self), ctx, command, &reply, err);
        bson_destroy(command);
        if (status == COMB_OK)
            take_texts(reply, ids + at, some, bytes_max, texts + at);
    }
    if (status == COMB_OK)
        *ret_texts = texts;
    return status;
}

static bson_t *contents_command(const struct comb_uuid *ids, size_t n)
{
    static const char *const members[] = {"ce", "cr", "c", "u", "w"};
    bson_t *command = search_mongo_find(ids, n), projection;
    bson_append_document_begin(command, "projection", -1, &projection);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        bson_append_int32(&projection, members[i], -1, 1);
    bson_append_document_end(command, &projection);
    return command;
}

static enum comb_status mongo_contents(struct comb_search_store *self, struct comb_ctx *ctx,
                                       const struct comb_uuid *ids, size_t n,
                                       const struct comb_search_content **ret_contents,
                                       struct comb_error *err)
{
    struct comb_search_content *contents = grpcc_arena_calloc(ctx->arena, n, sizeof *contents);
    bson_t *command = contents_command(ids, n);
    comb_str reply, document;
    bson_iter_t batch;
    enum comb_status status =
        contents ? comb_mongo_read(search_mongo_of(self), ctx, command, &reply, err)
                 : comb_error_no_memory(err);
    bson_destroy(command);
    if (status != COMB_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        contents[i].id = ids[i];
    if (!comb_mongo_array(reply, "cursor.firstBatch", &batch))
        return comb_error_set(err, COMB_INTERNAL, 0, "MongoDB gave no documents");
    while (comb_mongo_next(&batch, &document)) {
        struct comb_uuid id, blob;
        if (!search_mongo_id_at(document, "_id", &id) || !search_mongo_id_at(document, "c", &blob))
            continue;
        for (size_t i = 0; i < n; i++) {
            struct comb_search_content *content = &contents[i];
            if (!comb_uuid_equal(&ids[i], &id))
                continue;
            content->blob = blob;
            content->version =
                (struct comb_search_version){(uint64_t)comb_mongo_integer(document, "ce", 0),
                                             (uint64_t)comb_mongo_integer(document, "cr", 0)};
            content->outcome = (int)comb_mongo_integer(document, "u", 0);
            content->reason = (int)comb_mongo_integer(document, "w", 0);
        }
    }
    *ret_contents = contents;
    return COMB_OK;
}

static enum comb_status count_where(struct comb_search_store *self, struct comb_ctx *ctx,
                                    bool is_dead, uint64_t *ret_n, struct comb_error *err)
{
    bson_t *command = bson_new(), query, above;
    comb_str reply;
    bson_append_utf8(command, "count", -1, SEARCH_MONGO_COLLECTION, -1);
    bson_append_document_begin(command, "query", -1, &query);
    if (is_dead) {
        bson_append_document_begin(&query, "d", -1, &above);
        bson_append_int64(&above, "$gt", -1, 0);
        bson_append_document_end(&query, &above);
    } else {
        bson_append_int64(&query, "d", -1, 0);
    }
    bson_append_document_end(command, &query);
    enum comb_status status = comb_mongo_read(search_mongo_of(self), ctx, command, &reply, err);
    bson_destroy(command);
    if (status == COMB_OK)
        *ret_n = (uint64_t)comb_mongo_integer(reply, "n", 0);
    return status;
}

static enum comb_status mongo_count(struct comb_search_store *self, struct comb_ctx *ctx,
                                    struct comb_search_counts *ret_counts, struct comb_error *err)
{
    struct comb_search_counts counts = {0};
    enum comb_status status = count_where(self, ctx, false, &counts.documents, err);
    if (status == COMB_OK)
        status = count_where(self, ctx, true, &counts.tombstones, err);
    if (status == COMB_OK)
        *ret_counts = counts;
    return status;
}

static void mongo_close(struct comb_search_store *self)
{
    comb_memory_free(self);
}

static const struct comb_search_store_driver driver = {
    .name = "mongodb",
    .put = search_mongo_put,
    .remove = search_mongo_remove,
    .prune = search_mongo_prune,
    .sweep = search_mongo_sweep,
    .purge = search_mongo_purge,
    .put_content = search_mongo_put_content,
    .contents = mongo_contents,
    .sweep_content = search_mongo_sweep_content,
    .scan = mongo_scan,
    .texts = mongo_texts,
    .count = mongo_count,
    .close = mongo_close,
};

enum comb_status comb_search_mongo_open(struct comb_mongo *mongo,
                                        struct comb_search_store **ret_store,
                                        struct comb_error *err)
{
    enum comb_status status =
        comb_mongo_declare(mongo, indexes, sizeof indexes / sizeof indexes[0], err);
    if (status != COMB_OK)
        return status;
    struct search_mongo *store = comb_memory_zalloc(sizeof *store);
    if (!store)
        return comb_error_no_memory(err);
    store->base.driver = &driver;
    store->mongo = mongo;
    *ret_store = &store->base;
    return COMB_OK;
}
