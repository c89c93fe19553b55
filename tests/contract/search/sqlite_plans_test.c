/* SPDX-License-Identifier: Apache-2.0 */
/* Every statement that reads more than one document goes by an index, and none sorts: asked of
 * SQLite itself. */
#include <stdio.h>
#include <stdlib.h>

#include "server/search/driver/sqlite.h"
#include "tests/support/support.h"

/* The statements' texts have to live as long as the store. */
static char texts[16][2048];

/* The steps of a statement, one in a line. */
static const char *plan_of(struct comb_sql *sql, struct test_ctx *t, size_t number,
                           const char *text)
{
    static char plan[4096];
    struct comb_sql_value params[4] = {comb_sql_text(STR("a")), comb_sql_null(),
                                       comb_sql_integer(1), comb_sql_integer(1)};
    size_t length = 0, n = 0;
    snprintf(texts[number], sizeof texts[number], "EXPLAIN QUERY PLAN %s", text);
    for (size_t i = 1; i <= 4; i++) {
        const char name[] = {'?', (char)('0' + (int)i), 0};
        if (strstr(text, name))
            n = i;
    }
    const struct comb_sql_statement statement = {texts[number], params, n, false};
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, &statement, 1};
    const struct comb_sql_result *result;
    must_ok(comb_sql_run(sql, &t->ctx, &request, &result, &t->err), &t->err);
    plan[0] = 0;
    for (size_t i = 0; i < result->rows[0].n_rows; i++)
        length += (size_t)snprintf(plan + length, sizeof plan - length, "%.*s\n",
                                   COMB_STR_ARG(comb_sql_at(&result->rows[0], i, 3)->bytes));
    return plan;
}

static void every_read_goes_by_an_index_and_none_sorts(void **state)
{
    struct comb_search_store *store = NULL;
    struct comb_sql *sql = NULL;
    struct test_ctx t;
    char *folder = test_folder_new(), *path = test_path(folder, "docs.db");
    (void)state;
    test_ctx_init(&t);
    must_ok(comb_sql_sqlite_open(comb_str_from(path), &sql, &t.err), &t.err);
    must_ok(comb_search_sqlite_open(sql, &store, &t.err), &t.err);
    for (size_t i = 0; comb_search_sqlite_reads[i]; i++) {
        const char *plan = plan_of(sql, &t, i, comb_search_sqlite_reads[i]);
        /* FTS5 and json_each are virtual tables; how FTS5 is asked stands behind INDEX. */
        if (!strstr(plan, "SEARCH") && !strstr(plan, "VIRTUAL TABLE INDEX"))
            fail_msg("%s\nis planned as\n%s", comb_search_sqlite_reads[i], plan);
        if (strstr(plan, "SCAN search_doc") || strstr(plan, "SCAN doc") ||
            strstr(plan, "TEMP B-TREE"))
            fail_msg("%s\nis planned as\n%s", comb_search_sqlite_reads[i], plan);
    }
    comb_search_store_close(store);
    comb_sql_close(sql);
    test_ctx_done(&t);
    free(path);
    free(folder);
}

/* Documents with a word in the name, or in the text. */
static void put_words(struct comb_search_store *store, struct test_ctx *t)
{
    struct comb_search_document documents[2] = {0};
    for (uint8_t i = 0; i < 2; i++)
        documents[i] = (struct comb_search_document){.id = {{i + 1}},
                                                     .version = {1, 1},
                                                     .name = STR("red"),
                                                     .media = STR(""),
                                                     .name_terms = i ? STR("red") : STR("blue"),
                                                     .meta_terms = i ? STR("") : STR("red"),
                                                     .keyed_terms = STR("")};
    must_ok(store->driver->put(store, &t->ctx, documents, 2, &t->err), &t->err);
}

static size_t candidates(struct comb_search_store *store, struct test_ctx *t, bool names_alone)
{
    struct comb_search_term term = {.term = STR("red")};
    const struct comb_search_condition query = {
        .kind = COMB_SEARCH_WORDS, .terms = &term, .n_terms = 1};
    const struct comb_search_scan scan = {
        .query = &query, .names_alone = names_alone, .max = COMB_SEARCH_SCAN_MAX};
    struct comb_search_found found;
    must_ok(store->driver->scan(store, &t->ctx, &scan, &found, &t->err), &t->err);
    return found.n;
}

/* A word that many texts and no name have costs a question for names nothing: the list that is gone
 * through has names alone. */
static void names_are_looked_for_among_names(void **state)
{
    static const struct comb_sql_statement forget = {.text = "DELETE FROM search_name"};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &forget, 1};
    const struct comb_sql_result *result;
    struct comb_search_store *store = NULL;
    struct comb_sql *sql = NULL;
    struct test_ctx t;
    char *folder = test_folder_new(), *path = test_path(folder, "docs.db");
    (void)state;
    test_ctx_init(&t);
    must_ok(comb_sql_sqlite_open(comb_str_from(path), &sql, &t.err), &t.err);
    must_ok(comb_search_sqlite_open(sql, &store, &t.err), &t.err);
    put_words(store, &t);
    assert_int_equal(candidates(store, &t, true), 1);
    assert_int_equal(candidates(store, &t, false), 2);
    must_ok(comb_sql_run(sql, &t.ctx, &request, &result, &t.err), &t.err);
    assert_int_equal(candidates(store, &t, true), 0);
    assert_int_equal(candidates(store, &t, false), 2);
    comb_search_store_close(store);
    comb_sql_close(sql);
    test_ctx_done(&t);
    free(path);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_read_goes_by_an_index_and_none_sorts),
        cmocka_unit_test(names_are_looked_for_among_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
