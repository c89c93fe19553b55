/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/sql/sql.h"

#include <assert.h>
#include <pthread.h>

#include "server/backend/sql/sql_driver.h"

static const char domain[] = "sql";

static struct comb_sql_value *copy_params(struct grpcc_arena *arena,
                                          const struct comb_sql_value *params, size_t n)
{
    struct comb_sql_value *copy = grpcc_arena_memdup(arena, params, n * sizeof(*params));
    for (size_t i = 0; copy && i < n; i++) {
        if (copy[i].type != COMB_SQL_TEXT && copy[i].type != COMB_SQL_BLOB)
            continue;
        copy[i].bytes.ptr = grpcc_arena_memdup(arena, copy[i].bytes.ptr, copy[i].bytes.len);
        if (!copy[i].bytes.ptr)
            return NULL;
    }
    return copy;
}

struct comb_sql_statement *comb_sql_copy_statements(struct grpcc_arena *arena,
                                                    const struct comb_sql_statement *statements,
                                                    size_t n)
{
    struct comb_sql_statement *copy = grpcc_arena_memdup(arena, statements, n * sizeof(*copy));
    for (size_t i = 0; copy && i < n; i++) {
        copy[i].params = copy_params(arena, copy[i].params, copy[i].n_params);
        if (!copy[i].params)
            return NULL;
    }
    return copy;
}

static enum comb_status check(const struct comb_ctx *ctx, const struct comb_sql_request *request,
                              struct comb_error *err)
{
    if (request->n_statements == 0 || request->n_statements > COMB_SQL_STATEMENTS_MAX)
        return comb_error_set(err, COMB_INTERNAL, 0, "a request of %zu statements",
                              request->n_statements);
    for (size_t i = 0; i < request->n_statements; i++) {
        if (!request->statements[i].text)
            return comb_error_set(err, COMB_INTERNAL, 0, "statement %zu has no text", i);
    }
    return comb_ctx_check(ctx, err);
}

void comb_sql_submit(struct comb_sql *sql, const struct comb_ctx *ctx,
                     const struct comb_sql_request *request, comb_sql_done done, void *data)
{
    struct comb_error err;
    enum comb_status status = check(ctx, request, &err);
    if (status != COMB_OK) {
        err.domain = domain;
        done(data, status, NULL, &err);
        return;
    }
    sql->driver->submit(sql, ctx, request, done, data);
}

/* Somebody who waits for a request. Lives on his stack: done comes exactly once. */
struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool answered;
    enum comb_status status;
    struct comb_error err;
    const struct comb_sql_result *result;
    struct grpcc_arena *arena; /* of the result */
};

static void waiter_done(void *data, enum comb_status status, const struct comb_sql_result *result,
                        const struct comb_error *err)
{
    struct waiter *waiter = data;
    /* The pair of each result: set where the contract says so, and only there. */
    assert(result || status != COMB_OK);
    pthread_mutex_lock(&waiter->lock);
    waiter->status = status;
    if (err)
        waiter->err = *err;
    if (result) {
        waiter->result = result;
        waiter->arena = comb_sql_result_take(result);
    }
    waiter->answered = true;
    pthread_cond_signal(&waiter->wake);
    pthread_mutex_unlock(&waiter->lock);
}

static void free_held_arena(void *data)
{
    grpcc_arena_free(*(struct grpcc_arena **)data);
}

enum comb_status comb_sql_run(struct comb_sql *sql, struct comb_ctx *ctx,
                              const struct comb_sql_request *request,
                              const struct comb_sql_result **ret_result, struct comb_error *err)
{
    /* The place for the result's arena is made first: nothing may fail after a write. */
    struct grpcc_arena **held = grpcc_arena_zalloc(ctx->arena, sizeof(struct grpcc_arena *));
    if (!held || !grpcc_arena_on_free(ctx->arena, free_held_arena, held))
        return comb_error_no_memory(err);
    struct waiter waiter = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    comb_sql_submit(sql, ctx, request, waiter_done, &waiter);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.answered)
        pthread_cond_wait(&waiter.wake, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    pthread_cond_destroy(&waiter.wake);
    pthread_mutex_destroy(&waiter.lock);
    *held = waiter.arena;
    if (waiter.result)
        *ret_result = waiter.result;
    if (waiter.status != COMB_OK && err)
        *err = waiter.err;
    return waiter.status;
}

enum comb_status comb_sql_migrate(struct comb_sql *sql, const struct comb_sql_migration *migrations,
                                  size_t n, struct comb_error *err)
{
    for (size_t i = 0; i < n; i++) {
        int expected = 1;
        if (i > 0 && strcmp(migrations[i].area, migrations[i - 1].area) == 0)
            expected = migrations[i - 1].version + 1;
        if (migrations[i].version != expected)
            return comb_error_set(err, COMB_INTERNAL, 0, "migration %s %d follows no version %d",
                                  migrations[i].area, migrations[i].version, expected - 1);
    }
    return sql->driver->migrate(sql, migrations, n, err);
}

const struct comb_sql_schema *comb_sql_schema_of(struct comb_sql *sql,
                                                 const struct comb_sql_schema *const *schemas,
                                                 struct comb_error *err)
{
    struct comb_sql_info info;
    comb_sql_get_info(sql, &info);
    for (; *schemas; schemas++) {
        if (strcmp((*schemas)->driver, info.driver) == 0)
            return *schemas;
    }
    comb_error_set(err, COMB_INTERNAL, 0, "an area has no statements for %s", info.driver);
    return NULL;
}

