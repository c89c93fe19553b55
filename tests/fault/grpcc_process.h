/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of the restart test: two backends, and one Envoy before them. */
#ifndef GRPCC_TESTING_PROCESS_H
#define GRPCC_TESTING_PROCESS_H

#include <sys/types.h>

struct backend {
    const char *program; /* grpcc_backend */
    unsigned drain_delay_ms;
    int port; /* 0 before the first start: any; the same one from then on */
    pid_t pid;
};
/* Returns when it serves. */
void backend_start(struct backend *backend);
/* SIGTERM; it must drain and end with 0. */
void backend_stop(struct backend *backend);
/* SIGKILL. */
void backend_kill(struct backend *backend);

struct envoy {
    int port;       /* plaintext HTTP/2 for the clients */
    int admin_port; /* tells when it is ready */
    pid_t pid;
};
/* One listener and one cluster of two backends with gRPC health checks, every interval_ms, and no
 * retries. Returns when it is ready. */
void envoy_start(struct envoy *envoy, const char *program, const struct backend backends[2],
                 unsigned interval_ms);
void envoy_stop(struct envoy *envoy);

#endif
