/* SPDX-License-Identifier: Apache-2.0 */
/* The docs row in a database of MongoDB's protocol: commands, errors, what operators read. */
#include <bson/bson.h>
#include <stdio.h>
#include <string.h>

#include "server/backend/mongo/mongo.h"
#include "server/core/clock.h"
#include "server/docs/docs.h"
#include "tests/support/mongo_server.h"
#include "tests/support/support.h"

static const struct comb_mongo_index indexes[] = {
    {"thing", "thing_k", "{\"k\": 1}", "{\"unique\": true, \"sparse\": true}"},
};

static struct mongo_server server;

static struct comb_docs *open_row(const char *url, const char *credentials)
{
    const struct comb_store_options options = {.url = comb_str_from(url),
                                               .credentials = comb_str_from(credentials)};
    struct comb_docs *docs = NULL;
    struct comb_error err;
    must_ok(comb_docs_mongodb_open(&options, &docs, &err), &err);
    return docs;
}

static struct comb_docs *open_here(const struct mongo_server *at, const char *rest,
                                   const char *credentials)
{
    char url[256];
    mongo_server_url(at, "comb", rest, url, sizeof url);
    return open_row(url, credentials);
}

/* {insert: "thing", documents: [{_id: id, k: key}]} */
static enum comb_status insert(struct comb_docs *docs, struct comb_ctx *ctx, const char *id,
                               const char *key, struct comb_error *err)
{
    bson_t *command =
        BCON_NEW("insert", "thing", "documents", "[", "{", "_id", id, "k", key, "}", "]");
    comb_str reply;
    enum comb_status status = comb_mongo_write(comb_docs_mongo(docs), ctx, command, &reply, err);
    bson_destroy(command);
    return status;
}

static void writes_and_reads(void **state)
{
    struct comb_docs *docs = open_here(&server, "", "");
    struct comb_mongo *mongo = comb_docs_mongo(docs);
    struct comb_store_status about;
    struct comb_error err;
    struct test_ctx test;
    bson_iter_t batch;
    comb_str reply, document;
    (void)state;
    test_ctx_init(&test);
    assert_null(comb_docs_sql(docs));
    assert_true(comb_docs_is_shared(docs));
    must_ok(comb_mongo_declare(mongo, indexes, 1, &err), &err);
    must_ok(insert(docs, &test.ctx, "1", "a", &err), &err);
    must_fail(COMB_ALREADY_EXISTS, insert(docs, &test.ctx, "2", "a", &err), &err);
    assert_false(err.ambiguous);
    bson_t *find = BCON_NEW("find", "thing", "filter", "{", "k", "{", "$gte", "a", "}", "}",
                            "singleBatch", BCON_BOOL(true));
    must_ok(comb_mongo_read(mongo, &test.ctx, find, &reply, &err), &err);
    bson_destroy(find);
    assert_true(comb_mongo_array(reply, "cursor.firstBatch", &batch));
    assert_true(comb_mongo_next(&batch, &document));
    assert_string_equal(comb_mongo_text(document, "_id").ptr, "1");
    assert_null(comb_mongo_text(document, "none").ptr);
    assert_int_equal(comb_mongo_integer(document, "none", 7), 7);
    assert_false(comb_mongo_next(&batch, &document));
    must_ok(comb_docs_check(docs, &test.ctx, &err), &err);
    comb_docs_status(docs, &about);
    assert_int_equal(about.state, COMB_STORE_UP);
    assert_int_equal(strncmp(about.server, "MongoDB ", 8), 0);
    comb_docs_close(docs);
    test_ctx_done(&test);
}

static void says_what_is_wrong_with_a_url(void **state)
{
    static const char *const urls[] = {
        "mongodb://127.0.0.1",
        "mongodb://127.0.0.1/a.b",
        "mongodb://u:secret@127.0.0.1/comb",
        "mongodb://u@127.0.0.1/comb",
        "mongodb://127.0.0.1/comb?tls=off",
        "mongodb://127.0.0.1/comb?ca=/none",
        "mongodb://127.0.0.1/comb?timeout_ms=0",
        "mongodb://127.0.0.1/comb?connections=65",
        "mongodb://127.0.0.1/comb?w=0",
        "mongodb:///comb",
    };
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        const struct comb_store_options options = {.url = comb_str_from(urls[i])};
        struct comb_docs *docs = NULL;
        struct comb_error err;
        must_fail(COMB_INVALID_ARGUMENT, comb_docs_mongodb_open(&options, &docs, &err), &err);
        assert_null(strstr(err.msg, "secret"));
        assert_null(docs);
    }
}

static void must_tell(struct comb_docs *docs, enum comb_status expected, const char *words)
{
    struct comb_error err;
    struct test_ctx test;
    test_ctx_init(&test);
    must_fail(expected, comb_docs_check(docs, &test.ctx, &err), &err);
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
    comb_docs_close(docs);
    test_ctx_done(&test);
}

static void says_that_nobody_is_there(void **state)
{
    (void)state;
    must_tell(open_row("mongodb://127.0.0.1:1/comb", ""), COMB_UNAVAILABLE, "cannot be reached");
}

static void asks_for_the_right_credentials(void **state)
{
    struct mongo_server strict = {.has_users = true};
    struct comb_error err;
    struct test_ctx test;
    (void)state;
    mongo_server_start(&strict);
    must_tell(open_here(&strict, "", "comb:wrong"), COMB_FAILED_PRECONDITION,
              "--docs-credentials-file");
    must_tell(open_here(&strict, "", ""), COMB_FAILED_PRECONDITION, "--docs-credentials-file");
    test_ctx_init(&test);
    struct comb_docs *docs = open_here(&strict, "", MONGO_SERVER_CREDENTIALS);
    must_ok(comb_docs_check(docs, &test.ctx, &err), &err);
    comb_docs_close(docs);
    test_ctx_done(&test);
    mongo_server_done(&strict);
}

static void makes_indexes_after_they_were_declared(void **state)
{
    static const struct comb_mongo_index other = {"thing", "thing_k", "{\"z\": 1}", NULL};
    struct comb_docs *docs = open_here(&server, "", "");
    struct comb_error err;
    struct test_ctx test;
    (void)state;
    test_ctx_init(&test);
    must_ok(comb_docs_check(docs, &test.ctx, &err), &err);
    must_ok(comb_mongo_declare(comb_docs_mongo(docs), indexes, 1, &err), &err);
    must_ok(comb_docs_check(docs, &test.ctx, &err), &err);
    must_ok(comb_mongo_declare(comb_docs_mongo(docs), &other, 1, &err), &err);
    test_ctx_done(&test);
    must_tell(docs, COMB_FAILED_PRECONDITION, "drop it");
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
        cmocka_unit_test(writes_and_reads),
        cmocka_unit_test(says_what_is_wrong_with_a_url),
        cmocka_unit_test(says_that_nobody_is_there),
        cmocka_unit_test(asks_for_the_right_credentials),
        cmocka_unit_test(makes_indexes_after_they_were_declared),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
