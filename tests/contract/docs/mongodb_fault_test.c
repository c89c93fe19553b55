/* SPDX-License-Identifier: Apache-2.0 */
/* The database killed and frozen while others write: nothing acknowledged is lost, nobody waits
 * past his deadline, and work goes on by itself. */
#include <bson/bson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/backend/mongo/mongo.h"
#include "server/core/clock.h"
#include "server/docs/docs.h"
#include "tests/support/mongo_server.h"
#include "tests/support/support.h"

#define CALL_MS 3000
/* What a machine that is busy may add to a deadline. */
#define SLACK_MS 5000
#define WRITERS 4
#define PATIENCE_NS (60 * COMB_NS_PER_S)

static struct mongo_server server;

/* Counts up a document of its own, each step guarded by the one before. */
struct writer {
    struct comb_mongo *mongo;
    char id[16];
    int64_t acknowledged;
    int64_t longest_ns;
    int n_ok, n_failed;
    enum comb_status strange; /* a failure that nobody may see; OK: none */
};

static struct load {
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    atomic_bool stop;
} load;

static enum comb_status read_count(struct comb_mongo *mongo, struct comb_ctx *ctx, const char *id,
                                   int64_t *ret_n, struct comb_error *err)
{
    bson_t *find = BCON_NEW("find", "count", "filter", "{", "_id", id, "}", "limit", BCON_INT32(1),
                            "singleBatch", BCON_BOOL(true));
    comb_str reply;
    enum comb_status status = comb_mongo_read(mongo, ctx, find, &reply, err);
    bson_destroy(find);
    if (status == COMB_OK)
        *ret_n = comb_mongo_integer(reply, "cursor.firstBatch.0.n", 0);
    return status;
}

/* To one more than was acknowledged, or than an answer that got lost had made. */
static enum comb_status count_up(struct writer *writer, struct comb_ctx *ctx,
                                 struct comb_error *err)
{
    int64_t next = writer->acknowledged + 1;
    bson_t *command =
        BCON_NEW("findAndModify", "count", "query", "{", "_id", writer->id, "n", "{", "$in", "[",
                 BCON_INT64(writer->acknowledged), BCON_INT64(next), "]", "}", "}", "update", "{",
                 "$set", "{", "n", BCON_INT64(next), "}", "}", "new", BCON_BOOL(true));
    comb_str reply;
    enum comb_status status = comb_mongo_write(writer->mongo, ctx, command, &reply, err);
    bson_destroy(command);
    if (status == COMB_OK && comb_mongo_integer(reply, "value.n", 0) != next)
        return COMB_DATA_LOSS;
    return status;
}

static void write_once(struct writer *writer)
{
    struct test_ctx test;
    test_ctx_init(&test);
    int64_t begin_ns = comb_clock_monotonic_ns();
    test.ctx.deadline_ns = begin_ns + CALL_MS * COMB_NS_PER_MS;
    enum comb_status status = count_up(writer, &test.ctx, &test.err);
    int64_t took_ns = comb_clock_monotonic_ns() - begin_ns;
    if (took_ns > writer->longest_ns)
        writer->longest_ns = took_ns;
    if (status == COMB_OK) {
        writer->acknowledged++;
        writer->n_ok++;
    } else {
        writer->n_failed++;
        if (status != COMB_UNAVAILABLE && status != COMB_DEADLINE_EXCEEDED)
            writer->strange = status;
        usleep(1000);
    }
    test_ctx_done(&test);
}

static void *write_on(void *data)
{
    while (!atomic_load(&load.stop))
        write_once(data);
    return NULL;
}

static void insert_counter(struct writer *writer)
{
    struct test_ctx test;
    comb_str reply;
    bson_t *command = BCON_NEW("insert", "count", "documents", "[", "{", "_id", writer->id, "n",
                               BCON_INT64(0), "}", "]");
    test_ctx_init(&test);
    must_ok(comb_mongo_write(writer->mongo, &test.ctx, command, &reply, &test.err), &test.err);
    bson_destroy(command);
    test_ctx_done(&test);
}

static void load_start(struct comb_mongo *mongo, const char *name)
{
    atomic_store(&load.stop, false);
    for (int i = 0; i < WRITERS; i++) {
        load.writers[i] = (struct writer){.mongo = mongo};
        snprintf(load.writers[i].id, sizeof load.writers[i].id, "%s-%d", name, i);
        insert_counter(&load.writers[i]);
        assert_int_equal(pthread_create(&load.threads[i], NULL, write_on, &load.writers[i]), 0);
    }
}

