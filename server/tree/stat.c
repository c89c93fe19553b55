/* SPDX-License-Identifier: Apache-2.0 */
/* One node and many: from facts alone, with one read more for metadata and totals. */
#include <stdlib.h>

#include "server/tree/internal.h"
#include "server/tree/metadata.h"
#include "server/tree/view.h"

enum comb_status comb_tree_with_of(const struct google_protobuf_field_mask *mask,
                                   uint32_t *ret_with, struct comb_error *err)
{
    static const struct {
        const char *path;
        uint32_t with;
    } known[] = {{"path", COMB_TREE_WITH_PATH},
                 {"totals", COMB_TREE_WITH_TOTALS},
                 {"metadata", COMB_TREE_WITH_METADATA},
                 {"rights", COMB_TREE_WITH_RIGHTS},
                 {"locks", COMB_TREE_WITH_LOCKS}};
    uint32_t with = 0;

    for (size_t i = 0; mask && i < mask->n_paths; i++) {
        size_t k = 0, n = sizeof known / sizeof known[0];

        while (k < n && strcmp(mask->paths[i], known[k].path) != 0)
            k++;
        if (k == n)
            return comb_error_field(
                err, "read_mask",
                "there is no \"%.64s\": use path, totals, metadata, rights, locks", mask->paths[i]);
        with |= known[k].with;
    }
    *ret_with = with;
    return COMB_OK;
}

enum comb_status tree_view_fill(struct comb_ctx *ctx, const struct comb_access_node *node,
                                uint32_t with, struct comb_tree_view *ret_view,
                                struct comb_error *err)
{
    struct comb_tree_view view = {.extra.path = node->path};
    enum comb_status status;

    if (!node->node) {
        /* "/", the folder of all workspaces. */
        view.node.kind = COMB_V1_NODE_KIND_FOLDER;
        view.extra.path = "/";
        *ret_view = view;
        return COMB_OK;
    }
    view.node = *node->node;
    view.extra.title = tree_title(ctx->arena, &node->chain);
    if (with & COMB_TREE_WITH_RIGHTS)
        view.extra.rights = (enum comb_v1_rights)node->rights;
    if ((with & COMB_TREE_WITH_PATH) != 0 && !view.extra.path) {
        status = comb_access_path(ctx, &node->chain, &view.extra.path, err);
        if (status != COMB_OK)
            return status;
    }
    *ret_view = view;
    return COMB_OK;
}

enum comb_status tree_view_add_details(struct comb_ctx *ctx,
                                       const struct comb_tree_details *details, uint32_t with,
                                       struct comb_tree_view *view, struct comb_error *err)
{
    struct comb_v1_tree_get_metadata_response *metadata;
    enum comb_status status;

    if (!details->found)
        return COMB_OK;
    view->node = details->node;
    view->extra.locks = details->locks;
    view->extra.n_locks = details->n_locks;
    if ((with & COMB_TREE_WITH_TOTALS) != 0 && view->node.kind == COMB_V1_NODE_KIND_FOLDER) {
        struct comb_v1_folder_totals *totals = comb_v1_folder_totals_new(ctx->arena);

        if (!totals)
            return comb_error_no_memory(err);
        totals->bytes = (uint64_t)details->totals.bytes;
        totals->files = (uint64_t)details->totals.files;
        totals->folders = (uint64_t)details->totals.folders;
        view->extra.totals = totals;
    }
    if ((with & COMB_TREE_WITH_METADATA) == 0)
        return COMB_OK;
    status = comb_tree_metadata_unpack(ctx->arena, details->meta, &metadata, err);
    if (status != COMB_OK)
        return status;
    view->extra.metadata = metadata->metadata;
    view->extra.n_metadata = metadata->n_metadata;
    return COMB_OK;
}

/* ---- one ---- */

struct stat_one {
    struct comb_tree *tree;
    struct comb_ctx *ctx;
    struct comb_access_node node;
    uint32_t with;
    struct comb_tree_view *ret_view;
    comb_facts_done done;
    void *data;
};

static const struct comb_access_options stat_options = {
    .need = COMB_V1_NEED_READ, .field = "node", .allow_top = true};

