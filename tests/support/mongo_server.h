/* SPDX-License-Identifier: Apache-2.0 */
/* A real server of MongoDB's protocol on a loopback port of its own. Kill, freeze and thaw it by
 * its process (store_process.h). The test has @peers//:secantusd among its data. */
#ifndef TESTS_SUPPORT_MONGO_SERVER_H
#define TESTS_SUPPORT_MONGO_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/support/store_process.h"

#define MONGO_SERVER_CREDENTIALS "comb:correct horse"

struct mongo_server {
    struct store_process process;
    int port;
    bool has_users; /* set before the first start: it wants MONGO_SERVER_CREDENTIALS */
    /* PEM files, set before the first start; NULL: no TLS. key and certificate of the server. */
    const char *tls_cert, *tls_key;
};

/* Starts it, with what it kept; it accepts connections when this returns. */
void mongo_server_start(struct mongo_server *server);
/* "mongodb://127.0.0.1:PORT/DATABASE" and what is given behind it, such as "?timeout_ms=500". */
void mongo_server_url(const struct mongo_server *server, const char *database, const char *rest,
                      char *ret_url, size_t size);
/* Stops it where it runs; the folder stays. */
void mongo_server_done(struct mongo_server *server);

#endif
