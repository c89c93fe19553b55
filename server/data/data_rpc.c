/* SPDX-License-Identifier: Apache-2.0 */
#include "server/data/data_rpc.h"

#include <string.h>

#include "comb/v1/data.grpcc.h"
#include "server/data/data.h"

/* What one message of a stream may take in memory: a chunk, and what goes around it. */
#define MESSAGE_ARENA_MAX (4u << 20)

static struct comb_data *data_of(const void *self)
{
    return ((const struct comb_data_rpc *)self)->data;
}

static enum comb_status native_error(struct comb_error *err, const struct grpcc_error *native)
{
    return comb_error_set(err, (enum comb_status)native->status, 0, "%s", native->message);
}

/* ---- contents that come in as a stream ---- */

/* A message of a client stream, whichever it is of: header and chunk are alike. */
struct item {
    enum { ITEM_NOTHING, ITEM_HEADER, ITEM_CHUNK, ITEM_END } kind;
    const void *header;
    comb_str chunk;
};
typedef enum grpcc_status (*read_item)(struct grpcc_call *call, struct grpcc_arena *arena,
                                       struct item *ret_item, struct grpcc_error *err);

static enum grpcc_status read_upload(struct grpcc_call *call, struct grpcc_arena *arena,
                                     struct item *ret_item, struct grpcc_error *err)
{
    struct comb_v1_data_upload_request *message = NULL;
    enum grpcc_status status = comb_v1_data_upload_read(call, arena, &message, err);

    *ret_item = (struct item){.kind = ITEM_NOTHING};
    if (!message) {
        ret_item->kind = ITEM_END;
    } else if (message->part_case == COMB_V1_DATA_UPLOAD_REQUEST_PART_HEADER) {
        ret_item->kind = ITEM_HEADER;
        ret_item->header = message->header;
    } else if (message->part_case == COMB_V1_DATA_UPLOAD_REQUEST_PART_CHUNK) {
        ret_item->kind = ITEM_CHUNK;
        ret_item->chunk = comb_str_of(message->chunk.data, message->chunk.len);
    }
    return status;
}

static enum grpcc_status read_part(struct grpcc_call *call, struct grpcc_arena *arena,
                                   struct item *ret_item, struct grpcc_error *err)
{
    struct comb_v1_data_write_part_request *message = NULL;
    enum grpcc_status status = comb_v1_data_write_part_read(call, arena, &message, err);

    *ret_item = (struct item){.kind = ITEM_NOTHING};
    if (!message) {
        ret_item->kind = ITEM_END;
    } else if (message->part_case == COMB_V1_DATA_WRITE_PART_REQUEST_PART_HEADER) {
        ret_item->kind = ITEM_HEADER;
        ret_item->header = message->header;
    } else if (message->part_case == COMB_V1_DATA_WRITE_PART_REQUEST_PART_CHUNK) {
        ret_item->kind = ITEM_CHUNK;
        ret_item->chunk = comb_str_of(message->chunk.data, message->chunk.len);
    }
    return status;
}

static enum comb_status read_header(struct grpcc_call *call, read_item read,
                                    const void **ret_header, struct comb_error *err)
{
    struct grpcc_error native;
    struct item item;

    if (read(call, grpcc_call_arena(call), &item, &native) != GRPCC_OK)
        return native_error(err, &native);
    if (item.kind != ITEM_HEADER)
        return comb_error_field(err, "header", "the first message must be the header");
    *ret_header = item.header;
    return COMB_OK;
}

/* Writes all chunks, up to the end of the stream. */
static enum comb_status take_chunks(struct grpcc_call *call, read_item read,
                                    struct comb_data_writer *writer, struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(MESSAGE_ARENA_MAX);
    enum comb_status status = COMB_OK;
    struct grpcc_error native;
    struct item item;

    if (!arena)
        return comb_error_no_memory(err);
    do {
        grpcc_arena_reset(arena);
        if (read(call, arena, &item, &native) != GRPCC_OK)
            status = native_error(err, &native);
        else if (item.kind != ITEM_END && (item.kind != ITEM_CHUNK || item.chunk.len == 0))
            status = comb_error_field(
                err, "chunk", "every message after the first is a chunk of 1 byte to 1 MiB");
        else if (item.kind == ITEM_CHUNK)
            status = comb_data_write(writer, comb_rpc_ctx(call), item.chunk, err);
    } while (status == COMB_OK && item.kind != ITEM_END);
    grpcc_arena_free(arena);
    return status;
}

