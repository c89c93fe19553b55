/* SPDX-License-Identifier: Apache-2.0 */
/* From strings to pointers; for full names of types and for C identifiers. */
#ifndef GEN_PLUGIN_MAP_H
#define GEN_PLUGIN_MAP_H

#include <stddef.h>

struct map_entry {
    const char *key; /* NULL: free */
    void *value;
};

/* Zeroed: empty. */
struct map {
    struct map_entry *entries;
    size_t n;
    size_t capacity; /* a power of two, or 0 */
};

/* NULL: absent. */
void *map_get(const struct map *map, const char *key);
/* Keeps key and value, neither copied nor owned; replaces the value of a key that is there. */
void map_put(struct map *map, const char *key, void *value);
void map_done(struct map *map);

#endif
