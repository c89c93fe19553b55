/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over items, and pages of activities. */
#include "comb/v1/errors.grpcc.h"
#include "server/activities/internal.h"
#include "server/core/clock.h"
#include "server/core/timestamp.h"

/* Items are in the order of the feed, times nearly so: how much later one may stand behind another
 * is less than this, since no transaction is open for longer. */
#define SKEW_US (60 * COMB_US_PER_S)

/* ---- the walk ---- */

enum comb_status activities_walk_init(struct activities_walk *walk, struct activities_eyes *eyes,
                                      const struct comb_activity_scope *scope,
                                      struct comb_error *err)
{
    *walk = (struct activities_walk){.eyes = eyes};
    if (!scope->node && !scope->user) {
        walk->hides_own = !scope->include_own;
        return activities_follow_keys(eyes->activities, eyes->ctx, NULL, walk->keys, &walk->n_keys,
                                      err);
    }
    walk->keys[0] = scope->node ? activities_node_key(eyes->ctx->arena, scope->node)
                                : activities_user_key(eyes->ctx->arena, scope->user);
    walk->n_keys = 1;
    return walk->keys[0].ptr ? COMB_OK : comb_error_no_memory(err);
}

/* Whether an item is shown to who may see its node. */
static bool is_wanted(const struct activities_walk *walk, const struct activities_record *record)
{
    bool is_own = comb_uuid_equal(&record->actor, &walk->eyes->ctx->principal->user);
    return record->time_us >= walk->since_us && !(walk->hides_own && is_own);
}

/* Reads items, and looks at all their nodes together: not one after the other. */
static enum comb_status read_batch(struct activities_walk *walk, const struct comb_item *items,
                                   size_t n, struct activities_record *records,
                                   struct comb_error *err)
{
    struct comb_uuid nodes[COMB_ITEM_SCAN_MAX];
    enum comb_status status = COMB_OK;
    size_t n_nodes = 0;
    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        status = activities_read_item(&walk->eyes->scratch, &items[i], &records[i], err);
        if (status == COMB_OK && is_wanted(walk, &records[i]))
            nodes[n_nodes++] = records[i].node;
    }
    return status == COMB_OK ? activities_look(walk->eyes, nodes, n_nodes, err) : status;
}

/* One item. */
static enum comb_status step(struct activities_walk *walk, const struct comb_item *item,
                             const struct activities_record *record, bool *ret_full,
                             struct comb_error *err)
{
    struct activities_eyes *eyes = walk->eyes;
    const struct activities_sight *sight = NULL;
    enum comb_status status = COMB_OK;
    walk->is_through = walk->since_us && record->time_us < walk->since_us - SKEW_US;
    if (is_wanted(walk, record)) {
        status = activities_see(eyes, &record->node, &sight, err);
        if (status == COMB_OK && activities_may_see(eyes->ctx, record, sight))
            status = walk->take(walk->data, record, sight, ret_full, err);
    }
    if (status != COMB_OK || *ret_full)
        return status;
    char *at = comb_str_dup(eyes->ctx->arena, item->at);
    if (!at)
        return comb_error_no_memory(err);
    walk->before = comb_str_of(at, item->at.len);
    walk->reached_us = record->time_us;
    walk->examined++;
    return COMB_OK;
}

static enum comb_status batch(struct activities_walk *walk, bool *ret_full, struct comb_error *err)
{
    struct activities_eyes *eyes = walk->eyes;
    struct comb_items_store *store = eyes->activities->parts.store;
    const struct comb_item_scan scan = {.keys = walk->keys,
                                        .n_keys = walk->n_keys,
                                        .after = walk->after,
                                        .before = walk->before,
                                        .max = COMB_ITEM_SCAN_MAX};
    struct activities_record records[COMB_ITEM_SCAN_MAX];
    const struct comb_item *items;
    size_t n = 0;
    grpcc_arena_reset(eyes->scratch.arena);
    enum comb_status status = store->driver->scan(store, &eyes->scratch, &scan, &items, &n, err);
    if (status == COMB_OK)
        status = read_batch(walk, items, n, records, err);
    if (status != COMB_OK)
        return status;
    for (size_t i = 0; i < n && status == COMB_OK && !walk->is_through && !*ret_full &&
                       walk->examined < walk->examined_max;
         i++) {
        status = step(walk, &items[i], &records[i], ret_full, err);
        if (i + 1 == n && n < COMB_ITEM_SCAN_MAX && !*ret_full)
            walk->is_through = true;
    }
    walk->is_through = walk->is_through || n == 0;
    return status;
}

