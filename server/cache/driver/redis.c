/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache on Redis. Keys:
 *
 *   PREFIX:life                            the marker of the store's life: RUN_ID/RANDOM
 *   PREFIX:e:LIFE:INCARNATION.SEQUENCE:…   an entry
 *   PREFIX:c:…                             a counter: a hash of n, a (newest add), r (newest reset)
 *
 * Whoever connects makes the marker's run id that of the server's process, in one script, before
 * the connection is used; a flush removes the marker. A read fetches the marker with the values,
 * and a write compares it in its script: an entry is neither written nor read but in the life that
 * the caller's connection knows (server/cache/cache_driver.h says what for).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/backend/redis/redis.h"
#include "server/cache/cache_driver.h"
#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/core/random.h"

struct cache_redis {
    struct comb_cache base;
    struct comb_redis *redis;
};

/* KEYS: the marker. ARGV: a run id, a new marker. Gives the marker that holds. */
static const char life_script[] =
    "local m=redis.call('get',KEYS[1]) "
    "if m and string.sub(m,1,string.len(ARGV[1]))==ARGV[1] then return m end "
    "redis.call('set',KEYS[1],ARGV[2]) return ARGV[2]";

/* KEYS: the marker, then entries. ARGV: the life, then value and milliseconds of each. */
static const char put_script[] = "if redis.call('get',KEYS[1])~=ARGV[1] then return 0 end "
                                 "for i=2,#KEYS do "
                                 "redis.call('set',KEYS[i],ARGV[2*i-2],'PX',ARGV[2*i-1]) end "
                                 "return 1";

/* KEYS: the counter. ARGV: add, reset (0 or 1), milliseconds to keep. Microseconds since 1970 are
 * exact in Lua's numbers. */
static const char count_script[] =
    "local t=redis.call('TIME') local now=t[1]*1000000+t[2] "
    "local c=redis.call('HMGET',KEYS[1],'n','a','r') "
    "local n,a,r=tonumber(c[1] or '0'),tonumber(c[2] or '-1'),tonumber(c[3] or '-1') "
    "local add=tonumber(ARGV[1]) local there=c[1] and 1 or 0 "
    "if ARGV[2]=='1' then n=0 a=-1 r=now end "
    "if add>0 then n=math.min(n+add,4294967295) a=now end "
    "if add>0 or ARGV[2]=='1' then "
    "redis.call('HSET',KEYS[1],'n',string.format('%.0f',n),'a',string.format('%.0f',a),"
    "'r',string.format('%.0f',r)) redis.call('PEXPIRE',KEYS[1],ARGV[3]) there=1 end "
    "return {there,n,a<0 and -1 or math.max(now-a,0),r<0 and -1 or math.max(now-r,0)}";

/* ---- keys ---- */

/* PREFIX:MIDDLE TAIL in arena; ptr NULL: no room. */
static comb_str key_of(const struct cache_redis *cache, struct comb_ctx *ctx, const char *middle,
                       comb_str tail)
{
    comb_str prefix = comb_redis_prefix(cache->redis);
    size_t middle_len = strlen(middle), len = prefix.len + 1 + middle_len + tail.len;
    char *key = grpcc_arena_alloc(ctx->arena, len);
    if (!key)
        return (comb_str){0};
    memcpy(key, prefix.ptr, prefix.len);
    key[prefix.len] = ':';
    memcpy(key + prefix.len + 1, middle, middle_len);
    if (tail.len > 0)
        memcpy(key + prefix.len + 1 + middle_len, tail.ptr, tail.len);
    return comb_str_of(key, len);
}

static comb_str entry_key(const struct cache_redis *cache, struct comb_ctx *ctx, const char *life,
                          const struct comb_cache_key *key)
{
    char middle[COMB_REDIS_TAG_MAX + 64];
    snprintf(middle, sizeof middle, "e:%s:%" PRIx64 ".%" PRIx64 ":", life, key->epoch.incarnation,
             key->epoch.sequence);
    return key_of(cache, ctx, middle, key->name);
}

