/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over entries, and pages of them. */
#include "server/core/clock.h"
#include "server/logs/internal.h"

/* Entries of each group that are looked at to find the rarest. */
enum { PROBE_MAX = 32 };

/* ---- the walk ---- */

static enum comb_status scan(const struct logs_walk *walk, struct comb_ctx *ctx,
                             const struct logs_group *group, size_t max,
                             const struct comb_item **ret_items, size_t *ret_n,
                             struct comb_error *err)
{
    struct comb_items_store *store = walk->logs->parts.store;
    const comb_str at = comb_str_from(walk->at);
    struct comb_item_scan scan = {.after = walk->search->after,
                                  .before = walk->search->before,
                                  .is_ascending = walk->is_ascending,
                                  .max = max};
    if (group) {
        scan.keys = group->keys;
        scan.n_keys = group->n_keys;
    }
    if (at.len > 0)
        *(walk->is_ascending ? &scan.after : &scan.before) = at;
    return store->driver->scan(store, ctx, &scan, ret_items, ret_n, err);
}

/* Behind the same number of entries the rarer group has come further. */
static bool is_further(const struct logs_walk *walk, comb_str at, comb_str than)
{
    int order = comb_str_compare(at, than);
    return walk->is_ascending ? order > 0 : order < 0;
}

/* *ret_group NULL: there is none, all entries are walked. */
static enum comb_status find_rarest(const struct logs_walk *walk, struct comb_ctx *ctx,
                                    const struct logs_group **ret_group, struct comb_error *err)
{
    const struct logs_search *search = walk->search;
    const struct logs_group *rarest = search->n_groups > 0 ? search->groups : NULL;
    comb_str furthest = {0};
    *ret_group = rarest;
    if (search->n_groups < 2)
        return COMB_OK;
    for (size_t i = 0; i < search->n_groups; i++) {
        const struct comb_item *items;
        size_t n = 0;
        enum comb_status status = scan(walk, ctx, &search->groups[i], PROBE_MAX, &items, &n, err);
        if (status != COMB_OK)
            return status;
        /* What has so few is not worth a comparison. */
        if (n < PROBE_MAX) {
            *ret_group = &search->groups[i];
            return COMB_OK;
        }
        if (furthest.len == 0 || is_further(walk, items[n - 1].at, furthest)) {
            furthest = items[n - 1].at;
            rarest = &search->groups[i];
        }
    }
    *ret_group = rarest;
    return COMB_OK;
}

/* One entry. */
static enum comb_status step(struct logs_walk *walk, struct grpcc_arena *scratch,
                             const struct comb_item *item, bool *ret_full, struct comb_error *err)
{
    struct comb_v1_log_entry *entry;
    bool matches = false;
    enum comb_status status = logs_read_item(scratch, item, &entry, err);
    if (status == COMB_OK)
        status = logs_search_matches(walk->search, scratch, entry, &matches, err);
    if (status == COMB_OK && matches)
        status = walk->take(walk->data, item, entry, ret_full, err);
    if (status != COMB_OK || *ret_full)
        return status;
    size_t len = item->at.len < COMB_ITEM_ID_LENGTH ? item->at.len : COMB_ITEM_ID_LENGTH;
    memcpy(walk->at, item->at.ptr, len);
    walk->at[len] = '\0';
    walk->examined++;
    return COMB_OK;
}

static enum comb_status batch(struct logs_walk *walk, struct comb_ctx *scratch,
                              const struct logs_group *group, bool *ret_full,
                              struct comb_error *err)
{
    size_t left = walk->examined_max - walk->examined;
    size_t max = left < COMB_ITEM_SCAN_MAX ? left : COMB_ITEM_SCAN_MAX, n = 0;
    const struct comb_item *items;
    enum comb_status status = scan(walk, scratch, group, max, &items, &n, err);
    for (size_t i = 0; i < n && status == COMB_OK && !*ret_full; i++)
        status = step(walk, scratch->arena, &items[i], ret_full, err);
    walk->is_through = status == COMB_OK && n < max && !*ret_full;
    return status;
}

enum comb_status logs_walk_run(struct logs_walk *walk, const struct comb_ctx *ctx,
                               struct comb_error *err)
{
    struct comb_ctx scratch = *ctx;
    const struct logs_group *group = NULL;
    bool is_full = false;
    scratch.arena = grpcc_arena_new(0);
    if (!scratch.arena)
        return comb_error_no_memory(err);
    enum comb_status status = find_rarest(walk, &scratch, &group, err);
    walk->is_through = false;
    while (status == COMB_OK && !walk->is_through && !is_full &&
           walk->examined < walk->examined_max &&
           (walk->examined == 0 || comb_clock_monotonic_ns() < walk->until_ns)) {
        grpcc_arena_reset(scratch.arena);
        status = batch(walk, &scratch, group, &is_full, err);
    }
    grpcc_arena_free(scratch.arena);
    return status;
}

enum comb_status logs_walk_begin(struct logs_walk *walk, comb_str behind, struct comb_error *err)
{
    if (behind.len > COMB_ITEM_ID_LENGTH)
        return comb_error_field(err, "page_token", "is of another call");
    memcpy(walk->at, behind.ptr ? behind.ptr : "", behind.len);
    walk->at[behind.len] = '\0';
    return COMB_OK;
}

comb_str logs_walk_end(const struct logs_walk *walk, struct grpcc_arena *arena)
{
    const char *at = grpcc_arena_strdup(arena, walk->is_through ? "" : walk->at);
    return comb_str_from(at);
}

/* ---- pages ---- */

struct page {
    struct grpcc_arena *arena;
    struct comb_v1_log_entry **entries;
    size_t n, max, bytes;
};

static enum comb_status take(void *data, const struct comb_item *item,
                             const struct comb_v1_log_entry *entry, bool *ret_full,
                             struct comb_error *err)
{
    struct page *page = data;
    (void)entry;
    *ret_full = page->n == page->max ||
                (page->n > 0 && item->body.len > COMB_LOGS_PAGE_BYTES_MAX - page->bytes);
    if (*ret_full)
        return COMB_OK;
    page->bytes += item->body.len;
    return logs_read_item(page->arena, item, &page->entries[page->n++], err);
}

enum comb_status comb_logs_query(struct comb_logs *logs, struct comb_ctx *ctx,
                                 const struct comb_log_query *query, struct comb_log_page *ret_page,
                                 struct comb_error *err)
{
    struct page page = {.arena = ctx->arena, .max = query->max};
    struct logs_search search;
    struct logs_walk walk = {.logs = logs,
                             .search = &search,
                             .is_ascending = query->is_oldest_first,
                             .examined_max = logs->parts.examined_max,
                             .until_ns = comb_clock_in_ms(COMB_LOGS_PAGE_MS_MAX),
                             .take = take,
                             .data = &page};
    enum comb_status status = logs_search_init(&search, ctx->arena, &query->filter, err);
    if (status == COMB_OK)
        status = logs_walk_begin(&walk, query->behind, err);
    if (status != COMB_OK)
        return status;
    page.entries = grpcc_arena_calloc(ctx->arena, query->max, sizeof(struct comb_v1_log_entry *));
    if (!page.entries)
        return comb_error_no_memory(err);
    status = logs_walk_run(&walk, ctx, err);
    if (status != COMB_OK)
        return status;
    comb_str next = logs_walk_end(&walk, ctx->arena);
    if (!next.ptr)
        return comb_error_no_memory(err);
    *ret_page = (struct comb_log_page){page.entries, page.n, next};
    return COMB_OK;
}
