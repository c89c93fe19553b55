/* SPDX-License-Identifier: Apache-2.0 */
/* Each way to spoil a trail, done beside the server, and what verify says of it. */
#include <stdlib.h>
#include <string.h>

#include "tests/contract/audit/trail.h"

#define LINES 40

static void a_trail_that_nobody_touched_is_whole(void **state)
{
    struct trail *f = *state;
    trail_must_be(f, COMB_AUDIT_WHOLE, 0, 0);
    trail_add(f, LINES);
    trail_settle(f);
    assert_int_equal(comb_sql_at(trail_ask(f, "SELECT count(*) FROM audit"), 0, 0)->integer, LINES);
    assert_int_equal(comb_sql_at(trail_ask(f, "SELECT count(*) FROM audit_intake"), 0, 0)->integer,
                     0);
    trail_must_be(f, COMB_AUDIT_WHOLE, 0, 0);
    /* Lines behind the last head are no fault. */
    trail_add(f, 3);
    trail_must_be(f, COMB_AUDIT_WHOLE, 0, 0);
}

static void sign(struct trail *f)
{
    trail_add(f, LINES);
    trail_settle(f);
}

static void a_changed_record_is_found(void **state)
{
    struct trail *f = *state;
    sign(f);
    assert_int_equal(trail_spoil(f,
                                 "UPDATE audit SET record = (SELECT record FROM audit WHERE n = 9)"
                                 " WHERE n = 17",
                                 NULL, 0),
                     1);
    trail_must_be(f, COMB_AUDIT_CHANGED, 17, 17);
}

static void a_line_that_is_found_by_something_else_is_found(void **state)
{
    struct trail *f = *state;
    const struct comb_uuid other = {{9}};
    const struct comb_sql_value who = comb_sql_uuid(&other);
    sign(f);
    assert_int_equal(trail_spoil(f, "UPDATE audit SET who = ?1 WHERE n = 12", &who, 1), 1);
    trail_must_be(f, COMB_AUDIT_CHANGED, 12, 12);
}

static void a_changed_time_of_numbering_is_found(void **state)
{
    struct trail *f = *state;
    sign(f);
    trail_spoil(f, "UPDATE audit SET number_us = number_us - 1 WHERE n = 40", NULL, 0);
    trail_must_be(f, COMB_AUDIT_CHANGED, 40, 40);
}

/* With the hash made anew, as who knows the form does; the line behind it tells. */
static void rehash(struct trail *f, int64_t n, const char *record)
{
    struct comb_sql_value params[3] = {comb_sql_integer(n)};
    const struct comb_sql_statement ask = {"SELECT number_us, before FROM audit WHERE n = ?1",
                                           params, 1, false};
    const struct comb_sql_request request = {COMB_SQL_READ, 0, &ask, 1};
    const struct comb_sql_result *result;
    uint8_t hash[COMB_AUDIT_HASH_SIZE];
    must_ok(comb_sql_run(f->sql, &f->t.ctx, &request, &result, &f->t.err), &f->t.err);
    const struct comb_sql_value *row = comb_sql_at(&result->rows[0], 0, 0);
    assert_true(comb_audit_line_hash((const uint8_t *)row[1].bytes.ptr, (uint64_t)n, row[0].integer,
                                     record, strlen(record), hash));
    params[1] = comb_sql_blob(comb_str_from(record));
    params[2] = comb_sql_blob(comb_str_of(hash, sizeof hash));
    assert_int_equal(
        trail_spoil(f, "UPDATE audit SET record = ?2, hash = ?3 WHERE n = ?1", params, 3), 1);
}

static void a_changed_record_with_a_hash_of_its_own_is_found(void **state)
{
    struct trail *f = *state;
    sign(f);
    /* No record at all, but its index agrees with that. */
    rehash(f, 20, "\xff");
    trail_spoil(f,
                "UPDATE audit SET who = NULL, node = NULL, intent = NULL, code = 0, time_us = 0"
                " WHERE n = 20",
                NULL, 0);
    trail_must_be(f, COMB_AUDIT_CHANGED, 20, 20);
}

static void the_last_line_rewritten_is_found_by_the_head(void **state)
{
    struct trail *f = *state;
    sign(f);
    rehash(f, LINES, "\xff");
    trail_spoil(f,
                "UPDATE audit SET who = NULL, node = NULL, intent = NULL, code = 0, time_us = 0"
                " WHERE n = 40",
                NULL, 0);
    trail_must_be(f, COMB_AUDIT_REWRITTEN, 1, LINES);
}

