/* SPDX-License-Identifier: Apache-2.0 */
/* Upload sessions: opened, looked at, made a file, given up. Their parts come through writer.c. */
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/memory.h"
#include "server/core/timestamp.h"
#include "server/data/internal.h"

static enum comb_status not_found(struct comb_error *err, const char *upload_id)
{
    return comb_error_set_subject(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_UPLOAD_NOT_FOUND,
                                  upload_id,
                                  "there is no such upload of yours, or it has expired, been "
                                  "committed or been aborted");
}

enum comb_status comb_data_find_upload(struct comb_data *data, struct comb_ctx *ctx,
                                       const char *upload_id, const char *field,
                                       struct comb_data_upload *ret_upload, struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    struct comb_data_upload upload;
    struct comb_uuid id;
    bool is_found = false;
    enum comb_status status;

    if (!comb_uuid_parse(comb_str_from(upload_id), &id))
        return comb_error_field(err, field, "an upload's id is a UUID");
    status = store->driver->get_upload(store, ctx, &id, &is_found, &upload, err);
    if (status != COMB_OK)
        return status;
    /* What is another's does not exist for the caller. */
    if (!is_found || !ctx->principal || !comb_uuid_equal(&upload.owner, &ctx->principal->user))
        return not_found(err, upload_id);
    *ret_upload = upload;
    return COMB_OK;
}

/* ---- the message ---- */

static enum comb_status unpack_target(struct comb_ctx *ctx, comb_str packed,
                                      struct comb_v1_upload_target **ret_target,
                                      struct comb_error *err)
{
    struct grpcc_error native;

    if (comb_v1_upload_target_unpack(ctx->arena, NULL, packed.ptr, packed.len, ret_target,
                                     &native) != GRPCC_OK)
        return comb_error_set(err, COMB_INTERNAL, 0, "the stored target cannot be read");
    return COMB_OK;
}

/* Adds bytes to the last range where they follow it, else as one of their own. */
static bool add_range(struct grpcc_arena *arena, struct comb_v1_upload *message,
                      const struct comb_data_part *part)
{
    struct comb_v1_byte_range *range =
        message->n_received > 0 ? message->received[message->n_received - 1] : NULL;

    if (range && range->offset + range->length == part->offset) {
        range->length += part->size;
        return true;
    }
    range = comb_v1_byte_range_new(arena);
    if (!range)
        return false;
    range->offset = part->offset;
    range->length = part->size;
    return comb_v1_upload_add_received(arena, message, range);
}

static enum comb_status add_ranges(struct comb_data *data, struct comb_ctx *ctx,
                                   const struct comb_uuid *id, struct comb_v1_upload *message,
                                   struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    const struct comb_data_part *parts;
    uint64_t from = 0;
    size_t n;

    do {
        enum comb_status status =
            store->driver->get_parts(store, ctx, id, from, COMB_DATA_BATCH_MAX, &parts, &n, err);

        if (status != COMB_OK)
            return status;
        for (size_t i = 0; i < n; i++) {
            if (!add_range(ctx->arena, message, &parts[i]))
                return comb_error_no_memory(err);
            message->received_bytes += parts[i].size;
            from = parts[i].offset + parts[i].size;
        }
    } while (n == COMB_DATA_BATCH_MAX);
    return COMB_OK;
}

/* All but what lies there. */
static enum comb_status upload_head(struct comb_ctx *ctx, const struct comb_data_upload *upload,
                                    struct comb_v1_upload **ret_message, struct comb_error *err)
{
    struct comb_v1_upload *message = comb_v1_upload_new(ctx->arena);
    enum comb_status status;

