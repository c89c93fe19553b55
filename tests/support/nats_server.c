/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/nats_server.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>

#define NATS "/usr/sbin/nats-server"

static void add(const char **argv, size_t *n, const char *name, const char *value)
{
    if (!value)
        return;
    argv[(*n)++] = name;
    argv[(*n)++] = value;
}

void nats_server_start(struct nats_server *server)
{
    char port[16];
    const char *argv[24] = {NATS};
    size_t n = 1;
    if (!server->process.folder)
        store_process_init(&server->process);
    if (!server->port)
        server->port = test_free_port();
    snprintf(port, sizeof port, "%d", server->port);
    add(argv, &n, "-a", "127.0.0.1");
    add(argv, &n, "-p", port);
    add(argv, &n, "--user", server->user);
    add(argv, &n, "--pass", server->password);
    add(argv, &n, "--auth", server->token);
    if (server->cert)
        argv[n++] = "--tls";
    add(argv, &n, "--tlscert", server->cert);
    add(argv, &n, "--tlskey", server->key);
    store_process_spawn(&server->process, argv);
    store_process_await_port(&server->process, server->port);
}

void nats_server_done(struct nats_server *server)
{
    store_process_done(&server->process, SIGTERM);
    server->port = 0;
}
