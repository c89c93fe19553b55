/* SPDX-License-Identifier: Apache-2.0 */
/* Finding: by each thing and by several, in order, page by page, at a bounded cost. */
#include <stdio.h>
#include <string.h>

#include "tests/contract/logs/fixture.h"
#include "tests/contract/logs/suites.h"
#include "tests/support/docs_row.h"

static void append_some(struct fixture *f)
{
    static const struct {
        int64_t us;
        enum comb_log_level level;
        const char *service, *user, *trace, *text;
    } table[] = {
        {1, COMB_LOG_ERROR, "disk", "anna", "", "full"},
        {2, COMB_LOG_WARN, "disk", "bert", "0123456789abcdef0123456789abcdef", "nearly-full"},
        {3, COMB_LOG_INFO, "net", "anna", "0123456789abcdef0123456789abcdef", "up"},
        {4, COMB_LOG_DEBUG, "net", "", "", "Up,again"},
        {5, COMB_LOG_TRACE, "net", "", "", "step"},
    };
    struct comb_log_entry entries[5];
    for (size_t i = 0; i < 5; i++) {
        entries[i] = entry_of(f, table[i].us, table[i].text);
        entries[i].level = table[i].level;
        entries[i].service = comb_str_from(table[i].service);
        entries[i].user = comb_str_from(table[i].user);
        entries[i].trace = comb_str_from(table[i].trace);
    }
    append(f, entries, 5);
}

static void entries_are_found_by_each_thing(void **state)
{
    struct fixture *f = *state;
    const struct comb_log_filter all = filter_of(f);
    struct comb_log_filter filter;
    append_some(f);
#define FINDS(member, value, expected)                                                             \
    (filter = all, filter.member = (value),                                                        \
     assert_string_equal(ask(f, &filter, true, 2, NULL), (expected)))
    FINDS(level, COMB_LOG_OFF, "full nearly-full up Up,again step");
    FINDS(level, COMB_LOG_TRACE, "full nearly-full up Up,again step");
    FINDS(level, COMB_LOG_DEBUG, "full nearly-full up Up,again");
    FINDS(level, COMB_LOG_INFO, "full nearly-full up");
    FINDS(level, COMB_LOG_ERROR, "full");
    FINDS(service, STR("disk"), "full nearly-full");
    FINDS(service, STR("dis"), "");
    FINDS(user, STR("anna"), "full up");
    FINDS(trace, STR("0123456789ABCDEF0123456789ABCDEF"), "nearly-full up");
    FINDS(text, STR("FULL"), "full nearly-full");
    FINDS(text, STR("full nearly"), "nearly-full");
    FINDS(text, STR("up"), "up Up,again");
    FINDS(text, STR("net up"), "up Up,again"); /* of the service */
    FINDS(text, STR("anna"), "full up");       /* of the user */
    FINDS(text, STR("u"), "");
    FINDS(since_us, f->base_us + 3, "up Up,again step");
    FINDS(until_us, f->base_us + 3, "full nearly-full");
    FINDS(until_us, f->base_us, "");
#undef FINDS
    /* All that is given must hold. */
    filter = all;
    filter.level = COMB_LOG_WARN;
    filter.service = STR("disk");
    filter.user = STR("bert");
    filter.text = STR("nearly full");
    filter.trace = STR("0123456789abcdef0123456789abcdef");
    assert_string_equal(ask(f, &filter, false, 2, NULL), "nearly-full");
    filter.user = STR("anna");
    assert_string_equal(ask(f, &filter, false, 2, NULL), "");
}

static void refuse(struct fixture *f, const struct comb_log_filter *filter)
{
    const struct comb_log_query query = {.filter = *filter, .max = 10};
    struct comb_log_page page = {.n = 4711};
    test_ctx_next(&f->t);
    must_fail(COMB_INVALID_ARGUMENT, comb_logs_query(f->logs, &f->t.ctx, &query, &page, &f->t.err),
              &f->t.err);
    assert_int_equal(page.n, 4711);
}

