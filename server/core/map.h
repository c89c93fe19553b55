/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash map from bytes to pointers with a maximum number of entries. Keys are copied, hashed with
 * a random seed: who chooses keys cannot choose collisions. Not thread-safe.
 */
#ifndef COMB_CORE_MAP_H
#define COMB_CORE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/error.h"
#include "server/core/str.h"

struct comb_map_entry;

struct comb_map {
    struct comb_map_entry **buckets;
    size_t n_buckets; /* 0 or a power of two */
    size_t n;         /* entries */
    size_t max;
    uint64_t seed;
    void (*free_value)(void *value);
};

/* free_value: called on values that the map still holds when it is done or an entry is replaced or
 * removed; NULL: the values belong to somebody else. */
void comb_map_init(struct comb_map *map, size_t max_entries, void (*free_value)(void *value));
void comb_map_done(struct comb_map *map);

/* The value, borrowed; NULL: no entry. */
void *comb_map_get(const struct comb_map *map, comb_str key);
/* Adds or replaces; takes value on success only. RESOURCE_EXHAUSTED: full, or no memory. */
enum comb_status comb_map_put(struct comb_map *map, comb_str key, void *value,
                              struct comb_error *err) COMB_MUST_CHECK;
/* Removes the entry and frees its value; false: there was none. */
bool comb_map_remove(struct comb_map *map, comb_str key);
/* Removes the entry and moves its value to the caller; NULL: there was none. */
void *comb_map_take(struct comb_map *map, comb_str key) COMB_MUST_CHECK;
void comb_map_clear(struct comb_map *map);

/* Walks all entries in no order: begin with {0}; false at the end. The map must not be changed on
 * the way. */
struct comb_map_cursor {
    size_t bucket;
    struct comb_map_entry *entry;
};
bool comb_map_next(const struct comb_map *map, struct comb_map_cursor *cursor, comb_str *ret_key,
                   void **ret_value);

#endif
