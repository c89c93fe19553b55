/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/sql/fixture.h"

#include <stdlib.h>

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    test_ctx_init(&f->t);
    f->place = driver_place();
    must_ok(driver_open(f->place, &f->sql, &f->t.err), &f->t.err);
    must_ok(comb_sql_migrate(f->sql, &(struct comb_sql_migration){"item", 1, driver_item_sql}, 1,
                             &f->t.err),
            &f->t.err);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    comb_sql_close(f->sql);
    test_ctx_done(&f->t);
    free(f->place);
    free(f);
    return 0;
}

enum comb_status run_all(struct fixture *f, enum comb_sql_kind kind,
                         const struct comb_sql_statement *statements, size_t n,
                         const struct comb_sql_result **ret_result)
{
    struct comb_sql_request request = {.kind = kind, .statements = statements, .n_statements = n};
    return comb_sql_run(f->sql, &f->t.ctx, &request, ret_result, &f->t.err);
}

enum comb_status run_text(struct fixture *f, enum comb_sql_kind kind, const char *text,
                          const struct comb_sql_result **ret_result)
{
    struct comb_sql_statement statement = {.text = text};
    return run_all(f, kind, &statement, 1, ret_result);
}

enum comb_status insert_item(struct comb_sql *sql, struct comb_ctx *ctx, int64_t id, comb_str name,
                             struct comb_error *err)
{
    static const char text[] = "INSERT INTO item (id, name, rev) VALUES (?1, ?2, 1)";
    struct comb_sql_value params[] = {comb_sql_integer(id), comb_sql_text(name)};
    struct comb_sql_statement statement = {.text = text, .params = params, .n_params = 2};
    struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    const struct comb_sql_result *result;
    return comb_sql_run(sql, ctx, &request, &result, err);
}

int64_t number(struct fixture *f, const char *text)
{
    const struct comb_sql_result *result;
    must_ok(run_text(f, COMB_SQL_READ, text, &result), &f->t.err);
    assert_int_equal(result->rows[0].n_rows, 1);
    assert_int_equal(comb_sql_at(&result->rows[0], 0, 0)->type, COMB_SQL_INTEGER);
    return comb_sql_at(&result->rows[0], 0, 0)->integer;
}

void listener_done(void *data, enum comb_status status, const struct comb_sql_result *result,
                   const struct comb_error *err)
{
    struct listener *listener = data;
    pthread_mutex_lock(&listener->lock);
    listener->calls++;
    listener->status = status;
    if (err)
        listener->err = *err;
    listener->has_result = result != NULL;
    listener->guard_failed = result ? result->guard_failed : -1;
    listener->constraint_failed = result ? result->constraint_failed : -1;
    pthread_cond_signal(&listener->wake);
    pthread_mutex_unlock(&listener->lock);
}

void listener_wait(struct listener *listener)
{
    pthread_mutex_lock(&listener->lock);
    while (listener->calls == 0)
        pthread_cond_wait(&listener->wake, &listener->lock);
    assert_int_equal(listener->calls, 1);
    pthread_mutex_unlock(&listener->lock);
}
