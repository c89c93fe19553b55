/* SPDX-License-Identifier: Apache-2.0 */
#include "server/data/blob_driver.h"

#include <assert.h>

static enum comb_status unimplemented(const struct comb_blobs *blobs, const char *slot,
                                      struct comb_error *err)
{
    return comb_error_set(err, COMB_UNIMPLEMENTED, 0, "the data driver \"%s\" cannot %s",
                          blobs->driver->name, slot);
}

/* A UUID as comb_uuid_format writes it: other spellings would be second names of one blob. */
static bool is_canonical_uuid(comb_str text)
{
    struct comb_uuid id;
    char canonical[COMB_UUID_TEXT_LENGTH + 1];

    if (!comb_uuid_parse(text, &id))
        return false;
    comb_uuid_format(&id, canonical);
    return memcmp(canonical, text.ptr, COMB_UUID_TEXT_LENGTH) == 0;
}

static bool is_session_prefix(comb_str text)
{
    return text.len >= COMB_UUID_TEXT_LENGTH + 1 && text.ptr[COMB_UUID_TEXT_LENGTH] == '/' &&
           is_canonical_uuid(comb_str_of(text.ptr, COMB_UUID_TEXT_LENGTH));
}

static enum comb_status check_key(struct comb_ctx *ctx, comb_str key, struct comb_error *err)
{
    if (key.len != COMB_BLOB_KEY_LENGTH || !is_session_prefix(key) ||
        !is_canonical_uuid(comb_str_of(key.ptr + COMB_UUID_TEXT_LENGTH + 1, COMB_UUID_TEXT_LENGTH)))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "a blob's key is two UUIDs with a \"/\" between them");
    return comb_ctx_check(ctx, err);
}

comb_str comb_blob_key(const struct comb_uuid *session, const struct comb_uuid *blob,
                       char ret_key[COMB_BLOB_KEY_MAX])
{
    comb_uuid_format(session, ret_key);
    ret_key[COMB_UUID_TEXT_LENGTH] = '/';
    comb_uuid_format(blob, ret_key + COMB_UUID_TEXT_LENGTH + 1);
    return comb_str_of(ret_key, COMB_BLOB_KEY_LENGTH);
}

enum comb_status comb_blob_create(struct comb_blobs *blobs, struct comb_ctx *ctx, comb_str key,
                                  uint64_t size_hint, struct comb_blob_writer **ret_writer,
                                  struct comb_error *err)
{
    enum comb_status status = check_key(ctx, key, err);

    if (status != COMB_OK)
        return status;
    if (!blobs->driver->create)
        return unimplemented(blobs, "write", err);
    status = blobs->driver->create(blobs, ctx, key, size_hint, ret_writer, err);
    assert(status != COMB_OK || *ret_writer);
    return status;
}

enum comb_status comb_blob_write(struct comb_blobs *blobs, struct comb_ctx *ctx,
                                 struct comb_blob_writer *writer, comb_str bytes,
                                 struct comb_error *err)
{
    enum comb_status status = comb_ctx_check(ctx, err);

    assert(writer);
    if (status != COMB_OK)
        return status;
    if (bytes.len > COMB_BLOB_CHUNK_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "a chunk has at most %u bytes",
                              COMB_BLOB_CHUNK_MAX);
    if (bytes.len == 0)
        return COMB_OK;
    if (!blobs->driver->write)
        return unimplemented(blobs, "write", err);
    return blobs->driver->write(blobs, ctx, writer, bytes, err);
}

enum comb_status comb_blob_commit(struct comb_blobs *blobs, struct comb_ctx *ctx,
                                  struct comb_blob_writer *writer, struct comb_error *err)
{
    enum comb_status status = comb_ctx_check(ctx, err);

    assert(writer);
    if (status == COMB_OK && !blobs->driver->commit)
        status = unimplemented(blobs, "write", err);
    if (status != COMB_OK) {
        comb_blob_abort(blobs, writer);
        return status;
    }
    return blobs->driver->commit(blobs, ctx, writer, err);
}

void comb_blob_abort(struct comb_blobs *blobs, struct comb_blob_writer *writer)
{
    if (writer && blobs->driver->abort)
        blobs->driver->abort(blobs, writer);
}

enum comb_status comb_blob_open(struct comb_blobs *blobs, struct comb_ctx *ctx, comb_str key,
                                struct comb_blob_reader **ret_reader, uint64_t *ret_size,
                                struct comb_error *err)
{
    enum comb_status status = check_key(ctx, key, err);

