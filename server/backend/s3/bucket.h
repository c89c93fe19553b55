/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One bucket of an S3 endpoint: signed requests, sent again where that is safe and helps, with the
 * state of the endpoint. Knows no domain: what the keys mean is its caller's.
 *
 * Threads: any; calls block. All take their deadline from ctx. Errors of all: UNAVAILABLE
 * (STORE_UNAVAILABLE), at once while the endpoint is known to be away, with what the operator has
 * to do where waiting does not help; RESOURCE_EXHAUSTED (STORE_FULL); DEADLINE_EXCEEDED.
 */
#ifndef COMB_S3_BUCKET_H
#define COMB_S3_BUCKET_H

#include "server/backend/s3/sigv4.h"
#include "server/core/ctx.h"
#include "server/core/store.h"

struct comb_s3_bucket;

/* By the protocol. */
#define COMB_S3_PART_BYTES_MIN (5u << 20)
#define COMB_S3_PARTS_MAX 10000
#define COMB_S3_KEY_MAX 1024

/* The text by which a writer knows its own object again, kept beside it as metadata. */
#define COMB_S3_MARK_SIZE 40
#define COMB_S3_ETAG_SIZE 80
#define COMB_S3_UPLOAD_SIZE 1024

/*
 * "s3://BUCKET?endpoint=…&region=…&style=…&prefix=…&ca=…&cert=…&key=…", credentials "ID:SECRET"
 * (README.md). Looks at them only. INVALID_ARGUMENT: what is wrong with them, in one line.
 */
enum comb_status comb_s3_open(const struct comb_store_options *options,
                              struct comb_s3_bucket **ret_bucket,
                              struct comb_error *err) COMB_MUST_CHECK;
void comb_s3_close(struct comb_s3_bucket *bucket); /* NULL is fine; no call may be running */
/* Of its state; never blocks. */
void comb_s3_status(struct comb_s3_bucket *bucket, struct comb_store_status *ret_status);

/* ---- objects ---- */

/*
 * Writes an object that is not there yet. Where the answer is lost the request is repeated, and a
 * key in use is looked at: with the same mark it is this very object. ALREADY_EXISTS: another's.
 * err->ambiguous: it may be there.
 */
enum comb_status comb_s3_put(struct comb_s3_bucket *bucket, struct comb_ctx *ctx, comb_str key,
                             const char *mark, comb_str body,
                             struct comb_error *err) COMB_MUST_CHECK;

struct comb_s3_head {
    uint64_t size;
    char mark[COMB_S3_MARK_SIZE]; /* "": none */
};
/* NOT_FOUND. */
enum comb_status comb_s3_head(struct comb_s3_bucket *bucket, struct comb_ctx *ctx, comb_str key,
                              struct comb_s3_head *ret_head,
                              struct comb_error *err) COMB_MUST_CHECK;
/* Reads up to capacity bytes from offset on; *ret_n is less only at the object's end. NOT_FOUND. */
enum comb_status comb_s3_get(struct comb_s3_bucket *bucket, struct comb_ctx *ctx, comb_str key,
                             uint64_t offset, void *buffer, size_t capacity, size_t *ret_n,
                             struct comb_error *err) COMB_MUST_CHECK;
/* One that is not there is a success. */
enum comb_status comb_s3_delete(struct comb_s3_bucket *bucket, struct comb_ctx *ctx, comb_str key,
                                struct comb_error *err) COMB_MUST_CHECK;
/* Calls each for the objects whose key begins with prefix, in the order of keys; false ends it. */
enum comb_status comb_s3_list(struct comb_s3_bucket *bucket, struct comb_ctx *ctx, comb_str prefix,
                              bool (*each)(void *data, comb_str key, uint64_t size), void *data,
                              struct comb_error *err) COMB_MUST_CHECK;

/* ---- uploads in parts ---- */

/* Opens one. Where the answer was lost, one that nobody knows of stays: comb_s3_list_uploads. */
enum comb_status comb_s3_begin_upload(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                                      comb_str key, const char *mark,
                                      char ret_upload[COMB_S3_UPLOAD_SIZE],
                                      struct comb_error *err) COMB_MUST_CHECK;
/* number: from 1. The same part may be sent again. ABORTED: the upload has been given up. */
enum comb_status comb_s3_put_part(struct comb_s3_bucket *bucket, struct comb_ctx *ctx, comb_str key,
                                  const char *upload, unsigned number, comb_str body,
                                  char ret_etag[COMB_S3_ETAG_SIZE],
                                  struct comb_error *err) COMB_MUST_CHECK;
/* Makes the parts 1…n one object of that size, where none of that key is there. As comb_s3_put
 * where the answer is lost. ABORTED: the upload has been given up; ALREADY_EXISTS. */
enum comb_status comb_s3_end_upload(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                                    comb_str key, const char *upload, const char *mark,
                                    const char (*etags)[COMB_S3_ETAG_SIZE], unsigned n,
                                    uint64_t size, struct comb_error *err) COMB_MUST_CHECK;
/* Drops an upload and its parts; one that is not there is a success. */
enum comb_status comb_s3_abort_upload(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                                      comb_str key, const char *upload,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* Calls each for the open uploads to keys that begin with prefix; false ends it. */
enum comb_status comb_s3_list_uploads(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                                      comb_str prefix,
                                      bool (*each)(void *data, comb_str key, comb_str upload),
                                      void *data, struct comb_error *err) COMB_MUST_CHECK;

/* ---- URLs for others ---- */

/* A URL, in ctx's arena, by which anybody may get the object (upload NULL), or put that part of an
 * upload, for ttl_s seconds. */
enum comb_status comb_s3_presign_get(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                                     comb_str key, unsigned ttl_s, const char **ret_url,
                                     struct comb_error *err) COMB_MUST_CHECK;

#endif
