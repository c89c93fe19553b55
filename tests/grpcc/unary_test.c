/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "tests/grpcc/fixture.h"

static void a_call_is_answered(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_answer *answer = must_end(f, GRPCC_OK, ask(f, "hello"), NULL);
    assert_string_equal(answer->text, "hello");
}

static void calls_follow_each_other(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 500; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        assert_string_equal(must_end(f, GRPCC_OK, ask(f, text), NULL)->text, text);
        grpcc_arena_reset(f->arena);
    }
}

static void a_failure_carries_code_and_message(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_ask *request = ask(f, "no \xc3\xa4");
    request->status = GRPCC_NOT_FOUND;
    must_end(f, GRPCC_NOT_FOUND, request, NULL);
    assert_string_equal(f->err.message, "as asked: no \xc3\xa4");
    assert_int_equal(f->err.pushback_ms, -1);
    assert_null(f->err.details);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_answered),
        cmocka_unit_test(calls_follow_each_other),
        cmocka_unit_test(a_failure_carries_code_and_message),
    };
    return cmocka_run_group_tests(tests, fixture_echo, fixture_free);
}
