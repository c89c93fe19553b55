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

static struct comb_cursor start_of(struct mutation_fixture *m)
{
    return (struct comb_cursor){comb_sql_incarnation(m->f->sql), 0};
}

static enum comb_status read_feed(struct mutation_fixture *m, struct comb_cursor after, size_t max,
                                  struct comb_feed_page *ret_page)
{
    struct test_ctx *t = &m->f->t;
    return comb_feed_read(m->f->sql, &t->ctx, after, max, ret_page, &t->err);
}

static struct comb_feed_page must_read(struct mutation_fixture *m, struct comb_cursor after,
                                       size_t max)
{
    struct comb_feed_page page = {.n = 0};
    must_ok(read_feed(m, after, max, &page), &m->f->t.err);
    return page;
}

static void entries_come_back_as_they_were_written(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    int64_t before_us = comb_clock_wall_us();
    create_nodes(m, 1, 1);
    struct comb_feed_page page = must_read(m, start_of(m), 10);
    assert_int_equal(page.n, 1);
    const struct comb_feed_entry *entry = &page.records[0].entry;
    assert_int_equal(entry->kind, COMB_FEED_NODE_CREATED);
    assert_int_equal(entry->revision, 7);
    assert_int_equal(entry->bytes_delta, -5);
    assert_int_equal(entry->n_ancestors, 1);
    assert_true(comb_uuid_equal(&entry->ancestors[0], &m->folder));
    assert_int_equal(entry->n_old_ancestors, 0);
    assert_true(comb_uuid_is_nil(&entry->old_parent));
    assert_int_equal(entry->old_name.len, 0);
    assert_true(comb_str_equal(entry->payload, STR("n1")));
    assert_true(comb_uuid_equal(&page.records[0].actor, &t->principal.user));
    assert_in_range(page.records[0].time_us, before_us, comb_clock_wall_us());
    assert_true(page.end.sequence == page.records[0].cursor.sequence);
}

static void a_reader_skips_nothing_and_ends_at_the_head(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct comb_feed_page page = {.n = 1, .end = start_of(m)};
    struct comb_cursor head;
    int seen = 0;
    create_nodes(m, 1, 25);
    uint64_t written = t->ctx.reached.sequence, last = 0;
    while (page.n > 0) {
        page = must_read(m, page.end, 10);
        for (size_t i = 0; i < page.n; i++) {
            char name[16];
            snprintf(name, sizeof name, "n%d", ++seen);
            assert_true(comb_str_equal(page.records[i].entry.payload, comb_str_from(name)));
            assert_true(page.records[i].cursor.sequence > last);
            last = page.records[i].cursor.sequence;
        }
    }
    assert_int_equal(seen, 25);
    must_ok(comb_feed_head(m->f->sql, &t->ctx, &head, &t->err), &t->err);
    assert_true(page.end.sequence == head.sequence);
    assert_true(page.complete.sequence >= written);
}

/* Who has read a page says that nothing of a position is missing only where that is so. */
static void a_page_says_up_to_where_it_is_complete(void **state)
{
    struct mutation_fixture *m = *state;
    uint64_t written[3];
    for (int i = 0; i < 3; i++) {
        create_nodes(m, i + 1, i + 1);
        written[i] = m->f->t.ctx.reached.sequence;
    }
    struct comb_feed_page page = {.end = start_of(m)};
    for (int i = 0; i < 3; i++) {
        page = must_read(m, page.end, 1);
        assert_int_equal(page.n, 1);
        assert_true(i == 2 || page.complete.sequence < written[i + 1]);
    }
    page = must_read(m, page.end, 1);
    assert_int_equal(page.n, 0);
    assert_true(page.complete.sequence >= written[2]);
}

static void cursors_of_elsewhere_are_refused(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct comb_feed_page page;
    struct comb_cursor head;
    create_nodes(m, 1, 2);
    must_ok(comb_feed_head(m->f->sql, &t->ctx, &head, &t->err), &t->err);
    const struct comb_cursor bad[] = {{head.incarnation + 1, 1},
                                      {0, 0},
                                      {head.incarnation, head.sequence + 1},
                                      {head.incarnation, UINT64_MAX}};
    for (size_t i = 0; i < N_OF(bad); i++) {
        must_fail(COMB_INVALID_ARGUMENT, read_feed(m, bad[i], 10, &page), &t->err);
        assert_int_equal(t->err.reason, COMB_V1_ERROR_REASON_CURSOR_INVALID);
    }
}

