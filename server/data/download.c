/* SPDX-License-Identifier: Apache-2.0 */
/* Contents that go out. */
#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/data/internal.h"
#include "server/tree/tree_message.h"

struct comb_data_reader {
    struct comb_data *data;
    struct comb_uuid node;
    struct comb_data_span span;
    int64_t checked_ns;        /* when the caller's rights were last looked at, CLOCK_BOOTTIME */
    struct grpcc_arena *arena; /* of those looks */
    char *buffer;              /* COMB_DATA_CHUNK_MAX bytes */
};

/* The range of a request in a file: offset and *ret_length. */
static enum comb_status range_of(const struct comb_v1_data_download_request *request, uint64_t size,
                                 uint64_t *ret_length, struct comb_error *err)
{
    uint64_t rest;

    if (request->offset > size || (request->offset == size && size > 0))
        return comb_error_set_subject(err, COMB_OUT_OF_RANGE, COMB_V1_ERROR_REASON_FIELD_INVALID,
                                      "offset", "the file has %llu bytes; offset is %llu",
                                      (unsigned long long)size,
                                      (unsigned long long)request->offset);
    rest = size - request->offset;
    *ret_length = request->has_length && request->length < rest ? request->length : rest;
    return COMB_OK;
}

/* The file, and the blob that is its content. */
static enum comb_status find(struct comb_data *data, struct comb_ctx *ctx,
                             const struct comb_v1_node_ref *ref, struct comb_access_node *ret_node,
                             bool *ret_found, struct comb_data_blob *ret_blob,
                             struct comb_error *err)
{
    static const struct comb_access_options options = {.need = COMB_V1_NEED_READ, .field = "node"};
    struct comb_data_store *store = data->use.store;
    enum comb_status status;

    if (!ref)
        return comb_error_field(err, "node", "a node is needed");
    status = comb_access_resolve(data->use.access, ctx, ref, &options, ret_node, err);
    if (status != COMB_OK)
        return status;
    if (ret_node->node->kind != COMB_V1_NODE_KIND_FILE)
        return comb_error_set_subject(err, COMB_FAILED_PRECONDITION,
                                      COMB_V1_ERROR_REASON_NOT_A_FILE, "node",
                                      "a folder has no content");
    return store->driver->get_blob(store, ctx, &ret_node->node->blob, ret_found, ret_blob, err);
}

/* Memory may name a content that was replaced longer ago than the restore window, if that is
 * short: then the truth is asked. */
enum comb_status comb_data_find_content(struct comb_data *data, struct comb_ctx *ctx,
                                        const struct comb_v1_node_ref *ref,
                                        struct comb_access_node *ret_node,
                                        struct comb_data_blob *ret_blob, struct comb_error *err)
{
    bool was_strong = ctx->strong, is_found = false;
    enum comb_status status = find(data, ctx, ref, ret_node, &is_found, ret_blob, err);

    if (status != COMB_OK || is_found)
        return status;
    ctx->strong = true;
    status = find(data, ctx, ref, ret_node, &is_found, ret_blob, err);
    ctx->strong = was_strong;
    return status == COMB_OK && !is_found
               ? comb_error_set(err, COMB_DATA_LOSS, 0, "the file's content is not in the store")
               : status;
}

static enum comb_status make_header(struct comb_ctx *ctx,
                                    const struct comb_v1_data_download_request *request,
                                    const struct comb_access_node *node,
                                    struct comb_v1_download_header **ret_header,
                                    struct comb_error *err)
{
    const struct comb_tree_extra extra = {.path = node->path};
    struct comb_v1_download_header *header = comb_v1_download_header_new(ctx->arena);
    char etag[COMB_TREE_ETAG_SIZE];
    enum comb_status status;

    if (!header)
        return comb_error_no_memory(err);
    status = comb_tree_etag_check(node->node, comb_str_from(request->if_match), "if_match", err);
    if (status == COMB_OK)
        status = comb_tree_node_message(ctx->arena, node->node, &extra, &header->node, err);
    if (status != COMB_OK)
        return status;
    comb_tree_etag(node->node, etag);
    header->offset = request->offset;
    header->not_modified =
        comb_str_equal(comb_str_from(request->if_none_match), comb_str_from(etag));
    if (!header->not_modified)
        status = range_of(request, node->node->size, &header->length, err);
    if (status == COMB_OK)
        *ret_header = header;
    return status;
}

enum comb_status comb_data_begin_download(struct comb_data *data, struct comb_ctx *ctx,
                                          const struct comb_v1_data_download_request *request,
                                          struct comb_data_reader **ret_reader,
                                          struct comb_v1_download_header **ret_header,
                                          struct comb_error *err)
{
    struct comb_access_node node;
    struct comb_data_blob blob;
    struct comb_v1_download_header *header = NULL;
    struct comb_data_reader *reader;
    enum comb_status status = comb_data_find_content(data, ctx, request->node, &node, &blob, err);

    if (status == COMB_OK)
        status = make_header(ctx, request, &node, &header, err);
    if (status != COMB_OK)
        return status;
    reader = comb_memory_zalloc(sizeof *reader);
    if (!reader)
        return comb_error_no_memory(err);
    reader->data = data;
    reader->node = node.node->id;
    reader->checked_ns = comb_clock_boottime_ns();
    comb_data_span_init(&reader->span, data, &blob, header->offset, header->length);
    reader->arena = grpcc_arena_new(0);
    reader->buffer = comb_memory_alloc(COMB_DATA_CHUNK_MAX);
    if (!reader->arena || !reader->buffer) {
        comb_data_reader_free(reader);
        return comb_error_no_memory(err);
    }
    *ret_reader = reader;
    *ret_header = header;
    return COMB_OK;
}

/* A right that was revoked ends a download that runs, at most one bound later. */
static enum comb_status check_rights(struct comb_data_reader *reader, struct comb_ctx *ctx,
                                     struct comb_error *err)
{
    int64_t now_ns = comb_clock_boottime_ns();
    struct comb_ctx look = *ctx;
    struct comb_fact_chain chain;
    int rights = 0;
    enum comb_status status;

    if (now_ns - reader->checked_ns < COMB_FACTS_BOUND_MS * COMB_NS_PER_MS)
        return COMB_OK;
    look.arena = reader->arena;
    status =
        comb_access_rights(reader->data->use.access, &look, &reader->node, &rights, &chain, err);
    grpcc_arena_reset(reader->arena);
    reader->checked_ns = now_ns;
    if (status == COMB_OK && !(rights & COMB_V1_RIGHTS_READ))
        status = comb_error_set_subject(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_NODE_NOT_FOUND,
                                        "node", "the file is gone, or may no longer be read");
    return status;
}

enum comb_status comb_data_read(struct comb_data_reader *reader, struct comb_ctx *ctx,
                                comb_str *ret_bytes, struct comb_error *err)
{
    enum comb_status status = check_rights(reader, ctx, err);
    size_t n = 0;

    if (status == COMB_OK)
        status =
            comb_data_span_read(&reader->span, ctx, reader->buffer, COMB_DATA_CHUNK_MAX, &n, err);
    if (status == COMB_OK)
        *ret_bytes = comb_str_of(reader->buffer, n);
    return status;
}

void comb_data_reader_free(struct comb_data_reader *reader)
{
    if (!reader)
        return;
    comb_data_span_done(&reader->span);
    grpcc_arena_free(reader->arena);
    comb_memory_free(reader->buffer);
    comb_memory_free(reader);
}
