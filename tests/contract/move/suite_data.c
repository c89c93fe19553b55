/* SPDX-License-Identifier: Apache-2.0 */
/* Contents, several at once, and yet in order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/contract/move/fixture.h"

/* More than are copied at once, several times. */
#define CONTENTS 70
/* Places of the larger ones: of one that just fits into memory, and two that do not. */
enum { JUST = 20, MORE = 21, LARGE = 40 };

struct contents {
    struct house from, to;
    char keys[CONTENTS][COMB_BLOB_KEY_MAX];
    struct comb_move_row *names[2], *out, *in;
};

static void open_streams(struct contents *c)
{
    c->out = house_data_stream(&c->from, &c->from, &c->names[0]);
    c->in = house_data_stream(&c->to, &c->from, &c->names[1]);
}

static void close_streams(struct contents *c)
{
    comb_move_row_free(c->out);
    comb_move_row_free(c->in);
    comb_move_row_free(c->names[0]);
    comb_move_row_free(c->names[1]);
}

/* The names of contents are in a row of the driver that the test is linked with, or of SQLite,
 * which is faster to make. */
static void open_contents(struct contents *c, void (*open)(struct house *house))
{
    open(&c->from);
    house_open_sqlite(&c->to);
    for (unsigned i = 0; i < CONTENTS; i++) {
        size_t size = i * 37;
        if (i == JUST || i == MORE)
            size = COMB_MOVE_SMALL_BYTES_MAX + (i == MORE);
        if (i == LARGE)
            size = 3 * COMB_MOVE_SMALL_BYTES_MAX + COMB_MOVE_CHUNK_BYTES + 5;
        house_put(&c->from, i, size, c->keys[i]);
    }
    open_streams(c);
}

static void close_contents(struct contents *c)
{
    close_streams(c);
    house_close(&c->from);
    house_close(&c->to);
}

static bool is_there(struct house *house, const char *key)
{
    struct comb_blob_reader *reader = NULL;
    uint64_t size;
    test_ctx_next(&house->t);
    if (comb_blob_open(house->blobs, &house->t.ctx, comb_str_from(key), &reader, &size,
                       &house->t.err) != COMB_OK)
        return false;
    comb_blob_close_reader(house->blobs, reader);
    return true;
}

/* Where the files driver has a content. The test frees it. */
static char *file_of(struct house *house, const char *key)
{
    size_t len = strlen(key);
    char path[2 * COMB_BLOB_KEY_MAX];
    snprintf(path, sizeof path, "data/%.*s/%.2s/%s", COMB_UUID_TEXT_LENGTH, key, key + len - 2,
             key + COMB_UUID_TEXT_LENGTH + 1);
    return test_path(house->folder, path);
}

static enum comb_status copy(struct contents *c, struct comb_move_faults *ret_faults,
                             struct comb_error *err)
{
    struct comb_move_sums sums;
    enum comb_status status = comb_move_copy(c->out, c->in, NULL, &sums, err);
    comb_move_data_faults(c->out, ret_faults);
    return status;
}

static void all_contents_are_copied(void **state)
{
    struct comb_move_faults faults;
    struct comb_error err = {0};
    struct contents c;
    (void)state;
    open_contents(&c, house_open);
    must_ok(copy(&c, &faults, &err), &err);
    assert_int_equal(faults.missing + faults.damaged, 0);
    for (unsigned i = 0; i < CONTENTS; i++)
        assert_true(is_there(&c.to, c.keys[i]));
    close_contents(&c);
}

/* Of records of contents: the offset stands at the key's end. */
struct order {
    char last[COMB_BLOB_KEY_MAX];
    uint64_t offset;
    unsigned ended;
};

static enum comb_status look(void *data, const struct comb_move_record *record,
                             struct comb_error *err)
{
    struct order *order = data;
    const unsigned char *end = (const unsigned char *)record->key.ptr + record->key.len - 8;
    char key[COMB_BLOB_KEY_MAX];
    uint64_t offset = 0;
    (void)err;
    for (int i = 0; i < 8; i++)
        offset = offset << 8 | end[i];
    snprintf(key, sizeof key, "%.*s", (int)(record->key.len - 16), record->key.ptr + 8);
    if (strcmp(key, order->last) != 0) {
        assert_true(strcmp(order->last, key) < 0);
        memcpy(order->last, key, sizeof key);
        order->offset = 0;
    }
    if (offset == UINT64_MAX) {
        order->ended++;
        return COMB_OK;
    }
    assert_true(offset == order->offset);
    assert_true(record->value.len > 0 && record->value.len <= COMB_MOVE_CHUNK_BYTES);
    order->offset += record->value.len;
    return COMB_OK;
}

