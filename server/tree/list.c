/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of folders, and of the top, where the workspaces are. */
#include "server/tree/filter.h"
#include "server/tree/internal.h"
#include "server/tree/view.h"

/* The state between two pages: the order, then for names the name, else value and id. */
#define STATE_VALUE_SIZE (1 + sizeof(int64_t) + sizeof(struct comb_uuid))

struct order {
    enum comb_tree_key key;
    bool descending;
};

static enum comb_status order_of(enum comb_v1_tree_order asked, struct order *ret_order,
                                 struct comb_error *err)
{
    static const struct order orders[] = {
        [COMB_V1_TREE_ORDER_UNSPECIFIED] = {COMB_TREE_BY_NAME, false},
        [COMB_V1_TREE_ORDER_NAME] = {COMB_TREE_BY_NAME, false},
        [COMB_V1_TREE_ORDER_NAME_DESC] = {COMB_TREE_BY_NAME, true},
        [COMB_V1_TREE_ORDER_UPDATE_TIME] = {COMB_TREE_BY_UPDATE_TIME, false},
        [COMB_V1_TREE_ORDER_UPDATE_TIME_DESC] = {COMB_TREE_BY_UPDATE_TIME, true},
        [COMB_V1_TREE_ORDER_SIZE] = {COMB_TREE_BY_SIZE, false},
        [COMB_V1_TREE_ORDER_SIZE_DESC] = {COMB_TREE_BY_SIZE, true},
    };

    if ((int)asked < 0 || (size_t)asked >= sizeof orders / sizeof orders[0])
        return comb_error_field(err, "order_by", "%d is not an order", (int)asked);
    *ret_order = orders[asked];
    return COMB_OK;
}

static enum comb_status pack_state(struct comb_ctx *ctx, const struct order *order,
                                   const struct comb_node *last, comb_str *ret_state,
                                   struct comb_error *err)
{
    size_t size = order->key == COMB_TREE_BY_NAME ? 1 + last->name.len : STATE_VALUE_SIZE;
    int64_t value = order->key == COMB_TREE_BY_SIZE ? (int64_t)last->size : last->update_us;
    char *state = grpcc_arena_alloc(ctx->arena, size);

    if (!state)
        return comb_error_no_memory(err);
    state[0] = (char)order->key;
    if (order->key == COMB_TREE_BY_NAME) {
        memcpy(state + 1, last->name.ptr, last->name.len);
    } else {
        memcpy(state + 1, &value, sizeof value);
        memcpy(state + 1 + sizeof value, last->id.bytes, sizeof last->id.bytes);
    }
    *ret_state = comb_str_of(state, size);
    return COMB_OK;
}

/* The state came back sealed, as it was given out: anything else is a fault. */
static enum comb_status open_state(const struct order *order, comb_str state,
                                   struct comb_tree_place *ret_place, struct comb_error *err)
{
    struct comb_tree_place place = {.started = true};

    if (comb_str_is_empty(state))
        return COMB_OK;
    if (state.ptr[0] != (char)order->key ||
        (order->key != COMB_TREE_BY_NAME && state.len != STATE_VALUE_SIZE))
        return comb_error_set_subject(err, COMB_INVALID_ARGUMENT,
                                      COMB_V1_ERROR_REASON_PAGE_TOKEN_INVALID, "page_token",
                                      "the page token is of another query");
    if (order->key == COMB_TREE_BY_NAME) {
        place.name = comb_str_of(state.ptr + 1, state.len - 1);
    } else {
        memcpy(&place.value, state.ptr + 1, sizeof place.value);
        memcpy(place.id.bytes, state.ptr + 1 + sizeof place.value, sizeof place.id.bytes);
    }
    *ret_place = place;
    return COMB_OK;
}

static void place_at(const struct order *order, const struct comb_node *node,
                     struct comb_tree_place *place)
{
    *place = (struct comb_tree_place){.started = true,
                                      .name = node->name,
                                      .value = order->key == COMB_TREE_BY_SIZE ? (int64_t)node->size
                                                                               : node->update_us,
                                      .id = node->id};
}

static enum comb_status add_view(struct comb_ctx *ctx, const struct comb_tree_list_query *query,
                                 const char *folder_path, const struct comb_node *node, int rights,
                                 struct comb_tree_page *page, struct comb_error *err)
{
    struct comb_tree_view view = {.node = *node};

