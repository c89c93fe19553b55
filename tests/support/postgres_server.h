/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real PostgreSQL below $TEST_TMPDIR, on a loopback port of its own: made, started, killed,
 * frozen, started again. Failures end the test by cmocka's fail(). Not as root: PostgreSQL refuses.
 */
#ifndef TESTS_SUPPORT_POSTGRES_SERVER_H
#define TESTS_SUPPORT_POSTGRES_SERVER_H

#include <sys/types.h>

struct postgres_server {
    char *folder;
    int port;
    pid_t pid; /* 0: not running */
};

/* Makes the cluster at first, and starts it; it listens when this returns. User "app", no password.
 */
void postgres_server_start(struct postgres_server *server);
/* SIGKILL for all of its processes, and waits. */
void postgres_server_kill(struct postgres_server *server);
/* SIGSTOP for all of its processes, and SIGCONT. */
void postgres_server_freeze(struct postgres_server *server);
void postgres_server_thaw(struct postgres_server *server);
/* Stops it where it runs; the folder stays. */
void postgres_server_done(struct postgres_server *server);

/* A new, empty database on it: "//app@127.0.0.1:PORT/NAME", what follows "postgres:". The caller
 * frees it. */
char *postgres_server_database(struct postgres_server *server);

#endif
