/* SPDX-License-Identifier: Apache-2.0 */
/* The server's own log among the logs. */
#include <string.h>
#include <time.h>

#include "server/core/clock.h"
#include "server/logs/own.h"
#include "tests/contract/logs/fixture.h"
#include "tests/contract/logs/suites.h"

#define WAIT_S 60
#define TRACE "0123456789abcdef0123456789abcdef"

/* Lines of the component, oldest first, once there are n. */
static struct comb_log_page wait_for_lines(struct fixture *f, comb_str component, size_t n)
{
    const struct comb_log_query query = {
        .filter = {.service = STR(COMB_LOGS_OWN_SERVICE), .text = component},
        .is_oldest_first = true,
        .max = 100};
    const struct timespec pause = {.tv_nsec = 10 * COMB_NS_PER_MS};
    int64_t until_ns = comb_clock_in_ms(WAIT_S * 1000);
    struct comb_log_page page;
    for (;;) {
        test_ctx_next(&f->t);
        must_ok(comb_logs_query(f->logs, &f->t.ctx, &query, &page, &f->t.err), &f->t.err);
        if (page.n >= n)
            return page;
        assert_true(comb_clock_monotonic_ns() < until_ns);
        (void)nanosleep(&pause, NULL);
    }
}

static const char *value_of(const struct comb_v1_log_entry *entry, const char *name)
{
    for (size_t i = 0; i < entry->n_fields; i++)
        if (strcmp(entry->fields[i]->name, name) == 0)
            return entry->fields[i]->value;
    return NULL;
}

static void lines_become_entries(void **state)
{
    struct fixture *f = *state;
    struct comb_logs_own own = {.logs = f->logs, .replica = "replica-1"};
    struct comb_logs_sink *sink = NULL;
    must_ok(comb_logs_sink_new(COMB_LOG_INFO, &sink, &f->t.err), &f->t.err);
    comb_log(COMB_LOG_WARN, "ownlines", "the disk is full", comb_log_text("user", STR("ada")),
             comb_log_text("trace", STR(TRACE)), comb_log_integer("bytes", -7),
             comb_log_text("path", STR("/Größe")), comb_log_text("empty", STR("")));
    comb_log(COMB_LOG_INFO, "ownlines", "odd texts", comb_log_text("trace", STR("no trace")),
             comb_log_text("path", comb_str_of("\xFF\0a\n", 4)));
    must_ok(comb_logs_sink_start(sink, comb_logs_own_append, &own, &f->t.err), &f->t.err);
    const struct comb_log_page page = wait_for_lines(f, STR("ownlines"), 2);
    comb_logs_sink_free(sink);
    assert_int_equal(page.n, 2);
    const struct comb_v1_log_entry *full = page.entries[0], *odd = page.entries[1];
    assert_int_equal(full->level, COMB_V1_LOG_LEVEL_WARN);
    assert_string_equal(full->service, "combd");
    assert_string_equal(full->message, "the disk is full");
    assert_string_equal(full->user, "ada");
    assert_string_equal(full->trace_id, TRACE);
    assert_string_equal(value_of(full, "component"), "ownlines");
    assert_string_equal(value_of(full, "replica"), "replica-1");
    assert_string_equal(value_of(full, "bytes"), "-7");
    assert_string_equal(value_of(full, "path"), "/Größe");
    assert_null(value_of(full, "empty"));
    assert_string_equal(odd->message, "odd texts");
    assert_string_equal(odd->trace_id, "");
    assert_string_equal(value_of(odd, "trace"), "no trace");
    assert_string_equal(value_of(odd, "path"), "\\xff\\x00a\\x0a");
}

int run_own(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_become_entries, fixture_setup),
    };
    return cmocka_run_group_tests(tests, fixture_setup_all, fixture_teardown_all);
}
