/* SPDX-License-Identifier: Apache-2.0 */
/* Adding: what counts once, what is refused, what is there afterwards. */
#include <string.h>

#include "server/core/clock.h"
#include "tests/contract/logs/fixture.h"
#include "tests/contract/logs/suites.h"

/* Behind the test's time; must succeed. */
static void append_under(struct fixture *f, const struct comb_uuid *batch, size_t first,
                         const struct comb_log_entry *entries, size_t n)
{
    test_ctx_next(&f->t);
    must_ok(comb_logs_append(f->logs, &f->t.ctx, batch, first, entries, n, &f->t.err), &f->t.err);
}

static void a_repeated_batch_counts_once(void **state)
{
    struct fixture *f = *state;
    const struct comb_uuid batch = comb_uuid_new();
    const struct comb_log_filter filter = filter_of(f);
    const struct comb_log_entry entries[] = {entry_of(f, 1, "a"), entry_of(f, 1, "b"),
                                             entry_of(f, 1, "c"), entry_of(f, 2, "a")};
    append_under(f, &batch, 0, entries, 2);
    append_under(f, &batch, 0, entries, 2);
    assert_string_equal(ask(f, &filter, true, 10, NULL), "a b");
    /* The rest of it, and all of it again. */
    append_under(f, &batch, 0, entries, 4);
    append_under(f, &batch, 2, entries + 2, 2);
    assert_string_equal(ask(f, &filter, true, 10, NULL), "a b c a");
    struct comb_log_filter word = filter;
    word.text = STR("a");
    assert_string_equal(ask(f, &word, true, 10, NULL), "a a");
    /* The same entries under another id are others. */
    append(f, entries, 1);
    assert_string_equal(ask(f, &word, true, 10, NULL), "a a a");
}

static void an_entry_without_time_has_that_of_its_batch(void **state)
{
    struct fixture *f = *state;
    const struct comb_uuid batch = comb_uuid_new();
    const int64_t us = comb_uuid_time_ms(&batch) * 1000;
    const struct comb_log_filter filter = {
        .since_us = us, .until_us = us + 1, .service = STR("timeless")};
    struct comb_log_entry entry = entry_of(f, 0, "now");
    entry.time_us = 0;
    entry.service = STR("timeless");
    append_under(f, &batch, 0, &entry, 1);
    append_under(f, &batch, 0, &entry, 1);
    assert_string_equal(ask(f, &filter, true, 10, NULL), "now");
}

static void refuse(struct fixture *f, const struct comb_log_entry *entry)
{
    const struct comb_uuid batch = comb_uuid_new();
    const struct comb_log_entry both[] = {entry_of(f, 5, "fine"), *entry};
    test_ctx_next(&f->t);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_logs_append(f->logs, &f->t.ctx, &batch, 0, both, 2, &f->t.err), &f->t.err);
    assert_int_equal(strncmp(f->t.err.subject, "entries", 7), 0);
}

static void entries_have_limits(void **state)
{
    struct fixture *f = *state;
    static char big[COMB_LOGS_ENTRY_BYTES_MAX + 1];
    struct comb_log_value values[COMB_LOGS_VALUES_MAX + 1];
    const struct comb_log_entry good = entry_of(f, 1, "good");
    struct comb_log_entry bad;
    memset(big, 'x', sizeof big);
    for (size_t i = 0; i <= COMB_LOGS_VALUES_MAX; i++)
        values[i] = (struct comb_log_value){STR("name"), STR("value")};
#define REFUSE(member, value) (bad = good, bad.member = (value), refuse(f, &bad))
    REFUSE(time_us, -1);
    REFUSE(time_us, comb_clock_wall_us() + 2 * COMB_LOGS_AHEAD_US);
    REFUSE(level, COMB_LOG_OFF);
    REFUSE(level, (enum comb_log_level)(COMB_LOG_TRACE + 1));
    REFUSE(service, STR(""));
    REFUSE(service, STR("two words"));
    REFUSE(service, comb_str_of(big, COMB_LOGS_SERVICE_BYTES_MAX + 1));
    REFUSE(user, comb_str_of(big, COMB_LOGS_USER_BYTES_MAX + 1));
    REFUSE(user, STR("\xff"));
    REFUSE(trace, STR("0123"));
    REFUSE(trace, STR("0123456789abcdef0123456789abcdeg"));
    REFUSE(message, comb_str_of(big, COMB_LOGS_MESSAGE_BYTES_MAX + 1));
    REFUSE(message, STR("a\0b"));
    REFUSE(message, STR("\xed\xa0\x80"));
    bad = good;
    bad.values = values;
    bad.n_values = COMB_LOGS_VALUES_MAX + 1;
    refuse(f, &bad);
    bad.n_values = 1;
    values[0].name = STR("a=b");
    refuse(f, &bad);
    values[0] = (struct comb_log_value){STR("a"), comb_str_of(big, COMB_LOGS_VALUE_BYTES_MAX + 1)};
    refuse(f, &bad);
    /* Each within its limit, all of it too much. */
    for (size_t i = 0; i < 5; i++)
        values[i].value = comb_str_of(big, COMB_LOGS_VALUE_BYTES_MAX);
    bad.n_values = 5;
    refuse(f, &bad);
#undef REFUSE
    const struct comb_log_filter filter = filter_of(f);
    assert_string_equal(ask(f, &filter, true, 10, NULL), "");
}

