/* SPDX-License-Identifier: Apache-2.0 */
/* A real Redis on a loopback port of its own. Kill, freeze and thaw it by its process
 * (store_process.h). */
#ifndef TESTS_SUPPORT_REDIS_SERVER_H
#define TESTS_SUPPORT_REDIS_SERVER_H

#include "tests/support/store_process.h"

struct redis_server {
    struct store_process process;
    int port;
    const char *password; /* NULL: none; set before the first start */
};

/* Starts it, with what it kept (an append-only file, always synced); it answers when this returns.
 */
void redis_server_start(struct redis_server *server);
/* Sends one command, its words separated by blanks; fails where Redis answers with an error. */
void redis_server_command(const struct redis_server *server, const char *command);
/* Stops it where it runs; the folder stays. */
void redis_server_done(struct redis_server *server);

#endif
