/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "grpcc/arena.h"
#include "server/core/clock.h"

#define END_OF_9999_S INT64_C(253402300799)

static int setup(void **state)
{
    *state = grpcc_arena_new(1 << 16);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    grpcc_arena_free(*state);
    return 0;
}

static void times_come_back_as_they_went(void **state)
{
    static const int64_t times[] = {
        0, 1, 999999, 1000000, 1732356000123456, END_OF_9999_S * COMB_US_PER_S + 999999};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        const struct google_protobuf_timestamp *message = comb_timestamp_new(*state, times[i]);
        int64_t us = -1;
        assert_non_null(message);
        assert_true(comb_timestamp_read(message, &us));
        assert_int_equal(us, times[i]);
    }
}

static void no_message_is_no_time(void **state)
{
    int64_t us = -1;
    (void)state;
    assert_true(comb_timestamp_read(NULL, &us));
    assert_int_equal(us, 0);
}

static void what_is_no_time_is_refused(void **state)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
    } bad[] = {{-1, 0},        {0, -1},       {0, 1000000000}, {END_OF_9999_S + 1, 0},
               {INT64_MAX, 0}, {INT64_MIN, 0}};
    struct google_protobuf_timestamp *message = comb_timestamp_new(*state, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t us;
        message->seconds = bad[i].seconds;
        message->nanos = bad[i].nanos;
        assert_false(comb_timestamp_read(message, &us));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_come_back_as_they_went),
        cmocka_unit_test(no_message_is_no_time),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