enum comb_status activities_walk_run(struct activities_walk *walk, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    bool is_full = false;
    walk->is_through = walk->n_keys == 0;
    while (status == COMB_OK && !walk->is_through && !is_full &&
           walk->examined < walk->examined_max)
        status = batch(walk, &is_full, err);
    return status;
}

/* ---- pages ---- */

/* An activity of the page, with what the next item is compared with. */
struct shown {
    struct comb_v1_activity *activity;
    struct comb_uuid node, actor;
    int64_t first_us;
};

struct page {
    struct activities_eyes *eyes;
    comb_str read_at; /* up to where the caller has read; ptr NULL: it does not matter */
    struct shown *shown;
    size_t n, max;
};

/* Changes of one node by one user soon after each other are one; so is what follows on making it.
 */
static bool is_together(const struct shown *shown, const struct activities_record *record)
{
    const struct comb_v1_activity *newer = shown->activity, *older = record->known;
    return comb_uuid_equal(&shown->node, &record->node) &&
           comb_uuid_equal(&shown->actor, &record->actor) &&
           shown->first_us - record->time_us <= COMB_ACTIVITY_TOGETHER_US &&
           newer->type == COMB_V1_ACTIVITY_TYPE_UPDATE &&
           (older->change == newer->change || (older->type == COMB_V1_ACTIVITY_TYPE_CREATE &&
                                               newer->change == COMB_V1_CHANGE_KIND_CONTENT));
}

static enum comb_status add_to(struct page *page, struct shown *shown,
                               const struct activities_record *record, struct comb_error *err)
{
    struct comb_v1_activity *activity = shown->activity;
    activity->type = record->known->type;
    activity->change = record->known->change;
    activity->count++;
    activity->first_published = comb_timestamp_new(page->eyes->ctx->arena, record->time_us);
    shown->first_us = record->time_us;
    return activity->first_published ? COMB_OK : comb_error_no_memory(err);
}

static enum comb_status see_places(struct page *page, const struct activities_record *record,
                                   struct comb_v1_activity *activity, struct comb_error *err)
{
    bool stays =
        !comb_uuid_is_nil(&record->origin) && comb_uuid_equal(&record->origin, &record->target);
    enum comb_status status =
        activities_see_place(page->eyes, &record->target, &activity->target, err);
    if (status == COMB_OK)
        status = activities_see_place(page->eyes, &record->origin, &activity->origin, err);
    if (status == COMB_OK && stays && activity->origin)
        comb_v1_activity_set_old_name(
            activity, grpcc_arena_strdup(page->eyes->ctx->arena, record->known->old_name));
    return status;
}

static enum comb_status show(struct page *page, const struct activities_record *record,
                             const struct activities_sight *sight, struct comb_error *err)
{
    struct grpcc_arena *arena = page->eyes->ctx->arena;
    struct comb_v1_activity *activity = comb_v1_activity_new(arena);
    if (!activity)
        return comb_error_no_memory(err);
    comb_v1_activity_set_id(activity, comb_str_dup(arena, record->id));
    comb_v1_activity_set_actor_id(activity, grpcc_arena_strdup(arena, record->known->actor_id));
    activity->type = record->known->type;
    activity->change = record->known->change;
    activity->count = 1;
    activity->published = activity->first_published = comb_timestamp_new(arena, record->time_us);
    activity->unread = page->read_at.ptr && comb_str_compare(record->at, page->read_at) > 0;
    enum comb_status status =
        activities_see_object(page->eyes, record, sight, &activity->object, err);
    if (status == COMB_OK)
        status = see_places(page, record, activity, err);
    if (status != COMB_OK)
        return status;
    page->shown[page->n++] = (struct shown){activity, record->node, record->actor, record->time_us};
    return grpcc_arena_failed(arena) ? comb_error_no_memory(err) : COMB_OK;
}

