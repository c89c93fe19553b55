/* SPDX-License-Identifier: Apache-2.0 */
#include <bson/bson.h>
#include <string.h>

#include "server/backend/mongo/mongo.h"
#include "tests/support/docs_row.h"
#include "tests/support/mongo_server.h"
#include "tests/support/support.h"

#define WATCHED_MAX 256

/* Commands that look for documents, as they went out. */
static struct {
    bson_t *commands[WATCHED_MAX];
    size_t n;
} watched;

static struct mongo_server server;

/* Of one that changes documents: the query that finds them, since not every server explains more.
 */
static void watch(void *data, const bson_t *command)
{
    const comb_str bytes = comb_mongo_view(command);
    comb_str query = comb_mongo_document(bytes, "updates.0.q");
    comb_str collection = comb_mongo_text(bytes, "update");
    bson_t filter;
    (void)data;
    if (!query.ptr) {
        query = comb_mongo_document(bytes, "deletes.0.q");
        collection = comb_mongo_text(bytes, "delete");
    }
    if (comb_mongo_text(bytes, "insert").ptr || watched.n == WATCHED_MAX)
        return;
    if (!query.ptr) {
        watched.commands[watched.n++] = bson_copy(command);
        return;
    }
    assert_true(bson_init_static(&filter, (const uint8_t *)query.ptr, query.len));
    bson_t *find = BCON_NEW("find", BCON_UTF8(collection.ptr));
    BSON_APPEND_DOCUMENT(find, "filter", &filter);
    watched.commands[watched.n++] = find;
}

struct comb_docs *test_docs_row_open(void)
{
    char url[256];
    struct comb_docs *docs = NULL;
    struct comb_error err;
    mongo_server_start(&server);
    mongo_server_url(&server, "comb", "", url, sizeof url);
    const struct comb_store_options options = {.url = comb_str_from(url)};
    must_ok(comb_docs_mongodb_open(&options, &docs, &err), &err);
    comb_mongo_observe(comb_docs_mongo(docs), watch, NULL);
    return docs;
}

void test_docs_row_close(struct comb_docs *docs)
{
    while (watched.n > 0)
        bson_destroy(watched.commands[--watched.n]);
    comb_docs_close(docs);
    mongo_server_done(&server);
}

static void must_use_index(struct comb_mongo *mongo, struct comb_ctx *ctx, const bson_t *command,
                           bool may_sort)
{
    bson_t explain = BSON_INITIALIZER;
    comb_str reply;
    struct comb_error err;
    BSON_APPEND_DOCUMENT(&explain, "explain", command);
    BSON_APPEND_UTF8(&explain, "verbosity", "queryPlanner");
    must_ok(comb_mongo_read(mongo, ctx, &explain, &reply, &err), &err);
    bson_destroy(&explain);
    bson_t whole;
    assert_true(bson_init_static(&whole, (const uint8_t *)reply.ptr, reply.len));
    char *plan = bson_as_relaxed_extended_json(&whole, NULL);
    char *asked = bson_as_relaxed_extended_json(command, NULL);
    if (strstr(plan, "COLLSCAN") || (!may_sort && strstr(plan, "\"SORT\"")) ||
        (!strstr(plan, "IXSCAN") && !strstr(plan, "IDHACK")))
        fail_msg("%s\n  %s", asked, plan);
    bson_free(plan);
    bson_free(asked);
}

size_t test_docs_row_must_use_indexes(struct comb_docs *docs, struct comb_ctx *ctx, bool has_arrays)
{
    struct comb_mongo *mongo = comb_docs_mongo(docs);
    size_t n = watched.n;
    comb_mongo_observe(mongo, NULL, NULL);
    for (size_t i = 0; i < n; i++)
        must_use_index(mongo, ctx, watched.commands[i], has_arrays);
    while (watched.n > 0)
        bson_destroy(watched.commands[--watched.n]);
    comb_mongo_observe(mongo, watch, NULL);
    return n;
}
