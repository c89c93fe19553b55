/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs as objects of an S3 bucket: PREFIX/SESSION/BLOB. How they are written is in s3_writer.c.
 */
#include "server/data/driver/s3.h"

#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/memory.h"

/* What one request asks for when a blob is read from one end to the other. */
#define AHEAD_BYTES_MAX (4u << 20)

struct comb_blob_reader {
    char key_text[COMB_BLOB_KEY_MAX];
    comb_str key;
    uint64_t size;
    uint64_t next;  /* where the one before ended: whoever goes on there reads on */
    size_t window;  /* bytes to ask for then */
    char *ahead;    /* bytes that were read before they were asked for */
    uint64_t begin; /* where in the blob they stand */
    size_t length, capacity;
};

/* ---- reading ---- */

static enum comb_status s3_open(struct comb_blobs *self, struct comb_ctx *ctx, comb_str key,
                                struct comb_blob_reader **ret_reader, uint64_t *ret_size,
                                struct comb_error *err)
{
    struct comb_data_s3 *s3 = (struct comb_data_s3 *)self;
    struct comb_blob_reader *reader;
    struct comb_s3_head head;
    enum comb_status status = comb_s3_head(s3->bucket, ctx, key, &head, err);

    if (status != COMB_OK)
        return status;
    reader = comb_memory_zalloc(sizeof *reader);
    if (!reader)
        return comb_error_no_memory(err);
    snprintf(reader->key_text, sizeof reader->key_text, "%.*s", COMB_STR_ARG(key));
    reader->key = comb_str_of(reader->key_text, key.len);
    reader->size = head.size;
    *ret_reader = reader;
    *ret_size = head.size;
    return COMB_OK;
}

/* Reads exactly n bytes, which the blob has. */
static enum comb_status fetch(struct comb_data_s3 *s3, struct comb_ctx *ctx,
                              const struct comb_blob_reader *reader, uint64_t offset, void *buffer,
                              size_t n, struct comb_error *err)
{
    size_t got = 0;
    enum comb_status status =
        comb_s3_get(s3->bucket, ctx, reader->key, offset, buffer, n, &got, err);

    if (status == COMB_OK && got != n)
        return comb_error_set(err, COMB_DATA_LOSS, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                              "a blob in the data store is shorter than it was");
    return status;
}

/* Takes from what was read ahead. */
static size_t take_ahead(const struct comb_blob_reader *reader, uint64_t offset, void *buffer,
                         size_t n)
{
    size_t at, left;

    if (offset < reader->begin || offset >= reader->begin + reader->length)
        return 0;
    at = (size_t)(offset - reader->begin);
    left = reader->length - at;
    n = n < left ? n : left;
    memcpy(buffer, reader->ahead + at, n);
    return n;
}

/* The window doubles with every request of one that reads on. */
static enum comb_status read_ahead(struct comb_data_s3 *s3, struct comb_ctx *ctx,
                                   struct comb_blob_reader *reader, uint64_t offset,
                                   struct comb_error *err)
{
    size_t n = reader->window;
    enum comb_status status;

    if (reader->size - offset < n)
        n = (size_t)(reader->size - offset);
    if (n > reader->capacity) {
        comb_memory_free(reader->ahead);
        reader->length = reader->capacity = 0;
        reader->ahead = comb_memory_alloc(n);
        if (!reader->ahead)
            return comb_error_no_memory(err);
        reader->capacity = n;
    }
    reader->length = 0;
    status = fetch(s3, ctx, reader, offset, reader->ahead, n, err);
    if (status != COMB_OK)
        return status;
    reader->begin = offset;
    reader->length = n;
    reader->window = reader->window < AHEAD_BYTES_MAX ? 2 * reader->window : AHEAD_BYTES_MAX;
    return COMB_OK;
}

