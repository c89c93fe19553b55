/* SPDX-License-Identifier: Apache-2.0 */
/* A backup: whole, or refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/move/fixture.h"

#define FILE_BYTES_MAX (16u << 20)
/* Places at which a file is damaged, and at which it is cut off. */
#define PLACES 24

static const uint8_t key[COMB_ARCHIVE_KEY_SIZE] = {4, 2};

static enum comb_status append(void *data, comb_str bytes, struct comb_error *err)
{
    (void)err;
    return comb_buf_append_str(data, bytes) ? COMB_OK : COMB_RESOURCE_EXHAUSTED;
}

static void write_backup(struct house *house, struct comb_buf *file)
{
    struct comb_archive_writer *writer = NULL;
    struct comb_backup_facts facts;
    struct comb_error *err = &house->t.err;
    comb_buf_init(file, FILE_BYTES_MAX);
    must_ok(comb_archive_writer_new(key, append, file, &writer, err), err);
    must_ok(comb_backup_write(&house->rows, writer, NULL, &facts, err), err);
    assert_int_equal(facts.faults.missing + facts.faults.damaged, 0);
    comb_archive_writer_free(writer);
}

static void open_house(struct house *house)
{
    char name[COMB_BLOB_KEY_MAX];
    uint32_t version;
    house_open_sqlite(house);
    house_fill(house);
    for (unsigned i = 0; i < 40; i++)
        house_put(house, i, i * 1000, name);
    house_put(house, 40, 3 * COMB_MOVE_SMALL_BYTES_MAX, name);
    must_ok(comb_vault_put(house->vault, &house->t.ctx, STR("app/db"), STR("secret"), 0, &version,
                           &house->t.err),
            &house->t.err);
}

/* Reads the file's items up to its end. */
static enum comb_status read_all(comb_str bytes, const uint8_t *with, struct comb_error *err)
{
    struct comb_archive_reader *reader = NULL;
    struct comb_archive_item item = {.kind = COMB_ARCHIVE_HEAD};
    FILE *file = fmemopen((void *)(uintptr_t)bytes.ptr, bytes.len, "r");
    assert_non_null(file);
    enum comb_status status = comb_archive_reader_new(with, file, &reader, err);
    while (status == COMB_OK && item.kind != COMB_ARCHIVE_END)
        status = comb_archive_read(reader, &item, err);
    comb_archive_reader_free(reader);
    assert_int_equal(fclose(file), 0);
    return status;
}

static void what_is_damaged_or_cut_is_refused(void **state)
{
    static const uint8_t other[COMB_ARCHIVE_KEY_SIZE] = {4, 3};
    struct comb_error err = {0};
    struct comb_buf file;
    struct house house;
    (void)state;
    open_house(&house);
    write_backup(&house, &file);
    must_ok(read_all(comb_buf_str(&file), key, &err), &err);
    must_fail(COMB_DATA_LOSS, read_all(comb_buf_str(&file), other, &err), &err);
    for (size_t i = 0; i <= PLACES; i++) {
        size_t place = i * (file.len - 1) / PLACES;
        file.data[place] ^= 1;
        enum comb_status status = read_all(comb_buf_str(&file), key, &err);
        file.data[place] ^= 1;
        /* Its first bytes say that it is one at all. */
        assert_true(status == COMB_DATA_LOSS || (place < 16 && status == COMB_INVALID_ARGUMENT));
        if (place == 0)
            continue;
        status = read_all(comb_str_of(file.data, place), key, &err);
        assert_int_equal(status, COMB_DATA_LOSS);
    }
    comb_buf_done(&file);
    house_close(&house);
}

static enum comb_status restore(struct house *to, const struct comb_buf *bytes,
                                struct comb_error *err)
{
    struct comb_archive_reader *reader = NULL;
    struct comb_backup_facts facts;
    FILE *file = fmemopen(bytes->data, bytes->len, "r");
    assert_non_null(file);
    must_ok(comb_archive_reader_new(key, file, &reader, err), err);
    enum comb_status status = comb_backup_read(&to->rows, reader, NULL, &facts, err);
    comb_archive_reader_free(reader);
    assert_int_equal(fclose(file), 0);
    return status;
}

static void a_backup_is_put_back_into_empty_stores(void **state)
{
    struct comb_vault_secret secret;
    struct comb_error err = {0};
    struct comb_buf file;
    struct house from, to;
    (void)state;
    open_house(&from);
    write_backup(&from, &file);
    house_open(&to);
    must_ok(restore(&to, &file, &err), &err);
    const struct comb_move_sums was = house_sql_sums(&from), is = house_sql_sums(&to);
    must_ok(comb_move_compare("sql", &was, &is, &err), &err);
    must_ok(comb_vault_get(to.vault, &to.t.ctx, STR("app/db"), 0, &secret, &err), &err);
    assert_true(comb_str_equal(secret.value, STR("secret")));
    /* Until it is said that all is well, no server starts on it. */
    must_fail(COMB_FAILED_PRECONDITION, comb_move_state_check(to.sql, &to.t.ctx, &err), &err);
    must_fail(COMB_FAILED_PRECONDITION, restore(&to, &file, &err), &err);
    assert_non_null(strstr(err.msg, "in this store already"));
    house_close(&to);
    house_close(&from);
    comb_buf_done(&file);
}

static void a_store_in_which_there_is_something_is_refused(void **state)
{
    char name[COMB_BLOB_KEY_MAX];
    struct comb_error err = {0};
    struct comb_buf file;
    struct house house, to;
    uint32_t version;
    (void)state;
    open_house(&house);
    write_backup(&house, &file);
    house_open(&to);
    house_put(&to, 1, 10, name);
    must_fail(COMB_FAILED_PRECONDITION, restore(&to, &file, &err), &err);
    assert_non_null(strstr(err.msg, "data:"));
    must_ok(comb_vault_put(to.vault, &to.t.ctx, STR("a"), STR("b"), 0, &version, &err), &err);
    must_fail(COMB_FAILED_PRECONDITION, restore(&to, &file, &err), &err);
    assert_non_null(strstr(err.msg, "vault:"));
    /* Nothing was begun. */
    must_ok(comb_move_state_check(to.sql, &to.t.ctx, &err), &err);
    assert_int_equal(comb_sql_at(house_ask(&to, "SELECT count(*) FROM house"), 0, 0)->integer, 0);
    house_close(&to);
    house_close(&house);
    comb_buf_done(&file);
}

int suite_backup(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_damaged_or_cut_is_refused),
        cmocka_unit_test(a_backup_is_put_back_into_empty_stores),
        cmocka_unit_test(a_store_in_which_there_is_something_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