static void contents_come_in_order(void **state)
{
    struct order order = {.ended = 0};
    const struct comb_move_sink sink = {look, &order};
    struct comb_move_sums sums;
    struct comb_error err = {0};
    struct contents c;
    (void)state;
    open_contents(&c, house_open_sqlite);
    must_ok(comb_move_sum(c.out, "reading", &sink, NULL, &sums, &err), &err);
    assert_int_equal(order.ended, CONTENTS);
    close_contents(&c);
}

static void a_copy_that_was_killed_goes_on(void **state)
{
    struct comb_blob_writer *killed = NULL;
    struct comb_move_faults faults;
    struct comb_error err = {0};
    struct contents c;
    (void)state;
    open_contents(&c, house_open_sqlite);
    for (unsigned records = 30; records < 150; records += 40) {
        house_cut_copy(c.out, c.in, records);
        close_streams(&c);
        open_streams(&c);
    }
    assert_true(is_there(&c.to, c.keys[3]));
    assert_false(is_there(&c.to, c.keys[CONTENTS - 1]));
    /* What one leaves that is killed while it writes. */
    must_ok(comb_blob_create(c.to.blobs, &c.to.t.ctx, comb_str_from(c.keys[CONTENTS - 1]), 0,
                             &killed, &err),
            &err);
    must_ok(copy(&c, &faults, &err), &err);
    assert_int_equal(faults.missing + faults.damaged, 0);
    comb_blob_abort(c.to.blobs, killed);
    for (unsigned i = 0; i < CONTENTS; i++)
        assert_true(is_there(&c.to, c.keys[i]));
    close_contents(&c);
}

static void what_is_missing_or_damaged_is_counted(void **state)
{
    struct comb_move_faults faults;
    struct comb_error err = {0};
    struct contents c;
    (void)state;
    open_contents(&c, house_open_sqlite);
    char *missing = file_of(&c.from, c.keys[11]), *damaged = file_of(&c.from, c.keys[LARGE]);
    assert_int_equal(unlink(missing), 0);
    assert_int_equal(truncate(damaged, COMB_MOVE_SMALL_BYTES_MAX + 1), 0);
    must_ok(copy(&c, &faults, &err), &err);
    assert_int_equal(faults.missing, 1);
    assert_int_equal(faults.damaged, 1);
    assert_string_equal(faults.first, c.keys[11]);
    assert_false(is_there(&c.to, c.keys[11]));
    free(missing);
    free(damaged);
    close_contents(&c);
}

static void one_failure_ends_it(void **state)
{
    struct comb_move_faults faults;
    struct comb_error err = {0};
    struct contents c;
    (void)state;
    open_contents(&c, house_open_sqlite);
    /* Opened, but not read. */
    char *path = file_of(&c.from, c.keys[33]);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_not_equal(copy(&c, &faults, &err), COMB_OK);
    assert_non_null(strstr(err.msg, "read a blob"));
    assert_int_equal(faults.missing + faults.damaged, 0);
    assert_int_equal(rmdir(path), 0);
    free(path);
    /* Without the cause it goes on. */
    close_streams(&c);
    open_streams(&c);
    must_ok(copy(&c, &faults, &err), &err);
    assert_int_equal(faults.missing, 1);
    close_contents(&c);
}

static void records_of_contents_have_limits(void **state)
{
    struct comb_error err = {0};
    struct contents c;
    char *bytes = calloc(1, COMB_MOVE_CHUNK_BYTES + 1), key[256] = {0};
    (void)state;
    assert_non_null(bytes);
    open_contents(&c, house_open_sqlite);
    /* A length of two bytes, the bytes, and an offset. */
    memcpy(key + 7, "\2ab", 3);
    struct comb_move_record record = {STR("object"), comb_str_of(key, 18),
                                      comb_str_of(bytes, COMB_MOVE_CHUNK_BYTES + 1)};
    must_fail(COMB_DATA_LOSS, c.in->ops->take(c.in, &record, &err), &err);
    record.value = STR("");
    record.key = comb_str_of(key, 17);
    must_fail(COMB_DATA_LOSS, c.in->ops->take(c.in, &record, &err), &err);
    key[7] = COMB_BLOB_KEY_MAX;
    record.key = comb_str_of(key, 16 + COMB_BLOB_KEY_MAX);
    must_fail(COMB_DATA_LOSS, c.in->ops->take(c.in, &record, &err), &err);
    free(bytes);
    close_contents(&c);
}

int suite_data(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_contents_are_copied),
        cmocka_unit_test(contents_come_in_order),
        cmocka_unit_test(a_copy_that_was_killed_goes_on),
        cmocka_unit_test(what_is_missing_or_damaged_is_counted),
        cmocka_unit_test(one_failure_ends_it),
        cmocka_unit_test(records_of_contents_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
