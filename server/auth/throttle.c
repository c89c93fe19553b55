/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/throttle.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/auth/throttle_table.h"
#include "server/core/clock.h"
#include "server/core/memory.h"

/* Doublings after which the longest wait is reached for certain. */
#define DOUBLINGS_MAX 20
#define MS_PER_S 1000

struct comb_throttle {
    struct comb_cache *cache; /* NULL: none */
    struct comb_throttle_table *table;
};

struct key {
    char text[COMB_THROTTLE_KEY_MAX];
};

/* What a try is about. */
enum { LOGIN, PEER, SUBJECTS };

struct subjects {
    struct key texts[SUBJECTS];
    comb_str keys[SUBJECTS];
};

static const uint32_t free_failures[SUBJECTS] = {COMB_THROTTLE_LOGIN_FREE, COMB_THROTTLE_PEER_FREE};

static comb_str key_of_login(comb_str login, struct key *key)
{
    int length = snprintf(key->text, sizeof key->text, "throttle:login:%.*s",
                          (int)(login.len > 128 ? 128 : login.len), login.ptr);
    return comb_str_of(key->text, (size_t)length);
}

/* The network of a caller: an IPv4 address; of IPv6 the first half, as anybody has all of the
 * rest. */
static comb_str key_of_peer(comb_str peer, struct key *key)
{
    const char *colon = peer.len > 0 ? memrchr(peer.ptr, ':', peer.len) : NULL;
    comb_str host = colon ? comb_str_of(peer.ptr, (size_t)(colon - peer.ptr)) : peer;
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    const char *open = comb_str_starts_with(host, STR("ipv6:[")) ? host.ptr + 6 : NULL;
    const char *close = open ? memchr(open, ']', host.len - 6) : NULL;
    if (close && (size_t)(close - open) < sizeof text) {
        memcpy(text, open, (size_t)(close - open));
        text[close - open] = '\0';
        if (inet_pton(AF_INET6, text, &address) == 1) {
            memset(address.s6_addr + 8, 0, 8);
            if (inet_ntop(AF_INET6, &address, text, sizeof text))
                host = comb_str_from(text);
        }
    }
    int length = snprintf(key->text, sizeof key->text, "throttle:peer:%.*s",
                          (int)(host.len > 128 ? 128 : host.len), host.ptr);
    return comb_str_of(key->text, (size_t)length);
}

static void name_subjects(const struct comb_ctx *ctx, comb_str login, struct subjects *ret)
{
    ret->keys[LOGIN] = key_of_login(login, &ret->texts[LOGIN]);
    ret->keys[PEER] = key_of_peer(ctx->peer, &ret->texts[PEER]);
}

/* How long the next try has to wait from now on. */
static int64_t wait_us(uint32_t failures, uint32_t free, int64_t age_us)
{
    if (failures < free)
        return 0;
    uint32_t doublings = failures - free;
    int64_t wait_s = 1LL << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
    if (wait_s > COMB_THROTTLE_WAIT_MAX_S)
        wait_s = COMB_THROTTLE_WAIT_MAX_S;
    int64_t left_us = wait_s * COMB_US_PER_S - age_us;
    return left_us > 0 ? left_us : 0;
}

/* As the table of this process has it. shared: what the cache has; a success that another replica
 * has seen since makes the table's counter a thing of the past. */
static int64_t wait_by_table(struct comb_throttle *throttle, comb_str key, uint32_t free,
                             const struct comb_cache_counter *shared)
{
    struct comb_throttle_counter own = comb_throttle_table_get(throttle->table, key);
    int64_t age_us = comb_clock_wall_us() - own.last_us;
    if (own.failures > 0 && shared->reset_age_us >= 0 && shared->reset_age_us < age_us) {
        comb_throttle_table_clear(throttle->table, key);
        return 0;
    }
    return wait_us(own.failures, free, age_us);
}

