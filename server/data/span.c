/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a content by offset, wherever they lie. */
#include "comb/v1/errors.grpcc.h"
#include "server/data/internal.h"

void comb_data_span_init(struct comb_data_span *span, struct comb_data *data,
                         const struct comb_data_blob *blob, uint64_t offset, uint64_t length)
{
    *span = (struct comb_data_span){
        .data = data, .blob = *blob, .offset = offset, .end = offset + length};
}

static enum comb_status lost(struct comb_error *err)
{
    return comb_error_set(err, COMB_DATA_LOSS, 0, "a part of the content is missing in the store");
}

/* Closes what is open. */
static void close_object(struct comb_data_span *span)
{
    comb_blob_close_reader(span->data->use.blobs, span->reader);
    comb_data_opener_free(span->opener);
    span->reader = NULL;
    span->opener = NULL;
}

static enum comb_status open_object(struct comb_data_span *span, struct comb_ctx *ctx,
                                    const struct comb_uuid *session, const struct comb_uuid *object,
                                    uint64_t begin, uint64_t size,
                                    const struct comb_data_seal *seal, struct comb_error *err)
{
    char key[COMB_BLOB_KEY_MAX];
    uint64_t actual = 0;
    enum comb_status status =
        comb_blob_open(span->data->use.blobs, ctx, comb_blob_key(session, object, key),
                       &span->reader, &actual, err);

    if (status == COMB_NOT_FOUND)
        return lost(err);
    if (status != COMB_OK)
        return status;
    span->object_begin = begin;
    span->object_end = begin + size;
    if (!seal->is_sealed)
        return actual == size ? COMB_OK : lost(err);
    if (actual != comb_blocks_stored(size))
        return lost(err);
    return comb_data_opener_new(span->data, ctx, object, size, seal, &span->opener, err);
}

/* The next parts from the store, copied out of ctx's arena: a download outlives many of them. */
static enum comb_status load_parts(struct comb_data_span *span, struct comb_ctx *ctx,
                                   struct comb_error *err)
{
    struct comb_data_store *store = span->data->use.store;
    struct grpcc_arena *arena = grpcc_arena_new(0), *callers = ctx->arena;
    const struct comb_data_part *parts;
    enum comb_status status;
    size_t n = 0;

    if (!arena)
        return comb_error_no_memory(err);
    ctx->arena = arena;
    status = store->driver->get_parts(store, ctx, &span->blob.id, span->offset,
                                      sizeof span->parts / sizeof span->parts[0], &parts, &n, err);
    ctx->arena = callers;
    if (status == COMB_OK && n > 0)
        memcpy(span->parts, parts, n * sizeof *parts);
    grpcc_arena_free(arena);
    span->n_parts = n;
    span->next_part = 0;
    return status == COMB_OK && n == 0 ? lost(err) : status;
}

/* Opens what holds the byte at span->offset. */
static enum comb_status open_next(struct comb_data_span *span, struct comb_ctx *ctx,
                                  struct comb_error *err)
{
    const struct comb_data_part *part;
    enum comb_status status = COMB_OK;

    close_object(span);
    if (!comb_uuid_is_nil(&span->blob.session))
        return open_object(span, ctx, &span->blob.session, &span->blob.id, 0, span->blob.size,
                           &span->blob.seal, err);
    if (span->next_part == span->n_parts)
        status = load_parts(span, ctx, err);
    if (status != COMB_OK)
        return status;
    part = &span->parts[span->next_part++];
    if (part->offset > span->offset || part->offset + part->size <= span->offset)
        return lost(err);
    return open_object(span, ctx, &part->session, &part->object, part->offset, part->size,
                       &part->seal, err);
}

/* Bytes of the object that is open, as comb_blob_read() does. */
static enum comb_status read_object(struct comb_data_span *span, struct comb_ctx *ctx, char *buffer,
                                    size_t capacity, size_t *ret_n, struct comb_error *err)
{
    uint64_t end = span->end < span->object_end ? span->end : span->object_end;
    uint64_t offset = span->offset - span->object_begin;

    if (end - span->offset < capacity)
        capacity = (size_t)(end - span->offset);
    return span->opener
               ? comb_data_opener_read(span->opener, ctx, span->reader, offset,
                                       end - span->object_begin, buffer, capacity, ret_n, err)
               : comb_blob_read(span->data->use.blobs, ctx, span->reader, offset, buffer, capacity,
                                ret_n, err);
}

enum comb_status comb_data_span_read(struct comb_data_span *span, struct comb_ctx *ctx,
                                     char *buffer, size_t capacity, size_t *ret_n,
                                     struct comb_error *err)
{
    size_t done = 0;

    while (done < capacity && span->offset < span->end) {
        enum comb_status status = COMB_OK;
        size_t n = 0;

        if (!span->reader || span->offset >= span->object_end)
            status = open_next(span, ctx, err);
        if (status != COMB_OK) {
            close_object(span); /* what is half open must not be read */
            return status;
        }
        status = read_object(span, ctx, buffer + done, capacity - done, &n, err);
        if (status == COMB_OK && n == 0)
            status = lost(err);
        if (status != COMB_OK)
            return status;
        done += n;
        span->offset += n;
    }
    *ret_n = done;
    return COMB_OK;
}

void comb_data_span_done(struct comb_data_span *span)
{
    close_object(span);
}