static enum comb_status s3_read(struct comb_blobs *self, struct comb_ctx *ctx,
                                struct comb_blob_reader *reader, uint64_t offset, void *buffer,
                                size_t capacity, size_t *ret_n, struct comb_error *err)
{
    struct comb_data_s3 *s3 = (struct comb_data_s3 *)self;
    bool reads_on = offset == reader->next && offset > 0;
    enum comb_status status = COMB_OK;
    size_t n = 0, done;

    if (offset < reader->size)
        n = reader->size - offset < capacity ? (size_t)(reader->size - offset) : capacity;
    done = take_ahead(reader, offset, buffer, n);
    if (!reads_on)
        reader->window = capacity;
    if (done < n && reads_on) {
        if (reader->window < 2 * (n - done))
            reader->window = 2 * (n - done);
        status = read_ahead(s3, ctx, reader, offset + done, err);
        if (status == COMB_OK)
            done += take_ahead(reader, offset + done, (char *)buffer + done, n - done);
    }
    if (status == COMB_OK && done < n)
        status = fetch(s3, ctx, reader, offset + done, (char *)buffer + done, n - done, err);
    if (status != COMB_OK)
        return status;
    reader->next = offset + n;
    *ret_n = n;
    return COMB_OK;
}

static void s3_close_reader(struct comb_blobs *self, struct comb_blob_reader *reader)
{
    (void)self;
    if (!reader)
        return;
    comb_memory_free(reader->ahead);
    comb_memory_free(reader);
}

/* ---- names ---- */

/* Removes what is open of one key. */
struct removal {
    struct comb_data_s3 *s3;
    struct comb_ctx *ctx;
    comb_str key;
    enum comb_status status;
    struct comb_error *err;
};

static bool abort_one(void *data, comb_str key, comb_str upload)
{
    struct removal *removal = data;
    char text[COMB_S3_UPLOAD_SIZE];

    snprintf(text, sizeof text, "%.*s", COMB_STR_ARG(upload));
    if (comb_str_equal(key, removal->key))
        removal->status =
            comb_s3_abort_upload(removal->s3->bucket, removal->ctx, key, text, removal->err);
    return removal->status == COMB_OK;
}

/* The uploads first: one that ends meanwhile becomes an object, which goes then. */
static enum comb_status s3_remove(struct comb_blobs *self, struct comb_ctx *ctx, comb_str key,
                                  struct comb_error *err)
{
    struct comb_data_s3 *s3 = (struct comb_data_s3 *)self;
    struct removal removal = {.s3 = s3, .ctx = ctx, .key = key, .err = err};
    enum comb_status status;

    comb_data_s3_is_written(s3, key, true);
    status = comb_s3_list_uploads(s3->bucket, ctx, key, abort_one, &removal, err);
    if (status == COMB_OK)
        status = removal.status;
    return status == COMB_OK ? comb_s3_delete(s3->bucket, ctx, key, err) : status;
}

struct walk {
    struct comb_data_s3 *s3;
    bool (*each)(void *data, comb_str key, uint64_t size);
    void *data;
    bool is_ended;
};

/* What nobody of us has put there is left alone. */
static bool is_blob(comb_str key)
{
    struct comb_uuid id;

    return key.len == COMB_BLOB_KEY_LENGTH && key.ptr[COMB_UUID_TEXT_LENGTH] == '/' &&
           comb_uuid_parse(comb_str_of(key.ptr, COMB_UUID_TEXT_LENGTH), &id) &&
           comb_uuid_parse(comb_str_of(key.ptr + COMB_UUID_TEXT_LENGTH + 1, COMB_UUID_TEXT_LENGTH),
                           &id);
}

static bool walk_object(void *data, comb_str key, uint64_t size)
{
    struct walk *walk = data;

    if (is_blob(key))
        walk->is_ended = !walk->each(walk->data, key, size);
    return !walk->is_ended;
}

static bool walk_upload(void *data, comb_str key, comb_str upload)
{
    struct walk *walk = data;

    (void)upload;
    if (is_blob(key) && !comb_data_s3_is_written(walk->s3, key, false))
        walk->is_ended = !walk->each(walk->data, key, 0);
    return !walk->is_ended;
}

