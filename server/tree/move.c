/* SPDX-License-Identifier: Apache-2.0 */
/* Moves and renames. */
#include "server/tree/internal.h"
#include "server/tree/place.h"

struct move {
    struct comb_tree *tree;
    const struct comb_v1_tree_move_request *request;
    bool decided; /* before: the write did not go through */
    struct comb_tree_written written;
};

/* Where it goes to, and under which name. */
static enum comb_status find_target(struct move *move, struct comb_ctx *ctx, struct comb_plan *plan,
                                    const struct comb_access_node *node,
                                    struct tree_place *ret_target, struct comb_error *err)
{
    const struct comb_v1_tree_move_request *request = move->request;
    struct tree_place target = {.name = comb_str_from(request->target_name)};
    enum comb_status status;

    if (comb_str_is_empty(target.name))
        target.name = node->node->name;
    else if ((status = tree_name_check(target.name, "target_name", err)) != COMB_OK)
        return status;
    if (request->target_parent) {
        status = tree_place_resolve(move->tree, ctx, plan, request->target_parent, "target_parent",
                                    &target, err);
        if (status != COMB_OK)
            return status;
    } else {
        target.links = node->chain.links + 1;
        target.n_links = node->chain.n_links - 1;
        target.path = tree_path_parent(ctx->arena, node->path);
    }
    *ret_target = target;
    return COMB_OK;
}

/* Recycles what has the name at the target, where the request says so. */
static enum comb_status replace(struct move *move, struct comb_ctx *ctx, struct comb_plan *plan,
                                const struct comb_access_node *node,
                                const struct comb_node *existing, struct comb_error *err)
{
    const struct comb_access_options options = {.need = COMB_V1_NEED_WRITE, .field = "target_name"};
    const struct comb_tree_claim claim = tree_claim_of(ctx, move->request->replaced_lock_token);
    struct comb_access_node replaced;
    enum comb_status status;

    if (move->request->conflict != COMB_V1_MOVE_CONFLICT_REPLACE)
        return tree_name_taken(existing->name, "target_name", err);
    for (size_t i = 0; i < node->chain.n_links; i++) {
        if (comb_uuid_equal(&node->chain.links[i].node->id, &existing->id))
            return comb_error_set_subject(err, COMB_FAILED_PRECONDITION,
                                          COMB_V1_ERROR_REASON_MOVE_INTO_SELF, "target_name",
                                          "a node cannot replace the folder that it lies in");
    }
    if (existing->kind != node->node->kind)
        return comb_error_set_subject(
            err, COMB_FAILED_PRECONDITION,
            existing->kind == COMB_V1_NODE_KIND_FOLDER ? COMB_V1_ERROR_REASON_NOT_A_FILE
                                                       : COMB_V1_ERROR_REASON_NOT_A_FOLDER,
            "target_name", "a file replaces only a file, a folder only a folder");
    status = tree_resolve_id(move->tree, ctx, &existing->id, &options, &replaced, err);
    /* Unreadable, but the name is taken all the same. */
    if (status == COMB_NOT_FOUND)
        return tree_name_taken(existing->name, "target_name", err);
    if (status == COMB_OK)
        status = tree_claim_check(move->tree, ctx, plan, &replaced, &claim, "target_name", err);
    if (status == COMB_OK)
        status = comb_tree_plan_decision(ctx, plan, &replaced.decision, err);
    if (status == COMB_OK)
        status = comb_tree_plan_recycle(move->tree, ctx, plan, &replaced.chain, &claim, NULL, err);
    return status;
}

static enum comb_status check_target(const struct comb_access_node *node,
                                     const struct tree_place *target, struct comb_error *err)
{
    for (size_t i = 0; i < target->n_links; i++) {
        if (comb_uuid_equal(&target->links[i].node->id, &node->node->id))
            return comb_error_set_subject(err, COMB_FAILED_PRECONDITION,
                                          COMB_V1_ERROR_REASON_MOVE_INTO_SELF, "target_parent",
                                          "a folder cannot be moved into itself or below itself");
    }
    return tree_need_depth(target->n_links + 1, "target_parent", err);
}

