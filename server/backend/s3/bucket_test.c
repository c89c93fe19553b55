/* SPDX-License-Identifier: Apache-2.0 */
/* What the URL may say, and what becomes of answers that a real server does not give on demand. */
#include "server/backend/s3/bucket.h"

#include <stdio.h>
#include <stdlib.h>

#include "comb/v1/errors.grpcc.h"
#include "tests/support/http_responder.h"
#include "tests/support/support.h"

#define MARK "0190a000-0000-7000-8000-000000000001"
#define CREDENTIALS STR("AKID:top/secret+=")

/* An answer with that status line and body. */
#define ANSWER(status, headers, body)                                                              \
    "HTTP/1.1 " status "\r\nConnection: close\r\n" headers "\r\n" body
#define ERROR(status, code)                                                                        \
    ANSWER(status, "Content-Type: application/xml\r\n",                                            \
           "<Error><Code>" code "</Code><Message>AKID</Message></Error>")
#define OK_EMPTY ANSWER("200 OK", "Content-Length: 0\r\n", "")
#define HEAD_OURS ANSWER("200 OK", "Content-Length: 3\r\nx-amz-meta-comb-mark: " MARK "\r\n", "")
#define HEAD_FOREIGN ANSWER("200 OK", "Content-Length: 3\r\nx-amz-meta-comb-mark: other\r\n", "")

struct scene {
    struct http_responder responder;
    struct test_ctx call;
    struct comb_s3_bucket *bucket;
};

static void begin(struct scene *scene, const char *parameters, const char *const *answers)
{
    char url[256];
    struct comb_store_options options = {.credentials = CREDENTIALS};

    memset(scene, 0, sizeof *scene);
    for (size_t i = 0; answers[i]; i++)
        scene->responder.answers[i] = answers[i];
    http_responder_start(&scene->responder);
    test_ctx_init(&scene->call);
    snprintf(url, sizeof url, "s3://my-bucket?endpoint=http://localhost:%d%s",
             scene->responder.port, parameters);
    options.url = comb_str_from(url);
    must_ok(comb_s3_open(&options, &scene->bucket, &scene->call.err), &scene->call.err);
}

/* All answers have been asked for. */
static void end(struct scene *scene, size_t requests)
{
    comb_s3_close(scene->bucket);
    test_ctx_done(&scene->call);
    http_responder_done(&scene->responder);
    assert_int_equal(scene->responder.n_heads, requests);
}

static enum comb_status put(struct scene *scene)
{
    return comb_s3_put(scene->bucket, &scene->call.ctx, STR("a/b"), MARK, STR("abc"),
                       &scene->call.err);
}

static void urls_that_cannot_be_meant_are_refused(void **state)
{
    static const char *const bad[] = {
        "s3:bucket",
        "s4://bucket",
        "s3://b",
        "s3://UPPER",
        "s3://bucket:80",
        "s3://bucket,other",
        "s3://user@bucket",
        "s3://bucket/folder",
        "s3://bucket?endpoint=localhost:80",
        "s3://bucket?endpoint=ftp://localhost",
        "s3://bucket?endpoint=http://localhost/path",
        "s3://bucket?style=dns",
        "s3://bucket?region=US%20EAST",
        "s3://bucket?prefix=/a",
        "s3://bucket?prefix=a/",
        "s3://bucket?prefix=a//b",
        "s3://bucket?prefix=a/../b",
        "s3://bucket?prefix=.",
        "s3://bucket?prefix=a%3Fb",
        "s3://bucket?secret=x",
        "s3://bucket?key=/tmp/key.pem",
    };
    struct comb_s3_bucket *bucket = NULL;
    struct comb_error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct comb_store_options options = {comb_str_from(bad[i]), CREDENTIALS};
        enum comb_status status = comb_s3_open(&options, &bucket, &err);

        if (status != COMB_INVALID_ARGUMENT)
            fail_msg("%s: %d", bad[i], status);
        assert_null(bucket);
    }
}

static void credentials_are_a_pair(void **state)
{
    const comb_str bad[] = {STR(""), STR("AKID"), STR(":secret"), STR("AKID:")};
    struct comb_s3_bucket *bucket = NULL;
    struct comb_error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct comb_store_options options = {STR("s3://bucket"), bad[i]};

        must_fail(COMB_INVALID_ARGUMENT, comb_s3_open(&options, &bucket, &err), &err);
        assert_null(strstr(err.msg, "AKID"));
    }
    const struct comb_store_options good = {STR("s3://bucket"), STR("AKID:a:b")};
    must_ok(comb_s3_open(&good, &bucket, &err), &err);
    comb_s3_close(bucket);
}

