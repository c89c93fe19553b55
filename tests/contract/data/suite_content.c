/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/data/fixture.h"
#include "tests/contract/data/suite.h"

static void written_blob_reads_back(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint64_t size;
        size_t chunk;
    } cases[] = {
        {0, 1},
        {1, 1},
        {100, 7},
        {COMB_BLOB_CHUNK_MAX, COMB_BLOB_CHUNK_MAX},
        {(20u << 20) + 1, COMB_BLOB_CHUNK_MAX},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[COMB_BLOB_KEY_MAX];
        comb_str key = fixture_new_key(f, text);

        fixture_put(f, key, cases[i].size, cases[i].chunk);
        fixture_must_have(f, key, cases[i].size);
    }
}

static void blob_outlives_its_process(void **state)
{
    struct fixture *f = *state;
    char text[COMB_BLOB_KEY_MAX];
    comb_str key = fixture_new_key(f, text);

    fixture_put(f, key, 70000, 4096);
    fixture_reopen(f);
    fixture_must_have(f, key, 70000);
}

static void nothing_is_there_before_commit(void **state)
{
    struct fixture *f = *state;
    struct comb_blob_writer *writer = NULL;
    char text[COMB_BLOB_KEY_MAX];
    comb_str key = fixture_new_key(f, text);

    must_ok(comb_blob_create(f->blobs, &f->call.ctx, key, 3, &writer, &f->call.err), &f->call.err);
    must_ok(comb_blob_write(f->blobs, &f->call.ctx, writer, STR("abc"), &f->call.err),
            &f->call.err);
    fixture_must_not_have(f, key);
    assert_int_equal(fixture_count(f, STR(""), NULL), 0);
    must_ok(comb_blob_commit(f->blobs, &f->call.ctx, writer, &f->call.err), &f->call.err);
    assert_int_equal(fixture_count(f, STR(""), NULL), 1);
}

static void aborted_blob_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct comb_blob_writer *writer = NULL;
    char text[COMB_BLOB_KEY_MAX];
    comb_str key = fixture_new_key(f, text);

    must_ok(comb_blob_create(f->blobs, &f->call.ctx, key, 0, &writer, &f->call.err), &f->call.err);
    must_ok(comb_blob_write(f->blobs, &f->call.ctx, writer, STR("abc"), &f->call.err),
            &f->call.err);
    comb_blob_abort(f->blobs, writer);
    comb_blob_abort(f->blobs, NULL);
    fixture_must_not_have(f, key);
    assert_int_equal(fixture_count(f, STR(""), NULL), 0);
    fixture_put(f, key, 10, 10);
    fixture_must_have(f, key, 10);
}

/* More or less than the hint is no fault. */
static void size_hint_is_only_a_hint(void **state)
{
    struct fixture *f = *state;
    static const uint64_t hints[] = {1, 6, 1 << 20};

    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        struct comb_blob_writer *writer = NULL;
        struct comb_blob_reader *reader = NULL;
        char text[COMB_BLOB_KEY_MAX];
        comb_str key = fixture_new_key(f, text);
        uint64_t size = 0;

        must_ok(comb_blob_create(f->blobs, &f->call.ctx, key, hints[i], &writer, &f->call.err),
                &f->call.err);
        must_ok(comb_blob_write(f->blobs, &f->call.ctx, writer, STR("abcdef"), &f->call.err),
                &f->call.err);
        must_ok(comb_blob_commit(f->blobs, &f->call.ctx, writer, &f->call.err), &f->call.err);
        must_ok(comb_blob_open(f->blobs, &f->call.ctx, key, &reader, &size, &f->call.err),
                &f->call.err);
        assert_int_equal(size, 6);
        comb_blob_close_reader(f->blobs, reader);
    }
}