static enum comb_status take(void *data, const struct activities_record *record,
                             const struct activities_sight *sight, bool *ret_full,
                             struct comb_error *err)
{
    struct page *page = data;
    for (size_t i = page->n; i > 0; i--) {
        if (is_together(&page->shown[i - 1], record))
            return add_to(page, &page->shown[i - 1], record, err);
    }
    *ret_full = page->n == page->max;
    return *ret_full ? COMB_OK : show(page, record, sight, err);
}

/* The bounds that a query gives. */
static enum comb_status bound(struct activities_walk *walk, const struct comb_activity_query *query,
                              comb_str read_at, struct comb_error *err)
{
    struct activities_eyes *eyes = walk->eyes;
    struct comb_items_store *store = eyes->activities->parts.store;
    const struct comb_item *item = NULL;
    walk->since_us = query->since_us;
    walk->before = query->before;
    if (query->is_unread_only)
        walk->after = read_at;
    if (query->newer_than.len == 0)
        return COMB_OK;
    enum comb_status status = store->driver->get(store, eyes->ctx, query->newer_than, &item, err);
    if (status == COMB_OK && !item)
        return comb_error_field(err, "after_id", "is the id of no activity that is kept");
    if (status == COMB_OK && comb_str_compare(item->at, walk->after) > 0)
        walk->after = item->at;
    return status;
}

static enum comb_status fill(struct page *page, struct activities_walk *walk,
                             const struct comb_activity_query *query, struct comb_error *err)
{
    struct activities_eyes *eyes = page->eyes;
    enum comb_status status = activities_walk_init(walk, eyes, &query->scope, err);
    if (status == COMB_OK && !query->scope.node && !query->scope.user)
        status = activities_read_mark(eyes->activities, eyes->ctx, &page->read_at, err);
    if (status == COMB_OK)
        status = bound(walk, query, page->read_at, err);
    if (status != COMB_OK)
        return status;
    walk->examined_max = COMB_ACTIVITY_PAGE_EXAMINED_MAX;
    walk->take = take;
    walk->data = page;
    return activities_walk_run(walk, err);
}

static enum comb_status give(const struct page *page, const struct activities_walk *walk,
                             struct comb_activity_page *ret_page, struct comb_error *err)
{
    struct comb_v1_activity **activities =
        grpcc_arena_calloc(page->eyes->ctx->arena, page->n + 1, sizeof *activities);
    if (!activities)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < page->n; i++)
        activities[i] = page->shown[i].activity;
    *ret_page = (struct comb_activity_page){activities, page->n,
                                            walk->is_through ? (comb_str){0} : walk->before};
    return COMB_OK;
}

enum comb_status comb_activities_feed(struct comb_activities *activities, struct comb_ctx *ctx,
                                      const struct comb_activity_query *query,
                                      struct comb_activity_page *ret_page, struct comb_error *err)
{
    struct page page = {.max = query->max};
    struct activities_walk walk;
    struct activities_eyes eyes;
    enum comb_status status = activities_eyes_init(&eyes, activities, ctx, err);
    if (status != COMB_OK)
        return status;
    page.eyes = &eyes;
    page.shown = grpcc_arena_calloc(ctx->arena, query->max, sizeof *page.shown);
    status = page.shown ? fill(&page, &walk, query, err) : comb_error_no_memory(err);
    if (status == COMB_OK)
        status = give(&page, &walk, ret_page, err);
    activities_eyes_done(&eyes);
    return status;
}
