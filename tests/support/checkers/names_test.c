/* SPDX-License-Identifier: Apache-2.0 */
/* The checker of names finds what is wrong, and nothing in what is right. */
#include "tests/support/checkers/names.h"

#include "tests/support/cmocka.h"

#define CHECK(...)                                                                                 \
    names_check((const struct names_op[]){__VA_ARGS__},                                            \
                sizeof((const struct names_op[]){__VA_ARGS__}) / sizeof(struct names_op))

static void what_follows_is_linearizable(void **state)
{
    (void)state;
    assert_int_equal(
        CHECK({NAMES_LOOK, 0, 0, NAMES_MISSING, 0, 0, 1}, {NAMES_CREATE, 0, 0, NAMES_DONE, 1, 2, 3},
              {NAMES_CREATE, 0, 0, NAMES_TAKEN, 0, 4, 5}, {NAMES_MOVE, 0, 1, NAMES_DONE, 1, 6, 7},
              {NAMES_LOOK, 0, 0, NAMES_MISSING, 0, 8, 9}, {NAMES_LOOK, 1, 0, NAMES_DONE, 1, 10, 11},
              {NAMES_CREATE, 0, 0, NAMES_DONE, 2, 12, 13},
              {NAMES_MOVE, 0, 1, NAMES_TAKEN, 0, 14, 15},
              {NAMES_REMOVE, 1, 0, NAMES_DONE, 0, 16, 17},
              {NAMES_REMOVE, 1, 0, NAMES_MISSING, 0, 18, 19}),
        NAMES_LINEARIZABLE);
}

static void overlapping_operations_go_either_way(void **state)
{
    (void)state;
    assert_int_equal(CHECK({NAMES_CREATE, 0, 0, NAMES_DONE, 1, 0, 10},
                           {NAMES_LOOK, 0, 0, NAMES_MISSING, 0, 2, 3},
                           {NAMES_LOOK, 0, 0, NAMES_DONE, 1, 4, 5}),
                     NAMES_LINEARIZABLE);
    assert_int_equal(CHECK({NAMES_CREATE, 0, 0, NAMES_TAKEN, 0, 0, 10},
                           {NAMES_CREATE, 0, 0, NAMES_DONE, 1, 0, 10}),
                     NAMES_LINEARIZABLE);
}

static void a_stale_read_is_found(void **state)
{
    (void)state;
    assert_int_equal(CHECK({NAMES_CREATE, 0, 0, NAMES_DONE, 1, 0, 1},
                           {NAMES_LOOK, 0, 0, NAMES_MISSING, 0, 2, 3}),
                     NAMES_NOT_LINEARIZABLE);
    /* Of two reads in a row the later one sees the older names. */
    assert_int_equal(CHECK({NAMES_CREATE, 0, 0, NAMES_DONE, 1, 0, 10},
                           {NAMES_LOOK, 0, 0, NAMES_DONE, 1, 2, 3},
                           {NAMES_LOOK, 0, 0, NAMES_MISSING, 0, 4, 5}),
                     NAMES_NOT_LINEARIZABLE);
}

static void two_of_one_name_are_found(void **state)
{
    (void)state;
    assert_int_equal(CHECK({NAMES_CREATE, 0, 0, NAMES_DONE, 1, 0, 10},
                           {NAMES_CREATE, 0, 0, NAMES_DONE, 2, 0, 10}),
                     NAMES_NOT_LINEARIZABLE);
    assert_int_equal(CHECK({NAMES_CREATE, 0, 0, NAMES_DONE, 1, 0, 1},
                           {NAMES_CREATE, 1, 0, NAMES_DONE, 2, 0, 1},
                           {NAMES_MOVE, 0, 1, NAMES_DONE, 1, 2, 3}),
                     NAMES_NOT_LINEARIZABLE);
}

static void a_torn_move_is_found(void **state)
{
    (void)state;
    /* While it moves it is seen under both names, the new one first. */
    assert_int_equal(
        CHECK({NAMES_CREATE, 0, 0, NAMES_DONE, 1, 0, 1}, {NAMES_MOVE, 0, 1, NAMES_DONE, 1, 2, 20},
              {NAMES_LOOK, 1, 0, NAMES_DONE, 1, 4, 5}, {NAMES_LOOK, 0, 0, NAMES_DONE, 1, 6, 7}),
        NAMES_NOT_LINEARIZABLE);
    /* Under neither. */
    assert_int_equal(CHECK({NAMES_CREATE, 0, 0, NAMES_DONE, 1, 0, 1},
                           {NAMES_MOVE, 0, 1, NAMES_DONE, 1, 2, 20},
                           {NAMES_LOOK, 0, 0, NAMES_MISSING, 0, 4, 5},
                           {NAMES_LOOK, 1, 0, NAMES_MISSING, 0, 6, 7}),
                     NAMES_NOT_LINEARIZABLE);
}

static void a_lost_removal_is_found(void **state)
{
    (void)state;
    assert_int_equal(CHECK({NAMES_CREATE, 0, 0, NAMES_DONE, 1, 0, 1},
                           {NAMES_REMOVE, 0, 0, NAMES_DONE, 0, 2, 3},
                           {NAMES_LOOK, 0, 0, NAMES_DONE, 1, 4, 5}),
                     NAMES_NOT_LINEARIZABLE);
    assert_int_equal(CHECK({NAMES_CREATE, 0, 0, NAMES_DONE, 1, 0, 1},
                           {NAMES_REMOVE, 0, 0, NAMES_DONE, 0, 2, 9},
                           {NAMES_REMOVE, 0, 0, NAMES_DONE, 0, 2, 9}),
                     NAMES_NOT_LINEARIZABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_follows_is_linearizable),
        cmocka_unit_test(overlapping_operations_go_either_way),
        cmocka_unit_test(a_stale_read_is_found),
        cmocka_unit_test(two_of_one_name_are_found),
        cmocka_unit_test(a_torn_move_is_found),
        cmocka_unit_test(a_lost_removal_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