static void load_stop(const char *what)
{
    int n_ok = 0, n_failed = 0;
    int64_t longest_ns = 0, lost = 0;
    struct test_ctx test;
    test_ctx_init(&test);
    atomic_store(&load.stop, true);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(load.threads[i], NULL);
    for (int i = 0; i < WRITERS; i++) {
        struct writer *writer = &load.writers[i];
        int64_t n = -1;
        must_ok(read_count(writer->mongo, &test.ctx, writer->id, &n, &test.err), &test.err);
        lost += n < writer->acknowledged ? writer->acknowledged - n : 0;
        assert_true(n <= writer->acknowledged + 1);
        assert_int_equal(writer->strange, COMB_OK);
        n_ok += writer->n_ok;
        n_failed += writer->n_failed;
        longest_ns = writer->longest_ns > longest_ns ? writer->longest_ns : longest_ns;
    }
    test_ctx_done(&test);
    printf("mongodb, %s: %d acknowledged, %lld lost, %d failed, longest call %lld ms\n", what, n_ok,
           (long long)lost, n_failed, (long long)(longest_ns / COMB_NS_PER_MS));
    assert_int_equal(lost, 0);
    assert_true(n_ok > 0);
    assert_true(longest_ns < (CALL_MS + SLACK_MS) * COMB_NS_PER_MS);
}

/* Until the store answers again; prints how long that took, and lets the writers go on for a bit.
 */
static void await_recovery(struct comb_mongo *mongo, const char *what)
{
    int64_t begin_ns = comb_clock_monotonic_ns(), n = 0;
    enum comb_status status;
    struct test_ctx test;
    test_ctx_init(&test);
    do {
        test_ctx_next(&test);
        test.ctx.deadline_ns = comb_clock_monotonic_ns() + CALL_MS * COMB_NS_PER_MS;
        status = read_count(mongo, &test.ctx, "none", &n, &test.err);
        usleep(1000);
    } while ((status == COMB_UNAVAILABLE || status == COMB_DEADLINE_EXCEEDED) &&
             comb_clock_monotonic_ns() - begin_ns < PATIENCE_NS);
    must_ok(status, &test.err);
    printf("mongodb, %s: usable again after %lld ms\n", what,
           (long long)((comb_clock_monotonic_ns() - begin_ns) / COMB_NS_PER_MS));
    test_ctx_done(&test);
    sleep(1);
}

static struct comb_docs *open_row(void)
{
    char url[256];
    struct comb_docs *docs = NULL;
    struct comb_error err;
    mongo_server_url(&server, "comb", "", url, sizeof url);
    const struct comb_store_options options = {.url = comb_str_from(url)};
    must_ok(comb_docs_mongodb_open(&options, &docs, &err), &err);
    return docs;
}

static void killed_and_restarted(void **state)
{
    struct comb_docs *docs = open_row();
    struct comb_store_status about;
    (void)state;
    load_start(comb_docs_mongo(docs), "killed");
    for (int i = 0; i < 3; i++) {
        sleep(1);
        store_process_kill(&server.process);
        sleep(1);
        mongo_server_start(&server);
        await_recovery(comb_docs_mongo(docs), "killed and restarted");
    }
    load_stop("killed and restarted");
    comb_docs_status(docs, &about);
    assert_int_equal(about.state, COMB_STORE_UP);
    assert_true(about.reconnects > 0);
    comb_docs_close(docs);
}

static void frozen(void **state)
{
    struct comb_docs *docs = open_row();
    (void)state;
    load_start(comb_docs_mongo(docs), "frozen");
    sleep(1);
    store_process_freeze(&server.process);
    sleep(getenv("COMB_LONG") ? 30 : 2);
    store_process_thaw(&server.process);
    await_recovery(comb_docs_mongo(docs), "frozen");
    load_stop("frozen");
    comb_docs_close(docs);
}

/* Calls that find it away end at once, with a reason; closing does not wait for it. */
static void away_from_the_start(void **state)
{
    struct test_ctx test;
    int64_t n = 0;
    (void)state;
    store_process_freeze(&server.process);
    struct comb_docs *docs = open_row();
    test_ctx_init(&test);
    test.ctx.deadline_ns = comb_clock_monotonic_ns() + 60 * COMB_NS_PER_S;
    must_fail(COMB_UNAVAILABLE, read_count(comb_docs_mongo(docs), &test.ctx, "none", &n, &test.err),
              &test.err);
    test_ctx_done(&test);
    comb_docs_close(docs);
    store_process_thaw(&server.process);
}

static int start(void **state)
{
    (void)state;
    mongo_server_start(&server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    mongo_server_done(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_and_restarted),
        cmocka_unit_test(frozen),
        cmocka_unit_test(away_from_the_start),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
