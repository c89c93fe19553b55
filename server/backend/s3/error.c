/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/s3/error.h"

#include <ctype.h>
#include <stddef.h>

#include "comb/v1/errors.grpcc.h"

/* Longest code that is shown; those of S3 have up to forty characters. */
#define CODE_SHOWN_MAX 64

struct row {
    const char *code; /* NULL: any */
    long http_status; /* 0: any */
    enum comb_status status;
    int reason;
    bool retryable;
    const char *advice; /* what the operator has to do; NULL: nothing but wait */
};

#define UNAVAILABLE COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE
#define FULL COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_STORE_FULL

/* The first row that fits holds. Codes come before the HTTP statuses that they come with. */
static const struct row rows[] = {
    {"NoSuchKey", 0, COMB_NOT_FOUND, 0, false, NULL},
    {"NoSuchBucket", 0, UNAVAILABLE, false,
     "there is no such bucket: create it, or correct the one of --data"},
    {"NoSuchUpload", 0, COMB_ABORTED, 0, false, NULL},
    {"PreconditionFailed", 0, COMB_ALREADY_EXISTS, 0, false, NULL},
    {"ConditionalRequestConflict", 0, UNAVAILABLE, true, NULL},
    {"OperationAborted", 0, UNAVAILABLE, true, NULL},
    /* Of gateways over a folder, while its folders come and go: a blob's key is never a folder's.
     */
    {"ExistingObjectIsDirectory", 0, UNAVAILABLE, true, NULL},
    {"InvalidRange", 0, COMB_OUT_OF_RANGE, 0, false, NULL},
    {"InvalidAccessKeyId", 0, UNAVAILABLE, false,
     "the endpoint does not know the access key's id: correct the file of --data-credentials-file"},
    {"SignatureDoesNotMatch", 0, UNAVAILABLE, false,
     "the secret of the access key is wrong: correct the file of --data-credentials-file"},
    {"AccessDenied", 0, UNAVAILABLE, false,
     "the access key may not do that: allow it to get, put, delete and list in the bucket"},
    {"ExpiredToken", 0, UNAVAILABLE, false, "the access key has expired: replace it"},
    {"RequestTimeTooSkewed", 0, UNAVAILABLE, true, "set the clock of this machine"},
    {"AuthorizationHeaderMalformed", 0, UNAVAILABLE, false,
     "the region is wrong: correct region= of --data"},
    {"PermanentRedirect", 0, UNAVAILABLE, false,
     "the bucket is in another region: correct endpoint= and region= of --data"},
    {"TemporaryRedirect", 0, UNAVAILABLE, true, NULL},
    {"XAmzContentSHA256Mismatch", 0, UNAVAILABLE, true, NULL},
    {"BadDigest", 0, UNAVAILABLE, true, NULL},
    {"IncompleteBody", 0, UNAVAILABLE, true, NULL},
    {"InternalError", 0, UNAVAILABLE, true, NULL},
    {"SlowDown", 0, UNAVAILABLE, true, NULL},
    {"ServiceUnavailable", 0, UNAVAILABLE, true, NULL},
    {"RequestTimeout", 0, UNAVAILABLE, true, NULL},
    {"EntityTooLarge", 0, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE, false, NULL},
    {"QuotaExceeded", 0, FULL, false, "the bucket's quota is used up: raise it or free room"},
    {"BucketQuotaExceeded", 0, FULL, false, "the bucket's quota is used up: raise it or free room"},
    {"InsufficientStorage", 0, FULL, false, "the store is full: add room to it"},
    {"XMinioStorageFull", 0, FULL, false, "the store is full: add room to it"},
    {"XMinioAdminBucketQuotaExceeded", 0, FULL, false,
     "the bucket's quota is used up: raise it or free room"},
    {NULL, 507, FULL, false, "the store is full: add room to it"},
    {NULL, 404, COMB_NOT_FOUND, 0, false, NULL},
    {NULL, 412, COMB_ALREADY_EXISTS, 0, false, NULL},
    {NULL, 416, COMB_OUT_OF_RANGE, 0, false, NULL},
    {NULL, 401, UNAVAILABLE, false,
     "the endpoint refuses the access key: look at --data-credentials-file and the key's rights"},
    {NULL, 403, UNAVAILABLE, false,
     "the endpoint refuses the access key: look at --data-credentials-file and the key's rights"},
    {NULL, 301, UNAVAILABLE, false,
     "the bucket is elsewhere: correct endpoint= and region= of --data"},
    {NULL, 307, UNAVAILABLE, true, NULL},
    {NULL, 408, UNAVAILABLE, true, NULL},
    {NULL, 429, UNAVAILABLE, true, NULL}, /* SlowDown of some */
    {NULL, 500, UNAVAILABLE, true, NULL}, /* InternalError */
    {NULL, 502, UNAVAILABLE, true, NULL},
    {NULL, 503, UNAVAILABLE, true, NULL}, /* SlowDown, ServiceUnavailable */
    {NULL, 504, UNAVAILABLE, true, NULL},
};

static const struct row other = {NULL,  0,   COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL,
                                 false, NULL};

static const struct row *find(long http_status, comb_str code)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if ((!rows[i].code || comb_str_equal(code, comb_str_from(rows[i].code))) &&
            (rows[i].http_status == 0 || rows[i].http_status == http_status))
            return &rows[i];
    }
    return &other;
}

/* What a stranger sent is shown only as far as it looks like a code. */
static comb_str shown(comb_str code)
{
    size_t n = 0;

    while (n < code.len && n < CODE_SHOWN_MAX && isalnum((unsigned char)code.ptr[n]))
        n++;
    return comb_str_of(code.ptr, n);
}

enum comb_status comb_s3_error(struct comb_error *err, long http_status, comb_str code,
                               const char *doing)
{
    const struct row *row = find(http_status, code);
    comb_str name = shown(code);

    comb_error_set(err, row->status, row->reason, "the data store cannot %s: HTTP %ld%s%.*s%s%s",
                   doing, http_status, name.len > 0 ? " " : "", COMB_STR_ARG(name),
                   row->advice ? ": " : "", row->advice ? row->advice : "");
    if (err) {
        err->domain = "data.s3";
        err->native = http_status;
        err->retryable = row->retryable;
    }
    return row->status;
}

bool comb_s3_is_transient(long http_status, comb_str code)
{
    return find(http_status, code)->retryable;
}