static void batches_have_limits(void **state)
{
    struct fixture *f = *state;
    const struct comb_uuid nil = {{0}}, batch = comb_uuid_new();
    const struct comb_log_entry entry = entry_of(f, 1, "last");
    const struct comb_log_filter filter = filter_of(f);
    test_ctx_next(&f->t);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_logs_append(f->logs, &f->t.ctx, &nil, 0, &entry, 1, &f->t.err), &f->t.err);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_logs_append(f->logs, &f->t.ctx, &batch, 0, &entry, COMB_LOGS_APPEND_MAX + 1,
                               &f->t.err),
              &f->t.err);
    must_fail(
        COMB_INVALID_ARGUMENT,
        comb_logs_append(f->logs, &f->t.ctx, &batch, COMB_LOGS_BATCH_MAX, &entry, 1, &f->t.err),
        &f->t.err);
    append_under(f, &batch, COMB_LOGS_BATCH_MAX - 1, &entry, 1);
    append_under(f, &batch, COMB_LOGS_BATCH_MAX, NULL, 0);
    assert_string_equal(ask(f, &filter, true, 10, NULL), "last");
}

static void an_entry_comes_back_as_it_was(void **state)
{
    struct fixture *f = *state;
    const struct comb_log_value values[] = {{STR("path"), STR("/a b \"c\"\n")},
                                            {STR("n"), STR("")}};
    struct comb_log_entry entry = entry_of(f, 123457, "Größe 東京 \U0001F41D");
    entry.level = COMB_LOG_WARN;
    entry.user = STR("anna müller");
    entry.trace = STR("0123456789ABCDEF0123456789abcdef");
    entry.values = values;
    entry.n_values = 2;
    append(f, &entry, 1);
    const struct comb_log_query query = {.filter = filter_of(f), .max = 1};
    struct comb_log_page page;
    test_ctx_next(&f->t);
    must_ok(comb_logs_query(f->logs, &f->t.ctx, &query, &page, &f->t.err), &f->t.err);
    assert_int_equal(page.n, 1);
    const struct comb_v1_log_entry *back = page.entries[0];
    assert_int_equal(strlen(back->id), 32);
    assert_int_equal(back->time->seconds, entry.time_us / US_PER_S);
    assert_int_equal(back->time->nanos, 123457000);
    assert_int_equal(back->level, COMB_V1_LOG_LEVEL_WARN);
    assert_string_equal(back->service, "test");
    assert_string_equal(back->user, "anna müller");
    assert_string_equal(back->trace_id, "0123456789abcdef0123456789abcdef");
    assert_string_equal(back->message, "Größe 東京 \U0001F41D");
    assert_int_equal(back->n_fields, 2);
    assert_string_equal(back->fields[0]->name, "path");
    assert_string_equal(back->fields[0]->value, "/a b \"c\"\n");
    assert_string_equal(back->fields[1]->value, "");
}

int run_append(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_repeated_batch_counts_once, fixture_setup),
        cmocka_unit_test_setup(an_entry_without_time_has_that_of_its_batch, fixture_setup),
        cmocka_unit_test_setup(entries_have_limits, fixture_setup),
        cmocka_unit_test_setup(batches_have_limits, fixture_setup),
        cmocka_unit_test_setup(an_entry_comes_back_as_it_was, fixture_setup),
    };
    return cmocka_run_group_tests(tests, fixture_setup_all, fixture_teardown_all);
}
