/* SPDX-License-Identifier: Apache-2.0 */
/* Stores of documents and their indexes: a record each, changed by compare and set. */
#include <stdlib.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/documents/internal.h"

#define DEFINITIONS "=stores/"

/* ---- a definition as JSON ---- */

static json_t *index_to_json(const struct comb_document_index *index)
{
    json_t *paths = json_array();
    for (size_t i = 0; i < index->n_paths; i++)
        json_array_append_new(paths, json_stringn(index->paths[i].ptr, index->paths[i].len));
    return json_pack("{s:s%, s:o, s:b, s:i}", "name", index->name.ptr, index->name.len, "paths",
                     paths, "by_owner", (int)index->by_owner, "slot", index->slot);
}

/* *ret_text lives in ctx's arena. */
static enum comb_status to_text(struct comb_ctx *ctx, const struct comb_document_store *store,
                                comb_str *ret_text, struct comb_error *err)
{
    json_t *indexes = json_array();
    for (size_t i = 0; i < store->n_indexes; i++)
        json_array_append_new(indexes, index_to_json(&store->indexes[i]));
    json_t *all = json_pack("{s:i, s:I, s:o}", "access", (int)store->access, "keys_revision",
                            (json_int_t)store->keys_revision, "indexes", indexes);
    char *text = all ? json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    const char *own = text ? grpcc_arena_strdup(ctx->arena, text) : NULL;
    free(text);
    json_decref(all);
    if (!own)
        return comb_error_no_memory(err);
    *ret_text = comb_str_from(own);
    return COMB_OK;
}

/* A copy in the arena; ptr NULL: it is no text, or there is no room. */
static comb_str copy_text(struct grpcc_arena *arena, const json_t *value)
{
    const char *own = json_is_string(value) ? grpcc_arena_strndup(arena, json_string_value(value),
                                                                  json_string_length(value))
                                            : NULL;
    return own ? comb_str_of(own, json_string_length(value)) : (comb_str){0};
}

static bool read_index(struct grpcc_arena *arena, const json_t *from,
                       struct comb_document_index *ret)
{
    const json_t *paths = json_object_get(from, "paths");
    *ret = (struct comb_document_index){
        .name = copy_text(arena, json_object_get(from, "name")),
        .n_paths = json_array_size(paths),
        .by_owner = json_is_true(json_object_get(from, "by_owner")),
        .slot = (int)json_integer_value(json_object_get(from, "slot")),
    };
    if (!ret->name.ptr || ret->n_paths < 1 || ret->n_paths > COMB_DOCUMENT_PATHS_MAX ||
        ret->slot < 0 || ret->slot >= COMB_DOCUMENT_INDEXES_MAX)
        return false;
    for (size_t i = 0; i < ret->n_paths; i++) {
        ret->paths[i] = copy_text(arena, json_array_get(paths, i));
        if (!ret->paths[i].ptr)
            return false;
    }
    return true;
}

static bool read_definition(struct grpcc_arena *arena, const json_t *from,
                            struct comb_document_store *ret)
{
    const json_t *indexes = json_object_get(from, "indexes");
    ret->access = (enum comb_document_access)json_integer_value(json_object_get(from, "access"));
    ret->keys_revision = json_integer_value(json_object_get(from, "keys_revision"));
    ret->n_indexes = json_array_size(indexes);
    if (ret->n_indexes > COMB_DOCUMENT_INDEXES_MAX)
        return false;
    for (size_t i = 0; i < ret->n_indexes; i++) {
        if (!read_index(arena, json_array_get(indexes, i), &ret->indexes[i]))
            return false;
    }
    return ret->access == COMB_DOCUMENT_PRIVATE || ret->access == COMB_DOCUMENT_READABLE;
}

static enum comb_status to_store(struct comb_ctx *ctx, const struct comb_document_record *record,
                                 struct comb_document_store *ret_store, struct comb_error *err)
{
    comb_str at = record->texts[COMB_DOCUMENT_BY_AT];
    struct comb_document_store store = {.revision = record->revision};
    json_t *value = json_loadb(record->body.ptr, record->body.len, 0, NULL);
    bool is_good = value && comb_str_starts_with(at, STR(DEFINITIONS)) &&
                   read_definition(ctx->arena, value, &store);
    json_decref(value);
    if (!is_good)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "the definition of a store is damaged");
    store.name = comb_str_of(at.ptr + strlen(DEFINITIONS), at.len - strlen(DEFINITIONS));
    *ret_store = store;
    return COMB_OK;
}

