/* SPDX-License-Identifier: Apache-2.0 */
/* The table of Redis' error replies, which begin with a word. Source: Redis 7.0, src/server.c. */
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/redis/internal.h"

const char comb_redis_domain[] = "cache.redis";

enum {
    DOWN = COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
    FULL = COMB_V1_ERROR_REASON_STORE_FULL,
    FAULT = COMB_V1_ERROR_REASON_INTERNAL
};

/* The first row that fits counts. */
static const struct {
    const char *begin;
    enum comb_status status;
    int reason;
    bool retryable, ends_connection;
    const char *text; /* NULL: the store's own words */
} table[] = {
    {"WRONGPASS", COMB_FAILED_PRECONDITION, 0, false, true,
     "Redis refuses the user or the password: correct --cache-credentials-file"},
    {"ERR invalid password", COMB_FAILED_PRECONDITION, 0, false, true,
     "Redis refuses the password: correct --cache-credentials-file"},
    {"ERR AUTH", COMB_FAILED_PRECONDITION, 0, false, true,
     "Redis has no password: leave --cache-credentials-file away, or set requirepass"},
    {"NOAUTH", COMB_FAILED_PRECONDITION, 0, false, true,
     "Redis wants a password: give it by --cache-credentials-file"},
    {"NOPERM", COMB_FAILED_PRECONDITION, 0, false, true,
     "Redis' user may not do this: its ACL needs +get +set +mget +del +eval +hmget +hset +pexpire "
     "+time +info +select on the keys of the prefix"},
    {"ERR DB index", COMB_FAILED_PRECONDITION, 0, false, true,
     "Redis has no database of that number: name another one in the URL"},
    {"DENIED", COMB_FAILED_PRECONDITION, 0, false, true,
     "Redis is in protected mode: set a password, and give it by --cache-credentials-file"},
    {"LOADING", COMB_UNAVAILABLE, DOWN, true, true, "Redis is still loading its data"},
    {"MASTERDOWN", COMB_UNAVAILABLE, DOWN, true, true, "Redis has lost its primary"},
    {"READONLY", COMB_UNAVAILABLE, DOWN, true, true,
     "this Redis is a read-only replica: name the primary in the URL"},
    {"CLUSTERDOWN", COMB_UNAVAILABLE, DOWN, true, true, "the Redis cluster is down"},
    {"MOVED", COMB_FAILED_PRECONDITION, 0, false, true,
     "this Redis is one node of a cluster: the cache takes a single Redis"},
    {"ERR max number of clients", COMB_UNAVAILABLE, DOWN, true, true,
     "Redis takes no more connections: raise its maxclients"},
    {"BUSY", COMB_UNAVAILABLE, DOWN, true, false, "Redis is busy with a script"},
    {"OOM", COMB_RESOURCE_EXHAUSTED, FULL, true, false,
     "Redis' memory is full: set maxmemory-policy allkeys-lru, or raise maxmemory"},
    {"MISCONF", COMB_RESOURCE_EXHAUSTED, FULL, true, false,
     "Redis takes no writes, as it cannot save to its disk: make room there"},
};

bool comb_redis_judge(const char *text, struct comb_error *err)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strncmp(text, table[i].begin, strlen(table[i].begin)) != 0)
            continue;
        comb_error_set(err, table[i].status, table[i].reason, "%s",
                       table[i].text ? table[i].text : text);
        if (err) {
            err->domain = comb_redis_domain;
            err->retryable = table[i].retryable;
        }
        return table[i].ends_connection;
    }
    comb_error_set(err, COMB_INTERNAL, FAULT, "Redis answers: %.200s", text);
    if (err)
        err->domain = comb_redis_domain;
    return false;
}

enum comb_status comb_redis_unreachable(struct comb_error *err, const char *why)
{
    comb_error_set(err, COMB_UNAVAILABLE, DOWN, "Redis cannot be reached: %.200s", why);
    if (err) {
        err->domain = comb_redis_domain;
        err->retryable = true;
    }
    return COMB_UNAVAILABLE;
}
