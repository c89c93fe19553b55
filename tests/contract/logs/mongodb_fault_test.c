/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database killed and frozen while others append and follow: what is acknowledged is there
 * once, nobody waits past his deadline, work goes on by itself, and who follows has been given
 * everything or been told of a gap.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/core/clock.h"
#include "server/docs/docs.h"
#include "server/logs/logs.h"
#include "tests/support/mongo_server.h"
#include "tests/support/support.h"

#define CALL_MS 3000
/* What a machine that is busy may add to a deadline. */
#define SLACK_MS 8000
#define WRITERS 3
#define ENTRIES 5 /* of a batch */
#define BATCHES_MAX 4000
#define PATIENCE_NS (90 * COMB_NS_PER_S)
#define LOOK_US 20000

static struct mongo_server server;

/* Appends batches, each under its id until it is acknowledged. */
struct writer {
    struct comb_logs *logs;
    int number;
    _Atomic int acknowledged; /* batches */
    int repeated;             /* calls */
    int64_t longest_ns;
    enum comb_status strange; /* a failure that nobody may see; OK: none */
};

/* Takes what comes, and marks it. */
struct follower {
    struct comb_log_follow *follow;
    uint8_t heard[WRITERS][BATCHES_MAX][ENTRIES];
    int n, twice, failed;
    bool had_gap;
    enum comb_status strange;
};

static struct load {
    struct writer writers[WRITERS];
    struct follower follower;
    pthread_t writing[WRITERS], following;
    atomic_bool stop, stop_following;
} load;

static bool may_fail_with(enum comb_status status)
{
    return status == COMB_UNAVAILABLE || status == COMB_DEADLINE_EXCEEDED;
}

static enum comb_status append_once(struct writer *writer, struct test_ctx *t,
                                    const struct comb_uuid *batch)
{
    struct comb_log_entry entries[ENTRIES];
    int64_t begin_ns = comb_clock_monotonic_ns();
    test_ctx_next(t);
    t->ctx.deadline_ns = begin_ns + CALL_MS * COMB_NS_PER_MS;
    for (int i = 0; i < ENTRIES; i++)
        entries[i] = (struct comb_log_entry){
            .level = COMB_LOG_INFO,
            .service = STR("load"),
            .message = comb_str_from(grpcc_arena_printf(t->ctx.arena, "%d %d %d", writer->number,
                                                        writer->acknowledged, i))};
    enum comb_status status =
        comb_logs_append(writer->logs, &t->ctx, batch, 0, entries, ENTRIES, &t->err);
    int64_t took_ns = comb_clock_monotonic_ns() - begin_ns;
    writer->longest_ns = took_ns > writer->longest_ns ? took_ns : writer->longest_ns;
    return status;
}

static void *write_on(void *data)
{
    struct writer *writer = data;
    struct test_ctx t;
    test_ctx_init(&t);
    while (!atomic_load(&load.stop) && writer->acknowledged < BATCHES_MAX) {
        const struct comb_uuid batch = comb_uuid_new();
        enum comb_status status;
        while (may_fail_with(status = append_once(writer, &t, &batch))) {
            writer->repeated++;
            usleep(LOOK_US);
        }
        if (status == COMB_OK)
            writer->acknowledged++;
        else
            writer->strange = status;
        if (status != COMB_OK)
            break;
    }
    test_ctx_done(&t);
    return NULL;
}

static void hear(struct follower *follower, const struct comb_v1_log_entry *entry)
{
    int writer, batch, i;
    assert_int_equal(sscanf(entry->message, "%d %d %d", &writer, &batch, &i), 3);
    uint8_t *heard = &follower->heard[writer][batch][i];
    follower->twice += *heard;
    follower->n += !*heard;
    *heard = 1;
}

/* False: nothing more was there. */
static bool follow_once(struct follower *follower, struct test_ctx *t)
{
    struct comb_log_news news;
    test_ctx_next(t);
    t->ctx.deadline_ns = comb_clock_in_ms(CALL_MS);
    enum comb_status status = comb_logs_follow_next(follower->follow, &t->ctx, &news, &t->err);
    if (status != COMB_OK) {
        follower->failed++;
        if (!may_fail_with(status))
            follower->strange = status;
        return true;
    }
    for (size_t i = 0; i < news.n; i++)
        hear(follower, news.entries[i]);
    follower->had_gap |= news.gap_until_us > 0;
    return news.n > 0 || news.more;
}

static void *follow_on(void *data)
{
    struct follower *follower = data;
    struct test_ctx t;
    test_ctx_init(&t);
    /* What came last is taken too. */
    while (follow_once(follower, &t) || !atomic_load(&load.stop_following))
        usleep(LOOK_US);
    test_ctx_done(&t);
    return NULL;
}

