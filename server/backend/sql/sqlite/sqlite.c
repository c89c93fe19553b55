/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/sql/sqlite/sqlite.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "server/backend/sql/sqlite/sqlite_error.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/memory.h"

static void sqlite_info(struct comb_sql *sql, struct comb_sql_info *ret_info)
{
    *ret_info = ((struct comb_sqlite *)sql)->info;
}

static void sqlite_stats(struct comb_sql *sql, struct comb_sql_stats *ret_stats)
{
    struct comb_sqlite *sqlite = (struct comb_sqlite *)sql;
    *ret_stats = (struct comb_sql_stats){
        .reads = atomic_load_explicit(&sqlite->reads, memory_order_relaxed),
        .writes = atomic_load_explicit(&sqlite->writes, memory_order_relaxed),
        .commits = atomic_load_explicit(&sqlite->commits, memory_order_relaxed),
        .polls = atomic_load_explicit(&sqlite->polls, memory_order_relaxed),
        .retries = atomic_load_explicit(&sqlite->retries, memory_order_relaxed),
    };
}

static enum comb_status sqlite_check(struct comb_sql *sql, struct comb_ctx *ctx,
                                     struct comb_error *err)
{
    static const char write_text[] = "UPDATE comb_installation SET one = one";
    const struct comb_sql_statement statement = {.text = write_text};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    const struct comb_sql_result *result;
    return comb_sql_run(sql, ctx, &request, &result, err);
}

/* A file that is open is there: what a write of now would say, only a write tells. */
static void sqlite_status(struct comb_sql *sql, struct comb_store_status *ret_status)
{
    struct comb_sqlite *sqlite = (struct comb_sqlite *)sql;
    struct comb_sql_stats stats;
    sqlite_stats(sql, &stats);
    *ret_status = (struct comb_store_status){
        .driver = "sqlite",
        .state = COMB_STORE_UP,
        .since_us = sqlite->open_us,
        .connections = COMB_SQLITE_WORKERS,
        .requests = stats.reads + stats.writes + stats.polls,
        .failures = atomic_load_explicit(&sqlite->failures, memory_order_relaxed),
    };
    memcpy(ret_status->server, sqlite->info.store, sizeof ret_status->server);
    pthread_mutex_lock(&sqlite->lock);
    for (const struct comb_sqlite_job *job = sqlite->live; job; job = job->live_next)
        ret_status->in_flight++;
    pthread_mutex_unlock(&sqlite->lock);
}

/* Ends the threads that have been started, the keeper last: until then deadlines hold. */
static void stop_threads(struct comb_sqlite *sqlite)
{
    comb_sqlite_refuse(sqlite);
    for (int i = 0; i < COMB_SQLITE_WORKERS; i++) {
        if (sqlite->workers[i].started)
            pthread_join(sqlite->workers[i].thread, NULL);
    }
    pthread_mutex_lock(&sqlite->lock);
    sqlite->workers_gone = true;
    pthread_cond_signal(&sqlite->keeper_wake);
    pthread_mutex_unlock(&sqlite->lock);
    if (sqlite->keeper_started)
        pthread_join(sqlite->keeper, NULL);
}

static void sqlite_close(struct comb_sql *sql)
{
    struct comb_sqlite *sqlite = (struct comb_sqlite *)sql;
    if (!sqlite)
        return;
    stop_threads(sqlite);
    for (int i = 0; i < COMB_SQLITE_WORKERS; i++)
        comb_sqlite_conn_close(&sqlite->workers[i].conn);
    for (int i = 0; i < COMB_SQLITE_QUEUES; i++)
        pthread_cond_destroy(&sqlite->queues[i].wake);
    pthread_cond_destroy(&sqlite->keeper_wake);
    pthread_mutex_destroy(&sqlite->lock);
    if (sqlite->lock_fd >= 0)
        close(sqlite->lock_fd);
    comb_memory_free(sqlite->path);
    comb_memory_free(sqlite);
}

