/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the Redis backend share: one connection, and the table of errors. */
#ifndef COMB_REDIS_INTERNAL_H
#define COMB_REDIS_INTERNAL_H

#include <hiredis/hiredis.h>

#include "server/backend/redis/redis.h"

/* Where to connect to, and how. All strings are zero-terminated. */
struct comb_redis_place {
    const char *host;
    uint16_t port;
    unsigned database;
    comb_str user, password; /* password empty: no AUTH */
    int64_t timeout_ns;
};

struct comb_redis_conn {
    struct comb_redis *redis;
    struct comb_redis_conn *next; /* in the pool's list of idle ones */
    redisContext *hi;             /* NULL: dead */
    int64_t timeout_ns;
    uint64_t generation; /* of the pool: an older one is closed when it comes back */
    bool store_failed;   /* dead, and not because the caller had no time */
    char run_id[48];
    char version[32];
    char tag[COMB_REDIS_TAG_MAX];
};

/* Connects, logs in, chooses the database, and asks who answers, within place's timeout for each
 * step. */
enum comb_status comb_redis_conn_open(const struct comb_redis_place *place, struct comb_ctx *ctx,
                                      struct comb_redis_conn **ret_conn, struct comb_error *err);
/* NULL is fine. */
void comb_redis_conn_close(struct comb_redis_conn *conn);

extern const char comb_redis_domain[];
/* What an error reply means. Says whether the connection is of no more use. */
bool comb_redis_judge(const char *text, struct comb_error *err);
/* UNAVAILABLE: the store cannot be reached. */
enum comb_status comb_redis_unreachable(struct comb_error *err, const char *why);

#endif
