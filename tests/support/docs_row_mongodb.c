/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/mongo/mongo.h"
#include "tests/support/docs_row.h"
#include "tests/support/mongo_plan.h"
#include "tests/support/mongo_server.h"
#include "tests/support/support.h"

/* Commands that look for documents, as they went out. */
static struct mongo_commands watched;

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
    if (comb_mongo_text(bytes, "insert").ptr)
        return;
    if (!query.ptr) {
        mongo_commands_add(&watched, command);
        return;
    }
    assert_true(bson_init_static(&filter, (const uint8_t *)query.ptr, query.len));
    bson_t *find = BCON_NEW("find", BCON_UTF8(collection.ptr));
    BSON_APPEND_DOCUMENT(find, "filter", &filter);
    mongo_commands_add(&watched, find);
    bson_destroy(find);
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
    mongo_commands_clear(&watched);
    comb_docs_close(docs);
    mongo_server_done(&server);
}

size_t test_docs_row_must_use_indexes(struct comb_docs *docs, struct comb_ctx *ctx, bool has_arrays)
{
    struct comb_mongo *mongo = comb_docs_mongo(docs);
    size_t n = mongo_commands_must_use_indexes(
        &watched, mongo, ctx, MONGO_PLAN_BY_ID | (has_arrays ? MONGO_PLAN_SORTED : 0));
    comb_mongo_observe(mongo, watch, NULL);
    return n;
}
