/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of plans that all mutations of the tree are made of, and how they are run. */
#include "server/tree/internal.h"

/* An outcome: version, created, id, revision. */
#define OUTCOME_VERSION 1
#define OUTCOME_SIZE (1 + 1 + sizeof(struct comb_uuid) + sizeof(uint64_t))

/* Whether the decision writes nothing: no guard will find out that it rests on what has moved. */
static bool writes_nothing(enum comb_status status, const struct comb_plan *plan)
{
    return status == COMB_NOT_FOUND || status == COMB_ALREADY_EXISTS ||
           status == COMB_PERMISSION_DENIED || status == COMB_FAILED_PRECONDITION ||
           (status == COMB_OK && plan->n_statements == 0 && plan->n_feed == 0);
}

enum comb_status comb_tree_decide(struct comb_tree *tree, comb_mutation_decide decide, void *data,
                                  struct comb_ctx *ctx, struct comb_plan *plan,
                                  struct comb_error *err)
{
    const struct comb_plan fresh = *plan;
    struct comb_error refusal = {0};
    enum comb_status status = decide(data, ctx, plan, &refusal), synced;
    bool strong = ctx->strong;

    if (!writes_nothing(status, plan) || strong) {
        if (err)
            *err = refusal;
        return status;
    }
    ctx->strong = true;
    synced = comb_facts_sync_wait(tree->use.facts, ctx, err);
    ctx->strong = strong;
    if (synced != COMB_OK)
        return synced;
    /* From here on facts must show at least what that poll saw. */
    comb_ctx_see_reached(ctx);
    *plan = fresh;
    return decide(data, ctx, plan, err);
}

enum comb_status comb_tree_plan_decision(struct comb_ctx *ctx, struct comb_plan *plan,
                                         const struct comb_decision *decision,
                                         struct comb_error *err)
{
    struct comb_decision *all = grpcc_arena_calloc(ctx->arena, plan->n_decisions + 1, sizeof *all);

    if (!all)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < plan->n_decisions; i++)
        all[i] = plan->decisions[i];
    all[plan->n_decisions] = *decision;
    plan->decisions = all;
    plan->n_decisions++;
    return COMB_OK;
}

enum comb_status tree_plan_feed(struct comb_ctx *ctx, struct comb_plan *plan,
                                const struct tree_feed *feed, struct comb_error *err)
{
    const struct comb_tree_extra extra = {.locks = feed->locks, .n_locks = feed->n_locks};
    struct comb_v1_node *message;
    enum comb_status status;
    size_t size = 0;
    void *payload;

    if (plan->n_feed == COMB_PLAN_FEED_MAX)
        return comb_error_set(err, COMB_INTERNAL, 0, "the plan has no room for a feed entry");
    status = comb_tree_node_message(ctx->arena, feed->node, &extra, &message, err);
    if (status != COMB_OK)
        return status;
    payload = comb_v1_node_pack(ctx->arena, message, &size);
    if (!payload)
        return comb_error_no_memory(err);
    plan->feed[plan->n_feed++] = (struct comb_feed_entry){
        .kind = feed->kind,
        .subject = feed->node->id,
        .revision = feed->node->revision,
        .old_parent = feed->before ? feed->before->parent : (struct comb_uuid){{0}},
        .old_name = feed->before ? feed->before->name : (comb_str){0},
        .ancestors = feed->ancestors,
        .n_ancestors = feed->n_ancestors,
        .old_ancestors = feed->old_ancestors,
        .n_old_ancestors = feed->n_old_ancestors,
        .bytes_delta = feed->bytes_delta,
        .payload = comb_str_of(payload, size),
    };
    return COMB_OK;
}

/* A new folder below parent. */
static struct comb_node new_folder(const struct comb_plan *plan, const struct comb_uuid *id,
                                   const struct comb_uuid *parent, comb_str name)
{
    return (struct comb_node){
        .id = *id,
        .parent = *parent,
        .name = name,
        .kind = COMB_V1_NODE_KIND_FOLDER,
        .revision = 1,
        .acl_revision = 1,
        .create_us = plan->now_us,
        .update_us = plan->now_us,
    };
}

