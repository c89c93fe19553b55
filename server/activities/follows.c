/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What users follow, and how far they have read: notes. "f/USER/n…" or "f/USER/u…", without a
 * value, is what USER follows; the value of "r/USER" is the place up to which he has read, which
 * only rises.
 */
#include "comb/v1/errors.grpcc.h"
#include "server/activities/internal.h"
#include "server/core/clock.h"
#include "server/core/timestamp.h"

/* Behind all keys that begin with what stands in front of it. */
#define BEYOND "~"

static enum comb_status check_scopes(const struct comb_ctx *ctx, struct comb_error *err)
{
    if (ctx->principal->n_scopes == 0)
        return COMB_OK;
    return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_SCOPE_EXCEEDED,
                          "a token with scopes follows nothing and has read nothing");
}

/* ---- notes ---- */

static comb_str follow_prefix(const struct comb_ctx *ctx)
{
    const char *text =
        grpcc_arena_printf(ctx->arena, "f/%s/", comb_uuid_text(ctx->arena, &ctx->principal->user));
    return text ? comb_str_from(text) : (comb_str){0};
}

/* ptr NULL: no room. */
static comb_str follow_note(const struct comb_ctx *ctx, const struct comb_uuid *node,
                            const struct comb_uuid *user)
{
    comb_str prefix = follow_prefix(ctx), key = node ? activities_node_key(ctx->arena, node)
                                                     : activities_user_key(ctx->arena, user);
    const char *text =
        prefix.ptr && key.ptr
            ? grpcc_arena_printf(ctx->arena, "%.*s%.*s", COMB_STR_ARG(prefix), COMB_STR_ARG(key))
            : NULL;
    return text ? comb_str_from(text) : (comb_str){0};
}

static comb_str mark_note(const struct comb_ctx *ctx)
{
    const char *text =
        grpcc_arena_printf(ctx->arena, "r/%s", comb_uuid_text(ctx->arena, &ctx->principal->user));
    return text ? comb_str_from(text) : (comb_str){0};
}

enum comb_status activities_follow_keys(struct comb_activities *activities, struct comb_ctx *ctx,
                                        const struct comb_item_note **ret_notes,
                                        comb_str keys[COMB_ACTIVITY_FOLLOWS_MAX], size_t *ret_n,
                                        struct comb_error *err)
{
    struct comb_items_store *store = activities->parts.store;
    const struct comb_item_note *notes;
    size_t n = 0;
    comb_str prefix = follow_prefix(ctx);
    const char *to =
        prefix.ptr ? grpcc_arena_printf(ctx->arena, "%.*s" BEYOND, COMB_STR_ARG(prefix)) : NULL;
    if (!to)
        return comb_error_no_memory(err);
    enum comb_status status = store->driver->notes(store, ctx, prefix, comb_str_from(to),
                                                   COMB_ACTIVITY_FOLLOWS_MAX, &notes, &n, err);
    if (status != COMB_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        keys[i] = comb_str_of(notes[i].key.ptr + prefix.len, notes[i].key.len - prefix.len);
    if (ret_notes)
        *ret_notes = notes;
    *ret_n = n;
    return COMB_OK;
}

enum comb_status activities_read_mark(struct comb_activities *activities, struct comb_ctx *ctx,
                                      comb_str *ret_at, struct comb_error *err)
{
    struct comb_items_store *store = activities->parts.store;
    const struct comb_item_note *notes;
    size_t n = 0;
    comb_str key = mark_note(ctx);
    const char *to =
        key.ptr ? grpcc_arena_printf(ctx->arena, "%.*s" BEYOND, COMB_STR_ARG(key)) : NULL;
    if (!to)
        return comb_error_no_memory(err);
    enum comb_status status =
        store->driver->notes(store, ctx, key, comb_str_from(to), 1, &notes, &n, err);
    if (status == COMB_OK)
        *ret_at = n > 0 ? notes[0].value : STR("");
    return status;
}

/* ---- reading ---- */

static enum comb_status raise_mark(struct comb_activities *activities, struct comb_ctx *ctx,
                                   comb_str at, struct comb_error *err)
{
    struct comb_items_store *store = activities->parts.store;
    const struct comb_item_note note = {mark_note(ctx), at, comb_clock_wall_us()};
    return note.key.ptr ? store->driver->raise(store, ctx, &note, err) : comb_error_no_memory(err);
}

/* Up to the newest item that there is. */
static enum comb_status raise_to_newest(struct comb_activities *activities, struct comb_ctx *ctx,
                                        struct comb_error *err)
{
    struct comb_items_store *store = activities->parts.store;
    const struct comb_item_scan newest = {.max = 1};
    const struct comb_item *items;
    size_t n = 0;
    enum comb_status status = store->driver->scan(store, ctx, &newest, &items, &n, err);
    return status == COMB_OK && n > 0 ? raise_mark(activities, ctx, items[0].at, err) : status;
}

/* *ret_at: the place of an activity that the caller may see. */
static enum comb_status find_seen(struct comb_activities *activities, struct comb_ctx *ctx,
                                  comb_str id, comb_str *ret_at, struct comb_error *err)
{
    struct comb_items_store *store = activities->parts.store;
    const struct activities_sight *sight = NULL;
    const struct comb_item *item = NULL;
    struct activities_record record;
    struct activities_eyes eyes;
    bool may_see = false;
    enum comb_status status = store->driver->get(store, ctx, id, &item, err);
    if (status == COMB_OK && item) {
        status = activities_eyes_init(&eyes, activities, ctx, err);
        if (status != COMB_OK)
            return status;
        status = activities_read_item(ctx, item, &record, err);
        if (status == COMB_OK)
            status = activities_see(&eyes, &record.node, &sight, err);
        may_see = status == COMB_OK && activities_may_see(ctx, &record, sight);
        activities_eyes_done(&eyes);
    }
    if (status != COMB_OK)
        return status;
    if (!may_see)
        return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_ACTIVITY_NOT_FOUND,
                              "there is no such activity");
    *ret_at = item->at;
    return COMB_OK;
}