    if (!message)
        return comb_error_no_memory(err);
    message->id = comb_uuid_text(ctx->arena, &upload->id);
    message->expire_time = comb_timestamp_new(ctx->arena, upload->expire_us);
    message->has_size = upload->has_size;
    message->size = upload->size;
    message->part_bytes_max = COMB_DATA_PART_BYTES_MAX;
    if (!message->id || !message->expire_time)
        return comb_error_no_memory(err);
    status = unpack_target(ctx, upload->target, &message->target, err);
    if (status == COMB_OK)
        *ret_message = message;
    return status;
}

enum comb_status comb_data_upload_message(struct comb_data *data, struct comb_ctx *ctx,
                                          const struct comb_data_upload *upload,
                                          struct comb_v1_upload **ret_message,
                                          struct comb_error *err)
{
    enum comb_status status = upload_head(ctx, upload, ret_message, err);

    return status == COMB_OK ? add_ranges(data, ctx, &upload->id, *ret_message, err) : status;
}

enum comb_status comb_data_get_upload(struct comb_data *data, struct comb_ctx *ctx,
                                      const char *upload_id, struct comb_v1_upload **ret_upload,
                                      struct comb_error *err)
{
    struct comb_data_upload upload;
    enum comb_status status =
        comb_data_find_upload(data, ctx, upload_id, "upload_id", &upload, err);

    return status == COMB_OK ? comb_data_upload_message(data, ctx, &upload, ret_upload, err)
                             : status;
}

/* ---- list ---- */

/* A target takes up to 300 KiB, most of it metadata, which the list leaves out: so few are read at
 * once, into memory of their own. */
#define LIST_ROWS 8

/* The upload without its metadata, for the answer; *bytes: added to. */
static enum comb_status list_one(struct comb_ctx *ctx, const struct comb_ctx *rows,
                                 const struct comb_data_upload *upload,
                                 struct comb_v1_data_list_uploads_response *response, size_t *bytes,
                                 struct comb_error *err)
{
    struct comb_ctx read = *rows;
    struct comb_v1_upload *message, *kept;
    enum comb_status status = upload_head(&read, upload, &message, err);

    if (status != COMB_OK)
        return status;
    message->received_bytes = upload->received;
    message->target->n_metadata = 0;
    *bytes += protobuf_c_message_get_packed_size(&message->base);
    kept = grpcc_message_dup(ctx->arena, &message->base);
    if (!kept || !comb_v1_data_list_uploads_response_add_uploads(ctx->arena, response, kept))
        return comb_error_no_memory(err);
    return COMB_OK;
}

enum comb_status comb_data_list_uploads(struct comb_data *data, struct comb_ctx *ctx,
                                        struct comb_uuid *after, size_t max,
                                        struct comb_v1_data_list_uploads_response *response,
                                        struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    const struct comb_data_upload *uploads;
    struct comb_ctx rows = *ctx;
    enum comb_status status = COMB_OK;
    size_t n = LIST_ROWS, bytes = 0;

    rows.arena = grpcc_arena_new(0);
    if (!rows.arena)
        return comb_error_no_memory(err);
    while (status == COMB_OK && n == LIST_ROWS && response->n_uploads < max &&
           bytes < COMB_DATA_UPLOADS_BYTES_MAX) {
        grpcc_arena_reset(rows.arena);
        status = store->driver->list_uploads(store, &rows, &ctx->principal->user, after, LIST_ROWS,
                                             &uploads, &n, err);
        for (size_t i = 0; status == COMB_OK && i < n && response->n_uploads < max; i++) {
            *after = uploads[i].id;
            status = list_one(ctx, &rows, &uploads[i], response, &bytes, err);
        }
    }
    if (status == COMB_OK && n < LIST_ROWS && response->n_uploads < max)
        *after = (struct comb_uuid){{0}};
    comb_ctx_reach(ctx, rows.reached);
    grpcc_arena_free(rows.arena);
    return status;
}

/* ---- start ---- */

struct start {
    struct comb_data *data;
    const struct comb_v1_data_start_upload_request *request;
    struct comb_data_upload upload;
};