static void trimming_leaves_what_is_young_and_expires_old_cursors(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct comb_feed_page page;
    create_nodes(m, 1, 3);
    write_text(m, "UPDATE feed SET time_us = time_us - 1000000000000");
    /* Of an old clock, but behind a young one: it stays, a feed has no holes. */
    create_nodes(m, 4, 5);
    write_text(m, "UPDATE feed SET time_us = time_us - 1000000000000"
                  " WHERE seq = (SELECT max(seq) FROM feed)");
    page = must_read(m, start_of(m), 10);
    assert_int_equal(page.n, 5);
    struct comb_cursor second = page.records[1].cursor, third = page.records[2].cursor;
    must_ok(comb_feed_trim(m->f->sql, &t->ctx, COMB_FEED_KEEP_US, &t->err), &t->err);
    must_fail(COMB_OUT_OF_RANGE, read_feed(m, start_of(m), 10, &page), &t->err);
    assert_int_equal(t->err.reason, COMB_V1_ERROR_REASON_CURSOR_EXPIRED);
    must_fail(COMB_OUT_OF_RANGE, read_feed(m, second, 10, &page), &t->err);
    page = must_read(m, third, 10);
    assert_int_equal(page.n, 2);
}

static void an_empty_feed_keeps_its_head(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct comb_cursor last, head;
    create_nodes(m, 1, 3);
    last = must_read(m, start_of(m), 10).end;
    must_ok(comb_feed_trim(m->f->sql, &t->ctx, -COMB_US_PER_S, &t->err), &t->err);
    assert_int_equal(number(m->f, "SELECT count(*) FROM feed"), 0);
    must_ok(comb_feed_head(m->f->sql, &t->ctx, &head, &t->err), &t->err);
    assert_true(head.sequence == last.sequence);
    struct comb_feed_page page = must_read(m, head, 10);
    assert_int_equal(page.n, 0);
    assert_true(page.end.sequence == last.sequence);
    create_nodes(m, 4, 4);
    page = must_read(m, head, 10);
    assert_int_equal(page.n, 1);
    assert_true(page.end.sequence > last.sequence);
}

static void trimming_goes_on_over_batches(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    write_text(m, driver_old_entries_sql);
    write_text(m, driver_old_requests_sql);
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
    write_text(m, "UPDATE request SET time_us = time_us - 86400000000");
    must_ok(comb_mutations_trim(m->mutations, &t->ctx, COMB_FEED_KEEP_US, &t->err), &t->err);
    assert_int_equal(number(m->f, "SELECT count(*) FROM request"), 2);
    write_text(m, "UPDATE request SET time_us = time_us - 3700000000");
    must_ok(comb_mutations_trim(m->mutations, &t->ctx, COMB_FEED_KEEP_US, &t->err), &t->err);
    assert_int_equal(number(m->f, "SELECT count(*) FROM request"), 0);
}

static void payloads_that_do_not_fit_together_come_apart(void **state)
{
    struct mutation_fixture *m = *state;
    struct comb_feed_page page = {.end = start_of(m)};
    size_t seen = 0;
    for (int i = 0; i < 40; i++)
        write_text(m, driver_large_entry_sql);
    do {
        test_ctx_next(&m->f->t);
        page = must_read(m, page.end, 1000);
        seen += page.n;
    } while (page.n > 0);
    assert_int_equal(seen, 40);
}

static void a_damaged_entry_is_said_to_be_so(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    create_nodes(m, 1, 1);
    for (const char *const *damage = driver_damages_sql; *damage; damage++) {
        struct comb_feed_page page;
        write_text(m, *damage);
        must_fail(COMB_DATA_LOSS, read_feed(m, start_of(m), 10, &page), &t->err);
    }
}

int run_suite_feed(void)
{
    const struct CMUnitTest feed[] = {
        MUTATION_TEST(entries_come_back_as_they_were_written),
        MUTATION_TEST(a_reader_skips_nothing_and_ends_at_the_head),
        MUTATION_TEST(a_page_says_up_to_where_it_is_complete),
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
