/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search index over MongoDB, whose own text search is not asked: it would cut and weigh words
 * by rules of its own. A document has entries (mongo_entries.h) in an array with a multikey index;
 * what these do not decide, the terms do, which are kept in their order beside them.
 *
 * Members: _id, e and r the version, d when it was removed (0: it is there), p parent, o owner,
 * f folder, s size, m modified, n name, y media, t entries, nt mt kt ct terms, x text.
 */
#include "server/search/driver/mongo.h"

#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/search/driver/mongo_entries.h"

/* Bytes of the documents of one command; the command itself may have 48 MiB. */
#define COMMAND_BYTES_MAX (8u << 20)
/* A reply has 16 MiB: documents in it, with a field of terms or their text, and without. */
#define LARGE_MAX 8
#define TEXTS_MAX (COMB_SEARCH_TEXTS_BYTES_MAX / COMB_SEARCH_TERMS_BYTES_MAX)

static const char collection[] = "search";

static const struct comb_mongo_index indexes[] = {
    {collection, "search_entries", "{\"t\": 1, \"_id\": -1}", NULL},
    {collection, "search_dead", "{\"d\": 1, \"_id\": -1}", NULL},
    {collection, "search_epoch", "{\"e\": 1}", NULL},
};

struct search_mongo {
    struct comb_search_store base;
    struct comb_mongo *mongo;
};

static struct comb_mongo *mongo_of(struct comb_search_store *self)
{
    return ((struct search_mongo *)self)->mongo;
}

/* ---- BSON ---- */

static void add_id(bson_t *to, const char *key, const struct comb_uuid *id)
{
    bson_append_binary(to, key, -1, BSON_SUBTYPE_BINARY, id->bytes, sizeof id->bytes);
}

static void add_text(bson_t *to, const char *key, comb_str text)
{
    bson_append_utf8(to, key, -1, text.len > 0 ? text.ptr : "", (int)text.len);
}

static bool id_at(comb_str document, const char *key, struct comb_uuid *ret_id)
{
    comb_str bytes = comb_mongo_bytes(document, key);
    if (bytes.len != sizeof ret_id->bytes)
        return false;
    memcpy(ret_id->bytes, bytes.ptr, sizeof ret_id->bytes);
    return true;
}

static comb_str text_at(comb_str document, const char *key)
{
    comb_str text = comb_mongo_text(document, key);
    return text.ptr ? text : STR("");
}

/* ---- writing ---- */

static void add_version(bson_t *to, const struct comb_uuid *id,
                        const struct comb_search_version *version)
{
    add_id(to, "_id", id);
    bson_append_int64(to, "e", -1, (int64_t)version->epoch);
    bson_append_int64(to, "r", -1, (int64_t)version->revision);
}

/* Appends an element to an array that is being built. */
static const char *key_of(uint32_t index, char buffer[16])
{
    const char *key;
    bson_uint32_to_string(index, &key, buffer, 16);
    return key;
}

static void add_texts(bson_t *to, const char *key, const comb_str *texts, size_t n)
{
    char buffer[16];
    bson_t array;
    bson_append_array_begin(to, key, -1, &array);
    for (size_t i = 0; i < n; i++)
        add_text(&array, key_of((uint32_t)i, buffer), texts[i]);
    bson_append_array_end(to, &array);
}

/* {_id: id, $or: [{e: {$lt: epoch}}, {e: epoch, r: {$lte: revision}}]}: what this version may
 * replace. */
static void add_older(bson_t *to, const char *key, const struct comb_uuid *id,
                      const struct comb_search_version *version)
{
    bson_t query, either, older, range;
    bson_append_document_begin(to, key, -1, &query);
    add_id(&query, "_id", id);
    bson_append_array_begin(&query, "$or", -1, &either);
    bson_append_document_begin(&either, "0", -1, &older);
    bson_append_document_begin(&older, "e", -1, &range);
    bson_append_int64(&range, "$lt", -1, (int64_t)version->epoch);
    bson_append_document_end(&older, &range);
    bson_append_document_end(&either, &older);
    bson_append_document_begin(&either, "1", -1, &older);
    bson_append_int64(&older, "e", -1, (int64_t)version->epoch);
    bson_append_document_begin(&older, "r", -1, &range);
    bson_append_int64(&range, "$lte", -1, (int64_t)version->revision);
    bson_append_document_end(&older, &range);
    bson_append_document_end(&either, &older);
    bson_append_array_end(&query, &either);
    bson_append_document_end(to, &query);
}

