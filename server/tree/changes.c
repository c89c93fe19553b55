/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of the feed. */
#include "server/tree/feed_view.h"

/* Entries that one page looks at, and that one read brings. */
#define EXAMINED_MAX 5000
#define READ_MAX 500

static enum comb_status find_scope(struct comb_tree *tree, struct comb_ctx *ctx,
                                   const struct comb_v1_node_ref *folder,
                                   struct tree_scope *ret_scope, struct comb_error *err)
{
    const struct comb_access_options options = {
        .need = COMB_V1_NEED_READ, .field = "folder", .allow_top = true};
    struct comb_access_node node = {.node = NULL};
    enum comb_status status;

    if (folder) {
        status = comb_access_resolve(tree->use.access, ctx, folder, &options, &node, err);
        if (status != COMB_OK)
            return status;
        if (node.node && (status = tree_need_folder(node.node, "folder", err)) != COMB_OK)
            return status;
    } else {
        /* Each entry is asked for by itself. */
        ctx->authorised |= 1u << COMB_V1_NEED_READ;
    }
    *ret_scope = (struct tree_scope){.all = !node.node, .recursive = true};
    if (node.node)
        ret_scope->folder = node.node->id;
    return COMB_OK;
}

/* Whether a page shows the change; what the caller may not read now is told of only where he could
 * see it before. */
static bool is_shown(const struct comb_feed_entry *entry, const struct tree_sight *sight)
{
    if (!sight->in_now && !sight->in_before)
        return false;
    if (sight->reads_now)
        return true;
    switch (entry->kind) {
    case COMB_FEED_NODE_MOVED:
    case COMB_FEED_NODE_RECYCLED:
    case COMB_FEED_NODE_DELETED:
    case COMB_FEED_NODE_PERMISSIONS:
        return sight->reads_before && sight->in_before;
    default:
        return false;
    }
}

static enum comb_status take_records(struct comb_tree *tree, struct comb_ctx *ctx,
                                     const struct tree_scope *scope,
                                     const struct comb_feed_record *records, size_t n, size_t size,
                                     struct comb_v1_tree_changes_response *response,
                                     size_t *ret_taken, struct comb_error *err)
{
    size_t i = 0;

    for (; i < n && response->n_changes < size; i++) {
        struct comb_v1_change *change;
        struct tree_sight sight;
        enum comb_status status;

        if (records[i].entry.kind >= COMB_FEED_USER)
            continue;
        status = tree_sight_of(tree, ctx, scope, &records[i], &sight, err);
        if (status != COMB_OK)
            return status;
        if (!is_shown(&records[i].entry, &sight))
            continue;
        status = tree_change_message(ctx, &records[i], &sight, &change, err);
        if (status != COMB_OK)
            return status;
        if (!comb_v1_tree_changes_response_add_changes(ctx->arena, response, change))
            return comb_error_no_memory(err);
    }
    *ret_taken = i;
    return COMB_OK;
}

static enum comb_status read_page(struct comb_tree *tree, struct comb_ctx *ctx,
                                  const struct tree_scope *scope, struct comb_cursor *at,
                                  size_t size, struct comb_v1_tree_changes_response *response,
                                  struct comb_error *err)
{
    for (size_t examined = 0; examined < EXAMINED_MAX && response->n_changes < size;) {
        struct comb_feed_page page;
        size_t taken = 0;
        enum comb_status status = comb_feed_read(tree->use.sql, ctx, *at, READ_MAX, &page, err);

        if (status != COMB_OK)
            return status;
        comb_ctx_see_reached(ctx);
        status = take_records(tree, ctx, scope, page.records, page.n, size, response, &taken, err);
        if (status != COMB_OK)
            return status;
        *at = taken == page.n ? page.end : page.records[taken - 1].cursor;
        response->more = taken < page.n || page.n == READ_MAX;
        if (!response->more)
            return COMB_OK;
        examined += taken;
    }
    return COMB_OK;
}

enum comb_status comb_tree_changes(struct comb_tree *tree, struct comb_ctx *ctx,
                                   const struct comb_v1_tree_changes_request *request, size_t size,
                                   struct comb_v1_tree_changes_response **ret_response,
                                   struct comb_error *err)
{
    struct comb_v1_tree_changes_response *response = comb_v1_tree_changes_response_new(ctx->arena);
    struct comb_cursor at;
    struct tree_scope scope;
    enum comb_status status = find_scope(tree, ctx, request->folder, &scope, err);

    if (status != COMB_OK)
        return status;
    if (!response)
        return comb_error_no_memory(err);
    if (request->cursor[0] == '\0') {
        status = comb_feed_head(tree->use.sql, ctx, &at, err);
    } else {
        status = tree_cursor_parse(ctx->arena, request->cursor, &at, err);
        if (status == COMB_OK)
            status = read_page(tree, ctx, &scope, &at, size, response, err);
    }
    if (status != COMB_OK)
        return status;
    comb_v1_tree_changes_response_set_next_cursor(response, tree_cursor_text(ctx->arena, at));
    if (grpcc_arena_failed(ctx->arena))
        return comb_error_no_memory(err);
    *ret_response = response;
    return COMB_OK;
}