static void stat_detailed(void *data, enum comb_status status,
                          const struct comb_tree_details *details, const struct comb_error *why)
{
    struct stat_one *one = data;
    struct comb_error err = {0};

    if (status != COMB_OK)
        err = *why;
    else
        status = tree_view_add_details(one->ctx, details, one->with, one->ret_view, &err);
    one->done(one->data, status, &err);
}

static void stat_resolved(void *data, enum comb_status status, const struct comb_error *why)
{
    struct stat_one *one = data;
    struct comb_tree_store *store = one->tree->use.store;
    struct comb_error err = {0};

    if (status != COMB_OK)
        err = *why;
    else
        status = tree_view_fill(one->ctx, &one->node, one->with, one->ret_view, &err);
    if (status == COMB_OK && one->node.node && (one->with & TREE_WITH_DETAILS) != 0)
        store->driver->details(store, one->ctx, &one->node.node->id, 1,
                               (one->with & COMB_TREE_WITH_LOCKS) != 0, stat_detailed, one);
    else
        one->done(one->data, status, &err);
}

void comb_tree_stat_start(struct comb_tree *tree, struct comb_ctx *ctx,
                          const struct comb_v1_node_ref *ref, uint32_t with,
                          struct comb_tree_view *ret_view, comb_facts_done done, void *data)
{
    struct stat_one *one = grpcc_arena_zalloc(ctx->arena, sizeof *one);
    struct comb_error err;
    enum comb_status status = COMB_OK;

    if (!one)
        status = comb_error_no_memory(&err);
    else if (!ref)
        status = comb_error_field(&err, "node", "the node is missing");
    if (status != COMB_OK) {
        done(data, status, &err);
        return;
    }
    *one = (struct stat_one){
        .tree = tree, .ctx = ctx, .with = with, .ret_view = ret_view, .done = done, .data = data};
    comb_access_resolve_start(tree->use.access, ctx, ref, &stat_options, &one->node, stat_resolved,
                              one);
}

/* ---- many: one after the other, since they share the arena; what is warm takes no time ---- */

struct stat_many {
    struct comb_tree *tree;
    struct comb_ctx *ctx;
    struct comb_v1_node_ref *const *refs;
    size_t n, next;
    uint32_t with;
    struct comb_tree_result *results;
    struct comb_access_node node; /* of `next` */
    /* Set by the first of "the call has returned" and "the answer has come": the second goes on, so
     * that warm answers do not nest. */
    atomic_bool handed;
    struct comb_uuid *ids; /* whose details are wanted … */
    size_t *positions;     /* … and their places in results */
    size_t n_ids;
    comb_facts_done done;
    void *data;
};

static void many_go_on(struct stat_many *many);

static bool is_fault(enum comb_status status)
{
    return status == COMB_UNAVAILABLE || status == COMB_DEADLINE_EXCEEDED ||
           status == COMB_INTERNAL || status == COMB_CANCELLED || status == COMB_RESOURCE_EXHAUSTED;
}

static void many_detailed(void *data, enum comb_status status,
                          const struct comb_tree_details *details, const struct comb_error *why)
{
    struct stat_many *many = data;
    struct comb_error err = {0};

    if (status != COMB_OK)
        err = *why;
    for (size_t i = 0; i < many->n_ids && status == COMB_OK; i++)
        status = tree_view_add_details(many->ctx, &details[i], many->with,
                                       &many->results[many->positions[i]].view, &err);
    many->done(many->data, status, &err);
}

static void many_resolved(void *data, enum comb_status status, const struct comb_error *why)
{
    struct stat_many *many = data;
    struct comb_tree_result *result = &many->results[many->next];

    result->status = status;
    if (status != COMB_OK)
        result->err = *why;
    else
        result->status =
            tree_view_fill(many->ctx, &many->node, many->with, &result->view, &result->err);
    if (result->status == COMB_OK && many->node.node) {
        many->ids[many->n_ids] = many->node.node->id;
        many->positions[many->n_ids++] = many->next;
    }
    if (atomic_exchange(&many->handed, true))
        many_go_on(many);
}

