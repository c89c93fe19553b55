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
    comb_memory_free(pg);
}

static const struct comb_sql_driver postgres_driver = {
    .name = "postgres",
    .caps = COMB_SQL_CAP_SHARED,
    .submit = comb_pg_submit,
    .migrate = comb_pg_migrate,
    .info = postgres_info,
    .stats = postgres_stats,
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
        pg->sets[i].down_since_ns = comb_clock_monotonic_ns();
        for (unsigned j = 0; j < comb_pg_rules[i].connections; j++, conn++) {
            conn->pg = pg;
            conn->set = (enum comb_pg_set_number)i;
            conn->state = COMB_PG_WANTED;
        }
    }
    return true;
}

static struct comb_pg *pg_new(comb_str rest)
{
    struct comb_pg *pg = comb_memory_zalloc(sizeof *pg);
    if (!pg)
        return NULL;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pg->connect_wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&pg->lock, NULL);
    comb_map_init(&pg->texts, COMB_PG_TEXTS_MAX, comb_pg_text_free);
    pg->base.driver = &postgres_driver;
    pg->next_deadline_ns = INT64_MAX;
    pg->epoll = epoll_create1(EPOLL_CLOEXEC);
    pg->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    size_t url_size = sizeof "postgres:" + rest.len;
    pg->url = comb_memory_alloc(url_size);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (pg->epoll < 0 || pg->wake < 0 || !pg->url || !make_connections(pg) ||
        epoll_ctl(pg->epoll, EPOLL_CTL_ADD, pg->wake, &event) != 0) {
        postgres_close(&pg->base);
        return NULL;
    }
    snprintf(pg->url, url_size, "postgres:%.*s", (int)rest.len, rest.ptr);
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

enum comb_status comb_sql_postgres_open(comb_str rest, struct comb_sql **ret_sql,
                                        struct comb_error *err)
{
    struct comb_error cause = {.status = COMB_OK};
    struct comb_pg *pg = pg_new(rest);
    if (!pg)
        return comb_error_no_memory(err);
    enum comb_status status = comb_pg_setup(pg, &cause);
    if (status == COMB_OK)
        status = start_threads(pg, &cause);
    if (status != COMB_OK) {
        if (err)
            *err = cause;
        postgres_close(&pg->base);
        return status;
    }
    *ret_sql = &pg->base;
    return COMB_OK;
}