static void add_document(bson_t *to, const struct comb_search_document *document,
                         const comb_str *entries, size_t n_entries)
{
    add_version(to, &document->id, &document->version);
    bson_append_int64(to, "d", -1, 0);
    add_id(to, "p", &document->parent);
    add_id(to, "o", &document->owner);
    bson_append_bool(to, "f", -1, document->is_folder);
    bson_append_int64(to, "s", -1, document->size);
    bson_append_int64(to, "m", -1, document->modified_us);
    add_text(to, "n", document->name);
    add_text(to, "y", document->media);
    add_text(to, "nt", document->name_terms);
    add_text(to, "mt", document->meta_terms);
    add_text(to, "kt", document->keyed_terms);
    add_text(to, "ct", document->content_terms);
    bson_append_binary(to, "x", -1, BSON_SUBTYPE_BINARY,
                       (const uint8_t *)(document->text.len > 0 ? document->text.ptr : ""),
                       (uint32_t)document->text.len);
    add_texts(to, "t", entries, n_entries);
}

/* One replacement of an update command. document NULL: a tombstone. */
struct change {
    struct comb_uuid id;
    struct comb_search_version version;
    const struct comb_search_document *document;
    const comb_str *entries;
    size_t n_entries;
};

static void add_change(bson_t *updates, uint32_t index, const struct change *change)
{
    char buffer[16];
    bson_t update, replacement;
    bson_append_document_begin(updates, key_of(index, buffer), -1, &update);
    add_older(&update, "q", &change->id, &change->version);
    bson_append_document_begin(&update, "u", -1, &replacement);
    if (change->document) {
        add_document(&replacement, change->document, change->entries, change->n_entries);
    } else {
        add_version(&replacement, &change->id, &change->version);
        bson_append_int64(&replacement, "d", -1, comb_clock_wall_us());
    }
    bson_append_document_end(&update, &replacement);
    bson_append_bool(&update, "upsert", -1, true);
    bson_append_document_end(updates, &update);
}

/*
 * Writes as many of the changes as fit into one command. A version that is lower than what is there
 * finds nothing to replace, and makes nothing either, since the id is taken.
 */
static enum comb_status write_some(struct comb_search_store *self, struct comb_ctx *ctx,
                                   const struct change *changes, size_t n, size_t *ret_written,
                                   struct comb_error *err)
{
    bson_t *command = bson_new(), updates;
    size_t written = 0;
    comb_str reply;
    bson_append_utf8(command, "update", -1, collection, -1);
    bson_append_bool(command, "ordered", -1, false);
    bson_append_array_begin(command, "updates", -1, &updates);
    do {
        add_change(&updates, (uint32_t)written, &changes[written]);
        written++;
    } while (written < n && comb_mongo_view(&updates).len < COMMAND_BYTES_MAX);
    bson_append_array_end(command, &updates);
    enum comb_status status = comb_mongo_write(mongo_of(self), ctx, command, &reply, err);
    bson_destroy(command);
    if (status == COMB_OK || (status == COMB_ALREADY_EXISTS && written == 1)) {
        *ret_written = written;
        return COMB_OK;
    }
    return status;
}

static enum comb_status write_changes(struct comb_search_store *self, struct comb_ctx *ctx,
                                      const struct change *changes, size_t n,
                                      struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    bool one_by_one = false;
    for (size_t at = 0; at < n && status == COMB_OK;) {
        size_t written = 0;
        status = write_some(self, ctx, changes + at, one_by_one ? 1 : n - at, &written, err);
        at += written;
        /* One of them came late, and may hide what became of another: each by itself says. */
        if (status == COMB_ALREADY_EXISTS) {
            one_by_one = true;
            status = COMB_OK;
        }
    }
    return status;
}

static enum comb_status mongo_put(struct comb_search_store *self, struct comb_ctx *ctx,
                                  const struct comb_search_document *documents, size_t n,
                                  struct comb_error *err)
{
    struct change *changes = grpcc_arena_calloc(ctx->arena, n, sizeof *changes);
    if (!changes)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        changes[i] = (struct change){
            .id = documents[i].id, .version = documents[i].version, .document = &documents[i]};
        enum comb_status status = search_entries_of(ctx->arena, &documents[i], &changes[i].entries,
                                                    &changes[i].n_entries, err);
        if (status != COMB_OK)
            return status;
    }
    return write_changes(self, ctx, changes, n, err);
}

