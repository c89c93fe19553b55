/* SPDX-License-Identifier: Apache-2.0 */
/* Folds the feed into the totals of folders: an ordered consumer whose cursor is written with what
 * it adds. */
#include "server/core/map.h"
#include "server/tree/feed_view.h"

#define FOLD_MAX 500
/* Folders that one fold can touch: each entry those above its node, before and after. */
#define FOLDERS_MAX (FOLD_MAX * 2 * (COMB_PATH_DEPTH_MAX + 2))

struct fold {
    struct comb_ctx *ctx;
    struct comb_map map; /* id -> struct comb_tree_total_delta in the arena */
    /* Folders that changed their place, with their totals before this fold. */
    struct comb_uuid *moved;
    size_t n_moved;
    const struct comb_tree_details *moved_details;
    size_t moved_next;
    bool deleted; /* something waits for the purge */
};

static bool same_ids(const struct comb_feed_entry *entry)
{
    return entry->n_ancestors == entry->n_old_ancestors &&
           (entry->n_ancestors == 0 || memcmp(entry->ancestors, entry->old_ancestors,
                                              entry->n_ancestors * sizeof *entry->ancestors) == 0);
}

/* Whether totals follow the node from one chain to another. */
static bool carries(const struct comb_feed_entry *entry)
{
    switch (entry->kind) {
    case COMB_FEED_NODE_MOVED:
    case COMB_FEED_NODE_RECYCLED:
    case COMB_FEED_NODE_RESTORED:
    case COMB_FEED_NODE_DELETED:
        return !same_ids(entry);
    default:
        return false;
    }
}

static enum comb_status delta_of(struct fold *fold, const struct comb_uuid *folder,
                                 struct comb_tree_totals **ret_delta, struct comb_error *err)
{
    struct comb_tree_total_delta *delta = comb_map_get(&fold->map, comb_uuid_bytes(folder));
    enum comb_status status;

    if (!delta) {
        delta = grpcc_arena_zalloc(fold->ctx->arena, sizeof *delta);
        if (!delta)
            return comb_error_no_memory(err);
        delta->folder = *folder;
        status = comb_map_put(&fold->map, comb_uuid_bytes(folder), delta, err);
        if (status != COMB_OK)
            return status;
    }
    *ret_delta = &delta->delta;
    return COMB_OK;
}

static enum comb_status add(struct fold *fold, const struct comb_uuid *folders, size_t n,
                            const struct comb_tree_totals *amount, int sign, struct comb_error *err)
{
    for (size_t i = 0; i < n; i++) {
        struct comb_tree_totals *delta;
        enum comb_status status = delta_of(fold, &folders[i], &delta, err);

        if (status != COMB_OK)
            return status;
        delta->bytes += sign * amount->bytes;
        delta->files += sign * amount->files;
        delta->folders += sign * amount->folders;
    }
    return COMB_OK;
}

/* What a node weighs in the folders above it, at this point of the feed. */
static enum comb_status weight_of(struct fold *fold, const struct comb_feed_entry *entry,
                                  const struct comb_v1_node *node,
                                  struct comb_tree_totals *ret_weight, struct comb_error *err)
{
    const struct comb_tree_totals *stored;
    struct comb_tree_totals *delta;
    enum comb_status status;

    if (node->kind == COMB_V1_NODE_KIND_FILE) {
        *ret_weight = (struct comb_tree_totals){.bytes = (int64_t)node->size, .files = 1};
        return COMB_OK;
    }
    *ret_weight = (struct comb_tree_totals){.folders = 1};
    if (!carries(entry))
        return COMB_OK;
    stored = &fold->moved_details[fold->moved_next++].totals;
    status = delta_of(fold, &entry->subject, &delta, err);
    if (status != COMB_OK)
        return status;
    ret_weight->bytes += stored->bytes + delta->bytes;
    ret_weight->files += stored->files + delta->files;
    ret_weight->folders += stored->folders + delta->folders;
    return COMB_OK;
}

static enum comb_status fold_entry(struct fold *fold, const struct comb_feed_entry *entry,
                                   struct comb_error *err)
{
    const struct comb_tree_totals content = {.bytes = entry->bytes_delta};
    struct comb_tree_totals weight;
    struct comb_v1_node *node;
    enum comb_status status;

