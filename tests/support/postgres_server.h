/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real PostgreSQL on a loopback port of its own. Kill, freeze and thaw it by its process
 * (store_process.h). Not as root: PostgreSQL refuses.
 */
#ifndef TESTS_SUPPORT_POSTGRES_SERVER_H
#define TESTS_SUPPORT_POSTGRES_SERVER_H

#include "tests/support/store_process.h"

struct postgres_server {
    struct store_process process;
    int port;
    const char *const *settings; /* "NAME=VALUE"…, NULL: more of its settings; NULL: none */
};

/* Makes the cluster at first, and starts it; it listens when this returns. User "app", no password.
 */
void postgres_server_start(struct postgres_server *server);
/*
 * A synchronous standby of primary, by the name `standby`: makes it, starts it, and has primary's
 * commits wait for it. _promote has it take over.
 */
void postgres_server_start_standby(struct postgres_server *standby,
                                   struct postgres_server *primary);
void postgres_server_promote(struct postgres_server *standby);
/* One command in database "postgres"; fails the test where that fails. */
void postgres_server_run(const struct postgres_server *server, const char *sql);
/* Stops it where it runs; the folder stays. */
void postgres_server_done(struct postgres_server *server);

/* A new, empty database on it: "postgres://app@127.0.0.1:PORT/NAME". The caller frees it. */
char *postgres_server_database(struct postgres_server *server);

#endif
