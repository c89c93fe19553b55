/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation and every write and sync of a file fails in turn: whatever is answered is true,
 * and the store goes on afterwards. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/sql/fixture.h"
#include "tests/support/fault_sqlite.h"

enum { ROWS = 4 };

/* Inserts rows of round together, as one group or several; says what each was told. */
static void insert_round(struct fixture *f, int round, struct listener listeners[ROWS])
{
    static const char text[] = "INSERT INTO item (id, name) VALUES (?1, hex(randomblob(3000)))";
    for (int i = 0; i < ROWS; i++) {
        const struct comb_sql_value param = comb_sql_integer(round * ROWS + i);
        const struct comb_sql_statement statement = {text, &param, 1, false};
        const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
        listeners[i] = (struct listener)LISTENER_INIT;
        comb_sql_submit(f->sql, &f->t.ctx, &request, listener_done, &listeners[i]);
    }
    for (int i = 0; i < ROWS; i++)
        listener_wait(&listeners[i]);
}

static bool is_there(struct fixture *f, int64_t id)
{
    static const char text[] = "SELECT count(*) FROM item WHERE id = ?1";
    const struct comb_sql_value param = comb_sql_integer(id);
    const struct comb_sql_statement statement = {text, &param, 1, false};
    const struct comb_sql_result *result;
    test_ctx_next(&f->t);
    must_ok(run_all(f, COMB_SQL_READ, &statement, 1, &result), &f->t.err);
    return comb_sql_at(&result->rows[0], 0, 0)->integer == 1;
}

static void check_round(struct fixture *f, int round, const struct listener listeners[ROWS])
{
    for (int i = 0; i < ROWS; i++) {
        bool there = is_there(f, round * ROWS + i);
        if (listeners[i].status == COMB_OK)
            assert_true(there);
        else if (!listeners[i].err.ambiguous)
            assert_false(there);
    }
}

static void reopen(struct fixture *f)
{
    comb_sql_close(f->sql);
    f->sql = NULL;
    must_ok(driver_open(f->place, &f->sql, &f->t.err), &f->t.err);
}

/* What a crash at this moment would leave: the files without what the processes share in memory. */
static void check_crash_image(const struct fixture *f, int round,
                              const struct listener listeners[ROWS])
{
    char *image = NULL, *from = NULL, *to = NULL;
    assert_true(asprintf(&image, "%s.image", f->place) > 0);
    assert_true(asprintf(&from, "%s-wal", f->place) > 0);
    assert_true(asprintf(&to, "%s-wal", image) > 0);
    test_copy_file(f->place, image);
    test_copy_file(from, to);
    struct fixture crashed = {.place = image};
    test_ctx_init(&crashed.t);
    must_ok(driver_open(image, &crashed.sql, &crashed.t.err), &crashed.t.err);
    check_round(&crashed, round, listeners);
    comb_sql_close(crashed.sql);
    test_ctx_done(&crashed.t);
    free(image);
    free(from);
    free(to);
}

static void each_file_operation_fails(void **state)
{
    struct fixture *f = *state;
    struct listener listeners[ROWS];
    bool hit = true;
    int round = 0;
    for (long n = 1; hit; n++) {
        for (int fault = TEST_VFS_IOERR; fault <= TEST_VFS_FULL; fault++, round++) {
            test_fault_vfs_arm((enum test_vfs_fault)fault, n);
            insert_round(f, round, listeners);
            hit = test_fault_vfs_disarm();
            check_round(f, round, listeners);
            check_crash_image(f, round, listeners);
            for (int i = 0; i < ROWS && !hit; i++)
                must_ok(listeners[i].status, &listeners[i].err);
            must_ok(insert_item(f->sql, &f->t.ctx, -round - 1, STR("goes on"), &f->t.err),
                    &f->t.err);
            reopen(f);
            check_round(f, round, listeners);
            const struct comb_sql_result *result;
            must_ok(run_text(f, COMB_SQL_WRITE, "DELETE FROM item", &result), &f->t.err);
        }
        assert_true(n < 1000);
    }
    assert_true(round > 4);
    assert_int_equal(number(f, "SELECT count(*) FROM pragma_integrity_check"
                               " WHERE integrity_check = 'ok'"),
                     1);
}

