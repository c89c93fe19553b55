/* SPDX-License-Identifier: Apache-2.0 */
/* What a server of the real world has around its handlers: who calls, how many may, what is counted
 * and traced. */
#ifndef TESTS_BENCH_FULL_H
#define TESTS_BENCH_FULL_H

#include "grpcc/server.h"

/* What the client has to send. */
#define FULL_AUTHORIZATION "Bearer 5f1d7a84db7b4f1f9f3f6f9f0f2d8a41"
#define FULL_TRACEPARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

/* A token that is looked up and compared, limits per method, peer and key with a rate, metrics of
 * every call, a span of every call. All of it lives until the process ends. Before _start. */
enum grpcc_status full_attach(struct grpcc_server *server, struct grpcc_error *err);

#endif