    if (folder_path) {
        view.extra.path = tree_path_join(ctx->arena, folder_path, node->name);
        if (!view.extra.path)
            return comb_error_no_memory(err);
    }
    if (query->with & COMB_TREE_WITH_RIGHTS)
        view.extra.rights = (enum comb_v1_rights)rights;
    page->views[page->n_views++] = view;
    return COMB_OK;
}

/* Adds the children that the caller may read and that the filter chooses until the page is full.
 * *ret_last: the last one that was looked at; *ret_n: how many were. */
static enum comb_status
take_children(struct comb_tree *tree, struct comb_ctx *ctx, const struct comb_access_node *folder,
              const struct comb_tree_list_query *query, const char *folder_path,
              const struct comb_tree_children *children, struct comb_tree_page *page, size_t *ret_n,
              struct comb_error *err)
{
    size_t i = 0;

    for (; i < children->n_children && page->n_views < query->size; i++) {
        const struct comb_tree_child *child = &children->children[i];
        int rights = comb_access_child_rights(tree->use.access, ctx, folder, &child->node,
                                              child->entries, child->n_entries);
        enum comb_status status;

        if ((rights & COMB_V1_RIGHTS_READ) == 0 ||
            !comb_tree_filter_match(query->filter, &child->node))
            continue;
        status = add_view(ctx, query, folder_path, &child->node, rights, page, err);
        if (status != COMB_OK)
            return status;
    }
    *ret_n = i;
    return COMB_OK;
}

static enum comb_status add_details(struct comb_tree *tree, struct comb_ctx *ctx,
                                    const struct comb_tree_list_query *query,
                                    struct comb_tree_page *page, struct comb_error *err)
{
    const struct comb_tree_details *details;
    struct comb_uuid *ids;
    enum comb_status status;

    if (page->n_views == 0 || (query->with & TREE_WITH_DETAILS) == 0)
        return COMB_OK;
    ids = grpcc_arena_calloc(ctx->arena, page->n_views, sizeof *ids);
    if (!ids)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < page->n_views; i++)
        ids[i] = page->views[i].node.id;
    status = tree_details(tree, ctx, ids, page->n_views, (query->with & COMB_TREE_WITH_LOCKS) != 0,
                          &details, err);
    for (size_t i = 0; i < page->n_views && status == COMB_OK; i++)
        status = tree_view_add_details(ctx, &details[i], query->with, &page->views[i], err);
    return status;
}

/* Asks the store for bites until the page is full, the folder is at its end, or enough has been
 * looked at. */
static enum comb_status fill_page(struct comb_tree *tree, struct comb_ctx *ctx,
                                  const struct comb_access_node *folder,
                                  const struct comb_tree_list_query *query, const char *folder_path,
                                  const struct order *order, struct comb_tree_children_query *ask,
                                  struct comb_tree_page *page, struct comb_error *err)
{
    struct comb_tree_store *store = tree->use.store;
    size_t examined = 0;

    for (;;) {
        struct comb_tree_children children;
        const struct comb_node *last;
        size_t n;
        enum comb_status status;

        if (ask->max > COMB_TREE_EXAMINED_MAX - examined)
            ask->max = COMB_TREE_EXAMINED_MAX - examined;
        status = store->driver->children(store, ctx, ask, &children, err);
        if (status == COMB_OK)
            status = take_children(tree, ctx, folder, query, folder_path, &children, page, &n, err);
        if (status != COMB_OK || (n == children.n_children && children.last))
            return status;
        /* The store brings at least one child where there is one, and the page had room. */
        last = &children.children[n - 1].node;
        examined += n;
        if (page->n_views == query->size || examined == COMB_TREE_EXAMINED_MAX)
            return pack_state(ctx, order, last, &page->state, err);
        place_at(order, last, &ask->after);
        ask->max = COMB_PAGE_SIZE_MAX;
    }
}

enum comb_status tree_list_folder(struct comb_tree *tree, struct comb_ctx *ctx,
                                  const struct comb_access_node *folder,
                                  const struct comb_tree_list_query *query,
                                  struct comb_tree_page *ret_page, struct comb_error *err)
{
    /* One more than the page holds tells whether there is a next one; where rows may be dropped,
     * a larger first bite costs less than a second. */
    struct comb_tree_children_query ask = {
        .folder = folder->node->id, .max = query->filter ? COMB_PAGE_SIZE_MAX : query->size + 1};
    struct comb_tree_page page = {0};
    const char *folder_path = folder->path;
    struct order order = {.descending = false};
    enum comb_status status = order_of(query->order, &order, err);