static enum comb_status upload_stream(struct comb_data *data, struct grpcc_call *call,
                                      struct comb_v1_node **ret_node, struct comb_error *err)
{
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    const struct comb_v1_upload_header *header;
    struct comb_data_writer *writer = NULL;
    struct comb_request_key key;
    const void *first = NULL;
    enum comb_status status = read_header(call, read_upload, &first, err);

    if (status != COMB_OK)
        return status;
    header = first;
    status = comb_rpc_request_key(call, header->request_id, &header->base, &key, err);
    if (status == COMB_OK)
        status = comb_data_begin_file(data, ctx, header, "header.", &key, &writer, err);
    if (status == COMB_OK)
        status = take_chunks(call, read_upload, writer, err);
    if (status == COMB_OK)
        status = comb_data_end_file(writer, ctx, ret_node, err);
    comb_data_writer_free(writer);
    return status;
}

static void upload(void *self, struct grpcc_call *call)
{
    struct comb_v1_data_upload_response *response =
        comb_v1_data_upload_response_new(grpcc_call_arena(call));
    struct comb_error err;
    enum comb_status status = response ? upload_stream(data_of(self), call, &response->node, &err)
                                       : comb_error_no_memory(&err);

    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static enum comb_status part_stream(struct comb_data *data, struct grpcc_call *call,
                                    struct comb_v1_upload **ret_upload, struct comb_error *err)
{
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    const struct comb_v1_part_header *header;
    struct comb_data_writer *writer = NULL;
    struct comb_request_key key;
    const void *first = NULL;
    enum comb_status status = read_header(call, read_part, &first, err);

    if (status != COMB_OK)
        return status;
    header = first;
    status = comb_rpc_request_key(call, header->request_id, &header->base, &key, err);
    if (status == COMB_OK)
        status = comb_data_begin_part(data, ctx, header, "header.", &key, &writer, err);
    if (status == COMB_OK)
        status = take_chunks(call, read_part, writer, err);
    if (status == COMB_OK)
        status = comb_data_end_part(writer, ctx, ret_upload, err);
    comb_data_writer_free(writer);
    return status;
}

static void write_part(void *self, struct grpcc_call *call)
{
    struct comb_v1_data_write_part_response *response =
        comb_v1_data_write_part_response_new(grpcc_call_arena(call));
    struct comb_error err;
    enum comb_status status = response ? part_stream(data_of(self), call, &response->upload, &err)
                                       : comb_error_no_memory(&err);

    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- contents that come in one message ---- */

static enum comb_status put_file(struct comb_data *data, struct grpcc_call *call,
                                 const struct comb_v1_data_put_request *request,
                                 struct comb_v1_node **ret_node, struct comb_error *err)
{
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_upload_header *header = comb_v1_upload_header_new(ctx->arena);
    struct comb_data_writer *writer = NULL;
    struct comb_request_key key;
    enum comb_status status;

    if (!header)
        return comb_error_no_memory(err);
    /* The content itself is bound to the key by its SHA-256, as that of a stream. */
    header->request_id = request->request_id;
    header->target = request->target;
    header->sha256 = request->sha256;
    status = comb_rpc_request_key(call, header->request_id, &header->base, &key, err);
    if (status == COMB_OK)
        status = comb_data_begin_file(data, ctx, header, "", &key, &writer, err);
    if (status == COMB_OK)
        status = comb_data_write(writer, ctx,
                                 comb_str_of(request->content.data, request->content.len), err);
    if (status == COMB_OK)
        status = comb_data_end_file(writer, ctx, ret_node, err);
    comb_data_writer_free(writer);
    return status;
}

static void put(void *self, struct grpcc_call *call, const struct comb_v1_data_put_request *request)
{
    struct comb_v1_data_put_response *response =
        comb_v1_data_put_response_new(grpcc_call_arena(call));
    struct comb_error err;
    enum comb_status status = response
                                  ? put_file(data_of(self), call, request, &response->node, &err)
                                  : comb_error_no_memory(&err);

    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static enum comb_status put_small_part(struct comb_data *data, struct grpcc_call *call,
                                       const struct comb_v1_data_put_part_request *request,
                                       struct comb_v1_upload **ret_upload, struct comb_error *err)
{
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_part_header *header = comb_v1_part_header_new(ctx->arena);
    struct comb_data_writer *writer = NULL;
    struct comb_request_key key;
    enum comb_status status;

    if (!header)
        return comb_error_no_memory(err);
    header->request_id = request->request_id;
    header->upload_id = request->upload_id;
    header->offset = request->offset;
    header->sha256 = request->sha256;
    status = comb_rpc_request_key(call, header->request_id, &header->base, &key, err);
    if (status == COMB_OK)
        status = comb_data_begin_part(data, ctx, header, "", &key, &writer, err);
    if (status == COMB_OK)
        status = comb_data_write(writer, ctx,
                                 comb_str_of(request->content.data, request->content.len), err);
    if (status == COMB_OK)
        status = comb_data_end_part(writer, ctx, ret_upload, err);
    comb_data_writer_free(writer);
    return status;
}

static void put_part(void *self, struct grpcc_call *call,
                     const struct comb_v1_data_put_part_request *request)
{
    struct comb_v1_data_put_part_response *response =
        comb_v1_data_put_part_response_new(grpcc_call_arena(call));
    struct comb_error err;
    enum comb_status status =
        response ? put_small_part(data_of(self), call, request, &response->upload, &err)
                 : comb_error_no_memory(&err);

    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- upload sessions ---- */

static void start_upload(void *self, struct grpcc_call *call,
                         const struct comb_v1_data_start_upload_request *request)
{
    struct comb_v1_data_start_upload_response *response =
        comb_v1_data_start_upload_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_error err;
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);

    if (status == COMB_OK)
        status = comb_data_start_upload(data_of(self), comb_rpc_ctx(call), request, &key,
                                        &response->upload, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void get_upload(void *self, struct grpcc_call *call,
                       const struct comb_v1_data_get_upload_request *request)
{
    struct comb_v1_data_get_upload_response *response =
        comb_v1_data_get_upload_response_new(grpcc_call_arena(call));
    struct comb_error err;
    enum comb_status status =
        response ? comb_data_get_upload(data_of(self), comb_rpc_ctx(call), request->upload_id,
                                        &response->upload, &err)
                 : comb_error_no_memory(&err);

    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static enum comb_status list_page(const struct comb_data_rpc *rpc, struct comb_ctx *ctx,
                                  const struct comb_v1_data_list_uploads_request *request,
                                  struct comb_v1_data_list_uploads_response *response,
                                  struct comb_error *err)
{
    struct comb_uuid after = {{0}};
    comb_str state = {NULL, 0};
    size_t max = 0;
    enum comb_status status = comb_rpc_page_size(request->page_size, &max, err);

    if (status == COMB_OK)
        status = comb_page_token_open(rpc->sealer, ctx, STR(""), request->page_token, &state, err);
    if (status == COMB_OK && state.len == sizeof after.bytes)
        memcpy(after.bytes, state.ptr, state.len);
    if (status == COMB_OK)
        status = comb_data_list_uploads(rpc->data, ctx, &after, max, response, err);
    if (status == COMB_OK && !comb_uuid_is_nil(&after))
        status = comb_page_token_seal(rpc->sealer, ctx, STR(""), comb_uuid_bytes(&after),
                                      &response->next_page_token, err);
    return status;
}

static void list_uploads(void *self, struct grpcc_call *call,
                         const struct comb_v1_data_list_uploads_request *request)
{
    struct comb_v1_data_list_uploads_response *response =
        comb_v1_data_list_uploads_response_new(grpcc_call_arena(call));
    struct comb_error err;
    enum comb_status status = response
                                  ? list_page(self, comb_rpc_ctx(call), request, response, &err)
                                  : comb_error_no_memory(&err);

    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void commit_upload(void *self, struct grpcc_call *call,
                          const struct comb_v1_data_commit_upload_request *request)
{
    struct comb_v1_data_commit_upload_response *response =
        comb_v1_data_commit_upload_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_error err;
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);

    if (status == COMB_OK)
        status = comb_data_commit_upload(data_of(self), comb_rpc_ctx(call), request, &key,
                                         &response->node, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void abort_upload(void *self, struct grpcc_call *call,
                         const struct comb_v1_data_abort_upload_request *request)
{
    struct comb_v1_data_abort_upload_response *response =
        comb_v1_data_abort_upload_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_error err;
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);

    if (status == COMB_OK)
        status = comb_data_abort_upload(data_of(self), comb_rpc_ctx(call), request->upload_id, &key,
                                        &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- contents that go out ---- */

static enum comb_status send(struct grpcc_call *call,
                             const struct comb_v1_data_download_response *message,
                             struct comb_error *err)
{
    struct grpcc_error native;

    return comb_v1_data_download_send(call, message, &native) == GRPCC_OK
               ? COMB_OK
               : native_error(err, &native);
}

static enum comb_status send_chunks(struct comb_data_reader *reader, struct grpcc_call *call,
                                    struct comb_v1_data_download_response *message,
                                    struct comb_error *err)
{
    enum comb_status status;
    comb_str bytes = {NULL, 0};

    do {
        status = comb_data_read(reader, comb_rpc_ctx(call), &bytes, err);
        if (status == COMB_OK && bytes.len > 0) {
            comb_v1_data_download_response_set_chunk(message, bytes.ptr, bytes.len);
            status = send(call, message, err);
        }
    } while (status == COMB_OK && bytes.len > 0);
    return status;
}

static enum comb_status download_stream(struct comb_data *data, struct grpcc_call *call,
                                        const struct comb_v1_data_download_request *request,
                                        struct comb_error *err)
{
    struct comb_v1_data_download_response *message =
        comb_v1_data_download_response_new(grpcc_call_arena(call));
    struct comb_v1_download_header *header = NULL;
    struct comb_data_reader *reader = NULL;
    enum comb_status status;

    if (!message)
        return comb_error_no_memory(err);
    status = comb_data_begin_download(data, comb_rpc_ctx(call), request, &reader, &header, err);
    if (status != COMB_OK)
        return status;
    comb_v1_data_download_response_set_header(message, header);
    status = send(call, message, err);
    if (status == COMB_OK && !header->not_modified)
        status = send_chunks(reader, call, message, err);
    comb_data_reader_free(reader);
    return status;
}

static void download(void *self, struct grpcc_call *call,
                     const struct comb_v1_data_download_request *request)
{
    struct comb_error err;

    if (download_stream(data_of(self), call, request, &err) == COMB_OK)
        grpcc_call_finish_ok(call);
    else
        comb_rpc_fail(call, &err);
}

static void presign(void *self, struct grpcc_call *call,
                    const struct comb_v1_data_presign_request *request)
{
    struct comb_v1_data_presign_response *response =
        comb_v1_data_presign_response_new(grpcc_call_arena(call));
    struct comb_error err;
    enum comb_status status =
        response ? comb_data_presign(data_of(self), comb_rpc_ctx(call), request, response, &err)
                 : comb_error_no_memory(&err);

    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

enum comb_status comb_data_rpc_register(struct grpcc_server *server, struct comb_data_rpc *rpc,
                                        struct comb_error *err)
{
    static const struct comb_v1_data_server table = {
        .put = put,
        .upload = upload,
        .start_upload = start_upload,
        .write_part = write_part,
        .put_part = put_part,
        .get_upload = get_upload,
        .list_uploads = list_uploads,
        .commit_upload = commit_upload,
        .abort_upload = abort_upload,
        .download = download,
        .presign = presign,
    };
    struct grpcc_error native;

    return comb_v1_data_register(server, &table, rpc, &native) == GRPCC_OK
               ? COMB_OK
               : native_error(err, &native);
}
