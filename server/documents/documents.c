/* SPDX-License-Identifier: Apache-2.0 */
/* One document: written, deleted, read. */
#include <stdlib.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/documents/internal.h"

/* One request that wrote a document: its id, the beginning of its hash, the revision it made. */
enum { REQUEST_ID = 16, REQUEST_HASH = 8, REQUEST_REVISION = 8, REQUEST = 32 };

/* ---- what all share ---- */

enum comb_status comb_documents_not_found(struct comb_error *err)
{
    return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_DOCUMENT_NOT_FOUND,
                          "there is no such document");
}

enum comb_status documents_contention(struct comb_error *err)
{
    return comb_error_set(err, COMB_ABORTED, COMB_V1_ERROR_REASON_CONTENTION,
                          "others write it all the time: try again");
}

enum comb_status documents_read_one(struct comb_documents *documents, struct comb_ctx *ctx,
                                    const char *at, const struct comb_document_record **ret_record,
                                    struct comb_error *err)
{
    const comb_str name = comb_str_from(at);
    const struct comb_document_record *records;
    size_t n = 0;
    enum comb_status status =
        documents->store->driver->get(documents->store, ctx, &name, 1, &records, &n, err);
    if (status == COMB_OK)
        *ret_record = n > 0 ? &records[0] : NULL;
    return status;
}

bool documents_is_there(const struct comb_document_record *record, int64_t now_us)
{
    return record && !record->is_deleted && (!record->expire_us || record->expire_us > now_us);
}

int64_t documents_next_revision(const struct comb_document_record *before)
{
    int64_t now_us = comb_clock_wall_us();
    return before && before->revision >= now_us ? before->revision + 1 : now_us;
}

bool documents_to_document(const struct comb_document_record *record,
                           struct comb_document *ret_document)
{
    *ret_document = (struct comb_document){
        .body = record->body,
        .revision = record->revision,
        .create_us = record->create_us,
        .update_us = record->update_us,
        .expire_us = record->expire_us,
    };
    return documents_read_at(record->texts[COMB_DOCUMENT_BY_AT], &ret_document->owner,
                             &ret_document->id);
}

static bool is_deeper(const json_t *value, unsigned most)
{
    json_t *own = (json_t *)(uintptr_t)value, *child;
    const char *name;
    size_t i;
    if (!json_is_array(value) && !json_is_object(value))
        return false;
    if (most == 0)
        return true;
    json_array_foreach(own, i, child)
    {
        if (is_deeper(child, most - 1))
            return true;
    }
    json_object_foreach(own, name, child)
    {
        if (is_deeper(child, most - 1))
            return true;
    }
    return false;
}

enum comb_status documents_parse(const char *field, comb_str text, json_t **ret_value,
                                 struct comb_error *err)
{
    json_error_t native;
    if (text.len > COMB_DOCUMENT_BODY_BYTES_MAX)
        return comb_error_field(err, field, "has %zu bytes: %d are the most", text.len,
                                COMB_DOCUMENT_BODY_BYTES_MAX);
    json_t *value =
        json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &native);
    if (!value)
        return comb_error_field(err, field, "is not JSON, line %d column %d: %s", native.line,
                                native.column, native.text);
    if (is_deeper(value, COMB_DOCUMENT_DEPTH_MAX)) {
        json_decref(value);
        return comb_error_field(err, field, "is deeper than %d arrays and objects",
                                COMB_DOCUMENT_DEPTH_MAX);
    }
    *ret_value = value;
    return COMB_OK;
}

/* ---- rights ---- */

static bool is_own(const struct comb_ctx *ctx, const struct comb_uuid *owner)
{
    return ctx->principal->administrator ||
           (owner && comb_uuid_equal(owner, &ctx->principal->user));
}

/* Scopes name nodes, and documents are none. */
static enum comb_status check_scopes(const struct comb_ctx *ctx, struct comb_error *err)
{
    if (ctx->principal && ctx->principal->n_scopes == 0)
        return COMB_OK;
    return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_SCOPE_EXCEEDED,
                          "a token with scopes reaches no documents");
}

enum comb_status documents_may_read(const struct comb_ctx *ctx,
                                    const struct comb_document_store *store,
                                    const struct comb_uuid *owner, struct comb_error *err)
{
    enum comb_status status = check_scopes(ctx, err);
    if (status != COMB_OK || store->access == COMB_DOCUMENT_READABLE || is_own(ctx, owner))
        return status;
    return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                          "store %.*s: users read their own documents alone",
                          COMB_STR_ARG(store->name));
}