static void what_is_asked_has_limits(void **state)
{
    struct fixture *f = *state;
    static char big[COMB_LOGS_ASKED_BYTES_MAX + 1];
    struct comb_log_filter filter = filter_of(f);
    memset(big, 'x', sizeof big);
    filter.text = comb_str_of(big, sizeof big);
    refuse(f, &filter);
    filter.text = STR("1 2 3 4 5 6 7 8 9");
    refuse(f, &filter);
    filter.text = STR("!?");
    refuse(f, &filter);
    filter = filter_of(f);
    filter.trace = STR("0123456789abcdef0123456789abcdef01234567");
    refuse(f, &filter);
    filter = filter_of(f);
    filter.level = (enum comb_log_level)(COMB_LOG_TRACE + 1);
    refuse(f, &filter);
    filter.level = COMB_LOG_OFF;
    filter.text = STR("1 2 3 4 5 6 7 8 1 2 3");
    assert_string_equal(ask(f, &filter, true, 10, NULL), "");
}

static void words_are_those_of_any_script(void **state)
{
    struct fixture *f = *state;
    struct comb_log_filter filter = filter_of(f);
    say(f, 1, "Größe");
    say(f, 2, "ÉCOLE");
    say(f, 3, "東京都庁");
    say(f, 4, "ΣΊΣΥΦΟΣ");
    filter.text = STR("GRÖSSE");
    assert_string_equal(ask(f, &filter, true, 10, NULL), "Größe");
    filter.text = STR("ecole");
    assert_string_equal(ask(f, &filter, true, 10, NULL), "ÉCOLE");
    filter.text = STR("京都");
    assert_string_equal(ask(f, &filter, true, 10, NULL), "東京都庁");
    filter.text = STR("庁");
    assert_string_equal(ask(f, &filter, true, 10, NULL), "東京都庁");
    filter.text = STR("σισυφος");
    assert_string_equal(ask(f, &filter, true, 10, NULL), "ΣΊΣΥΦΟΣ");
}