/* Whether the caller may open one more. The write itself holds the limit; this says why it did not
 * go through, so that a start which does costs nothing more. */
static enum comb_status check_room(struct comb_data *data, struct comb_ctx *ctx,
                                   struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    uint64_t n = 0;
    enum comb_status status =
        store->driver->count_uploads(store, ctx, &ctx->principal->user, &n, err);

    if (status != COMB_OK || n < data->use.uploads_max)
        return status;
    return comb_error_set_subject(err, COMB_RESOURCE_EXHAUSTED,
                                  COMB_V1_ERROR_REASON_TOO_MANY_UPLOADS, "uploads_max",
                                  "%u uploads of yours are open, as many as may be: commit or "
                                  "abort some",
                                  data->use.uploads_max);
}

static enum comb_status plan_start(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                   struct comb_error *err)
{
    struct start *start = data;
    struct comb_data_store *store = start->data->use.store;
    struct comb_tree_put put;
    enum comb_status status = comb_data_put_of_target(start->request->target, "target", &put, err);

    plan->kind = COMB_SQL_WRITE;
    if (status == COMB_OK)
        status = comb_tree_check_put(start->data->use.tree, ctx, &put, err);
    if (status == COMB_OK && plan->attempt > 0)
        status = check_room(start->data, ctx, err);
    if (status == COMB_OK)
        status = store->driver->plan_upload(store, ctx, plan, &start->upload,
                                            start->data->use.uploads_max, err);
    plan->outcome = comb_uuid_bytes(&start->upload.id);
    return status;
}

static enum comb_status decide_start(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                     struct comb_error *err)
{
    struct start *start = data;

    return comb_tree_decide(start->data->use.tree, plan_start, start, ctx, plan, err);
}

/* The upload that a request opened, now or at its first time. */
static enum comb_status started_upload(struct start *start, struct comb_ctx *ctx,
                                       const struct comb_outcome *outcome,
                                       struct comb_v1_upload **ret_upload, struct comb_error *err)
{
    char id[COMB_UUID_TEXT_LENGTH + 1];

    if (outcome->replayed) {
        if (outcome->bytes.len != sizeof start->upload.id.bytes)
            return comb_error_set(err, COMB_INTERNAL, 0, "the stored outcome cannot be read");
        memcpy(start->upload.id.bytes, outcome->bytes.ptr, outcome->bytes.len);
    }
    comb_uuid_format(&start->upload.id, id);
    return comb_data_get_upload(start->data, ctx, id, ret_upload, err);
}

enum comb_status comb_data_start_upload(struct comb_data *data, struct comb_ctx *ctx,
                                        const struct comb_v1_data_start_upload_request *request,
                                        const struct comb_request_key *key,
                                        struct comb_v1_upload **ret_upload, struct comb_error *err)
{
    struct start start = {.data = data, .request = request};
    struct comb_data_upload *upload = &start.upload;
    struct comb_outcome outcome;
    enum comb_status status = comb_data_sha256_of(&request->sha256, "sha256", &upload->sha256, err);
    size_t size = 0;
    void *packed;

    if (status != COMB_OK)
        return status;
    if (!request->target)
        return comb_error_field(err, "target", "a target is needed");
    if (request->has_size && request->size > COMB_DATA_FILE_BYTES_MAX)
        return comb_error_set_subject(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                                      "file_bytes_max", "a file has at most %llu bytes",
                                      COMB_DATA_FILE_BYTES_MAX);
    packed = comb_v1_upload_target_pack(ctx->arena, request->target, &size);
    if (!packed)
        return comb_error_no_memory(err);
    upload->id = comb_uuid_new();
    upload->owner = ctx->principal->user;
    upload->target = comb_str_of(packed, size);
    upload->has_size = request->has_size;
    upload->size = request->size;
    status = comb_mutation_run(data->use.mutations, ctx, key, decide_start, &start, &outcome, err);
    return status == COMB_OK ? started_upload(&start, ctx, &outcome, ret_upload, err) : status;
}