static enum comb_status may_write(const struct comb_ctx *ctx, const struct comb_uuid *owner,
                                  struct comb_error *err)
{
    enum comb_status status = check_scopes(ctx, err);
    if (status != COMB_OK || is_own(ctx, owner))
        return status;
    return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                          "users write their own documents alone");
}

/* ---- requests ---- */

static void put_integer(char *to, int64_t value)
{
    memcpy(to, &value, sizeof value);
}

/* Whether this request wrote the record: then *ret_revision is what it made. */
static enum comb_status find_request(const struct comb_document_record *record,
                                     const struct comb_request_key *key, int64_t *ret_revision,
                                     bool *ret_found, struct comb_error *err)
{
    *ret_found = false;
    for (size_t at = 0; record && at + REQUEST <= record->requests.len; at += REQUEST) {
        const char *one = record->requests.ptr + at;
        if (memcmp(one, key->id.bytes, REQUEST_ID) != 0)
            continue;
        if (memcmp(one + REQUEST_ID, key->hash, REQUEST_HASH) != 0)
            return comb_error_set(err, COMB_INVALID_ARGUMENT,
                                  COMB_V1_ERROR_REASON_REQUEST_ID_REUSED,
                                  "the request id was used for something else");
        memcpy(ret_revision, one + REQUEST_ID + REQUEST_HASH, REQUEST_REVISION);
        *ret_found = true;
    }
    return COMB_OK;
}

/* Those of before, with this one in front. */
static enum comb_status add_request(struct comb_ctx *ctx, const struct comb_document_record *before,
                                    const struct comb_request_key *key, int64_t revision,
                                    comb_str *ret_requests, struct comb_error *err)
{
    char *all = grpcc_arena_zalloc(ctx->arena, REQUEST * COMB_DOCUMENT_REQUESTS_MAX);
    size_t len = before ? before->requests.len : 0;
    if (!all)
        return comb_error_no_memory(err);
    if (len > REQUEST * (COMB_DOCUMENT_REQUESTS_MAX - 1))
        len = REQUEST * (COMB_DOCUMENT_REQUESTS_MAX - 1);
    memcpy(all, key->id.bytes, REQUEST_ID);
    memcpy(all + REQUEST_ID, key->hash, REQUEST_HASH);
    put_integer(all + REQUEST_ID + REQUEST_HASH, revision);
    if (len > 0)
        memcpy(all + REQUEST, before->requests.ptr, len);
    *ret_requests = comb_str_of(all, REQUEST + len);
    return COMB_OK;
}

/* ---- one change: read, decide, write, again where somebody else came between ---- */

struct change {
    struct comb_documents *documents;
    const struct comb_request_key *key;
    const char *at;
    comb_str store, id;
    const struct comb_uuid *owner;
    const int64_t *expected;
    /* of a put; deletes: body NULL */
    const json_t *body;
    comb_str text;
    int64_t ttl_ms;
    int64_t revision; /* made */
};

static enum comb_status check_expected(const struct change *change, int64_t is,
                                       struct comb_error *err)
{
    if (change->expected && *change->expected != is)
        return comb_error_set_subject(err, COMB_FAILED_PRECONDITION,
                                      COMB_V1_ERROR_REASON_ETAG_MISMATCH, "expected_revision",
                                      "the document has revision %lld, not %lld", (long long)is,
                                      (long long)*change->expected);
    if (!change->body && is == 0)
        return comb_documents_not_found(err);
    return COMB_OK;
}

/* One in some new ones looks at how many there are. */
static enum comb_status check_count(const struct change *change, struct comb_ctx *ctx,
                                    struct comb_error *err)
{
    const char *from = documents_at(ctx->arena, change->store, change->owner, (comb_str){0});
    size_t n = 0;
    if (change->key->id.bytes[15] % COMB_DOCUMENTS_COUNT_EVERY != 0)
        return COMB_OK;
    const char *to = from ? grpcc_arena_printf(ctx->arena, "%s~", from) : NULL;
    if (!to)
        return comb_error_no_memory(err);
    struct comb_documents_store *store = change->documents->store;
    enum comb_status status = store->driver->count(
        store, ctx, comb_str_from(from), comb_str_from(to), COMB_DOCUMENTS_OF_OWNER_MAX, &n, err);
    if (status != COMB_OK || n < COMB_DOCUMENTS_OF_OWNER_MAX)
        return status;
    return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                          "an owner has at most %d documents in a store",
                          COMB_DOCUMENTS_OF_OWNER_MAX);
}

