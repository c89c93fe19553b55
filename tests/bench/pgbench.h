/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL's own pgbench against a server that the bench has started, and what processor time
 * that server has used. */
#ifndef TESTS_BENCH_PGBENCH_H
#define TESTS_BENCH_PGBENCH_H

#include <stddef.h>

#include "tests/support/postgres_server.h"

struct pgbench_result {
    double rate;       /* transactions a second, without the time to connect */
    size_t n;          /* transactions */
    double latency_us; /* mean */
    double own_cpu_s;  /* of pgbench itself */
};

/* Runs it for so many seconds (longer where that was too short for one transaction), prepared, with
 * two threads. arguments: more of them, NULL-terminated. Ends the program where a transaction
 * fails. */
struct pgbench_result pgbench_run(const struct postgres_server *server, const char *database,
                                  unsigned clients, unsigned seconds, const char *const *arguments);
/* Fills a database with what `pgbench -S` reads. */
void pgbench_fill(const struct postgres_server *server, const char *database, unsigned scale);

/* Seconds of user and system time of the server with all its sessions, those that have ended too.
 */
double pgbench_server_cpu(const struct postgres_server *server);

#endif