static comb_str marker_key(const struct cache_redis *cache, struct comb_ctx *ctx)
{
    return key_of(cache, ctx, "life", (comb_str){0});
}

static enum comb_status run_one(struct comb_redis_conn *conn, struct comb_ctx *ctx,
                                const comb_str *args, size_t n, struct comb_redis_reply *ret_reply,
                                struct comb_error *err)
{
    const struct comb_redis_command command = {args, n};
    return comb_redis_run(conn, ctx, &command, 1, ret_reply, err);
}

/* ---- the store's life ---- */

/* Makes the marker that of the connected process, or learns it; it becomes the connection's tag. */
static enum comb_status learn_life(void *data, struct comb_ctx *ctx, struct comb_redis_conn *conn,
                                   struct comb_error *err)
{
    const struct cache_redis *cache = data;
    uint64_t random = 0;
    char fresh[COMB_REDIS_TAG_MAX];
    struct comb_redis_reply reply = {0};
    comb_random(&random, sizeof random);
    snprintf(fresh, sizeof fresh, "%s/%016" PRIx64, comb_redis_conn_run_id(conn), random);
    const comb_str args[] = {STR("EVAL"),
                             comb_str_from(life_script),
                             STR("1"),
                             marker_key(cache, ctx),
                             comb_str_from(comb_redis_conn_run_id(conn)),
                             comb_str_from(fresh)};
    enum comb_status status = run_one(conn, ctx, args, sizeof args / sizeof args[0], &reply, err);
    if (status != COMB_OK)
        return status;
    if (reply.type != COMB_REDIS_TEXT || reply.text.len >= COMB_REDIS_TAG_MAX)
        return comb_error_set(err, COMB_INTERNAL, 0, "Redis holds a marker that is not ours");
    snprintf(comb_redis_conn_tag(conn), COMB_REDIS_TAG_MAX, "%.*s", COMB_STR_ARG(reply.text));
    return COMB_OK;
}

/* ---- slots ---- */

static enum comb_status get_on(struct cache_redis *cache, struct comb_ctx *ctx,
                               struct comb_redis_conn *conn, const struct comb_cache_key *keys,
                               size_t n, comb_str *ret_values, struct comb_error *err)
{
    comb_str args[2 + COMB_CACHE_BATCH_MAX];
    const char *life = comb_redis_conn_tag(conn);
    struct comb_redis_reply reply = {0};
    args[0] = STR("MGET");
    args[1] = marker_key(cache, ctx);
    for (size_t i = 0; i < n; i++)
        args[2 + i] = entry_key(cache, ctx, life, &keys[i]);
    if (grpcc_arena_failed(ctx->arena))
        return comb_error_no_memory(err);
    enum comb_status status = run_one(conn, ctx, args, 2 + n, &reply, err);
    if (status != COMB_OK)
        return status;
    if (reply.type != COMB_REDIS_ARRAY || reply.n != 1 + n)
        return comb_error_set(err, COMB_INTERNAL, 0, "Redis answers MGET with something else");
    bool alive = comb_str_equal(reply.elements[0].text, comb_str_from(life));
    for (size_t i = 0; i < n; i++)
        ret_values[i] = alive ? reply.elements[1 + i].text : (comb_str){0};
    return alive ? COMB_OK : learn_life(cache, ctx, conn, err);
}

static enum comb_status redis_get(struct comb_cache *self, struct comb_ctx *ctx,
                                  const struct comb_cache_key *keys, size_t n, comb_str *ret_values,
                                  struct comb_error *err)
{
    struct cache_redis *cache = (struct cache_redis *)self;
    struct comb_redis_conn *conn = NULL;
    enum comb_status status = comb_redis_take(cache->redis, ctx, &conn, err);
    if (status != COMB_OK)
        return status;
    status = get_on(cache, ctx, conn, keys, n, ret_values, err);
    comb_redis_give(conn);
    return status;
}

