/* SPDX-License-Identifier: Apache-2.0 */
/* The connections to one Redis, and the thread that makes them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/backend/redis/internal.h"
#include "server/core/backoff.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/memory.h"

#define PORT 6379
#define TIMEOUT_MS_DEFAULT 250
#define TIMEOUT_MS_MAX 60000
#define CONNECTIONS_DEFAULT 4
#define CONNECTIONS_MAX 64
#define DATABASE_MAX 1023
#define PREFIX_BYTES_MAX 64
#define BACKOFF_FIRST_MS 50
#define BACKOFF_MOST_MS 1000

struct comb_redis {
    struct grpcc_arena *arena; /* of the strings of place and prefix */
    struct comb_redis_place place;
    struct comb_redis_hooks hooks;
    comb_str prefix;
    uint32_t wanted;
    pthread_t keeper;
    bool has_keeper;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    bool closing;
    struct comb_redis_conn *idle;
    uint32_t open, waiters;
    uint64_t generation;
    struct comb_error why; /* of DOWN */
    struct comb_store_status status;
};

/* ---- the store's state ---- */

static void set_down_locked(struct comb_redis *redis, const struct comb_error *why)
{
    redis->why = *why;
    redis->generation++;
    comb_store_status_set(&redis->status, COMB_STORE_DOWN, why);
    while (redis->idle) {
        struct comb_redis_conn *conn = redis->idle;
        redis->idle = conn->next;
        redis->open--;
        comb_redis_conn_close(conn);
    }
    pthread_cond_broadcast(&redis->changed);
}

static void set_up_locked(struct comb_redis *redis, struct comb_redis_conn *conn)
{
    conn->redis = redis;
    conn->generation = redis->generation;
    conn->next = redis->idle;
    redis->idle = conn;
    redis->open++;
    snprintf(redis->status.server, sizeof redis->status.server, "Redis %s", conn->version);
    comb_store_status_set(&redis->status, COMB_STORE_UP, NULL);
    pthread_cond_broadcast(&redis->changed);
}

/* The kernel's clock, in so many nanoseconds: that is the one that threads wait on. */
/* ---- the keeper ---- */

static enum comb_status connect_one(struct comb_redis *redis, struct comb_redis_conn **ret_conn,
                                    struct comb_error *err)
{
    struct comb_ctx ctx = {.deadline_ns = INT64_MAX, .arena = grpcc_arena_new(0)};
    if (!ctx.arena)
        return comb_error_no_memory(err);
    struct comb_redis_conn *conn = NULL;
    enum comb_status status = comb_redis_conn_open(&redis->place, &ctx, &conn, err);
    if (status == COMB_OK && redis->hooks.connected)
        status = redis->hooks.connected(redis->hooks.data, &ctx, conn, err);
    if (status == COMB_OK)
        *ret_conn = conn;
    else
        comb_redis_conn_close(conn);
    grpcc_arena_free(ctx.arena);
    return status;
}

static void wait_locked(struct comb_redis *redis, uint32_t wait_ms)
{
    int64_t end_ns = comb_clock_in_ms(wait_ms);
    while (!redis->closing && comb_cond_wait_until(&redis->changed, &redis->lock, end_ns))
        continue;
}

static void *keep(void *data)
{
    struct comb_redis *redis = data;
    struct comb_backoff backoff = {.first_ms = BACKOFF_FIRST_MS, .most_ms = BACKOFF_MOST_MS};
    pthread_mutex_lock(&redis->lock);
    while (!redis->closing) {
        if (redis->open >= redis->wanted) {
            pthread_cond_wait(&redis->changed, &redis->lock);
            continue;
        }
        struct comb_redis_conn *conn = NULL;
        struct comb_error err = {0};
        pthread_mutex_unlock(&redis->lock);
        enum comb_status status = connect_one(redis, &conn, &err);
        pthread_mutex_lock(&redis->lock);
        if (status == COMB_OK) {
            comb_backoff_reset(&backoff);
            set_up_locked(redis, conn);
        } else {
            set_down_locked(redis, &err);
            wait_locked(redis, comb_backoff_next_ms(&backoff));
        }
    }
    pthread_mutex_unlock(&redis->lock);
    return NULL;
}

/* ---- calls ---- */

static enum comb_status refuse_locked(const struct comb_redis *redis, struct comb_error *err)
{
    if (err) {
        *err = redis->why;
        err->status = COMB_UNAVAILABLE;
        err->ambiguous = false;
    }
    return COMB_UNAVAILABLE;
}