/* ---- commit ---- */

struct commit {
    struct comb_data *data;
    const struct comb_v1_data_commit_upload_request *request;
    bool is_hashed; /* seen and digest are set */
    struct comb_data_upload seen;
    uint8_t digest[COMB_SHA256_SIZE];
    comb_str sha256; /* that the request gave */
    struct comb_tree_written written;
};

/* UPLOAD_INCOMPLETE unless the parts make a whole of the announced size. */
static enum comb_status check_complete(struct comb_data *data, struct comb_ctx *ctx,
                                       const struct comb_data_upload *upload,
                                       struct comb_error *err)
{
    struct comb_v1_upload *message;
    enum comb_status status = comb_data_upload_message(data, ctx, upload, &message, err);
    char missing[COMB_ERROR_SUBJECT_MAX];
    uint64_t begin, end;

    if (status != COMB_OK)
        return status;
    begin = message->n_received > 0 && message->received[0]->offset == 0
                ? message->received[0]->length
                : 0;
    if (begin == upload->received && (!upload->has_size || begin == upload->size))
        return COMB_OK;
    end = upload->size;
    for (size_t i = message->n_received; i > 0 && message->received[i - 1]->offset > begin; i--)
        end = message->received[i - 1]->offset;
    snprintf(missing, sizeof missing, "%llu-%llu", (unsigned long long)begin,
             (unsigned long long)end - 1);
    return comb_error_set_subject(err, COMB_FAILED_PRECONDITION,
                                  COMB_V1_ERROR_REASON_UPLOAD_INCOMPLETE, missing,
                                  "the bytes %s have not come", missing);
}

/* Reads what has not been hashed as it came. */
static enum comb_status hash_rest(struct comb_data *data, struct comb_ctx *ctx,
                                  const struct comb_data_upload *upload,
                                  struct comb_content_hash *hash, struct comb_error *err)
{
    const struct comb_data_blob blob = {.id = upload->id, .size = upload->received};
    char *buffer = comb_memory_alloc(COMB_DATA_CHUNK_MAX);
    struct comb_data_span span;
    enum comb_status status = COMB_OK;
    size_t n = 0;

    if (!buffer)
        return comb_error_no_memory(err);
    comb_data_span_init(&span, data, &blob, hash->bytes, upload->received - hash->bytes);
    do {
        status = comb_data_span_read(&span, ctx, buffer, COMB_DATA_CHUNK_MAX, &n, err);
        if (status == COMB_OK)
            comb_content_hash_update(hash, comb_str_of(buffer, n));
    } while (status == COMB_OK && n > 0);
    comb_data_span_done(&span);
    comb_memory_free(buffer);
    return status;
}

/* Makes sure of the content before a transaction is begun: that it is whole, and what its SHA-256
 * is. */
static enum comb_status prepare_commit(struct commit *commit, struct comb_ctx *ctx,
                                       struct comb_error *err)
{
    struct comb_content_hash hash;
    enum comb_status status = check_complete(commit->data, ctx, &commit->seen, err);

    if (status != COMB_OK)
        return status;
    if (!comb_content_hash_load(&commit->seen.hashed, &hash))
        comb_content_hash_init(&hash);
    status = hash_rest(commit->data, ctx, &commit->seen, &hash, err);
    if (status != COMB_OK)
        return status;
    comb_content_hash_digest(&hash, commit->digest);
    status = comb_data_check_sha256(commit->seen.sha256, commit->digest, err);
    if (status == COMB_OK)
        status = comb_data_check_sha256(commit->sha256, commit->digest, err);
    commit->is_hashed = status == COMB_OK;
    return status;
}

