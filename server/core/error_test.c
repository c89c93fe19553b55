/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/error.h"

#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "tests/support/support.h"

static void set_resets_what_was_there(void **state)
{
    (void)state;
    struct comb_error err = {.retryable = true, .ambiguous = true, .native = 5, .subject = "x"};
    assert_int_equal(comb_error_set(&err, COMB_NOT_FOUND, 60, "no %s", "node"), COMB_NOT_FOUND);
    assert_int_equal(err.status, COMB_NOT_FOUND);
    assert_int_equal(err.reason, 60);
    assert_string_equal(err.msg, "no node");
    assert_string_equal(err.subject, "");
    assert_false(err.retryable || err.ambiguous);
    assert_int_equal(err.native, 0);
}

static void an_error_may_quote_itself(void **state)
{
    (void)state;
    struct comb_error err;
    comb_error_set(&err, COMB_INTERNAL, 0, "inner");
    comb_error_set(&err, COMB_INTERNAL, 0, "outer: %s", err.msg);
    assert_string_equal(err.msg, "outer: inner");
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    struct comb_error err;
    char text[1000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    comb_error_set_subject(&err, COMB_INTERNAL, 0, text, "%s", text);
    assert_int_equal(strlen(err.msg), COMB_ERROR_MESSAGE_MAX - 1);
    assert_int_equal(strlen(err.subject), COMB_ERROR_SUBJECT_MAX - 1);
}

static void nobody_has_to_listen(void **state)
{
    (void)state;
    assert_int_equal(comb_error_set(NULL, COMB_ABORTED, 0, "x"), COMB_ABORTED);
    assert_int_equal(comb_error_field(NULL, "f", "x"), COMB_INVALID_ARGUMENT);
    assert_int_equal(comb_error_no_memory(NULL), COMB_RESOURCE_EXHAUSTED);
}

static void a_field_error_names_the_field(void **state)
{
    (void)state;
    struct comb_error err;
    comb_error_field(&err, "target.path", "must begin with /");
    assert_string_equal(err.subject, "target.path");
    assert_int_equal(err.reason, COMB_V1_ERROR_REASON_FIELD_INVALID);
}

static void every_status_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(comb_status_name(COMB_OK), "OK");
    assert_string_equal(comb_status_name(COMB_UNAUTHENTICATED), "UNAUTHENTICATED");
    assert_string_equal(comb_status_name((enum comb_status)99), "UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_resets_what_was_there),
        cmocka_unit_test(an_error_may_quote_itself),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(nobody_has_to_listen),
        cmocka_unit_test(a_field_error_names_the_field),
        cmocka_unit_test(every_status_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
