/* SPDX-License-Identifier: Apache-2.0 */
/* One signed request to a bucket: what bucket.c and its operations share. */
#ifndef COMB_S3_REQUEST_H
#define COMB_S3_REQUEST_H

#include <pthread.h>

#include "server/backend/http/http.h"
#include "server/backend/s3/bucket.h"
#include "server/core/hash.h"

struct comb_s3_bucket {
    struct comb_http *http;
    struct grpcc_arena *arena; /* of the strings below; not used after opening */
    struct comb_s3_signer signer;
    const char *base;      /* "https://HOST:PORT" */
    comb_str host;         /* as the Host header has it */
    comb_str virtual_host; /* "BUCKET.HOST", where the bucket is no part of the path */
    comb_str root;         /* of every path, encoded: "/BUCKET" or "" */
    comb_str prefix;       /* "PREFIX/" or "" */

    pthread_mutex_t lock; /* guards what follows */
    int64_t skew_us;      /* what the endpoint's clock is ahead of ours, where that matters */
};

struct comb_s3_request {
    const char *method;
    comb_str key; /* empty: the bucket itself */
    const struct comb_s3_pair *query;
    size_t n_query;
    const struct comb_s3_pair *headers; /* names in lower case; all are signed */
    size_t n_headers;
    comb_str body;
    void *sink; /* for the body of a success; NULL: it is a document */
    size_t sink_size;
    bool slow;         /* the endpoint may be long about it before its answer begins */
    const char *doing; /* for messages: "write a blob" */
};

struct comb_s3_answer {
    struct grpcc_arena *arena; /* of the document */
    comb_str document;
    long http_status; /* 0: none came */
    char code[64];    /* of an error with a document; "" */
    size_t sink_length;
    uint64_t content_length;
    char etag[COMB_S3_ETAG_SIZE];
    char mark[COMB_S3_MARK_SIZE];
    int64_t date_us; /* 0: none */
    bool was_lost;   /* an earlier attempt got no answer */
};

void comb_s3_answer_init(struct comb_s3_answer *answer);
void comb_s3_answer_done(struct comb_s3_answer *answer);

/*
 * Sends it until there is an answer that stands, at most COMB_S3_ATTEMPTS_MAX times within the
 * deadline. Every request here may be sent twice, or its second outcome tells of the first. OK:
 * 2xx; else the error of the answer (error.h), with answer->http_status and code set, or why there
 * was none, with http_status 0.
 */
#define COMB_S3_ATTEMPTS_MAX 5
enum comb_status comb_s3_send(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                              const struct comb_s3_request *request, struct comb_s3_answer *answer,
                              struct comb_error *err) COMB_MUST_CHECK;

/*
 * After a write that met a key in use, or may have happened: OK where the object there carries our
 * mark and has our size, ALREADY_EXISTS where it is another's, DATA_LOSS where it is a rest of
 * ours, NOT_FOUND.
 */
enum comb_status comb_s3_look_for_own(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                                      comb_str key, const char *mark, uint64_t size,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* Copies text as a string; what is too long for it becomes "". */
void comb_s3_keep(char *ret, size_t size, comb_str text);
/* Appends BASE, path and "?", before a query. */
enum comb_status comb_s3_append_url(const struct comb_s3_bucket *bucket, comb_str key,
                                    struct comb_buf *url, struct comb_error *err) COMB_MUST_CHECK;
/* Appends the encoded path of a key. */
void comb_s3_append_path(const struct comb_s3_bucket *bucket, comb_str key, struct comb_buf *path);
/* By the endpoint's clock as far as it is known. */
int64_t comb_s3_now_us(struct comb_s3_bucket *bucket);

#endif
