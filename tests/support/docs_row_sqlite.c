/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/backend/sql/sql.h"
#include "tests/support/docs_row.h"
#include "tests/support/support.h"

/* Stands before the row's statements and remembers their texts; those that follow the lock are of
 * any thread. */
struct watching {
    struct comb_sql base;
    struct comb_sql *real;
    pthread_mutex_t lock;
    struct comb_sql_statement statements[64]; /* parameters: their number alone */
    size_t n;
};

static struct watching watching;

static void watch_submit(struct comb_sql *self, const struct comb_ctx *ctx,
                         const struct comb_sql_request *request, comb_sql_done done, void *data)
{
    struct watching *w = (struct watching *)self;
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < request->n_statements; i++) {
        bool is_known = false;
        for (size_t k = 0; k < w->n; k++)
            is_known |= w->statements[k].text == request->statements[i].text;
        if (!is_known && w->n < sizeof w->statements / sizeof w->statements[0])
            w->statements[w->n++] = request->statements[i];
    }
    pthread_mutex_unlock(&w->lock);
    comb_sql_submit(w->real, ctx, request, done, data);
}

static enum comb_status watch_migrate(struct comb_sql *self,
                                      const struct comb_sql_migration *migrations, size_t n,
                                      struct comb_error *err)
{
    return comb_sql_migrate(((struct watching *)self)->real, migrations, n, err);
}

static void watch_info(struct comb_sql *self, struct comb_sql_info *ret_info)
{
    comb_sql_get_info(((struct watching *)self)->real, ret_info);
}

static const struct comb_sql_driver watch_driver = {
    .name = "sqlite", .submit = watch_submit, .migrate = watch_migrate, .info = watch_info};

struct comb_docs *test_docs_row_open(void)
{
    char *folder = test_folder_new(), url[4096];
    struct comb_docs *docs = NULL;
    struct comb_error err;
    snprintf(url, sizeof url, "sqlite:%s/docs.db", folder);
    const struct comb_store_options options = {.url = comb_str_from(url)};
    must_ok(comb_docs_sqlite_open(&options, &docs, &err), &err);
    free(folder);
    watching = (struct watching){
        .base = {&watch_driver}, .real = docs->sql, .lock = PTHREAD_MUTEX_INITIALIZER};
    docs->sql = &watching.base;
    return docs;
}

void test_docs_row_close(struct comb_docs *docs)
{
    docs->sql = watching.real;
    comb_docs_close(docs);
}

size_t test_docs_row_must_use_indexes(struct comb_docs *docs, struct comb_ctx *ctx, bool has_arrays)
{
    static const struct comb_sql_value nothing[32];
    (void)docs;
    (void)has_arrays;
    pthread_mutex_lock(&watching.lock);
    size_t n = watching.n;
    for (size_t i = 0; i < n; i++) {
        const char *text =
            grpcc_arena_printf(ctx->arena, "EXPLAIN QUERY PLAN %s", watching.statements[i].text);
        const struct comb_sql_statement statement = {text, nothing, watching.statements[i].n_params,
                                                     false};
        const struct comb_sql_request request = {COMB_SQL_READ, 0, &statement, 1};
        const struct comb_sql_result *result;
        struct comb_error err;
        if (strncmp(watching.statements[i].text, "INSERT", 6) == 0)
            continue;
        must_ok(comb_sql_run(watching.real, ctx, &request, &result, &err), &err);
        for (size_t row = 0; row < result->rows[0].n_rows; row++) {
            comb_str step = comb_sql_at(&result->rows[0], row, 3)->bytes;
            if ((comb_str_starts_with(step, STR("SCAN")) &&
                 !comb_str_starts_with(step, STR("SCAN (subquery")) &&
                 !comb_str_starts_with(step, STR("SCAN json_each"))) ||
                comb_str_starts_with(step, STR("USE TEMP B-TREE")))
                fail_msg("%s: %.*s", watching.statements[i].text, COMB_STR_ARG(step));
        }
    }
    watching.n = 0;
    pthread_mutex_unlock(&watching.lock);
    return n;
}
