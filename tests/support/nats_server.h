/* SPDX-License-Identifier: Apache-2.0 */
/* A real NATS on a loopback port of its own. Kill, freeze and thaw it by its process
 * (store_process.h). */
#ifndef TESTS_SUPPORT_NATS_SERVER_H
#define TESTS_SUPPORT_NATS_SERVER_H

#include "tests/support/store_process.h"

struct nats_server {
    struct store_process process;
    int port;
    const char *user, *password; /* NULL: none; set before the start, as the next */
    const char *token;
    const char *cert, *key; /* paths; NULL: no TLS */
};

/* Starts it; it listens when this returns. */
void nats_server_start(struct nats_server *server);
/* Stops it where it runs; the folder stays. */
void nats_server_done(struct nats_server *server);

#endif