static const struct comb_sql_driver sqlite_driver = {
    .name = "sqlite",
    .caps = COMB_SQL_CAP_ONE_WRITER,
    .submit = comb_sqlite_submit,
    .migrate = comb_sqlite_migrate,
    .info = sqlite_info,
    .stats = sqlite_stats,
    .check = sqlite_check,
    .status = sqlite_status,
    /* Any other will do: copies are told apart, not put in order. */
    .anew = "UPDATE comb_installation SET incarnation = (random() & 4611686018427387902) | 1"
            " WHERE ?1 IS NOT NULL RETURNING incarnation",
    .adopt = "UPDATE comb_installation SET id = ?2 WHERE ?1 IS NOT NULL",
    .catalogue = "SELECT t.name, c.name, c.pk FROM sqlite_schema t, pragma_table_info(t.name) c"
                 " WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite!_%' ESCAPE '!'"
                 " AND t.name NOT LIKE 'comb!_%' ESCAPE '!' ORDER BY t.name, c.name",
    .snapshot_open = comb_sqlite_snapshot_open,
    .snapshot_read = comb_sqlite_snapshot_read,
    .snapshot_close = comb_sqlite_snapshot_close,
    .close = sqlite_close,
};

static struct comb_sqlite *sqlite_new(void)
{
    struct comb_sqlite *sqlite = comb_memory_zalloc(sizeof *sqlite);
    if (!sqlite)
        return NULL;
    sqlite->base.driver = &sqlite_driver;
    sqlite->lock_fd = -1;
    sqlite->keeper_wakes_ns = INT64_MAX;
    pthread_mutex_init(&sqlite->lock, NULL);
    for (int i = 0; i < COMB_SQLITE_QUEUES; i++)
        pthread_cond_init(&sqlite->queues[i].wake, NULL);
    comb_cond_init(&sqlite->keeper_wake);
    for (int i = 0; i < COMB_SQLITE_WORKERS; i++) {
        struct comb_sqlite_worker *worker = &sqlite->workers[i];
        worker->sqlite = sqlite;
        if (i == 0)
            worker->queue = COMB_SQLITE_QUEUE_WRITE;
        else if (i == 1)
            worker->queue = COMB_SQLITE_QUEUE_POLL;
        else if (i < 2 + COMB_SQLITE_SCANNERS)
            worker->queue = COMB_SQLITE_QUEUE_SCAN;
        else
            worker->queue = COMB_SQLITE_QUEUE_READ;
    }
    return sqlite;
}

/* Connections are opened here, so that what is wrong shows at start and not at the first call. */
static enum comb_status open_connections(struct comb_sqlite *sqlite, struct comb_error *err)
{
    for (int i = 0; i < COMB_SQLITE_WORKERS; i++) {
        struct comb_sqlite_worker *worker = &sqlite->workers[i];
        bool writer = worker->queue == COMB_SQLITE_QUEUE_WRITE;
        enum comb_status status = comb_sqlite_conn_open(
            &worker->conn, sqlite->path, writer ? COMB_SQLITE_WRITER : COMB_SQLITE_READER, err);
        if (status != COMB_OK)
            return status;
    }
    return COMB_OK;
}

static enum comb_status start_thread(pthread_t *ret_thread, void *(*function)(void *), void *data,
                                     bool *ret_started, struct comb_error *err)
{
    int code = pthread_create(ret_thread, NULL, function, data);
    if (code != 0)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the store: %s",
                              strerror(code));
    *ret_started = true;
    return COMB_OK;
}

/* Signals are for the program's own threads: ours block all of them. */
static enum comb_status start_threads(struct comb_sqlite *sqlite, struct comb_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    enum comb_status status =
        start_thread(&sqlite->keeper, comb_sqlite_keeper, sqlite, &sqlite->keeper_started, err);
    for (int i = 0; i < COMB_SQLITE_WORKERS && status == COMB_OK; i++) {
        struct comb_sqlite_worker *worker = &sqlite->workers[i];
        bool writer = worker->queue == COMB_SQLITE_QUEUE_WRITE;
        status = start_thread(&worker->thread, writer ? comb_sqlite_writer : comb_sqlite_reader,
                              worker, &worker->started, err);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

enum comb_status comb_sql_sqlite_open(comb_str path, struct comb_sql **ret_sql,
                                      struct comb_error *err)
{
    struct comb_sqlite *sqlite = sqlite_new();
    if (!sqlite)
        return comb_error_no_memory(err);
    enum comb_status status = comb_sqlite_setup(sqlite, path, err);
    if (status == COMB_OK)
        status = open_connections(sqlite, err);
    if (status == COMB_OK)
        status = start_threads(sqlite, err);
    if (status != COMB_OK) {
        sqlite_close(&sqlite->base);
        return status;
    }
    sqlite->open_us = comb_clock_wall_us();
    *ret_sql = &sqlite->base;
    return COMB_OK;
}
