/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding records by the index. The lines up to a number are in the index, those behind it are read
 * from the trail; both are walked in the same order, so that a page is what a walk over the trail
 * would give. Where the index is of no use, the trail is walked (query.c).
 */
#include <stdlib.h>
#include <string.h>

#include "server/audit/indexer.h"
#include "server/audit/internal.h"
#include "server/core/clock.h"
#include "server/core/log.h"

/* Lines behind the index that a query reads beside it. */
#define TAIL_MAX 2000
/* What of a call's time the index may take; the rest is for the trail. */
#define INDEX_MS_MAX 5000

struct find {
    struct comb_audit *audit;
    struct comb_ctx *ctx;
    const struct audit_wanted *wanted;
    uint64_t epoch, reached;
    comb_str keys[AUDIT_WALK_KEYS_MAX];
    size_t n_keys;
    comb_str after, before;             /* places that the walk is between */
    const struct comb_audit_hit **tail; /* newest first: lines that the index does not have */
    size_t n_tail, tail_at;
    bool is_through; /* of the index */
};

/* < 0: a comes first, newest first. */
static int compare(const struct comb_audit_hit *a, const struct comb_audit_hit *b)
{
    if (a->time_us != b->time_us)
        return a->time_us > b->time_us ? -1 : 1;
    return a->n == b->n ? 0 : a->n > b->n ? -1 : 1;
}

static int compare_at(const void *a, const void *b)
{
    return compare(*(const struct comb_audit_hit *const *)a,
                   *(const struct comb_audit_hit *const *)b);
}

/* ---- before the walk ---- */

/* How far the index is. *ret_usable false: it is not there, or too far behind. */
static enum comb_status look(struct find *find, bool *ret_usable, struct comb_error *err)
{
    const struct comb_audit_parts *parts = &find->audit->parts;
    struct comb_consumer_place place;
    struct comb_audit_end end;
    *ret_usable = false;
    enum comb_status status = parts->leases->driver->place(
        parts->leases, find->ctx, STR(COMB_AUDIT_INDEX_LEASE_NAME), &place, err);
    if (status != COMB_OK)
        return status;
    if (place.rebuild != COMB_REBUILD_NONE || place.cursor.incarnation != parts->history)
        return COMB_OK;
    find->epoch = place.epoch;
    status = audit_reached(parts->items, find->ctx, find->epoch, &find->reached, err);
    if (status == COMB_OK)
        status = parts->store->driver->end(parts->store, find->ctx, &end, err);
    if (status != COMB_OK)
        return status;
    *ret_usable = find->reached <= end.n && end.n - find->reached <= TAIL_MAX;
    return COMB_OK;
}

/* Whether a line may be on this page or a later one. */
static bool is_before(const struct comb_audit_place *place, const struct comb_audit_hit *hit)
{
    return hit->time_us < place->time_us || (hit->time_us == place->time_us && hit->n < place->n);
}

static enum comb_status read_tail(struct find *find, const struct comb_audit_place *place,
                                  struct comb_error *err)
{
    struct comb_audit_store *store = find->audit->parts.store;
    const struct comb_audit_hit *hits;
    uint64_t after = find->reached;
    size_t n = COMB_AUDIT_BATCH_MAX, n_read = 0;
    find->tail = grpcc_arena_calloc(find->ctx->arena, TAIL_MAX, sizeof *find->tail);
    if (!find->tail)
        return comb_error_no_memory(err);
    while (n == COMB_AUDIT_BATCH_MAX && n_read < TAIL_MAX) {
        enum comb_status status =
            store->driver->follow(store, find->ctx, after, COMB_AUDIT_BATCH_MAX, &hits, &n, err);
        if (status != COMB_OK)
            return status;
        for (size_t i = 0; i < n && n_read < TAIL_MAX; i++, n_read++) {
            if (is_before(place, &hits[i]) && hits[i].time_us >= find->wanted->filter.since_us)
                find->tail[find->n_tail++] = &hits[i];
            after = hits[i].n;
        }
    }
    qsort(find->tail, find->n_tail, sizeof *find->tail, compare_at);
    return COMB_OK;
}

/* ---- the walk ---- */

/* The lines of items, from the trail, newest first. */
static enum comb_status fetch(struct find *find, const struct comb_item *items, size_t n_items,
                              const struct comb_audit_hit **ret_hits, size_t *ret_n,
                              struct comb_error *err)
{
    struct comb_audit_store *store = find->audit->parts.store;
    uint64_t numbers[COMB_ITEM_SCAN_MAX];
    const struct comb_audit_hit *hits;
    size_t n = 0;
    *ret_n = 0;
    for (size_t i = 0; i < n_items; i++) {
        uint64_t number = 0, epoch = 0;
        /* What came into the index since is in the tail. */
        if (audit_item_read(&items[i], &number, &epoch) && number <= find->reached)
            numbers[n++] = number;
    }
    if (n == 0)
        return COMB_OK;
    enum comb_status status =
        store->driver->by_number(store, find->ctx, numbers, n, &hits, ret_n, err);
    if (status != COMB_OK)
        return status;
    for (size_t i = 0; i < *ret_n; i++)
        ret_hits[i] = &hits[i];
    qsort(ret_hits, *ret_n, sizeof *ret_hits, compare_at);
    return COMB_OK;
}

/* Those of the tail that belong in front of what the index has next, among hits. Returns how many
 * there are of both. */
