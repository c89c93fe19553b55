/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "server/cache/cache_driver.h"
#include "server/core/log.h"

static const char component[] = "cache";

static bool is_name(comb_str name)
{
    return name.len > 0 && name.len <= COMB_CACHE_NAME_BYTES_MAX;
}

static enum comb_status refuse(struct comb_error *err, const char *what)
{
    return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "the cache takes no %s", what);
}

static enum comb_status check_batch(const struct comb_ctx *ctx, size_t n, struct comb_error *err)
{
    if (n == 0 || n > COMB_CACHE_BATCH_MAX)
        return refuse(err, "batch of that size");
    return comb_ctx_check(ctx, err);
}

static enum comb_status check_keys(const struct comb_ctx *ctx, const struct comb_cache_key *keys,
                                   size_t n, struct comb_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_name(keys[i].name))
            return refuse(err, "name of that length");
    }
    return check_batch(ctx, n, err);
}

static enum comb_status check_entries(const struct comb_ctx *ctx,
                                      const struct comb_cache_entry *entries, size_t n,
                                      struct comb_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_name(entries[i].key.name))
            return refuse(err, "name of that length");
        if (entries[i].value.len > COMB_CACHE_VALUE_BYTES_MAX)
            return refuse(err, "value of that size");
        if (entries[i].ttl_ms == 0 || entries[i].ttl_ms > COMB_CACHE_TTL_MS_MAX)
            return refuse(err, "entry without an end");
    }
    return check_batch(ctx, n, err);
}

/* What callers do not see, people who look for it may. */
static void tell(enum comb_status status, const struct comb_error *err, const char *what)
{
    if (status != COMB_OK)
        comb_log_error(COMB_LOG_DEBUG, component, what, err);
}

void comb_cache_get(struct comb_cache *cache, struct comb_ctx *ctx,
                    const struct comb_cache_key *keys, size_t n, comb_str *ret_values)
{
    struct comb_error err = {0};
    enum comb_status status = check_keys(ctx, keys, n, &err);
    if (status == COMB_OK)
        status = cache->driver->get(cache, ctx, keys, n, ret_values, &err);
    tell(status, &err, "cannot read");
    for (size_t i = 0; i < n; i++) {
        if (status != COMB_OK)
            ret_values[i] = (comb_str){0};
        assert(ret_values[i].len <= COMB_CACHE_VALUE_BYTES_MAX);
    }
}

void comb_cache_put(struct comb_cache *cache, struct comb_ctx *ctx,
                    const struct comb_cache_entry *entries, size_t n)
{
    struct comb_error err = {0};
    enum comb_status status = check_entries(ctx, entries, n, &err);
    if (status == COMB_OK)
        status = cache->driver->put(cache, ctx, entries, n, &err);
    tell(status, &err, "cannot remember");
}

void comb_cache_remove(struct comb_cache *cache, struct comb_ctx *ctx,
                       const struct comb_cache_key *keys, size_t n)
{
    struct comb_error err = {0};
    enum comb_status status = check_keys(ctx, keys, n, &err);
    if (status == COMB_OK)
        status = cache->driver->remove(cache, ctx, keys, n, &err);
    tell(status, &err, "cannot remove");
}

enum comb_status comb_cache_count(struct comb_cache *cache, struct comb_ctx *ctx,
                                  const struct comb_cache_step *steps, size_t n,
                                  struct comb_cache_counter *ret_counters, struct comb_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_name(steps[i].name))
            return refuse(err, "name of that length");
        bool changes = steps[i].add > 0 || steps[i].reset;
        if (changes && (steps[i].ttl_ms == 0 || steps[i].ttl_ms > COMB_CACHE_TTL_MS_MAX))
            return refuse(err, "counter without an end");
    }
    enum comb_status status = check_batch(ctx, n, err);
    if (status != COMB_OK)
        return status;
    return cache->driver->count(cache, ctx, steps, n, ret_counters, err);
}

enum comb_status comb_cache_check(struct comb_cache *cache, struct comb_ctx *ctx,
                                  struct comb_error *err)
{
    enum comb_status status = comb_ctx_check(ctx, err);
    return status == COMB_OK ? cache->driver->check(cache, ctx, err) : status;
}

void comb_cache_status(struct comb_cache *cache, struct comb_store_status *ret_status)
{
    cache->driver->status(cache, ret_status);
}

void comb_cache_close(struct comb_cache *cache)
{
    if (cache)
        cache->driver->close(cache);
}