static enum comb_status mongo_remove(struct comb_search_store *self, struct comb_ctx *ctx,
                                     const struct comb_uuid *id,
                                     const struct comb_search_version *version,
                                     struct comb_error *err)
{
    const struct change change = {.id = *id, .version = *version};
    return write_changes(self, ctx, &change, 1, err);
}

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
        bson_append_document_begin(&all, key_of((uint32_t)i, buffer), -1, &clause);
        if (either->n == 1) {
            add_text(&clause, "t", either->entries[0]);
        } else {
            bson_append_document_begin(&clause, "t", -1, &in);
            add_texts(&in, "$in", either->entries, either->n);
            bson_append_document_end(&clause, &in);
        }
        bson_append_document_end(&all, &clause);
    }
    bson_append_array_end(filter, &all);
}

static void add_projection(bson_t *command, const struct search_need *need)
{
    static const char *const members[] = {"e", "r", "p", "o", "f", "s", "m", "n", "y", "nt"};
    bson_t projection;
    bson_append_document_begin(command, "projection", -1, &projection);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        bson_append_int32(&projection, members[i], -1, 1);
    if (need->wants_content)
        bson_append_int32(&projection, "ct", -1, 1);
    if (need->wants_meta)
        bson_append_int32(&projection, "mt", -1, 1);
    if (need->wants_keyed)
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

static bson_t *scan_command(const struct comb_search_scan *scan, const struct search_need *need,
                            size_t max)
{
    bson_t *command = bson_new(), filter, below;
    bson_append_utf8(command, "find", -1, collection, -1);
    bson_append_document_begin(command, "filter", -1, &filter);
    add_clauses(&filter, need);
    if (scan->before) {
        bson_append_document_begin(&filter, "_id", -1, &below);
        add_id(&below, "$lt", scan->before);
        bson_append_document_end(&filter, &below);
    }
    bson_append_document_end(command, &filter);
    add_projection(command, need);
    add_page(command, "_id", -1, max);
    bson_append_utf8(command, "hint", -1, need->n > 0 ? "search_entries" : "search_dead", -1);
    return command;
}

static enum comb_status to_candidate(const struct comb_search_scan *scan,
                                     const struct search_need *need, comb_str document,
                                     struct comb_search_candidate *ret_candidate,
                                     struct comb_error *err)
{
    const struct search_fields fields = {text_at(document, "nt"), text_at(document, "ct"),
                                         text_at(document, "mt"), text_at(document, "kt")};
    struct comb_search_candidate candidate = {
        .version = {(uint64_t)comb_mongo_integer(document, "e", 0),
                    (uint64_t)comb_mongo_integer(document, "r", 0)},
        .is_folder = comb_mongo_integer(document, "f", 0) != 0,
        .size = comb_mongo_integer(document, "s", 0),
        .modified_us = comb_mongo_integer(document, "m", 0),
        .name = text_at(document, "n"),
        .media = text_at(document, "y"),
        .holds = search_holds(scan->query, scan->names_alone, &fields, need->certain),
    };
    if (!id_at(document, "_id", &candidate.id) || !id_at(document, "p", &candidate.parent) ||
        !id_at(document, "o", &candidate.owner))
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
    bool is_large = need->wants_content || need->wants_meta || need->wants_keyed;
    size_t max = is_large && scan->max > LARGE_MAX ? LARGE_MAX : scan->max;
    bson_t *command = scan_command(scan, need, max);
    status = comb_mongo_read(mongo_of(self), ctx, command, &reply, err);
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
    bson_t *command = bson_new(), filter, in, array, projection;
    char buffer[16];
    bson_append_utf8(command, "find", -1, collection, -1);
    bson_append_document_begin(command, "filter", -1, &filter);
    bson_append_document_begin(&filter, "_id", -1, &in);
    bson_append_array_begin(&in, "$in", -1, &array);
    for (size_t i = 0; i < n; i++)
        add_id(&array, key_of((uint32_t)i, buffer), &ids[i]);
    bson_append_array_end(&in, &array);
    bson_append_document_end(&filter, &in);
    bson_append_document_end(command, &filter);
    bson_append_document_begin(command, "projection", -1, &projection);
    bson_append_int32(&projection, "x", -1, 1);
    bson_append_document_end(command, &projection);
    bson_append_int64(command, "batchSize", -1, (int64_t)n);
    bson_append_bool(command, "singleBatch", -1, true);
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
        if (!text.ptr || !id_at(document, "_id", &id))
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
        status = comb_mongo_read(mongo_of(self), ctx, command, &reply, err);
        bson_destroy(command);
        if (status == COMB_OK)
            take_texts(reply, ids + at, some, bytes_max, texts + at);
    }
    if (status == COMB_OK)
        *ret_texts = texts;
    return status;
}

