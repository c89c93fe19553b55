/* SPDX-License-Identifier: Apache-2.0 */
/* The docs row in an SQLite file: a store of its own, with FTS5, for one process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/backend/sql/sql.h"
#include "server/docs/docs.h"
#include "tests/support/support.h"

static struct comb_store_options options_of(const char *folder, char *ret_url, size_t size)
{
    snprintf(ret_url, size, "sqlite:%s/docs.db", folder);
    return (struct comb_store_options){.url = comb_str_from(ret_url)};
}

static const struct comb_sql_result *run(struct comb_sql *sql, struct comb_ctx *ctx,
                                         enum comb_sql_kind kind, const char *text)
{
    const struct comb_sql_statement statement = {.text = text};
    const struct comb_sql_request request = {kind, 0, &statement, 1};
    const struct comb_sql_result *result;
    struct comb_error err;
    must_ok(comb_sql_run(sql, ctx, &request, &result, &err), &err);
    return result;
}

static void finds_words(void **state)
{
    char *folder = test_folder_new(), url[4096];
    const struct comb_store_options options = options_of(folder, url, sizeof url);
    struct comb_docs *docs = NULL;
    struct comb_store_status about;
    struct comb_error err;
    struct test_ctx test;
    (void)state;
    test_ctx_init(&test);
    must_ok(comb_docs_sqlite_open(&options, &docs, &err), &err);
    assert_null(comb_docs_mongo(docs));
    assert_false(comb_docs_is_shared(docs));
    struct comb_sql *sql = comb_docs_sql(docs);
    run(sql, &test.ctx, COMB_SQL_WRITE, "CREATE VIRTUAL TABLE page USING fts5(body)");
    run(sql, &test.ctx, COMB_SQL_WRITE, "INSERT INTO page VALUES ('a comb of wax')");
    assert_int_equal(
        run(sql, &test.ctx, COMB_SQL_READ, "SELECT 1 FROM page('wax')")->rows[0].n_rows, 1);
    must_ok(comb_docs_check(docs, &test.ctx, &err), &err);
    comb_docs_status(docs, &about);
    assert_string_equal(about.driver, "sqlite");
    assert_int_equal(about.state, COMB_STORE_UP);
    comb_docs_close(docs);
    comb_docs_close(NULL);
    test_ctx_done(&test);
    free(folder);
}

static void keeps_a_second_process_out(void **state)
{
    char *folder = test_folder_new(), url[4096];
    const struct comb_store_options options = options_of(folder, url, sizeof url);
    struct comb_docs *docs = NULL, *second = NULL;
    struct comb_error err;
    (void)state;
    must_ok(comb_docs_sqlite_open(&options, &docs, &err), &err);
    must_fail(COMB_FAILED_PRECONDITION, comb_docs_sqlite_open(&options, &second, &err), &err);
    assert_non_null(strstr(err.msg, "another process"));
    assert_null(second);
    comb_docs_close(docs);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_words),
        cmocka_unit_test(keeps_a_second_process_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
