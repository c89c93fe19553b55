/* SPDX-License-Identifier: Apache-2.0 */
/* Every question to MongoDB goes by an index: asked of the store's own explain; also where there
 * are many entries, of which it gives those that SQLite gives (many.h). */
#include <stdio.h>
#include <stdlib.h>

#include "server/search/driver/mongo.h"
#include "server/search/query.h"
#include "tests/contract/search/many.h"
#include "tests/support/mongo_server.h"
#include "tests/support/support.h"

enum { COMMANDS_MAX = 256, SCANS = 8 };

/* What the driver asked. */
static bson_t *commands[COMMANDS_MAX];
static size_t n_commands;

static void observe(void *data, const bson_t *command)
{
    (void)data;
    if (bson_has_field(command, "find") && n_commands < COMMANDS_MAX)
        commands[n_commands++] = bson_copy(command);
}

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

static void must_go_by_an_index(struct comb_mongo *mongo, struct test_ctx *t, const bson_t *command)
{
    bson_t *explain = bson_new();
    comb_str reply;
    bson_append_document(explain, "explain", -1, command);
    bson_append_utf8(explain, "verbosity", -1, "queryPlanner", -1);
    test_ctx_next(t);
    must_ok(comb_mongo_read(mongo, &t->ctx, explain, &reply, &t->err), &t->err);
    bson_destroy(explain);
    bson_t *copy = bson_new_from_data((const uint8_t *)reply.ptr, reply.len);
    char *plan = bson_as_canonical_extended_json(copy, NULL);
    char *asked = bson_as_canonical_extended_json(command, NULL);
    if (strstr(plan, "COLLSCAN") || !strstr(plan, "IXSCAN"))
        fail_msg("%s\nis planned as\n%s", asked, plan);
    bson_free(asked);
    bson_free(plan);
    bson_destroy(copy);
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
    comb_mongo_observe(mongo, observe, NULL);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        scan(store, &t, queries[i]);
    must_ok(store->driver->texts(store, &t.ctx, &id, 1, 100, &texts, &t.err), &t.err);
    must_ok(store->driver->sweep(store, &t.ctx, 7, 10, &n, &t.err), &t.err);
    must_ok(store->driver->purge(store, &t.ctx, 0, 10, &n, &t.err), &t.err);
    must_ok(store->driver->sweep_content(store, &t.ctx, 7, 10, &n, &t.err), &t.err);
    must_ok(store->driver->contents(store, &t.ctx, &id, 1, &contents, &t.err), &t.err);
    must_ok(store->driver->remove(store, &t.ctx, &removal, 1, &t.err), &t.err);
    must_ok(store->driver->prune(store, &t.ctx, 10, &n, &t.err), &t.err);
    comb_mongo_observe(mongo, NULL, NULL);
    assert_int_equal(n_commands, SCANS * sizeof queries / sizeof *queries + 8);
    for (size_t i = 0; i < n_commands; i++) {
        must_go_by_an_index(mongo, &t, commands[i]);
        bson_destroy(commands[i]);
    }
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
