/* SPDX-License-Identifier: Apache-2.0 */
/* A server as a child process, and the processor time that it has used. */
#ifndef TESTS_BENCH_SERVER_H
#define TESTS_BENCH_SERVER_H

#include <sys/types.h>

struct server {
    pid_t pid;
    char home[256];
    char listen[64], admin[64];
};

/* Starts binary with the arguments (NULL-terminated, after the name and --ready-file) and waits
 * until it serves. Exits the program where it does not. */
void server_start(struct server *server, const char *binary, const char *const *arguments);
/* As server_start; the command line begins with prefix (NULL-terminated): a tool that runs it. */
void server_start_under(struct server *server, const char *const *prefix, const char *binary,
                        const char *const *arguments);
/* SIGTERM, and waits. */
void server_stop(struct server *server);
/* Seconds of user and system time so far. */
double server_cpu(const struct server *server);

#endif
