/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/s3/sigv4.h"

#include "tests/support/support.h"

/* The requests whose signatures S3's documentation publishes: made on the midnight of 2013-05-24
 * with this pair of keys. */
static struct comb_s3_signer example(void)
{
    return (struct comb_s3_signer){
        STR("AKIAIOSFODNN7EXAMPLE"),
        STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        STR("us-east-1"),
    };
}
#define MIDNIGHT_US (1369353600LL * 1000000)
#define HOST STR("examplebucket.s3.amazonaws.com")
#define EMPTY STR("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

static void published_requests_have_their_signatures(void **state)
{
    const struct comb_s3_pair range[] = {{STR("range"), STR("bytes=0-9")}};
    const struct comb_s3_pair put[] = {
        {STR("x-amz-storage-class"), STR("REDUCED_REDUNDANCY")},
        {STR("date"), STR("Fri, 24 May 2013 00:00:00 GMT")},
    };
    const struct comb_s3_pair lifecycle[] = {{STR("lifecycle"), STR("")}};
    const struct comb_s3_pair list[] = {{STR("prefix"), STR("J")}, {STR("max-keys"), STR("2")}};
    const struct {
        struct comb_s3_signed what;
        const char *signature;
    } cases[] = {
        {{"GET", HOST, STR("/test.txt"), NULL, 0, range, 1, EMPTY, MIDNIGHT_US},
         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
        {{"PUT", HOST, STR("/test%24file.text"), NULL, 0, put, 2,
          STR("44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"), MIDNIGHT_US},
         "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
        {{"GET", HOST, STR("/"), lifecycle, 1, NULL, 0, EMPTY, MIDNIGHT_US},
         "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
        {{"GET", HOST, STR("/"), list, 2, NULL, 0, EMPTY, MIDNIGHT_US},
         "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    };

    const struct comb_s3_signer signer = example();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char time[COMB_S3_TIME_SIZE];
        struct comb_error err;
        struct comb_buf value;

        comb_buf_init(&value, 4096);
        must_ok(comb_s3_authorize(&signer, &cases[i].what, time, &value, &err), &err);
        assert_string_equal(time, "20130524T000000Z");
        assert_non_null(strstr(value.data, cases[i].signature));
        assert_non_null(
            strstr(value.data, "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"));
        assert_null(strstr(value.data, "wJalr"));
        comb_buf_done(&value);
    }
}

static void published_url_has_its_signature(void **state)
{
    const struct comb_s3_signed what = {
        .method = "GET", .host = HOST, .path = STR("/test.txt"), .time_us = MIDNIGHT_US};
    const struct comb_s3_signer signer = example();
    struct comb_error err;
    struct comb_buf query;

    (void)state;
    comb_buf_init(&query, 4096);
    must_ok(comb_s3_presign(&signer, &what, 86400, &query, &err), &err);
    assert_string_equal(query.data,
                        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F"
                        "20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&"
                        "X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
                        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    comb_buf_done(&query);
}

static void lifetimes_have_bounds(void **state)
{
    const struct comb_s3_signed what = {
        .method = "GET", .host = HOST, .path = STR("/a"), .time_us = MIDNIGHT_US};
    static const unsigned bad[] = {0, COMB_S3_PRESIGN_S_MAX + 1};
    const struct comb_s3_signer signer = example();
    struct comb_error err;
    struct comb_buf query;

    (void)state;
    comb_buf_init(&query, 4096);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        must_fail(COMB_INVALID_ARGUMENT, comb_s3_presign(&signer, &what, bad[i], &query, &err),
                  &err);
    assert_int_equal(query.len, 0);
    comb_buf_done(&query);
}

static void names_and_values_are_encoded_and_sorted(void **state)
{
    const struct comb_s3_pair query[] = {
        {STR("uploads"), STR("")},
        {STR("prefix"), STR("a b+c/d=e&f~\xc3\xa9")},
        {STR("continuation-token"), STR("q?x&y=z")},
    };
    struct comb_error err;
    struct comb_buf buf;

    (void)state;
    comb_buf_init(&buf, 4096);
    must_ok(comb_s3_append_query(&buf, query, 3, &err), &err);
    assert_string_equal(
        buf.data, "continuation-token=q%3Fx%26y%3Dz&prefix=a%20b%2Bc%2Fd%3De%26f~%C3%A9&uploads=");
    comb_buf_clear(&buf);
    assert_true(comb_s3_encode(&buf, STR("/bucket/p (1)*!:@/\xe6\x97\xa5"), true));
    assert_string_equal(buf.data, "/bucket/p%20%281%29%2A%21%3A%40/%E6%97%A5");
    comb_buf_done(&buf);
}

static void too_much_is_refused(void **state)
{
    struct comb_s3_pair query[COMB_S3_PAIRS_MAX + 1];
    struct comb_error err;
    struct comb_buf buf;

    (void)state;
    for (size_t i = 0; i < COMB_S3_PAIRS_MAX + 1; i++)
        query[i] = (struct comb_s3_pair){STR("a"), STR("b")};
    comb_buf_init(&buf, 4096);
    must_fail(COMB_INVALID_ARGUMENT, comb_s3_append_query(&buf, query, COMB_S3_PAIRS_MAX + 1, &err),
              &err);
    must_ok(comb_s3_append_query(&buf, query, COMB_S3_PAIRS_MAX, &err), &err);
    comb_buf_done(&buf);
    comb_buf_init(&buf, 10);
    must_fail(COMB_RESOURCE_EXHAUSTED, comb_s3_append_query(&buf, query, COMB_S3_PAIRS_MAX, &err),
              &err);
    comb_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_requests_have_their_signatures),
        cmocka_unit_test(published_url_has_its_signature),
        cmocka_unit_test(lifetimes_have_bounds),
        cmocka_unit_test(names_and_values_are_encoded_and_sorted),
        cmocka_unit_test(too_much_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
