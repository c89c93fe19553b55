/* SPDX-License-Identifier: Apache-2.0 */
/* The queue and the thread, before a store that fails, hangs and logs. */
#include "server/logs/sink.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/core/clock.h"
#include "tests/support/support.h"

#define WAIT_S 60
#define KEPT_MAX 20000

/* The store: what was appended, and how it behaves. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool hangs, logs;
    int failures;              /* so many appends still fail, having appended */
    int begun, tries, batches; /* appends, that came to their end, and ids that they had */
    struct comb_uuid last;
    size_t n;
    struct kept {
        enum comb_log_level level;
        char component[16], message[32], text[16];
        int64_t number;
    } kept[KEPT_MAX];
} store = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void keep(const struct comb_log_line *line)
{
    struct kept *kept = &store.kept[store.n++];
    assert_true(store.n <= KEPT_MAX);
    *kept = (struct kept){.level = line->level};
    snprintf(kept->component, sizeof kept->component, "%s", line->component);
    snprintf(kept->message, sizeof kept->message, "%s", line->message);
    for (size_t i = 0; i < line->n_fields; i++) {
        if (line->fields[i].is_text)
            snprintf(kept->text, sizeof kept->text, "%.*s", COMB_STR_ARG(line->fields[i].text));
        else
            kept->number = line->fields[i].integer;
    }
}

static enum comb_status append(void *data, struct comb_ctx *ctx, const struct comb_uuid *batch,
                               const struct comb_log_line *const *lines, size_t n,
                               struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    assert_ptr_equal(data, &store);
    assert_true(n > 0 && n <= COMB_LOGS_SINK_BATCH_MAX);
    assert_true(comb_ctx_left_ms(ctx) <= COMB_LOGS_SINK_APPEND_MS_MAX);
    pthread_mutex_lock(&store.lock);
    store.begun++;
    pthread_cond_broadcast(&store.changed);
    while (store.hangs)
        pthread_cond_wait(&store.changed, &store.lock);
    store.tries++;
    if (!comb_uuid_equal(batch, &store.last)) {
        store.batches++;
        for (size_t i = 0; i < n; i++)
            keep(lines[i]);
    }
    store.last = *batch;
    if (store.failures > 0) {
        store.failures--;
        status = comb_error_set(err, COMB_UNAVAILABLE, 0, "the answer was lost");
    }
    bool logs = store.logs;
    pthread_cond_broadcast(&store.changed);
    pthread_mutex_unlock(&store.lock);
    if (logs)
        comb_log(COMB_LOG_WARN, "store", "appended", comb_log_integer("n", (int64_t)n));
    return status;
}

static void set_hangs(bool hangs)
{
    pthread_mutex_lock(&store.lock);
    store.hangs = hangs;
    pthread_cond_broadcast(&store.changed);
    pthread_mutex_unlock(&store.lock);
}

static void wait_for_kept(size_t n)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&store.lock);
    while (store.n < n)
        assert_int_equal(pthread_cond_timedwait(&store.changed, &store.lock, &until), 0);
    pthread_mutex_unlock(&store.lock);
}

static void wait_for_append(void)
{
    pthread_mutex_lock(&store.lock);
    while (store.begun == 0)
        pthread_cond_wait(&store.changed, &store.lock);
    pthread_mutex_unlock(&store.lock);
}

static int start(void **state)
{
    struct comb_logs_sink *sink = NULL;
    struct comb_error err = {0};
    store.hangs = store.logs = false;
    store.failures = store.begun = store.tries = store.batches = 0;
    store.last = (struct comb_uuid){{0}};
    store.n = 0;
    must_ok(comb_logs_sink_new(COMB_LOG_INFO, &sink, &err), &err);
    *state = sink;
    return 0;
}

static void begin(struct comb_logs_sink *sink)
{
    struct comb_error err = {0};
    must_ok(comb_logs_sink_start(sink, append, &store, &err), &err);
}

static int end(void **state)
{
    set_hangs(false);
    comb_logs_sink_free(*state);
    return 0;
}

static void say(const char *component, int64_t number)
{
    comb_log(COMB_LOG_INFO, component, "said", comb_log_integer("number", number),
             comb_log_text("text", STR("word")));
}

static void lines_of_before_the_start_are_kept(void **state)
{
    say("tree", 1);
    begin(*state);
    say("tree", 2);
    comb_log(COMB_LOG_DEBUG, "tree", "of too low a level", comb_log_integer("n", 1));
    say("docs.mongodb", 3);
    say("sql.sqlite", 4);
    say("logs", 5);
    say("docs", 6);
    wait_for_kept(3);
    comb_logs_sink_stop(*state);
    assert_int_equal(store.n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(store.kept[i].component, i < 2 ? "tree" : "docs");
        assert_string_equal(store.kept[i].message, "said");
        assert_string_equal(store.kept[i].text, "word");
        assert_int_equal(store.kept[i].level, COMB_LOG_INFO);
        assert_int_equal(store.kept[i].number, i < 2 ? i + 1 : 6);
    }
    say("tree", 7);
    assert_int_equal(store.n, 3);
}