static void nothing_is_acknowledged_before_it_is_synced(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 10; i++) {
        uint64_t before = test_fault_vfs_syncs();
        must_ok(insert_item(f->sql, &f->t.ctx, i, (comb_str){NULL, 0}, &f->t.err), &f->t.err);
        assert_true(test_fault_vfs_syncs() > before);
        const struct comb_sql_result *result;
        must_ok(run_text(f, COMB_SQL_WRITE, "UPDATE item SET name = NULL", &result), &f->t.err);
    }
}

static void each_allocation_of_a_write_fails(void **state)
{
    struct fixture *f = *state;
    bool hit = true;
    for (int64_t n = 1; hit; n++) {
        char name[32];
        comb_str text = comb_str_of(name, (size_t)snprintf(name, sizeof name, "%d", (int)n));
        if (n % 16 == 0)
            reopen(f); /* statements are prepared anew */
        test_ctx_next(&f->t);
        test_fault_arm(n);
        enum comb_status status = insert_item(f->sql, &f->t.ctx, n, text, &f->t.err);
        hit = test_fault_disarm();
        if (status != COMB_OK)
            assert_false(f->t.err.ambiguous);
        assert_int_equal(is_there(f, n), status == COMB_OK);
        assert_true(hit || status == COMB_OK);
        assert_true(n < 3000);
    }
}

static void each_allocation_of_a_read_fails(void **state)
{
    static const char *const texts[] = {"SELECT id, name, 'x' FROM item ORDER BY name DESC",
                                        "SELECT count(*) FROM item"};
    struct fixture *f = *state;
    bool hit = true;
    const struct comb_sql_result *result;
    must_ok(run_text(f, COMB_SQL_WRITE,
                     "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
                     " INSERT INTO item (id, name) SELECT i, 'name ' || i FROM n",
                     &result),
            &f->t.err);
    for (long n = 1; hit; n++) {
        const struct comb_sql_statement statements[] = {{.text = texts[0]}, {.text = texts[1]}};
        if (n % 16 == 0)
            reopen(f);
        test_ctx_next(&f->t);
        test_fault_arm(n);
        enum comb_status status = run_all(f, COMB_SQL_SCAN, statements, 2, &result);
        hit = test_fault_disarm();
        if (status == COMB_OK)
            assert_int_equal(result->rows[0].n_rows, 40);
        assert_true(hit || status == COMB_OK);
        assert_true(n < 3000);
    }
}

/* Opening makes thousands of allocations: a stride of them. */
static void allocations_of_opening_fail(void **state)
{
    enum { STRIDE = 37 };
    struct fixture *f = *state;
    bool hit = true;
    must_ok(insert_item(f->sql, &f->t.ctx, 1, STR("kept"), &f->t.err), &f->t.err);
    comb_sql_close(f->sql);
    f->sql = NULL;
    for (long n = 1; hit; n += STRIDE) {
        test_fault_arm(n);
        enum comb_status status = driver_open(f->place, &f->sql, &f->t.err);
        hit = test_fault_disarm();
        assert_true(hit || status == COMB_OK);
        assert_true((status == COMB_OK) == (f->sql != NULL));
        comb_sql_close(f->sql);
        f->sql = NULL;
    }
    must_ok(driver_open(f->place, &f->sql, &f->t.err), &f->t.err);
    assert_true(is_there(f, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_file_operation_fails),        TEST(nothing_is_acknowledged_before_it_is_synced),
        TEST(each_allocation_of_a_write_fails), TEST(each_allocation_of_a_read_fails),
        TEST(allocations_of_opening_fail),
    };
    test_fault_install();
    test_fault_sqlite_memory_install();
    test_fault_vfs_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
