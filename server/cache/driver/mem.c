/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cache in this process's memory: shards, each with a lock, a map and a list by last use; what
 * was not used for longest goes first. Locks are leaves: nothing is called below one.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/cache/cache_driver.h"
#include "server/core/clock.h"
#include "server/core/map.h"
#include "server/core/memory.h"

#define SHARDS 16
#define BYTES_DEFAULT ((size_t)64 << 20)
#define BYTES_MIN ((size_t)64 << 10)
#define BYTES_MAX ((size_t)1 << 40)
/* What an item costs beside its name and value: itself, the map's entry, malloc's share. */
#define ITEM_BYTES 192
/* A kind, an epoch and a name. */
#define KEY_MAX (1 + 16 + COMB_CACHE_NAME_BYTES_MAX)

/* In the list of its shard. */
struct item {
    struct item *newer, *older;
    int64_t expire_ns;
    int64_t add_ns, reset_ns; /* of a counter; 0: none */
    uint32_t count;           /* of a counter */
    size_t key_len, value_len;
    char bytes[]; /* key, value */
};

struct shard {
    pthread_mutex_t lock; /* of all below */
    struct comb_map items;
    struct item *newest, *oldest;
    size_t bytes;
};

struct mem {
    struct comb_cache base;
    size_t shard_bytes_max;
    int64_t open_us;
    _Atomic uint64_t requests;
    struct shard shards[SHARDS];
};

struct key {
    char bytes[KEY_MAX];
    size_t len;
};

static comb_str key_str(const struct key *key)
{
    return comb_str_of(key->bytes, key->len);
}

static void key_add(struct key *key, const void *data, size_t len)
{
    memcpy(key->bytes + key->len, data, len);
    key->len += len;
}

static struct key entry_key(const struct comb_cache_key *of)
{
    struct key key = {.bytes = "e", .len = 1};
    key_add(&key, &of->epoch.incarnation, sizeof of->epoch.incarnation);
    key_add(&key, &of->epoch.sequence, sizeof of->epoch.sequence);
    key_add(&key, of->name.ptr, of->name.len);
    return key;
}

static struct key counter_key(comb_str name)
{
    struct key key = {.bytes = "c", .len = 1};
    key_add(&key, name.ptr, name.len);
    return key;
}

/* Names end in what tells them apart, so a plain sum of all bytes spreads them. */
static struct shard *shard_of(struct mem *mem, const struct key *key)
{
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < key->len; i++)
        sum = (sum ^ (uint8_t)key->bytes[i]) * 16777619u;
    return &mem->shards[(sum ^ sum >> 16) % SHARDS];
}

/* ---- a shard ---- */

static size_t bytes_of(const struct item *item)
{
    return ITEM_BYTES + 2 * item->key_len + item->value_len;
}

static void unlink_locked(struct shard *shard, struct item *item)
{
    *(item->newer ? &item->newer->older : &shard->newest) = item->older;
    *(item->older ? &item->older->newer : &shard->oldest) = item->newer;
}

static void link_locked(struct shard *shard, struct item *item)
{
    item->newer = NULL;
    item->older = shard->newest;
    *(shard->newest ? &shard->newest->newer : &shard->oldest) = item;
    shard->newest = item;
}

static void drop_locked(struct shard *shard, struct item *item)
{
    unlink_locked(shard, item);
    shard->bytes -= bytes_of(item);
    comb_map_remove(&shard->items, comb_str_of(item->bytes, item->key_len)); /* frees it */
}

/* The live item, which becomes the newest; NULL: none. */
static struct item *find_locked(struct shard *shard, const struct key *key)
{
    struct item *item = comb_map_get(&shard->items, key_str(key));
    if (!item)
        return NULL;
    if (item->expire_ns <= comb_clock_monotonic_ns()) {
        drop_locked(shard, item);
        return NULL;
    }
    unlink_locked(shard, item);
    link_locked(shard, item);
    return item;
}

