/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signature version 4 of S3's requests: in the Authorization header, and in the query of a
 * presigned URL. libcurl's own signs paths and queries as they are written, unsorted and not
 * encoded, and sends no x-amz-content-sha256.
 *
 * Pure functions. Threads: any.
 */
#ifndef COMB_S3_SIGV4_H
#define COMB_S3_SIGV4_H

#include "server/core/buf.h"
#include "server/core/error.h"

/* A parameter of the query, or a header, whose name is in lower case. */
struct comb_s3_pair {
    comb_str name, value;
};

/* Parameters or headers of one request, with those that signing adds. */
#define COMB_S3_PAIRS_MAX 24
/* "20130524T000000Z" and a NUL. */
#define COMB_S3_TIME_SIZE 17
/* How long a presigned URL may hold at most, by the protocol: seven days. */
#define COMB_S3_PRESIGN_S_MAX 604800

struct comb_s3_signer {
    comb_str id, secret; /* the pair of access keys */
    comb_str region;
};

/* What is signed. */
struct comb_s3_signed {
    const char *method;
    comb_str host; /* as the Host header has it: with the port where that is not the scheme's own */
    comb_str path; /* as comb_s3_encode made it, "/" first */
    const struct comb_s3_pair *query; /* not encoded, any order; a value may be empty */
    size_t n_query;
    /* Beside host, x-amz-date and x-amz-content-sha256, which are added; any order. */
    const struct comb_s3_pair *headers;
    size_t n_headers;
    comb_str payload; /* SHA-256 of the body in lower case hex, or "UNSIGNED-PAYLOAD" */
    int64_t time_us;  /* wall clock */
};

/* Appends text with all but unreserved characters (RFC 3986) as %XX; "/" stays where it is asked.
 */
bool comb_s3_encode(struct comb_buf *buf, comb_str text, bool keep_slash);
/* Appends "NAME=VALUE&…" encoded and sorted, as it is signed and has to be sent. */
enum comb_status comb_s3_append_query(struct comb_buf *buf, const struct comb_s3_pair *query,
                                      size_t n, struct comb_error *err) COMB_MUST_CHECK;
/* Appends the value of the Authorization header; ret_time is that of x-amz-date. INVALID_ARGUMENT:
 * more pairs than COMB_S3_PAIRS_MAX. */
enum comb_status comb_s3_authorize(const struct comb_s3_signer *signer,
                                   const struct comb_s3_signed *what,
                                   char ret_time[COMB_S3_TIME_SIZE], struct comb_buf *authorization,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* Appends the whole query of a URL that anybody may use for ttl_s seconds from what->time_us on.
 * Only the host is signed of the headers; the payload is not. */
enum comb_status comb_s3_presign(const struct comb_s3_signer *signer,
                                 const struct comb_s3_signed *what, unsigned ttl_s,
                                 struct comb_buf *query, struct comb_error *err) COMB_MUST_CHECK;

#endif