static void reads_take_ranges(void **state)
{
    struct fixture *f = *state;
    struct comb_blob_reader *reader = NULL;
    char text[COMB_BLOB_KEY_MAX], read[64], expected[64];
    comb_str key = fixture_new_key(f, text);
    uint64_t size = 0;
    size_t n = 0;
    static const struct {
        uint64_t offset;
        size_t capacity, n;
    } cases[] = {
        {0, 10, 10}, {999, 64, 1}, {500, 64, 64}, {960, 64, 40}, {1000, 1, 0}, {1u << 30, 9, 0},
    };

    fixture_put(f, key, 1000, 100);
    must_ok(comb_blob_open(f->blobs, &f->call.ctx, key, &reader, &size, &f->call.err),
            &f->call.err);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        must_ok(comb_blob_read(f->blobs, &f->call.ctx, reader, cases[i].offset, read,
                               cases[i].capacity, &n, &f->call.err),
                &f->call.err);
        assert_int_equal(n, cases[i].n);
        fixture_fill(key, cases[i].offset, expected, n);
        assert_memory_equal(read, expected, n);
    }
    comb_blob_close_reader(f->blobs, reader);
}

static void bad_arguments_are_refused(void **state)
{
    struct fixture *f = *state;
    struct comb_blob_writer *writer = NULL;
    struct comb_blob_reader *reader = NULL;
    static char much[COMB_BLOB_CHUNK_MAX + 1];
    char text[COMB_BLOB_KEY_MAX];
    comb_str key = fixture_new_key(f, text);
    uint64_t size = 0;
    size_t n = 77;

    must_ok(comb_blob_create(f->blobs, &f->call.ctx, key, 0, &writer, &f->call.err), &f->call.err);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_blob_write(f->blobs, &f->call.ctx, writer, comb_str_of(much, sizeof much),
                              &f->call.err),
              &f->call.err);
    must_ok(comb_blob_commit(f->blobs, &f->call.ctx, writer, &f->call.err), &f->call.err);
    must_ok(comb_blob_open(f->blobs, &f->call.ctx, key, &reader, &size, &f->call.err),
            &f->call.err);
    assert_int_equal(size, 0);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_blob_read(f->blobs, &f->call.ctx, reader, 0, much, 0, &n, &f->call.err),
              &f->call.err);
    must_fail(
        COMB_INVALID_ARGUMENT,
        comb_blob_read(f->blobs, &f->call.ctx, reader, 0, much, sizeof much, &n, &f->call.err),
        &f->call.err);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_blob_read(f->blobs, &f->call.ctx, reader, UINT64_MAX, much, 1, &n, &f->call.err),
              &f->call.err);
    assert_int_equal(n, 77);
    comb_blob_close_reader(f->blobs, reader);
    comb_blob_close_reader(f->blobs, NULL);
}

static void passed_deadline_ends_everything(void **state)
{
    struct fixture *f = *state;
    struct comb_ctx late = f->call.ctx;
    struct comb_blob_writer *writer = NULL, *none = NULL;
    struct comb_blob_reader *reader = NULL;
    char text[COMB_BLOB_KEY_MAX], other[COMB_BLOB_KEY_MAX];
    comb_str key = fixture_new_key(f, text);
    uint64_t size = 0;

    late.deadline_ns = 1;
    must_fail(COMB_DEADLINE_EXCEEDED,
              comb_blob_create(f->blobs, &late, fixture_new_key(f, other), 0, &none, &f->call.err),
              &f->call.err);
    assert_null(none);
    must_ok(comb_blob_create(f->blobs, &f->call.ctx, key, 0, &writer, &f->call.err), &f->call.err);
    must_fail(COMB_DEADLINE_EXCEEDED,
              comb_blob_write(f->blobs, &late, writer, STR("a"), &f->call.err), &f->call.err);
    must_fail(COMB_DEADLINE_EXCEEDED, comb_blob_commit(f->blobs, &late, writer, &f->call.err),
              &f->call.err);
    fixture_must_not_have(f, key);
    must_fail(COMB_DEADLINE_EXCEEDED,
              comb_blob_open(f->blobs, &late, key, &reader, &size, &f->call.err), &f->call.err);
    must_fail(COMB_DEADLINE_EXCEEDED, comb_blob_remove(f->blobs, &late, key, &f->call.err),
              &f->call.err);
    assert_int_equal(fixture_count(f, STR(""), NULL), 0);
}

int suite_content(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(written_blob_reads_back, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(blob_outlives_its_process, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(nothing_is_there_before_commit, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(aborted_blob_leaves_nothing, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(size_hint_is_only_a_hint, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(reads_take_ranges, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(bad_arguments_are_refused, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(passed_deadline_ends_everything, fixture_setup,
                                        fixture_teardown),
    };

    return cmocka_run_group_tests_name("content", tests, NULL, NULL);
}
