/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tree/watch_events.h"

#include "server/core/memory.h"
#include "server/tree/place.h"

#define HEARTBEAT_DEFAULT_MS 15000
#define HEARTBEAT_MIN_MS 100
#define HEARTBEAT_MAX_MS 60000
#define ROUND_DEADLINE_MS 10000
#define ARENA_MAX (16u << 20)

/* ---- events ---- */

static struct comb_v1_tree_watch_response *add_event(struct tree_watch *watch)
{
    struct comb_v1_tree_watch_response *event = comb_v1_tree_watch_response_new(watch->ctx.arena);

    if (event)
        watch->events[watch->n_events++] = event;
    return event;
}

static enum comb_status add_change(struct tree_watch *watch, const struct comb_feed_record *record,
                                   const struct tree_sight *sight, struct comb_error *err)
{
    struct comb_v1_tree_watch_response *event;
    struct comb_v1_change *change;
    enum comb_status status = tree_change_message(&watch->ctx, record, sight, &change, err);

    if (status != COMB_OK)
        return status;
    event = add_event(watch);
    if (!event)
        return comb_error_no_memory(err);
    comb_v1_tree_watch_response_set_change(event, change);
    return COMB_OK;
}

static enum comb_status add_removed(struct tree_watch *watch, const struct comb_uuid *id,
                                    struct comb_cursor cursor, struct comb_error *err)
{
    struct grpcc_arena *arena = watch->ctx.arena;
    struct comb_v1_tree_watch_removed *removed = comb_v1_tree_watch_removed_new(arena);
    struct comb_v1_tree_watch_response *event = removed ? add_event(watch) : NULL;

    if (!event)
        return comb_error_no_memory(err);
    comb_v1_tree_watch_removed_set_node_id(removed, comb_uuid_text(arena, id));
    comb_v1_tree_watch_removed_set_cursor(removed, tree_cursor_text(arena, cursor));
    comb_v1_tree_watch_response_set_removed(event, removed);
    return grpcc_arena_failed(arena) ? comb_error_no_memory(err) : COMB_OK;
}

static enum comb_status add_added(struct tree_watch *watch, struct comb_v1_node *node,
                                  struct comb_cursor cursor, struct comb_error *err)
{
    struct grpcc_arena *arena = watch->ctx.arena;
    struct comb_v1_tree_watch_added *added = comb_v1_tree_watch_added_new(arena);
    struct comb_v1_tree_watch_response *event = added ? add_event(watch) : NULL;

    if (!event)
        return comb_error_no_memory(err);
    added->node = node;
    comb_v1_tree_watch_added_set_cursor(added, tree_cursor_text(arena, cursor));
    comb_v1_tree_watch_response_set_added(event, added);
    return grpcc_arena_failed(arena) ? comb_error_no_memory(err) : COMB_OK;
}

static enum comb_status add_present(struct tree_watch *watch, const struct comb_tree_view *view,
                                    struct comb_error *err)
{
    struct comb_v1_tree_watch_response *event;
    struct comb_v1_node *node;
    enum comb_status status =
        comb_tree_node_message(watch->ctx.arena, &view->node, &view->extra, &node, err);

    if (status != COMB_OK)
        return status;
    event = add_event(watch);
    if (!event)
        return comb_error_no_memory(err);
    comb_v1_tree_watch_response_set_present(event, node);
    return COMB_OK;
}

static enum comb_status add_heartbeat(struct tree_watch *watch, struct comb_error *err)
{
    struct grpcc_arena *arena = watch->ctx.arena;
    struct comb_v1_tree_watch_heartbeat *heartbeat = comb_v1_tree_watch_heartbeat_new(arena);
    struct comb_v1_tree_watch_response *event = heartbeat ? add_event(watch) : NULL;

