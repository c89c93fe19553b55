/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs on their way into a bucket. What fits into one part is one conditional PUT, of which the
 * server hears at the end; what does not is an upload in parts, each sent when it is full. Memory
 * is that of one part and of the parts' ETags, whatever the blob's size.
 */
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/data/driver/s3.h"

/* Parts grow so that their number, which S3 limits, does for large blobs, and small ones take
 * little memory: 2,500 each of 8, 16, 32 and 64 MiB, together 293 GiB. */
#define PART_BYTES_FIRST (8u << 20)
#define PARTS_PER_STEP (COMB_S3_PARTS_MAX / 4)
/* Memory that a writer begins with where it was not told a size. */
#define BUFFER_FIRST (64u << 10)
/* What a writer that gives up has for removing what it left, on top of its call's deadline. What it
 * does not get done is for the sweeper. */
#define CLEAN_MS 500

struct comb_blob_writer {
    struct comb_blob_writer *next; /* in the driver's list */
    char key_text[COMB_BLOB_KEY_MAX];
    comb_str key;
    char mark[COMB_S3_MARK_SIZE];
    bool removed; /* guarded by the driver's lock */
    char *part;   /* what was not sent yet */
    size_t length, capacity;
    char upload[COMB_S3_UPLOAD_SIZE]; /* "": all so far fits into one PUT */
    char (*etags)[COMB_S3_ETAG_SIZE];
    unsigned n_parts, etags_capacity;
    uint64_t sent; /* bytes of the parts */
};

static size_t part_size(const struct comb_blob_writer *writer)
{
    return (size_t)PART_BYTES_FIRST << (writer->n_parts / PARTS_PER_STEP);
}

/* ---- the list ---- */

static struct comb_blob_writer *find_locked(struct comb_data_s3 *s3, comb_str key)
{
    struct comb_blob_writer *writer = s3->writers;

    while (writer && !comb_str_equal(writer->key, key))
        writer = writer->next;
    return writer;
}

static bool add_to_list(struct comb_data_s3 *s3, struct comb_blob_writer *writer)
{
    bool is_new;

    pthread_mutex_lock(&s3->lock);
    is_new = !find_locked(s3, writer->key);
    if (is_new) {
        writer->next = s3->writers;
        s3->writers = writer;
    }
    pthread_mutex_unlock(&s3->lock);
    return is_new;
}

static bool is_removed(struct comb_data_s3 *s3, const struct comb_blob_writer *writer)
{
    bool removed;

    pthread_mutex_lock(&s3->lock);
    removed = writer->removed;
    pthread_mutex_unlock(&s3->lock);
    return removed;
}

bool comb_data_s3_is_written(struct comb_data_s3 *s3, comb_str key, bool remove)
{
    struct comb_blob_writer *writer;

    pthread_mutex_lock(&s3->lock);
    writer = find_locked(s3, key);
    if (writer)
        writer->removed |= remove;
    pthread_mutex_unlock(&s3->lock);
    return writer != NULL;
}

static void free_writer(struct comb_data_s3 *s3, struct comb_blob_writer *writer)
{
    struct comb_blob_writer **link = &s3->writers;

    pthread_mutex_lock(&s3->lock);
    while (*link && *link != writer)
        link = &(*link)->next;
    if (*link)
        *link = writer->next;
    pthread_mutex_unlock(&s3->lock);
    comb_memory_free(writer->part);
    comb_memory_free(writer->etags);
    comb_memory_free(writer);
}

/* ---- parts ---- */

static bool reserve(struct comb_blob_writer *writer, size_t size)
{
    size_t capacity = writer->capacity > 0 ? 2 * writer->capacity : BUFFER_FIRST;
    char *part;

    if (size <= writer->capacity)
        return true;
    if (capacity > part_size(writer))
        capacity = part_size(writer);
    if (capacity < size)
        capacity = size;
    part = comb_memory_realloc(writer->part, capacity);
    if (!part)
        return false;
    writer->part = part;
    writer->capacity = capacity;
    return true;
}

static bool reserve_etag(struct comb_blob_writer *writer)
{
    unsigned capacity = writer->etags_capacity > 0 ? writer->etags_capacity * 2 : 16;
    void *etags;

    if (writer->n_parts < writer->etags_capacity)
        return true;
    etags = comb_memory_realloc(writer->etags, (size_t)capacity * sizeof *writer->etags);
    if (!etags)
        return false;
    writer->etags = etags;
    writer->etags_capacity = capacity;
    return true;
}

static enum comb_status removed_meanwhile(struct comb_error *err)
{
    return comb_error_set(err, COMB_ABORTED, 0, "the blob was removed meanwhile");
}

static enum comb_status send_part(struct comb_data_s3 *s3, struct comb_ctx *ctx,
                                  struct comb_blob_writer *writer, struct comb_error *err)
{
    enum comb_status status = COMB_OK;

    if (is_removed(s3, writer))
        return removed_meanwhile(err);
    if (writer->n_parts == COMB_S3_PARTS_MAX)
        return comb_error_set_subject(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                                      "blob_bytes_max",
                                      "the data store takes no more bytes in one piece; upload "
                                      "the file in parts");
    if (!reserve_etag(writer))
        return comb_error_no_memory(err);
    if (writer->upload[0] == '\0')
        status =
            comb_s3_begin_upload(s3->bucket, ctx, writer->key, writer->mark, writer->upload, err);
    if (status == COMB_OK)
        status = comb_s3_put_part(s3->bucket, ctx, writer->key, writer->upload, writer->n_parts + 1,
                                  comb_str_of(writer->part, writer->length),
                                  writer->etags[writer->n_parts], err);
    if (status == COMB_OK) {
        writer->n_parts++;
        writer->sent += writer->length;
        writer->length = 0;
    }
    return status;
}

