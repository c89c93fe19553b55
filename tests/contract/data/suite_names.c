/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>

#include "tests/contract/data/fixture.h"
#include "tests/contract/data/suite.h"

static void keys_are_two_uuids(void **state)
{
    struct fixture *f = *state;
    struct comb_blob_writer *writer = NULL;
    char good[COMB_BLOB_KEY_MAX], upper[COMB_BLOB_KEY_MAX], slash[COMB_BLOB_KEY_MAX];
    comb_str key = fixture_new_key(f, good);

    for (size_t i = 0; i <= key.len; i++)
        upper[i] = (char)toupper((unsigned char)good[i]);
    snprintf(slash, sizeof slash, "%s", good);
    slash[COMB_UUID_TEXT_LENGTH] = '-';

    const comb_str bad[] = {
        STR(""),
        STR("../../../../etc/passwd"),
        comb_str_of(good, key.len - 1),
        comb_str_of(good, COMB_UUID_TEXT_LENGTH + 1),
        comb_str_of(upper, key.len),
        comb_str_of(slash, key.len),
        STR("01890000-0000-7000-8000-000000000001/../../../../../../../../../../../a"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        must_fail(COMB_INVALID_ARGUMENT,
                  comb_blob_create(f->blobs, &f->call.ctx, bad[i], 0, &writer, &f->call.err),
                  &f->call.err);
        must_fail(COMB_INVALID_ARGUMENT,
                  comb_blob_remove(f->blobs, &f->call.ctx, bad[i], &f->call.err), &f->call.err);
    }
    assert_null(writer);
}

/* More than a store takes in one request. */
#define LARGE (20u << 20)

/* Where nothing else says that the key is in use, the commit does. */
static enum comb_status put_again(struct fixture *f, comb_str key, size_t size)
{
    static char bytes[COMB_BLOB_CHUNK_MAX];
    struct comb_blob_writer *writer = NULL;
    enum comb_status status =
        comb_blob_create(f->blobs, &f->call.ctx, key, size, &writer, &f->call.err);

    for (size_t n; status == COMB_OK && size > 0; size -= n) {
        n = size < sizeof bytes ? size : sizeof bytes;
        must_ok(
            comb_blob_write(f->blobs, &f->call.ctx, writer, comb_str_of(bytes, n), &f->call.err),
            &f->call.err);
    }
    return status == COMB_OK ? comb_blob_commit(f->blobs, &f->call.ctx, writer, &f->call.err)
                             : status;
}

static void key_is_used_once(void **state)
{
    struct fixture *f = *state;
    struct comb_blob_writer *first = NULL, *second = NULL;
    char text[COMB_BLOB_KEY_MAX];
    comb_str key = fixture_new_key(f, text);

    must_ok(comb_blob_create(f->blobs, &f->call.ctx, key, 0, &first, &f->call.err), &f->call.err);
    must_fail(COMB_ALREADY_EXISTS,
              comb_blob_create(f->blobs, &f->call.ctx, key, 0, &second, &f->call.err),
              &f->call.err);
    assert_null(second);
    comb_blob_abort(f->blobs, first);
    fixture_put(f, key, 500, 500);
    must_fail(COMB_ALREADY_EXISTS, put_again(f, key, 10), &f->call.err);
    must_fail(COMB_ALREADY_EXISTS, put_again(f, key, LARGE), &f->call.err);
    fixture_must_have(f, key, 500);
    assert_int_equal(fixture_count(f, STR(""), NULL), 1);
}

static void removed_blob_is_gone(void **state)
{
    struct fixture *f = *state;
    char text[COMB_BLOB_KEY_MAX], kept_text[COMB_BLOB_KEY_MAX];
    comb_str key = fixture_new_key(f, text), kept = fixture_new_key(f, kept_text);

    fixture_put(f, key, 100, 100);
    fixture_put(f, kept, 200, 200);
    must_ok(comb_blob_remove(f->blobs, &f->call.ctx, key, &f->call.err), &f->call.err);
    must_ok(comb_blob_remove(f->blobs, &f->call.ctx, key, &f->call.err), &f->call.err);
    fixture_must_not_have(f, key);
    fixture_must_have(f, kept, 200);
}

/* The sweeper ends the session of a frozen writer and takes away what it was writing. */
static void blob_removed_while_written_cannot_commit(void **state)
{
    struct fixture *f = *state;
    struct comb_blob_writer *writer = NULL;
    char text[COMB_BLOB_KEY_MAX];
    comb_str key = fixture_new_key(f, text);

    must_ok(comb_blob_create(f->blobs, &f->call.ctx, key, 0, &writer, &f->call.err), &f->call.err);
    must_ok(comb_blob_write(f->blobs, &f->call.ctx, writer, STR("abc"), &f->call.err),
            &f->call.err);
    must_ok(comb_blob_remove(f->blobs, &f->call.ctx, key, &f->call.err), &f->call.err);
    must_fail(COMB_ABORTED, comb_blob_commit(f->blobs, &f->call.ctx, writer, &f->call.err),
              &f->call.err);
    fixture_must_not_have(f, key);
    assert_int_equal(fixture_count(f, STR(""), NULL), 0);
}

static bool stop_at_once(void *data, comb_str key, uint64_t size)
{
    (void)key;
    (void)size;
    ++*(size_t *)data;
    return false;
}

static void list_is_by_session(void **state)
{
    struct fixture *f = *state;
    char text[COMB_BLOB_KEY_MAX], prefix[COMB_BLOB_KEY_MAX], other[COMB_BLOB_KEY_MAX];
    comb_str key = {NULL, 0};
    uint64_t bytes = 0;
    size_t calls = 0;

    for (uint64_t i = 1; i <= 5; i++) {
        key = fixture_new_key(f, text);
        fixture_put(f, key, i, 100);
    }
    snprintf(prefix, sizeof prefix, "%.*s", COMB_UUID_TEXT_LENGTH + 1, key.ptr);
    f->session = comb_uuid_new();
    fixture_put(f, fixture_new_key(f, text), 100, 100);
    snprintf(other, sizeof other, "%.*s", COMB_UUID_TEXT_LENGTH + 1, text);

    assert_int_equal(fixture_count(f, comb_str_from(prefix), &bytes), 5);
    assert_int_equal(bytes, 15);
    assert_int_equal(fixture_count(f, comb_str_from(other), &bytes), 1);
    assert_int_equal(bytes, 100);
    assert_int_equal(fixture_count(f, STR(""), &bytes), 6);
    assert_int_equal(bytes, 115);
    f->session = comb_uuid_new();
    fixture_new_key(f, text);
    assert_int_equal(fixture_count(f, comb_str_of(text, COMB_UUID_TEXT_LENGTH + 1), NULL), 0);

    must_ok(comb_blob_list(f->blobs, &f->call.ctx, STR(""), stop_at_once, &calls, &f->call.err),
            &f->call.err);
    assert_int_equal(calls, 1);
    must_fail(
        COMB_INVALID_ARGUMENT,
        comb_blob_list(f->blobs, &f->call.ctx, STR("../"), stop_at_once, &calls, &f->call.err),
        &f->call.err);
    assert_int_equal(calls, 1);
}

/* More than a store tells of in one answer. */
#define MANY 1010

static void long_list_is_whole(void **state)
{
    struct fixture *f = *state;
    char text[COMB_BLOB_KEY_MAX];
    uint64_t bytes = 0;

    f->call.ctx.deadline_ns = INT64_MAX;
    for (int i = 0; i < MANY; i++)
        fixture_put(f, fixture_new_key(f, text), 3, 3);
    assert_int_equal(fixture_count(f, STR(""), &bytes), MANY);
    assert_int_equal(bytes, 3 * MANY);
}

int suite_names(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_are_two_uuids, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(key_is_used_once, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(removed_blob_is_gone, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(blob_removed_while_written_cannot_commit, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(list_is_by_session, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(long_list_is_whole, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