    if (!event)
        return comb_error_no_memory(err);
    comb_v1_tree_watch_heartbeat_set_cursor(heartbeat, tree_cursor_text(arena, watch->at));
    comb_v1_tree_watch_response_set_heartbeat(event, heartbeat);
    return grpcc_arena_failed(arena) ? comb_error_no_memory(err) : COMB_OK;
}

static enum comb_status add_snapshot_end(struct tree_watch *watch, struct comb_error *err)
{
    struct grpcc_arena *arena = watch->ctx.arena;
    struct comb_v1_tree_watch_snapshot_end *end = comb_v1_tree_watch_snapshot_end_new(arena);
    struct comb_v1_tree_watch_response *event = end ? add_event(watch) : NULL;

    if (!event)
        return comb_error_no_memory(err);
    comb_v1_tree_watch_snapshot_end_set_cursor(end, tree_cursor_text(arena, watch->at));
    comb_v1_tree_watch_response_set_snapshot_end(event, end);
    return grpcc_arena_failed(arena) ? comb_error_no_memory(err) : COMB_OK;
}

/* ---- the snapshot: breadth first, a page a round ---- */

static enum comb_status push_folder(struct tree_watch *watch, const struct comb_uuid *id,
                                    struct comb_error *err)
{
    struct tree_watch_folders *folders = &watch->folders;

    if (folders->first > 0 && folders->first + folders->n == folders->capacity) {
        memmove(folders->ids, folders->ids + folders->first, folders->n * sizeof *folders->ids);
        folders->first = 0;
    }
    if (folders->n == folders->capacity) {
        size_t capacity = folders->capacity ? 2 * folders->capacity : 16;
        struct comb_uuid *ids;

        if (folders->n >= COMB_TREE_WATCH_FOLDERS_MAX)
            return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                                  "the snapshot has more than %d folders side by side: list them",
                                  COMB_TREE_WATCH_FOLDERS_MAX);
        ids = comb_memory_realloc(folders->ids, capacity * sizeof *ids);
        if (!ids)
            return comb_error_no_memory(err);
        folders->ids = ids;
        folders->capacity = capacity;
    }
    folders->ids[folders->first + folders->n++] = *id;
    return COMB_OK;
}

/* Keeps a page's state beyond the round. */
static enum comb_status keep_state(comb_str *kept, comb_str state, struct comb_error *err)
{
    char *copy = NULL;

    if (state.len > 0) {
        copy = comb_memory_alloc(state.len);
        if (!copy)
            return comb_error_no_memory(err);
        memcpy(copy, state.ptr, state.len);
    }
    comb_memory_free((char *)kept->ptr);
    *kept = comb_str_of(copy, state.len);
    return COMB_OK;
}

static enum comb_status take_page(struct tree_watch *watch, const struct comb_tree_page *page,
                                  struct comb_error *err)
{
    enum comb_status status = COMB_OK;

    for (size_t i = 0; i < page->n_views && status == COMB_OK; i++) {
        status = add_present(watch, &page->views[i], err);
        if (status == COMB_OK && watch->scope.recursive &&
            page->views[i].node.kind == COMB_V1_NODE_KIND_FOLDER)
            status = push_folder(watch, &page->views[i].node.id, err);
    }
    return status;
}

static enum comb_status list_top(struct tree_watch *watch, struct comb_error *err)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(watch->ctx.arena);
    struct comb_tree_list_query query = {
        .folder = ref, .size = TREE_WATCH_ROUND_MAX, .state = watch->top_state};
    struct comb_tree_page page;
    enum comb_status status;

    if (!ref)
        return comb_error_no_memory(err);
    comb_v1_node_ref_set_path(ref, "/");
    status = comb_tree_list(watch->tree, &watch->ctx, &query, &page, err);
    if (status == COMB_OK)
        status = take_page(watch, &page, err);
    if (status == COMB_OK)
        status = keep_state(&watch->top_state, page.state, err);
    watch->top_listed = status == COMB_OK && page.state.len == 0;
    return status;
}

