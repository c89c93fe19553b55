/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/s3/sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server/core/clock.h"
#include "server/core/hash.h"
#include "server/core/memory.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SERVICE "s3"
/* Paths have up to 1,024 bytes, tripled by encoding, and headers are ours. */
#define CANONICAL_MAX (32u << 10)
#define DAY_LENGTH 8
/* "20130524/REGION/s3/aws4_request" */
#define SCOPE_SIZE 128

struct moment {
    char time[COMB_S3_TIME_SIZE];
    char scope[SCOPE_SIZE];
};

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

bool comb_s3_encode(struct comb_buf *buf, comb_str text, bool keep_slash)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_unreserved(c) || (keep_slash && c == '/'))
            comb_buf_append_char(buf, c);
        else
            comb_buf_printf(buf, "%%%02X", (unsigned char)c);
    }
    return !buf->failed;
}

static int compare_names(const void *a, const void *b)
{
    const struct comb_s3_pair *left = a, *right = b;
    int order = comb_str_compare(left->name, right->name);
    return order != 0 ? order : comb_str_compare(left->value, right->value);
}

/* Copies the pairs, with the extra ones, in the order of their names. */
static enum comb_status sort(const struct comb_s3_pair *pairs, size_t n,
                             const struct comb_s3_pair *extra, size_t n_extra,
                             struct comb_s3_pair ret_sorted[COMB_S3_PAIRS_MAX],
                             struct comb_error *err)
{
    if (n + n_extra > COMB_S3_PAIRS_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "a request to S3 has at most %d parameters", COMB_S3_PAIRS_MAX);
    if (n > 0)
        memcpy(ret_sorted, pairs, n * sizeof *pairs);
    if (n_extra > 0)
        memcpy(ret_sorted + n, extra, n_extra * sizeof *extra);
    qsort(ret_sorted, n + n_extra, sizeof *ret_sorted, compare_names);
    return COMB_OK;
}

/* The names that occur here hold unreserved characters only: encoded, they sort the same. */
static enum comb_status append_sorted(struct comb_buf *buf, const struct comb_s3_pair *sorted,
                                      size_t n, struct comb_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            comb_buf_append_char(buf, '&');
        comb_s3_encode(buf, sorted[i].name, false);
        comb_buf_append_char(buf, '=');
        comb_s3_encode(buf, sorted[i].value, false);
    }
    return buf->failed ? comb_error_no_memory(err) : COMB_OK;
}

enum comb_status comb_s3_append_query(struct comb_buf *buf, const struct comb_s3_pair *query,
                                      size_t n, struct comb_error *err)
{
    struct comb_s3_pair sorted[COMB_S3_PAIRS_MAX];
    enum comb_status status = sort(query, n, NULL, 0, sorted, err);
    return status == COMB_OK ? append_sorted(buf, sorted, n, err) : status;
}

static enum comb_status moment_init(struct moment *moment, const struct comb_s3_signer *signer,
                                    int64_t time_us, struct comb_error *err)
{
    time_t seconds = (time_t)(time_us / COMB_US_PER_S);
    struct tm utc;
    int n;

    if (!gmtime_r(&seconds, &utc) ||
        strftime(moment->time, sizeof moment->time, "%Y%m%dT%H%M%SZ", &utc) == 0)
        return comb_error_set(err, COMB_INTERNAL, 0, "the clock does not tell a year of our time");
    n = snprintf(moment->scope, sizeof moment->scope, "%.*s/%.*s/" SERVICE "/aws4_request",
                 DAY_LENGTH, moment->time, COMB_STR_ARG(signer->region));
    if (n < 0 || (size_t)n >= sizeof moment->scope)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "the region's name is too long");
    return COMB_OK;
}

/* The key of one day, region and service: the HMAC of each under the one before. */
static enum comb_status signing_key(const struct comb_s3_signer *signer,
                                    const struct moment *moment, uint8_t ret_key[COMB_SHA256_SIZE],
                                    struct comb_error *err)
{
    const comb_str steps[] = {comb_str_of(moment->time, DAY_LENGTH), signer->region, STR(SERVICE),
                              STR("aws4_request")};
    uint8_t key[COMB_SHA256_SIZE];
    struct comb_buf first;
    enum comb_status status;