/* ---- reading ---- */

enum comb_status comb_documents_get_store(struct comb_documents *documents, struct comb_ctx *ctx,
                                          comb_str name, struct comb_document_store *ret_store,
                                          struct comb_error *err)
{
    const struct comb_document_record *record = NULL;
    if (!documents_is_store_name(name))
        return comb_error_field(err, "store", "has 1 to %d letters, digits, \"-\", \"_\", \".\"",
                                COMB_DOCUMENT_STORE_BYTES_MAX);
    const char *at = documents_definition_at(ctx->arena, name);
    enum comb_status status =
        at ? documents_read_one(documents, ctx, at, &record, err) : comb_error_no_memory(err);
    if (status == COMB_OK && !record)
        status = comb_error_set_subject(
            err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_DOCUMENT_STORE_NOT_FOUND, "store",
            "there is no store %.*s: an administrator makes it", COMB_STR_ARG(name));
    return status == COMB_OK ? to_store(ctx, record, ret_store, err) : status;
}

enum comb_status comb_documents_list_stores(struct comb_documents *documents, struct comb_ctx *ctx,
                                            comb_str after, size_t max,
                                            const struct comb_document_store **ret_stores,
                                            size_t *ret_n, struct comb_error *err)
{
    const char *from = documents_definition_at(ctx->arena, after);
    from =
        from && after.len > 0 ? grpcc_arena_printf(ctx->arena, "%s" DOCUMENTS_AFTER, from) : from;
    struct comb_document_store *stores = grpcc_arena_calloc(ctx->arena, max, sizeof *stores);
    size_t n = 0, got = 0;
    if (!from || !stores)
        return comb_error_no_memory(err);
    do {
        size_t left = max - n;
        const struct comb_document_scan scan = {
            .from = comb_str_from(from),
            .to = STR(DEFINITIONS "~"),
            .max = left < COMB_DOCUMENT_RECORDS_MAX ? left : COMB_DOCUMENT_RECORDS_MAX};
        const struct comb_document_record *records;
        enum comb_status status =
            documents->store->driver->scan(documents->store, ctx, &scan, &records, &got, err);
        for (size_t i = 0; i < got && status == COMB_OK; i++)
            status = to_store(ctx, &records[i], &stores[n++], err);
        if (status != COMB_OK)
            return status;
        if (got > 0)
            from = grpcc_arena_printf(ctx->arena, "%.*s" DOCUMENTS_AFTER,
                                      COMB_STR_ARG(records[got - 1].texts[COMB_DOCUMENT_BY_AT]));
        if (!from)
            return comb_error_no_memory(err);
    } while (got == COMB_DOCUMENT_RECORDS_MAX && n < max);
    *ret_stores = stores;
    *ret_n = n;
    return COMB_OK;
}

/* ---- changing ---- */

/* Decides what the store becomes; *ret_same: it is that already. */
struct store_change {
    enum comb_status (*decide)(const struct store_change *change, struct comb_document_store *store,
                               bool *ret_same, struct comb_error *err);
    comb_str name;
    bool makes; /* it need not be there before */
    enum comb_document_access access;
    const struct comb_document_index *index; /* of a drop: its name */
};

static enum comb_status check_count(struct comb_documents *documents, struct comb_ctx *ctx,
                                    struct comb_error *err)
{
    size_t n = 0;
    enum comb_status status =
        documents->store->driver->count(documents->store, ctx, STR(DEFINITIONS),
                                        STR(DEFINITIONS "~"), COMB_DOCUMENT_STORES_MAX, &n, err);
    if (status != COMB_OK || n < COMB_DOCUMENT_STORES_MAX)
        return status;
    return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                          "there are %d stores of documents already", COMB_DOCUMENT_STORES_MAX);
}