static enum comb_status list_first(struct tree_watch *watch, struct comb_error *err)
{
    const struct comb_access_options options = {.need = COMB_V1_NEED_READ, .field = "folder"};
    struct tree_watch_folders *folders = &watch->folders;
    struct comb_tree_list_query query = {.size = TREE_WATCH_ROUND_MAX, .state = folders->state};
    struct comb_access_node folder;
    struct comb_tree_page page = {0};
    enum comb_status status = tree_resolve_id(
        watch->tree, &watch->ctx, &folders->ids[folders->first], &options, &folder, err);

    if (status == COMB_OK)
        status = tree_list_folder(watch->tree, &watch->ctx, &folder, &query, &page, err);
    else if (status == COMB_NOT_FOUND || status == COMB_PERMISSION_DENIED)
        /* It went away meanwhile: the feed tells. */
        status = COMB_OK;
    if (status == COMB_OK)
        status = take_page(watch, &page, err);
    if (status == COMB_OK)
        status = keep_state(&folders->state, page.state, err);
    if (status == COMB_OK && page.state.len == 0) {
        folders->first++;
        folders->n--;
    }
    return status;
}

static enum comb_status snapshot_round(struct tree_watch *watch, struct comb_error *err)
{
    watch->more = true;
    if (watch->scope.all && !watch->top_listed)
        return list_top(watch, err);
    if (watch->folders.n > 0)
        return list_first(watch, err);
    watch->in_snapshot = false;
    return add_snapshot_end(watch, err);
}

/* ---- the feed ---- */

/* What a change of a node is to the watcher: a change, a subtree that came, or one that went. */
static enum comb_status node_event(struct tree_watch *watch, const struct comb_feed_record *record,
                                   struct comb_error *err)
{
    const struct comb_feed_entry *entry = &record->entry;
    struct comb_v1_node *node;
    struct tree_sight sight;
    bool comes;
    enum comb_status status =
        tree_sight_of(watch->tree, &watch->ctx, &watch->scope, record, &sight, err);

    if (status != COMB_OK || (!sight.in_now && !sight.in_before))
        return status;
    if (!sight.in_now || !sight.reads_now) {
        bool went = entry->kind == COMB_FEED_NODE_MOVED || entry->kind == COMB_FEED_NODE_RECYCLED ||
                    entry->kind == COMB_FEED_NODE_DELETED ||
                    entry->kind == COMB_FEED_NODE_PERMISSIONS;

        if (went && sight.in_before && sight.reads_before)
            return add_removed(watch, &entry->subject, record->cursor, err);
        return COMB_OK;
    }
    status = tree_feed_node(&watch->ctx, entry, &node, err);
    if (status != COMB_OK)
        return status;
    /* Whether it was readable before an entry on it changed is not known: it is listed again. */
    comes = entry->kind == COMB_FEED_NODE_RESTORED || entry->kind == COMB_FEED_NODE_PERMISSIONS ||
            (entry->kind == COMB_FEED_NODE_MOVED && (!sight.in_before || !sight.reads_before));
    if (comes && node->kind == COMB_V1_NODE_KIND_FOLDER)
        return add_added(watch, node, record->cursor, err);
    return add_change(watch, record, &sight, err);
}

static enum comb_status check_user(struct tree_watch *watch, struct comb_error *err)
{
    const struct comb_principal *principal = watch->ctx.principal;
    struct comb_subjects subjects;
    enum comb_status status;

    if (principal->expire_us && principal->expire_us <= comb_clock_wall_us())
        return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_EXPIRED,
                              "the token has expired: refresh it and go on from the last cursor");
    status = comb_facts_subjects_wait(watch->tree->use.facts, &watch->ctx, &principal->user,
                                      &subjects, err);
    if (status != COMB_OK)
        return status;
    if (!subjects.exists || subjects.disabled ||
        (watch->generation && subjects.generation != watch->generation))
        return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_REVOKED,
                              "the token or its user has been revoked");
    watch->generation = subjects.generation;
    return COMB_OK;
}

