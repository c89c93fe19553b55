/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/map.h"

#include "server/core/memory.h"
#include "server/core/random.h"

enum { BUCKETS_FIRST = 16 };

struct comb_map_entry {
    struct comb_map_entry *next;
    uint64_t hash;
    void *value;
    size_t key_len;
    char key[];
};

/* Multiplies to 128 bits and folds: every bit of the input reaches every bit of the result. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_of(uint64_t seed, comb_str key)
{
    uint64_t hash = seed ^ key.len;
    for (size_t at = 0; at < key.len; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        size_t left = key.len - at;
        memcpy(&word, key.ptr + at, left < sizeof word ? left : sizeof word);
        hash = fold(hash ^ word, seed | 1);
    }
    return fold(hash ^ seed, 0x9E3779B97F4A7C15u);
}

void comb_map_init(struct comb_map *map, size_t max_entries, void (*free_value)(void *value))
{
    *map = (struct comb_map){.max = max_entries, .free_value = free_value};
    comb_random(&map->seed, sizeof map->seed);
}

void comb_map_done(struct comb_map *map)
{
    comb_map_clear(map);
    comb_memory_free(map->buckets);
    map->buckets = NULL;
    map->n_buckets = 0;
}

static void entry_free(const struct comb_map *map, struct comb_map_entry *entry)
{
    if (map->free_value && entry->value)
        map->free_value(entry->value);
    comb_memory_free(entry);
}

void comb_map_clear(struct comb_map *map)
{
    for (size_t i = 0; i < map->n_buckets; i++) {
        struct comb_map_entry *entry = map->buckets[i], *next;
        for (; entry; entry = next) {
            next = entry->next;
            entry_free(map, entry);
        }
        map->buckets[i] = NULL;
    }
    map->n = 0;
}

/* Where the entry of key is linked, or NULL. */
static struct comb_map_entry **find(const struct comb_map *map, comb_str key)
{
    if (map->n == 0)
        return NULL;
    uint64_t hash = hash_of(map->seed, key);
    struct comb_map_entry **link = &map->buckets[hash & (map->n_buckets - 1)];
    for (; *link; link = &(*link)->next) {
        const struct comb_map_entry *entry = *link;
        if (entry->hash == hash && comb_str_equal(comb_str_of(entry->key, entry->key_len), key))
            return link;
    }
    return NULL;
}

void *comb_map_get(const struct comb_map *map, comb_str key)
{
    struct comb_map_entry **link = find(map, key);
    return link ? (*link)->value : NULL;
}

/* Doubles the buckets where there are fewer than entries. */
static bool grow(struct comb_map *map)
{
    if (map->n < map->n_buckets)
        return true;
    size_t n_buckets = map->n_buckets ? map->n_buckets * 2 : BUCKETS_FIRST;
    struct comb_map_entry **buckets = comb_memory_zalloc(n_buckets * sizeof(*buckets));
    if (!buckets)
        return false;
    for (size_t i = 0; i < map->n_buckets; i++) {
        struct comb_map_entry *entry = map->buckets[i], *next;
        for (; entry; entry = next) {
            next = entry->next;
            struct comb_map_entry **bucket = &buckets[entry->hash & (n_buckets - 1)];
            entry->next = *bucket;
            *bucket = entry;
        }
    }
    comb_memory_free(map->buckets);
    map->buckets = buckets;
    map->n_buckets = n_buckets;
    return true;
}

enum comb_status comb_map_put(struct comb_map *map, comb_str key, void *value,
                              struct comb_error *err)
{
    struct comb_map_entry **link = find(map, key);
    if (link) {
        void *old = (*link)->value;
        (*link)->value = value;
        if (map->free_value && old && old != value)
            map->free_value(old);
        return COMB_OK;
    }
    if (map->n >= map->max)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "the map holds %zu entries already",
                              map->max);
    if (!grow(map))
        return comb_error_no_memory(err);
    struct comb_map_entry *entry = comb_memory_alloc(sizeof(*entry) + key.len);
    if (!entry)
        return comb_error_no_memory(err);
    entry->hash = hash_of(map->seed, key);
    entry->value = value;
    entry->key_len = key.len;
    if (key.len)
        memcpy(entry->key, key.ptr, key.len);
    struct comb_map_entry **bucket = &map->buckets[entry->hash & (map->n_buckets - 1)];
    entry->next = *bucket;
    *bucket = entry;
    map->n++;
    return COMB_OK;
}

void *comb_map_take(struct comb_map *map, comb_str key)
{
    struct comb_map_entry **link = find(map, key);
    if (!link)
        return NULL;
    struct comb_map_entry *entry = *link;
    void *value = entry->value;
    *link = entry->next;
    comb_memory_free(entry);
    map->n--;
    return value;
}

bool comb_map_remove(struct comb_map *map, comb_str key)
{
    struct comb_map_entry **link = find(map, key);
    if (!link)
        return false;
    struct comb_map_entry *entry = *link;
    *link = entry->next;
    entry_free(map, entry);
    map->n--;
    return true;
}

bool comb_map_next(const struct comb_map *map, struct comb_map_cursor *cursor, comb_str *ret_key,
                   void **ret_value)
{
    struct comb_map_entry *entry = cursor->entry ? cursor->entry->next : NULL;
    while (!entry && cursor->bucket < map->n_buckets)
        entry = map->buckets[cursor->bucket++];
    cursor->entry = entry;
    if (!entry)
        return false;
    *ret_key = comb_str_of(entry->key, entry->key_len);
    *ret_value = entry->value;
    return true;
}