static void a_batch_is_repeated_under_its_id(void **state)
{
    store.failures = 3;
    begin(*state);
    say("tree", 1);
    wait_for_kept(1);
    say("tree", 2);
    wait_for_kept(2);
    comb_logs_sink_stop(*state);
    assert_int_equal(store.n, 2);
    assert_int_equal(store.batches, 2);
    assert_int_equal(store.tries, 5);
}

static void what_the_store_logs_is_not_for_it(void **state)
{
    store.logs = true;
    begin(*state);
    for (int i = 0; i < 3; i++) {
        say("tree", i);
        wait_for_kept((size_t)i + 1);
    }
    comb_logs_sink_stop(*state);
    assert_int_equal(store.n, 3);
}

static void lines_that_find_no_room_are_counted_and_told_of(void **state)
{
    const int n = COMB_LOGS_SINK_LINES_MAX + 1000;
    struct comb_logs_sink_stats stats;
    store.hangs = true;
    begin(*state);
    say("tree", 0);
    /* From here on nothing leaves the queue, so that there is one gap. */
    wait_for_append();
    for (int i = 1; i < n; i++)
        say("tree", i);
    comb_logs_sink_get_stats(*state, &stats);
    /* One is with the store already. */
    assert_true(stats.dropped > 0 && stats.dropped <= 1000);
    set_hangs(false);
    wait_for_kept((size_t)n - stats.dropped + 1);
    comb_logs_sink_stop(*state);
    size_t told = 0, said = 0;
    for (size_t i = 0; i < store.n; i++) {
        if (strcmp(store.kept[i].message, "lines of the log were lost") == 0) {
            assert_int_equal(store.kept[i].level, COMB_LOG_WARN);
            assert_int_equal(store.kept[i].number, stats.dropped);
            told++;
        } else {
            assert_int_equal(store.kept[i].number, said++);
        }
    }
    assert_int_equal(told, 1);
    assert_int_equal(said, n - stats.dropped);
    comb_logs_sink_get_stats(*state, &stats);
    assert_int_equal(stats.kept, said);
}

static void who_stops_does_not_wait_for_a_store_that_fails(void **state)
{
    struct comb_logs_sink_stats stats;
    store.failures = 1000;
    for (int i = 0; i < 500; i++)
        say("tree", i);
    begin(*state);
    int64_t begin_ns = comb_clock_monotonic_ns();
    comb_logs_sink_stop(*state);
    int64_t ms = (comb_clock_monotonic_ns() - begin_ns) / COMB_NS_PER_MS;
    print_message("stopped after %lld ms\n", (long long)ms);
    assert_true(store.tries < 1000);
    comb_logs_sink_get_stats(*state, &stats);
    assert_int_equal(stats.kept, 0);
    assert_int_equal(stats.dropped, 500);
}

#define TALKERS 4
#define TALK 500

static void *talk(void *data)
{
    for (int i = 0; i < TALK; i++)
        say(data, i);
    return NULL;
}

static void many_threads_log_at_once(void **state)
{
    static char names[TALKERS][8] = {"a", "b", "c", "d"};
    pthread_t threads[TALKERS];
    int64_t next[TALKERS] = {0};
    begin(*state);
    for (int i = 0; i < TALKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, talk, names[i]), 0);
    for (int i = 0; i < TALKERS; i++)
        pthread_join(threads[i], NULL);
    wait_for_kept((size_t)TALKERS * TALK);
    comb_logs_sink_stop(*state);
    assert_int_equal(store.n, TALKERS * TALK);
    for (size_t i = 0; i < store.n; i++)
        assert_int_equal(store.kept[i].number, next[store.kept[i].component[0] - 'a']++);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_of_before_the_start_are_kept, start, end),
        cmocka_unit_test_setup_teardown(a_batch_is_repeated_under_its_id, start, end),
        cmocka_unit_test_setup_teardown(what_the_store_logs_is_not_for_it, start, end),
        cmocka_unit_test_setup_teardown(lines_that_find_no_room_are_counted_and_told_of, start,
                                        end),
        cmocka_unit_test_setup_teardown(who_stops_does_not_wait_for_a_store_that_fails, start, end),
        cmocka_unit_test_setup_teardown(many_threads_log_at_once, start, end),
    };
    /* Thousands of lines that nobody reads. */
    int sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (sink < 0)
        return 1;
    comb_log_set_fd(sink);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
