/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the S3 driver share. */
#ifndef COMB_DATA_S3_H
#define COMB_DATA_S3_H

#include <pthread.h>

#include "server/backend/s3/bucket.h"
#include "server/data/blob_driver.h"

/* The object's key is the blob's, below the URL's prefix. */
struct comb_data_s3 {
    struct comb_blobs base;
    struct comb_s3_bucket *bucket;
    pthread_mutex_t lock;             /* guards the list, and `removed` of each in it */
    struct comb_blob_writer *writers; /* of this process */
};

/* The slots of s3_writer.c. */
enum comb_status comb_data_s3_create(struct comb_blobs *self, struct comb_ctx *ctx, comb_str key,
                                     uint64_t size_hint, struct comb_blob_writer **ret_writer,
                                     struct comb_error *err);
enum comb_status comb_data_s3_write(struct comb_blobs *self, struct comb_ctx *ctx,
                                    struct comb_blob_writer *writer, comb_str bytes,
                                    struct comb_error *err);
enum comb_status comb_data_s3_commit(struct comb_blobs *self, struct comb_ctx *ctx,
                                     struct comb_blob_writer *writer, struct comb_error *err);
void comb_data_s3_abort(struct comb_blobs *self, struct comb_blob_writer *writer);

/* Whether a writer of this process is at that blob; remove: it will not commit any more. */
bool comb_data_s3_is_written(struct comb_data_s3 *s3, comb_str key, bool remove);

#endif