static void errors_mean_what_the_operator_can_do(void **state)
{
    static const struct {
        const char *answer;
        enum comb_status status;
        int reason;
        const char *text;
    } cases[] = {
        {ERROR("403 Forbidden", "InvalidAccessKeyId"), COMB_UNAVAILABLE,
         COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, "--data-credentials-file"},
        {ERROR("403 Forbidden", "SignatureDoesNotMatch"), COMB_UNAVAILABLE,
         COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, "--data-credentials-file"},
        {ERROR("403 Forbidden", "AccessDenied"), COMB_UNAVAILABLE,
         COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, "allow it"},
        {ERROR("404 Not Found", "NoSuchBucket"), COMB_UNAVAILABLE,
         COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, "bucket"},
        {ERROR("400 Bad Request", "AuthorizationHeaderMalformed"), COMB_UNAVAILABLE,
         COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, "region"},
        {ERROR("301 Moved Permanently", "PermanentRedirect"), COMB_UNAVAILABLE,
         COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, "region"},
        {ERROR("507 Insufficient Storage", "XMinioStorageFull"), COMB_RESOURCE_EXHAUSTED,
         COMB_V1_ERROR_REASON_STORE_FULL, "full"},
        {ANSWER("507 Insufficient Storage", "", ""), COMB_RESOURCE_EXHAUSTED,
         COMB_V1_ERROR_REASON_STORE_FULL, "full"},
        {ERROR("403 Forbidden", "QuotaExceeded"), COMB_RESOURCE_EXHAUSTED,
         COMB_V1_ERROR_REASON_STORE_FULL, "quota"},
        {ERROR("400 Bad Request", "EntityTooLarge"), COMB_RESOURCE_EXHAUSTED,
         COMB_V1_ERROR_REASON_TOO_LARGE, "EntityTooLarge"},
        {ERROR("400 Bad Request", "SomethingNew"), COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL,
         "SomethingNew"},
        {ANSWER("400 Bad Request", "", "<html>no xml"), COMB_INTERNAL,
         COMB_V1_ERROR_REASON_INTERNAL, "HTTP 400"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene scene;

        begin(&scene, "", (const char *const[]){cases[i].answer, NULL});
        must_fail(cases[i].status, put(&scene), &scene.call.err);
        assert_int_equal(scene.call.err.reason, cases[i].reason);
        assert_non_null(strstr(scene.call.err.msg, cases[i].text));
        /* Nothing of the answer's own text. */
        assert_null(strstr(scene.call.err.msg, "AKID"));
        assert_false(scene.call.err.ambiguous);
        end(&scene, 1);
    }
}

static void overload_is_tried_again(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, "",
          (const char *const[]){ERROR("503 Service Unavailable", "SlowDown"),
                                ANSWER("500 Internal Server Error", "", ""), OK_EMPTY, NULL});
    must_ok(put(&scene), &scene.call.err);
    end(&scene, 3);
}

static void overload_without_end_is_unavailable(void **state)
{
    static const char slow[] = ERROR("503 Slow Down", "SlowDown");
    struct scene scene;

    (void)state;
    begin(&scene, "", (const char *const[]){slow, slow, slow, slow, slow, NULL});
    must_fail(COMB_UNAVAILABLE, put(&scene), &scene.call.err);
    assert_true(scene.call.err.retryable);
    end(&scene, 5);
}

/* The signature's time is the endpoint's from then on. */
static void clock_of_the_endpoint_is_learned(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, "",
          (const char *const[]){ANSWER("403 Forbidden", "Date: Fri, 24 May 2013 00:00:00 GMT\r\n",
                                       "<Error><Code>RequestTimeTooSkewed</Code></Error>"),
                                OK_EMPTY, OK_EMPTY, NULL});
    must_ok(put(&scene), &scene.call.err);
    must_ok(put(&scene), &scene.call.err);
    end(&scene, 3);
    assert_null(strstr(scene.responder.heads[0], "x-amz-date: 20130524T"));
    assert_non_null(strstr(scene.responder.heads[1], "x-amz-date: 20130524T0000"));
    assert_non_null(strstr(scene.responder.heads[2], "x-amz-date: 20130524T0000"));
}