/* The uploads first, as in s3_remove: one that ends meanwhile is listed twice rather than never. */
static enum comb_status s3_list(struct comb_blobs *self, struct comb_ctx *ctx, comb_str prefix,
                                bool (*each)(void *data, comb_str key, uint64_t size), void *data,
                                struct comb_error *err)
{
    struct comb_data_s3 *s3 = (struct comb_data_s3 *)self;
    struct walk walk = {.s3 = s3, .each = each, .data = data};
    enum comb_status status =
        comb_s3_list_uploads(s3->bucket, ctx, prefix, walk_upload, &walk, err);

    return status == COMB_OK && !walk.is_ended
               ? comb_s3_list(s3->bucket, ctx, prefix, walk_object, &walk, err)
               : status;
}

/* ---- the store ---- */

static enum comb_status s3_presign(struct comb_blobs *self, struct comb_ctx *ctx, comb_str key,
                                   unsigned ttl_s, const char **ret_url, struct comb_error *err)
{
    struct comb_data_s3 *s3 = (struct comb_data_s3 *)self;

    return comb_s3_presign_get(s3->bucket, ctx, key, ttl_s, ret_url, err);
}

static bool end_at_once(void *data, comb_str key, uint64_t size)
{
    (void)data;
    (void)key;
    (void)size;
    return false;
}

static enum comb_status s3_check(struct comb_blobs *self, struct comb_ctx *ctx,
                                 struct comb_error *err)
{
    struct comb_data_s3 *s3 = (struct comb_data_s3 *)self;
    const struct comb_uuid id = comb_uuid_new();
    char name[sizeof "check-" + COMB_UUID_TEXT_LENGTH] = "check-";
    comb_str key;
    enum comb_status status;

    comb_uuid_format(&id, name + sizeof "check-" - 1);
    key = comb_str_from(name);
    status = comb_s3_put(s3->bucket, ctx, key, name + sizeof "check-" - 1, STR("check"), err);
    if (status == COMB_OK)
        status = comb_s3_list(s3->bucket, ctx, key, end_at_once, NULL, err);
    return status == COMB_OK ? comb_s3_delete(s3->bucket, ctx, key, err) : status;
}

static void s3_status(struct comb_blobs *self, struct comb_store_status *ret_status)
{
    struct comb_data_s3 *s3 = (struct comb_data_s3 *)self;

    comb_s3_status(s3->bucket, ret_status);
}

static void s3_close(struct comb_blobs *self)
{
    struct comb_data_s3 *s3 = (struct comb_data_s3 *)self;

    if (!s3)
        return;
    comb_s3_close(s3->bucket);
    pthread_mutex_destroy(&s3->lock);
    comb_memory_free(s3);
}

static const struct comb_blob_driver comb_blob_driver_s3 = {
    .name = "s3",
    .caps = COMB_BLOB_CAP_SHARED | COMB_BLOB_CAP_PRESIGN,
    .create = comb_data_s3_create,
    .write = comb_data_s3_write,
    .commit = comb_data_s3_commit,
    .abort = comb_data_s3_abort,
    .open = s3_open,
    .read = s3_read,
    .close_reader = s3_close_reader,
    .remove = s3_remove,
    .list = s3_list,
    .presign = s3_presign,
    .check = s3_check,
    .status = s3_status,
    .close = s3_close,
};

enum comb_status comb_blob_s3_open(const struct comb_store_options *options,
                                   struct comb_blobs **ret_blobs, struct comb_error *err)
{
    struct comb_data_s3 *s3 = comb_memory_zalloc(sizeof *s3);
    enum comb_status status;

    if (!s3)
        return comb_error_no_memory(err);
    status = comb_s3_open(options, &s3->bucket, err);
    if (status != COMB_OK) {
        comb_memory_free(s3);
        return status;
    }
    s3->base.driver = &comb_blob_driver_s3;
    pthread_mutex_init(&s3->lock, NULL);
    *ret_blobs = &s3->base;
    return COMB_OK;
}
