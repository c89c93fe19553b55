/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/redis_server.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/support.h"

#define REDIS "/usr/bin/redis-server"

/* What it answers, freed by the caller; NULL: nothing. */
static redisReply *ask(const struct redis_server *server, const char *command)
{
    redisContext *hi = redisConnect("127.0.0.1", server->port);
    redisReply *reply = NULL;
    if (hi && !hi->err && server->password)
        freeReplyObject(redisCommand(hi, "AUTH %s", server->password));
    if (hi && !hi->err)
        reply = redisCommand(hi, command);
    if (hi)
        redisFree(hi);
    return reply;
}

static bool answers(void *data)
{
    redisReply *reply = ask(data, "PING");
    bool pong = reply && reply->type == REDIS_REPLY_STATUS;
    freeReplyObject(reply);
    return pong;
}

void redis_server_start(struct redis_server *server)
{
    char port[16];
    if (!server->process.folder)
        store_process_init(&server->process);
    if (!server->port)
        server->port = test_free_port();
    snprintf(port, sizeof port, "%d", server->port);
    const char *const argv[] = {REDIS,
                                "--port",
                                port,
                                "--bind",
                                "127.0.0.1",
                                "--dir",
                                server->process.folder,
                                "--save",
                                "",
                                "--appendonly",
                                "yes",
                                "--appendfsync",
                                "always",
                                server->password ? "--requirepass" : NULL,
                                server->password,
                                NULL};
    store_process_spawn(&server->process, argv);
    store_process_await(&server->process, answers, server);
}

void redis_server_command(const struct redis_server *server, const char *command)
{
    redisReply *reply = ask(server, command);
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", command, reply ? reply->str : "no answer");
    freeReplyObject(reply);
}

void redis_server_done(struct redis_server *server)
{
    store_process_done(&server->process, SIGTERM);
    server->port = 0;
}