/* The first attempt was executed, its answer was lost: the second meets our own object. */
static void lost_answer_of_a_write_is_resolved(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, "",
          (const char *const[]){"", ERROR("412 Precondition Failed", "PreconditionFailed"),
                                HEAD_OURS, NULL});
    must_ok(put(&scene), &scene.call.err);
    end(&scene, 3);
    assert_non_null(strstr(scene.responder.heads[0], "if-none-match: *"));
    assert_non_null(strstr(scene.responder.heads[1], "if-none-match: *"));
    assert_memory_equal(scene.responder.heads[2], "HEAD ", 5);

    begin(&scene, "",
          (const char *const[]){ERROR("412 Precondition Failed", "PreconditionFailed"),
                                HEAD_FOREIGN, NULL});
    must_fail(COMB_ALREADY_EXISTS, put(&scene), &scene.call.err);
    end(&scene, 2);
}

/* A server that keeps what came before the connection broke: that is not our blob. */
static void rest_of_a_broken_write_is_replaced(void **state)
{
    static const char rest[] =
        ANSWER("200 OK", "Content-Length: 1\r\nx-amz-meta-comb-mark: " MARK "\r\n", "");
    static const char in_use[] = ERROR("412 Precondition Failed", "PreconditionFailed");
    struct scene scene;

    (void)state;
    begin(
        &scene, "",
        (const char *const[]){"", in_use, rest, ANSWER("204 No Content", "", ""), OK_EMPTY, NULL});
    must_ok(put(&scene), &scene.call.err);
    end(&scene, 5);
    assert_memory_equal(scene.responder.heads[3], "DELETE ", 7);
    assert_memory_equal(scene.responder.heads[4], "PUT ", 4);

    begin(
        &scene, "",
        (const char *const[]){in_use, rest, ANSWER("204 No Content", "", ""), in_use, rest, NULL});
    must_fail(COMB_UNAVAILABLE, put(&scene), &scene.call.err);
    end(&scene, 5);
}

static enum comb_status complete(struct scene *scene)
{
    static const char etags[2][COMB_S3_ETAG_SIZE] = {"\"aa\"", "\"b<&b\""};

    return comb_s3_end_upload(scene->bucket, &scene->call.ctx, STR("a/b"), "up+load", MARK, etags,
                              2, 3, &scene->call.err);
}

/* A Complete may fail after its 200, and one that is repeated may find that it was done. */
static void repeated_completion_is_resolved(void **state)
{
    static const char late[] = ERROR("200 OK", "InternalError");
    static const char gone[] = ERROR("404 Not Found", "NoSuchUpload");
    struct scene scene;

    (void)state;
    begin(&scene, "", (const char *const[]){late, gone, HEAD_OURS, NULL});
    must_ok(complete(&scene), &scene.call.err);
    end(&scene, 3);
    assert_non_null(strstr(scene.responder.heads[0], "?uploadId=up%2Bload "));

    begin(&scene, "",
          (const char *const[]){gone, ANSWER("404 Not Found", "", ""),
                                ERROR("404 Not Found", "NoSuchKey"), NULL});
    must_fail(COMB_ABORTED, complete(&scene), &scene.call.err);
    end(&scene, 3);
}

static void damaged_answers_are_not_taken(void **state)
{
    struct scene scene;
    char buffer[8] = "";
    size_t n = 77;

    (void)state;
    /* Cut off, and then whole. */
    begin(&scene, "",
          (const char *const[]){ANSWER("206 Partial Content", "Content-Length: 4\r\n", "ab"),
                                ANSWER("206 Partial Content", "Content-Length: 4\r\n", "abcd"),
                                NULL});
    must_ok(comb_s3_get(scene.bucket, &scene.call.ctx, STR("a"), 4, buffer, 4, &n, &scene.call.err),
            &scene.call.err);
    assert_int_equal(n, 4);
    assert_memory_equal(buffer, "abcd", 4);
    end(&scene, 2);

    /* The whole instead of a range, and more than was asked for. */
    n = 77;
    begin(&scene, "",
          (const char *const[]){ANSWER("200 OK", "Content-Length: 4\r\n", "abcd"), NULL});
    must_fail(
        COMB_UNAVAILABLE,
        comb_s3_get(scene.bucket, &scene.call.ctx, STR("a"), 4, buffer, 4, &n, &scene.call.err),
        &scene.call.err);
    end(&scene, 1);
    begin(&scene, "",
          (const char *const[]){ANSWER("206 Partial Content", "Content-Length: 6\r\n", "abcdef"),
                                NULL});
    must_fail(
        COMB_UNAVAILABLE,
        comb_s3_get(scene.bucket, &scene.call.ctx, STR("a"), 4, buffer, 4, &n, &scene.call.err),
        &scene.call.err);
    end(&scene, 1);
    assert_int_equal(n, 77);
}

