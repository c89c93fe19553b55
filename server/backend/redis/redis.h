/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to one Redis: commands in, replies out, several in one round trip.
 *
 * A thread of its own makes connections, the first ones and those that replace lost ones, with
 * backoff; calls take one that stands there idle. While the newest attempt has failed, calls are
 * refused at once. Every wait has an end of ours: hiredis' own timeouts begin again with each byte.
 * A connection that did not answer in time is dead, since its late answer would be taken for the
 * next one's; it is closed, and all others with it, where the store itself was too slow.
 */
#ifndef COMB_REDIS_H
#define COMB_REDIS_H

#include "server/core/store.h"
#include "server/core/url.h"

struct comb_redis;
struct comb_redis_conn;

/* Calls that may wait for a connection at once; the next one is refused. */
#define COMB_REDIS_WAITERS_MAX 256
/* What connected code remembers with a connection. */
#define COMB_REDIS_TAG_MAX 96

struct comb_redis_command {
    const comb_str *args;
    size_t n;
};

enum comb_redis_type {
    COMB_REDIS_NIL = 0,
    COMB_REDIS_INTEGER,
    COMB_REDIS_TEXT, /* a string or a status */
    COMB_REDIS_ARRAY
};

/* In the ctx's arena. */
struct comb_redis_reply {
    enum comb_redis_type type;
    int64_t integer;
    comb_str text;
    const struct comb_redis_reply *elements;
    size_t n;
};

struct comb_redis_hooks {
    /* Prepares a new connection, on the pool's thread, before anybody gets it; a failure counts as
     * one of connecting. NULL: nothing to do. */
    enum comb_status (*connected)(void *data, struct comb_ctx *ctx, struct comb_redis_conn *conn,
                                  struct comb_error *err);
    void *data;
};

/*
 * url: redis://HOST[:PORT][/DB][?timeout_ms=N&connections=N&prefix=TEXT]. INVALID_ARGUMENT,
 * FAILED_PRECONDITION (rediss://), with what to do.
 */
enum comb_status comb_redis_open(const struct comb_store_options *options,
                                 const struct comb_redis_hooks *hooks, struct comb_redis **ret,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* Starts the thread, once, before any call; does not wait for the store. */
enum comb_status comb_redis_start(struct comb_redis *redis, struct comb_error *err) COMB_MUST_CHECK;
/* No call may be running. NULL is fine. */
void comb_redis_close(struct comb_redis *redis);

/* What keys of this installation begin with; "comb" unless the URL says otherwise. */
comb_str comb_redis_prefix(const struct comb_redis *redis);

/*
 * An idle connection, for the caller alone until he gives it back. Waits for one until ctx's
 * deadline or timeout_ms. UNAVAILABLE at once while the store is known to be away.
 */
enum comb_status comb_redis_take(struct comb_redis *redis, struct comb_ctx *ctx,
                                 struct comb_redis_conn **ret_conn,
                                 struct comb_error *err) COMB_MUST_CHECK;
void comb_redis_give(struct comb_redis_conn *conn);
/* Text of the caller's that stays with the connection, "" at first. */
char *comb_redis_conn_tag(struct comb_redis_conn *conn);
/* The id of the server's process, 40 hex digits: each start has another. */
const char *comb_redis_conn_run_id(const struct comb_redis_conn *conn);

/*
 * Sends n commands at once and reads their replies. Where one of them is an error, that is what it
 * returns (redis_error.c), after all were read. UNAVAILABLE or DEADLINE_EXCEEDED, both ambiguous:
 * the connection is dead, but still has to be given back.
 */
enum comb_status comb_redis_run(struct comb_redis_conn *conn, struct comb_ctx *ctx,
                                const struct comb_redis_command *commands, size_t n,
                                struct comb_redis_reply *ret_replies,
                                struct comb_error *err) COMB_MUST_CHECK;

/* Why the store is DOWN, as found by the newest attempt; OK where it is not. */
enum comb_status comb_redis_down(struct comb_redis *redis, struct comb_error *err);
void comb_redis_status(struct comb_redis *redis, struct comb_store_status *ret_status);

#endif
