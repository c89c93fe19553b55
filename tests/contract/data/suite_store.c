/* SPDX-License-Identifier: Apache-2.0 */
#include <curl/curl.h>
#include <stdlib.h>

#include "tests/contract/data/fixture.h"
#include "tests/contract/data/suite.h"

static void check_leaves_nothing(void **state)
{
    struct fixture *f = *state;

    must_ok(comb_blobs_check(f->blobs, &f->call.ctx, &f->call.err), &f->call.err);
    assert_int_equal(fixture_count(f, STR(""), NULL), 0);
}

static void status_says_how_the_store_is(void **state)
{
    struct fixture *f = *state;
    struct comb_store_status status;

    must_ok(comb_blobs_check(f->blobs, &f->call.ctx, &f->call.err), &f->call.err);
    comb_blobs_status(f->blobs, &status);
    assert_string_equal(status.driver, f->blobs->driver->name);
    assert_int_equal(status.state, COMB_STORE_UP);
    assert_true(status.since_us > 0);
    assert_string_equal(status.error, "");
    assert_int_equal(status.shared, (f->blobs->driver->caps & COMB_BLOB_CAP_SHARED) != 0);
}

/* ---- presigned URLs ---- */

struct body {
    char bytes[4096];
    size_t length;
};

static size_t take(char *bytes, size_t size, size_t n, void *data)
{
    struct body *body = data;

    if (size * n > sizeof body->bytes - body->length)
        return 0;
    memcpy(body->bytes + body->length, bytes, size * n);
    body->length += size * n;
    return size * n;
}

/* The HTTP status of a request by somebody who knows nothing but the URL. */
static long fetch(const char *method, const char *url, struct body *ret_body)
{
    CURL *curl = curl_easy_init();
    long code = 0;

    assert_non_null(curl);
    ret_body->length = 0;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret_body);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_cleanup(curl);
    return code;
}

static void presigned_url_reads_that_blob_only(void **state)
{
    struct fixture *f = *state;
    char text[COMB_BLOB_KEY_MAX], other_text[COMB_BLOB_KEY_MAX], expected[1000];
    comb_str key = fixture_new_key(f, text), other = fixture_new_key(f, other_text);
    const char *url = NULL;
    struct body body;
    char *tampered, *place;

    fixture_put(f, key, sizeof expected, sizeof expected);
    fixture_put(f, other, sizeof expected, sizeof expected);
    must_ok(
        comb_blob_presign(f->blobs, &f->call.ctx, key, COMB_BLOB_PRESIGN_S_MAX, &url, &f->call.err),
        &f->call.err);
    assert_int_equal(fetch("GET", url, &body), 200);
    fixture_fill(key, 0, expected, sizeof expected);
    assert_int_equal(body.length, sizeof expected);
    assert_memory_equal(body.bytes, expected, sizeof expected);

    assert_int_equal(fetch("DELETE", url, &body), 403);
    tampered = strdup(url);
    assert_non_null(tampered);
    place = strstr(tampered, text);
    assert_non_null(place);
    memcpy(place, other_text, COMB_BLOB_KEY_LENGTH);
    assert_int_equal(fetch("GET", tampered, &body), 403);
    free(tampered);
    fixture_must_have(f, key, sizeof expected);
}

static void presigned_url_has_bounds(void **state)
{
    struct fixture *f = *state;
    static const unsigned bad[] = {0, COMB_BLOB_PRESIGN_S_MAX + 1};
    char text[COMB_BLOB_KEY_MAX];
    comb_str key = fixture_new_key(f, text);
    const char *url = NULL;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        must_fail(COMB_INVALID_ARGUMENT,
                  comb_blob_presign(f->blobs, &f->call.ctx, key, bad[i], &url, &f->call.err),
                  &f->call.err);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_blob_presign(f->blobs, &f->call.ctx, STR("../a"), 1, &url, &f->call.err),
              &f->call.err);
    assert_null(url);
}

static void store_without_urls_says_so(void **state)
{
    struct fixture *f = *state;
    char text[COMB_BLOB_KEY_MAX];
    const char *url = NULL;

    must_fail(
        COMB_UNIMPLEMENTED,
        comb_blob_presign(f->blobs, &f->call.ctx, fixture_new_key(f, text), 1, &url, &f->call.err),
        &f->call.err);
    assert_null(url);
}

int suite_store(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(check_leaves_nothing, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(status_says_how_the_store_is, fixture_setup,
                                        fixture_teardown),
    };
    const struct CMUnitTest with_urls[] = {
        cmocka_unit_test_setup_teardown(presigned_url_reads_that_blob_only, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(presigned_url_has_bounds, fixture_setup, fixture_teardown),
    };
    const struct CMUnitTest without_urls[] = {
        cmocka_unit_test_setup_teardown(store_without_urls_says_so, fixture_setup,
                                        fixture_teardown),
    };
    int failed = cmocka_run_group_tests_name("store", tests, NULL, NULL);

    if (fixture_caps() & COMB_BLOB_CAP_PRESIGN)
        return failed + cmocka_run_group_tests_name("presigned", with_urls, NULL, NULL);
    return failed + cmocka_run_group_tests_name("not presigned", without_urls, NULL, NULL);
}