/* A new item instead of any of that key; NULL: larger than a shard, or no memory. */
static struct item *make_locked(const struct mem *mem, struct shard *shard, const struct key *key,
                                comb_str value, uint32_t ttl_ms)
{
    struct item *old = comb_map_get(&shard->items, key_str(key));
    if (old)
        drop_locked(shard, old);
    struct item *item = comb_memory_alloc(sizeof *item + key->len + value.len);
    if (!item)
        return NULL;
    *item = (struct item){.key_len = key->len, .value_len = value.len};
    memcpy(item->bytes, key->bytes, key->len);
    if (value.len > 0)
        memcpy(item->bytes + key->len, value.ptr, value.len);
    item->expire_ns = comb_clock_monotonic_ns() + (int64_t)ttl_ms * COMB_NS_PER_MS;
    size_t bytes = bytes_of(item);
    while (shard->oldest && shard->bytes + bytes > mem->shard_bytes_max)
        drop_locked(shard, shard->oldest);
    if (bytes > mem->shard_bytes_max ||
        comb_map_put(&shard->items, key_str(key), item, NULL) != COMB_OK) {
        comb_memory_free(item);
        return NULL;
    }
    shard->bytes += bytes;
    link_locked(shard, item);
    return item;
}

/* ---- slots ---- */

static enum comb_status mem_get(struct comb_cache *self, struct comb_ctx *ctx,
                                const struct comb_cache_key *keys, size_t n, comb_str *ret_values,
                                struct comb_error *err)
{
    struct mem *mem = (struct mem *)self;
    (void)err;
    mem->requests++;
    for (size_t i = 0; i < n; i++) {
        struct key key = entry_key(&keys[i]);
        struct shard *shard = shard_of(mem, &key);
        ret_values[i] = (comb_str){0};
        pthread_mutex_lock(&shard->lock);
        const struct item *item = find_locked(shard, &key);
        if (item) {
            comb_str value = comb_str_of(item->bytes + item->key_len, item->value_len);
            char *copy = comb_str_dup(ctx->arena, value);
            if (copy)
                ret_values[i] = comb_str_of(copy, value.len);
        }
        pthread_mutex_unlock(&shard->lock);
    }
    return COMB_OK;
}

static enum comb_status mem_put(struct comb_cache *self, struct comb_ctx *ctx,
                                const struct comb_cache_entry *entries, size_t n,
                                struct comb_error *err)
{
    struct mem *mem = (struct mem *)self;
    (void)ctx;
    (void)err;
    mem->requests++;
    for (size_t i = 0; i < n; i++) {
        struct key key = entry_key(&entries[i].key);
        struct shard *shard = shard_of(mem, &key);
        pthread_mutex_lock(&shard->lock);
        make_locked(mem, shard, &key, entries[i].value, entries[i].ttl_ms);
        pthread_mutex_unlock(&shard->lock);
    }
    return COMB_OK;
}

static enum comb_status mem_remove(struct comb_cache *self, struct comb_ctx *ctx,
                                   const struct comb_cache_key *keys, size_t n,
                                   struct comb_error *err)
{
    struct mem *mem = (struct mem *)self;
    (void)ctx;
    (void)err;
    mem->requests++;
    for (size_t i = 0; i < n; i++) {
        struct key key = entry_key(&keys[i]);
        struct shard *shard = shard_of(mem, &key);
        pthread_mutex_lock(&shard->lock);
        struct item *item = comb_map_get(&shard->items, key_str(&key));
        if (item)
            drop_locked(shard, item);
        pthread_mutex_unlock(&shard->lock);
    }
    return COMB_OK;
}

static void take_step(struct item *item, const struct comb_cache_step *step)
{
    int64_t now_ns = comb_clock_monotonic_ns();
    if (step->reset) {
        item->count = 0;
        item->add_ns = 0;
        item->reset_ns = now_ns;
    }
    if (step->add > 0) {
        bool fits = step->add <= UINT32_MAX - item->count;
        item->count = fits ? item->count + step->add : UINT32_MAX;
        item->add_ns = now_ns;
    }
    if (step->reset || step->add > 0)
        item->expire_ns = now_ns + (int64_t)step->ttl_ms * COMB_NS_PER_MS;
}

static int64_t age_us(int64_t since_ns)
{
    return since_ns == 0 ? -1 : (comb_clock_monotonic_ns() - since_ns) / 1000;
}

