/* SPDX-License-Identifier: Apache-2.0 */
/* Counting, following, and what is not kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/clock.h"
#include "server/items/keep.h"
#include "tests/contract/logs/fixture.h"
#include "tests/contract/logs/suites.h"

#define HOUR_US (3600 * US_PER_S)

/* ---- counts ---- */

/* "ENTRIES/ERRORS/WARNINGS" of each period, newest first, all calls together. */
static const char *count(struct fixture *f, const struct comb_log_filter *filter, size_t *ret_calls)
{
    static char text[1024];
    char next[COMB_ITEM_ID_LENGTH + 1] = "";
    struct {
        int64_t seconds;
        unsigned entries, errors, warnings;
    } periods[16];
    size_t n = 0, len = 0;
    *ret_calls = 0;
    do {
        struct comb_log_counts counts;
        test_ctx_next(&f->t);
        must_ok(comb_logs_count(f->logs, &f->t.ctx, filter, HOUR_US, comb_str_from(next), &counts,
                                &f->t.err),
                &f->t.err);
        for (size_t i = 0; i < counts.n; i++) {
            const struct comb_v1_log_count *count = counts.counts[i];
            assert_int_equal(count->period->seconds % 3600, 0);
            if (n == 0 || periods[n - 1].seconds != count->period->seconds) {
                assert_true(n < 16 && (n == 0 || periods[n - 1].seconds > count->period->seconds));
                memset(&periods[n], 0, sizeof periods[n]);
                periods[n++].seconds = count->period->seconds;
            }
            periods[n - 1].entries += (unsigned)count->entries;
            periods[n - 1].errors += (unsigned)count->errors;
            periods[n - 1].warnings += (unsigned)count->warnings;
        }
        memcpy(next, counts.next.len > 0 ? counts.next.ptr : "", counts.next.len + 1);
        ++*ret_calls;
    } while (next[0]);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%u/%u/%u", i > 0 ? " " : "",
                                periods[i].entries, periods[i].errors, periods[i].warnings);
    return text;
}

static void entries_are_counted_by_period(void **state)
{
    struct fixture *f = *state;
    struct comb_log_filter filter = filter_of(f);
    struct comb_log_entry entries[60];
    size_t n_calls;
    for (int i = 0; i < 60; i++) {
        entries[i] = entry_of(f, i * HOUR_US / 20, i % 2 == 0 ? "even" : "odd");
        entries[i].level = i % 10 == 0  ? COMB_LOG_ERROR
                           : i % 5 == 0 ? COMB_LOG_WARN
                                        : COMB_LOG_INFO;
    }
    append(f, entries, 60);
    assert_string_equal(count(f, &filter, &n_calls), "20/2/2 20/2/2 20/2/2");
    filter.text = STR("odd");
    assert_string_equal(count(f, &filter, &n_calls), "10/0/2 10/0/2 10/0/2");
    filter.since_us = f->base_us + HOUR_US / 2;
    filter.until_us = f->base_us + 3 * HOUR_US / 2;
    assert_string_equal(count(f, &filter, &n_calls), "5/0/1 5/0/1");
    filter.text = STR("neither");
    assert_string_equal(count(f, &filter, &n_calls), "");
    assert_int_equal(n_calls, 1);
}

/* What is more than a call looks at is counted by the next one, once. */
static void a_count_goes_on(void **state)
{
    struct fixture *f = *state;
    enum { N = COMB_LOGS_LONG_PAGES * EXAMINED_MAX + 5 };
    static struct comb_log_entry entries[N];
    struct comb_log_filter filter = filter_of(f);
    char expected[32];
    size_t n_calls;
    for (int i = 0; i < N; i++)
        entries[i] = entry_of(f, i, "x");
    append(f, entries, N);
    snprintf(expected, sizeof expected, "%d/0/0", N);
    assert_string_equal(count(f, &filter, &n_calls), expected);
    assert_true(n_calls >= 2);
}

/* ---- following: by the clock of this moment ---- */

struct news {
    char text[1 << 15];
    size_t n;
    bool had_gap;
};

/* Everything that there is for who follows. */
static void take_news(struct fixture *f, struct comb_log_follow *follow, struct news *news)
{
    bool more = true;
    for (int turn = 0; more; turn++) {
        struct comb_log_news got;
        size_t len = strlen(news->text);
        assert_true(turn < 1000);
        test_ctx_next(&f->t);
        must_ok(comb_logs_follow_next(follow, &f->t.ctx, &got, &f->t.err), &f->t.err);
        assert_true(got.n <= COMB_LOGS_NEWS_MAX);
        for (size_t i = 0; i < got.n; i++)
            len += (size_t)snprintf(news->text + len, sizeof news->text - len, "%s ",
                                    got.entries[i]->message);
        assert_true(len < sizeof news->text);
        news->n += got.n;
        news->had_gap = news->had_gap || got.gap_until_us > 0;
        more = got.more;
    }
}

/* At the moment, by the clock; later calls are later. */
static void say_now(struct fixture *f, int64_t offset_us, const char *service, const char *text)
{
    struct comb_log_entry entry = entry_of(f, 0, text);
    entry.time_us = comb_clock_wall_us() + offset_us;
    entry.service = comb_str_from(service);
    append(f, &entry, 1);
}

static struct comb_log_follow *follow(struct fixture *f, const struct comb_log_filter *filter)
{
    struct comb_log_follow *made = NULL;
    must_ok(comb_logs_follow_new(f->logs, filter, &made, &f->t.err), &f->t.err);
    return made;
}