/* Ends the batch where all is there, or where it makes no sense to go on. */
static bool many_end(struct stat_many *many)
{
    const struct comb_tree_result *last = many->next > 0 ? &many->results[many->next - 1] : NULL;
    struct comb_tree_store *store = many->tree->use.store;

    if (last && is_fault(last->status)) {
        many->done(many->data, last->status, &last->err);
        return true;
    }
    if (many->next < many->n)
        return false;
    if (many->n_ids > 0 && (many->with & TREE_WITH_DETAILS) != 0)
        store->driver->details(store, many->ctx, many->ids, many->n_ids,
                               (many->with & COMB_TREE_WITH_LOCKS) != 0, many_detailed, many);
    else
        many->done(many->data, COMB_OK, NULL);
    return true;
}

static void many_resolve(struct stat_many *many)
{
    atomic_store(&many->handed, false);
    many->node = (struct comb_access_node){0};
    comb_access_resolve_start(many->tree->use.access, many->ctx, many->refs[many->next],
                              &stat_options, &many->node, many_resolved, many);
}

/* The answer to `next` is there; asks for those behind it until one does not come at once. */
static void many_go_on(struct stat_many *many)
{
    for (;;) {
        many->next++;
        if (many_end(many))
            return;
        many_resolve(many);
        if (!atomic_exchange(&many->handed, true))
            return;
    }
}

void comb_tree_stat_many_start(struct comb_tree *tree, struct comb_ctx *ctx,
                               struct comb_v1_node_ref *const *refs, size_t n, uint32_t with,
                               struct comb_tree_result *ret_results, comb_facts_done done,
                               void *data)
{
    struct stat_many *many = grpcc_arena_zalloc(ctx->arena, sizeof *many);
    struct comb_error err;

    if (n == 0 || n > COMB_TREE_BATCH_MAX) {
        done(data, comb_error_field(&err, "nodes", "1 to %d nodes at once", COMB_TREE_BATCH_MAX),
             &err);
        return;
    }
    if (many) {
        *many = (struct stat_many){.tree = tree,
                                   .ctx = ctx,
                                   .refs = refs,
                                   .n = n,
                                   .with = with,
                                   .results = ret_results,
                                   .ids = grpcc_arena_calloc(ctx->arena, n, sizeof *many->ids),
                                   .positions =
                                       grpcc_arena_calloc(ctx->arena, n, sizeof *many->positions),
                                   .done = done,
                                   .data = data};
    }
    if (!many || !many->ids || !many->positions) {
        done(data, comb_error_no_memory(&err), &err);
        return;
    }
    many_resolve(many);
    if (atomic_exchange(&many->handed, true))
        many_go_on(many);
}

/* ---- details for who may wait ---- */

struct details_wait {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    bool is_there;
    enum comb_status status;
    const struct comb_tree_details *details;
    struct comb_error err;
};

static void details_arrived(void *data, enum comb_status status,
                            const struct comb_tree_details *details, const struct comb_error *err)
{
    struct details_wait *wait = data;

    pthread_mutex_lock(&wait->lock);
    wait->status = status;
    wait->details = details;
    if (status != COMB_OK)
        wait->err = *err;
    wait->is_there = true;
    pthread_cond_signal(&wait->arrived);
    pthread_mutex_unlock(&wait->lock);
}

enum comb_status tree_details(struct comb_tree *tree, struct comb_ctx *ctx,
                              const struct comb_uuid *ids, size_t n, bool locks,
                              const struct comb_tree_details **ret_details, struct comb_error *err)
{
    struct comb_tree_store *store = tree->use.store;
    struct details_wait wait = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                .arrived = PTHREAD_COND_INITIALIZER};

    store->driver->details(store, ctx, ids, n, locks, details_arrived, &wait);
    pthread_mutex_lock(&wait.lock);
    /* The store answers on deadline and close too. */
    while (!wait.is_there)
        pthread_cond_wait(&wait.arrived, &wait.lock);
    pthread_mutex_unlock(&wait.lock);
    pthread_cond_destroy(&wait.arrived);
    pthread_mutex_destroy(&wait.lock);
    if (wait.status != COMB_OK) {
        if (err)
            *err = wait.err;
        return wait.status;
    }
    *ret_details = wait.details;
    return COMB_OK;
}
