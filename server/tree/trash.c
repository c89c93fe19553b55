/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting and restoring. */
#include "server/tree/place.h"

struct deletion {
    struct comb_tree *tree;
    const struct comb_v1_tree_delete_request *request;
    struct comb_tree_written written;
};

static enum comb_status delete_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    struct deletion *deletion = data;
    bool permanently = deletion->request->permanently;
    /* What is in the bin already can only be deleted for good. */
    const struct comb_access_options options = {
        .need = COMB_V1_NEED_WRITE, .field = "node", .allow_recycled = permanently};
    const struct comb_tree_claim claim = tree_claim_of(ctx, deletion->request->lock_token);
    struct comb_access_node node;
    enum comb_status status =
        tree_resolve_change(deletion->tree, ctx, plan, deletion->request->node, &options,
                            deletion->request->expected_etag, &node, err);

    if (status == COMB_OK)
        status = tree_claim_check(deletion->tree, ctx, plan, &node, &claim, "node", err);
    if (status != COMB_OK)
        return status;
    deletion->written = (struct comb_tree_written){.created = false};
    if (permanently) {
        const struct tree_placing placing = {
            .kind = COMB_FEED_NODE_DELETED, .chain = &node.chain, .claim = &claim};

        status =
            tree_plan_placing(deletion->tree, ctx, plan, &placing, &deletion->written.node, err);
    } else {
        plan->kind = COMB_SQL_WRITE;
        status = comb_tree_plan_recycle(deletion->tree, ctx, plan, &node.chain, &claim,
                                        &deletion->written.node, err);
    }
    if (status == COMB_OK)
        status = comb_tree_outcome_pack(ctx, &deletion->written.node, false, &plan->outcome, err);
    return status;
}

static enum comb_status delete_decide_fresh(void *data, struct comb_ctx *ctx,
                                            struct comb_plan *plan, struct comb_error *err)
{
    struct deletion *deletion = data;

    return comb_tree_decide(deletion->tree, delete_decide, deletion, ctx, plan, err);
}

enum comb_status comb_tree_delete(struct comb_tree *tree, struct comb_ctx *ctx,
                                  const struct comb_request_key *key,
                                  const struct comb_v1_tree_delete_request *request,
                                  struct comb_tree_changed *ret_changed, struct comb_error *err)
{
    struct deletion deletion = {.tree = tree, .request = request};

    return tree_mutate(tree, ctx, key, delete_decide_fresh, &deletion, &deletion.written,
                       ret_changed, err);
}

struct restoration {
    struct comb_tree *tree;
    const struct comb_v1_tree_restore_request *request;
    struct comb_tree_written written;
};

static enum comb_status no_target(struct comb_error *err, const char *why)
{
    return comb_error_set_subject(err, COMB_FAILED_PRECONDITION,
                                  COMB_V1_ERROR_REASON_RESTORE_TARGET, "target_parent",
                                  "%s: give a target", why);
}

/* The place given, or the one where it was. */
static enum comb_status find_place(struct restoration *restoration, struct comb_ctx *ctx,
                                   struct comb_plan *plan, const struct comb_node *node,
                                   struct tree_place *place, struct comb_error *err)
{
    const struct comb_v1_tree_restore_request *request = restoration->request;
    struct comb_v1_node_ref *ref = request->target_parent;
    enum comb_status status;

    place->name = node->trash_name;
    if (request->target_name[0] != '\0') {
        place->name = comb_str_from(request->target_name);
        status = tree_name_check(place->name, "target_name", err);
        if (status != COMB_OK)
            return status;
    }
    if (ref)
        return tree_place_resolve(restoration->tree, ctx, plan, ref, "target_parent", place, err);
    ref = comb_v1_node_ref_new(ctx->arena);
    if (!ref)
        return comb_error_no_memory(err);
    comb_v1_node_ref_set_id(ref, comb_uuid_text(ctx->arena, &node->trash_parent));
    status = tree_place_resolve(restoration->tree, ctx, plan, ref, "node", place, err);
    if (status == COMB_NOT_FOUND)
        return no_target(err, "the folder that held the node is gone");
    return status;
}

static enum comb_status restore_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                       struct comb_error *err)
{
    struct restoration *restoration = data;
    const struct comb_v1_tree_restore_request *request = restoration->request;
    const struct comb_access_options options = {
        .need = COMB_V1_NEED_WRITE, .field = "node", .allow_recycled = true};
    struct tree_place place = {0};
    const struct comb_tree_claim claim = tree_claim_of(ctx, request->lock_token);
    struct tree_placing placing = {.kind = COMB_FEED_NODE_RESTORED, .to = &place, .claim = &claim};
    struct comb_access_node node;
    const struct comb_node *existing;
    enum comb_status status = tree_resolve_change(restoration->tree, ctx, plan, request->node,
                                                  &options, request->expected_etag, &node, err);

    if (status == COMB_OK)
        status = tree_claim_check(restoration->tree, ctx, plan, &node, &claim, "node", err);
    if (status != COMB_OK)
        return status;
    if (!node.chain.recycled || comb_uuid_is_nil(&node.node->trash_parent) ||
        node.chain.n_links != 2)
        return comb_error_set_subject(err, COMB_FAILED_PRECONDITION,
                                      COMB_V1_ERROR_REASON_NOT_RECYCLED, "node",
                                      "the node itself has not been deleted");
    status = find_place(restoration, ctx, plan, node.node, &place, err);
    if (status == COMB_OK)
        status = tree_need_depth(place.n_links + 1, "target_parent", err);
    if (status == COMB_OK)
        status = tree_place_existing(restoration->tree, ctx, &place, false, &existing, err);
    if (status != COMB_OK)
        return status;
    if (existing && !request->target_parent && request->target_name[0] == '\0')
        return no_target(err, "the folder that held the node has another one of that name");
    if (existing)
        return tree_name_taken(place.name, "target_name", err);
    restoration->written = (struct comb_tree_written){.created = false};
    if (place.path)
        restoration->written.path = tree_path_join(ctx->arena, place.path, place.name);
    placing.chain = &node.chain;
    status =
        tree_plan_placing(restoration->tree, ctx, plan, &placing, &restoration->written.node, err);
    if (status == COMB_OK)
        status =
            comb_tree_outcome_pack(ctx, &restoration->written.node, false, &plan->outcome, err);
    return status;
}

static enum comb_status restore_decide_fresh(void *data, struct comb_ctx *ctx,
                                             struct comb_plan *plan, struct comb_error *err)
{
    struct restoration *restoration = data;

    return comb_tree_decide(restoration->tree, restore_decide, restoration, ctx, plan, err);
}

enum comb_status comb_tree_restore(struct comb_tree *tree, struct comb_ctx *ctx,
                                   const struct comb_request_key *key,
                                   const struct comb_v1_tree_restore_request *request,
                                   struct comb_tree_changed *ret_changed, struct comb_error *err)
{
    struct restoration restoration = {.tree = tree, .request = request};

    return tree_mutate(tree, ctx, key, restore_decide_fresh, &restoration, &restoration.written,
                       ret_changed, err);
}
