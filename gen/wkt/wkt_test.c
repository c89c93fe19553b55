/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "grpcc/wkt.h"

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

static void timestamp_keeps_its_range(void **state)
{
    static const struct timespec good[] = {
        {0, 0},
        {-1, 999999999},
        {GRPCC_TIMESTAMP_SECONDS_MIN, 0},
        {GRPCC_TIMESTAMP_SECONDS_MAX, 999999999},
    };
    static const struct timespec bad[] = {
        {GRPCC_TIMESTAMP_SECONDS_MIN - 1, 0},
        {GRPCC_TIMESTAMP_SECONDS_MAX + 1, 0},
        {0, -1},
        {0, 1000000000},
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct google_protobuf_timestamp *timestamp = grpcc_timestamp_new(*state, &good[i]);
        struct timespec back = {0};

        assert_non_null(timestamp);
        assert_true(grpcc_timestamp_to_timespec(timestamp, &back));
        assert_int_equal(back.tv_sec, good[i].tv_sec);
        assert_int_equal(back.tv_nsec, good[i].tv_nsec);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct google_protobuf_timestamp *timestamp = google_protobuf_timestamp_new(*state);
        struct timespec back = {4711, 12};

        assert_null(grpcc_timestamp_new(*state, &bad[i]));
        timestamp->seconds = bad[i].tv_sec;
        timestamp->nanos = (int32_t)bad[i].tv_nsec;
        assert_false(grpcc_timestamp_to_timespec(timestamp, &back));
        assert_int_equal(back.tv_sec, 4711);
    }
}

static void duration_has_one_sign(void **state)
{
    static const int64_t values[] = {
        0,
        1,
        -1,
        1500,
        -1500,
        GRPCC_DURATION_SECONDS_MAX * 1000,
        -GRPCC_DURATION_SECONDS_MAX * 1000,
    };
    struct google_protobuf_duration *duration;
    int64_t ms = 0;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        duration = grpcc_duration_new_ms(*state, values[i]);
        assert_non_null(duration);
        assert_true(grpcc_duration_to_ms(duration, &ms));
        assert_int_equal(ms, values[i]);
    }
    duration = grpcc_duration_new_ms(*state, -1500);
    assert_int_equal(duration->seconds, -1);
    assert_int_equal(duration->nanos, -500000000);
    assert_null(grpcc_duration_new_ms(*state, INT64_MAX));
    assert_null(grpcc_duration_new_ms(*state, INT64_MIN));
    ms = 4711;
    duration->nanos = 1;
    assert_false(grpcc_duration_to_ms(duration, &ms));
    duration->seconds = 1;
    duration->nanos = -1;
    assert_false(grpcc_duration_to_ms(duration, &ms));
    duration->seconds = INT64_MAX;
    duration->nanos = 0;
    assert_false(grpcc_duration_to_ms(duration, &ms));
    assert_int_equal(ms, 4711);
}

static void any_holds_one_type(void **state)
{
    struct google_protobuf_duration *duration = grpcc_duration_new_ms(*state, 2500);
    struct google_protobuf_any *any = grpcc_any_pack(*state, &duration->base);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    void *message = NULL;

    assert_non_null(any);
    assert_string_equal(any->type_url, "type.googleapis.com/google.protobuf.Duration");
    assert_int_equal(
        GRPCC_FAILED_PRECONDITION,
        grpcc_any_unpack(*state, any, &google_protobuf_timestamp_descriptor, NULL, &message, &err));
    assert_null(message);
    assert_string_equal(err.message,
                        "the Any holds \"type.googleapis.com/google.protobuf.Duration\""
                        ", not google.protobuf.Timestamp");
    assert_int_equal(GRPCC_OK, grpcc_any_unpack(*state, any, &google_protobuf_duration_descriptor,
                                                NULL, &message, &err));
    assert_int_equal(2, ((struct google_protobuf_duration *)message)->seconds);
    google_protobuf_any_set_type_url(any, "google.protobuf.Duration");
    assert_false(grpcc_any_is(any, &google_protobuf_duration_descriptor));
    google_protobuf_any_set_type_url(any, "example.org/a/google.protobuf.Duration");
    assert_true(grpcc_any_is(any, &google_protobuf_duration_descriptor));
}

static void mask_covers_what_is_below_its_paths(void **state)
{
    struct google_protobuf_field_mask *mask = google_protobuf_field_mask_new(*state);

    assert_false(grpcc_field_mask_covers(NULL, "user"));
    assert_false(grpcc_field_mask_covers(mask, "user"));
    assert_true(google_protobuf_field_mask_add_paths(*state, mask, ""));
    assert_true(google_protobuf_field_mask_add_paths(*state, mask, "user"));
    assert_true(google_protobuf_field_mask_add_paths(*state, mask, "size.total"));
    assert_true(grpcc_field_mask_covers(mask, "user"));
    assert_true(grpcc_field_mask_covers(mask, "user.name"));
    assert_false(grpcc_field_mask_covers(mask, "username"));
    assert_false(grpcc_field_mask_covers(mask, "use"));
    assert_false(grpcc_field_mask_covers(mask, "size"));
    assert_true(grpcc_field_mask_covers(mask, "size.total"));
    assert_false(grpcc_field_mask_covers(mask, ""));
}

/* Whatever the arena has room for: a whole message or none. */
static void without_room_there_is_no_message(void **state)
{
    struct google_protobuf_duration *duration = grpcc_duration_new_ms(*state, 1);
    struct timespec time = {0};
    bool packed = false;

    for (size_t limit = 1; !packed; limit += 8) {
        struct grpcc_arena *arena = grpcc_arena_new(limit);
        struct google_protobuf_any *any;

        assert_non_null(arena);
        assert_true(limit < 65536);
        any = grpcc_any_pack(arena, &duration->base);
        packed = any != NULL;
        assert_int_equal(packed, !grpcc_arena_failed(arena));
        if (limit == 1) {
            assert_null(grpcc_timestamp_new(arena, &time));
            assert_null(grpcc_duration_new_ms(arena, 1));
        }
        grpcc_arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timestamp_keeps_its_range, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(duration_has_one_sign, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(any_holds_one_type, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(mask_covers_what_is_below_its_paths, make_arena,
                                        free_arena),
        cmocka_unit_test_setup_teardown(without_room_there_is_no_message, make_arena, free_arena),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