/* Takes one step of each of n counters in the cache; where that is away, there are none. */
static void count_shared(struct comb_throttle *throttle, struct comb_ctx *ctx,
                         const struct comb_cache_step *steps, size_t n,
                         struct comb_cache_counter *ret_counters)
{
    if (throttle->cache &&
        comb_cache_count(throttle->cache, ctx, steps, n, ret_counters, NULL) == COMB_OK)
        return;
    for (size_t i = 0; i < n; i++)
        ret_counters[i] = (struct comb_cache_counter){.add_age_us = -1, .reset_age_us = -1};
}

enum comb_status comb_throttle_check(struct comb_throttle *throttle, struct comb_ctx *ctx,
                                     comb_str login, struct comb_error *err)
{
    struct subjects subjects;
    struct comb_cache_counter shared[SUBJECTS];
    name_subjects(ctx, login, &subjects);
    const struct comb_cache_step look[SUBJECTS] = {{.name = subjects.keys[LOGIN]},
                                                   {.name = subjects.keys[PEER]}};
    count_shared(throttle, ctx, look, SUBJECTS, shared);
    int64_t left_us = 0;
    for (size_t i = 0; i < SUBJECTS; i++) {
        int64_t own_us = wait_by_table(throttle, subjects.keys[i], free_failures[i], &shared[i]);
        int64_t shared_us = wait_us(shared[i].value, free_failures[i], shared[i].add_age_us);
        left_us = own_us > left_us ? own_us : left_us;
        left_us = shared_us > left_us ? shared_us : left_us;
    }
    if (left_us == 0)
        return COMB_OK;
    int64_t left_s = (left_us + COMB_US_PER_S - 1) / COMB_US_PER_S;
    comb_error_set(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_LOGIN_THROTTLED,
                   "too many failed log-ins; try again in %lld s", (long long)left_s);
    if (err) {
        err->retry_ms = left_s * 1000;
        err->retryable = true;
    }
    return COMB_RESOURCE_EXHAUSTED;
}

void comb_throttle_fail(struct comb_throttle *throttle, struct comb_ctx *ctx, comb_str login)
{
    struct subjects subjects;
    struct comb_cache_counter counters[SUBJECTS];
    struct comb_cache_step steps[SUBJECTS];
    name_subjects(ctx, login, &subjects);
    for (size_t i = 0; i < SUBJECTS; i++) {
        comb_throttle_table_add(throttle->table, subjects.keys[i]);
        steps[i] = (struct comb_cache_step){
            .name = subjects.keys[i], .add = 1, .ttl_ms = COMB_THROTTLE_FORGET_S * MS_PER_S};
    }
    count_shared(throttle, ctx, steps, SUBJECTS, counters);
}

void comb_throttle_succeed(struct comb_throttle *throttle, struct comb_ctx *ctx, comb_str login)
{
    struct key text;
    comb_str key = key_of_login(login, &text);
    struct comb_cache_counter counter;
    const struct comb_cache_step step = {
        .name = key, .reset = true, .ttl_ms = COMB_THROTTLE_FORGET_S * MS_PER_S};
    comb_throttle_table_clear(throttle->table, key);
    count_shared(throttle, ctx, &step, 1, &counter);
}

enum comb_status comb_throttle_new(struct comb_cache *cache, struct comb_throttle **ret_throttle,
                                   struct comb_error *err)
{
    struct comb_throttle *throttle = comb_memory_zalloc(sizeof *throttle);
    if (!throttle)
        return comb_error_no_memory(err);
    throttle->cache = cache;
    enum comb_status status = comb_throttle_table_new(&throttle->table, err);
    if (status == COMB_OK)
        *ret_throttle = throttle;
    else
        comb_memory_free(throttle);
    return status;
}

void comb_throttle_free(struct comb_throttle *throttle)
{
    if (!throttle)
        return;
    comb_throttle_table_free(throttle->table);
    comb_memory_free(throttle);
}
