/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/postgres_server.h"

#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/support.h"

#define INITDB "/usr/lib/postgresql/15/bin/initdb"
#define POSTGRES "/usr/lib/postgresql/15/bin/postgres"

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
    const char *const argv[] = {POSTGRES,
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
                                NULL};
    store_process_spawn(&server->process, argv);
    free(data);
    store_process_await(&server->process, listens, server);
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