enum comb_status comb_sql_migrate_schema(struct comb_sql *sql,
                                         const struct comb_sql_schema *const *schemas,
                                         struct comb_error *err)
{
    const struct comb_sql_schema *schema = comb_sql_schema_of(sql, schemas, err);
    return schema ? comb_sql_migrate(sql, schema->steps, schema->n_steps, err) : COMB_INTERNAL;
}

void comb_sql_get_info(struct comb_sql *sql, struct comb_sql_info *ret_info)
{
    sql->driver->info(sql, ret_info);
}

uint64_t comb_sql_incarnation(struct comb_sql *sql)
{
    struct comb_sql_info info;
    comb_sql_get_info(sql, &info);
    return info.incarnation;
}

bool comb_sql_is_history(struct comb_sql *sql, uint64_t incarnation)
{
    struct comb_sql_info info;
    comb_sql_get_info(sql, &info);
    return incarnation <= info.incarnation && incarnation >= info.history_since;
}

enum comb_status comb_sql_check(struct comb_sql *sql, struct comb_ctx *ctx, struct comb_error *err)
{
    enum comb_status status = comb_ctx_check(ctx, err);
    if (status != COMB_OK)
        return status;
    if (!sql->driver->check)
        return comb_error_set(err, COMB_UNIMPLEMENTED, 0, "the driver %s cannot be checked",
                              sql->driver->name);
    return sql->driver->check(sql, ctx, err);
}

void comb_sql_status(struct comb_sql *sql, struct comb_store_status *ret_status)
{
    *ret_status = (struct comb_store_status){.driver = sql->driver->name};
    if (sql->driver->status)
        sql->driver->status(sql, ret_status);
}

void comb_sql_expect(struct comb_sql *sql, uint64_t incarnation)
{
    if (sql->driver->expect)
        sql->driver->expect(sql, incarnation);
}

enum comb_status comb_sql_begin_anew(struct comb_sql *sql, struct comb_ctx *ctx, uint64_t above,
                                     uint64_t *ret_incarnation, struct comb_error *err)
{
    if (!sql->driver->anew)
        return comb_error_set(err, COMB_UNIMPLEMENTED, 0,
                              "the driver %s begins no history of its own", sql->driver->name);
    const struct comb_sql_value param = comb_sql_integer((int64_t)above);
    const struct comb_sql_statement statement = {sql->driver->anew, &param, 1, false};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(sql, ctx, &request, &result, err);
    if (status == COMB_OK && result->rows[0].n_rows != 1)
        return comb_error_set(err, COMB_INTERNAL, 0, "the store does not say who it is");
    if (status == COMB_OK)
        *ret_incarnation = (uint64_t)comb_sql_at(&result->rows[0], 0, 0)->integer;
    return status;
}

enum comb_status comb_sql_adopt(struct comb_sql *sql, struct comb_ctx *ctx,
                                const struct comb_uuid *installation, struct comb_error *err)
{
    if (!sql->driver->adopt)
        return comb_error_set(err, COMB_UNIMPLEMENTED, 0,
                              "the driver %s cannot become another installation's",
                              sql->driver->name);
    char id[COMB_UUID_TEXT_LENGTH + 1];
    comb_uuid_format(installation, id);
    const struct comb_sql_value params[] = {comb_sql_text(comb_str_from(id)),
                                            comb_sql_uuid(installation)};
    const struct comb_sql_statement statement = {sql->driver->adopt, params, 2, true};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    const struct comb_sql_result *result;
    return comb_sql_run(sql, ctx, &request, &result, err);
}

enum comb_status comb_sql_snapshot_open(struct comb_sql *sql, struct comb_ctx *ctx,
                                        struct comb_sql_snapshot **ret_snapshot,
                                        struct comb_error *err)
{
    enum comb_status status = comb_ctx_check(ctx, err);
    if (status != COMB_OK)
        return status;
    if (!sql->driver->snapshot_open)
        return comb_error_set(err, COMB_UNIMPLEMENTED, 0, "the driver %s has no snapshots",
                              sql->driver->name);
    return sql->driver->snapshot_open(sql, ctx, ret_snapshot, err);
}

enum comb_status comb_sql_snapshot_read(struct comb_sql_snapshot *snapshot, struct comb_ctx *ctx,
                                        const struct comb_sql_statement *statement,
                                        const struct comb_sql_rows **ret_rows,
                                        struct comb_error *err)
{
    enum comb_status status = comb_ctx_check(ctx, err);
    if (status != COMB_OK)
        return status;
    return snapshot->sql->driver->snapshot_read(snapshot, ctx, statement, ret_rows, err);
}

void comb_sql_snapshot_close(struct comb_sql_snapshot *snapshot)
{
    if (snapshot)
        snapshot->sql->driver->snapshot_close(snapshot);
}

void comb_sql_get_stats(struct comb_sql *sql, struct comb_sql_stats *ret_stats)
{
    sql->driver->stats(sql, ret_stats);
}

void comb_sql_close(struct comb_sql *sql)
{
    if (sql)
        sql->driver->close(sql);
}