static enum comb_status write_store(struct comb_documents *documents, struct comb_ctx *ctx,
                                    const struct comb_document_store *store, int64_t before,
                                    int64_t create_us, bool *ret_written, struct comb_error *err)
{
    const char *at = documents_definition_at(ctx->arena, store->name);
    struct comb_document_record record = {.revision = store->revision,
                                          .requests = STR(""),
                                          .create_us = create_us,
                                          .update_us = comb_clock_wall_us()};
    enum comb_status status = to_text(ctx, store, &record.body, err);
    if (status == COMB_OK && !at)
        status = comb_error_no_memory(err);
    if (status != COMB_OK)
        return status;
    record.texts[COMB_DOCUMENT_BY_AT] = comb_str_from(at);
    return documents->store->driver->write(documents->store, ctx, &record, before, ret_written,
                                           err);
}

static enum comb_status try_store(struct comb_documents *documents, struct comb_ctx *ctx,
                                  const struct store_change *change,
                                  struct comb_document_store *ret_store, bool *ret_done,
                                  struct comb_error *err)
{
    const struct comb_document_record *before = NULL;
    struct comb_document_store store = {.name = change->name};
    const char *at = documents_definition_at(ctx->arena, change->name);
    enum comb_status status =
        at ? documents_read_one(documents, ctx, at, &before, err) : comb_error_no_memory(err);
    bool is_same = false;
    if (status != COMB_OK)
        return status;
    if (!before && !change->makes)
        return comb_documents_get_store(documents, ctx, change->name, ret_store, err);
    status = before ? to_store(ctx, before, &store, err) : check_count(documents, ctx, err);
    store.revision = documents_next_revision(before);
    if (status == COMB_OK)
        status = change->decide(change, &store, &is_same, err);
    if (status != COMB_OK)
        return status;
    if (is_same && before) {
        store.revision = before->revision;
        *ret_done = true;
    } else {
        status = write_store(documents, ctx, &store, before ? before->revision : 0,
                             before ? before->create_us : comb_clock_wall_us(), ret_done, err);
    }
    if (status == COMB_OK && *ret_done)
        *ret_store = store;
    return status;
}

static enum comb_status run_store(struct comb_documents *documents, struct comb_ctx *ctx,
                                  const struct store_change *change,
                                  struct comb_document_store *ret_store, struct comb_error *err)
{
    if (!ctx->principal || !ctx->principal->administrator)
        return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                              "administrators make stores of documents and their indexes");
    if (!documents_is_store_name(change->name))
        return comb_error_field(err, "store", "has 1 to %d letters, digits, \"-\", \"_\", \".\"",
                                COMB_DOCUMENT_STORE_BYTES_MAX);
    for (int i = 0; i < DOCUMENTS_ATTEMPTS; i++) {
        bool is_done = false;
        enum comb_status status = try_store(documents, ctx, change, ret_store, &is_done, err);
        if (status != COMB_OK || is_done)
            return status;
    }
    return documents_contention(err);
}

static enum comb_status decide_access(const struct store_change *change,
                                      struct comb_document_store *store, bool *ret_same,
                                      struct comb_error *err)
{
    if (change->access != COMB_DOCUMENT_PRIVATE && change->access != COMB_DOCUMENT_READABLE)
        return comb_error_field(err, "access", "is PRIVATE or READABLE");
    *ret_same = store->access == change->access;
    store->access = change->access;
    return COMB_OK;
}

enum comb_status comb_documents_set_store(struct comb_documents *documents, struct comb_ctx *ctx,
                                          comb_str name, enum comb_document_access access,
                                          struct comb_document_store *ret_store,
                                          struct comb_error *err)
{
    const struct store_change change = {
        .decide = decide_access, .name = name, .makes = true, .access = access};
    return run_store(documents, ctx, &change, ret_store, err);
}

/* ---- indexes ---- */

static struct comb_document_index *find_index(struct comb_document_store *store, comb_str name)
{
    for (size_t i = 0; i < store->n_indexes; i++) {
        if (comb_str_equal(store->indexes[i].name, name))
            return &store->indexes[i];
    }
    return NULL;
}