static enum comb_status mem_count(struct comb_cache *self, struct comb_ctx *ctx,
                                  const struct comb_cache_step *steps, size_t n,
                                  struct comb_cache_counter *ret_counters, struct comb_error *err)
{
    struct mem *mem = (struct mem *)self;
    (void)ctx;
    mem->requests++;
    for (size_t i = 0; i < n; i++) {
        struct key key = counter_key(steps[i].name);
        struct shard *shard = shard_of(mem, &key);
        bool changes = steps[i].add > 0 || steps[i].reset;
        struct comb_cache_counter counter = {.add_age_us = -1, .reset_age_us = -1};
        pthread_mutex_lock(&shard->lock);
        struct item *item = find_locked(shard, &key);
        if (!item && changes)
            item = make_locked(mem, shard, &key, (comb_str){0}, steps[i].ttl_ms);
        if (item) {
            take_step(item, &steps[i]);
            counter = (struct comb_cache_counter){true, item->count, age_us(item->add_ns),
                                                  age_us(item->reset_ns)};
        }
        pthread_mutex_unlock(&shard->lock);
        if (!item && changes)
            return comb_error_no_memory(err);
        ret_counters[i] = counter;
    }
    return COMB_OK;
}

static enum comb_status mem_check(struct comb_cache *self, struct comb_ctx *ctx,
                                  struct comb_error *err)
{
    (void)self;
    (void)ctx;
    (void)err;
    return COMB_OK;
}

static void mem_status(struct comb_cache *self, struct comb_store_status *ret_status)
{
    struct mem *mem = (struct mem *)self;
    *ret_status = (struct comb_store_status){.driver = self->driver->name,
                                             .server = "memory of this process",
                                             .state = COMB_STORE_UP,
                                             .since_us = mem->open_us,
                                             .requests = mem->requests};
}

static void mem_close(struct comb_cache *self)
{
    struct mem *mem = (struct mem *)self;
    for (size_t i = 0; i < SHARDS; i++) {
        comb_map_done(&mem->shards[i].items);
        pthread_mutex_destroy(&mem->shards[i].lock);
    }
    comb_memory_free(mem);
}

static const struct comb_cache_driver driver = {
    .name = "mem",
    .caps = 0,
    .get = mem_get,
    .put = mem_put,
    .remove = mem_remove,
    .count = mem_count,
    .check = mem_check,
    .status = mem_status,
    .close = mem_close,
};

/* ---- open ---- */

/* "", or a number and one of "", KiB, MiB, GiB. */
static bool read_size(comb_str text, size_t *ret_bytes)
{
    static const struct {
        const char *name;
        unsigned shift;
    } units[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
    size_t number = 0, at = 0;
    for (; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++) {
        number = number * 10 + (size_t)(text.ptr[at] - '0');
        if (number > BYTES_MAX)
            return false;
    }
    comb_str unit = comb_str_of(text.ptr + at, text.len - at);
    for (size_t i = 0; at > 0 && i < sizeof units / sizeof units[0]; i++) {
        if (!comb_str_equal(unit, comb_str_from(units[i].name)))
            continue;
        *ret_bytes = number << units[i].shift;
        return number <= BYTES_MAX >> units[i].shift && *ret_bytes >= BYTES_MIN;
    }
    return false;
}

enum comb_status comb_cache_mem_open(const struct comb_store_options *options,
                                     struct comb_cache **ret_cache, struct comb_error *err)
{
    comb_str scheme = STR("mem:");
    size_t bytes = BYTES_DEFAULT;
    bool ours = comb_str_starts_with(options->url, scheme);
    if (!ours ||
        (options->url.len > scheme.len &&
         !read_size(comb_str_of(options->url.ptr + scheme.len, options->url.len - scheme.len),
                    &bytes)))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "the cache in memory takes mem:SIZE, 64KiB to 1024GiB, such as "
                              "mem:64MiB; without a size it is 64 MiB");
    if (options->credentials.len > 0)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "the cache in memory takes no credentials");
    struct mem *mem = comb_memory_zalloc(sizeof *mem);
    if (!mem)
        return comb_error_no_memory(err);
    mem->base.driver = &driver;
    mem->shard_bytes_max = bytes / SHARDS;
    mem->open_us = comb_clock_wall_us();
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&mem->shards[i].lock, NULL);
        comb_map_init(&mem->shards[i].items, mem->shard_bytes_max / ITEM_BYTES + 1,
                      comb_memory_free);
    }
    *ret_cache = &mem->base;
    return COMB_OK;
}