/* Other roles, other rights: what could be read and can be read is not compared; the folder is to
 * be listed again. */
static enum comb_status roles_event(struct tree_watch *watch, const struct comb_feed_record *record,
                                    struct comb_error *err)
{
    const struct comb_access_options options = {.need = COMB_V1_NEED_READ, .field = "folder"};
    struct comb_access_node folder;
    struct comb_v1_node *node;
    enum comb_status status;

    if (watch->scope.all)
        return COMB_OK;
    status =
        tree_resolve_id(watch->tree, &watch->ctx, &watch->scope.folder, &options, &folder, err);
    if (status == COMB_OK)
        status = comb_tree_node_message(watch->ctx.arena, folder.node, NULL, &node, err);
    if (status == COMB_OK)
        status = add_added(watch, node, record->cursor, err);
    return status;
}

static enum comb_status record_event(struct tree_watch *watch,
                                     const struct comb_feed_record *record, struct comb_error *err)
{
    const struct comb_principal *principal = watch->ctx.principal;
    const struct comb_feed_entry *entry = &record->entry;
    enum comb_status status;

    if (entry->kind < COMB_FEED_USER)
        return node_event(watch, record, err);
    if (entry->kind == COMB_FEED_TOKEN && comb_uuid_equal(&entry->subject, &principal->token))
        return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_REVOKED,
                              "the token has been revoked");
    if (entry->kind == COMB_FEED_ROLE || entry->kind == COMB_FEED_GROUP ||
        (entry->kind == COMB_FEED_USER && comb_uuid_equal(&entry->subject, &principal->user))) {
        status = check_user(watch, err);
        return status == COMB_OK ? roles_event(watch, record, err) : status;
    }
    return COMB_OK;
}

static enum comb_status feed_round(struct tree_watch *watch, struct comb_error *err)
{
    struct comb_feed_page page;
    enum comb_status status = comb_feed_read(watch->tree->use.sql, &watch->ctx, watch->at,
                                             TREE_WATCH_ROUND_MAX, &page, err);

    if (status != COMB_OK)
        return status;
    /* Rights are those after the last of these changes, at least. */
    comb_ctx_see_reached(&watch->ctx);
    for (size_t i = 0; i < page.n && status == COMB_OK; i++)
        status = record_event(watch, &page.records[i], err);
    if (status != COMB_OK)
        return status;
    watch->at = page.end;
    watch->more = page.n == TREE_WATCH_ROUND_MAX;
    return COMB_OK;
}

/* ---- the round ---- */

static enum comb_status check_rights(struct tree_watch *watch, struct comb_error *err)
{
    const struct comb_access_options options = {.need = COMB_V1_NEED_READ, .field = "folder"};
    struct comb_access_node folder;
    enum comb_status status = check_user(watch, err);

    if (status == COMB_OK && !watch->scope.all)
        status =
            tree_resolve_id(watch->tree, &watch->ctx, &watch->scope.folder, &options, &folder, err);
    watch->check_due_ns = comb_clock_monotonic_ns() + COMB_TREE_WATCH_CHECK_MS * COMB_NS_PER_MS;
    return status;
}

enum comb_status tree_watch_round(struct tree_watch *watch, struct comb_error *err)
{
    int64_t now = comb_clock_monotonic_ns();
    enum comb_status status;

    grpcc_arena_reset(watch->ctx.arena);
    watch->ctx.deadline_ns = now + ROUND_DEADLINE_MS * COMB_NS_PER_MS;
    watch->n_events = watch->next_event = 0;
    watch->more = false;
    watch->events_max = TREE_WATCH_ROUND_MAX + 2;
    watch->events = grpcc_arena_calloc(watch->ctx.arena, watch->events_max, sizeof *watch->events);
    if (!watch->events)
        return comb_error_no_memory(err);
    status = watch->in_snapshot ? snapshot_round(watch, err) : feed_round(watch, err);
    if (status == COMB_OK)
        status = check_rights(watch, err);
    if (status != COMB_OK)
        return status;
    if (watch->n_events == 0 && now >= watch->heartbeat_due_ns)
        status = add_heartbeat(watch, err);
    if (watch->n_events > 0)
        watch->heartbeat_due_ns = now + watch->heartbeat_ns;
    return status;
}

