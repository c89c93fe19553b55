/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata of a node, read and written. */
#include "server/tree/internal.h"
#include "server/tree/metadata.h"

struct annotation {
    struct comb_tree *tree;
    const struct comb_v1_tree_set_metadata_request *request;
    struct comb_tree_written written;
    comb_str meta; /* as it will be */
};

/* What the node has, at the revision that the guard will compare. Facts may be older than the row
 * that was read: then the row counts, whose place the decision guards all the same. */
static enum comb_status read_row(struct annotation *annotation, struct comb_ctx *ctx,
                                 const struct comb_access_node *node,
                                 const struct comb_tree_details **ret_details,
                                 struct comb_error *err)
{
    enum comb_status status =
        tree_details(annotation->tree, ctx, &node->node->id, 1, false, ret_details, err);

    if (status == COMB_OK && !(*ret_details)->found)
        return comb_error_set_subject(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_NODE_NOT_FOUND,
                                      "node", "there is no such node");
    return status;
}

static enum comb_status annotate_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                        struct comb_error *err)
{
    struct annotation *annotation = data;
    const struct comb_v1_tree_set_metadata_request *request = annotation->request;
    const struct comb_access_options options = {.need = COMB_V1_NEED_WRITE, .field = "node"};
    const struct comb_tree_metadata_change change = {.set = request->set,
                                                     .n_set = request->n_set,
                                                     .remove = request->remove,
                                                     .n_remove = request->n_remove};
    const struct comb_tree_claim claim = tree_claim_of(ctx, request->lock_token);
    struct comb_tree *tree = annotation->tree;
    const struct comb_tree_details *details;
    struct comb_access_node node;
    struct comb_node after;
    struct tree_feed feed = {.kind = COMB_FEED_NODE_METADATA, .node = &after};
    enum comb_status status =
        comb_access_resolve(tree->use.access, ctx, request->node, &options, &node, err);

    if (status == COMB_OK)
        status = tree_claim_check(tree, ctx, plan, &node, &claim, "node", err);
    if (status == COMB_OK)
        status = read_row(annotation, ctx, &node, &details, err);
    if (status == COMB_OK)
        status = comb_tree_etag_check(&details->node, comb_str_from(request->expected_etag),
                                      "expected_etag", err);
    if (status == COMB_OK)
        status =
            comb_tree_metadata_apply(ctx->arena, details->meta, &change, &annotation->meta, err);
    if (status != COMB_OK)
        return status;
    annotation->written = (struct comb_tree_written){.node = details->node, .path = node.path};
    if (comb_str_equal(annotation->meta, details->meta))
        return COMB_OK;
    after = details->node;
    after.revision++;
    after.update_us = plan->now_us;
    annotation->written.node = after;
    feed.n_ancestors = node.chain.n_links - 1;
    feed.ancestors = tree_chain_ids(ctx->arena, node.chain.links + 1, feed.n_ancestors);
    if (!feed.ancestors)
        return comb_error_no_memory(err);
    plan->kind = COMB_SQL_WRITE;
    status = comb_tree_plan_decision(ctx, plan, &node.decision, err);
    if (status == COMB_OK)
        status = tree->use.store->driver->plan_meta(tree->use.store, ctx, plan, &after,
                                                    details->node.revision, &claim,
                                                    annotation->meta, err);
    if (status == COMB_OK)
        status = tree_plan_feed(ctx, plan, &feed, err);
    if (status == COMB_OK)
        status = comb_tree_outcome_pack(ctx, &after, false, &plan->outcome, err);
    return status;
}

static enum comb_status annotate_decide_fresh(void *data, struct comb_ctx *ctx,
                                              struct comb_plan *plan, struct comb_error *err)
{
    struct annotation *annotation = data;

    return comb_tree_decide(annotation->tree, annotate_decide, annotation, ctx, plan, err);
}

/* The answer shows the metadata: as written, or for a repetition as it is. */
static enum comb_status show(struct annotation *annotation, struct comb_ctx *ctx,
                             struct comb_tree_changed *changed, struct comb_error *err)
{
    struct comb_v1_tree_get_metadata_response *metadata;
    bool replayed = changed->view.node.revision != annotation->written.node.revision ||
                    comb_uuid_is_nil(&annotation->written.node.id);
    enum comb_status status = COMB_OK;