static enum comb_status plan_commit(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    struct commit *commit = data;
    struct comb_data_store *store = commit->data->use.store;
    struct comb_v1_upload_target *target;
    struct comb_data_upload now;
    struct comb_tree_put put;
    enum comb_status status = comb_data_find_upload(commit->data, ctx, commit->request->upload_id,
                                                    "upload_id", &now, err);

    if (status != COMB_OK)
        return status;
    if (!commit->is_hashed || now.n_parts != commit->seen.n_parts)
        return comb_error_set(err, COMB_ABORTED, COMB_V1_ERROR_REASON_CONTENTION,
                              "parts came while the upload was committed; commit again");
    status = unpack_target(ctx, now.target, &target, err);
    if (status == COMB_OK)
        status = comb_data_put_of_target(target, "target", &put, err);
    if (status != COMB_OK)
        return status;
    plan->kind = COMB_SQL_WRITE;
    put.blob = now.id;
    put.size = now.received;
    put.sha256 = comb_str_of(commit->digest, COMB_SHA256_SIZE);
    status = store->driver->plan_commit(store, ctx, plan, &now, put.sha256, err);
    if (status == COMB_OK)
        status = comb_tree_plan_put(commit->data->use.tree, ctx, plan, &put, &commit->written, err);
    if (status == COMB_OK)
        status = comb_tree_outcome_pack(ctx, &commit->written.node, commit->written.created,
                                        &plan->outcome, err);
    return status;
}

static enum comb_status decide_commit(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    struct commit *commit = data;

    return comb_tree_decide(commit->data->use.tree, plan_commit, commit, ctx, plan, err);
}

enum comb_status comb_data_commit_upload(struct comb_data *data, struct comb_ctx *ctx,
                                         const struct comb_v1_data_commit_upload_request *request,
                                         const struct comb_request_key *key,
                                         struct comb_v1_node **ret_node, struct comb_error *err)
{
    struct commit commit = {.data = data, .request = request};
    struct comb_outcome outcome;
    enum comb_status status = comb_data_sha256_of(&request->sha256, "sha256", &commit.sha256, err);

    if (status != COMB_OK)
        return status;
    status = comb_data_find_upload(data, ctx, request->upload_id, "upload_id", &commit.seen, err);
    /* One that is gone may have been committed by this very request: the mutation knows. */
    if (status == COMB_OK)
        status = prepare_commit(&commit, ctx, err);
    else if (status == COMB_NOT_FOUND)
        status = COMB_OK;
    if (status == COMB_OK)
        status =
            comb_mutation_run(data->use.mutations, ctx, key, decide_commit, &commit, &outcome, err);
    if (status == COMB_OK)
        status = comb_data_node_message(data, ctx, &outcome, &commit.written, ret_node, err);
    return status;
}

/* ---- abort ---- */

struct abort_upload {
    struct comb_data *data;
    const char *upload_id;
    struct comb_data_upload upload;
};

static enum comb_status decide_abort(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                     struct comb_error *err)
{
    struct abort_upload *abort = data;
    struct comb_data_store *store = abort->data->use.store;
    enum comb_status status =
        comb_data_find_upload(abort->data, ctx, abort->upload_id, "upload_id", &abort->upload, err);

    plan->kind = COMB_SQL_WRITE;
    return status == COMB_OK ? store->driver->plan_abort(store, ctx, plan, &abort->upload, err)
                             : status;
}

enum comb_status comb_data_abort_upload(struct comb_data *data, struct comb_ctx *ctx,
                                        const char *upload_id, const struct comb_request_key *key,
                                        struct comb_error *err)
{
    struct abort_upload abort = {.data = data, .upload_id = upload_id};
    struct comb_outcome outcome;
    enum comb_status status =
        comb_mutation_run(data->use.mutations, ctx, key, decide_abort, &abort, &outcome, err);

    /* What it held goes at once; what does not, goes with the sweeper. */
    if (status == COMB_OK && !outcome.replayed)
        (void)comb_data_drop(data, ctx, &abort.upload.id, NULL);
    return status;
}