static enum comb_status plan_move(struct move *move, struct comb_ctx *ctx, struct comb_plan *plan,
                                  const struct comb_access_node *node,
                                  const struct tree_place *target,
                                  const struct comb_tree_claim *claim, struct comb_error *err)
{
    const struct tree_placing placing = {
        .kind = COMB_FEED_NODE_MOVED, .chain = &node->chain, .to = target, .claim = claim};
    enum comb_status status =
        tree_plan_placing(move->tree, ctx, plan, &placing, &move->written.node, err);

    if (status == COMB_OK)
        status = comb_tree_outcome_pack(ctx, &move->written.node, false, &plan->outcome, err);
    return status;
}

static bool is_at(const struct comb_node *node, const struct tree_place *place)
{
    return comb_uuid_equal(&node->parent, &place->links[0].node->id) &&
           comb_str_equal(node->name, place->name);
}

static enum comb_status move_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    struct move *move = data;
    const struct comb_access_options options = {.need = COMB_V1_NEED_WRITE, .field = "node"};
    const struct comb_tree_claim claim = tree_claim_of(ctx, move->request->lock_token);
    struct comb_access_node node;
    const struct comb_node *existing = NULL;
    struct tree_place target;
    bool presume_free = !move->decided && move->request->conflict != COMB_V1_MOVE_CONFLICT_REPLACE;
    enum comb_status status =
        tree_resolve_change(move->tree, ctx, plan, move->request->node, &options,
                            move->request->expected_etag, &node, err);

    if (status == COMB_OK)
        status = tree_claim_check(move->tree, ctx, plan, &node, &claim, "node", err);
    if (status == COMB_OK)
        status = find_target(move, ctx, plan, &node, &target, err);
    if (status == COMB_OK)
        status = check_target(&node, &target, err);
    /* What is there already has its name to itself. */
    if (status == COMB_OK && !is_at(node.node, &target))
        status = tree_place_existing(move->tree, ctx, &target, presume_free, &existing, err);
    if (status != COMB_OK)
        return status;
    move->decided = true;
    move->written = (struct comb_tree_written){.node = *node.node};
    if (target.path) {
        move->written.path = tree_path_join(ctx->arena, target.path, target.name);
        if (!move->written.path)
            return comb_error_no_memory(err);
    }
    if (is_at(node.node, &target)) {
        plan->n_decisions = 0;
        return COMB_OK;
    }
    if (existing && comb_uuid_equal(&existing->id, &node.node->id))
        return comb_error_set(err, COMB_ABORTED, COMB_V1_ERROR_REASON_CONTENTION,
                              "the node is being moved by others");
    if (existing)
        status = replace(move, ctx, plan, &node, existing, err);
    if (status == COMB_OK)
        status = plan_move(move, ctx, plan, &node, &target, &claim, err);
    return status;
}

static enum comb_status move_decide_fresh(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                          struct comb_error *err)
{
    struct move *move = data;

    return comb_tree_decide(move->tree, move_decide, move, ctx, plan, err);
}

enum comb_status comb_tree_move(struct comb_tree *tree, struct comb_ctx *ctx,
                                const struct comb_request_key *key,
                                const struct comb_v1_tree_move_request *request,
                                struct comb_tree_changed *ret_changed, struct comb_error *err)
{
    struct move move = {.tree = tree, .request = request};

    if (request->conflict < COMB_V1_MOVE_CONFLICT_UNSPECIFIED ||
        request->conflict > COMB_V1_MOVE_CONFLICT_REPLACE)
        return comb_error_field(err, "conflict", "%d is not known: use FAIL or REPLACE",
                                (int)request->conflict);
    return tree_mutate(tree, ctx, key, move_decide_fresh, &move, &move.written, ret_changed, err);
}
