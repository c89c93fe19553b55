/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads in parts. */
#include <assert.h>
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/s3/request.h"
#include "server/backend/s3/xml.h"

/* "<Part><PartNumber>10000</PartNumber><ETag>…</ETag></Part>", ETags with all their quotes escaped.
 */
#define PART_XML_MAX 600

static enum comb_status not_understood(struct comb_error *err)
{
    return comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                          "the data store's endpoint answers an upload in parts as S3 would not");
}

/* ---- begin ---- */

static bool note_upload(void *data, const char *path, comb_str text)
{
    char *upload = data;

    if (strcmp(path, "InitiateMultipartUploadResult/UploadId") != 0)
        return true;
    if (text.len < COMB_S3_UPLOAD_SIZE)
        snprintf(upload, COMB_S3_UPLOAD_SIZE, "%.*s", COMB_STR_ARG(text));
    return false;
}

enum comb_status comb_s3_begin_upload(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                                      comb_str key, const char *mark,
                                      char ret_upload[COMB_S3_UPLOAD_SIZE], struct comb_error *err)
{
    const struct comb_s3_pair query = {STR("uploads"), STR("")};
    const struct comb_s3_pair header = {STR("x-amz-meta-comb-mark"), comb_str_from(mark)};
    const struct comb_s3_request request = {
        .method = "POST",
        .key = key,
        .query = &query,
        .n_query = 1,
        .headers = &header,
        .n_headers = 1,
        .doing = "begin a blob",
    };
    char upload[COMB_S3_UPLOAD_SIZE] = "";
    struct comb_s3_answer answer;
    enum comb_status status;

    comb_s3_answer_init(&answer);
    status = comb_s3_send(bucket, ctx, &request, &answer, err);
    if (status == COMB_OK)
        status = comb_s3_xml_parse(answer.document, note_upload, upload, err);
    if (status == COMB_OK && upload[0] == '\0')
        status = not_understood(err);
    if (status == COMB_OK)
        memcpy(ret_upload, upload, sizeof upload);
    comb_s3_answer_done(&answer);
    return status;
}

/* ---- parts ---- */

enum comb_status comb_s3_put_part(struct comb_s3_bucket *bucket, struct comb_ctx *ctx, comb_str key,
                                  const char *upload, unsigned number, comb_str body,
                                  char ret_etag[COMB_S3_ETAG_SIZE], struct comb_error *err)
{
    char digits[16];
    const struct comb_s3_pair query[] = {
        {STR("partNumber"),
         comb_str_of(digits, (size_t)snprintf(digits, sizeof digits, "%u", number))},
        {STR("uploadId"), comb_str_from(upload)},
    };
    const struct comb_s3_request request = {
        .method = "PUT",
        .key = key,
        .query = query,
        .n_query = sizeof query / sizeof query[0],
        .body = body,
        .doing = "write a part of a blob",
    };
    struct comb_s3_answer answer;
    enum comb_status status;

    assert(number >= 1 && number <= COMB_S3_PARTS_MAX);
    comb_s3_answer_init(&answer);
    status = comb_s3_send(bucket, ctx, &request, &answer, err);
    if (status == COMB_OK && answer.etag[0] == '\0')
        status = not_understood(err);
    /* Some say only that there is nothing of that name. */
    if (status == COMB_NOT_FOUND)
        status = comb_error_set(err, COMB_ABORTED, 0, "the blob was removed meanwhile");
    if (status == COMB_OK)
        memcpy(ret_etag, answer.etag, sizeof answer.etag);
    comb_s3_answer_done(&answer);
    return status;
}

/* ---- end ---- */

static void append_escaped(struct comb_buf *buf, const char *text)
{
    for (; *text; text++) {
        if (strchr("<>&\"", *text))
            comb_buf_printf(buf, "&#%d;", *text);
        else
            comb_buf_append_char(buf, *text);
    }
}

