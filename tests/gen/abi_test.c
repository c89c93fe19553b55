/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This program is compiled with the headers of abi/before and linked with the objects of abi/after,
 * as a program is that meets a newer libcomb: messages are larger than it knows, and what it does
 * not know must survive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "abi/thing.grpcc.h"

static int make_arena(void **state)
{
    *state = grpcc_arena_new(0);
    return *state ? 0 : -1;
}

static int free_arena(void **state)
{
    grpcc_arena_free(*state);
    return 0;
}

static void the_library_is_newer(void **state)
{
    (void)state;
    assert_true(abi_thing_descriptor.sizeof_message > sizeof(struct abi_thing));
    assert_int_equal(abi_thing_descriptor.n_fields, 9);
}

static void what_the_program_knows_works(void **state)
{
    struct abi_thing *thing = abi_thing_new(*state), *back = NULL;
    size_t size = 0;
    void *data;

    abi_thing_set_name(thing, "n");
    abi_thing_set_right(thing, "r");
    abi_thing_set_size(thing, 0);
    for (int i = 0; i < 9; i++)
        assert_true(abi_thing_add_parts(*state, thing, abi_thing_new(*state)));
    data = abi_thing_pack(*state, thing, &size);
    assert_int_equal(GRPCC_OK, abi_thing_unpack(*state, NULL, data, size, &back, NULL));
    assert_string_equal(back->name, "n");
    assert_int_equal(back->which_case, ABI_THING_WHICH_RIGHT);
    assert_string_equal(back->right, "r");
    assert_true(back->has_size);
    assert_int_equal(back->n_parts, 9);
    assert_string_equal(back->parts[8]->name, "");
}

static void what_it_does_not_know_survives(void **state)
{
    static const uint8_t data[] = {0x0a, 1, 'l', 0x12, 1, 'n', 0x1a, 2, 8, 2, 0x48, 7};
    struct abi_thing *thing = NULL;
    size_t size = 0;
    void *again;

    assert_int_equal(GRPCC_OK, abi_thing_unpack(*state, NULL, data, sizeof(data), &thing, NULL));
    assert_string_equal(thing->name, "n");
    thing = abi_thing_dup(*state, thing);
    again = abi_thing_pack(*state, thing, &size);
    assert_int_equal(size, sizeof(data));
    assert_memory_equal(again, data, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_library_is_newer),
        cmocka_unit_test(what_the_program_knows_works),
        cmocka_unit_test(what_it_does_not_know_survives),
    };

    return cmocka_run_group_tests(tests, make_arena, free_arena);
}