enum comb_status comb_activities_mark_read(struct comb_activities *activities, struct comb_ctx *ctx,
                                           comb_str id, struct comb_error *err)
{
    comb_str at;
    enum comb_status status = check_scopes(ctx, err);
    if (status != COMB_OK)
        return status;
    if (id.len == 0)
        return raise_to_newest(activities, ctx, err);
    status = find_seen(activities, ctx, id, &at, err);
    return status == COMB_OK ? raise_mark(activities, ctx, at, err) : status;
}

enum comb_status comb_activities_unread(struct comb_activities *activities, struct comb_ctx *ctx,
                                        uint32_t *ret_count, bool *ret_at_least,
                                        struct comb_error *err)
{
    const struct comb_activity_query query = {.is_unread_only = true,
                                              .max = COMB_ACTIVITY_UNREAD_MAX};
    struct comb_activity_page page;
    enum comb_status status = comb_activities_feed(activities, ctx, &query, &page, err);
    if (status != COMB_OK)
        return status;
    *ret_count = (uint32_t)page.n;
    *ret_at_least = page.next.len > 0;
    return COMB_OK;
}

/* ---- following ---- */

/* path: of a node that the caller may read; else "". NULL: no room. */
static struct comb_v1_activity_follow *to_follow(struct grpcc_arena *arena,
                                                 const struct comb_uuid *node,
                                                 const struct comb_uuid *user, const char *path,
                                                 int64_t create_us)
{
    struct comb_v1_activity_follow *follow = comb_v1_activity_follow_new(arena);
    if (!follow)
        return NULL;
    if (node)
        comb_v1_activity_follow_set_node_id(follow, comb_uuid_text(arena, node));
    else
        comb_v1_activity_follow_set_user_id(follow, comb_uuid_text(arena, user));
    comb_v1_activity_follow_set_path(follow, path);
    follow->create_time = comb_timestamp_new(arena, create_us);
    return grpcc_arena_failed(arena) ? NULL : follow;
}

static bool has(const comb_str *keys, size_t n, comb_str key)
{
    for (size_t i = 0; i < n; i++) {
        if (comb_str_equal(keys[i], key))
            return true;
    }
    return false;
}

/* Who follows something for the first time has read what happened before. */
static enum comb_status check_follow(struct comb_activities *activities, struct comb_ctx *ctx,
                                     comb_str key, struct comb_error *err)
{
    comb_str keys[COMB_ACTIVITY_FOLLOWS_MAX], read_at = STR("");
    size_t n = 0;
    enum comb_status status = activities_follow_keys(activities, ctx, NULL, keys, &n, err);
    if (status == COMB_OK && n == COMB_ACTIVITY_FOLLOWS_MAX && !has(keys, n, key))
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_FOLLOWS_TOO_MANY,
                              "%d nodes and users are followed already: unfollow some",
                              COMB_ACTIVITY_FOLLOWS_MAX);
    if (status == COMB_OK)
        status = activities_read_mark(activities, ctx, &read_at, err);
    if (status == COMB_OK && read_at.len == 0)
        status = raise_to_newest(activities, ctx, err);
    return status;
}

