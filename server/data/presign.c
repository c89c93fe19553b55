/* SPDX-License-Identifier: Apache-2.0 */
/* URLs by which contents are read from the data store itself. */
#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/timestamp.h"
#include "server/data/internal.h"
#include "server/tree/tree_message.h"

struct presign {
    struct comb_data *data;
    unsigned ttl_s;
    struct comb_v1_data_presign_response *response;
};

static enum comb_status add_object(struct presign *presign, struct comb_ctx *ctx,
                                   const struct comb_uuid *session, const struct comb_uuid *object,
                                   uint64_t offset, uint64_t size,
                                   const struct comb_data_seal *seal, struct comb_error *err)
{
    struct comb_v1_presigned_part *part;
    char key[COMB_BLOB_KEY_MAX];
    const char *url = NULL;
    enum comb_status status;

    if (seal->is_sealed)
        return comb_error_set(err, COMB_UNIMPLEMENTED, 0,
                              "the content is encrypted in the store, which has not the key; "
                              "download it");
    status = comb_blob_presign(presign->data->use.blobs, ctx, comb_blob_key(session, object, key),
                               presign->ttl_s, &url, err);
    if (status != COMB_OK)
        return status;
    part = comb_v1_presigned_part_new(ctx->arena);
    if (!part)
        return comb_error_no_memory(err);
    part->url = grpcc_arena_strdup(ctx->arena, url);
    part->offset = offset;
    part->length = size;
    return part->url && comb_v1_data_presign_response_add_parts(ctx->arena, presign->response, part)
               ? COMB_OK
               : comb_error_no_memory(err);
}

static enum comb_status add_parts(struct presign *presign, struct comb_ctx *ctx,
                                  const struct comb_data_blob *blob, struct comb_error *err)
{
    struct comb_data_store *store = presign->data->use.store;
    const struct comb_data_part *parts;
    uint64_t from = 0;
    size_t n = 0;

    while (from < blob->size) {
        enum comb_status status = store->driver->get_parts(store, ctx, &blob->id, from,
                                                           COMB_DATA_BATCH_MAX, &parts, &n, err);

        if (status == COMB_OK && n == 0)
            status = comb_error_set(err, COMB_DATA_LOSS, 0,
                                    "a part of the content is missing in the store");
        if (status == COMB_OK && presign->response->n_parts + n > COMB_DATA_PRESIGN_PARTS_MAX)
            status = comb_error_set_subject(
                err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_TOO_LARGE, "presign_parts_max",
                "URLs are made for a content of at most %d parts; download it",
                COMB_DATA_PRESIGN_PARTS_MAX);
        for (size_t i = 0; status == COMB_OK && i < n; i++) {
            status = add_object(presign, ctx, &parts[i].session, &parts[i].object, parts[i].offset,
                                parts[i].size, &parts[i].seal, err);
            from = parts[i].offset + parts[i].size;
        }
        if (status != COMB_OK)
            return status;
    }
    return COMB_OK;
}

enum comb_status comb_data_presign(struct comb_data *data, struct comb_ctx *ctx,
                                   const struct comb_v1_data_presign_request *request,
                                   struct comb_v1_data_presign_response *response,
                                   struct comb_error *err)
{
    struct presign presign = {
        .data = data,
        .ttl_s = request->ttl_seconds > 0 ? request->ttl_seconds : COMB_BLOB_PRESIGN_S_MAX,
        .response = response,
    };
    int64_t expire_us = comb_clock_wall_us() + presign.ttl_s * COMB_US_PER_S;
    struct comb_access_node node;
    struct comb_data_blob blob;
    enum comb_status status;

    if (presign.ttl_s > COMB_BLOB_PRESIGN_S_MAX)
        return comb_error_field(err, "ttl_seconds", "URLs hold for at most %d seconds",
                                COMB_BLOB_PRESIGN_S_MAX);
    status = comb_data_find_content(data, ctx, request->node, &node, &blob, err);
    if (status == COMB_OK) {
        const struct comb_tree_extra extra = {.path = node.path};
        status = comb_tree_node_message(ctx->arena, node.node, &extra, &response->node, err);
    }
    if (status == COMB_OK)
        status =
            comb_uuid_is_nil(&blob.session)
                ? add_parts(&presign, ctx, &blob, err)
                : add_object(&presign, ctx, &blob.session, &blob.id, 0, blob.size, &blob.seal, err);
    if (status != COMB_OK)
        return status;
    response->expire_time = comb_timestamp_new(ctx->arena, expire_us);
    return response->expire_time ? COMB_OK : comb_error_no_memory(err);
}
