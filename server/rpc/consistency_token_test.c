/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "comb/v1/errors.grpcc.h"
#include "server/rpc/consistency_token.h"

#define HERE 0xfeedULL

static struct comb_position position;
static bool foreign;
static struct comb_error err;

static enum comb_status parse(const char *header)
{
    position = (struct comb_position){99, 99};
    return comb_consistency_token_parse(comb_str_from(header), HERE, &position, &foreign, &err);
}

static void text_comes_back(void **state)
{
    static const uint64_t sequences[] = {0, 1, 255, 1ULL << 40, UINT64_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof sequences / sizeof sequences[0]; i++) {
        char text[COMB_TOKEN_TEXT_MAX];
        struct comb_position given = {HERE, sequences[i]};
        size_t length = comb_consistency_token_format(given, text);
        assert_true(length < COMB_TOKEN_TEXT_MAX);
        assert_int_equal(parse(text), COMB_OK);
        assert_true(position.sequence == sequences[i] && position.incarnation == HERE);
        assert_false(foreign);
    }
}

static void newest_of_several_counts(void **state)
{
    (void)state;
    assert_int_equal(parse("1-feed-5,1-feed-1f,1-feed-7"), COMB_OK);
    assert_int_equal(position.sequence, 0x1f);
    assert_int_equal(parse(""), COMB_OK);
    assert_int_equal(position.sequence, 0);
}

static void other_history_is_noticed(void **state)
{
    (void)state;
    assert_int_equal(parse("1-beef-ff,1-feed-2"), COMB_OK);
    assert_true(foreign);
    assert_int_equal(position.sequence, 2);
}

static void anything_else_is_refused(void **state)
{
    static const char *const wrong[] = {
        "x",
        "1-",
        "1-feed",
        "1-feed-",
        "2-feed-1",
        "1-FEED-1",
        "1-feed-1 ",
        "1--1",
        "1-feed-1,,1-feed-2",
        "1-feed-g",
        "1-feed-1-1",
        "-1-feed-1",
        "1-11112222333344445-1",
        "1-feed-1,1-feed-1,1-feed-1,1-feed-1,1-feed-1,1-feed-1,1-feed-1,1-feed-1,1-feed-1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        print_message("%s\n", wrong[i]);
        assert_int_equal(parse(wrong[i]), COMB_INVALID_ARGUMENT);
        assert_int_equal(err.reason, COMB_V1_ERROR_REASON_TOKEN_HEADER_INVALID);
        assert_int_equal(position.sequence, 99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_comes_back),
        cmocka_unit_test(newest_of_several_counts),
        cmocka_unit_test(other_history_is_noticed),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