/* Deletes up to max documents whose member lies above `above` and below `below`. */
static enum comb_status delete_some(struct comb_search_store *self, struct comb_ctx *ctx,
                                    const char *member, int64_t above, int64_t below, size_t max,
                                    size_t *ret_n, struct comb_error *err)
{
    bson_t *find = bson_new(), *command = bson_new(), filter, range, projection, deletes, one;
    char buffer[16];
    comb_str reply, document;
    bson_iter_t batch;
    uint32_t n = 0;
    bson_append_utf8(find, "find", -1, collection, -1);
    bson_append_document_begin(find, "filter", -1, &filter);
    bson_append_document_begin(&filter, member, -1, &range);
    bson_append_int64(&range, "$gt", -1, above);
    bson_append_int64(&range, "$lt", -1, below);
    bson_append_document_end(&filter, &range);
    bson_append_document_end(find, &filter);
    bson_append_document_begin(find, "projection", -1, &projection);
    bson_append_int32(&projection, "_id", -1, 1);
    bson_append_document_end(find, &projection);
    add_page(find, member, 1, max);
    enum comb_status status = comb_mongo_read(mongo_of(self), ctx, find, &reply, err);
    bson_append_utf8(command, "delete", -1, collection, -1);
    bson_append_array_begin(command, "deletes", -1, &deletes);
    if (status == COMB_OK && comb_mongo_array(reply, "cursor.firstBatch", &batch)) {
        while (comb_mongo_next(&batch, &document)) {
            struct comb_uuid id;
            if (!id_at(document, "_id", &id))
                continue;
            bson_append_document_begin(&deletes, key_of(n++, buffer), -1, &one);
            bson_append_document_begin(&one, "q", -1, &filter);
            add_id(&filter, "_id", &id);
            /* It may have been written anew meanwhile. */
            bson_append_document_begin(&filter, member, -1, &range);
            bson_append_int64(&range, "$lt", -1, below);
            bson_append_document_end(&filter, &range);
            bson_append_document_end(&one, &filter);
            bson_append_int32(&one, "limit", -1, 1);
            bson_append_document_end(&deletes, &one);
        }
    }
    bson_append_array_end(command, &deletes);
    if (status == COMB_OK && n > 0)
        status = comb_mongo_write(mongo_of(self), ctx, command, &reply, err);
    bson_destroy(find);
    bson_destroy(command);
    if (status == COMB_OK)
        *ret_n = n > 0 ? (size_t)comb_mongo_integer(reply, "n", 0) : 0;
    return status;
}

static enum comb_status mongo_sweep(struct comb_search_store *self, struct comb_ctx *ctx,
                                    uint64_t epoch, size_t max, size_t *ret_n,
                                    struct comb_error *err)
{
    return delete_some(self, ctx, "e", -1, (int64_t)epoch, max, ret_n, err);
}

static enum comb_status mongo_purge(struct comb_search_store *self, struct comb_ctx *ctx,
                                    int64_t age_us, size_t max, size_t *ret_n,
                                    struct comb_error *err)
{
    return delete_some(self, ctx, "d", 0, comb_clock_wall_us() - age_us, max, ret_n, err);
}

static enum comb_status count_where(struct comb_search_store *self, struct comb_ctx *ctx,
                                    bool is_dead, uint64_t *ret_n, struct comb_error *err)
{
    bson_t *command = bson_new(), query, above;
    comb_str reply;
    bson_append_utf8(command, "count", -1, collection, -1);
    bson_append_document_begin(command, "query", -1, &query);
    if (is_dead) {
        bson_append_document_begin(&query, "d", -1, &above);
        bson_append_int64(&above, "$gt", -1, 0);
        bson_append_document_end(&query, &above);
    } else {
        bson_append_int64(&query, "d", -1, 0);
    }
    bson_append_document_end(command, &query);
    enum comb_status status = comb_mongo_read(mongo_of(self), ctx, command, &reply, err);
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
    .put = mongo_put,
    .remove = mongo_remove,
    .scan = mongo_scan,
    .texts = mongo_texts,
    .sweep = mongo_sweep,
    .purge = mongo_purge,
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
