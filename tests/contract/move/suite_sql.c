/* SPDX-License-Identifier: Apache-2.0 */
/* The sql row as a stream, and what refuses its changes meanwhile. */
#include <stdio.h>
#include <string.h>

#include "server/backend/sql/sql_driver.h"
#include "tests/contract/move/fixture.h"

/* All of `from` into `to`, compared. */
static void copy(struct house *from, struct house *to)
{
    struct comb_move_row *out = house_sql_stream(from), *in = house_sql_stream(to);
    struct comb_move_sums sums;
    must_ok(in->ops->prepare(in, &to->t.err), &to->t.err);
    must_ok(comb_move_copy(out, in, NULL, &sums, &to->t.err), &to->t.err);
    comb_move_row_free(out);
    comb_move_row_free(in);
}

static uint64_t records_of(const struct comb_move_sums *sums, const char *part)
{
    for (size_t i = 0; i < sums->n; i++)
        if (strcmp(sums->items[i].part, part) == 0)
            return sums->items[i].records;
    return 0;
}

static void a_copy_is_the_same_over_drivers(void **state)
{
    struct house from, there, back;
    struct comb_error err = {0};
    (void)state;
    house_open_sqlite(&from);
    house_open(&there);
    house_open_sqlite(&back);
    house_fill(&from);
    copy(&from, &there);
    copy(&there, &back);
    const struct comb_move_sums sums[] = {house_sql_sums(&from), house_sql_sums(&there),
                                          house_sql_sums(&back)};
    must_ok(comb_move_compare("sql", &sums[0], &sums[1], &err), &err);
    must_ok(comb_move_compare("sql", &sums[0], &sums[2], &err), &err);
    /* With the record of its columns. */
    assert_int_equal(records_of(&sums[0], "house"), HOUSE_ROWS + 1);
    const struct comb_sql_rows *rows =
        house_ask(&there, "SELECT whole, part, bytes FROM house WHERE word = '' AND n = 0");
    assert_int_equal(rows->n_rows, 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(comb_sql_at(rows, 0, i)->type, COMB_SQL_NULL);
    rows = house_ask(&there, "SELECT whole, part, bytes FROM house WHERE n = 11");
    assert_int_equal(rows->n_rows, 1);
    assert_true(comb_sql_at(rows, 0, 0)->integer == INT64_MIN + 11);
    assert_true(comb_sql_at(rows, 0, 1)->real == 11 / 7.0);
    assert_memory_equal(comb_sql_at(rows, 0, 2)->bytes.ptr, "\0\1'\\\xff", 5);
    house_close(&from);
    house_close(&there);
    house_close(&back);
}

static int64_t count(struct house *house)
{
    return comb_sql_at(house_ask(house, "SELECT count(*) FROM house"), 0, 0)->integer;
}

/* Records that come before the table's own. */
static unsigned records_before_house(struct house *house)
{
    const struct comb_move_sums sums = house_sql_sums(house);
    unsigned before = 0;
    for (size_t i = 0; i < sums.n && strcmp(sums.items[i].part, "house") != 0; i++)
        before += (unsigned)sums.items[i].records;
    return before;
}

static void a_copy_that_was_cut_goes_on(void **state)
{
    struct house from, to;
    (void)state;
    house_open_sqlite(&from);
    house_open(&to);
    house_fill(&from);
    const unsigned before = records_before_house(&from);
    struct comb_move_sums sums;
    struct comb_move_row *out = house_sql_stream(&from), *in = house_sql_stream(&to);
    must_ok(in->ops->prepare(in, &to.t.err), &to.t.err);
    house_cut_copy(out, in, before + 300);
    comb_move_row_free(in);
    /* Part of it is there, what was gathered is not. */
    assert_true(count(&to) > 0 && count(&to) < 300);
    for (unsigned more = 310; more < HOUSE_ROWS; more += 150) {
        in = house_sql_stream(&to);
        house_cut_copy(out, in, before + more);
        comb_move_row_free(in);
    }
    in = house_sql_stream(&to);
    must_ok(comb_move_copy(out, in, NULL, &sums, &to.t.err), &to.t.err);
    assert_int_equal(count(&to), HOUSE_ROWS);
    /* What is there is passed over, and still compared. */
    house_ask(&to, "UPDATE house SET whole = 1 WHERE word = 'A' AND n = 1");
    must_fail(COMB_DATA_LOSS, comb_move_copy(out, in, NULL, &sums, &to.t.err), &to.t.err);
    comb_move_row_free(in);
    comb_move_row_free(out);
    house_close(&from);
    house_close(&to);
}

static void each_difference_is_found(void **state)
{
    static const struct {
        const char *spoil, *heal;
    } differences[] = {
        {"UPDATE house SET part = 0.5 WHERE n = 11",
         "UPDATE house SET part = 11 / 7.0 WHERE n = 11"},
        {"UPDATE house SET whole = NULL WHERE n = 1",
         "UPDATE house SET whole = 9223372036854775806 WHERE n = 1"},
        {"INSERT INTO house (word, n) VALUES ('b', 1)", "DELETE FROM house WHERE word = 'b'"},
        {"DELETE FROM house WHERE n = 11", NULL},
    };
    struct house from, to;
    struct comb_error err = {0};
    (void)state;
    house_open_sqlite(&from);
    house_open(&to);
    house_fill(&from);
    copy(&from, &to);
    const struct comb_move_sums was = house_sql_sums(&from);
    for (size_t i = 0; i < sizeof differences / sizeof differences[0]; i++) {
        house_ask(&to, differences[i].spoil);
        struct comb_move_sums is = house_sql_sums(&to);
        must_fail(COMB_DATA_LOSS, comb_move_compare("sql", &was, &is, &err), &err);
        assert_non_null(strstr(err.msg, "house"));
        if (!differences[i].heal)
            break;
        house_ask(&to, differences[i].heal);
        is = house_sql_sums(&to);
        must_ok(comb_move_compare("sql", &was, &is, &err), &err);
    }
    house_close(&from);
    house_close(&to);
}

static void take(struct comb_move_row *row, const char *part, comb_str key, comb_str value,
                 enum comb_status expected)
{
    const struct comb_move_record record = {comb_str_from(part), key, value};
    struct comb_error err = {0};
    enum comb_status status = row->ops->take(row, &record, &err);
    test_must_fail(expected, status, &err, part, __FILE__, __LINE__);
}

static void what_does_not_fit_is_refused(void **state)
{
    static const char more[] = "ALTER TABLE house ADD COLUMN further bigint";
    struct house from, to;
    struct comb_move_sums sums;
    (void)state;
    house_open_sqlite(&from);
    house_open(&to);
    house_fill(&from);
    struct comb_move_row *out = house_sql_stream(&from), *in = house_sql_stream(&to);
    take(in, "house", STR("k"), STR("v"), COMB_DATA_LOSS);           /* begins in its middle */
    take(in, "nowhere", STR(""), STR(""), COMB_FAILED_PRECONDITION); /* no such table */
    house_cut_copy(out, in, records_before_house(&from) + 1);
    take(in, "house", STR("k"), STR("v"), COMB_DATA_LOSS); /* no row */
    comb_move_row_free(in);
    house_ask(&to, more);
    in = house_sql_stream(&to);
    must_fail(COMB_FAILED_PRECONDITION, comb_move_copy(out, in, NULL, &sums, &to.t.err), &to.t.err);
    assert_non_null(strstr(to.t.err.msg, "house"));
    comb_move_row_free(in);
    comb_move_row_free(out);
    house_close(&from);
    house_close(&to);
}

static void sums_have_limits(void **state)
{
    struct comb_move_summer *summer = comb_move_summer_new();
    struct comb_error err = {0};
    char name[COMB_MOVE_PART_BYTES_MAX + 2];
    struct comb_move_record record = {.key = STR("k"), .value = STR("v")};
    (void)state;
    assert_non_null(summer);
    for (int i = 0; i < COMB_MOVE_PARTS_MAX; i++) {
        snprintf(name, sizeof name, "part %d", i);
        record.part = comb_str_from(name);
        must_ok(comb_move_summer_add(summer, &record, &err), &err);
    }
    record.part = STR("one more");
    must_fail(COMB_INTERNAL, comb_move_summer_add(summer, &record, &err), &err);
    comb_move_summer_free(summer);
    summer = comb_move_summer_new();
    assert_non_null(summer);
    memset(name, 'x', sizeof name);
    record.part = comb_str_of(name, COMB_MOVE_PART_BYTES_MAX + 1);
    must_fail(COMB_INTERNAL, comb_move_summer_add(summer, &record, &err), &err);
    comb_move_summer_free(summer);
}

/* ---- the fence ---- */

/* What replicas write for themselves, what a log-in writes, and what is not copied. */
static bool is_taken_meanwhile(const char *table)
{
    static const char *const tables[] = {
        "audit",      "audit_end",  "audit_intake", "audit_seal", "blob_session",
        "feed",       "feed_floor", "folder_total", "heartbeat",  "lease",
        "move_state", "request",    "session",      "set_aside",  "tree_cursor",
    };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (strcmp(tables[i], table) == 0)
            return true;
    return false;
}

/* Whether the store refuses a new row of each table as the fence does; the names' number. */
static unsigned ask_each_table(struct house *house, bool is_fenced)
{
    /* A statement is known by the address of its text. */
    static char names[COMB_MOVE_PARTS_MAX][64], texts[COMB_MOVE_PARTS_MAX][128];
    const struct comb_sql_rows *rows = house_ask(house, house->sql->driver->catalogue);
    unsigned n = 0;
    for (size_t i = 0; i < rows->n_rows; i++) {
        comb_str name = comb_sql_at(rows, i, 0)->bytes;
        if (n > 0 && comb_str_equal(name, comb_str_from(names[n - 1])))
            continue;
        assert_true(n < COMB_MOVE_PARTS_MAX);
        snprintf(names[n], sizeof names[n], "%.*s", COMB_STR_ARG(name));
        snprintf(texts[n], sizeof texts[n], "INSERT INTO \"%s\" DEFAULT VALUES", names[n]);
        n++;
    }
    for (unsigned i = 0; i < n; i++) {
        enum comb_status status = house_run(house, texts[i], NULL, 0, NULL);
        bool refused = status == COMB_UNAVAILABLE && strstr(house->t.err.msg, "is being moved");
        if (refused != (is_fenced && !is_taken_meanwhile(names[i])))
            fail_msg("%s: %s", names[i], house->t.err.msg);
    }
    return n;
}

static void the_fence_refuses_changes_of_every_table(void **state)
{
    static const char *const changes[] = {"INSERT INTO house (word, n) VALUES ('b', 1)",
                                          "UPDATE house SET whole = 3 WHERE n = 11",
                                          "DELETE FROM house WHERE word = 'b' OR n = 11"};
    struct house house;
    (void)state;
    house_open(&house);
    house_fill(&house);
    struct comb_move_sums before = house_sql_sums(&house);
    must_ok(comb_move_fence(house.sql, &house.t.err), &house.t.err);
    must_ok(comb_move_fence(house.sql, &house.t.err), &house.t.err);
    assert_true(ask_each_table(&house, true) > 20);
    for (size_t i = 0; i < 3; i++)
        must_fail(COMB_UNAVAILABLE, house_run(&house, changes[i], NULL, 0, NULL), &house.t.err);
    struct comb_move_sums after = house_sql_sums(&house);
    for (size_t i = 0; i < before.n; i++)
        if (!is_taken_meanwhile(before.items[i].part))
            assert_memory_equal(&before.items[i], &after.items[i], sizeof before.items[i]);
    must_ok(comb_move_unfence(house.sql, &house.t.err), &house.t.err);
    must_ok(comb_move_unfence(house.sql, &house.t.err), &house.t.err);
    ask_each_table(&house, false);
    for (size_t i = 0; i < 3; i++)
        must_ok(house_run(&house, changes[i], NULL, 0, NULL), &house.t.err);
    house_close(&house);
}

static void a_move_is_known_until_it_is_given_up(void **state)
{
    struct comb_move_state is, fenced = {COMB_MOVE_FENCED, "data", "files:/there"},
                               filling = {COMB_MOVE_FILLING, "", "a backup"},
                               none = {.phase = COMB_MOVE_NONE};
    struct house house;
    struct comb_error *err = &house.t.err;
    struct comb_ctx *ctx = &house.t.ctx;
    (void)state;
    house_open(&house);
    must_ok(comb_move_state_may_change(house.sql, ctx, err), err);
    must_ok(comb_move_state_set(house.sql, ctx, &fenced, err), err);
    must_ok(comb_move_state_get(house.sql, ctx, &is, err), err);
    assert_int_equal(is.phase, COMB_MOVE_FENCED);
    assert_string_equal(is.row, "data");
    assert_string_equal(is.other, "files:/there");
    must_fail(COMB_UNAVAILABLE, comb_move_state_may_change(house.sql, ctx, err), err);
    must_ok(comb_move_state_check(house.sql, ctx, err), err);
    must_ok(comb_move_state_set(house.sql, ctx, &none, err), err);
    must_ok(comb_move_state_may_change(house.sql, ctx, err), err);
    must_ok(comb_move_state_set(house.sql, ctx, &filling, err), err);
    must_fail(COMB_FAILED_PRECONDITION, comb_move_state_check(house.sql, ctx, err), err);
    assert_non_null(strstr(err->msg, "a backup"));
    house_close(&house);
}

/* A backup reads for minutes, and what it reads cannot be altered meanwhile: where a change of it
 * has to wait for others' locks, it ends as one that is to be repeated. */
static void who_waits_for_a_lock_is_told_to_come_again(void **state)
{
    static const char change[] = "ALTER TABLE house ADD COLUMN further bigint";
    static const struct comb_sql_statement read = {.text = "SELECT count(*) FROM house"};
    struct comb_sql_snapshot *snapshot = NULL;
    const struct comb_sql_rows *rows;
    struct house house;
    struct comb_error *err = &house.t.err;
    (void)state;
    house_open(&house);
    house_fill(&house);
    must_ok(comb_sql_snapshot_open(house.sql, &house.t.ctx, &snapshot, err), err);
    must_ok(comb_sql_snapshot_read(snapshot, &house.t.ctx, &read, &rows, err), err);
    /* Not what a busy machine makes of it, which is that nobody knows. */
    enum comb_status status = house_run_once(&house, change, NULL, 0, NULL);
    for (int i = 0; i < 20 && err->ambiguous; i++)
        status = house_run_once(&house, change, NULL, 0, NULL);
    if (house.sql->driver->caps & COMB_SQL_CAP_ONE_WRITER) {
        must_ok(status, err); /* its readers hold up no writer */
    } else {
        must_fail(COMB_UNAVAILABLE, status, err);
        assert_true(err->retryable);
        assert_false(err->ambiguous);
        assert_true(err->retry_ms > 0);
        assert_non_null(strstr(err->msg, "lock"));
    }
    comb_sql_snapshot_close(snapshot);
    if (status != COMB_OK)
        must_ok(house_run(&house, change, NULL, 0, NULL), err);
    house_close(&house);
}

int suite_sql(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_the_same_over_drivers),
        cmocka_unit_test(a_copy_that_was_cut_goes_on),
        cmocka_unit_test(each_difference_is_found),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(sums_have_limits),
        cmocka_unit_test(the_fence_refuses_changes_of_every_table),
        cmocka_unit_test(a_move_is_known_until_it_is_given_up),
        cmocka_unit_test(who_waits_for_a_lock_is_told_to_come_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
