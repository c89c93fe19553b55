/* SPDX-License-Identifier: Apache-2.0 */
/* Whole objects: written, read, listed, removed. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/s3/request.h"
#include "server/backend/s3/xml.h"

/* ---- writing ---- */

enum comb_status comb_s3_look_for_own(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                                      comb_str key, const char *mark, uint64_t size,
                                      struct comb_error *err)
{
    struct comb_error failure;
    struct comb_s3_head head;
    enum comb_status status = comb_s3_head(bucket, ctx, key, &head, &failure);

    if (status != COMB_OK && err) {
        *err = failure;
        err->ambiguous = status != COMB_NOT_FOUND;
    }
    if (status != COMB_OK)
        return status;
    if (strcmp(head.mark, mark) == 0 && head.size == size)
        return COMB_OK;
    if (strcmp(head.mark, mark) != 0 && head.mark[0] != '\0')
        return comb_error_set(err, COMB_ALREADY_EXISTS, 0, "the blob's key is in use");
    return comb_error_set(err, COMB_DATA_LOSS, 0,
                          "the data store has kept a part of a blob whose connection broke");
}

static enum comb_status put_once(struct comb_s3_bucket *bucket, struct comb_ctx *ctx, comb_str key,
                                 const char *mark, comb_str body, struct comb_error *err)
{
    const struct comb_s3_pair headers[] = {
        {STR("if-none-match"), STR("*")},
        {STR("x-amz-meta-comb-mark"), comb_str_from(mark)},
    };
    const struct comb_s3_request request = {
        .method = "PUT",
        .key = key,
        .headers = headers,
        .n_headers = sizeof headers / sizeof headers[0],
        .body = body,
        .doing = "write a blob",
    };
    struct comb_s3_answer answer;
    enum comb_status status;

    comb_s3_answer_init(&answer);
    status = comb_s3_send(bucket, ctx, &request, &answer, err);
    comb_s3_answer_done(&answer);
    /* Our own first attempt, whose answer was lost, may be what stands in the way. */
    return status == COMB_ALREADY_EXISTS
               ? comb_s3_look_for_own(bucket, ctx, key, mark, body.len, err)
               : status;
}

/* Some servers (SeaweedFS 4.48) keep an empty object where a connection breaks in the middle of a
 * PUT: that one goes, and the whole comes again. */
enum comb_status comb_s3_put(struct comb_s3_bucket *bucket, struct comb_ctx *ctx, comb_str key,
                             const char *mark, comb_str body, struct comb_error *err)
{
    enum comb_status status = put_once(bucket, ctx, key, mark, body, err);

    if (status != COMB_DATA_LOSS)
        return status;
    status = comb_s3_delete(bucket, ctx, key, err);
    if (status == COMB_OK)
        status = put_once(bucket, ctx, key, mark, body, err);
    if (status == COMB_DATA_LOSS) {
        status = COMB_UNAVAILABLE;
        if (err)
            err->status = status;
    }
    return status;
}

/* ---- reading ---- */

enum comb_status comb_s3_head(struct comb_s3_bucket *bucket, struct comb_ctx *ctx, comb_str key,
                              struct comb_s3_head *ret_head, struct comb_error *err)
{
    const struct comb_s3_request request = {
        .method = "HEAD", .key = key, .doing = "look for a blob"};
    struct comb_s3_answer answer;
    enum comb_status status;

    comb_s3_answer_init(&answer);
    status = comb_s3_send(bucket, ctx, &request, &answer, err);
    if (status == COMB_OK) {
        ret_head->size = answer.content_length;
        memcpy(ret_head->mark, answer.mark, sizeof ret_head->mark);
    } else if (status == COMB_NOT_FOUND) {
        /* Without a body it does not say whether the object is missing, or the bucket. */
        char byte;
        size_t n = 0;

        status = comb_s3_get(bucket, ctx, key, 0, &byte, 1, &n, err);
        if (status == COMB_OK)
            status = comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                                    "a blob appeared while it was looked for");
    }
    comb_s3_answer_done(&answer);
    return status;
}

enum comb_status comb_s3_get(struct comb_s3_bucket *bucket, struct comb_ctx *ctx, comb_str key,
                             uint64_t offset, void *buffer, size_t capacity, size_t *ret_n,
                             struct comb_error *err)
{
    char range[64];
    struct comb_s3_pair header = {.name = STR("range")};
    const struct comb_s3_request request = {
        .method = "GET",
        .key = key,
        .headers = &header,
        .n_headers = 1,
        .sink = buffer,
        .sink_size = capacity,
        .doing = "read a blob",
    };
    struct comb_s3_answer answer;
    enum comb_status status;

    assert(capacity > 0);
    snprintf(range, sizeof range, "bytes=%llu-%llu", (unsigned long long)offset,
             (unsigned long long)(offset + capacity - 1));
    header.value = comb_str_from(range);
    comb_s3_answer_init(&answer);
    status = comb_s3_send(bucket, ctx, &request, &answer, err);
    if (status == COMB_OUT_OF_RANGE) { /* behind the end, or of an empty object */
        *ret_n = 0;
        status = COMB_OK;
    } else if (status == COMB_OK && answer.http_status == 200 && offset > 0) {
        status = comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                                "the data store's endpoint does not give out ranges");
    } else if (status == COMB_OK) {
        *ret_n = answer.sink_length;
    }
    comb_s3_answer_done(&answer);
    return status;
}

/* ---- removing ---- */

