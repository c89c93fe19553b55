/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics and state over HTTP, in a library of its own, //gen/runtime:prometheus (libmicrohttpd):
 *
 *     GET /metrics    Prometheus' text format, as grpcc_metrics_write()
 *     GET /calls      {"NAME": as grpcc_server_dump(), ...} of the servers that were added
 *
 * It tells who is connected and what is called: there is no log-in, so listen where only operators
 * come. In programs with grpcc/accept.h its connections count among those of the process.
 */
#ifndef GRPCC_PROMETHEUS_H
#define GRPCC_PROMETHEUS_H

#include <stddef.h>

#include "grpcc/compiler.h"
#include "grpcc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grpcc_metrics;
struct grpcc_prometheus;
struct grpcc_server;

/* The largest answer; what is larger is answered with 500. */
#define GRPCC_PROMETHEUS_BYTES_MAX (64u << 20)
/* The most servers whose state /calls tells. */
#define GRPCC_PROMETHEUS_SERVERS_MAX 16

/* Zero: the default in brackets. */
struct grpcc_prometheus_options {
    size_t size;              /* sizeof(struct grpcc_prometheus_options) */
    const char *address;      /* "127.0.0.1:9464", "[::1]:0" (port 0: any) ["127.0.0.1:9464"] */
    unsigned connections_max; /* at once; others wait [16] */
    unsigned timeout_s;       /* a connection that is idle that long is closed [10] */
};

/*
 * Serves metrics, from a thread of its own, until _free. INVALID_ARGUMENT for an address that is
 * none; UNAVAILABLE where it is taken; PERMISSION_DENIED; RESOURCE_EXHAUSTED. NULL and err.
 */
struct grpcc_prometheus *grpcc_prometheus_new(struct grpcc_metrics *metrics,
                                              const struct grpcc_prometheus_options *options,
                                              struct grpcc_error *err) GRPCC_MUST_CHECK;
/* /calls tells of server from now on; free prometheus before it. name is copied. Any thread. */
enum grpcc_status grpcc_prometheus_add_server(struct grpcc_prometheus *prometheus, const char *name,
                                              struct grpcc_server *server,
                                              struct grpcc_error *err) GRPCC_MUST_CHECK;
/* The port that it listens on. */
int grpcc_prometheus_port(const struct grpcc_prometheus *prometheus);
/* Closes all its connections, requests under way too, and waits for its thread. Before metrics and
 * the servers. NULL is fine. */
void grpcc_prometheus_free(struct grpcc_prometheus *prometheus);

#ifdef __cplusplus
}
#endif

#endif
