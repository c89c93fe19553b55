/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and trimming the change feed (CONSISTENCY 3). */
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/limits.h"
#include "tests/contract/sql/mutation_fixture.h"

static void create_nodes(struct mutation_fixture *m, int first, int last)
{
    for (int i = first; i <= last; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        struct create create = {.m = m, .name = name};
        struct comb_request_key key = new_key(name);
        struct comb_outcome outcome;
        must_ok(run_create(&create, &m->f->t, &key, &outcome), &m->f->t.err);
    }
}

static struct comb_position start_of(struct mutation_fixture *m)
{
    struct comb_sql_info info;
    comb_sql_get_info(m->f->sql, &info);
    return (struct comb_position){info.incarnation, 0};
}

static void entries_come_back_as_they_were_written(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    const struct comb_feed_record *records;
    struct comb_position end;
    size_t n;
    int64_t before_us = comb_clock_wall_us();
    create_nodes(m, 1, 1);
    must_ok(comb_feed_read(m->f->sql, &t->ctx, start_of(m), 10, &records, &n, &end, &t->err),
            &t->err);
    assert_int_equal(n, 1);
    const struct comb_feed_entry *entry = &records[0].entry;
    assert_int_equal(entry->kind, COMB_FEED_NODE_CREATED);
    assert_int_equal(entry->revision, 7);
    assert_int_equal(entry->bytes_delta, -5);
    assert_int_equal(entry->n_ancestors, 1);
    assert_true(comb_uuid_equal(&entry->ancestors[0], &m->folder));
    assert_int_equal(entry->n_old_ancestors, 0);
    assert_true(comb_uuid_is_nil(&entry->old_parent));
    assert_int_equal(entry->old_name.len, 0);
    assert_true(comb_str_equal(entry->payload, STR("n1")));
    assert_true(comb_uuid_equal(&records[0].actor, &t->principal.user));
    assert_in_range(records[0].time_us, before_us, comb_clock_wall_us());
    assert_int_equal(end.sequence, 1);
    assert_int_equal(records[0].position.sequence, 1);
}

static void a_reader_skips_nothing_and_ends_at_the_head(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct comb_position at = start_of(m);
    int seen = 0;
    create_nodes(m, 1, 25);
    for (size_t n = 1; n > 0;) {
        const struct comb_feed_record *records;
        must_ok(comb_feed_read(m->f->sql, &t->ctx, at, 10, &records, &n, &at, &t->err), &t->err);
        for (size_t i = 0; i < n; i++) {
            char name[16];
            snprintf(name, sizeof name, "n%d", ++seen);
            assert_true(comb_str_equal(records[i].entry.payload, comb_str_from(name)));
            assert_int_equal(records[i].position.sequence, seen);
        }
    }
    assert_int_equal(seen, 25);
    assert_int_equal(at.sequence, 25);
}

static void cursors_of_elsewhere_are_refused(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    const struct comb_feed_record *records;
    struct comb_position end, start = start_of(m);
    size_t n;
    create_nodes(m, 1, 2);
    const struct comb_position bad[] = {{start.incarnation + 1, 1},
                                        {0, 0},
                                        {start.incarnation, 3},
                                        {start.incarnation, UINT64_MAX}};
    for (size_t i = 0; i < N_OF(bad); i++) {
        must_fail(COMB_INVALID_ARGUMENT,
                  comb_feed_read(m->f->sql, &t->ctx, bad[i], 10, &records, &n, &end, &t->err),
                  &t->err);
        assert_int_equal(t->err.reason, COMB_V1_ERROR_REASON_CURSOR_INVALID);
    }
}

static void trimming_leaves_what_is_young_and_expires_old_cursors(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    const struct comb_feed_record *records;
    struct comb_position end, at = start_of(m);
    size_t n;
    create_nodes(m, 1, 3);
    write_text(m, "UPDATE feed SET time_us = time_us - 1000000000000");
    /* Of an old clock, but behind a young one: it stays, a feed has no holes. */
    create_nodes(m, 4, 5);
    write_text(m, "UPDATE feed SET time_us = time_us - 1000000000000 WHERE seq = 5");
    must_ok(comb_feed_trim(m->f->sql, &t->ctx, COMB_FEED_KEEP_US, &t->err), &t->err);
    must_fail(COMB_OUT_OF_RANGE,
              comb_feed_read(m->f->sql, &t->ctx, at, 10, &records, &n, &end, &t->err), &t->err);
    assert_int_equal(t->err.reason, COMB_V1_ERROR_REASON_CURSOR_EXPIRED);
    at.sequence = 2;
    must_fail(COMB_OUT_OF_RANGE,
              comb_feed_read(m->f->sql, &t->ctx, at, 10, &records, &n, &end, &t->err), &t->err);
    at.sequence = 3;
    must_ok(comb_feed_read(m->f->sql, &t->ctx, at, 10, &records, &n, &end, &t->err), &t->err);
    assert_int_equal(n, 2);
}

