/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/mongo_server.h"

#include <mongoc/mongoc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

/* As seen from where Bazel runs tests. */
#define SECANTUSD "external/peers/bin/secantusd"
#define ARGUMENTS_MAX 16

static void spawn(struct mongo_server *server, bool asks_for_users)
{
    const char *argv[ARGUMENTS_MAX];
    char *data = test_path(server->process.folder, "data"), port[16];
    char program[4096];
    size_t n = 0;
    assert_non_null(realpath(SECANTUSD, program));
    snprintf(port, sizeof port, "%d", server->port);
    argv[n++] = program;
    argv[n++] = "--standalone";
    argv[n++] = "--host";
    argv[n++] = "127.0.0.1";
    argv[n++] = "--port";
    argv[n++] = port;
    argv[n++] = "--storage-path";
    argv[n++] = data;
    argv[n++] = "--cache-size";
    argv[n++] = "64M";
    /* Without it a user that was just made is lost when the process is killed. */
    argv[n++] = asks_for_users ? "--auth" : "--sync-on-commit";
    if (server->tls_cert) {
        argv[n++] = "--tls-cert-file";
        argv[n++] = server->tls_cert;
        argv[n++] = "--tls-key-file";
        argv[n++] = server->tls_key;
    }
    argv[n] = NULL;
    store_process_spawn(&server->process, argv);
    store_process_await_port(&server->process, server->port);
    free(data);
}

/* While it does not ask who calls. */
static void make_user(const struct mongo_server *server)
{
    char url[128];
    bson_error_t why;
    bson_t reply;
    mongo_server_url(server, "admin", "", url, sizeof url);
    mongoc_init();
    mongoc_client_t *client = mongoc_client_new(url);
    bson_t *command = BCON_NEW("createUser", "comb", "pwd", "correct horse", "roles", "[", "{",
                               "role", "readWriteAnyDatabase", "db", "admin", "}", "]");
    assert_non_null(client);
    if (!mongoc_client_command_simple(client, "admin", command, NULL, &reply, &why))
        fail_msg("createUser: %s", why.message);
    bson_destroy(&reply);
    bson_destroy(command);
    mongoc_client_destroy(client);
}

void mongo_server_start(struct mongo_server *server)
{
    bool is_new = !server->process.folder;
    if (is_new)
        store_process_init(&server->process);
    if (!server->port)
        server->port = test_free_port();
    if (is_new && server->has_users) {
        spawn(server, false);
        make_user(server);
        store_process_kill(&server->process);
    }
    spawn(server, server->has_users);
}

void mongo_server_url(const struct mongo_server *server, const char *database, const char *rest,
                      char *ret_url, size_t size)
{
    int length =
        snprintf(ret_url, size, "mongodb://127.0.0.1:%d/%s%s", server->port, database, rest);
    assert_true(length > 0 && (size_t)length < size);
}

void mongo_server_done(struct mongo_server *server)
{
    /* What was acknowledged is in its journal. Asked to end, it may wait for ever for a connection
     * that was frozen with it. */
    store_process_done(&server->process, SIGKILL);
    server->port = 0;
}