/* ---- begin and end ---- */

static enum comb_status init_scope(struct tree_watch *watch,
                                   const struct comb_v1_tree_watch_request *request,
                                   struct comb_error *err)
{
    const struct comb_access_options options = {
        .need = COMB_V1_NEED_READ, .field = "folder", .allow_top = true};
    struct comb_access_node folder = {.node = NULL};
    enum comb_status status = COMB_OK;

    if (request->folder)
        status = comb_access_resolve(watch->tree->use.access, &watch->ctx, request->folder,
                                     &options, &folder, err);
    if (status == COMB_OK && folder.node)
        status = tree_need_folder(folder.node, "folder", err);
    if (status != COMB_OK)
        return status;
    watch->scope.recursive = request->recursive || !folder.node;
    watch->scope.all = !folder.node;
    if (folder.node)
        watch->scope.folder = folder.node->id;
    return COMB_OK;
}

/* The cursor first: what changes while the snapshot is taken comes after it again. */
static enum comb_status init_position(struct tree_watch *watch,
                                      const struct comb_v1_tree_watch_request *request,
                                      struct comb_error *err)
{
    enum comb_status status;

    if (request->cursor[0] != '\0') {
        if (request->snapshot)
            return comb_error_field(err, "snapshot",
                                    "a watch that goes on from a cursor has no snapshot");
        return tree_cursor_parse(watch->ctx.arena, request->cursor, &watch->at, err);
    }
    status = comb_feed_head(watch->tree->use.sql, &watch->ctx, &watch->at, err);
    if (status != COMB_OK || !request->snapshot)
        return status;
    comb_ctx_see_reached(&watch->ctx);
    watch->in_snapshot = true;
    return watch->scope.all ? COMB_OK : push_folder(watch, &watch->scope.folder, err);
}

enum comb_status tree_watch_init(struct tree_watch *watch, struct comb_tree *tree,
                                 const struct comb_ctx *ctx,
                                 const struct comb_v1_tree_watch_request *request,
                                 struct comb_error *err)
{
    uint32_t ms = request->heartbeat_ms ? request->heartbeat_ms : HEARTBEAT_DEFAULT_MS;
    enum comb_status status;

    *watch = (struct tree_watch){.tree = tree, .ctx = *ctx};
    watch->ctx.arena = grpcc_arena_new(ARENA_MAX);
    if (!watch->ctx.arena)
        return comb_error_no_memory(err);
    if (ms < HEARTBEAT_MIN_MS || ms > HEARTBEAT_MAX_MS)
        return comb_error_field(err, "heartbeat_ms", "%d to %d, or 0", HEARTBEAT_MIN_MS,
                                HEARTBEAT_MAX_MS);
    watch->ctx.deadline_ns = comb_clock_monotonic_ns() + ROUND_DEADLINE_MS * COMB_NS_PER_MS;
    watch->heartbeat_ns = ms * COMB_NS_PER_MS;
    watch->heartbeat_due_ns = comb_clock_monotonic_ns() + watch->heartbeat_ns;
    status = init_scope(watch, request, err);
    if (status == COMB_OK)
        status = init_position(watch, request, err);
    if (status == COMB_OK)
        status = check_user(watch, err);
    return status;
}

void tree_watch_done(struct tree_watch *watch)
{
    grpcc_arena_free(watch->ctx.arena);
    comb_memory_free(watch->folders.ids);
    comb_memory_free((char *)watch->folders.state.ptr);
    comb_memory_free((char *)watch->top_state.ptr);
}