static void append_parts(struct comb_buf *body, const char (*etags)[COMB_S3_ETAG_SIZE], unsigned n)
{
    comb_buf_append_str(
        body, STR("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"));
    for (unsigned i = 0; i < n; i++) {
        comb_buf_printf(body, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
        append_escaped(body, etags[i]);
        comb_buf_append_str(body, STR("</ETag></Part>"));
    }
    comb_buf_append_str(body, STR("</CompleteMultipartUpload>"));
}

enum comb_status comb_s3_end_upload(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                                    comb_str key, const char *upload, const char *mark,
                                    const char (*etags)[COMB_S3_ETAG_SIZE], unsigned n,
                                    uint64_t size, struct comb_error *err)
{
    const struct comb_s3_pair query = {STR("uploadId"), comb_str_from(upload)};
    const struct comb_s3_pair headers = {STR("if-none-match"), STR("*")};
    struct comb_s3_request request = {
        .method = "POST",
        .key = key,
        .query = &query,
        .n_query = 1,
        .headers = &headers,
        .n_headers = 1,
        .slow = true,
        .doing = "make a blob durable",
    };
    struct comb_s3_answer answer;
    struct comb_buf body;
    enum comb_status status;

    comb_buf_init(&body, (size_t)n * PART_XML_MAX + 1024);
    append_parts(&body, etags, n);
    if (body.failed) {
        comb_buf_done(&body);
        return comb_error_no_memory(err);
    }
    request.body = comb_buf_str(&body);
    comb_s3_answer_init(&answer);
    status = comb_s3_send(bucket, ctx, &request, &answer, err);
    comb_s3_answer_done(&answer);
    comb_buf_done(&body);
    if (status != COMB_ABORTED && status != COMB_NOT_FOUND && status != COMB_ALREADY_EXISTS)
        return status;
    /* An upload that is gone, or a key in use: an attempt whose answer was lost may have ended it.
     */
    status = comb_s3_look_for_own(bucket, ctx, key, mark, size, err);
    return status == COMB_NOT_FOUND
               ? comb_error_set(err, COMB_ABORTED, 0, "the blob was removed meanwhile")
               : status;
}

enum comb_status comb_s3_abort_upload(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                                      comb_str key, const char *upload, struct comb_error *err)
{
    const struct comb_s3_pair query = {STR("uploadId"), comb_str_from(upload)};
    const struct comb_s3_request request = {
        .method = "DELETE", .key = key, .query = &query, .n_query = 1, .doing = "drop a blob"};
    struct comb_s3_answer answer;
    enum comb_status status;

    comb_s3_answer_init(&answer);
    status = comb_s3_send(bucket, ctx, &request, &answer, err);
    comb_s3_answer_done(&answer);
    return status == COMB_ABORTED || status == COMB_NOT_FOUND ? COMB_OK : status;
}

/* ---- what is open ---- */

struct uploads {
    bool (*each)(void *data, comb_str key, comb_str upload);
    void *data;
    size_t skip; /* characters of the prefix of the row */
    char key[COMB_S3_KEY_MAX + 1];
    char upload[COMB_S3_UPLOAD_SIZE];
    char next_key[COMB_S3_KEY_MAX + 1];
    char next_upload[COMB_S3_UPLOAD_SIZE];
    bool is_truncated, is_ended;
};

static bool uploads_leaf(void *data, const char *path, comb_str text)
{
    struct uploads *uploads = data;

    if (strcmp(path, "ListMultipartUploadsResult/Upload/Key") == 0) {
        comb_s3_keep(uploads->key, sizeof uploads->key, text);
    } else if (strcmp(path, "ListMultipartUploadsResult/Upload/UploadId") == 0) {
        comb_s3_keep(uploads->upload, sizeof uploads->upload, text);
    } else if (strcmp(path, "ListMultipartUploadsResult/NextKeyMarker") == 0) {
        comb_s3_keep(uploads->next_key, sizeof uploads->next_key, text);
    } else if (strcmp(path, "ListMultipartUploadsResult/NextUploadIdMarker") == 0) {
        comb_s3_keep(uploads->next_upload, sizeof uploads->next_upload, text);
    } else if (strcmp(path, "ListMultipartUploadsResult/IsTruncated") == 0) {
        uploads->is_truncated = comb_str_equal(text, STR("true"));
    } else if (strcmp(path, "ListMultipartUploadsResult/Upload") == 0 &&
               strlen(uploads->key) > uploads->skip) {
        uploads->is_ended =
            !uploads->each(uploads->data, comb_str_from(uploads->key + uploads->skip),
                           comb_str_from(uploads->upload));
        uploads->key[0] = uploads->upload[0] = '\0';
    }
    return !uploads->is_ended;
}

static enum comb_status uploads_page(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                                     comb_str prefix, struct uploads *uploads,
                                     struct comb_error *err)
{
    char key[COMB_S3_KEY_MAX + 1], upload[COMB_S3_UPLOAD_SIZE];
    const struct comb_s3_pair query[] = {
        {STR("uploads"), STR("")},
        {STR("prefix"), prefix},
        {STR("key-marker"), comb_str_from(uploads->next_key)},
        {STR("upload-id-marker"), comb_str_from(uploads->next_upload)},
    };
    const struct comb_s3_request request = {.method = "GET",
                                            .query = query,
                                            .n_query = uploads->next_key[0] == '\0' ? 2 : 4,
                                            .slow = true,
                                            .doing = "list blobs"};
    struct comb_s3_answer answer;
    enum comb_status status;

    comb_s3_answer_init(&answer);
    status = comb_s3_send(bucket, ctx, &request, &answer, err);
    memcpy(key, uploads->next_key, sizeof key);
    memcpy(upload, uploads->next_upload, sizeof upload);
    uploads->next_key[0] = uploads->next_upload[0] = '\0';
    uploads->is_truncated = false;
    if (status == COMB_OK)
        status = comb_s3_xml_parse(answer.document, uploads_leaf, uploads, err);
    if (status == COMB_OK && !uploads->is_ended && uploads->is_truncated &&
        (uploads->next_key[0] == '\0' ||
         (strcmp(uploads->next_key, key) == 0 && strcmp(uploads->next_upload, upload) == 0)))
        status = not_understood(err);
    comb_s3_answer_done(&answer);
    return status;
}

enum comb_status comb_s3_list_uploads(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                                      comb_str prefix,
                                      bool (*each)(void *data, comb_str key, comb_str upload),
                                      void *data, struct comb_error *err)
{
    struct uploads uploads = {.each = each, .data = data, .skip = bucket->prefix.len};
    char full[COMB_S3_KEY_MAX + 1];
    enum comb_status status;

    snprintf(full, sizeof full, "%.*s%.*s", COMB_STR_ARG(bucket->prefix), COMB_STR_ARG(prefix));
    do {
        status = uploads_page(bucket, ctx, comb_str_from(full), &uploads, err);
    } while (status == COMB_OK && uploads.is_truncated && !uploads.is_ended);
    return status;
}