    if (replayed) {
        const struct comb_tree_details *details;

        status =
            tree_details(annotation->tree, ctx, &changed->view.node.id, 1, false, &details, err);
        if (status != COMB_OK)
            return status;
        annotation->meta = (comb_str){0};
        /* Without a kind it is only what the outcome kept: he may no longer read it. */
        if (changed->view.node.kind != COMB_V1_NODE_KIND_UNSPECIFIED)
            annotation->meta = details->meta;
    }
    status = comb_tree_metadata_unpack(ctx->arena, annotation->meta, &metadata, err);
    if (status != COMB_OK)
        return status;
    changed->view.extra.metadata = metadata->metadata;
    changed->view.extra.n_metadata = metadata->n_metadata;
    return COMB_OK;
}

enum comb_status comb_tree_set_metadata(struct comb_tree *tree, struct comb_ctx *ctx,
                                        const struct comb_request_key *key,
                                        const struct comb_v1_tree_set_metadata_request *request,
                                        struct comb_tree_changed *ret_changed,
                                        struct comb_error *err)
{
    struct annotation annotation = {.tree = tree, .request = request};
    struct comb_tree_changed changed;
    enum comb_status status = comb_tree_metadata_check(request->set, request->n_set, "set", err);

    if (status == COMB_OK)
        status =
            comb_tree_metadata_check_keys(request->remove, request->n_remove, true, "remove", err);
    if (status == COMB_OK && !request->node)
        status = comb_error_field(err, "node", "the node is missing");
    if (status == COMB_OK)
        status = tree_mutate(tree, ctx, key, annotate_decide_fresh, &annotation,
                             &annotation.written, &changed, err);
    if (status == COMB_OK)
        status = show(&annotation, ctx, &changed, err);
    if (status == COMB_OK)
        *ret_changed = changed;
    return status;
}

static bool is_asked(const struct comb_v1_metadata *piece,
                     const struct comb_v1_tree_get_metadata_request *request)
{
    for (size_t i = 0; i < request->n_keys; i++) {
        if (comb_tree_metadata_is_named(piece, request->keys[i]))
            return true;
    }
    return request->n_keys == 0;
}

enum comb_status comb_tree_get_metadata(struct comb_tree *tree, struct comb_ctx *ctx,
                                        const struct comb_v1_tree_get_metadata_request *request,
                                        struct comb_v1_tree_get_metadata_response **ret_response,
                                        struct comb_error *err)
{
    const struct comb_access_options options = {.need = COMB_V1_NEED_READ, .field = "node"};
    struct comb_v1_tree_get_metadata_response *stored,
        *response = comb_v1_tree_get_metadata_response_new(ctx->arena);
    const struct comb_tree_details *details;
    struct comb_access_node node;
    char etag[COMB_TREE_ETAG_SIZE];
    enum comb_status status =
        comb_tree_metadata_check_keys(request->keys, request->n_keys, false, "keys", err);

    if (status != COMB_OK)
        return status;
    if (!request->node)
        return comb_error_field(err, "node", "the node is missing");
    status = comb_access_resolve(tree->use.access, ctx, request->node, &options, &node, err);
    if (status == COMB_OK)
        status = tree_details(tree, ctx, &node.node->id, 1, false, &details, err);
    if (status == COMB_OK)
        status = comb_tree_metadata_unpack(ctx->arena, details->meta, &stored, err);
    if (status != COMB_OK)
        return status;
    if (!response)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < stored->n_metadata; i++) {
        if (is_asked(stored->metadata[i], request) &&
            !comb_v1_tree_get_metadata_response_add_metadata(ctx->arena, response,
                                                             stored->metadata[i]))
            return comb_error_no_memory(err);
    }
    comb_tree_etag(details->found ? &details->node : node.node, etag);
    comb_v1_tree_get_metadata_response_set_etag(response, grpcc_arena_strdup(ctx->arena, etag));
    if (grpcc_arena_failed(ctx->arena))
        return comb_error_no_memory(err);
    *ret_response = response;
    return COMB_OK;
}
