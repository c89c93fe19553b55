/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "grpcc/values.h"

static void values_are_put_and_found(void **state)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct google_protobuf_struct *object = google_protobuf_struct_new(arena), *back = NULL;
    size_t size = 0;

    (void)state;
    assert_true(
        google_protobuf_struct_put_fields(arena, object, "text", grpcc_value_new_text(arena, "t")));
    assert_true(google_protobuf_struct_put_fields(arena, object, "number",
                                                  grpcc_value_new_number(arena, 0)));
    assert_true(
        google_protobuf_struct_put_fields(arena, object, "yes", grpcc_value_new_bool(arena, true)));
    assert_true(
        google_protobuf_struct_put_fields(arena, object, "null", grpcc_value_new_null(arena)));
    const void *data = google_protobuf_struct_pack(arena, object, &size);
    assert_int_equal(GRPCC_OK, google_protobuf_struct_unpack(arena, NULL, data, size, &back, NULL));
    assert_string_equal(grpcc_value_text(grpcc_struct_get(back, "text"), "none"), "t");
    assert_true(grpcc_value_number(grpcc_struct_get(back, "number"), 7) == 0);
    assert_true(grpcc_value_bool(grpcc_struct_get(back, "yes"), false));
    assert_true(google_protobuf_value_has_null_value(grpcc_struct_get(back, "null")));
    /* Another kind, and none. */
    assert_string_equal(grpcc_value_text(grpcc_struct_get(back, "yes"), "none"), "none");
    assert_true(grpcc_value_number(grpcc_struct_get(back, "absent"), 7) == 7);
    assert_string_equal(grpcc_string_value_new(arena, "s")->value, "s");
    assert_int_equal(grpcc_int64_value_new(arena, -1)->value, -1);
    assert_true(grpcc_bool_value_new(arena, true)->value);
    grpcc_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_put_and_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
