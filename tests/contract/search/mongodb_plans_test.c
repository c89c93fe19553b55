/* SPDX-License-Identifier: Apache-2.0 */
/* Every question to MongoDB goes by an index: asked of the store's own explain; also where there
 * are many entries, of which it gives those that SQLite gives (many.h). */
#include <stdio.h>
#include <stdlib.h>

#include "server/search/driver/mongo.h"
#include "server/search/query.h"
#include "tests/contract/search/many.h"
#include "tests/support/mongo_plan.h"
#include "tests/support/mongo_server.h"
#include "tests/support/support.h"

enum { SCANS = 8 };

static void scan(struct comb_search_store *store, struct test_ctx *t, const char *text)
{
    const struct comb_search_condition *query;
    const struct comb_uuid before = {{1, 2, 3}}, few = {{1, 2, 2}};
    struct comb_search_found found;
    test_ctx_next(t);
    must_ok(comb_search_parse(t->ctx.arena, comb_str_from(text), 1714996800000000LL, "query",
                              &query, &t->err),
            &t->err);
    for (int i = 0; i < SCANS; i++) {
        const struct comb_search_scan scan = {.query = query,
                                              .names_alone = i & 1,
                                              .before = i & 2 ? &before : NULL,
                                              .max = 10,
                                              .among = i & 4 ? &few : NULL,
                                              .n_among = i & 4 ? 1 : 0};
        must_ok(store->driver->scan(store, &t->ctx, &scan, &found, &t->err), &t->err);
    }
}

static void every_question_goes_by_an_index(void **state)
{
    static const char *const queries[] = {
        "red",       "red green",     "red OR green", "-red",        "red -green",
        "re*",       "\"red green\"", "name:red",     "content:red", "meta.a:red",
        "type:file", "size:>10",      "red size:>10", "(a b) OR c*", "modified:2024"};
    struct mongo_server server = {0};
    struct comb_search_store *store = NULL;
    struct comb_mongo *mongo = NULL;
    struct mongo_commands commands = {0};
    struct comb_uuid id = {{1}};
    const struct comb_search_removal removal = {.id = id, .version = {1, 1}, .is_folder = true};
    const struct comb_search_content *contents;
    const comb_str *texts;
    struct test_ctx t;
    char url[256];
    size_t n = 0;
    (void)state;
    test_ctx_init(&t);
    mongo_server_start(&server);
    mongo_server_url(&server, "comb", "?timeout_ms=30000", url, sizeof url);
    must_ok(
        comb_mongo_open(&(struct comb_store_options){.url = comb_str_from(url)}, &mongo, &t.err),
        &t.err);
    must_ok(comb_search_mongo_open(mongo, &store, &t.err), &t.err);
    comb_mongo_observe(mongo, mongo_commands_keep_finds, &commands);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        scan(store, &t, queries[i]);
    must_ok(store->driver->texts(store, &t.ctx, &id, 1, 100, &texts, &t.err), &t.err);
    must_ok(store->driver->sweep(store, &t.ctx, 7, 10, &n, &t.err), &t.err);
    must_ok(store->driver->purge(store, &t.ctx, 0, 10, &n, &t.err), &t.err);
    must_ok(store->driver->sweep_content(store, &t.ctx, 7, 10, &n, &t.err), &t.err);
    must_ok(store->driver->contents(store, &t.ctx, &id, 1, &contents, &t.err), &t.err);
    must_ok(store->driver->remove(store, &t.ctx, &removal, 1, &t.err), &t.err);
    must_ok(store->driver->prune(store, &t.ctx, 10, &n, &t.err), &t.err);
    test_ctx_next(&t);
    assert_int_equal(mongo_commands_must_use_indexes(&commands, mongo, &t.ctx, MONGO_PLAN_SORTED),
                     SCANS * sizeof queries / sizeof *queries + 8);
    comb_search_store_close(store);
    comb_mongo_close(mongo);
    mongo_server_done(&server);
    test_ctx_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_question_goes_by_an_index)};
    return cmocka_run_group_tests(tests, NULL, NULL) + run_many();
}
