/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to records behind callers' backs: keys of new indexes, the end of what has expired.
 */
#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/core/memory.h"
#include "server/documents/internal.h"

#define PURGE_EVERY_MS 60000
#define PURGE_DEADLINE_MS 20000
/* Scans of one purge. */
#define PURGE_ROUNDS_MAX 16

/* ---- keys ---- */

/* Where somebody writes it meanwhile, he sets its keys himself, or it is found again. */
static enum comb_status heal_one(struct comb_documents *documents, struct comb_ctx *ctx,
                                 const struct comb_document_store *store,
                                 const struct comb_document_record *record, struct comb_error *err)
{
    struct comb_document_record healed = *record;
    struct comb_uuid owner;
    comb_str id, unfit;
    if (!documents_read_at(record->texts[COMB_DOCUMENT_BY_AT], &owner, &id))
        return comb_error_set(err, COMB_DATA_LOSS, 0, "a document is damaged");
    json_t *body =
        record->is_deleted ? NULL : json_loadb(record->body.ptr, record->body.len, 0, NULL);
    enum comb_status status =
        documents_set_keys(ctx->arena, store, &owner, id, body, &healed, &unfit, err);
    json_decref(body);
    if (status == COMB_OK)
        status = documents->store->driver->set_keys(documents->store, ctx, &healed, err);
    return status;
}

enum comb_status documents_heal(struct comb_documents *documents, struct comb_ctx *ctx,
                                const struct comb_document_store *store, struct comb_error *err)
{
    const char *from = documents_made(ctx->arena, store->name, 0);
    const char *to = documents_made(ctx->arena, store->name, store->keys_revision);
    size_t done = 0, n = 0;
    if (!from || !to)
        return comb_error_no_memory(err);
    const struct comb_document_scan scan = {.order = COMB_DOCUMENT_BY_MADE,
                                            .from = comb_str_from(from),
                                            .to = comb_str_from(to),
                                            .max = COMB_DOCUMENT_RECORDS_MAX};
    do {
        const struct comb_document_record *records;
        enum comb_status status =
            documents->store->driver->scan(documents->store, ctx, &scan, &records, &n, err);
        for (size_t i = 0; i < n && status == COMB_OK; i++)
            status = heal_one(documents, ctx, store, &records[i], err);
        if (status != COMB_OK)
            return status;
        done += n;
    } while (n == scan.max && done < COMB_DOCUMENT_HEAL_MAX);
    if (n < scan.max)
        return COMB_OK;
    comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_OVERLOADED,
                   "an index is still being made: ask again");
    if (err)
        err->retryable = true;
    return COMB_UNAVAILABLE;
}

/* ---- expiry ---- */

enum comb_status comb_documents_purge(struct comb_documents *documents, struct comb_ctx *ctx,
                                      size_t *ret_n, struct comb_error *err)
{
    const char *now = documents_due(ctx->arena, comb_clock_wall_us());
    size_t done = 0, n = 0;
    if (!now)
        return comb_error_no_memory(err);
    const struct comb_document_scan scan = {.order = COMB_DOCUMENT_BY_DUE,
                                            .from = STR("0"),
                                            .to = comb_str_from(now),
                                            .max = COMB_DOCUMENT_RECORDS_MAX};
    for (int round = 0; round < PURGE_ROUNDS_MAX; round++) {
        const struct comb_document_record *records;
        enum comb_status status =
            documents->store->driver->scan(documents->store, ctx, &scan, &records, &n, err);
        for (size_t i = 0; i < n && status == COMB_OK; i++)
            status = documents->store->driver->remove(documents->store, ctx,
                                                      records[i].texts[COMB_DOCUMENT_BY_AT],
                                                      records[i].revision, err);
        if (status != COMB_OK)
            return status;
        done += n;
        if (n < scan.max)
            break;
    }
    *ret_n = done;
    return COMB_OK;
}

static bool wait_for_stop(struct comb_documents *documents)
{
    int64_t until_ns = comb_clock_in_ms(PURGE_EVERY_MS);
    bool waits = true;
    pthread_mutex_lock(&documents->lock);
    while (!documents->is_stopping && waits)
        waits = comb_cond_wait_until(&documents->stop, &documents->lock, until_ns);
    bool is_stopping = documents->is_stopping;
    pthread_mutex_unlock(&documents->lock);
    return is_stopping;
}

static void *keep_purging(void *data)
{
    struct comb_documents *documents = data;
    while (!wait_for_stop(documents)) {
        struct comb_ctx ctx = {.arena = grpcc_arena_new(0),
                               .deadline_ns = comb_clock_in_ms(PURGE_DEADLINE_MS)};
        struct comb_error err = {0};
        size_t n = 0;
        if (ctx.arena && comb_documents_purge(documents, &ctx, &n, &err) != COMB_OK)
            comb_log_error(COMB_LOG_DEBUG, "documents", "what has expired was not removed", &err);
        grpcc_arena_free(ctx.arena);
    }
    return NULL;
}

/* ---- the domain ---- */

enum comb_status comb_documents_new(struct comb_documents_store *store,
                                    struct comb_documents **ret_documents, struct comb_error *err)
{
    struct comb_documents *documents = comb_memory_zalloc(sizeof *documents);
    if (!documents)
        return comb_error_no_memory(err);
    documents->store = store;
    pthread_mutex_init(&documents->lock, NULL);
    comb_cond_init(&documents->stop);
    documents->has_purger = pthread_create(&documents->purger, NULL, keep_purging, documents) == 0;
    if (!documents->has_purger) {
        comb_documents_free(documents);
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the documents");
    }
    *ret_documents = documents;
    return COMB_OK;
}

void comb_documents_free(struct comb_documents *documents)
{
    if (!documents)
        return;
    pthread_mutex_lock(&documents->lock);
    documents->is_stopping = true;
    pthread_cond_signal(&documents->stop);
    pthread_mutex_unlock(&documents->lock);
    if (documents->has_purger)
        pthread_join(documents->purger, NULL);
    pthread_cond_destroy(&documents->stop);
    pthread_mutex_destroy(&documents->lock);
    comb_memory_free(documents);
}
