/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: hiredis formats and parses, the waiting is ours. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "server/backend/redis/internal.h"
#include "server/core/clock.h"
#include "server/core/memory.h"

#define ARGS_MAX 1024

static void conn_drop(struct comb_redis_conn *conn)
{
    if (conn->hi)
        redisFree(conn->hi);
    conn->hi = NULL;
}

/* Ends the connection because of the store. */
static enum comb_status conn_lost(struct comb_redis_conn *conn, const char *why,
                                  struct comb_error *err)
{
    enum comb_status status = comb_redis_unreachable(err, why);
    if (err)
        err->ambiguous = true;
    conn_drop(conn);
    conn->store_failed = true;
    return status;
}

/* Waits for events on the socket until end_ns. */
static enum comb_status await(struct comb_redis_conn *conn, const struct comb_ctx *ctx,
                              int64_t end_ns, short events, struct comb_error *err)
{
    struct pollfd fd = {.fd = conn->hi->fd, .events = events};
    for (;;) {
        int64_t left_ns = end_ns - comb_clock_monotonic_ns();
        int left_ms = left_ns <= 0 ? 0 : (int)(left_ns / COMB_NS_PER_MS) + 1;
        int n = poll(&fd, 1, left_ms);
        if (n > 0)
            return COMB_OK;
        if (n < 0 && errno != EINTR)
            return conn_lost(conn, strerror(errno), err);
        if (n == 0 && ctx->deadline_ns < end_ns + 1 && comb_ctx_check(ctx, err) != COMB_OK) {
            /* The caller had less time than the store is given: it may be well. */
            if (err)
                err->ambiguous = true;
            conn_drop(conn);
            return COMB_DEADLINE_EXCEEDED;
        }
        if (n == 0 && left_ns <= 0)
            return conn_lost(conn, "it does not answer in time", err);
    }
}

/* Fills replies[0 … n); those before a failure are freed by the caller. */
static enum comb_status exchange(struct comb_redis_conn *conn, const struct comb_ctx *ctx, size_t n,
                                 redisReply **replies, struct comb_error *err)
{
    int64_t end_ns = comb_clock_monotonic_ns() + conn->timeout_ns;
    int sent = 0;
    if (ctx->deadline_ns < end_ns)
        end_ns = ctx->deadline_ns;
    for (size_t got = 0;;) {
        void *reply = NULL;
        if (redisGetReplyFromReader(conn->hi, &reply) != REDIS_OK)
            return conn_lost(conn, conn->hi->errstr, err);
        if (reply) {
            replies[got++] = reply;
            if (got == n)
                return COMB_OK;
            continue;
        }
        enum comb_status status = await(conn, ctx, end_ns, sent ? POLLIN : POLLIN | POLLOUT, err);
        if (status != COMB_OK)
            return status;
        if ((!sent && redisBufferWrite(conn->hi, &sent) != REDIS_OK) ||
            (sent && redisBufferRead(conn->hi) != REDIS_OK))
            return conn_lost(conn, conn->hi->errstr, err);
    }
}

static bool copy(struct grpcc_arena *arena, const redisReply *from,
                 struct comb_redis_reply *ret_reply)
{
    *ret_reply = (struct comb_redis_reply){.integer = from->integer};
    switch (from->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS: {
        comb_str text = comb_str_of(from->str, (size_t)from->len);
        char *bytes = comb_str_dup(arena, text);
        ret_reply->type = COMB_REDIS_TEXT;
        ret_reply->text = comb_str_of(bytes, text.len);
        return bytes != NULL;
    }
    case REDIS_REPLY_INTEGER:
        ret_reply->type = COMB_REDIS_INTEGER;
        return true;
    case REDIS_REPLY_ARRAY: {
        struct comb_redis_reply *elements =
            grpcc_arena_alloc(arena, (from->elements + 1) * sizeof *elements);
        ret_reply->type = COMB_REDIS_ARRAY;
        ret_reply->elements = elements;
        ret_reply->n = from->elements;
        for (size_t i = 0; elements && i < from->elements; i++) {
            if (!copy(arena, from->element[i], &elements[i]))
                return false;
        }
        return elements != NULL;
    }
    default:
        return true;
    }
}

static enum comb_status append(struct comb_redis_conn *conn,
                               const struct comb_redis_command *command, struct comb_error *err)
{
    const char *texts[ARGS_MAX];
    size_t lengths[ARGS_MAX];
    if (command->n > ARGS_MAX)
        return comb_error_set(err, COMB_INTERNAL, 0, "a command of %zu words", command->n);
    for (size_t i = 0; i < command->n; i++) {
        texts[i] = command->args[i].ptr ? command->args[i].ptr : "";
        lengths[i] = command->args[i].len;
    }
    if (redisAppendCommandArgv(conn->hi, (int)command->n, texts, lengths) != REDIS_OK)
        return comb_error_no_memory(err);
    return COMB_OK;
}

static enum comb_status take_replies(struct comb_redis_conn *conn, struct comb_ctx *ctx,
                                     redisReply *const *replies, size_t n,
                                     struct comb_redis_reply *ret_replies, struct comb_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (replies[i]->type == REDIS_REPLY_ERROR) {
            struct comb_error own;
            if (comb_redis_judge(replies[i]->str, &own)) {
                conn_drop(conn);
                conn->store_failed = true;
            }
            if (err)
                *err = own;
            return own.status;
        }
        if (!copy(ctx->arena, replies[i], &ret_replies[i]))
            return comb_error_no_memory(err);
    }
    return COMB_OK;
}