static bool collect(void *data, comb_str key, uint64_t size)
{
    char *text = data;
    size_t length = strlen(text);

    snprintf(text + length, 200 - length, "%.*s:%llu ", COMB_STR_ARG(key),
             (unsigned long long)size);
    return true;
}

#define PAGE(rest)                                                                                 \
    ANSWER("200 OK", "",                                                                           \
           "<ListBucketResult><Contents><Key>p/k&amp;1</Key><Size>5</Size>"                        \
           "</Contents>" rest "</ListBucketResult>")

static void lists_go_on_by_their_token(void **state)
{
    static const char first[] =
        PAGE("<IsTruncated>true</IsTruncated><NextContinuationToken>q?x&amp;y=z</"
             "NextContinuationToken>");
    static const char last[] = PAGE("<IsTruncated>false</IsTruncated>");
    static const char endless[] = PAGE("<IsTruncated>true</IsTruncated>");
    struct scene scene;
    char keys[200] = "";

    (void)state;
    begin(&scene, "&prefix=p", (const char *const[]){first, last, NULL});
    must_ok(comb_s3_list(scene.bucket, &scene.call.ctx, STR("k"), collect, keys, &scene.call.err),
            &scene.call.err);
    assert_string_equal(keys, "k&1:5 k&1:5 ");
    end(&scene, 2);
    assert_non_null(strstr(scene.responder.heads[0], "/my-bucket/?list-type=2&prefix=p%2Fk "));
    assert_non_null(strstr(scene.responder.heads[1],
                           "?continuation-token=q%3Fx%26y%3Dz&list-type=2&prefix=p%2Fk "));

    begin(&scene, "&prefix=p", (const char *const[]){endless, NULL});
    must_fail(COMB_UNAVAILABLE,
              comb_s3_list(scene.bucket, &scene.call.ctx, STR("k"), collect, keys, &scene.call.err),
              &scene.call.err);
    end(&scene, 1);
    begin(&scene, "&prefix=p", (const char *const[]){first, first, NULL});
    must_fail(COMB_UNAVAILABLE,
              comb_s3_list(scene.bucket, &scene.call.ctx, STR("k"), collect, keys, &scene.call.err),
              &scene.call.err);
    end(&scene, 2);
}

static void buckets_go_by_path_or_by_host(void **state)
{
    struct scene scene;
    char host[64];

    (void)state;
    begin(&scene, "&style=host&prefix=p", (const char *const[]){OK_EMPTY, NULL});
    snprintf(host, sizeof host, "Host: my-bucket.localhost:%d\r\n", scene.responder.port);
    must_ok(put(&scene), &scene.call.err);
    end(&scene, 1);
    assert_memory_equal(scene.responder.heads[0], "PUT /p/a/b HTTP/1.1\r\n", 21);
    assert_non_null(strstr(scene.responder.heads[0], host));

    begin(&scene, "&style=path", (const char *const[]){OK_EMPTY, NULL});
    snprintf(host, sizeof host, "Host: localhost:%d\r\n", scene.responder.port);
    must_ok(put(&scene), &scene.call.err);
    end(&scene, 1);
    assert_memory_equal(scene.responder.heads[0], "PUT /my-bucket/a/b HTTP/1.1\r\n", 29);
    assert_non_null(strstr(scene.responder.heads[0], host));
    /* SHA-256 of "abc" */
    assert_non_null(strstr(scene.responder.heads[0],
                           "x-amz-content-sha256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9c"
                           "b410ff61f20015ad\r\n"));
    assert_null(strstr(scene.responder.heads[0], "top/secret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_that_cannot_be_meant_are_refused),
        cmocka_unit_test(credentials_are_a_pair),
        cmocka_unit_test(errors_mean_what_the_operator_can_do),
        cmocka_unit_test(overload_is_tried_again),
        cmocka_unit_test(overload_without_end_is_unavailable),
        cmocka_unit_test(clock_of_the_endpoint_is_learned),
        cmocka_unit_test(lost_answer_of_a_write_is_resolved),
        cmocka_unit_test(rest_of_a_broken_write_is_replaced),
        cmocka_unit_test(repeated_completion_is_resolved),
        cmocka_unit_test(damaged_answers_are_not_taken),
        cmocka_unit_test(lists_go_on_by_their_token),
        cmocka_unit_test(buckets_go_by_path_or_by_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