static void a_missing_line_is_found(void **state)
{
    struct trail *f = *state;
    sign(f);
    assert_int_equal(trail_spoil(f, "DELETE FROM audit WHERE n BETWEEN 8 AND 9", NULL, 0), 2);
    trail_must_be(f, COMB_AUDIT_MISSING, 8, 9);
}

static void the_first_lines_missing_are_found(void **state)
{
    struct trail *f = *state;
    sign(f);
    trail_spoil(f, "DELETE FROM audit WHERE n <= 3", NULL, 0);
    trail_must_be(f, COMB_AUDIT_MISSING, 1, 3);
}

/* The lines behind a missing one move up, without new hashes. */
static void a_missing_line_whose_gap_is_closed_is_found(void **state)
{
    struct trail *f = *state;
    sign(f);
    trail_spoil(f, "DELETE FROM audit WHERE n = 8", NULL, 0);
    trail_spoil(f, "UPDATE audit SET n = n + 1000 WHERE n > 8", NULL, 0);
    trail_spoil(f, "UPDATE audit SET n = n - 1001 WHERE n > 1000", NULL, 0);
    trail_must_be(f, COMB_AUDIT_CHANGED, 8, 8);
}

static void swap_numbers(struct trail *f, int64_t a, int64_t b)
{
    const struct comb_sql_value params[] = {comb_sql_integer(a), comb_sql_integer(b)};
    const struct comb_sql_value second = comb_sql_integer(b), first = comb_sql_integer(a);
    trail_spoil(f, "UPDATE audit SET n = -1 WHERE n = ?1", &first, 1);
    trail_spoil(f, "UPDATE audit SET n = ?1 WHERE n = ?2", params, 2);
    trail_spoil(f, "UPDATE audit SET n = ?1 WHERE n = -1", &second, 1);
}

static void swapped_lines_are_found(void **state)
{
    struct trail *f = *state;
    sign(f);
    swap_numbers(f, 11, 30);
    trail_must_be(f, COMB_AUDIT_SWAPPED, 11, 30);
    swap_numbers(f, 11, 30);
    trail_must_be(f, COMB_AUDIT_WHOLE, 0, 0);
    swap_numbers(f, 5, 6);
    trail_must_be(f, COMB_AUDIT_SWAPPED, 5, 6);
}

static void a_cut_tail_is_found(void **state)
{
    struct trail *f = *state;
    sign(f);
    assert_int_equal(trail_spoil(f, "DELETE FROM audit WHERE n > 33", NULL, 0), LINES - 33);
    trail_must_be(f, COMB_AUDIT_CUT, 34, LINES);
    /* Also where the end is moved back, and the head in SQL removed. */
    trail_spoil(f, "UPDATE audit_end SET n = 33, hash = (SELECT hash FROM audit WHERE n = 33)",
                NULL, 0);
    trail_spoil(f, "DELETE FROM audit_seal", NULL, 0);
    trail_must_be(f, COMB_AUDIT_CUT, 34, LINES);
}

/* Nothing is signed over the evidence, however many lines come behind. */
static void a_cut_tail_stays_found(void **state)
{
    struct trail *f = *state;
    sign(f);
    comb_audit_stop(f->audit);
    trail_spoil(f, "DELETE FROM audit WHERE n > 33", NULL, 0);
    trail_spoil(f, "UPDATE audit_end SET n = 33, hash = (SELECT hash FROM audit WHERE n = 33)",
                NULL, 0);
    trail_spoil(f, "DELETE FROM audit_seal", NULL, 0);
    trail_settle(f);
    trail_add(f, LINES);
    trail_settle(f);
    assert_int_equal(comb_sql_at(trail_ask(f, "SELECT count(*) FROM audit"), 0, 0)->integer,
                     LINES + 33);
    trail_must_be(f, COMB_AUDIT_REWRITTEN, 1, LINES);
}

static void a_whole_rewritten_trail_is_found(void **state)
{
    struct trail *f = *state;
    sign(f);
    comb_audit_stop(f->audit);
    /* As if it had never been: the same server makes a new one. */
    trail_spoil(f, "DELETE FROM audit", NULL, 0);
    trail_spoil(f, "DELETE FROM audit_seal", NULL, 0);
    const uint8_t zeros[COMB_AUDIT_HASH_SIZE] = {0};
    const struct comb_sql_value zero = comb_sql_blob(comb_str_of(zeros, sizeof zeros));
    trail_spoil(f, "UPDATE audit_end SET n = 0, number_us = 0, hash = ?1", &zero, 1);
    trail_settle(f);
    trail_add(f, 2 * LINES);
    trail_settle(f);
    trail_must_be(f, COMB_AUDIT_REWRITTEN, 1, LINES);
}

