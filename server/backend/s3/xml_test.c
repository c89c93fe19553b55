/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/s3/xml.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/support.h"

struct seen {
    char text[4096];
    size_t calls, calls_max;
};

static bool note(void *data, const char *path, comb_str text)
{
    struct seen *seen = data;
    size_t length = strlen(seen->text);

    snprintf(seen->text + length, sizeof seen->text - length, "%s=%.*s\n", path,
             COMB_STR_ARG(text));
    return ++seen->calls < seen->calls_max;
}

static void leaves_come_unescaped(void **state)
{
    struct seen seen = {.calls_max = 100};
    struct comb_error err;

    (void)state;
    must_ok(
        comb_s3_xml_parse(STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                              "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                              "<IsTruncated>true</IsTruncated><Contents><Key>q?x&amp;y=z</Key>"
                              "<ETag>&#34;ab-2&#34;</ETag></Contents>"
                              "<NextContinuationToken>a&lt;b\xc3\xa9</NextContinuationToken>"
                              "<Empty/></ListBucketResult>"),
                          note, &seen, &err),
        &err);
    assert_string_equal(seen.text, "ListBucketResult/IsTruncated=true\n"
                                   "ListBucketResult/Contents/Key=q?x&y=z\n"
                                   "ListBucketResult/Contents/ETag=\"ab-2\"\n"
                                   "ListBucketResult/Contents=\n"
                                   "ListBucketResult/NextContinuationToken=a<b\xc3\xa9\n"
                                   "ListBucketResult/Empty=\n"
                                   "ListBucketResult=\n");
}

static void walk_ends_when_told(void **state)
{
    struct seen seen = {.calls_max = 2};
    struct comb_error err;

    (void)state;
    must_ok(comb_s3_xml_parse(STR("<a><b>1</b><b>2</b><b>3</b></a>"), note, &seen, &err), &err);
    assert_string_equal(seen.text, "a/b=1\na/b=2\n");
}

static void what_s3_does_not_send_is_refused(void **state)
{
    const comb_str bad[] = {
        STR(""),
        STR("not found"),
        STR("<html><p></html>"),
        STR("<a>"),
        STR("<a></a><b></b>"),
        STR("<!DOCTYPE a [<!ENTITY x \"y\"><!ENTITY z \"&x;&x;\">]><a>&z;</a>"),
        STR("<a><b><c><d><e><f><g><h><i/></h></g></f></e></d></c></b></a>"),
        STR("<a>\xff\xfe</a>"),
    };
    struct comb_error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct seen seen = {.calls_max = 100};
        must_fail(COMB_UNAVAILABLE, comb_s3_xml_parse(bad[i], note, &seen, &err), &err);
    }
}

static void long_leaves_are_refused(void **state)
{
    static const char open[] = "<a><b>", close[] = "</b></a>";
    char *text = malloc(2 * COMB_S3_XML_TEXT_MAX);
    struct comb_error err;

    (void)state;
    assert_non_null(text);
    for (size_t extra = 0; extra < 2; extra++) {
        struct seen seen = {.calls_max = 100};
        size_t n = COMB_S3_XML_TEXT_MAX + extra, length = 0;
        enum comb_status status;

        memcpy(text, open, sizeof open - 1);
        length += sizeof open - 1;
        memset(text + length, 'x', n);
        length += n;
        memcpy(text + length, close, sizeof close - 1);
        length += sizeof close - 1;
        status = comb_s3_xml_parse(comb_str_of(text, length), note, &seen, &err);
        assert_int_equal(status, extra == 0 ? COMB_OK : COMB_UNAVAILABLE);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_come_unescaped),
        cmocka_unit_test(walk_ends_when_told),
        cmocka_unit_test(what_s3_does_not_send_is_refused),
        cmocka_unit_test(long_leaves_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