    comb_buf_init(&first, CANONICAL_MAX);
    comb_buf_append_str(&first, STR("AWS4"));
    comb_buf_append_str(&first, signer->secret);
    status = first.failed ? comb_error_no_memory(err)
                          : comb_hmac_sha256(comb_buf_str(&first), steps[0], key, err);
    for (size_t i = 1; status == COMB_OK && i < sizeof steps / sizeof steps[0]; i++) {
        uint8_t next[COMB_SHA256_SIZE];
        status = comb_hmac_sha256(comb_str_of(key, sizeof key), steps[i], next, err);
        memcpy(key, next, sizeof key);
        comb_memory_wipe(next, sizeof next);
    }
    if (status == COMB_OK)
        memcpy(ret_key, key, sizeof key);
    comb_memory_wipe(key, sizeof key);
    comb_buf_done_secret(&first);
    return status;
}

static void hex(const uint8_t digest[COMB_SHA256_SIZE], char ret_text[2 * COMB_SHA256_SIZE + 1])
{
    for (size_t i = 0; i < COMB_SHA256_SIZE; i++)
        snprintf(ret_text + 2 * i, 3, "%02x", digest[i]);
}

/* The signature of a canonical request. */
static enum comb_status sign(const struct comb_s3_signer *signer, const struct moment *moment,
                             comb_str canonical, char ret_signature[2 * COMB_SHA256_SIZE + 1],
                             struct comb_error *err)
{
    uint8_t digest[COMB_SHA256_SIZE], key[COMB_SHA256_SIZE];
    char text[sizeof ALGORITHM + COMB_S3_TIME_SIZE + SCOPE_SIZE + 2 * COMB_SHA256_SIZE + 4];
    char digest_text[2 * COMB_SHA256_SIZE + 1];
    enum comb_status status = comb_sha256(canonical, digest, err);

    if (status == COMB_OK)
        status = signing_key(signer, moment, key, err);
    if (status != COMB_OK)
        return status;
    hex(digest, digest_text);
    snprintf(text, sizeof text, ALGORITHM "\n%s\n%s\n%s", moment->time, moment->scope, digest_text);
    status = comb_hmac_sha256(comb_str_of(key, sizeof key), comb_str_from(text), digest, err);
    comb_memory_wipe(key, sizeof key);
    if (status == COMB_OK)
        hex(digest, ret_signature);
    return status;
}

static void append_names(struct comb_buf *buf, const struct comb_s3_pair *headers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        comb_buf_printf(buf, "%s%.*s", i > 0 ? ";" : "", COMB_STR_ARG(headers[i].name));
}

/* Signs what has these query and headers, both sorted. */
static enum comb_status sign_sorted(const struct comb_s3_signer *signer,
                                    const struct moment *moment, const struct comb_s3_signed *what,
                                    comb_str payload, char ret_signature[2 * COMB_SHA256_SIZE + 1],
                                    struct comb_error *err)
{
    struct comb_buf canonical;
    enum comb_status status;

    comb_buf_init(&canonical, CANONICAL_MAX);
    comb_buf_printf(&canonical, "%s\n%.*s\n", what->method, COMB_STR_ARG(what->path));
    status = append_sorted(&canonical, what->query, what->n_query, err);
    comb_buf_append_char(&canonical, '\n');
    for (size_t i = 0; i < what->n_headers; i++)
        comb_buf_printf(&canonical, "%.*s:%.*s\n", COMB_STR_ARG(what->headers[i].name),
                        COMB_STR_ARG(what->headers[i].value));
    comb_buf_append_char(&canonical, '\n');
    append_names(&canonical, what->headers, what->n_headers);
    comb_buf_printf(&canonical, "\n%.*s", COMB_STR_ARG(payload));
    if (status == COMB_OK && canonical.failed)
        status = comb_error_no_memory(err);
    if (status == COMB_OK)
        status = sign(signer, moment, comb_buf_str(&canonical), ret_signature, err);
    comb_buf_done(&canonical);
    return status;
}

