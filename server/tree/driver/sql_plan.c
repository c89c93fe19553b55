/* SPDX-License-Identifier: Apache-2.0 */
/* What is written: pieces of plans. */
#include "server/tree/driver/sql.h"

/* ?1 … ?13: id parent name kind rev acl_rev size blob sha256 media_type create_us update_us meta */
static const char INSERT[] =
    "INSERT INTO node (id, parent, name, kind, rev, acl_rev, size, blob, sha256,"
    " media_type, create_us, update_us, meta)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
/* What all changes of a node begin with. */
#define CHANGE_PARAMS(node, before, claim)                                                         \
    comb_sql_uuid(&(node)->id), comb_sql_integer((int64_t)(before)),                               \
        comb_sql_integer((int64_t)(node)->revision), comb_sql_integer((node)->update_us),          \
        token_of(claim), comb_tree_sql_id(&(claim)->user)

static struct comb_sql_value token_of(const struct comb_tree_claim *claim)
{
    return comb_sql_integer(claim->unasked ? -1 : (int64_t)claim->token);
}

/* Parameters are sent after decide has returned: what node points to is in the arena, node itself
 * need not be. */
static struct comb_node *keep(struct comb_ctx *ctx, const struct comb_node *node)
{
    return grpcc_arena_memdup(ctx->arena, node, sizeof *node);
}

static const struct comb_tree_claim *keep_claim(struct comb_ctx *ctx,
                                                const struct comb_tree_claim *claim)
{
    return grpcc_arena_memdup(ctx->arena, claim, sizeof *claim);
}

static const struct comb_tree_dialect *dialect_of(const struct comb_tree_store *base)
{
    return ((const struct comb_tree_sql *)base)->dialect;
}

enum comb_status comb_tree_sql_plan_insert(struct comb_tree_store *base, struct comb_ctx *ctx,
                                           struct comb_plan *plan, const struct comb_node *given,
                                           comb_str meta, struct comb_error *err)
{
    (void)base;
    const struct comb_node *node = keep(ctx, given);

    if (!node)
        return comb_error_no_memory(err);
    const struct comb_sql_value params[] = {
        comb_sql_uuid(&node->id),
        comb_sql_uuid(&node->parent),
        comb_sql_text(node->name),
        comb_sql_integer(node->kind),
        comb_sql_integer((int64_t)node->revision),
        comb_sql_integer((int64_t)node->acl_revision),
        comb_sql_integer((int64_t)node->size),
        comb_tree_sql_id(&node->blob),
        comb_tree_sql_blob(node->sha256),
        comb_tree_sql_text(node->media_type),
        comb_sql_integer(node->create_us),
        comb_sql_integer(node->update_us),
        comb_tree_sql_blob(meta),
    };

    return comb_tree_plan_statement(ctx, plan, INSERT, params, sizeof params / sizeof params[0],
                                    true, err);
}

enum comb_status comb_tree_sql_plan_content(struct comb_tree_store *base, struct comb_ctx *ctx,
                                            struct comb_plan *plan, const struct comb_node *given,
                                            uint64_t before,
                                            const struct comb_tree_claim *given_claim,
                                            const comb_str *meta, struct comb_error *err)
{
    const struct comb_node *node = keep(ctx, given);
    const struct comb_tree_claim *claim = keep_claim(ctx, given_claim);
    const struct comb_tree_dialect *dialect = dialect_of(base);

    if (!node || !claim)
        return comb_error_no_memory(err);
    const struct comb_sql_value params[] = {
        CHANGE_PARAMS(node, before, claim),   comb_sql_integer((int64_t)node->size),
        comb_tree_sql_id(&node->blob),        comb_tree_sql_blob(node->sha256),
        comb_tree_sql_text(node->media_type), comb_tree_sql_blob(meta ? *meta : (comb_str){0}),
    };
    size_t n = sizeof params / sizeof params[0];

    if (!meta)
        return comb_tree_plan_statement(ctx, plan, dialect->content, params, n - 1, true, err);
    return comb_tree_plan_statement(ctx, plan, dialect->content_meta, params, n, true, err);
}

enum comb_status comb_tree_sql_plan_place(struct comb_tree_store *base, struct comb_ctx *ctx,
                                          struct comb_plan *plan, const struct comb_node *given,
                                          uint64_t before,
                                          const struct comb_tree_claim *given_claim,
                                          bool check_cycle, struct comb_error *err)
{
    const struct comb_node *node = keep(ctx, given);
    const struct comb_tree_claim *claim = keep_claim(ctx, given_claim);
    const struct comb_tree_dialect *dialect = dialect_of(base);

    if (!node || !claim)
        return comb_error_no_memory(err);
    const struct comb_sql_value params[] = {
        CHANGE_PARAMS(node, before, claim),
        comb_sql_uuid(&node->parent),
        comb_sql_text(node->name),
        comb_tree_sql_id(&node->trash_parent),
        comb_tree_sql_text(node->trash_name),
        node->trash_us ? comb_sql_integer(node->trash_us) : comb_sql_null(),
        comb_tree_sql_id(&node->trash_by),
    };

    return comb_tree_plan_statement(ctx, plan, check_cycle ? dialect->place_below : dialect->place,
                                    params, sizeof params / sizeof params[0], true, err);
}

enum comb_status comb_tree_sql_plan_meta(struct comb_tree_store *base, struct comb_ctx *ctx,
                                         struct comb_plan *plan, const struct comb_node *given,
                                         uint64_t before, const struct comb_tree_claim *given_claim,
                                         comb_str meta, struct comb_error *err)
{
    const struct comb_node *node = keep(ctx, given);
    const struct comb_tree_claim *claim = keep_claim(ctx, given_claim);

    if (!node || !claim)
        return comb_error_no_memory(err);
    const struct comb_sql_value params[] = {
        CHANGE_PARAMS(node, before, claim),
        comb_tree_sql_blob(meta),
    };

    return comb_tree_plan_statement(ctx, plan, dialect_of(base)->meta, params,
                                    sizeof params / sizeof params[0], true, err);
}