enum comb_status comb_redis_run(struct comb_redis_conn *conn, struct comb_ctx *ctx,
                                const struct comb_redis_command *commands, size_t n,
                                struct comb_redis_reply *ret_replies, struct comb_error *err)
{
    if (!conn->hi)
        return comb_redis_unreachable(err, "the connection is lost");
    redisReply **replies = grpcc_arena_alloc(ctx->arena, n * sizeof(*replies));
    if (!replies)
        return comb_error_no_memory(err);
    memset(replies, 0, n * sizeof(*replies));
    enum comb_status status = COMB_OK;
    for (size_t i = 0; i < n && status == COMB_OK; i++)
        status = append(conn, &commands[i], err);
    if (status != COMB_OK)
        conn_drop(conn); /* half a batch may stand in its buffer */
    else
        status = exchange(conn, ctx, n, replies, err);
    if (status == COMB_OK)
        status = take_replies(conn, ctx, replies, n, ret_replies, err);
    for (size_t i = 0; i < n; i++)
        freeReplyObject(replies[i]);
    return status;
}

/* ---- connecting ---- */

static enum comb_status await_socket(struct comb_redis_conn *conn, struct comb_ctx *ctx,
                                     struct comb_error *err)
{
    int failure = 0;
    socklen_t size = sizeof failure;
    enum comb_status status =
        await(conn, ctx, comb_clock_monotonic_ns() + conn->timeout_ns, POLLOUT, err);
    if (status != COMB_OK)
        return status;
    if (getsockopt(conn->hi->fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0 || failure != 0)
        return conn_lost(conn, strerror(failure ? failure : errno), err);
    return COMB_OK;
}

static enum comb_status run_one(struct comb_redis_conn *conn, struct comb_ctx *ctx,
                                const comb_str *args, size_t n, struct comb_redis_reply *ret_reply,
                                struct comb_error *err)
{
    const struct comb_redis_command command = {args, n};
    return comb_redis_run(conn, ctx, &command, 1, ret_reply, err);
}

/* What stands behind "NAME:" on a line of INFO. */
static void info_field(comb_str info, const char *name, char *ret, size_t size)
{
    size_t name_len = strlen(name);
    for (size_t at = 0; at < info.len;) {
        const char *line = info.ptr + at;
        const char *end = memchr(line, '\r', info.len - at);
        size_t len = end ? (size_t)(end - line) : info.len - at;
        if (len > name_len && memcmp(line, name, name_len) == 0)
            snprintf(ret, size, "%.*s", (int)(len - name_len), line + name_len);
        at += len + 2;
    }
}

static enum comb_status greet(struct comb_redis_conn *conn, const struct comb_redis_place *place,
                              struct comb_ctx *ctx, struct comb_error *err)
{
    struct comb_redis_reply reply = {0};
    enum comb_status status = COMB_OK;
    if (place->password.len > 0) {
        const comb_str with_user[] = {STR("AUTH"), place->user, place->password};
        const comb_str without[] = {STR("AUTH"), place->password};
        status = place->user.len > 0 ? run_one(conn, ctx, with_user, 3, &reply, err)
                                     : run_one(conn, ctx, without, 2, &reply, err);
    }
    if (status == COMB_OK && place->database > 0) {
        char number[16];
        snprintf(number, sizeof number, "%u", place->database);
        const comb_str select[] = {STR("SELECT"), comb_str_from(number)};
        status = run_one(conn, ctx, select, 2, &reply, err);
    }
    if (status == COMB_OK) {
        const comb_str info[] = {STR("INFO"), STR("server")};
        status = run_one(conn, ctx, info, 2, &reply, err);
    }
    if (status != COMB_OK)
        return status;
    if (reply.type == COMB_REDIS_TEXT) {
        info_field(reply.text, "run_id:", conn->run_id, sizeof conn->run_id);
        info_field(reply.text, "redis_version:", conn->version, sizeof conn->version);
    }
    if (conn->run_id[0] == '\0')
        return conn_lost(conn, "what answers there is not a Redis", err);
    return COMB_OK;
}

enum comb_status comb_redis_conn_open(const struct comb_redis_place *place, struct comb_ctx *ctx,
                                      struct comb_redis_conn **ret_conn, struct comb_error *err)
{
    struct comb_redis_conn *conn = comb_memory_zalloc(sizeof *conn);
    if (!conn)
        return comb_error_no_memory(err);
    conn->timeout_ns = place->timeout_ns;
    conn->hi = redisConnectNonBlock(place->host, place->port);
    enum comb_status status;
    if (!conn->hi)
        status = comb_error_no_memory(err);
    else if (conn->hi->err)
        status = comb_redis_unreachable(err, conn->hi->errstr);
    else
        status = await_socket(conn, ctx, err);
    if (status == COMB_OK)
        status = greet(conn, place, ctx, err);
    if (status == COMB_OK)
        *ret_conn = conn;
    else
        comb_redis_conn_close(conn);
    return status;
}

void comb_redis_conn_close(struct comb_redis_conn *conn)
{
    if (!conn)
        return;
    conn_drop(conn);
    comb_memory_free(conn);
}
