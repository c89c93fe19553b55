/* SPDX-License-Identifier: Apache-2.0 */
/* How often each of some texts came: for facets and suggestions. One thread. */
#ifndef COMB_SEARCH_COUNTS_H
#define COMB_SEARCH_COUNTS_H

#include "grpcc/arena.h"
#include "server/core/str.h"

struct search_count {
    comb_str text;
    uint64_t n;
};

/* Members are private but for items and n. */
struct search_counts {
    struct grpcc_arena *arena;
    struct search_count *items;
    size_t n, max;
    uint32_t *slots; /* of a hash table: 1 + index into items; 0: free */
    size_t n_slots;
};

/* Keeps up to max different texts; later ones are left out. False: no room. */
bool search_counts_init(struct search_counts *counts, struct grpcc_arena *arena, size_t max);
/* False: no room. */
bool search_counts_add(struct search_counts *counts, comb_str text);
/* The most frequent first, then by their bytes. Nothing may be added afterwards. */
void search_counts_sort(struct search_counts *counts);

#endif