static void load_start(struct comb_logs *logs)
{
    const struct comb_log_filter filter = {.service = STR("load")};
    struct comb_error err;
    must_ok(comb_logs_follow_new(logs, &filter, &load.follower.follow, &err), &err);
    assert_int_equal(pthread_create(&load.following, NULL, follow_on, &load.follower), 0);
    for (int i = 0; i < WRITERS; i++) {
        load.writers[i] = (struct writer){.logs = logs, .number = i};
        assert_int_equal(pthread_create(&load.writing[i], NULL, write_on, &load.writers[i]), 0);
    }
}

/* How many entries there are, each of which must be another. */
static int count(struct comb_logs *logs)
{
    static uint8_t there[WRITERS][BATCHES_MAX][ENTRIES];
    char behind[COMB_ITEM_ID_LENGTH + 1] = "";
    struct test_ctx t;
    int n = 0;
    test_ctx_init(&t);
    do {
        const struct comb_log_query query = {
            {.service = STR("load")}, true, comb_str_from(behind), 1000};
        struct comb_log_page page;
        test_ctx_next(&t);
        must_ok(comb_logs_query(logs, &t.ctx, &query, &page, &t.err), &t.err);
        for (size_t i = 0; i < page.n; i++) {
            int writer, batch, k;
            assert_int_equal(sscanf(page.entries[i]->message, "%d %d %d", &writer, &batch, &k), 3);
            assert_false(there[writer][batch][k]);
            there[writer][batch][k] = 1;
            n++;
        }
        snprintf(behind, sizeof behind, "%.*s", COMB_STR_ARG(page.next));
    } while (behind[0]);
    test_ctx_done(&t);
    return n;
}

static int total(void)
{
    int n = 0;
    for (int i = 0; i < WRITERS; i++)
        n += load.writers[i].acknowledged;
    return n;
}

/* Until batches are acknowledged again, which shows that the store is used. */
static void await_progress(const char *what)
{
    int64_t begin_ns = comb_clock_monotonic_ns();
    int before = total();
    while (total() < before + 2 * WRITERS) {
        assert_true(comb_clock_monotonic_ns() - begin_ns < PATIENCE_NS);
        usleep(LOOK_US);
    }
    print_message("%s: six batches after %lld ms\n", what,
                  (long long)((comb_clock_monotonic_ns() - begin_ns) / COMB_NS_PER_MS));
}

static void load_stop(struct comb_logs *logs)
{
    int64_t longest_ns = 0;
    int repeated = 0;
    atomic_store(&load.stop, true);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(load.writing[i], NULL);
        assert_int_equal(load.writers[i].strange, COMB_OK);
        repeated += load.writers[i].repeated;
        longest_ns =
            load.writers[i].longest_ns > longest_ns ? load.writers[i].longest_ns : longest_ns;
    }
    atomic_store(&load.stop_following, true);
    pthread_join(load.following, NULL);
    comb_logs_follow_free(load.follower.follow);
    int there = count(logs), wanted = total() * ENTRIES;
    print_message(
        "%d entries acknowledged, %d there, %d calls repeated, longest %lld ms; %d heard, "
        "%d twice, %s, %d looks failed\n",
        wanted, there, repeated, (long long)(longest_ns / COMB_NS_PER_MS), load.follower.n,
        load.follower.twice, load.follower.had_gap ? "a gap told" : "no gap", load.follower.failed);
    assert_int_equal(there, wanted);
    assert_true(repeated > 0);
    assert_true(longest_ns < (CALL_MS + SLACK_MS) * COMB_NS_PER_MS);
    assert_int_equal(load.follower.strange, COMB_OK);
    assert_int_equal(load.follower.twice, 0);
    assert_true(load.follower.n == wanted || load.follower.had_gap);
}

static void killed_and_frozen_under_load(void **state)
{
    char url[256];
    struct comb_docs *docs = NULL;
    struct comb_items_store *store = NULL;
    struct comb_logs *logs = NULL;
    struct comb_error err;
    (void)state;
    mongo_server_start(&server);
    mongo_server_url(&server, "comb", "", url, sizeof url);
    const struct comb_store_options options = {.url = comb_str_from(url)};
    must_ok(comb_docs_mongodb_open(&options, &docs, &err), &err);
    must_ok(comb_items_store_open(docs, COMB_ITEMS_LOGS, &store, &err), &err);
    const struct comb_logs_parts parts = {.store = store};
    must_ok(comb_logs_new(&parts, &logs, &err), &err);
    load_start(logs);
    await_progress("at first");
    store_process_kill(&server.process);
    usleep(500 * 1000);
    mongo_server_start(&server);
    await_progress("killed");
    store_process_freeze(&server.process);
    sleep(getenv("COMB_LONG") ? 30 : 4); /* longer than a call */
    store_process_thaw(&server.process);
    await_progress("frozen");
    load_stop(logs);
    comb_logs_free(logs);
    comb_items_store_close(store);
    comb_docs_close(docs);
    mongo_server_done(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_and_frozen_under_load)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
