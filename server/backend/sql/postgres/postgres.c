/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/sql/postgres/postgres.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "server/backend/sql/postgres/open.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/core/memory.h"

static void postgres_info(struct comb_sql *sql, struct comb_sql_info *ret_info)
{
    struct comb_pg *pg = (struct comb_pg *)sql;
    pthread_mutex_lock(&pg->lock);
    *ret_info = pg->info;
    pthread_mutex_unlock(&pg->lock);
}

static void postgres_stats(struct comb_sql *sql, struct comb_sql_stats *ret_stats)
{
    struct comb_pg *pg = (struct comb_pg *)sql;
    *ret_stats = (struct comb_sql_stats){
        .reads = atomic_load_explicit(&pg->reads, memory_order_relaxed),
        .writes = atomic_load_explicit(&pg->writes, memory_order_relaxed),
        .commits = atomic_load_explicit(&pg->commits, memory_order_relaxed),
        .polls = atomic_load_explicit(&pg->polls, memory_order_relaxed),
        .retries = atomic_load_explicit(&pg->retries, memory_order_relaxed),
    };
}

static void postgres_status(struct comb_sql *sql, struct comb_store_status *ret_status)
{
    struct comb_pg *pg = (struct comb_pg *)sql;
    struct comb_sql_stats stats;
    postgres_stats(sql, &stats);
    pthread_mutex_lock(&pg->lock);
    *ret_status = pg->status;
    snprintf(ret_status->server, sizeof ret_status->server, "%s", pg->info.store);
    pthread_mutex_unlock(&pg->lock);
    ret_status->connections = atomic_load_explicit(&pg->n_open, memory_order_relaxed);
    ret_status->in_flight = atomic_load_explicit(&pg->n_live, memory_order_relaxed);
    ret_status->requests = stats.reads + stats.writes + stats.polls;
    ret_status->failures = atomic_load_explicit(&pg->failures, memory_order_relaxed);
    ret_status->reconnects = atomic_load_explicit(&pg->reconnects, memory_order_relaxed);
}

void comb_pg_set_state(struct comb_pg *pg, enum comb_store_state state,
                       const struct comb_error *err)
{
    pthread_mutex_lock(&pg->lock);
    bool changed = comb_store_status_set(&pg->status, state, err);
    pthread_mutex_unlock(&pg->lock);
    if (!changed)
        return;
    if (state == COMB_STORE_UP) {
        struct comb_store_status status;
        postgres_status(&pg->base, &status);
        comb_log(COMB_LOG_INFO, comb_pg_domain, "the database answers",
                 comb_log_text("server", comb_str_from(status.server)));
    } else {
        comb_log_error(COMB_LOG_WARN, comb_pg_domain, "the database cannot be used", err);
    }
}

static void stop_threads(struct comb_pg *pg)
{
    pthread_mutex_lock(&pg->lock);
    pg->closing = true;
    pthread_cond_signal(&pg->connect_wake);
    pthread_mutex_unlock(&pg->lock);
    if (pg->connector_started)
        pthread_join(pg->connector, NULL);
    comb_pg_wake(pg);
    if (pg->driver_started)
        pthread_join(pg->driver, NULL);
}

static void postgres_close(struct comb_sql *sql)
{
    struct comb_pg *pg = (struct comb_pg *)sql;
    if (!pg)
        return;
    stop_threads(pg);
    for (size_t i = 0; i < pg->n_conns; i++)
        PQfinish(pg->conns[i].fresh);
    if (pg->epoll >= 0)
        close(pg->epoll);
    if (pg->wake >= 0)
        close(pg->wake);
    comb_map_done(&pg->texts);
    pthread_cond_destroy(&pg->connect_wake);
    pthread_mutex_destroy(&pg->lock);
    comb_memory_free(pg->conns);
    comb_memory_free(pg->url);
    comb_memory_free(pg->user);
    if (pg->password)
        explicit_bzero(pg->password, strlen(pg->password));
    comb_memory_free(pg->password);
    comb_memory_free(pg);
}

static const struct comb_sql_driver postgres_driver = {
    .name = "postgres",
    .caps = COMB_SQL_CAP_SHARED,
    .submit = comb_pg_submit,
    .migrate = comb_pg_migrate,
    .info = postgres_info,
    .stats = postgres_stats,
    .check = comb_pg_check,
    .status = postgres_status,
    .expect = comb_pg_expect,
    .anew = "WITH here AS (UPDATE comb_origin SET system ="
            " (SELECT system_identifier FROM pg_control_system()))"
            " UPDATE comb_store SET restored = greatest(restored, (?1 >> 32)::integer) + 1"
            " RETURNING restored::bigint << 32",
    .adopt = "UPDATE comb_store SET installation = ?1::uuid WHERE ?2 IS NOT NULL",
    .catalogue = "SELECT c.relname, a.attname, coalesce((SELECT k.n FROM unnest(i.indkey)"
                 " WITH ORDINALITY k(att, n) WHERE k.att = a.attnum), 0)"
                 " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
                 " LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary"
                 " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'"
                 " AND a.attnum > 0 AND NOT a.attisdropped AND left(c.relname, 5) <> 'comb_'"
                 " ORDER BY c.relname::text COLLATE \"C\", a.attname::text COLLATE \"C\"",
    .snapshot_open = comb_pg_snapshot_open,
    .snapshot_read = comb_pg_snapshot_read,
    .snapshot_close = comb_pg_snapshot_close,
    .close = postgres_close,
};

