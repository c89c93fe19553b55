/* SPDX-License-Identifier: Apache-2.0 */
/* What requests about contents have in common: targets, checksums, and the answers to writes. */
#include "comb/v1/errors.grpcc.h"
#include "server/core/limits.h"
#include "server/data/internal.h"
#include "server/data/media_type.h"
#include "server/tree/tree_message.h"

const char *comb_data_field(struct grpcc_arena *arena, const char *prefix, const char *name)
{
    const char *field = prefix[0] ? grpcc_arena_printf(arena, "%s%s", prefix, name) : name;

    return field ? field : name;
}

static enum comb_status media_type_of(const struct comb_v1_upload_target *target, const char *field,
                                      comb_str *ret_media_type, struct comb_error *err)
{
    comb_str media_type = comb_str_from(target->media_type);

    if (media_type.len == 0)
        media_type = comb_media_type_of_name(comb_str_from(target->name));
    else if (media_type.len > COMB_MEDIA_TYPE_BYTES_MAX || !comb_media_type_is_valid(media_type))
        return comb_error_field(err, field,
                                "must look like \"text/plain\" and have at most %d "
                                "bytes",
                                COMB_MEDIA_TYPE_BYTES_MAX);
    *ret_media_type = media_type;
    return COMB_OK;
}

enum comb_status comb_data_put_of_target(const struct comb_v1_upload_target *target,
                                         const char *field, struct comb_tree_put *ret_put,
                                         struct comb_error *err)
{
    struct comb_tree_put put = {.field = field};
    enum comb_status status;

    if (!target || !target->parent)
        return comb_error_field(err, field, "a target with a parent is needed");
    put.parent = target->parent;
    put.name = comb_str_from(target->name);
    put.create_parents = target->create_parents;
    put.metadata = target->metadata;
    put.n_metadata = target->n_metadata;
    put.lock_token = target->lock_token;
    if (target->condition &&
        target->condition->condition_case == COMB_V1_WRITE_CONDITION_CONDITION_ETAG) {
        put.condition = COMB_TREE_ETAG;
        put.etag = comb_str_from(target->condition->etag);
        if (put.etag.len == 0)
            return comb_error_field(err, field, "empty; leave condition out");
    } else if (target->condition &&
               target->condition->condition_case == COMB_V1_WRITE_CONDITION_CONDITION_ABSENT) {
        put.condition = target->condition->absent ? COMB_TREE_ABSENT : COMB_TREE_ANY;
    }
    status = media_type_of(target, field, &put.media_type, err);
    if (status == COMB_OK)
        *ret_put = put;
    return status;
}

enum comb_status comb_data_sha256_of(const ProtobufCBinaryData *field_value, const char *field,
                                     comb_str *ret_sha256, struct comb_error *err)
{
    if (field_value->len != 0 && field_value->len != COMB_SHA256_SIZE)
        return comb_error_field(err, field, "a SHA-256 has %d bytes, not %zu", COMB_SHA256_SIZE,
                                field_value->len);
    *ret_sha256 = comb_str_of(field_value->data, field_value->len);
    return COMB_OK;
}

enum comb_status comb_data_check_sha256(comb_str expected, const uint8_t digest[COMB_SHA256_SIZE],
                                        struct comb_error *err)
{
    if (expected.len == 0 || memcmp(expected.ptr, digest, COMB_SHA256_SIZE) == 0)
        return COMB_OK;
    return comb_error_set(err, COMB_DATA_LOSS, COMB_V1_ERROR_REASON_CHECKSUM_MISMATCH,
                          "the content that arrived has another SHA-256 than was given");
}

enum comb_status comb_data_node_message(struct comb_data *data, struct comb_ctx *ctx,
                                        const struct comb_outcome *outcome,
                                        struct comb_tree_written *written,
                                        struct comb_v1_node **ret_node, struct comb_error *err)
{
    struct comb_tree_extra extra = {.path = NULL};

    if (outcome->replayed) {
        enum comb_status status =
            comb_tree_outcome_read(data->use.tree, ctx, outcome->bytes, written, err);

        if (status != COMB_OK)
            return status;
    }
    extra.path = written->path;
    return comb_tree_node_message(ctx->arena, &written->node, &extra, ret_node, err);
}