enum comb_status comb_s3_delete(struct comb_s3_bucket *bucket, struct comb_ctx *ctx, comb_str key,
                                struct comb_error *err)
{
    const struct comb_s3_request request = {
        .method = "DELETE", .key = key, .doing = "remove a blob"};
    struct comb_s3_answer answer;
    enum comb_status status;

    comb_s3_answer_init(&answer);
    status = comb_s3_send(bucket, ctx, &request, &answer, err);
    comb_s3_answer_done(&answer);
    return status == COMB_NOT_FOUND ? COMB_OK : status;
}

/* ---- listing ---- */

struct list {
    bool (*each)(void *data, comb_str key, uint64_t size);
    void *data;
    size_t skip;                   /* characters of the prefix of the row */
    char key[COMB_S3_KEY_MAX + 1]; /* of the entry that is read */
    uint64_t size;
    char token[COMB_S3_XML_TEXT_MAX]; /* of the next page; "": this is the last */
    bool is_truncated, is_ended;
};

void comb_s3_keep(char *ret, size_t size, comb_str text)
{
    snprintf(ret, size, "%.*s", text.len < size ? (int)text.len : 0, text.ptr);
}

static bool list_leaf(void *data, const char *path, comb_str text)
{
    struct list *list = data;

    if (strcmp(path, "ListBucketResult/Contents/Key") == 0) {
        comb_s3_keep(list->key, sizeof list->key, text);
    } else if (strcmp(path, "ListBucketResult/Contents/Size") == 0) {
        char digits[32];

        comb_s3_keep(digits, sizeof digits, text);
        list->size = strtoull(digits, NULL, 10);
    } else if (strcmp(path, "ListBucketResult/IsTruncated") == 0) {
        list->is_truncated = comb_str_equal(text, STR("true"));
    } else if (strcmp(path, "ListBucketResult/NextContinuationToken") == 0) {
        comb_s3_keep(list->token, sizeof list->token, text);
    } else if (strcmp(path, "ListBucketResult/Contents") == 0 && strlen(list->key) > list->skip) {
        list->is_ended = !list->each(list->data, comb_str_from(list->key + list->skip), list->size);
        list->key[0] = '\0';
        list->size = 0;
    }
    return !list->is_ended;
}

static enum comb_status list_page(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                                  comb_str prefix, struct list *list, struct comb_error *err)
{
    char token[COMB_S3_XML_TEXT_MAX]; /* of this page, while that of the next is read */
    snprintf(token, sizeof token, "%s", list->token);
    const struct comb_s3_pair query[] = {
        {STR("list-type"), STR("2")},
        {STR("prefix"), prefix},
        {STR("continuation-token"), comb_str_from(token)},
    };
    struct comb_s3_request request = {
        .method = "GET", .query = query, .n_query = 3, .slow = true, .doing = "list blobs"};
    struct comb_s3_answer answer;
    enum comb_status status;

    if (token[0] == '\0')
        request.n_query = 2;
    list->token[0] = '\0';
    list->is_truncated = false;
    comb_s3_answer_init(&answer);
    status = comb_s3_send(bucket, ctx, &request, &answer, err);
    if (status == COMB_OK)
        status = comb_s3_xml_parse(answer.document, list_leaf, list, err);
    if (status == COMB_OK && !list->is_ended && list->is_truncated &&
        (list->token[0] == '\0' || strcmp(list->token, token) == 0))
        status = comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                                "the data store's endpoint does not say how its list goes on");
    comb_s3_answer_done(&answer);
    return status;
}

enum comb_status comb_s3_list(struct comb_s3_bucket *bucket, struct comb_ctx *ctx, comb_str prefix,
                              bool (*each)(void *data, comb_str key, uint64_t size), void *data,
                              struct comb_error *err)
{
    struct list list = {.each = each, .data = data, .skip = bucket->prefix.len};
    char full[COMB_S3_KEY_MAX + 1];
    enum comb_status status;

    snprintf(full, sizeof full, "%.*s%.*s", COMB_STR_ARG(bucket->prefix), COMB_STR_ARG(prefix));
    do {
        status = list_page(bucket, ctx, comb_str_from(full), &list, err);
    } while (status == COMB_OK && list.is_truncated && !list.is_ended);
    return status;
}

/* ---- URLs for others ---- */

enum comb_status comb_s3_presign_get(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                                     comb_str key, unsigned ttl_s, const char **ret_url,
                                     struct comb_error *err)
{
    struct comb_buf path, url;
    enum comb_status status;
    const char *text = NULL;

    comb_buf_init(&path, 4 * COMB_S3_KEY_MAX);
    comb_buf_init(&url, 16 * COMB_S3_KEY_MAX);
    comb_s3_append_path(bucket, key, &path);
    const struct comb_s3_signed what = {
        .method = "GET",
        .host = bucket->host,
        .path = comb_buf_str(&path),
        .time_us = comb_s3_now_us(bucket),
    };
    status = path.failed ? comb_error_no_memory(err) : comb_s3_append_url(bucket, key, &url, err);
    if (status == COMB_OK)
        status = comb_s3_presign(&bucket->signer, &what, ttl_s, &url, err);
    if (status == COMB_OK) {
        text = comb_str_dup(ctx->arena, comb_buf_str(&url));
        status = text ? COMB_OK : comb_error_no_memory(err);
    }
    if (status == COMB_OK)
        *ret_url = text;
    comb_buf_done(&path);
    comb_buf_done(&url);
    return status;
}
