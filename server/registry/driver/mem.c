/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry in this process's memory. One lock; the watcher is told below it, so that it hears of
 * changes in their order. A thread ends leases, by CLOCK_BOOTTIME, as a store elsewhere would.
 */
#include <pthread.h>
#include <stdio.h>

#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/map.h"
#include "server/core/memory.h"
#include "server/registry/registry_driver.h"

#define KEY_MAX (2 * COMB_REGISTRY_NAME_BYTES_MAX + 2)

struct item {
    struct comb_registry_entry entry; /* its parts lie behind it */
    uint32_t ttl_ms;
    int64_t end_ns;
    char bytes[];
};

struct mem {
    struct comb_registry base;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t wake;
    bool closing;
    struct comb_map items;
    bool watched;
    struct comb_registry_watcher watcher;
    struct comb_store_status status;
};

static comb_str key_of(char buffer[KEY_MAX], comb_str service, comb_str id)
{
    int n = snprintf(buffer, KEY_MAX, "%.*s/%.*s", COMB_STR_ARG(service), COMB_STR_ARG(id));
    return comb_str_of(buffer, (size_t)n);
}

static comb_str append(char **at, comb_str s)
{
    comb_str copy = comb_str_of(*at, s.len);
    if (s.len > 0)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

static struct item *new_item(const struct comb_registry_entry *entry, uint32_t ttl_ms)
{
    struct item *item =
        comb_memory_alloc(sizeof *item + entry->service.len + entry->id.len + entry->body.len);
    if (!item)
        return NULL;
    char *at = item->bytes;
    item->entry.service = append(&at, entry->service);
    item->entry.id = append(&at, entry->id);
    item->entry.body = append(&at, entry->body);
    item->ttl_ms = ttl_ms;
    item->end_ns = comb_clock_boottime_ns() + (int64_t)ttl_ms * COMB_NS_PER_MS;
    return item;
}

static enum comb_status mem_put(struct comb_registry *self, struct comb_ctx *ctx,
                                const struct comb_registry_entry *entry, uint32_t ttl_ms,
                                uint32_t *ret_ttl_ms, struct comb_error *err)
{
    struct mem *mem = (struct mem *)self;
    char buffer[KEY_MAX];
    struct item *item = new_item(entry, ttl_ms);
    (void)ctx;
    if (!item)
        return comb_error_no_memory(err);
    pthread_mutex_lock(&mem->lock);
    mem->status.requests++;
    enum comb_status status =
        comb_map_put(&mem->items, key_of(buffer, entry->service, entry->id), item, err);
    if (status == COMB_OK && mem->watched)
        mem->watcher.changed(mem->watcher.self, &item->entry);
    pthread_cond_signal(&mem->wake);
    pthread_mutex_unlock(&mem->lock);
    if (status == COMB_OK)
        *ret_ttl_ms = ttl_ms;
    else
        comb_memory_free(item);
    return status;
}

static void drop_locked(struct mem *mem, comb_str key)
{
    struct item *item = comb_map_take(&mem->items, key);
    if (item && mem->watched)
        mem->watcher.gone(mem->watcher.self, item->entry.service, item->entry.id);
    comb_memory_free(item);
}

static enum comb_status mem_heartbeat(struct comb_registry *self, struct comb_ctx *ctx,
                                      comb_str service, comb_str id, struct comb_error *err)
{
    struct mem *mem = (struct mem *)self;
    char buffer[KEY_MAX];
    int64_t now_ns = comb_clock_boottime_ns();
    (void)ctx;
    pthread_mutex_lock(&mem->lock);
    mem->status.requests++;
    struct item *item = comb_map_get(&mem->items, key_of(buffer, service, id));
    bool there = item && item->end_ns > now_ns;
    if (there)
        item->end_ns = now_ns + (int64_t)item->ttl_ms * COMB_NS_PER_MS;
    pthread_mutex_unlock(&mem->lock);
    if (there)
        return COMB_OK;
    return comb_error_set(err, COMB_NOT_FOUND, 0,
                          "%.*s/%.*s is not in the registry: its lease may have ended; register "
                          "again",
                          COMB_STR_ARG(service), COMB_STR_ARG(id));
}

static enum comb_status mem_remove(struct comb_registry *self, struct comb_ctx *ctx,
                                   comb_str service, comb_str id, struct comb_error *err)
{
    struct mem *mem = (struct mem *)self;
    char buffer[KEY_MAX];
    (void)ctx;
    (void)err;
    pthread_mutex_lock(&mem->lock);
    mem->status.requests++;
    drop_locked(mem, key_of(buffer, service, id));
    pthread_mutex_unlock(&mem->lock);
    return COMB_OK;
}

static enum comb_status mem_watch(struct comb_registry *self,
                                  const struct comb_registry_watcher *watcher,
                                  struct comb_error *err)
{
    struct mem *mem = (struct mem *)self;
    pthread_mutex_lock(&mem->lock);
    size_t n = 0;
    struct comb_registry_entry *entries = comb_memory_alloc((mem->items.n + 1) * sizeof *entries);
    enum comb_status status = entries ? COMB_OK : comb_error_no_memory(err);
    if (status == COMB_OK) {
        struct comb_map_cursor cursor = {0};
        comb_str key;
        void *value;
        while (comb_map_next(&mem->items, &cursor, &key, &value))
            entries[n++] = ((struct item *)value)->entry;
        mem->watcher = *watcher;
        mem->watched = true;
        watcher->everything(watcher->self, entries, n);
        watcher->state(watcher->self, NULL);
    }
    pthread_mutex_unlock(&mem->lock);
    comb_memory_free(entries);
    return status;
}

static void mem_unwatch(struct comb_registry *self)
{
    struct mem *mem = (struct mem *)self;
    pthread_mutex_lock(&mem->lock);
    mem->watched = false;
    pthread_mutex_unlock(&mem->lock);
}

static enum comb_status mem_check(struct comb_registry *self, struct comb_ctx *ctx,
                                  struct comb_error *err)
{
    (void)self;
    (void)ctx;
    (void)err;
    return COMB_OK;
}

static void mem_status(struct comb_registry *self, struct comb_store_status *ret_status)
{
    struct mem *mem = (struct mem *)self;
    pthread_mutex_lock(&mem->lock);
    *ret_status = mem->status;
    pthread_mutex_unlock(&mem->lock);
}

/* ---- the end of leases ---- */

/* Drops what has ended; when the next one ends, INT64_MAX: nothing to wait for. */
static int64_t end_leases_locked(struct mem *mem)
{
    for (;;) {
        int64_t now_ns = comb_clock_boottime_ns(), next_ns = INT64_MAX;
        struct comb_map_cursor cursor = {0};
        comb_str key, ended = {0};
        void *value;
        while (ended.len == 0 && comb_map_next(&mem->items, &cursor, &key, &value)) {
            const struct item *item = value;
            if (item->end_ns <= now_ns)
                ended = key;
            else if (item->end_ns < next_ns)
                next_ns = item->end_ns;
        }
        if (ended.len == 0)
            return next_ns;
        char buffer[KEY_MAX];
        memcpy(buffer, ended.ptr, ended.len);
        drop_locked(mem, comb_str_of(buffer, ended.len));
    }
}

static void *end_leases(void *data)
{
    struct mem *mem = data;
    pthread_mutex_lock(&mem->lock);
    while (!mem->closing) {
        int64_t next_ns = end_leases_locked(mem);
        int64_t until_ns = INT64_MAX;
        if (next_ns != INT64_MAX)
            until_ns = comb_clock_in_ms(1) + (next_ns - comb_clock_boottime_ns());
        (void)comb_cond_wait_until(&mem->wake, &mem->lock, until_ns);
    }
    pthread_mutex_unlock(&mem->lock);
    return NULL;
}

static void mem_free(struct mem *mem)
{
    comb_map_done(&mem->items);
    pthread_cond_destroy(&mem->wake);
    pthread_mutex_destroy(&mem->lock);
    comb_memory_free(mem);
}

static void mem_close(struct comb_registry *self)
{
    struct mem *mem = (struct mem *)self;
    pthread_mutex_lock(&mem->lock);
    mem->closing = true;
    pthread_cond_signal(&mem->wake);
    pthread_mutex_unlock(&mem->lock);
    pthread_join(mem->thread, NULL);
    mem_free(mem);
}

static const struct comb_registry_driver driver = {
    .name = "mem",
    .caps = 0,
    .put = mem_put,
    .heartbeat = mem_heartbeat,
    .remove = mem_remove,
    .watch = mem_watch,
    .unwatch = mem_unwatch,
    .check = mem_check,
    .status = mem_status,
    .close = mem_close,
};

enum comb_status comb_registry_mem_open(const struct comb_store_options *options,
                                        struct comb_registry **ret_registry, struct comb_error *err)
{
    if (!comb_str_equal(options->url, STR("mem:")))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "the registry in memory is \"mem:\", without anything behind it");
    struct mem *mem = comb_memory_zalloc(sizeof *mem);
    if (!mem)
        return comb_error_no_memory(err);
    mem->base.driver = &driver;
    mem->status.driver = driver.name;
    comb_store_status_set(&mem->status, COMB_STORE_UP, NULL);
    comb_map_init(&mem->items, COMB_REGISTRY_ENTRIES_MAX, comb_memory_free);
    pthread_mutex_init(&mem->lock, NULL);
    comb_cond_init(&mem->wake);
    if (pthread_create(&mem->thread, NULL, end_leases, mem) != 0) {
        mem_free(mem);
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the registry");
    }
    *ret_registry = &mem->base;
    return COMB_OK;
}