static void what_comes_is_given_once(void **state)
{
    struct fixture *f = *state;
    struct comb_log_filter filter = {.service = STR("once")};
    static struct news news;
    say_now(f, -20 * US_PER_S, "once", "before");
    struct comb_log_follow *one = follow(f, &filter);
    take_news(f, one, &news);
    assert_string_equal(news.text, "");
    /* A little ahead of the clock, so that a machine that stalls does not make it late. */
    say_now(f, 40 * US_PER_S, "once", "a");
    say_now(f, 40 * US_PER_S, "other", "b");
    take_news(f, one, &news);
    take_news(f, one, &news);
    assert_string_equal(news.text, "a ");
    /* One that arrives behind another with a later time. */
    say_now(f, 30 * US_PER_S, "once", "late");
    take_news(f, one, &news);
    take_news(f, one, &news);
    assert_string_equal(news.text, "a late ");
    assert_false(news.had_gap);
    comb_logs_follow_free(one);
}

static void one_may_begin_a_while_ago(void **state)
{
    struct fixture *f = *state;
    struct comb_log_filter filter = {.service = STR("ago")};
    static struct news news;
    static struct comb_log_entry entries[150];
    static char texts[150][8];
    for (int i = 0; i < 150; i++) {
        snprintf(texts[i], sizeof texts[i], "%d", i);
        entries[i] = entry_of(f, 0, texts[i]);
        entries[i].time_us = comb_clock_wall_us() - 600 * US_PER_S + i;
        entries[i].service = STR("ago");
    }
    append(f, entries, 150);
    filter.since_us = comb_clock_wall_us() - 1200 * US_PER_S;
    struct comb_log_follow *one = follow(f, &filter);
    take_news(f, one, &news);
    assert_int_equal(news.n, 150);
    assert_int_equal(strncmp(news.text, "0 1 2 3 ", 8), 0);
    assert_false(news.had_gap);
    comb_logs_follow_free(one);
    filter.since_us = comb_clock_wall_us() - 2 * COMB_LOGS_FOLLOW_BACK_US;
    must_fail(COMB_INVALID_ARGUMENT, comb_logs_follow_new(f->logs, &filter, &one, &f->t.err),
              &f->t.err);
    filter.since_us = 0;
    filter.until_us = comb_clock_wall_us();
    must_fail(COMB_INVALID_ARGUMENT, comb_logs_follow_new(f->logs, &filter, &one, &f->t.err),
              &f->t.err);
}

/* More at once than is looked at again: all of it is given, once, and the gap is told of. */
static void too_many_at_once_are_told_of(void **state)
{
    struct fixture *f = *state;
    enum { N = COMB_LOGS_LONG_PAGES * EXAMINED_MAX + 50 };
    static struct comb_log_entry entries[N];
    struct comb_log_filter filter = {.service = STR("flood")};
    static struct news news;
    struct comb_log_follow *one = follow(f, &filter);
    for (int i = 0; i < N; i++) {
        entries[i] = entry_of(f, 0, "x");
        entries[i].time_us = comb_clock_wall_us() + 50 * US_PER_S;
        entries[i].service = STR("flood");
    }
    append(f, entries, N);
    take_news(f, one, &news);
    assert_int_equal(news.n, N);
    assert_true(news.had_gap);
    comb_logs_follow_free(one);
}

/* ---- what is not kept ---- */

static bool time_of(struct comb_ctx *ctx, const struct comb_item *item, int64_t *ret_us)
{
    (void)ctx;
    char digits[15] = "";
    memcpy(digits, item->at.ptr, 14);
    *ret_us = (int64_t)strtoll(digits, NULL, 16);
    return true;
}

/* Of all that there is in the store. */
static void old_entries_are_removed(void **state)
{
    struct fixture *f = *state;
    const struct comb_items_keep keep = {.store = f->store, .time_of = time_of};
    const struct comb_log_filter filter = filter_of(f);
    uint64_t there, removed = 0, n;
    bool more = true;
    for (int i = 0; i < 5; i++)
        say(f, i, (const char *[]){"a", "b", "c", "d", "e"}[i]);
    while (more) {
        test_ctx_next(&f->t);
        must_ok(comb_items_purge(&keep, &f->t.ctx, f->base_us + 2, 0, &n, &more, &f->t.err),
                &f->t.err);
        removed += n;
    }
    assert_true(removed >= 2);
    assert_string_equal(ask(f, &filter, true, 10, NULL), "c d e");
    test_ctx_next(&f->t);
    must_ok(f->store->driver->count(f->store, &f->t.ctx, &there, &f->t.err), &f->t.err);
    must_ok(comb_items_purge(&keep, &f->t.ctx, 0, there - 2, &n, &more, &f->t.err), &f->t.err);
    assert_int_equal(n, 2);
    assert_false(more);
    assert_string_equal(ask(f, &filter, true, 10, NULL), "e");
    must_ok(comb_items_purge(&keep, &f->t.ctx, 0, there, &n, &more, &f->t.err), &f->t.err);
    assert_int_equal(n, 0);
}

int run_follow(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(entries_are_counted_by_period, fixture_setup),
        cmocka_unit_test_setup(a_count_goes_on, fixture_setup),
        cmocka_unit_test_setup(what_comes_is_given_once, fixture_setup),
        cmocka_unit_test_setup(one_may_begin_a_while_ago, fixture_setup),
        cmocka_unit_test_setup(too_many_at_once_are_told_of, fixture_setup),
        cmocka_unit_test_setup(old_entries_are_removed, fixture_setup),
    };
    return cmocka_run_group_tests(tests, fixture_setup_all, fixture_teardown_all);
}