    if (status != COMB_OK)
        return status;
    if (!blobs->driver->open)
        return unimplemented(blobs, "read", err);
    status = blobs->driver->open(blobs, ctx, key, ret_reader, ret_size, err);
    assert(status != COMB_OK || *ret_reader);
    return status;
}

enum comb_status comb_blob_read(struct comb_blobs *blobs, struct comb_ctx *ctx,
                                struct comb_blob_reader *reader, uint64_t offset, void *buffer,
                                size_t capacity, size_t *ret_n, struct comb_error *err)
{
    enum comb_status status = comb_ctx_check(ctx, err);

    assert(reader);
    if (status != COMB_OK)
        return status;
    if (capacity == 0 || capacity > COMB_BLOB_CHUNK_MAX || offset > INT64_MAX - capacity)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "a read takes 1 to %u bytes below the offset 2^63",
                              COMB_BLOB_CHUNK_MAX);
    if (!blobs->driver->read)
        return unimplemented(blobs, "read", err);
    status = blobs->driver->read(blobs, ctx, reader, offset, buffer, capacity, ret_n, err);
    assert(status != COMB_OK || *ret_n <= capacity);
    return status;
}

void comb_blob_close_reader(struct comb_blobs *blobs, struct comb_blob_reader *reader)
{
    if (reader && blobs->driver->close_reader)
        blobs->driver->close_reader(blobs, reader);
}

enum comb_status comb_blob_remove(struct comb_blobs *blobs, struct comb_ctx *ctx, comb_str key,
                                  struct comb_error *err)
{
    enum comb_status status = check_key(ctx, key, err);

    if (status != COMB_OK)
        return status;
    if (!blobs->driver->remove)
        return unimplemented(blobs, "remove", err);
    return blobs->driver->remove(blobs, ctx, key, err);
}

enum comb_status comb_blob_list(struct comb_blobs *blobs, struct comb_ctx *ctx, comb_str prefix,
                                bool (*each)(void *data, comb_str key, uint64_t size), void *data,
                                struct comb_error *err)
{
    enum comb_status status = comb_ctx_check(ctx, err);

    if (status != COMB_OK)
        return status;
    if (prefix.len != 0 && (prefix.len != COMB_UUID_TEXT_LENGTH + 1 || !is_session_prefix(prefix)))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "blobs are listed all, or of one session (\"UUID/\")");
    if (!blobs->driver->list)
        return unimplemented(blobs, "list", err);
    return blobs->driver->list(blobs, ctx, prefix, each, data, err);
}

enum comb_status comb_blob_presign(struct comb_blobs *blobs, struct comb_ctx *ctx, comb_str key,
                                   unsigned ttl_s, const char **ret_url, struct comb_error *err)
{
    enum comb_status status = check_key(ctx, key, err);

    if (status != COMB_OK)
        return status;
    if (ttl_s == 0 || ttl_s > COMB_BLOB_PRESIGN_S_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "a presigned URL holds for 1 to %d seconds", COMB_BLOB_PRESIGN_S_MAX);
    assert(!blobs->driver->presign == !(blobs->driver->caps & COMB_BLOB_CAP_PRESIGN));
    if (!blobs->driver->presign)
        return unimplemented(blobs, "presign URLs", err);
    status = blobs->driver->presign(blobs, ctx, key, ttl_s, ret_url, err);
    assert(status != COMB_OK || *ret_url);
    return status;
}

enum comb_status comb_blobs_check(struct comb_blobs *blobs, struct comb_ctx *ctx,
                                  struct comb_error *err)
{
    enum comb_status status = comb_ctx_check(ctx, err);

    if (status != COMB_OK)
        return status;
    if (!blobs->driver->check)
        return unimplemented(blobs, "be checked", err);
    return blobs->driver->check(blobs, ctx, err);
}

void comb_blobs_status(struct comb_blobs *blobs, struct comb_store_status *ret_status)
{
    *ret_status = (struct comb_store_status){.driver = blobs->driver->name};
    if (blobs->driver->status)
        blobs->driver->status(blobs, ret_status);
    ret_status->shared = (blobs->driver->caps & COMB_BLOB_CAP_SHARED) != 0;
}

void comb_blobs_close(struct comb_blobs *blobs)
{
    if (blobs && blobs->driver->close)
        blobs->driver->close(blobs);
}