static size_t merge(struct find *find, const struct comb_audit_place *next,
                    const struct comb_audit_hit *const *hits, size_t n_hits,
                    struct comb_audit_hit *ret_hits)
{
    size_t n = 0, at = 0;
    for (;;) {
        const struct comb_audit_hit *of_tail =
            find->tail_at < find->n_tail ? find->tail[find->tail_at] : NULL;
        const struct comb_audit_hit *hit = at < n_hits ? hits[at] : NULL;
        if (of_tail && !find->is_through && is_before(next, of_tail))
            of_tail = NULL;
        if (!of_tail && !hit)
            return n;
        bool takes_tail = !hit || (of_tail && compare(of_tail, hit) < 0);
        ret_hits[n++] = takes_tail ? *of_tail : *hit;
        find->tail_at += takes_tail;
        at += !takes_tail;
    }
}

/* One batch of the walk. *ret_used: how many lines were looked at. */
static enum comb_status step(struct find *find, size_t size, struct comb_audit_entry *entries,
                             struct comb_audit_page *page, size_t *ret_used, struct comb_error *err)
{
    struct comb_items_store *store = find->audit->parts.items;
    const struct comb_item_scan scan = {.keys = find->keys,
                                        .n_keys = find->n_keys,
                                        .after = find->after,
                                        .before = find->before,
                                        .max = COMB_ITEM_SCAN_MAX};
    const struct comb_item *items;
    const struct comb_audit_hit *found[COMB_ITEM_SCAN_MAX];
    struct comb_audit_place next = {0};
    size_t n_items = 0, n_found = 0;
    enum comb_status status = store->driver->scan(store, find->ctx, &scan, &items, &n_items, err);
    if (status != COMB_OK)
        return status;
    find->is_through = n_items < COMB_ITEM_SCAN_MAX;
    if (!find->is_through) {
        find->before = items[n_items - 1].at;
        if (!audit_place_read(find->before, &next))
            return comb_error_set(err, COMB_DATA_LOSS, 0, "a place in the audit trail's index");
    }
    status = fetch(find, items, n_items, found, &n_found, err);
    if (status != COMB_OK)
        return status;
    struct comb_audit_hit *hits = grpcc_arena_calloc(
        find->ctx->arena, n_found + find->n_tail - find->tail_at + 1, sizeof *hits);
    if (!hits)
        return comb_error_no_memory(err);
    size_t n = merge(find, &next, found, n_found, hits), used = 0;
    status = audit_gather(find->ctx, find->wanted, hits, n, size, entries, &page->n, &used, err);
    if (status != COMB_OK)
        return status;
    *ret_used = n_items + used;
    if (used < n)
        page->next = (struct comb_audit_place){hits[used - 1].time_us, hits[used - 1].n};
    else
        page->next = next;
    return COMB_OK;
}

static enum comb_status walk(struct find *find, const struct comb_audit_place *place, size_t size,
                             struct comb_audit_entry *entries, struct comb_audit_page *ret_page,
                             struct comb_error *err)
{
    struct comb_audit_page page = {.entries = entries};
    int64_t since_us = find->wanted->filter.since_us;
    size_t examined = 0, used = 0;
    enum comb_status status = read_tail(find, place, err);
    find->before = audit_place(find->ctx->arena, place->time_us, place->n);
    find->after = since_us > 0 ? audit_place(find->ctx->arena, since_us, 0) : STR("");
    if (status == COMB_OK && (!find->before.ptr || !find->after.ptr))
        status = comb_error_no_memory(err);
    do {
        if (status == COMB_OK)
            status = step(find, size, entries, &page, &used, err);
        examined += used;
    } while (status == COMB_OK && !comb_audit_place_is_none(&page.next) && page.n < size &&
             examined < COMB_AUDIT_EXAMINED_MAX);
    if (status == COMB_OK)
        *ret_page = page;
    return status;
}

static enum comb_status find_by_index(struct find *find, const struct comb_audit_place *place,
                                      size_t size, struct comb_audit_entry *entries,
                                      struct comb_audit_page *ret_page, bool *ret_found,
                                      struct comb_error *err)
{
    bool is_usable = false;
    enum comb_status status = look(find, &is_usable, err);
    if (status == COMB_OK && is_usable)
        status = audit_keys_of(find->ctx, find->epoch, &find->wanted->filter, &find->wanted->asked,
                               find->keys, &find->n_keys, err);
    if (status != COMB_OK || !is_usable || find->n_keys == 0)
        return status;
    status = walk(find, place, size, entries, ret_page, err);
    *ret_found = status == COMB_OK;
    return status;
}

bool audit_find(struct comb_audit *audit, struct comb_ctx *ctx, const struct audit_wanted *wanted,
                const struct comb_audit_place *place, size_t size, struct comb_audit_entry *entries,
                struct comb_audit_page *ret_page)
{
    struct find find = {.audit = audit, .ctx = ctx, .wanted = wanted};
    int64_t deadline_ns = ctx->deadline_ns, index_ns = comb_clock_in_ms(INDEX_MS_MAX);
    struct comb_error err = {0};
    bool found = false;
    const struct comb_audit_filter *filter = &wanted->filter;
    /* Who sees his own alone has the trail's index of users, and walks over no others' lines: how
     * long that takes must tell him nothing. */
    if (!audit->parts.items || filter->hides ||
        (!filter->node && filter->method.len == 0 && wanted->asked.n == 0))
        return false;
    /* A store that hangs must leave time for the trail. */
    if (index_ns < deadline_ns)
        ctx->deadline_ns = index_ns;
    enum comb_status status = find_by_index(&find, place, size, entries, ret_page, &found, &err);
    ctx->deadline_ns = deadline_ns;
    if (status != COMB_OK && status != COMB_NOT_FOUND)
        comb_log_error(COMB_LOG_DEBUG, "audit", "the trail is read in place of its index", &err);
    return found;
}