static bool make_connections(struct comb_pg *pg)
{
    for (int i = 0; i < COMB_PG_SETS; i++)
        pg->n_conns += comb_pg_rules[i].connections;
    pg->conns = comb_memory_zalloc(pg->n_conns * sizeof *pg->conns);
    if (!pg->conns) {
        pg->n_conns = 0;
        return false;
    }
    struct comb_pg_conn *conn = pg->conns;
    for (int i = 0; i < COMB_PG_SETS; i++) {
        pg->sets[i].conns = conn;
        pg->sets[i].down_since_ns = comb_clock_steady_ns();
        for (unsigned j = 0; j < comb_pg_rules[i].connections; j++, conn++) {
            conn->pg = pg;
            conn->set = (enum comb_pg_set_number)i;
            conn->state = COMB_PG_WANTED;
        }
    }
    return true;
}

/* A copy that ends with NUL; NULL: no memory. */
static char *copy_text(comb_str text)
{
    char *copy = comb_memory_alloc(text.len + 1);
    if (copy) {
        memcpy(copy, text.len ? text.ptr : "", text.len);
        copy[text.len] = '\0';
    }
    return copy;
}

/* False: no memory. */
static bool keep_options(struct comb_pg *pg, const struct comb_store_options *options)
{
    comb_str credentials = options->credentials;
    const char *colon = credentials.len ? memchr(credentials.ptr, ':', credentials.len) : NULL;
    size_t user = colon ? (size_t)(colon - credentials.ptr) : credentials.len;
    size_t password = colon ? user + 1 : user;
    pg->url = copy_text(options->url);
    pg->user = copy_text(comb_str_of(credentials.ptr, user));
    pg->password = copy_text(comb_str_of(credentials.ptr + password, credentials.len - password));
    return pg->url && pg->user && pg->password;
}

static struct comb_pg *pg_new(const struct comb_store_options *options)
{
    struct comb_pg *pg = comb_memory_zalloc(sizeof *pg);
    if (!pg)
        return NULL;
    comb_cond_init(&pg->connect_wake);
    pthread_mutex_init(&pg->lock, NULL);
    comb_map_init(&pg->texts, COMB_PG_TEXTS_MAX, comb_pg_text_free);
    pg->base.driver = &postgres_driver;
    pg->status = (struct comb_store_status){.driver = "postgres", .shared = true};
    pg->next_deadline_ns = INT64_MAX;
    pg->epoll = epoll_create1(EPOLL_CLOEXEC);
    pg->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (pg->epoll < 0 || pg->wake < 0 || !keep_options(pg, options) || !make_connections(pg) ||
        epoll_ctl(pg->epoll, EPOLL_CTL_ADD, pg->wake, &event) != 0) {
        postgres_close(&pg->base);
        return NULL;
    }
    return pg;
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
static enum comb_status start_threads(struct comb_pg *pg, struct comb_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    enum comb_status status =
        start_thread(&pg->driver, comb_pg_drive, pg, &pg->driver_started, err);
    if (status == COMB_OK)
        status = start_thread(&pg->connector, comb_pg_connect_all, pg, &pg->connector_started, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

/* Each set begins with a session where the server gives one: calls of a slow start would find
 * none, and be refused. */
static void connect_sets(struct comb_pg *pg)
{
    for (int i = 0; i < COMB_PG_SETS; i++) {
        struct comb_error err = {.status = COMB_OK};
        struct comb_pg_conn *conn = &pg->sets[i].conns[0];
        PGconn *pq = comb_pg_connect(pg, conn->set, &conn->incarnation, &err);
        if (!pq)
            return;
        conn->fresh = pq;
        conn->state = COMB_PG_FRESH;
        comb_pg_set_state(pg, COMB_STORE_UP, NULL);
    }
}

enum comb_status comb_sql_postgres_open(const struct comb_store_options *options,
                                        struct comb_sql **ret_sql, struct comb_error *err)
{
    struct comb_error cause = {.status = COMB_OK};
    struct comb_pg *pg = pg_new(options);
    if (!pg)
        return comb_error_no_memory(err);
    enum comb_status status = comb_pg_setup(pg, &cause);
    if (status == COMB_OK) {
        connect_sets(pg);
        status = start_threads(pg, &cause);
    }
    if (status != COMB_OK) {
        if (err)
            *err = cause;
        postgres_close(&pg->base);
        return status;
    }
    *ret_sql = &pg->base;
    return COMB_OK;
}
