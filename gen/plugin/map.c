/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/plugin/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gen/plugin/pool.h"

#define MAP_CAPACITY_MIN 64u

/* FNV-1a: the keys are the user's own names, nobody attacks this table. */
static size_t hash(const char *key)
{
    uint64_t h = 14695981039346656037u;

    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 1099511628211u;
    return (size_t)(h ^ (h >> 32));
}

/* The entry of key, or the free one where it belongs. There is always a free one. */
static struct map_entry *find(struct map_entry *entries, size_t capacity, const char *key)
{
    size_t i = hash(key) & (capacity - 1);

    while (entries[i].key && strcmp(entries[i].key, key) != 0)
        i = (i + 1) & (capacity - 1);
    return &entries[i];
}

void *map_get(const struct map *map, const char *key)
{
    return map->capacity ? find(map->entries, map->capacity, key)->value : NULL;
}

static void grow(struct map *map)
{
    size_t capacity = map->capacity ? 2 * map->capacity : MAP_CAPACITY_MIN;
    struct map_entry *entries = must_realloc(NULL, capacity * sizeof(*entries));

    memset(entries, 0, capacity * sizeof(*entries));
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->entries[i].key)
            *find(entries, capacity, map->entries[i].key) = map->entries[i];
    }
    free(map->entries);
    map->entries = entries;
    map->capacity = capacity;
}

void map_put(struct map *map, const char *key, void *value)
{
    struct map_entry *entry;

    if (2 * (map->n + 1) > map->capacity)
        grow(map);
    entry = find(map->entries, map->capacity, key);
    if (!entry->key) {
        entry->key = key;
        map->n++;
    }
    entry->value = value;
}

void map_done(struct map *map)
{
    free(map->entries);
    memset(map, 0, sizeof(*map));
}
