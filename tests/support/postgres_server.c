/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/postgres_server.h"

#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/support.h"

#define INITDB "/usr/lib/postgresql/15/bin/initdb"
#define BASEBACKUP "/usr/lib/postgresql/15/bin/pg_basebackup"
#define POSTGRES "/usr/lib/postgresql/15/bin/postgres"

enum { ARGUMENTS_MAX = 32 };

static void make_cluster(struct postgres_server *server)
{
    store_process_init(&server->process);
    char *data = test_path(server->process.folder, "data");
    const char *const argv[] = {INITDB,
                                "-D",
                                data,
                                "-A",
                                "trust",
                                "-U",
                                "app",
                                "-E",
                                "UTF8",
                                "--no-sync",
                                "-k",
                                "--locale=C",
                                "--no-instructions",
                                NULL};
    store_process_run(&server->process, argv);
    free(data);
}

static char *url_of(const struct postgres_server *server, const char *database)
{
    char *url = NULL;
    assert_true(asprintf(&url, "postgres://app@127.0.0.1:%d/%s", server->port, database) > 0);
    return url;
}

static PGconn *connect_to(const struct postgres_server *server, const char *database)
{
    char *url = url_of(server, database);
    PGconn *pq = PQconnectdb(url);
    free(url);
    return pq;
}

static bool listens(void *data)
{
    PGconn *pq = connect_to(data, "postgres");
    bool connected = PQstatus(pq) == CONNECTION_OK;
    PQfinish(pq);
    return connected;
}

void postgres_server_start(struct postgres_server *server)
{
    char port[16];
    if (!server->process.folder)
        make_cluster(server);
    if (!server->port)
        server->port = test_free_port();
    snprintf(port, sizeof port, "%d", server->port);
    char *data = test_path(server->process.folder, "data");
    const char *argv[ARGUMENTS_MAX] = {POSTGRES,
                                       "-D",
                                       data,
                                       "-p",
                                       port,
                                       "-c",
                                       "listen_addresses=127.0.0.1",
                                       "-c",
                                       "unix_socket_directories=",
                                       "-c",
                                       "shared_buffers=32MB",
                                       "-c",
                                       "recovery_init_sync_method=syncfs"};
    size_t n = 13;
    /* What comes later counts. */
    for (const char *const *setting = server->settings; setting && *setting; setting++) {
        assert_true(n + 2 < ARGUMENTS_MAX);
        argv[n++] = "-c";
        argv[n++] = *setting;
    }
    store_process_spawn(&server->process, argv);
    free(data);
    store_process_await(&server->process, listens, server);
}

void postgres_server_run(const struct postgres_server *server, const char *sql)
{
    PGconn *pq = connect_to(server, "postgres");
    PGresult *result = PQexec(pq, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(pq));
    PQclear(result);
    PQfinish(pq);
}

/* Whether the primary has a standby that its commits wait for. */
static bool is_followed(void *data)
{
    PGconn *pq = connect_to(data, "postgres");
    PGresult *result = PQexec(pq, "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND"
                                  " sync_state = 'sync'");
    bool followed = PQntuples(result) == 1;
    PQclear(result);
    PQfinish(pq);
    return followed;
}

void postgres_server_start_standby(struct postgres_server *standby, struct postgres_server *primary)
{
    char *source = NULL;
    store_process_init(&standby->process);
    char *data = test_path(standby->process.folder, "data");
    assert_true(asprintf(&source, "host=127.0.0.1 port=%d user=app application_name=standby",
                         primary->port) > 0);
    const char *const argv[] = {BASEBACKUP, "-d",     source, "-D",   data,        "-R",
                                "-X",       "stream", "-c",   "fast", "--no-sync", NULL};
    store_process_run(&standby->process, argv);
    free(source);
    free(data);
    standby->port = 0;
    postgres_server_start(standby);
    postgres_server_run(primary, "ALTER SYSTEM SET synchronous_standby_names = 'standby'");
    postgres_server_run(primary, "SELECT pg_reload_conf()");
    store_process_await(&primary->process, is_followed, primary);
}

void postgres_server_promote(struct postgres_server *standby)
{
    postgres_server_run(standby, "SELECT pg_promote(true, 60)");
}

void postgres_server_done(struct postgres_server *server)
{
    store_process_done(&server->process, SIGQUIT);
    server->port = 0;
}

char *postgres_server_database(struct postgres_server *server)
{
    static int databases;
    char name[48], sql[96];
    /* A test may fork, and its child ask for one too. */
    snprintf(name, sizeof name, "test_%d_%d", (int)getpid(), databases++);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", name);
    PGconn *pq = connect_to(server, "postgres");
    PGresult *result = PQexec(pq, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(pq));
    PQclear(result);
    PQfinish(pq);
    return url_of(server, name);
}