enum comb_status tree_plan_folders(struct comb_tree *tree, struct comb_ctx *ctx,
                                   struct comb_plan *plan, const struct tree_folders *folders,
                                   struct comb_node *ret_last,
                                   const struct comb_uuid **ret_ancestors, size_t *ret_n_ancestors,
                                   struct comb_error *err)
{
    const struct comb_fact_chain *below = folders->below;
    size_t n_ids = folders->n + below->n_links;
    struct comb_uuid *ids = grpcc_arena_calloc(ctx->arena, n_ids, sizeof *ids);
    const struct comb_tree_store_driver *store = tree->use.store->driver;
    struct comb_node node = {.kind = 0};

    if (!ids)
        return comb_error_no_memory(err);
    /* The chain of the last folder, which is that of each other one from its own id on. */
    for (size_t i = 0; i < below->n_links; i++)
        ids[folders->n + i] = below->links[i].node->id;
    for (size_t i = folders->n; i-- > 0;) {
        bool last = i == 0;
        const comb_str meta = last ? folders->meta : (comb_str){0};
        struct tree_feed feed = {.kind = COMB_FEED_NODE_CREATED,
                                 .node = &node,
                                 .ancestors = &ids[i + 1],
                                 .n_ancestors = n_ids - i - 1};
        enum comb_status status;

        ids[i] = comb_uuid_new();
        node = new_folder(plan, &ids[i], &ids[i + 1], folders->names[folders->n - 1 - i]);
        status = store->plan_insert(tree->use.store, ctx, plan, &node, meta, err);
        if (status == COMB_OK)
            status = tree_plan_feed(ctx, plan, &feed, err);
        if (status != COMB_OK)
            return status;
    }
    if (ret_last && folders->n > 0)
        *ret_last = node;
    if (ret_ancestors) {
        *ret_ancestors = ids;
        *ret_n_ancestors = n_ids;
    }
    return COMB_OK;
}

enum comb_status comb_tree_plan_create_root(struct comb_tree *tree, struct comb_ctx *ctx,
                                            struct comb_plan *plan,
                                            const struct comb_uuid *workspace,
                                            struct comb_uuid *ret_root, struct comb_uuid *ret_bin,
                                            struct comb_error *err)
{
    const struct comb_tree_store_driver *store = tree->use.store->driver;
    struct comb_uuid root_id = comb_uuid_new(), bin_id = comb_uuid_new();
    const char *name = comb_uuid_text(ctx->arena, workspace);
    const char *bin_name = name ? grpcc_arena_printf(ctx->arena, "%s.bin", name) : NULL;
    struct comb_node root, bin;
    struct tree_feed feed = {.kind = COMB_FEED_NODE_CREATED, .node = &root};
    enum comb_status status;

    if (!bin_name)
        return comb_error_no_memory(err);
    root = new_folder(plan, &root_id, &comb_node_super_root, comb_str_from(name));
    bin = new_folder(plan, &bin_id, &comb_node_super_root, comb_str_from(bin_name));
    status = store->plan_insert(tree->use.store, ctx, plan, &root, (comb_str){0}, err);
    if (status == COMB_OK)
        status = store->plan_insert(tree->use.store, ctx, plan, &bin, (comb_str){0}, err);
    if (status == COMB_OK)
        status = tree_plan_feed(ctx, plan, &feed, err);
    if (status != COMB_OK)
        return status;
    *ret_root = root_id;
    *ret_bin = bin_id;
    return COMB_OK;
}

enum comb_status comb_tree_plan_recycle(struct comb_tree *tree, struct comb_ctx *ctx,
                                        struct comb_plan *plan, const struct comb_fact_chain *chain,
                                        const struct comb_tree_claim *claim,
                                        struct comb_node *ret_node, struct comb_error *err)
{
    const struct comb_node *before = chain->links[0].node;
    struct comb_node node = *before;
    struct comb_uuid *bin = grpcc_arena_memdup(ctx->arena, &chain->workspace.bin, sizeof *bin);
    struct comb_uuid *old = tree_chain_ids(ctx->arena, chain->links + 1, chain->n_links - 1);
    const char *name = comb_uuid_text(ctx->arena, &before->id);
    const struct tree_feed feed = {.kind = COMB_FEED_NODE_RECYCLED,
                                   .node = &node,
                                   .before = before,
                                   .ancestors = bin,
                                   .n_ancestors = 1,
                                   .old_ancestors = old,
                                   .n_old_ancestors = chain->n_links - 1};
    enum comb_status status;

