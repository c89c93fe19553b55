/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/postgres_server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/support.h"

#define INITDB "/usr/lib/postgresql/15/bin/initdb"
#define POSTGRES "/usr/lib/postgresql/15/bin/postgres"

extern char **environ;

enum { START_S = 60 };

static pid_t spawn(const struct postgres_server *server, const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    char *log = test_path(server->folder, "log");
    pid_t pid = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    int code = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    free(log);
    if (code != 0)
        fail_msg("%s: %s", argv[0], strerror(code));
    return pid;
}

static void make_cluster(struct postgres_server *server)
{
    server->folder = test_folder_new();
    char *data = test_path(server->folder, "data");
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
    int status = -1;
    waitpid(spawn(server, argv), &status, 0);
    free(data);
    if (status != 0)
        fail_msg("initdb failed: see %s/log", server->folder);
}

/* A port that nobody has: the kernel chooses. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static char *url_of(const struct postgres_server *server, const char *database)
{
    char *url = NULL;
    assert_true(asprintf(&url, "//app@127.0.0.1:%d/%s", server->port, database) > 0);
    return url;
}

static PGconn *connect_to(const struct postgres_server *server, const char *database)
{
    char *rest = url_of(server, database), *url = NULL;
    assert_true(asprintf(&url, "postgres:%s", rest) > 0);
    PGconn *pq = PQconnectdb(url);
    free(rest);
    free(url);
    return pq;
}

static void wait_until_it_listens(const struct postgres_server *server)
{
    const struct timespec pause = {0, 20 * 1000 * 1000};
    for (time_t end = time(NULL) + START_S; time(NULL) < end;) {
        PGconn *pq = connect_to(server, "postgres");
        bool listens = PQstatus(pq) == CONNECTION_OK;
        PQfinish(pq);
        if (listens)
            return;
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid)
            break;
        nanosleep(&pause, NULL);
    }
    fail_msg("PostgreSQL does not listen: see %s/log", server->folder);
}

void postgres_server_start(struct postgres_server *server)
{
    char port[16];
    if (!server->folder)
        make_cluster(server);
    if (!server->port)
        server->port = free_port();
    snprintf(port, sizeof port, "%d", server->port);
    char *data = test_path(server->folder, "data");
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
    server->pid = spawn(server, argv);
    free(data);
    wait_until_it_listens(server);
}

enum { CHILDREN_MAX = 128 };

static size_t children_of(const struct postgres_server *server, pid_t ret_children[CHILDREN_MAX])
{
    char path[64];
    size_t n = 0;
    int child;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", server->pid, server->pid);
    FILE *children = fopen(path, "r");
    assert_non_null(children);
    while (n < CHILDREN_MAX && fscanf(children, "%d", &child) == 1)
        ret_children[n++] = child;
    fclose(children);
    return n;
}

void postgres_server_kill(struct postgres_server *server)
{
    pid_t children[CHILDREN_MAX];
    /* The first one would start others for those that die; without it they become ours. */
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    kill(server->pid, SIGSTOP);
    size_t n = children_of(server, children);
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    for (size_t i = 0; i < n; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    server->pid = 0;
}

static void signal_all(const struct postgres_server *server, int number)
{
    pid_t children[CHILDREN_MAX];
    kill(server->pid, number);
    size_t n = children_of(server, children);
    for (size_t i = 0; i < n; i++)
        kill(children[i], number);
}

void postgres_server_freeze(struct postgres_server *server)
{
    signal_all(server, SIGSTOP);
}

void postgres_server_thaw(struct postgres_server *server)
{
    signal_all(server, SIGCONT);
}

void postgres_server_done(struct postgres_server *server)
{
    if (server->pid > 0) {
        kill(server->pid, SIGQUIT);
        waitpid(server->pid, NULL, 0);
    }
    free(server->folder);
    *server = (struct postgres_server){0};
}

char *postgres_server_database(struct postgres_server *server)
{
    static int databases;
    char name[32], sql[64];
    snprintf(name, sizeof name, "test_%d", databases++);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", name);
    PGconn *pq = connect_to(server, "postgres");
    PGresult *result = PQexec(pq, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(pq));
    PQclear(result);
    PQfinish(pq);
    return url_of(server, name);
}