static enum comb_status fill_record(const struct change *change, struct comb_ctx *ctx,
                                    const struct comb_document_store *store,
                                    const struct comb_document_record *before,
                                    struct comb_document_record *ret, struct comb_error *err)
{
    int64_t now_us = comb_clock_wall_us(), due_us = 0;
    bool was_there = documents_is_there(before, now_us);
    comb_str unfit;
    *ret = (struct comb_document_record){
        .revision = documents_next_revision(before),
        .is_deleted = !change->body,
        .body = change->body ? change->text : STR(""),
        .create_us = was_there ? before->create_us : now_us,
        .update_us = now_us,
        .expire_us = change->ttl_ms ? now_us + change->ttl_ms * 1000 : 0,
    };
    ret->texts[COMB_DOCUMENT_BY_AT] = comb_str_from(change->at);
    due_us = ret->is_deleted ? now_us + COMB_DOCUMENT_TOMBSTONE_US : ret->expire_us;
    if (due_us) {
        const char *due = documents_due(ctx->arena, due_us);
        if (!due)
            return comb_error_no_memory(err);
        ret->texts[COMB_DOCUMENT_BY_DUE] = comb_str_from(due);
    }
    enum comb_status status = documents_set_keys(ctx->arena, store, change->owner, change->id,
                                                 change->body, ret, &unfit, err);
    if (status == COMB_OK && unfit.ptr)
        status = comb_error_field(err, "body", "at %.*s: an index takes texts of at most %d bytes",
                                  COMB_STR_ARG(unfit), COMB_DOCUMENT_INDEXED_BYTES_MAX);
    if (status == COMB_OK)
        status = add_request(ctx, before, change->key, ret->revision, &ret->requests, err);
    return status;
}

/* *ret_done false: somebody else came between. */
static enum comb_status try_change(struct change *change, struct comb_ctx *ctx, bool *ret_done,
                                   struct comb_error *err)
{
    struct comb_documents *documents = change->documents;
    const struct comb_document_record *before;
    struct comb_document_record after;
    struct comb_document_store store;
    enum comb_status status = documents_read_one(documents, ctx, change->at, &before, err);
    if (status == COMB_OK)
        status = find_request(before, change->key, &change->revision, ret_done, err);
    if (status != COMB_OK || *ret_done) {
        ctx->replayed |= status == COMB_OK;
        return status;
    }
    bool is_there = documents_is_there(before, comb_clock_wall_us());
    status = comb_documents_get_store(documents, ctx, change->store, &store, err);
    if (status == COMB_OK)
        status = check_expected(change, is_there ? before->revision : 0, err);
    if (status == COMB_OK && !before)
        status = check_count(change, ctx, err);
    if (status == COMB_OK)
        status = fill_record(change, ctx, &store, before, &after, err);
    if (status != COMB_OK)
        return status;
    change->revision = after.revision;
    return documents->store->driver->write(documents->store, ctx, &after,
                                           before ? before->revision : 0, ret_done, err);
}

/* A write whose answer got lost is found by its request when it is tried again. */
static enum comb_status run_change(struct change *change, struct comb_ctx *ctx,
                                   struct comb_error *err)
{
    struct comb_error why = {0};
    bool is_ambiguous = false;
    for (int i = 0; i < DOCUMENTS_ATTEMPTS; i++) {
        bool is_done = false;
        enum comb_status status = try_change(change, ctx, &is_done, &why);
        if (status == COMB_OK && is_done)
            return COMB_OK;
        if (status == COMB_OK)
            continue;
        bool again = why.ambiguous && comb_ctx_left_ms(ctx) > 0;
        is_ambiguous |= why.ambiguous;
        if (!again) {
            why.ambiguous =
                is_ambiguous && (status == COMB_UNAVAILABLE || status == COMB_DEADLINE_EXCEEDED);
            if (err)
                *err = why;
            return status;
        }
    }
    if (!is_ambiguous)
        return documents_contention(err);
    if (err)
        *err = why;
    return why.status;
}

static enum comb_status check_names(comb_str store, comb_str id, struct comb_error *err)
{
    if (!documents_is_store_name(store))
        return comb_error_field(err, "store", "has 1 to %d letters, digits, \"-\", \"_\", \".\"",
                                COMB_DOCUMENT_STORE_BYTES_MAX);
    if (!documents_is_id(id))
        return comb_error_field(
            err, "id", "has 1 to %d letters, digits, \"-\", \"_\", \".\", \":\", \"@\", \"/\"",
            COMB_DOCUMENT_ID_BYTES_MAX);
    return COMB_OK;
}

