/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache row: what is quicker to remember than to find out again, and counters that replicas
 * share. Drivers: mem (this process), redis (shared). A hint: losing all of it, or any part, costs
 * speed, never correctness.
 *
 * Why no entry can be stale. An entry's key is (name, epoch), where the epoch is the position of
 * the truth (incarnation and sequence of the SQL row, or a revision that the truth keeps for the
 * thing) up to which the caller knows what may be remembered under that name. Three rules:
 *
 *   1. Who puts reads the epoch first, then computes the value from the truth: so what stands under
 *      an epoch is at least as new as the epoch.
 *   2. Who gets asks under the epoch that the truth has told him, never under one that the cache
 *      has told him. A change of the truth raises the epoch in its own transaction: from then on
 *      nobody who knows of the change can even name the entries from before.
 *   3. A put is never undone by a get of another epoch: there is nothing to invalidate, so nothing
 *      is lost where an invalidation gets lost. Removing gives room back, and nothing else.
 *
 * A restored or promoted truth has another incarnation, so a sequence that is used a second time
 * makes another key. The store's own losses make a new *life*, which the redis driver puts in front
 * of every key: another process of the server (a restart, a restored dump, a replica that took
 * over) or a flush begins one, and entries of another life cannot be named either. A put that was
 * on its way while the store was flushed ends in the old life.
 *
 * Counters are not entries: they have no epoch, nobody else knows their value, and they may outlive
 * a restart or not.
 *
 * Slots: any thread, at once; they may block, and obey ctx's deadline and a shorter one of their
 * own. While the store is known to be away they answer UNAVAILABLE at once.
 */
#ifndef COMB_CACHE_DRIVER_H
#define COMB_CACHE_DRIVER_H

#include "server/core/store.h"

/* Longest name, longest value, most keys of one call. */
#define COMB_CACHE_NAME_BYTES_MAX 256
#define COMB_CACHE_VALUE_BYTES_MAX ((size_t)1 << 20)
#define COMB_CACHE_BATCH_MAX 256
/* Longest time that anything is kept. */
#define COMB_CACHE_TTL_MS_MAX (24 * 3600 * 1000)

struct comb_cache;

struct comb_cache_key {
    comb_str name; /* any bytes, at least 1: by convention "AREA:WHAT:ID" */
    struct comb_position epoch;
};

struct comb_cache_entry {
    struct comb_cache_key key;
    comb_str value;
    uint32_t ttl_ms; /* at least 1 */
};

/* One step of one counter, atomic. */
struct comb_cache_step {
    comb_str name;
    uint32_t add;    /* 0: only look */
    bool reset;      /* to 0, before adding; remembered as long as the counter is */
    uint32_t ttl_ms; /* from now on, where the step changes the counter */
};

struct comb_cache_counter {
    bool exists;          /* after the step; false: all below is 0 */
    uint32_t value;       /* after the step */
    int64_t add_age_us;   /* since the newest add, by the store's clock; -1: none since reset */
    int64_t reset_age_us; /* since the newest reset; -1: none */
};

struct comb_cache_driver {
    const char *name; /* the URL's scheme: "mem", "redis" */
    uint32_t caps;
    /* The values of n keys in one round trip, in ctx's arena. What is not there, or is larger than
     * the arena has room for, has ptr NULL; an empty value has another. */
    enum comb_status (*get)(struct comb_cache *self, struct comb_ctx *ctx,
                            const struct comb_cache_key *keys, size_t n, comb_str *ret_values,
                            struct comb_error *err);
    /* Remembers n entries in one round trip, or some of them, or none: who puts must not care.
     * A crash leaves some. */
    enum comb_status (*put)(struct comb_cache *self, struct comb_ctx *ctx,
                            const struct comb_cache_entry *entries, size_t n,
                            struct comb_error *err);
    /* Gives the room of n entries back. What is not there is no failure. */
    enum comb_status (*remove)(struct comb_cache *self, struct comb_ctx *ctx,
                               const struct comb_cache_key *keys, size_t n, struct comb_error *err);
    /* Takes n steps in one round trip, each atomic, in order. Where it fails, each step may have
     * been taken or not (err->ambiguous). */
    enum comb_status (*count)(struct comb_cache *self, struct comb_ctx *ctx,
                              const struct comb_cache_step *steps, size_t n,
                              struct comb_cache_counter *ret_counters, struct comb_error *err);
    /* Asks the store whether it can be reached and used; the error says what to do. */
    enum comb_status (*check)(struct comb_cache *self, struct comb_ctx *ctx,
                              struct comb_error *err);
    /* Never blocks. */
    void (*status)(struct comb_cache *self, struct comb_store_status *ret_status);
    /* No call may be running. */
    void (*close)(struct comb_cache *self);
};
/* caps: other processes see the same. */
#define COMB_CACHE_CAP_SHARED 1u
/* caps: times are the store's, not this process's (tests cannot move them forward). */
#define COMB_CACHE_CAP_REAL_CLOCK 2u

struct comb_cache {
    const struct comb_cache_driver *driver;
};

/*
 * The wrappers: what callers use.
 *
 * get and put cannot fail: what did not work is not there. INVALID_ARGUMENT never happens at run
 * time: names and sizes beyond the limits are not remembered.
 */
void comb_cache_get(struct comb_cache *cache, struct comb_ctx *ctx,
                    const struct comb_cache_key *keys, size_t n, comb_str *ret_values);
void comb_cache_put(struct comb_cache *cache, struct comb_ctx *ctx,
                    const struct comb_cache_entry *entries, size_t n);
void comb_cache_remove(struct comb_cache *cache, struct comb_ctx *ctx,
                       const struct comb_cache_key *keys, size_t n);
/* UNAVAILABLE, DEADLINE_EXCEEDED: the caller goes on with what it knows itself. */
enum comb_status comb_cache_count(struct comb_cache *cache, struct comb_ctx *ctx,
                                  const struct comb_cache_step *steps, size_t n,
                                  struct comb_cache_counter *ret_counters,
                                  struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_cache_check(struct comb_cache *cache, struct comb_ctx *ctx,
                                  struct comb_error *err) COMB_MUST_CHECK;
void comb_cache_status(struct comb_cache *cache, struct comb_store_status *ret_status);
/* NULL is fine. */
void comb_cache_close(struct comb_cache *cache);

/* "mem:64MiB": at most that many bytes; without a size, 64 MiB. */
enum comb_status comb_cache_mem_open(const struct comb_store_options *options,
                                     struct comb_cache **ret_cache,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* "redis://HOST[:PORT][/DB][?timeout_ms=N&connections=N&prefix=TEXT]"; credentials: "password" or
 * "user:password". */
enum comb_status comb_cache_redis_open(const struct comb_store_options *options,
                                       struct comb_cache **ret_cache,
                                       struct comb_error *err) COMB_MUST_CHECK;

#endif