/* So many words of an entry are found, the first ones. */
static void only_the_first_words_are_found(void **state)
{
    struct fixture *f = *state;
    struct comb_log_filter filter = filter_of(f);
    char text[1024], word[16];
    size_t len = 0;
    for (int i = 0; i < COMB_LOGS_WORDS_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%sw%d", i > 0 ? "/" : "", i);
    say(f, 1, text);
    /* One is taken by the service. */
    snprintf(word, sizeof word, "w%d", COMB_LOGS_WORDS_MAX - 2);
    filter.text = comb_str_from(word);
    assert_string_equal(ask(f, &filter, true, 10, NULL), text);
    snprintf(word, sizeof word, "w%d", COMB_LOGS_WORDS_MAX - 1);
    assert_string_equal(ask(f, &filter, true, 10, NULL), "");
    filter.service = STR("test");
    assert_string_equal(ask(f, &filter, true, 10, NULL), "");
}

/* The order of entries of the same time is that of their batch, batches do not mix, and all stores
 * have the same. */
static void entries_of_the_same_time_stay_in_order(void **state)
{
    struct fixture *f = *state;
    static const char *const ids[] = {"01900000-0000-7000-8000-000000000001",
                                      "01900000-0000-7000-8000-000000000002",
                                      "01900000-0000-7000-8000-000000000003"};
    const struct comb_log_filter filter = filter_of(f);
    for (size_t i = 0; i < 3; i++) {
        struct comb_uuid batch;
        struct comb_log_entry entries[3];
        char texts[3][4];
        assert_true(comb_uuid_parse(comb_str_from(ids[i]), &batch));
        for (size_t j = 0; j < 3; j++) {
            snprintf(texts[j], sizeof texts[j], "%zu%zu", i, j);
            entries[j] = entry_of(f, 7, texts[j]);
        }
        test_ctx_next(&f->t);
        must_ok(comb_logs_append(f->logs, &f->t.ctx, &batch, 0, entries, 3, &f->t.err), &f->t.err);
    }
    assert_string_equal(ask(f, &filter, true, 2, NULL), "20 21 22 00 01 02 10 11 12");
    assert_string_equal(ask(f, &filter, false, 4, NULL), "12 11 10 02 01 00 22 21 20");
}

/* A page says where the next one begins, whatever is written before and behind it. */
static void pages_go_on_while_others_write(void **state)
{
    struct fixture *f = *state;
    const struct comb_log_filter filter = filter_of(f);
    char next[COMB_ITEM_ID_LENGTH + 1] = "", seen[1024] = "", text[16];
    size_t len = 0;
    for (int i = 0; i < 30; i++) {
        snprintf(text, sizeof text, "old%02d", i);
        say(f, 1000 + 10 * i, text);
    }
    for (int page = 0; page == 0 || next[0]; page++) {
        const struct comb_log_query query = {filter, false, comb_str_from(next), 7};
        struct comb_log_page got;
        test_ctx_next(&f->t);
        must_ok(comb_logs_query(f->logs, &f->t.ctx, &query, &got, &f->t.err), &f->t.err);
        for (size_t i = 0; i < got.n; i++)
            if (strncmp(got.entries[i]->message, "old", 3) == 0)
                len +=
                    (size_t)snprintf(seen + len, sizeof seen - len, "%s ", got.entries[i]->message);
        memcpy(next, got.next.len > 0 ? got.next.ptr : "", got.next.len + 1);
        assert_true(page < 20);
        snprintf(text, sizeof text, "new%02d", page);
        say(f, 2000 + page, text);
        say(f, 1000 + 10 * page + 5, text);
    }
    assert_string_equal(seen,
                        "old29 old28 old27 old26 old25 old24 old23 old22 old21 old20 old19 old18 "
                        "old17 old16 old15 old14 old13 old12 old11 old10 old09 old08 old07 old06 "
                        "old05 old04 old03 old02 old01 old00 ");
}

/* What is rare is found without looking at what is not; what is frequent and has nothing in common
 * ends a page at its budget, with a token. */
static void a_page_looks_at_a_bounded_number(void **state)
{
    struct fixture *f = *state;
    enum { N = 2 * EXAMINED_MAX + 2 };
    static struct comb_log_entry entries[N];
    struct comb_log_filter filter = filter_of(f);
    size_t n_pages;
    /* "even" and "odd" alternate; the first one alone is both, and "rare". */
    for (int i = 0; i < N; i++) {
        entries[i] = entry_of(f, i, i == 0 ? "even/odd/rare" : i % 2 == 0 ? "even" : "odd");
        entries[i].user = STR("u");
    }
    append(f, entries, N);
    filter.text = STR("even rare odd");
    filter.service = STR("test");
    assert_string_equal(ask(f, &filter, false, 100, &n_pages), "even/odd/rare");
    assert_int_equal(n_pages, 1);
    filter.text = STR("even odd");
    assert_string_equal(ask(f, &filter, false, 100, &n_pages), "even/odd/rare");
    assert_true(n_pages >= 2);
}

/* What ran so far. */
static void every_question_goes_by_an_index(void **state)
{
    struct fixture *f = *state;
    test_ctx_next(&f->t);
    assert_true(test_docs_row_must_use_indexes(f->docs, &f->t.ctx, true) >= 3);
}

int run_query(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(entries_are_found_by_each_thing, fixture_setup),
        cmocka_unit_test_setup(what_is_asked_has_limits, fixture_setup),
        cmocka_unit_test_setup(words_are_those_of_any_script, fixture_setup),
        cmocka_unit_test_setup(only_the_first_words_are_found, fixture_setup),
        cmocka_unit_test_setup(entries_of_the_same_time_stay_in_order, fixture_setup),
        cmocka_unit_test_setup(pages_go_on_while_others_write, fixture_setup),
        cmocka_unit_test_setup(every_question_goes_by_an_index, fixture_setup),
        cmocka_unit_test_setup(a_page_looks_at_a_bounded_number, fixture_setup),
    };
    return cmocka_run_group_tests(tests, fixture_setup_all, fixture_teardown_all);
}
