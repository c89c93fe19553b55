/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each change gets the next position. An item that went stays as gone, so that followers hear of
 * it, until there are too many: then all are forgotten, and who stands before that begins anew.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/log.h"
#include "server/core/memory.h"
#include "server/registry/directory_internal.h"

#define KEY_MAX (2 * COMB_REGISTRY_NAME_BYTES_MAX + 2)
/* Gone items that are remembered. */
#define GONE_MAX 1024

struct directory_item {
    struct comb_registry_entry entry; /* its parts lie behind it */
    uint64_t position;                /* of its newest change */
    bool gone;
    bool seen; /* by the `everything` under way */
    char bytes[];
};

static comb_str key_of(char buffer[KEY_MAX], comb_str service, comb_str id)
{
    int n = snprintf(buffer, KEY_MAX, "%.*s/%.*s", COMB_STR_ARG(service), COMB_STR_ARG(id));
    return comb_str_of(buffer, n < KEY_MAX ? (size_t)n : KEY_MAX - 1);
}

static comb_str append(char **at, comb_str s)
{
    comb_str copy = comb_str_of(*at, s.len);
    if (s.len > 0)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

static struct directory_item *new_item(const struct comb_registry_entry *entry)
{
    size_t bytes = entry->service.len + entry->id.len + entry->body.len;
    struct directory_item *item = comb_memory_zalloc(sizeof *item + bytes);
    if (!item)
        return NULL;
    char *at = item->bytes;
    item->entry.service = append(&at, entry->service);
    item->entry.id = append(&at, entry->id);
    item->entry.body = append(&at, entry->body);
    return item;
}

/* ---- what the store tells ---- */

static void wake_locked(const struct comb_directory *directory)
{
    if (directory->wake)
        directory->wake(directory->wake_data);
}

/* Forgets what is gone; who has not heard of it begins anew. */
static void forget_gone_locked(struct comb_directory *directory)
{
    bool found = true;
    while (found) {
        struct comb_map_cursor cursor = {0};
        comb_str key;
        void *value;
        char buffer[KEY_MAX];
        found = false;
        while (!found && comb_map_next(&directory->items, &cursor, &key, &value))
            found = ((struct directory_item *)value)->gone;
        if (found) {
            memcpy(buffer, key.ptr, key.len);
            comb_map_remove(&directory->items, comb_str_of(buffer, key.len));
        }
    }
    directory->n_gone = 0;
    directory->floor = directory->position;
}

static void put_locked(struct comb_directory *directory, const struct comb_registry_entry *entry)
{
    char buffer[KEY_MAX];
    comb_str key = key_of(buffer, entry->service, entry->id);
    struct directory_item *old = comb_map_get(&directory->items, key);
    if (old && !old->gone && comb_str_equal(old->entry.body, entry->body)) {
        old->seen = true;
        return;
    }
    size_t was_gone = old && old->gone ? 1 : 0;
    struct directory_item *item = new_item(entry);
    struct comb_error err = {0};
    if (!item || comb_map_put(&directory->items, key, item, &err) != COMB_OK) {
        comb_memory_free(item);
        comb_log(COMB_LOG_WARN, "registry", "an entry cannot be remembered",
                 comb_log_text("entry", key));
        return;
    }
    directory->n_gone -= was_gone;
    item->position = ++directory->position;
    item->seen = true;
}

static void drop_locked(struct comb_directory *directory, struct directory_item *item)
{
    item->gone = true;
    item->position = ++directory->position;
    if (++directory->n_gone > GONE_MAX)
        forget_gone_locked(directory);
}

/* One that is there and was not among everything; NULL: none. */
static struct directory_item *find_unseen_locked(const struct comb_directory *directory)
{
    struct comb_map_cursor cursor = {0};
    comb_str key;
    void *value;
    while (comb_map_next(&directory->items, &cursor, &key, &value)) {
        struct directory_item *item = value;
        if (!item->gone && !item->seen)
            return item;
    }
    return NULL;
}

static void everything(void *self, const struct comb_registry_entry *entries, size_t n)
{
    struct comb_directory *directory = self;
    struct comb_map_cursor cursor = {0};
    struct directory_item *item;
    comb_str key;
    void *value;
    pthread_mutex_lock(&directory->lock);
    while (comb_map_next(&directory->items, &cursor, &key, &value))
        ((struct directory_item *)value)->seen = false;
    for (size_t i = 0; i < n; i++)
        put_locked(directory, &entries[i]);
    while ((item = find_unseen_locked(directory)))
        drop_locked(directory, item);
    wake_locked(directory);
    pthread_mutex_unlock(&directory->lock);
}

static void changed(void *self, const struct comb_registry_entry *entry)
{
    struct comb_directory *directory = self;
    pthread_mutex_lock(&directory->lock);
    put_locked(directory, entry);
    wake_locked(directory);
    pthread_mutex_unlock(&directory->lock);
}

static void gone(void *self, comb_str service, comb_str id)
{
    struct comb_directory *directory = self;
    char buffer[KEY_MAX];
    pthread_mutex_lock(&directory->lock);
    struct directory_item *item = comb_map_get(&directory->items, key_of(buffer, service, id));
    if (item && !item->gone) {
        drop_locked(directory, item);
        wake_locked(directory);
    }
    pthread_mutex_unlock(&directory->lock);
}

static void state(void *self, const struct comb_error *err)
{
    struct comb_directory *directory = self;
    pthread_mutex_lock(&directory->lock);
    if (directory->stale != (err != NULL)) {
        directory->stale = err != NULL;
        directory->state++;
        wake_locked(directory);
    }
    pthread_mutex_unlock(&directory->lock);
}

/* ---- reading ---- */

/* The live items, or all, of service behind a position; in arena, NULL: no room. */
static const struct directory_item **collect_locked(const struct comb_directory *directory,
                                                    struct grpcc_arena *arena, comb_str service,
                                                    bool with_gone, uint64_t behind, size_t *ret_n)
{
    const struct directory_item **items =
        grpcc_arena_alloc(arena, (directory->items.n + 1) * sizeof *items);
    struct comb_map_cursor cursor = {0};
    comb_str key;
    void *value;
    size_t n = 0;
    while (items && comb_map_next(&directory->items, &cursor, &key, &value)) {
        const struct directory_item *item = value;
        if (item->position > behind && (with_gone || !item->gone) &&
            (service.len == 0 || comb_str_equal(service, item->entry.service)))
            items[n++] = item;
    }
    *ret_n = n;
    return items;
}

static int by_name(const void *a, const void *b)
{
    const struct comb_registry_entry *x = &(*(const struct directory_item *const *)a)->entry;
    const struct comb_registry_entry *y = &(*(const struct directory_item *const *)b)->entry;
    int order = comb_str_compare(x->service, y->service);
    return order ? order : comb_str_compare(x->id, y->id);
}

static int by_position(const void *a, const void *b)
{
    uint64_t x = (*(const struct directory_item *const *)a)->position;
    uint64_t y = (*(const struct directory_item *const *)b)->position;
    return x < y ? -1 : x > y;
}

static bool copy(struct grpcc_arena *arena, const struct comb_registry_entry *entry, bool body,
                 struct comb_registry_entry *ret_entry)
{
    char *service = comb_str_dup(arena, entry->service), *id = comb_str_dup(arena, entry->id);
    char *bytes = comb_str_dup(arena, body ? entry->body : (comb_str){0});
    if (!service || !id || !bytes)
        return false;
    *ret_entry = (struct comb_registry_entry){
        .service = comb_str_of(service, entry->service.len),
        .id = comb_str_of(id, entry->id.len),
        .body = comb_str_of(bytes, body ? entry->body.len : 0),
    };
    return true;
}

/* Whether the item comes behind "SERVICE/ID" in the order of pages. */
static bool is_behind(const struct directory_item *item, comb_str after)
{
    const char *slash = after.len > 0 ? memchr(after.ptr, '/', after.len) : NULL;
    if (!slash)
        return true;
    size_t len = (size_t)(slash - after.ptr);
    int order = comb_str_compare(item->entry.service, comb_str_of(after.ptr, len));
    if (order == 0)
        order = comb_str_compare(item->entry.id, comb_str_of(slash + 1, after.len - len - 1));
    return order > 0;
}

static bool fill_page_locked(const struct comb_directory *directory, struct grpcc_arena *arena,
                             comb_str service, comb_str after, size_t max,
                             struct comb_directory_page *page)
{
    size_t n = 0;
    const struct directory_item **items = collect_locked(directory, arena, service, false, 0, &n);
    struct comb_registry_entry *entries = grpcc_arena_alloc(arena, (max + 1) * sizeof *entries);
    if (!items || !entries)
        return false;
    qsort(items, n, sizeof *items, by_name);
    page->entries = entries;
    for (size_t i = 0; i < n && page->next.len == 0; i++) {
        if (!is_behind(items[i], after))
            continue;
        if (page->n == max) {
            const struct comb_registry_entry *last = &entries[max - 1];
            char *next = grpcc_arena_printf(arena, "%.*s/%.*s", COMB_STR_ARG(last->service),
                                            COMB_STR_ARG(last->id));
            if (!next)
                return false;
            page->next = comb_str_from(next);
        } else if (!copy(arena, &items[i]->entry, true, &entries[page->n++])) {
            return false;
        }
    }
    page->stale = directory->stale;
    return true;
}

enum comb_status comb_directory_list(struct comb_directory *directory, struct grpcc_arena *arena,
                                     comb_str service, comb_str after, size_t max,
                                     struct comb_directory_page *ret_page, struct comb_error *err)
{
    struct comb_directory_page page = {0};
    pthread_mutex_lock(&directory->lock);
    bool filled = fill_page_locked(directory, arena, service, after, max, &page);
    pthread_mutex_unlock(&directory->lock);
    if (!filled)
        return comb_error_no_memory(err);
    *ret_page = page;
    return COMB_OK;
}

static bool fill_changes_locked(const struct comb_directory *directory, struct grpcc_arena *arena,
                                comb_str service, size_t max, struct comb_directory_cursor *cursor,
                                struct comb_directory_changes *changes)
{
    size_t n = 0;
    /* A floor that has not moved since it began anew is no news to it, wherever it stands. */
    changes->begins_anew = cursor->state == 0 || (cursor->position < directory->floor &&
                                                  cursor->floor != directory->floor);
    uint64_t behind = changes->begins_anew ? 0 : cursor->position;
    const struct directory_item **items =
        collect_locked(directory, arena, service, !changes->begins_anew, behind, &n);
    size_t told = n < max ? n : max;
    struct comb_registry_entry *entries = grpcc_arena_alloc(arena, (told + 1) * sizeof *entries);
    struct comb_registry_entry *left = grpcc_arena_alloc(arena, (told + 1) * sizeof *left);
    if (!items || !entries || !left)
        return false;
    qsort(items, n, sizeof *items, by_position);
    changes->entries = entries;
    changes->gone = left;
    for (size_t i = 0; i < told; i++) {
        bool is_gone = items[i]->gone;
        if (!copy(arena, &items[i]->entry, !is_gone,
                  is_gone ? &left[changes->n_gone] : &entries[changes->n_entries]))
            return false;
        *(is_gone ? &changes->n_gone : &changes->n_entries) += 1;
    }
    changes->complete = told == n;
    changes->stale = directory->stale;
    cursor->position = told == n ? directory->position : items[told - 1]->position;
    if (changes->begins_anew)
        cursor->floor = directory->floor;
    cursor->state = directory->state;
    return true;
}

enum comb_status comb_directory_follow(struct comb_directory *directory, struct grpcc_arena *arena,
                                       comb_str service, size_t max,
                                       struct comb_directory_cursor *cursor, bool *ret_news,
                                       struct comb_directory_changes *ret_changes,
                                       struct comb_error *err)
{
    struct comb_directory_changes changes = {0};
    struct comb_directory_cursor next = *cursor;
    bool filled = true;
    pthread_mutex_lock(&directory->lock);
    bool news = next.state != directory->state || next.position < directory->position;
    if (news)
        filled = fill_changes_locked(directory, arena, service, max, &next, &changes);
    pthread_mutex_unlock(&directory->lock);
    if (!filled)
        return comb_error_no_memory(err);
    /* Changes of other services are none. */
    *ret_news = news && (changes.begins_anew || changes.n_entries > 0 || changes.n_gone > 0 ||
                         next.state != cursor->state);
    *cursor = next;
    *ret_changes = changes;
    return COMB_OK;
}

void comb_directory_set_listener(struct comb_directory *directory, void (*wake)(void *data),
                                 void *data)
{
    pthread_mutex_lock(&directory->lock);
    directory->wake = wake;
    directory->wake_data = data;
    pthread_mutex_unlock(&directory->lock);
}

/* ---- entries of others ---- */

static enum comb_status refuse_replica(comb_str service, struct comb_error *err)
{
    if (!comb_str_equal(service, STR(COMB_DIRECTORY_REPLICA)))
        return COMB_OK;
    return comb_error_set(err, COMB_PERMISSION_DENIED, 0,
                          "replicas of the server enter themselves as \"%s\": take another service",
                          COMB_DIRECTORY_REPLICA);
}

enum comb_status comb_directory_register(struct comb_directory *directory, struct comb_ctx *ctx,
                                         const struct comb_registry_entry *entry, uint32_t ttl_ms,
                                         uint32_t *ret_ttl_ms, struct comb_error *err)
{
    enum comb_status status = refuse_replica(entry->service, err);
    if (status == COMB_OK)
        status = comb_registry_put(directory->registry, ctx, entry, ttl_ms, ret_ttl_ms, err);
    return status;
}

enum comb_status comb_directory_heartbeat(struct comb_directory *directory, struct comb_ctx *ctx,
                                          comb_str service, comb_str id, struct comb_error *err)
{
    enum comb_status status = refuse_replica(service, err);
    if (status == COMB_OK)
        status = comb_registry_heartbeat(directory->registry, ctx, service, id, err);
    return status;
}

enum comb_status comb_directory_deregister(struct comb_directory *directory, struct comb_ctx *ctx,
                                           comb_str service, comb_str id, struct comb_error *err)
{
    enum comb_status status = refuse_replica(service, err);
    if (status == COMB_OK)
        status = comb_registry_remove(directory->registry, ctx, service, id, err);
    return status;
}

/* ---- its life ---- */

enum comb_status comb_directory_new(struct comb_registry *registry,
                                    struct comb_directory **ret_directory, struct comb_error *err)
{
    struct comb_directory *directory = comb_memory_zalloc(sizeof *directory);
    if (!directory)
        return comb_error_no_memory(err);
    directory->registry = registry;
    directory->stale = true; /* until the store has told */
    directory->state = 1;
    comb_map_init(&directory->items, COMB_REGISTRY_ENTRIES_MAX + GONE_MAX + 1, comb_memory_free);
    pthread_mutex_init(&directory->lock, NULL);
    const struct comb_registry_watcher watcher = {everything, changed, gone, state, directory};
    enum comb_status status = comb_registry_watch(registry, &watcher, err);
    if (status != COMB_OK) {
        directory->registry = NULL;
        comb_directory_free(directory);
        return status;
    }
    *ret_directory = directory;
    return COMB_OK;
}

void comb_directory_free(struct comb_directory *directory)
{
    if (!directory)
        return;
    comb_directory_withdraw(directory);
    if (directory->registry)
        comb_registry_unwatch(directory->registry);
    comb_map_done(&directory->items);
    pthread_mutex_destroy(&directory->lock);
    comb_memory_free(directory);
}