enum comb_status comb_activities_follow(struct comb_activities *activities, struct comb_ctx *ctx,
                                        const struct comb_uuid *node, const struct comb_uuid *user,
                                        struct comb_v1_activity_follow **ret_follow,
                                        struct comb_error *err)
{
    struct comb_items_store *store = activities->parts.store;
    const struct comb_item_note note = {follow_note(ctx, node, user), STR(""),
                                        comb_clock_wall_us()};
    const struct activities_sight *sight = NULL;
    struct activities_eyes eyes;
    comb_str prefix = follow_prefix(ctx);
    enum comb_status status = check_scopes(ctx, err);
    if (status == COMB_OK && (!note.key.ptr || !prefix.ptr))
        status = comb_error_no_memory(err);
    if (status == COMB_OK)
        status =
            check_follow(activities, ctx,
                         comb_str_of(note.key.ptr + prefix.len, note.key.len - prefix.len), err);
    if (status == COMB_OK)
        status = store->driver->raise(store, ctx, &note, err);
    if (status == COMB_OK && node) {
        status = activities_eyes_init(&eyes, activities, ctx, err);
        if (status != COMB_OK)
            return status;
        status = activities_see(&eyes, node, &sight, err);
        activities_eyes_done(&eyes);
    }
    if (status != COMB_OK)
        return status;
    struct comb_v1_activity_follow *follow =
        to_follow(ctx->arena, node, user, sight && sight->reads ? sight->path : "", note.create_us);
    if (!follow)
        return comb_error_no_memory(err);
    *ret_follow = follow;
    return COMB_OK;
}

enum comb_status comb_activities_unfollow(struct comb_activities *activities, struct comb_ctx *ctx,
                                          const struct comb_uuid *node,
                                          const struct comb_uuid *user, struct comb_error *err)
{
    struct comb_items_store *store = activities->parts.store;
    comb_str key = follow_note(ctx, node, user);
    enum comb_status status = check_scopes(ctx, err);
    if (status == COMB_OK && !key.ptr)
        status = comb_error_no_memory(err);
    return status == COMB_OK ? store->driver->unset(store, ctx, key, err) : status;
}

static enum comb_status list(struct activities_eyes *eyes, const comb_str *keys,
                             const struct comb_item_note *notes, size_t n,
                             struct comb_v1_activity_follow **follows, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        const struct activities_sight *sight = NULL;
        struct comb_uuid id;
        char kind;
        if (!activities_read_key(keys[i], &kind, &id))
            return comb_error_set(err, COMB_DATA_LOSS, 0, "what is followed is damaged");
        if (kind == 'n')
            status = activities_see(eyes, &id, &sight, err);
        grpcc_arena_reset(eyes->scratch.arena);
        if (status != COMB_OK)
            return status;
        follows[i] = to_follow(eyes->ctx->arena, kind == 'n' ? &id : NULL, &id,
                               sight && sight->reads ? sight->path : "", notes[i].create_us);
        status = follows[i] ? COMB_OK : comb_error_no_memory(err);
    }
    return status;
}

enum comb_status comb_activities_list_follows(struct comb_activities *activities,
                                              struct comb_ctx *ctx,
                                              struct comb_v1_activity_follow ***ret_follows,
                                              size_t *ret_n, struct comb_error *err)
{
    comb_str keys[COMB_ACTIVITY_FOLLOWS_MAX];
    const struct comb_item_note *notes;
    struct activities_eyes eyes;
    size_t n = 0;
    struct comb_v1_activity_follow **follows =
        grpcc_arena_calloc(ctx->arena, COMB_ACTIVITY_FOLLOWS_MAX, sizeof *follows);
    enum comb_status status = check_scopes(ctx, err);
    if (status == COMB_OK)
        status = follows ? activities_follow_keys(activities, ctx, &notes, keys, &n, err)
                         : comb_error_no_memory(err);
    if (status == COMB_OK)
        status = activities_eyes_init(&eyes, activities, ctx, err);
    if (status != COMB_OK)
        return status;
    status = list(&eyes, keys, notes, n, follows, err);
    activities_eyes_done(&eyes);
    if (status != COMB_OK)
        return status;
    *ret_follows = follows;
    *ret_n = n;
    return COMB_OK;
}