/* ---- slots ---- */

enum comb_status comb_data_s3_create(struct comb_blobs *self, struct comb_ctx *ctx, comb_str key,
                                     uint64_t size_hint, struct comb_blob_writer **ret_writer,
                                     struct comb_error *err)
{
    struct comb_data_s3 *s3 = (struct comb_data_s3 *)self;
    struct comb_blob_writer *writer = comb_memory_zalloc(sizeof *writer);
    const struct comb_uuid mark = comb_uuid_new();

    (void)ctx;
    if (!writer)
        return comb_error_no_memory(err);
    snprintf(writer->key_text, sizeof writer->key_text, "%.*s", COMB_STR_ARG(key));
    writer->key = comb_str_of(writer->key_text, key.len);
    comb_uuid_format(&mark, writer->mark);
    if (size_hint > 0 &&
        !reserve(writer, size_hint < PART_BYTES_FIRST ? (size_t)size_hint : PART_BYTES_FIRST)) {
        comb_memory_free(writer);
        return comb_error_no_memory(err);
    }
    if (!add_to_list(s3, writer)) {
        comb_memory_free(writer->part);
        comb_memory_free(writer);
        return comb_error_set(err, COMB_ALREADY_EXISTS, 0, "the blob's key is in use");
    }
    *ret_writer = writer;
    return COMB_OK;
}

enum comb_status comb_data_s3_write(struct comb_blobs *self, struct comb_ctx *ctx,
                                    struct comb_blob_writer *writer, comb_str bytes,
                                    struct comb_error *err)
{
    struct comb_data_s3 *s3 = (struct comb_data_s3 *)self;

    while (bytes.len > 0) {
        size_t room = part_size(writer) - writer->length;
        size_t n = bytes.len < room ? bytes.len : room;

        /* A full part goes out when more comes: one that is the whole blob is a PUT. */
        if (room == 0) {
            enum comb_status status = send_part(s3, ctx, writer, err);

            if (status != COMB_OK)
                return status;
            continue;
        }
        if (!reserve(writer, writer->length + n))
            return comb_error_no_memory(err);
        memcpy(writer->part + writer->length, bytes.ptr, n);
        writer->length += n;
        bytes = comb_str_of(bytes.ptr + n, bytes.len - n);
    }
    return COMB_OK;
}

static struct comb_ctx cleaning_ctx(void)
{
    return (struct comb_ctx){.deadline_ns = comb_clock_monotonic_ns() + CLEAN_MS * COMB_NS_PER_MS};
}

/* A write whose answer was lost may have happened: the blob goes, as far as can be said now. */
static void take_back(struct comb_data_s3 *s3, struct comb_blob_writer *writer)
{
    struct comb_ctx ctx = cleaning_ctx();

    /* Who does not answer that will not answer more. */
    if (comb_s3_delete(s3->bucket, &ctx, writer->key, NULL) != COMB_OK)
        writer->upload[0] = '\0';
}

enum comb_status comb_data_s3_commit(struct comb_blobs *self, struct comb_ctx *ctx,
                                     struct comb_blob_writer *writer, struct comb_error *err)
{
    struct comb_data_s3 *s3 = (struct comb_data_s3 *)self;
    struct comb_error failure = {.status = COMB_OK};
    comb_str rest = comb_str_of(writer->part, writer->length);
    enum comb_status status = COMB_OK;

    if (is_removed(s3, writer))
        status = removed_meanwhile(&failure);
    else if (writer->upload[0] == '\0')
        status = comb_s3_put(s3->bucket, ctx, writer->key, writer->mark, rest, &failure);
    else
        status = send_part(s3, ctx, writer, &failure);
    if (status == COMB_OK && writer->upload[0] != '\0')
        status = comb_s3_end_upload(s3->bucket, ctx, writer->key, writer->upload, writer->mark,
                                    (const char(*)[COMB_S3_ETAG_SIZE])writer->etags,
                                    writer->n_parts, writer->sent, &failure);
    /* By this process, while the request was on its way. */
    if (status == COMB_OK && is_removed(s3, writer)) {
        take_back(s3, writer);
        status = removed_meanwhile(&failure);
    }
    if (status == COMB_OK) {
        free_writer(s3, writer);
        return COMB_OK;
    }
    if (failure.ambiguous || status == COMB_DATA_LOSS)
        take_back(s3, writer);
    self->driver->abort(self, writer);
    if (err)
        *err = failure;
    return status;
}

void comb_data_s3_abort(struct comb_blobs *self, struct comb_blob_writer *writer)
{
    struct comb_data_s3 *s3 = (struct comb_data_s3 *)self;
    struct comb_ctx ctx;

    if (!writer)
        return;
    ctx = cleaning_ctx();
    /* What stays open is listed once the session has died, and removed by the sweeper. */
    if (writer->upload[0] != '\0')
        (void)!comb_s3_abort_upload(s3->bucket, &ctx, writer->key, writer->upload, NULL);
    free_writer(s3, writer);
}