static void a_head_of_before_is_found(void **state)
{
    struct trail *f = *state;
    sign(f);
    comb_str value = trail_head(f);
    char *old = malloc(value.len);
    assert_non_null(old);
    memcpy(old, value.ptr, value.len);
    value.ptr = old;
    sign(f);
    trail_put_head(f, value);
    trail_must_be(f, COMB_AUDIT_PUT_BACK, LINES, 2 * LINES);
    /* Also where the trail was cut to fit it. */
    trail_spoil(f, "DELETE FROM audit WHERE n > 40", NULL, 0);
    trail_spoil(f, "DELETE FROM audit_seal", NULL, 0);
    trail_spoil(f, "UPDATE audit_end SET n = 40, hash = (SELECT hash FROM audit WHERE n = 40)",
                NULL, 0);
    trail_must_be(f, COMB_AUDIT_PUT_BACK, LINES, 2 * LINES);
    trail_put_head(f, (comb_str){NULL, 0});
    trail_must_be(f, COMB_AUDIT_NO_HEAD, 2 * LINES, 2 * LINES);
    free(old);
}

static void a_forged_head_is_found(void **state)
{
    struct trail *f = *state;
    sign(f);
    comb_str value = trail_head(f);
    char *forged = malloc(value.len + 1);
    assert_non_null(forged);
    memcpy(forged, value.ptr, value.len);
    forged[value.len] = '\0';
    char *number = strstr(forged, "\"number\":40");
    assert_non_null(number);
    number[9] = '3';
    trail_put_head(f, comb_str_from(forged));
    trail_must_be(f, COMB_AUDIT_FORGED, 30, 30);
    trail_put_head(f, STR("\"what\""));
    trail_must_be(f, COMB_AUDIT_FORGED, 0, 0);
    free(forged);
}

static void a_forged_floor_is_found(void **state)
{
    struct trail *f = *state;
    sign(f);
    trail_spoil(f, "DELETE FROM audit WHERE n <= 5", NULL, 0);
    trail_spoil(f,
                "INSERT INTO audit_seal (kind, n, time_us, key, hash, signature)"
                " SELECT 2, 5, time_us, key, (SELECT before FROM audit WHERE n = 6), signature"
                " FROM audit_seal WHERE kind = 1",
                NULL, 0);
    trail_must_be(f, COMB_AUDIT_FORGED, 5, 5);
}

static void what_is_too_old_is_trimmed_and_the_rest_verifies(void **state)
{
    struct trail *f = *state;
    struct comb_audit_parts parts = trail_parts(f);
    sign(f);
    /* All that is there is too old for it; what no head was signed for stays. */
    parts.keep_us = 1;
    trail_settle_with(f, &parts);
    trail_add(f, LINES);
    trail_settle(f);
    const struct comb_sql_rows *rows = trail_ask(f, "SELECT count(*), min(n) FROM audit");
    assert_true(comb_sql_at(rows, 0, 0)->integer < 2 * LINES);
    trail_must_be(f, COMB_AUDIT_WHOLE, 0, 0);
    trail_add(f, 3);
    trail_settle(f);
    trail_must_be(f, COMB_AUDIT_WHOLE, 0, 0);
    trail_spoil(f, "DELETE FROM audit WHERE n = (SELECT min(n) FROM audit)", NULL, 0);
    assert_int_equal(trail_verify(f).fault, COMB_AUDIT_MISSING);
}

int main(void)
{
#define TRAIL_TEST(name) cmocka_unit_test_setup_teardown(name, trail_setup, trail_teardown)
    const struct CMUnitTest tests[] = {
        TRAIL_TEST(a_trail_that_nobody_touched_is_whole),
        TRAIL_TEST(a_changed_record_is_found),
        TRAIL_TEST(a_line_that_is_found_by_something_else_is_found),
        TRAIL_TEST(a_changed_time_of_numbering_is_found),
        TRAIL_TEST(a_changed_record_with_a_hash_of_its_own_is_found),
        TRAIL_TEST(the_last_line_rewritten_is_found_by_the_head),
        TRAIL_TEST(a_missing_line_is_found),
        TRAIL_TEST(the_first_lines_missing_are_found),
        TRAIL_TEST(a_missing_line_whose_gap_is_closed_is_found),
        TRAIL_TEST(swapped_lines_are_found),
        TRAIL_TEST(a_cut_tail_is_found),
        TRAIL_TEST(a_cut_tail_stays_found),
        TRAIL_TEST(a_whole_rewritten_trail_is_found),
        TRAIL_TEST(a_head_of_before_is_found),
        TRAIL_TEST(a_forged_head_is_found),
        TRAIL_TEST(a_forged_floor_is_found),
        TRAIL_TEST(what_is_too_old_is_trimmed_and_the_rest_verifies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
