/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/buf.h"

#include "server/core/memory.h"
#include "tests/support/support.h"

static void it_grows_to_its_maximum_and_no_further(void **state)
{
    (void)state;
    struct comb_buf buf;
    comb_buf_init(&buf, 1000);
    for (int i = 0; i < 100; i++)
        assert_true(comb_buf_append(&buf, "0123456789", 10));
    assert_int_equal(buf.len, 1000);
    assert_false(comb_buf_append_char(&buf, 'x'));
    assert_true(buf.failed);
    assert_int_equal(buf.len, 1000);
    comb_buf_clear(&buf);
    assert_true(comb_buf_printf(&buf, "%s-%d", "a", 7));
    assert_string_equal(buf.data, "a-7");
    comb_buf_done(&buf);
    assert_null(buf.data);
}

static void without_a_maximum_it_grows_by_doubling(void **state)
{
    (void)state;
    struct comb_buf buf;
    comb_buf_init(&buf, SIZE_MAX);
    for (int i = 0; i < 1000; i++)
        assert_true(comb_buf_append_char(&buf, 'x'));
    assert_int_equal(buf.capacity, 1024);
    comb_buf_done(&buf);
}

static void a_failure_stays_until_cleared(void **state)
{
    (void)state;
    struct comb_buf buf;
    comb_buf_init(&buf, 4);
    assert_true(comb_buf_append_str(&buf, STR("ab")));
    assert_false(comb_buf_printf(&buf, "%s", "cde"));
    assert_false(comb_buf_append_char(&buf, 'c'));
    assert_true(comb_str_equal(comb_buf_str(&buf), STR("ab")));
    comb_buf_clear(&buf);
    assert_true(comb_buf_append_str(&buf, STR("cdef")));
    comb_buf_done_secret(&buf);
}

static void taken_bytes_belong_to_the_taker(void **state)
{
    (void)state;
    struct comb_buf buf;
    comb_buf_init(&buf, 100);
    assert_null(comb_buf_take(&buf));
    comb_buf_append_str(&buf, STR("mine"));
    char *text = comb_buf_take(&buf);
    assert_string_equal(text, "mine");
    assert_int_equal(buf.len, 0);
    comb_buf_append_str(&buf, STR("next"));
    comb_buf_done(&buf);
    comb_memory_free(text);
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    struct comb_buf buf;
    comb_buf_init(&buf, 1000);
    comb_buf_append_str(&buf, STR("kept"));
    test_fault_arm(1);
    char long_text[200] = {0};
    assert_false(comb_buf_append(&buf, long_text, sizeof long_text));
    assert_true(test_fault_disarm());
    assert_string_equal(buf.data, "kept");
    comb_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_to_its_maximum_and_no_further),
        cmocka_unit_test(without_a_maximum_it_grows_by_doubling),
        cmocka_unit_test(a_failure_stays_until_cleared),
        cmocka_unit_test(taken_bytes_belong_to_the_taker),
        cmocka_unit_test(without_memory_nothing_changes),
    };
    test_fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