    if (!bin || !old || !name)
        return comb_error_no_memory(err);
    if (comb_uuid_is_nil(bin))
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0, "the workspace has no recycle bin");
    node.parent = *bin;
    node.name = comb_str_from(name);
    node.revision = before->revision + 1;
    node.update_us = plan->now_us;
    node.trash_parent = before->parent;
    node.trash_name = before->name;
    node.trash_us = plan->now_us;
    if (ctx->principal)
        node.trash_by = ctx->principal->user;
    status = tree->use.store->driver->plan_place(tree->use.store, ctx, plan, &node,
                                                 before->revision, claim, false, err);
    if (status == COMB_OK)
        status = tree_plan_feed(ctx, plan, &feed, err);
    if (status == COMB_OK && ret_node)
        *ret_node = node;
    return status;
}

enum comb_status comb_tree_outcome_pack(struct comb_ctx *ctx, const struct comb_node *node,
                                        bool created, comb_str *ret_outcome, struct comb_error *err)
{
    uint8_t *bytes = grpcc_arena_alloc(ctx->arena, OUTCOME_SIZE);

    if (!bytes)
        return comb_error_no_memory(err);
    bytes[0] = OUTCOME_VERSION;
    bytes[1] = created;
    memcpy(bytes + 2, node->id.bytes, sizeof node->id.bytes);
    for (size_t i = 0; i < sizeof node->revision; i++)
        bytes[2 + sizeof node->id.bytes + i] = (uint8_t)(node->revision >> (8 * i));
    *ret_outcome = comb_str_of(bytes, OUTCOME_SIZE);
    return COMB_OK;
}

static bool is_own_trash(const struct comb_ctx *ctx, const struct comb_node *node)
{
    return ctx->principal && !comb_uuid_is_nil(&node->trash_parent) &&
           comb_uuid_equal(&node->trash_by, &ctx->principal->user);
}

enum comb_status comb_tree_outcome_read(struct comb_tree *tree, struct comb_ctx *ctx,
                                        comb_str outcome, struct comb_tree_written *ret_written,
                                        struct comb_error *err)
{
    const uint8_t *bytes = (const uint8_t *)outcome.ptr;
    struct comb_tree_written written = {.created = false};
    const struct comb_tree_details *details;
    struct comb_fact_chain chain;
    enum comb_status status;
    int rights = 0;

    if (outcome.len != OUTCOME_SIZE || bytes[0] != OUTCOME_VERSION)
        return comb_error_set(err, COMB_INTERNAL, 0, "the stored outcome cannot be read");
    written.created = bytes[1];
    memcpy(written.node.id.bytes, bytes + 2, sizeof written.node.id.bytes);
    for (size_t i = 0; i < sizeof written.node.revision; i++)
        written.node.revision |= (uint64_t)bytes[2 + sizeof written.node.id.bytes + i] << (8 * i);
    status = tree_details(tree, ctx, &written.node.id, 1, false, &details, err);
    if (status == COMB_OK)
        status = comb_access_rights(tree->use.access, ctx, &written.node.id, &rights, &chain, err);
    if (status != COMB_OK)
        return status;
    /* He was allowed to do it then; what he may see of it is decided now. */
    ctx->authorised |= 1u << COMB_V1_NEED_WRITE;
    if (details->found &&
        ((rights & COMB_V1_RIGHTS_READ) != 0 || is_own_trash(ctx, &details->node)))
        written.node = details->node;
    *ret_written = written;
    return COMB_OK;
}

enum comb_status tree_mutate(struct comb_tree *tree, struct comb_ctx *ctx,
                             const struct comb_request_key *key, comb_mutation_decide decide,
                             void *data, const struct comb_tree_written *written,
                             struct comb_tree_changed *ret_changed, struct comb_error *err)
{
    struct comb_outcome outcome;
    struct comb_tree_written again;
    enum comb_status status =
        comb_mutation_run(tree->use.mutations, ctx, key, decide, data, &outcome, err);

    if (status != COMB_OK)
        return status;
    if (outcome.replayed) {
        status = comb_tree_outcome_read(tree, ctx, outcome.bytes, &again, err);
        if (status != COMB_OK)
            return status;
        written = &again;
    }
    *ret_changed = (struct comb_tree_changed){
        .view = {.node = written->node, .extra.path = written->path}, .created = written->created};
    return COMB_OK;
}
