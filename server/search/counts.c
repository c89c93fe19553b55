/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search/counts.h"

#include <stdlib.h>
#include <string.h>

bool search_counts_init(struct search_counts *counts, struct grpcc_arena *arena, size_t max)
{
    *counts = (struct search_counts){.arena = arena, .max = max, .n_slots = 1};
    while (counts->n_slots < 2 * max)
        counts->n_slots *= 2;
    counts->items = grpcc_arena_calloc(arena, max, sizeof *counts->items);
    counts->slots = grpcc_arena_calloc(arena, counts->n_slots, sizeof *counts->slots);
    return counts->items && counts->slots;
}

/* FNV-1a; who makes texts of one hash makes his own search slow, by the bound of max. */
static size_t slot_of(const struct search_counts *counts, comb_str text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * 0x100000001b3u;
    return (size_t)(hash & (counts->n_slots - 1));
}

bool search_counts_add(struct search_counts *counts, comb_str text)
{
    size_t slot = slot_of(counts, text);
    for (; counts->slots[slot] != 0; slot = (slot + 1) & (counts->n_slots - 1)) {
        struct search_count *item = &counts->items[counts->slots[slot] - 1];
        if (comb_str_equal(item->text, text)) {
            item->n++;
            return true;
        }
    }
    if (counts->n == counts->max)
        return true;
    const char *copy = comb_str_dup(counts->arena, text);
    if (!copy)
        return false;
    counts->items[counts->n++] = (struct search_count){comb_str_of(copy, text.len), 1};
    counts->slots[slot] = (uint32_t)counts->n;
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct search_count *x = a, *y = b;
    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    return comb_str_compare(x->text, y->text);
}

void search_counts_sort(struct search_counts *counts)
{
    qsort(counts->items, counts->n, sizeof *counts->items, compare);
}
