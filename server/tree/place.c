/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tree/place.h"

enum comb_status tree_resolve_id(struct comb_tree *tree, struct comb_ctx *ctx,
                                 const struct comb_uuid *id,
                                 const struct comb_access_options *options,
                                 struct comb_access_node *ret_node, struct comb_error *err)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(ctx->arena);
    const char *text = comb_uuid_text(ctx->arena, id);

    if (!ref || !text)
        return comb_error_no_memory(err);
    comb_v1_node_ref_set_id(ref, text);
    return comb_access_resolve(tree->use.access, ctx, ref, options, ret_node, err);
}

/* Moves and deletions take a name out of a folder: that is a write to it. A bin asks nothing. */
static enum comb_status need_parent(struct comb_tree *tree, struct comb_ctx *ctx,
                                    const struct comb_access_node *node, const char *field,
                                    struct comb_error *err)
{
    struct comb_fact_chain chain;
    int rights;
    enum comb_status status;

    if (node->chain.recycled)
        return COMB_OK;
    status = comb_access_rights(tree->use.access, ctx, &node->node->parent, &rights, &chain, err);
    if (status != COMB_OK || (rights & COMB_V1_RIGHTS_WRITE) != 0)
        return status;
    return comb_error_set_subject(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_RIGHT_MISSING,
                                  field, "write is needed on the folder that holds the node too");
}

/* Write on the node; of what lies in a bin, the place that it came from may be gone for good, and
 * nobody's rights with it: then who owns the workspace decides. */
static enum comb_status resolve_to_change(struct comb_tree *tree, struct comb_ctx *ctx,
                                          const struct comb_v1_node_ref *ref,
                                          const struct comb_access_options *options,
                                          struct comb_access_node *ret_node, struct comb_error *err)
{
    struct comb_access_options owner = *options;
    struct comb_access_node node;
    enum comb_status status =
        comb_access_resolve(tree->use.access, ctx, ref, options, ret_node, err);

    if (status != COMB_PERMISSION_DENIED || !options->allow_recycled)
        return status;
    owner.need = COMB_V1_NEED_MANAGE;
    if (comb_access_resolve(tree->use.access, ctx, ref, &owner, &node, NULL) != COMB_OK ||
        !node.chain.recycled)
        return status;
    ctx->authorised |= 1u << COMB_V1_NEED_WRITE;
    *ret_node = node;
    return COMB_OK;
}

enum comb_status tree_resolve_change(struct comb_tree *tree, struct comb_ctx *ctx,
                                     struct comb_plan *plan, const struct comb_v1_node_ref *ref,
                                     const struct comb_access_options *options, const char *etag,
                                     struct comb_access_node *ret_node, struct comb_error *err)
{
    struct comb_access_node node;
    enum comb_status status;

    if (!ref)
        return comb_error_field(err, options->field, "the node is missing");
    status = resolve_to_change(tree, ctx, ref, options, &node, err);
    if (status != COMB_OK)
        return status;
    if (node.chain.n_links < 2)
        return comb_error_set_subject(err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_IS_ROOT,
                                      options->field,
                                      "the root of a workspace cannot be moved or deleted");
    status = need_parent(tree, ctx, &node, options->field, err);
    if (status == COMB_OK)
        status = comb_tree_etag_check(node.node, comb_str_from(etag), "expected_etag", err);
    if (status == COMB_OK)
        status = comb_tree_plan_decision(ctx, plan, &node.decision, err);
    if (status == COMB_OK)
        *ret_node = node;
    return status;
}

enum comb_status tree_place_resolve(struct comb_tree *tree, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_v1_node_ref *ref,
                                    const char *field, struct tree_place *place,
                                    struct comb_error *err)
{
    const struct comb_access_options options = {.need = COMB_V1_NEED_WRITE, .field = field};
    struct comb_access_node folder;
    enum comb_status status =
        comb_access_resolve(tree->use.access, ctx, ref, &options, &folder, err);