    if (entry->kind == COMB_FEED_NODE_DELETED)
        fold->deleted = true;
    if (entry->kind == COMB_FEED_NODE_CONTENT)
        return add(fold, entry->ancestors, entry->n_ancestors, &content, 1, err);
    if (entry->kind != COMB_FEED_NODE_CREATED && !carries(entry))
        return COMB_OK;
    status = tree_feed_node(fold->ctx, entry, &node, err);
    if (status == COMB_OK)
        status = weight_of(fold, entry, node, &weight, err);
    if (status == COMB_OK && carries(entry))
        status = add(fold, entry->old_ancestors, entry->n_old_ancestors, &weight, -1, err);
    if (status == COMB_OK)
        status = add(fold, entry->ancestors, entry->n_ancestors, &weight, 1, err);
    return status;
}

/* Reads the totals of all folders that move in these entries, in their order. */
static enum comb_status read_moved(struct comb_tree *tree, struct fold *fold,
                                   const struct comb_feed_record *records, size_t n,
                                   struct comb_error *err)
{
    fold->moved = grpcc_arena_calloc(fold->ctx->arena, n, sizeof *fold->moved);
    if (!fold->moved)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        struct comb_v1_node *node;
        enum comb_status status;

        if (!carries(&records[i].entry))
            continue;
        status = tree_feed_node(fold->ctx, &records[i].entry, &node, err);
        if (status != COMB_OK)
            return status;
        if (node->kind == COMB_V1_NODE_KIND_FOLDER)
            fold->moved[fold->n_moved++] = records[i].entry.subject;
    }
    if (fold->n_moved == 0)
        return COMB_OK;
    return tree_details(tree, fold->ctx, fold->moved, fold->n_moved, false, &fold->moved_details,
                        err);
}

static enum comb_status write_deltas(struct comb_tree *tree, struct fold *fold,
                                     struct comb_cursor before, struct comb_cursor after,
                                     struct comb_error *err)
{
    struct comb_tree_store *store = tree->use.store;
    struct comb_map_cursor cursor = {0};
    struct comb_tree_total_delta *deltas;
    comb_str key;
    size_t n = 0;
    void *value;

    deltas = grpcc_arena_calloc(fold->ctx->arena, fold->map.n + 1, sizeof *deltas);
    if (!deltas)
        return comb_error_no_memory(err);
    while (comb_map_next(&fold->map, &cursor, &key, &value)) {
        const struct comb_tree_total_delta *delta = value;

        if (delta->delta.bytes || delta->delta.files || delta->delta.folders)
            deltas[n++] = *delta;
    }
    return store->driver->totals_apply(store, fold->ctx, deltas, n, before, after, err);
}

static enum comb_status fold_records(struct comb_tree *tree, struct fold *fold,
                                     const struct comb_feed_record *records, size_t n,
                                     struct comb_error *err)
{
    enum comb_status status = read_moved(tree, fold, records, n, err);

    for (size_t i = 0; i < n && status == COMB_OK; i++)
        status = fold_entry(fold, &records[i].entry, err);
    return status;
}

enum comb_status tree_totals_fold(struct comb_tree *tree, struct comb_ctx *ctx, bool *ret_more,
                                  struct comb_error *err)
{
    struct comb_tree_store *store = tree->use.store;
    struct fold fold = {.ctx = ctx};
    struct comb_cursor before, from;
    struct comb_feed_page page;
    enum comb_status status = store->driver->totals_position(store, ctx, &before, err);

    if (status != COMB_OK)
        return status;
    from = before;
    if (from.incarnation == 0)
        from.incarnation = comb_sql_incarnation(tree->use.sql);
    status = comb_feed_read(tree->use.sql, ctx, from, FOLD_MAX, &page, err);
    *ret_more = status == COMB_OK && page.n == FOLD_MAX;
    if (status == COMB_OUT_OF_RANGE || status == COMB_INVALID_ARGUMENT)
        /* The feed no longer goes back that far, or is another one's. */
        return store->driver->totals_rebuild(store, ctx, before, err);
    if (status != COMB_OK)
        return status;
    if (page.n == 0) {
        tree->folded = page.complete;
        return COMB_OK;
    }
    comb_map_init(&fold.map, FOLDERS_MAX, NULL);
    status = fold_records(tree, &fold, page.records, page.n, err);
    if (status == COMB_OK)
        status = write_deltas(tree, &fold, before, page.end, err);
    comb_map_done(&fold.map);
    if (status != COMB_OK)
        return status;
    tree->folded = page.complete;
    tree->purge_due = tree->purge_due || fold.deleted;
    return COMB_OK;
}