/* ---- put, delete, get ---- */

static enum comb_status put_parsed(struct change *change, struct comb_ctx *ctx,
                                   struct comb_error *err)
{
    char *text = json_dumps(change->body, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    change->text = comb_str_from(text ? grpcc_arena_strdup(ctx->arena, text) : NULL);
    free(text);
    if (!change->text.ptr)
        return comb_error_no_memory(err);
    return run_change(change, ctx, err);
}

enum comb_status comb_documents_put(struct comb_documents *documents, struct comb_ctx *ctx,
                                    const struct comb_request_key *key,
                                    const struct comb_document_put *put, int64_t *ret_revision,
                                    struct comb_error *err)
{
    struct change change = {.documents = documents,
                            .key = key,
                            .store = put->store,
                            .id = put->id,
                            .owner = &put->owner,
                            .expected = put->expected,
                            .ttl_ms = put->ttl_ms};
    json_t *body = NULL;
    enum comb_status status = check_names(put->store, put->id, err);
    if (status == COMB_OK)
        status = may_write(ctx, &put->owner, err);
    if (status == COMB_OK && (put->ttl_ms < 0 || put->ttl_ms > COMB_DOCUMENT_TTL_MS_MAX))
        status = comb_error_field(err, "ttl", "is not negative, and ten years at most");
    if (status == COMB_OK)
        status = documents_parse("body", put->body, &body, err);
    if (status != COMB_OK)
        return status;
    change.body = body;
    change.at = documents_at(ctx->arena, put->store, &put->owner, put->id);
    if (!json_is_object(body))
        status = comb_error_field(err, "body", "is a JSON object");
    else
        status = change.at ? put_parsed(&change, ctx, err) : comb_error_no_memory(err);
    json_decref(body);
    if (status == COMB_OK)
        *ret_revision = change.revision;
    return status;
}

enum comb_status comb_documents_delete(struct comb_documents *documents, struct comb_ctx *ctx,
                                       const struct comb_request_key *key, comb_str store,
                                       const struct comb_uuid *owner, comb_str id,
                                       const int64_t *expected, struct comb_error *err)
{
    struct change change = {.documents = documents,
                            .key = key,
                            .store = store,
                            .id = id,
                            .owner = owner,
                            .expected = expected};
    enum comb_status status = check_names(store, id, err);
    if (status == COMB_OK)
        status = may_write(ctx, owner, err);
    if (status != COMB_OK)
        return status;
    change.at = documents_at(ctx->arena, store, owner, id);
    return change.at ? run_change(&change, ctx, err) : comb_error_no_memory(err);
}

/* Puts what was found where it was asked for. */
static enum comb_status sort_in(const struct comb_document_record *records, size_t n_records,
                                const comb_str *ats, size_t n, struct comb_document *ret_documents,
                                struct comb_error *err)
{
    int64_t now_us = comb_clock_wall_us();
    for (size_t i = 0; i < n; i++) {
        ret_documents[i] = (struct comb_document){0};
        for (size_t k = 0; k < n_records; k++) {
            if (!comb_str_equal(records[k].texts[COMB_DOCUMENT_BY_AT], ats[i]) ||
                !documents_is_there(&records[k], now_us))
                continue;
            if (!documents_to_document(&records[k], &ret_documents[i]))
                return comb_error_set(err, COMB_DATA_LOSS, 0, "a document is damaged");
        }
    }
    return COMB_OK;
}

enum comb_status comb_documents_get(struct comb_documents *documents, struct comb_ctx *ctx,
                                    comb_str store_name, const struct comb_uuid *owner,
                                    const comb_str *ids, size_t n,
                                    struct comb_document *ret_documents, struct comb_error *err)
{
    comb_str ats[COMB_DOCUMENT_RECORDS_MAX];
    struct comb_document_store store;
    const struct comb_document_record *records;
    size_t n_records = 0;
    enum comb_status status = comb_documents_get_store(documents, ctx, store_name, &store, err);
    if (status == COMB_OK)
        status = documents_may_read(ctx, &store, owner, err);
    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        status = check_names(store_name, ids[i], err);
        const char *at = documents_at(ctx->arena, store_name, owner, ids[i]);
        if (status == COMB_OK && !at)
            status = comb_error_no_memory(err);
        ats[i] = comb_str_from(at ? at : "");
    }
    if (status == COMB_OK)
        status =
            documents->store->driver->get(documents->store, ctx, ats, n, &records, &n_records, err);
    return status == COMB_OK ? sort_in(records, n_records, ats, n, ret_documents, err) : status;
}