static enum comb_status put_on(struct cache_redis *cache, struct comb_ctx *ctx,
                               struct comb_redis_conn *conn, const struct comb_cache_entry *entries,
                               size_t n, struct comb_error *err)
{
    comb_str args[5 + 3 * COMB_CACHE_BATCH_MAX];
    const char *life = comb_redis_conn_tag(conn);
    struct comb_redis_reply reply = {0};
    char *n_keys = grpcc_arena_printf(ctx->arena, "%zu", 1 + n);
    comb_str *values = &args[5 + n];
    args[0] = STR("EVAL");
    args[1] = comb_str_from(put_script);
    args[2] = comb_str_from(n_keys);
    args[3] = marker_key(cache, ctx);
    values[-1] = comb_str_from(life);
    for (size_t i = 0; i < n; i++) {
        args[4 + i] = entry_key(cache, ctx, life, &entries[i].key);
        values[2 * i] = entries[i].value;
        values[2 * i + 1] =
            comb_str_from(grpcc_arena_printf(ctx->arena, "%" PRIu32, entries[i].ttl_ms));
    }
    if (grpcc_arena_failed(ctx->arena))
        return comb_error_no_memory(err);
    enum comb_status status = run_one(conn, ctx, args, 5 + 3 * n, &reply, err);
    if (status == COMB_OK && reply.integer == 0)
        status = learn_life(cache, ctx, conn, err);
    return status;
}

static enum comb_status redis_put(struct comb_cache *self, struct comb_ctx *ctx,
                                  const struct comb_cache_entry *entries, size_t n,
                                  struct comb_error *err)
{
    struct cache_redis *cache = (struct cache_redis *)self;
    struct comb_redis_conn *conn = NULL;
    enum comb_status status = comb_redis_take(cache->redis, ctx, &conn, err);
    if (status != COMB_OK)
        return status;
    status = put_on(cache, ctx, conn, entries, n, err);
    comb_redis_give(conn);
    return status;
}

static enum comb_status redis_remove(struct comb_cache *self, struct comb_ctx *ctx,
                                     const struct comb_cache_key *keys, size_t n,
                                     struct comb_error *err)
{
    struct cache_redis *cache = (struct cache_redis *)self;
    struct comb_redis_conn *conn = NULL;
    struct comb_redis_reply reply = {0};
    comb_str args[1 + COMB_CACHE_BATCH_MAX];
    enum comb_status status = comb_redis_take(cache->redis, ctx, &conn, err);
    if (status != COMB_OK)
        return status;
    args[0] = STR("DEL");
    for (size_t i = 0; i < n; i++)
        args[1 + i] = entry_key(cache, ctx, comb_redis_conn_tag(conn), &keys[i]);
    status = grpcc_arena_failed(ctx->arena) ? comb_error_no_memory(err)
                                            : run_one(conn, ctx, args, 1 + n, &reply, err);
    comb_redis_give(conn);
    return status;
}

/* EVAL script 1 key add reset ttl */
#define STEP_ARGS 7

static enum comb_status count_on(struct cache_redis *cache, struct comb_ctx *ctx,
                                 struct comb_redis_conn *conn, const struct comb_cache_step *steps,
                                 size_t n, struct comb_cache_counter *ret_counters,
                                 struct comb_error *err)
{
    comb_str *args = grpcc_arena_calloc(ctx->arena, n * STEP_ARGS, sizeof *args);
    struct comb_redis_command *commands = grpcc_arena_calloc(ctx->arena, n, sizeof *commands);
    struct comb_redis_reply *replies = grpcc_arena_calloc(ctx->arena, n, sizeof *replies);
    for (size_t i = 0; args && commands && i < n; i++) {
        comb_str *words = &args[i * STEP_ARGS];
        words[0] = STR("EVAL");
        words[1] = comb_str_from(count_script);
        words[2] = STR("1");
        words[3] = key_of(cache, ctx, "c:", steps[i].name);
        words[4] = comb_str_from(grpcc_arena_printf(ctx->arena, "%" PRIu32, steps[i].add));
        words[5] = steps[i].reset ? STR("1") : STR("0");
        words[6] = comb_str_from(grpcc_arena_printf(ctx->arena, "%" PRIu32, steps[i].ttl_ms));
        commands[i] = (struct comb_redis_command){words, STEP_ARGS};
    }
    if (grpcc_arena_failed(ctx->arena) || !replies)
        return comb_error_no_memory(err);
    enum comb_status status = comb_redis_run(conn, ctx, commands, n, replies, err);
    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        const struct comb_redis_reply *of = replies[i].elements;
        if (replies[i].type != COMB_REDIS_ARRAY || replies[i].n != 4)
            return comb_error_set(err, COMB_INTERNAL, 0, "Redis counts otherwise than asked");
        ret_counters[i] = (struct comb_cache_counter){of[0].integer != 0, (uint32_t)of[1].integer,
                                                      of[2].integer, of[3].integer};
    }
    return status;
}