    if (status == COMB_OK)
        status = tree_need_folder(folder.node, field, err);
    if (status == COMB_OK)
        status = comb_tree_plan_decision(ctx, plan, &folder.decision, err);
    if (status != COMB_OK)
        return status;
    place->links = folder.chain.links;
    place->n_links = folder.chain.n_links;
    place->path = folder.path;
    return COMB_OK;
}

enum comb_status tree_place_existing(struct comb_tree *tree, struct comb_ctx *ctx,
                                     const struct tree_place *place, bool presume_free,
                                     const struct comb_node **ret_existing, struct comb_error *err)
{
    const struct comb_facts_question question = {.start = &place->links[0].node->id,
                                                 .parts = &place->name,
                                                 .n_parts = 1,
                                                 .presume_free = presume_free};
    struct comb_facts_answer answer;
    enum comb_status status =
        comb_facts_resolve_wait(tree->use.facts, ctx, &question, &answer, err);

    if (status == COMB_OK)
        *ret_existing =
            answer.chain.found && answer.chain.n_links > 0 ? answer.chain.links[0].node : NULL;
    return status;
}

/* The node as it will be; its name and place are the caller's. */
static struct comb_node placed(const struct comb_plan *plan, const struct comb_node *before)
{
    struct comb_node node = *before;

    node.revision = before->revision + 1;
    node.update_us = plan->now_us;
    node.trash_parent = node.trash_by = (struct comb_uuid){{0}};
    node.trash_name = (comb_str){0};
    node.trash_us = 0;
    return node;
}

enum comb_status tree_plan_placing(struct comb_tree *tree, struct comb_ctx *ctx,
                                   struct comb_plan *plan, const struct tree_placing *placing,
                                   struct comb_node *ret_node, struct comb_error *err)
{
    const struct comb_fact_chain *chain = placing->chain;
    const struct comb_node *before = chain->links[0].node;
    struct comb_node node = placed(plan, before);
    struct tree_feed feed = {.kind = placing->kind,
                             .node = &node,
                             .before = before,
                             .old_ancestors =
                                 tree_chain_ids(ctx->arena, chain->links + 1, chain->n_links - 1),
                             .n_old_ancestors = chain->n_links - 1};
    bool locked = false;
    enum comb_status status;

    if (placing->to) {
        node.parent = placing->to->links[0].node->id;
        node.name = placing->to->name;
        feed.ancestors = tree_chain_ids(ctx->arena, placing->to->links, placing->to->n_links);
        feed.n_ancestors = placing->to->n_links;
        locked = node.kind == COMB_V1_NODE_KIND_FOLDER &&
                 !comb_uuid_equal(&node.parent, &before->parent);
    } else {
        node.parent = comb_node_purge;
        node.name = comb_str_from(comb_uuid_text(ctx->arena, &before->id));
    }
    if (grpcc_arena_failed(ctx->arena))
        return comb_error_no_memory(err);
    plan->kind = locked ? COMB_SQL_WRITE_LOCKED : COMB_SQL_WRITE;
    plan->lock = locked ? COMB_LOCK_MOVES : 0;
    status = tree->use.store->driver->plan_place(tree->use.store, ctx, plan, &node,
                                                 before->revision, placing->claim, locked, err);
    if (status == COMB_OK)
        status = tree_plan_feed(ctx, plan, &feed, err);
    if (status == COMB_OK)
        *ret_node = node;
    return status;
}

const char *tree_path_parent(struct grpcc_arena *arena, const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    if (!slash || slash == path)
        return NULL;
    return grpcc_arena_strndup(arena, path, (size_t)(slash - path));
}

enum comb_status tree_name_taken(comb_str name, const char *field, struct comb_error *err)
{
    return comb_error_set_subject(err, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_NAME_TAKEN, field,
                                  "the folder has a node \"%.*s\" already", COMB_STR_ARG(name));
}