static enum comb_status take_locked(struct comb_redis *redis, const struct comb_ctx *ctx,
                                    struct comb_redis_conn **ret_conn, struct comb_error *err)
{
    int64_t end_ns = comb_clock_monotonic_ns() + redis->place.timeout_ns;
    bool callers = ctx->deadline_ns < end_ns;
    bool late = false;
    while (!redis->idle) {
        if (redis->status.state == COMB_STORE_DOWN)
            return refuse_locked(redis, err);
        if (late && callers)
            return comb_ctx_check(ctx, err) == COMB_OK
                       ? comb_redis_unreachable(err, "its connections are all busy")
                       : COMB_DEADLINE_EXCEEDED;
        if (late || redis->waiters >= COMB_REDIS_WAITERS_MAX)
            return comb_redis_unreachable(err, redis->open == 0 ? "there is no connection yet"
                                                                : "its connections are all busy");
        redis->waiters++;
        late = !comb_cond_wait_until(&redis->changed, &redis->lock,
                                     callers ? ctx->deadline_ns : end_ns);
        redis->waiters--;
    }
    *ret_conn = redis->idle;
    redis->idle = redis->idle->next;
    redis->status.in_flight++;
    return COMB_OK;
}

enum comb_status comb_redis_take(struct comb_redis *redis, struct comb_ctx *ctx,
                                 struct comb_redis_conn **ret_conn, struct comb_error *err)
{
    pthread_mutex_lock(&redis->lock);
    enum comb_status status = take_locked(redis, ctx, ret_conn, err);
    redis->status.requests++;
    redis->status.failures += status != COMB_OK;
    pthread_mutex_unlock(&redis->lock);
    return status;
}

void comb_redis_give(struct comb_redis_conn *conn)
{
    struct comb_redis *redis = conn->redis;
    pthread_mutex_lock(&redis->lock);
    redis->status.in_flight--;
    if (conn->hi && conn->generation == redis->generation) {
        conn->next = redis->idle;
        redis->idle = conn;
        pthread_cond_broadcast(&redis->changed);
        pthread_mutex_unlock(&redis->lock);
        return;
    }
    redis->open--;
    redis->status.failures += conn->hi == NULL;
    if (conn->store_failed && conn->generation == redis->generation) {
        struct comb_error why;
        comb_redis_unreachable(&why, "it did not answer a call, and is asked again");
        set_down_locked(redis, &why);
    }
    pthread_cond_broadcast(&redis->changed);
    pthread_mutex_unlock(&redis->lock);
    comb_redis_conn_close(conn);
}

char *comb_redis_conn_tag(struct comb_redis_conn *conn)
{
    return conn->tag;
}

const char *comb_redis_conn_run_id(const struct comb_redis_conn *conn)
{
    return conn->run_id;
}

comb_str comb_redis_prefix(const struct comb_redis *redis)
{
    return redis->prefix;
}

enum comb_status comb_redis_down(struct comb_redis *redis, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    pthread_mutex_lock(&redis->lock);
    if (redis->status.state == COMB_STORE_DOWN) {
        status = redis->why.status;
        if (err)
            *err = redis->why;
    }
    pthread_mutex_unlock(&redis->lock);
    return status;
}

void comb_redis_status(struct comb_redis *redis, struct comb_store_status *ret_status)
{
    pthread_mutex_lock(&redis->lock);
    *ret_status = redis->status;
    ret_status->connections = redis->open;
    pthread_mutex_unlock(&redis->lock);
}

/* ---- open, close ---- */

static enum comb_status read_number(const struct comb_url *url, const char *name, unsigned most,
                                    unsigned without, unsigned *ret, struct comb_error *err)
{
    comb_str text = comb_url_param(url, name);
    char *end = NULL;
    *ret = without;
    if (!text.ptr)
        return COMB_OK;
    unsigned long value = strtoul(text.ptr, &end, 10);
    if (text.len == 0 || *end != '\0' || value < 1 || value > most)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "%s of redis:// is 1 to %u", name,
                              most);
    *ret = (unsigned)value;
    return COMB_OK;
}

static enum comb_status read_database(comb_str path, unsigned *ret, struct comb_error *err)
{
    char *end = NULL;
    unsigned long value = path.len > 0 ? strtoul(path.ptr, &end, 10) : 0;
    if (path.len > 0 && (path.ptr[0] < '0' || path.ptr[0] > '9' || *end || value > DATABASE_MAX))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "the path of redis:// is the number of a database, such as "
                              "redis://HOST:6379/0");
    *ret = (unsigned)value;
    return COMB_OK;
}