static bool is_same_index(const struct comb_document_index *a, const struct comb_document_index *b)
{
    bool same = a->n_paths == b->n_paths && a->by_owner == b->by_owner;
    for (size_t i = 0; i < a->n_paths && same; i++)
        same = comb_str_equal(a->paths[i], b->paths[i]);
    return same;
}

static enum comb_status check_index(const struct comb_document_index *index, struct comb_error *err)
{
    if (!documents_is_store_name(index->name))
        return comb_error_field(err, "index.name",
                                "has 1 to %d letters, digits, \"-\", \"_\", \".\"",
                                COMB_DOCUMENT_INDEX_NAME_BYTES_MAX);
    if (index->n_paths < 1 || index->n_paths > COMB_DOCUMENT_PATHS_MAX)
        return comb_error_field(err, "index.paths", "are 1 to %d", COMB_DOCUMENT_PATHS_MAX);
    for (size_t i = 0; i < index->n_paths; i++) {
        if (!documents_is_path(index->paths[i]))
            return comb_error_field(err, "index.paths",
                                    "are of the form /a/b (RFC 6901), 2 to %d bytes",
                                    COMB_DOCUMENT_PATH_BYTES_MAX);
        for (size_t k = 0; k < i; k++) {
            if (comb_str_equal(index->paths[i], index->paths[k]))
                return comb_error_field(err, "index.paths", "name %.*s twice",
                                        COMB_STR_ARG(index->paths[i]));
        }
    }
    return COMB_OK;
}

static int free_slot(const struct comb_document_store *store)
{
    for (int slot = 0; slot < COMB_DOCUMENT_INDEXES_MAX; slot++) {
        bool is_free = true;
        for (size_t i = 0; i < store->n_indexes; i++)
            is_free &= store->indexes[i].slot != slot;
        if (is_free)
            return slot;
    }
    return -1;
}

static enum comb_status decide_declare(const struct store_change *change,
                                       struct comb_document_store *store, bool *ret_same,
                                       struct comb_error *err)
{
    const struct comb_document_index *there = find_index(store, change->index->name);
    if (there) {
        *ret_same = is_same_index(there, change->index);
        return *ret_same ? COMB_OK
                         : comb_error_set(err, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_KEY_TAKEN,
                                          "there is another index %.*s: drop it first",
                                          COMB_STR_ARG(change->index->name));
    }
    int slot = free_slot(store);
    if (slot < 0)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                              "a store has at most %d indexes", COMB_DOCUMENT_INDEXES_MAX);
    store->indexes[store->n_indexes] = *change->index;
    store->indexes[store->n_indexes++].slot = slot;
    store->keys_revision = store->revision;
    return COMB_OK;
}

enum comb_status comb_documents_declare_index(struct comb_documents *documents,
                                              struct comb_ctx *ctx, comb_str store,
                                              const struct comb_document_index *index,
                                              struct comb_document_store *ret_store,
                                              struct comb_error *err)
{
    const struct store_change change = {.decide = decide_declare, .name = store, .index = index};
    enum comb_status status = check_index(index, err);
    return status == COMB_OK ? run_store(documents, ctx, &change, ret_store, err) : status;
}

static enum comb_status decide_drop(const struct store_change *change,
                                    struct comb_document_store *store, bool *ret_same,
                                    struct comb_error *err)
{
    struct comb_document_index *there = find_index(store, change->index->name);
    (void)err;
    *ret_same = there == NULL;
    if (!there)
        return COMB_OK;
    size_t behind = (size_t)(&store->indexes[store->n_indexes] - there) - 1;
    memmove(there, there + 1, behind * sizeof *there);
    store->n_indexes--;
    return COMB_OK;
}

enum comb_status comb_documents_drop_index(struct comb_documents *documents, struct comb_ctx *ctx,
                                           comb_str store, comb_str name,
                                           struct comb_document_store *ret_store,
                                           struct comb_error *err)
{
    const struct comb_document_index index = {.name = name};
    const struct store_change change = {.decide = decide_drop, .name = store, .index = &index};
    return run_store(documents, ctx, &change, ret_store, err);
}