enum comb_status comb_s3_authorize(const struct comb_s3_signer *signer,
                                   const struct comb_s3_signed *what,
                                   char ret_time[COMB_S3_TIME_SIZE], struct comb_buf *authorization,
                                   struct comb_error *err)
{
    struct comb_s3_pair query[COMB_S3_PAIRS_MAX], headers[COMB_S3_PAIRS_MAX];
    struct comb_s3_signed sorted = *what;
    char signature[2 * COMB_SHA256_SIZE + 1];
    struct moment moment;
    enum comb_status status = moment_init(&moment, signer, what->time_us, err);
    const struct comb_s3_pair extra[] = {
        {STR("host"), what->host},
        {STR("x-amz-content-sha256"), what->payload},
        {STR("x-amz-date"), comb_str_from(moment.time)},
    };
    const size_t n_extra = sizeof extra / sizeof extra[0];

    if (status == COMB_OK)
        status = sort(what->query, what->n_query, NULL, 0, query, err);
    if (status == COMB_OK)
        status = sort(what->headers, what->n_headers, extra, n_extra, headers, err);
    if (status != COMB_OK)
        return status;
    sorted.query = query;
    sorted.headers = headers;
    sorted.n_headers += n_extra;
    status = sign_sorted(signer, &moment, &sorted, what->payload, signature, err);
    if (status != COMB_OK)
        return status;
    comb_buf_printf(authorization,
                    ALGORITHM " Credential=%.*s/%s, SignedHeaders=", COMB_STR_ARG(signer->id),
                    moment.scope);
    append_names(authorization, headers, sorted.n_headers);
    comb_buf_printf(authorization, ", Signature=%s", signature);
    if (authorization->failed)
        return comb_error_no_memory(err);
    memcpy(ret_time, moment.time, sizeof moment.time);
    return COMB_OK;
}

enum comb_status comb_s3_presign(const struct comb_s3_signer *signer,
                                 const struct comb_s3_signed *what, unsigned ttl_s,
                                 struct comb_buf *query, struct comb_error *err)
{
    const struct comb_s3_pair host = {STR("host"), what->host};
    struct comb_s3_pair sorted_query[COMB_S3_PAIRS_MAX];
    struct comb_s3_signed sorted = *what;
    char signature[2 * COMB_SHA256_SIZE + 1], ttl[16], credential[SCOPE_SIZE * 2];
    struct moment moment;
    enum comb_status status = moment_init(&moment, signer, what->time_us, err);

    if (status != COMB_OK)
        return status;
    if (ttl_s == 0 || ttl_s > COMB_S3_PRESIGN_S_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "a presigned URL holds for 1 to %d seconds", COMB_S3_PRESIGN_S_MAX);
    snprintf(ttl, sizeof ttl, "%u", ttl_s);
    snprintf(credential, sizeof credential, "%.*s/%s", COMB_STR_ARG(signer->id), moment.scope);
    const struct comb_s3_pair extra[] = {
        {STR("X-Amz-Algorithm"), STR(ALGORITHM)},
        {STR("X-Amz-Credential"), comb_str_from(credential)},
        {STR("X-Amz-Date"), comb_str_from(moment.time)},
        {STR("X-Amz-Expires"), comb_str_from(ttl)},
        {STR("X-Amz-SignedHeaders"), STR("host")},
    };
    status =
        sort(what->query, what->n_query, extra, sizeof extra / sizeof extra[0], sorted_query, err);
    if (status != COMB_OK)
        return status;
    sorted.query = sorted_query;
    sorted.n_query += sizeof extra / sizeof extra[0];
    sorted.headers = &host;
    sorted.n_headers = 1;
    status = sign_sorted(signer, &moment, &sorted, STR("UNSIGNED-PAYLOAD"), signature, err);
    if (status == COMB_OK)
        status = append_sorted(query, sorted.query, sorted.n_query, err);
    if (status == COMB_OK && !comb_buf_printf(query, "&X-Amz-Signature=%s", signature))
        status = comb_error_no_memory(err);
    return status;
}