static enum comb_status read_credentials(struct comb_redis *redis, comb_str text,
                                         struct comb_error *err)
{
    if (text.len == 0)
        return COMB_OK;
    char *own = comb_str_dup(redis->arena, text);
    if (!own)
        return comb_error_no_memory(err);
    char *colon = memchr(own, ':', text.len);
    size_t user_len = colon ? (size_t)(colon - own) : 0;
    size_t skip = colon ? user_len + 1 : 0;
    redis->place.user = comb_str_of(own, user_len);
    redis->place.password = comb_str_of(own + skip, text.len - skip);
    return COMB_OK;
}

static enum comb_status read_url(struct comb_redis *redis, comb_str text, struct comb_error *err)
{
    static const char *const names[] = {"timeout_ms", "connections", "prefix", NULL};
    struct comb_url url;
    unsigned timeout_ms = 0, connections = 0;
    if (comb_str_starts_with(text, STR("rediss:")))
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "rediss:// needs a hiredis with TLS (1.0 or later with "
                              "hiredis_ssl), and this build has hiredis %d.%d without: use "
                              "redis:// through a TLS proxy beside combd (stunnel, a sidecar)",
                              HIREDIS_MAJOR, HIREDIS_MINOR);
    enum comb_status status = comb_url_parse(redis->arena, text, PORT, names, &url, err);
    if (status == COMB_OK &&
        (!comb_str_equal(url.scheme, STR("redis")) || url.n_hosts != 1 || url.user.len > 0))
        status = comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                                "the cache takes one redis://HOST:PORT/DATABASE; user and "
                                "password come from --cache-credentials-file");
    if (status == COMB_OK)
        status = read_database(url.path, &redis->place.database, err);
    if (status == COMB_OK)
        status =
            read_number(&url, "timeout_ms", TIMEOUT_MS_MAX, TIMEOUT_MS_DEFAULT, &timeout_ms, err);
    if (status == COMB_OK)
        status = read_number(&url, "connections", CONNECTIONS_MAX, CONNECTIONS_DEFAULT,
                             &connections, err);
    if (status != COMB_OK)
        return status;
    comb_str prefix = comb_url_param(&url, "prefix");
    redis->prefix = prefix.len > 0 ? prefix : STR("comb");
    if (redis->prefix.len > PREFIX_BYTES_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "prefix of redis:// has at most %d bytes", PREFIX_BYTES_MAX);
    redis->place.host = url.hosts[0].name.ptr;
    redis->place.port = url.hosts[0].port;
    redis->place.timeout_ns = (int64_t)timeout_ms * COMB_NS_PER_MS;
    redis->wanted = connections;
    return COMB_OK;
}

enum comb_status comb_redis_open(const struct comb_store_options *options,
                                 const struct comb_redis_hooks *hooks, struct comb_redis **ret,
                                 struct comb_error *err)
{
    struct comb_redis *redis = comb_memory_zalloc(sizeof *redis);
    if (!redis)
        return comb_error_no_memory(err);
    comb_cond_init(&redis->changed);
    pthread_mutex_init(&redis->lock, NULL);
    redis->hooks = *hooks;
    redis->status = (struct comb_store_status){
        .driver = "redis", .shared = true, .since_us = comb_clock_wall_us()};
    redis->arena = grpcc_arena_new(0);
    enum comb_status status = redis->arena ? COMB_OK : comb_error_no_memory(err);
    if (status == COMB_OK)
        status = read_url(redis, options->url, err);
    if (status == COMB_OK)
        status = read_credentials(redis, options->credentials, err);
    if (status == COMB_OK)
        *ret = redis;
    else
        comb_redis_close(redis);
    return status;
}

enum comb_status comb_redis_start(struct comb_redis *redis, struct comb_error *err)
{
    redis->has_keeper = pthread_create(&redis->keeper, NULL, keep, redis) == 0;
    return redis->has_keeper ? COMB_OK : comb_error_no_memory(err);
}

void comb_redis_close(struct comb_redis *redis)
{
    if (!redis)
        return;
    pthread_mutex_lock(&redis->lock);
    redis->closing = true;
    pthread_cond_broadcast(&redis->changed);
    pthread_mutex_unlock(&redis->lock);
    if (redis->has_keeper)
        pthread_join(redis->keeper, NULL);
    while (redis->idle) {
        struct comb_redis_conn *conn = redis->idle;
        redis->idle = conn->next;
        comb_redis_conn_close(conn);
    }
    if (redis->place.password.ptr)
        comb_memory_wipe((char *)redis->place.password.ptr, redis->place.password.len);
    if (redis->arena)
        grpcc_arena_free(redis->arena);
    pthread_cond_destroy(&redis->changed);
    pthread_mutex_destroy(&redis->lock);
    comb_memory_free(redis);
}