    if (status == COMB_OK)
        status = open_state(&order, query->state, &ask.after, err);
    if (status == COMB_OK && (query->with & COMB_TREE_WITH_PATH) != 0 && !folder_path)
        status = comb_access_path(ctx, &folder->chain, &folder_path, err);
    if (status != COMB_OK)
        return status;
    page.views = grpcc_arena_calloc(ctx->arena, query->size, sizeof *page.views);
    if (!page.views)
        return comb_error_no_memory(err);
    ask.key = order.key;
    ask.descending = order.descending;
    status = fill_page(tree, ctx, folder, query, folder_path, &order, &ask, &page, err);
    if (status == COMB_OK)
        status = add_details(tree, ctx, query, &page, err);
    if (status == COMB_OK)
        *ret_page = page;
    return status;
}

/* ---- the top ---- */

/* A workspace's first root as a folder called by its slug; one that is not readable is left out. */
static enum comb_status add_workspace(struct comb_tree *tree, struct comb_ctx *ctx,
                                      const struct comb_tree_list_query *query,
                                      const struct comb_workspace_fact *workspace,
                                      struct comb_tree_page *page, struct comb_error *err)
{
    struct comb_fact_chain chain;
    struct comb_node named;
    enum comb_status status;
    int rights;

    if (workspace->n_roots == 0)
        return COMB_OK;
    status = comb_access_rights(tree->use.access, ctx, &workspace->roots[0], &rights, &chain, err);
    if (status != COMB_OK || (rights & COMB_V1_RIGHTS_READ) == 0)
        return status;
    named = *chain.links[0].node;
    named.name = workspace->slug;
    if (!comb_tree_filter_match(query->filter, &named))
        return COMB_OK;
    return add_view(ctx, query, "/", &named, rights, page, err);
}

static enum comb_status list_top(struct comb_tree *tree, struct comb_ctx *ctx,
                                 const struct comb_tree_list_query *query,
                                 struct comb_tree_page *ret_page, struct comb_error *err)
{
    const struct comb_workspace_fact *workspaces = NULL;
    struct comb_tree_page page = {0};
    size_t n = 0;
    enum comb_status status;

    if (query->order != COMB_V1_TREE_ORDER_UNSPECIFIED && query->order != COMB_V1_TREE_ORDER_NAME)
        return comb_error_field(err, "order_by", "workspaces are listed by name only");
    page.views = grpcc_arena_calloc(ctx->arena, query->size, sizeof *page.views);
    if (!page.views)
        return comb_error_no_memory(err);
    if (!tree->hooks.workspaces) {
        *ret_page = page;
        return COMB_OK;
    }
    status = tree->hooks.workspaces(tree->hooks.data, ctx, query->state, query->size, &workspaces,
                                    &n, err);
    for (size_t i = 0; i < n && status == COMB_OK; i++)
        status = add_workspace(tree, ctx, query, &workspaces[i], &page, err);
    if (status == COMB_OK)
        status = add_details(tree, ctx, query, &page, err);
    if (status != COMB_OK)
        return status;
    /* Details bring the stored name. */
    for (size_t i = 0; i < page.n_views; i++)
        page.views[i].extra.title = strrchr(page.views[i].extra.path, '/') + 1;
    if (n == query->size)
        page.state = workspaces[n - 1].slug;
    *ret_page = page;
    return COMB_OK;
}

enum comb_status comb_tree_list(struct comb_tree *tree, struct comb_ctx *ctx,
                                const struct comb_tree_list_query *query,
                                struct comb_tree_page *ret_page, struct comb_error *err)
{
    const struct comb_access_options options = {
        .need = COMB_V1_NEED_READ, .field = "folder", .allow_top = true};
    struct comb_access_node folder;
    enum comb_status status = comb_tree_filter_check(query->filter, "filter", err);

    if (status != COMB_OK)
        return status;
    if (!query->folder)
        return comb_error_field(err, "folder", "the folder is missing");
    status = comb_access_resolve(tree->use.access, ctx, query->folder, &options, &folder, err);
    if (status != COMB_OK)
        return status;
    if (!folder.node)
        return list_top(tree, ctx, query, ret_page, err);
    status = tree_need_folder(folder.node, "folder", err);
    if (status == COMB_OK)
        status = tree_list_folder(tree, ctx, &folder, query, ret_page, err);
    return status;
}