static enum comb_status redis_count(struct comb_cache *self, struct comb_ctx *ctx,
                                    const struct comb_cache_step *steps, size_t n,
                                    struct comb_cache_counter *ret_counters, struct comb_error *err)
{
    struct cache_redis *cache = (struct cache_redis *)self;
    struct comb_redis_conn *conn = NULL;
    enum comb_status status = comb_redis_take(cache->redis, ctx, &conn, err);
    if (status != COMB_OK)
        return status;
    status = count_on(cache, ctx, conn, steps, n, ret_counters, err);
    comb_redis_give(conn);
    return status;
}

/* Before the first answer there is nothing to tell: waits for it. */
static enum comb_status redis_check(struct comb_cache *self, struct comb_ctx *ctx,
                                    struct comb_error *err)
{
    struct cache_redis *cache = (struct cache_redis *)self;
    const struct comb_cache_entry entry = {{STR("check"), {0}}, STR("x"), 1000};
    const struct comb_cache_step step = {.name = STR("check"), .add = 1, .ttl_ms = 1000};
    struct comb_cache_counter counter;
    struct comb_store_status now;
    enum comb_status status;
    do {
        status = self->driver->put(self, ctx, &entry, 1, err);
        comb_redis_status(cache->redis, &now);
    } while (status == COMB_UNAVAILABLE && now.state == COMB_STORE_STARTING &&
             comb_ctx_check(ctx, NULL) == COMB_OK);
    if (status == COMB_OK)
        status = self->driver->remove(self, ctx, &entry.key, 1, err);
    if (status == COMB_OK)
        status = self->driver->count(self, ctx, &step, 1, &counter, err);
    if (status == COMB_UNAVAILABLE && comb_redis_down(cache->redis, NULL) != COMB_OK)
        status = comb_redis_down(cache->redis, err);
    return status;
}

static void redis_status(struct comb_cache *self, struct comb_store_status *ret_status)
{
    comb_redis_status(((struct cache_redis *)self)->redis, ret_status);
}

static void redis_close(struct comb_cache *self)
{
    struct cache_redis *cache = (struct cache_redis *)self;
    comb_redis_close(cache->redis);
    comb_memory_free(cache);
}

static const struct comb_cache_driver driver = {
    .name = "redis",
    .caps = COMB_CACHE_CAP_SHARED | COMB_CACHE_CAP_REAL_CLOCK,
    .get = redis_get,
    .put = redis_put,
    .remove = redis_remove,
    .count = redis_count,
    .check = redis_check,
    .status = redis_status,
    .close = redis_close,
};

enum comb_status comb_cache_redis_open(const struct comb_store_options *options,
                                       struct comb_cache **ret_cache, struct comb_error *err)
{
    struct cache_redis *cache = comb_memory_zalloc(sizeof *cache);
    if (!cache)
        return comb_error_no_memory(err);
    const struct comb_redis_hooks hooks = {learn_life, cache};
    cache->base.driver = &driver;
    enum comb_status status = comb_redis_open(options, &hooks, &cache->redis, err);
    if (status == COMB_OK)
        status = comb_redis_start(cache->redis, err);
    if (status == COMB_OK)
        *ret_cache = &cache->base;
    else
        redis_close(&cache->base);
    return status;
}