static void an_empty_feed_keeps_its_head(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    const struct comb_feed_record *records;
    struct comb_position end, head;
    size_t n;
    create_nodes(m, 1, 3);
    must_ok(comb_feed_trim(m->f->sql, &t->ctx, -COMB_US_PER_S, &t->err), &t->err);
    assert_int_equal(number(m->f, "SELECT count(*) FROM feed"), 0);
    must_ok(comb_feed_head(m->f->sql, &t->ctx, &head, &t->err), &t->err);
    assert_int_equal(head.sequence, 3);
    must_ok(comb_feed_read(m->f->sql, &t->ctx, head, 10, &records, &n, &end, &t->err), &t->err);
    assert_int_equal(n, 0);
    assert_int_equal(end.sequence, 3);
    create_nodes(m, 4, 4);
    must_ok(comb_feed_read(m->f->sql, &t->ctx, head, 10, &records, &n, &end, &t->err), &t->err);
    assert_int_equal(n, 1);
    assert_int_equal(end.sequence, 4);
}

static void trimming_goes_on_over_batches(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    write_text(m, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3500)"
                  " INSERT INTO feed (time_us, kind, subject, rev, actor, old_parent, old_name,"
                  " ancestors, old_ancestors, bytes_delta, payload)"
                  " SELECT i, 1, x'', 1, x'', x'', '', x'', x'', 0, x'' FROM n");
    write_text(m, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)"
                  " INSERT INTO request SELECT x'', '', i, x'', x'', i, 0 FROM n");
    create_nodes(m, 1, 1);
    must_ok(comb_mutations_trim(m->mutations, &t->ctx, COMB_FEED_KEEP_US, &t->err), &t->err);
    assert_int_equal(number(m->f, "SELECT count(*) FROM feed"), 1);
    assert_int_equal(number(m->f, "SELECT seq FROM feed_floor"), 3500);
    assert_int_equal(number(m->f, "SELECT count(*) FROM request"), 1);
}

static void an_id_is_kept_as_long_as_it_is_accepted(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    create_nodes(m, 1, 2);
    write_text(m, "UPDATE request SET time_us = time_us - 24 * 3600000000");
    must_ok(comb_mutations_trim(m->mutations, &t->ctx, COMB_FEED_KEEP_US, &t->err), &t->err);
    assert_int_equal(number(m->f, "SELECT count(*) FROM request"), 2);
    write_text(m, "UPDATE request SET time_us = time_us - 3700000000");
    must_ok(comb_mutations_trim(m->mutations, &t->ctx, COMB_FEED_KEEP_US, &t->err), &t->err);
    assert_int_equal(number(m->f, "SELECT count(*) FROM request"), 0);
}

static void payloads_that_do_not_fit_together_come_apart(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct comb_position at = start_of(m);
    size_t n, seen = 0;
    write_text(m, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
                  " INSERT INTO feed (time_us, kind, subject, rev, actor, old_parent, old_name,"
                  " ancestors, old_ancestors, bytes_delta, payload)"
                  " SELECT i, 1, zeroblob(16), 1, zeroblob(16), zeroblob(16), '', x'', x'', 0,"
                  " zeroblob(1000000) FROM n");
    do {
        const struct comb_feed_record *records;
        test_ctx_next(t);
        must_ok(comb_feed_read(m->f->sql, &t->ctx, at, 1000, &records, &n, &at, &t->err), &t->err);
        seen += n;
    } while (n > 0);
    assert_int_equal(seen, 40);
}

static void a_damaged_entry_is_said_to_be_so(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    const char *const damages[] = {
        "UPDATE feed SET subject = x'01'",
        "UPDATE feed SET subject = zeroblob(16), ancestors = x'01'",
        "UPDATE feed SET ancestors = zeroblob(16 * 1000)",
        "UPDATE feed SET ancestors = x'', rev = 'many'",
    };
    create_nodes(m, 1, 1);
    for (size_t i = 0; i < N_OF(damages); i++) {
        const struct comb_feed_record *records;
        struct comb_position end;
        size_t n;
        write_text(m, damages[i]);
        must_fail(COMB_DATA_LOSS,
                  comb_feed_read(m->f->sql, &t->ctx, start_of(m), 10, &records, &n, &end, &t->err),
                  &t->err);
    }
}

int run_suite_feed(void)
{
    const struct CMUnitTest feed[] = {
        MUTATION_TEST(entries_come_back_as_they_were_written),
        MUTATION_TEST(a_reader_skips_nothing_and_ends_at_the_head),
        MUTATION_TEST(cursors_of_elsewhere_are_refused),
        MUTATION_TEST(trimming_leaves_what_is_young_and_expires_old_cursors),
        MUTATION_TEST(an_empty_feed_keeps_its_head),
        MUTATION_TEST(trimming_goes_on_over_batches),
        MUTATION_TEST(an_id_is_kept_as_long_as_it_is_accepted),
        MUTATION_TEST(payloads_that_do_not_fit_together_come_apart),
        MUTATION_TEST(a_damaged_entry_is_said_to_be_so),
    };
    return cmocka_run_group_tests(feed, NULL, NULL);
}
