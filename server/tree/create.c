/* SPDX-License-Identifier: Apache-2.0 */
/* New folders, and files that get content. */
#include <stdio.h>

#include "server/tree/internal.h"
#include "server/tree/metadata.h"
#include "server/tree/place.h"

/* A name below a folder, as far as it exists. */
struct spot {
    struct comb_access_node at;       /* of the whole, or of the deepest folder that exists */
    const struct comb_node *existing; /* NULL: it does not exist */
    comb_str *missing;                /* names that do not exist, first one below `at` */
    size_t n_missing;
    const char *path; /* of the whole, where the request gave a path; else NULL */
};

struct spot_query {
    const struct comb_v1_node_ref *parent;
    comb_str rest; /* the name, or a path below parent; checked */
    size_t missing_max;
    const char *parent_field;
    bool presume_missing; /* the last name is free, unless somebody is known to have it */
};

/* Resolves parent and rest in one go; asks write of the deepest that exists. */
static enum comb_status find_spot(struct comb_tree *tree, struct comb_ctx *ctx,
                                  const struct spot_query *query, struct spot *ret_spot,
                                  struct comb_error *err)
{
    const struct comb_access_options options = {.need = COMB_V1_NEED_WRITE,
                                                .field = query->parent_field,
                                                .allow_missing = true,
                                                .presume_missing = query->presume_missing};
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(ctx->arena);
    struct spot spot = {0};
    enum comb_status status;
    const char *path;

    if (!query->parent)
        return comb_error_field(err, query->parent_field, "the folder is missing");
    path = tree_path_join(ctx->arena, query->parent->path, query->rest);
    if (!ref || !path)
        return comb_error_no_memory(err);
    comb_v1_node_ref_set_id(ref, query->parent->id);
    comb_v1_node_ref_set_path(ref, path);
    status = comb_access_resolve(tree->use.access, ctx, ref, &options, &spot.at, err);
    if (status != COMB_OK)
        return status;
    spot.existing = spot.at.node;
    if (query->parent->id[0] == '\0')
        spot.path = path;
    if (!spot.existing) {
        status = tree_path_split(ctx->arena, spot.at.missing[0], COMB_PATH_DEPTH_MAX,
                                 query->parent_field, &spot.missing, &spot.n_missing, err);
        if (status == COMB_OK)
            status = tree_need_folder(spot.at.chain.links[0].node, query->parent_field, err);
        if (status != COMB_OK)
            return status;
    }
    if (spot.n_missing > query->missing_max && query->missing_max < COMB_TREE_PARENTS_MAX)
        return comb_error_set_subject(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_NODE_NOT_FOUND,
                                      query->parent_field, "there is no such folder");
    if (spot.n_missing > COMB_TREE_PARENTS_MAX)
        return comb_error_field(err, query->parent_field,
                                "one call makes at most %d levels: make the upper ones first",
                                COMB_TREE_PARENTS_MAX);
    status = tree_need_depth(spot.at.chain.n_links + spot.n_missing, query->parent_field, err);
    if (status == COMB_OK)
        *ret_spot = spot;
    return status;
}

/* ---- CreateFolder ---- */

struct create {
    struct comb_tree *tree;
    const struct comb_v1_tree_create_folder_request *request;
    bool decided; /* before: the write did not go through */
    struct comb_tree_written written;
};

static enum comb_status create_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    struct create *create = data;
    const struct comb_v1_tree_create_folder_request *request = create->request;
    comb_str *parts;
    size_t n_parts;
    struct spot_query query = {.parent = request->parent, .parent_field = "parent"};
    const struct comb_tree_metadata_change metadata = {.set = request->metadata,
                                                       .n_set = request->n_metadata};
    struct tree_folders folders = {0};
    struct spot spot;
    enum comb_status status;

    query.rest = comb_str_from(request->name);
    status =
        tree_path_split(ctx->arena, query.rest, request->create_parents ? COMB_TREE_PARENTS_MAX : 1,
                        "name", &parts, &n_parts, err);
    query.missing_max = n_parts;
    /* Most names are free, and the write finds out; a folder that may be there is looked for. */
    query.presume_missing = !create->decided && !request->exist_ok;
    create->decided = true;
    if (status == COMB_OK)
        status = find_spot(create->tree, ctx, &query, &spot, err);
    if (status != COMB_OK)
        return status;
    create->written = (struct comb_tree_written){.path = spot.path};
    if (spot.existing) {
        create->written.node = *spot.existing;
        if (request->exist_ok && spot.existing->kind == COMB_V1_NODE_KIND_FOLDER)
            return COMB_OK;
        return tree_name_taken(spot.existing->name, "name", err);
    }
    if (spot.n_missing > n_parts)
        return comb_error_set_subject(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_NODE_NOT_FOUND,
                                      "parent", "there is no such folder");
    status = comb_tree_metadata_apply(ctx->arena, (comb_str){0}, &metadata, &folders.meta, err);
    if (status != COMB_OK)
        return status;
    plan->kind = COMB_SQL_WRITE;
    folders.below = &spot.at.chain;
    folders.names = spot.missing;
    folders.n = spot.n_missing;
    status = comb_tree_plan_decision(ctx, plan, &spot.at.decision, err);
    if (status == COMB_OK)
        status = tree_plan_folders(create->tree, ctx, plan, &folders, &create->written.node, NULL,
                                   NULL, err);
    create->written.created = true;
    if (status == COMB_OK)
        status = comb_tree_outcome_pack(ctx, &create->written.node, true, &plan->outcome, err);
    return status;
}

static enum comb_status create_decide_fresh(void *data, struct comb_ctx *ctx,
                                            struct comb_plan *plan, struct comb_error *err)
{
    struct create *create = data;

    return comb_tree_decide(create->tree, create_decide, create, ctx, plan, err);
}

enum comb_status comb_tree_create_folder(struct comb_tree *tree, struct comb_ctx *ctx,
                                         const struct comb_request_key *key,
                                         const struct comb_v1_tree_create_folder_request *request,
                                         struct comb_tree_changed *ret_changed,
                                         struct comb_error *err)
{
    struct create create = {.tree = tree, .request = request};
    enum comb_status status =
        comb_tree_metadata_check(request->metadata, request->n_metadata, "metadata", err);

    if (status != COMB_OK)
        return status;
    return tree_mutate(tree, ctx, key, create_decide_fresh, &create, &create.written, ret_changed,
                       err);
}

/* ---- files, for the data area ---- */

struct put_fields {
    char parent[COMB_ERROR_SUBJECT_MAX], name[COMB_ERROR_SUBJECT_MAX],
        condition[COMB_ERROR_SUBJECT_MAX], metadata[COMB_ERROR_SUBJECT_MAX];
};

static struct put_fields fields_of(const struct comb_tree_put *put)
{
    struct put_fields fields;

    snprintf(fields.parent, sizeof fields.parent, "%s.parent", put->field);
    snprintf(fields.name, sizeof fields.name, "%s.name", put->field);
    snprintf(fields.condition, sizeof fields.condition, "%s.condition", put->field);
    snprintf(fields.metadata, sizeof fields.metadata, "%s.metadata", put->field);
    return fields;
}

static enum comb_status find_file(struct comb_tree *tree, struct comb_ctx *ctx,
                                  const struct comb_tree_put *put, struct spot *ret_spot,
                                  struct comb_error *err)
{
    const struct put_fields fields = fields_of(put);
    const struct spot_query query = {.parent = put->parent,
                                     .rest = put->name,
                                     .missing_max = put->create_parents ? COMB_TREE_PARENTS_MAX : 1,
                                     .parent_field = fields.parent};
    enum comb_status status = tree_name_check(put->name, fields.name, err);

    if (status == COMB_OK && put->media_type.len > COMB_MEDIA_TYPE_BYTES_MAX)
        status = comb_error_field(err, put->field, "a media type has at most %d bytes",
                                  COMB_MEDIA_TYPE_BYTES_MAX);
    if (status == COMB_OK)
        status = comb_tree_metadata_check(put->metadata, put->n_metadata, fields.metadata, err);
    if (status == COMB_OK)
        status = find_spot(tree, ctx, &query, ret_spot, err);
    if (status != COMB_OK)
        return status;
    if (!ret_spot->existing) {
        if (put->lock_token)
            return comb_error_set_subject(err, COMB_FAILED_PRECONDITION,
                                          COMB_V1_ERROR_REASON_LOCK_LOST, fields.name,
                                          "there is no file of that name any more");
        if (put->condition != COMB_TREE_ETAG)
            return COMB_OK;
        return comb_error_set_subject(err, COMB_FAILED_PRECONDITION,
                                      COMB_V1_ERROR_REASON_ETAG_MISMATCH, fields.condition,
                                      "there is no file of that name");
    }
    if (put->condition == COMB_TREE_ABSENT)
        return tree_name_taken(put->name, fields.condition, err);
    if (ret_spot->existing->kind != COMB_V1_NODE_KIND_FILE)
        return comb_error_set_subject(err, COMB_FAILED_PRECONDITION,
                                      COMB_V1_ERROR_REASON_NOT_A_FILE, fields.name,
                                      "\"%.*s\" is a folder", COMB_STR_ARG(put->name));
    if (put->condition == COMB_TREE_ETAG)
        return comb_tree_etag_check(ret_spot->existing, put->etag, fields.condition, err);
    return COMB_OK;
}

static enum comb_status plan_new_file(struct comb_tree *tree, struct comb_ctx *ctx,
                                      struct comb_plan *plan, const struct comb_tree_put *put,
                                      const struct spot *spot, struct comb_node *node,
                                      struct comb_error *err)
{
    const struct tree_folders folders = {
        .below = &spot->at.chain, .names = spot->missing, .n = spot->n_missing - 1};
    const struct comb_tree_metadata_change metadata = {.set = put->metadata,
                                                       .n_set = put->n_metadata};
    struct tree_feed feed = {
        .kind = COMB_FEED_NODE_CREATED, .node = node, .bytes_delta = (int64_t)put->size};
    comb_str meta;
    enum comb_status status =
        tree_plan_folders(tree, ctx, plan, &folders, NULL, &feed.ancestors, &feed.n_ancestors, err);

    if (status == COMB_OK)
        status = comb_tree_metadata_apply(ctx->arena, (comb_str){0}, &metadata, &meta, err);
    if (status != COMB_OK)
        return status;
    node->id = comb_uuid_new();
    node->parent = feed.ancestors[0];
    node->name = put->name;
    node->kind = COMB_V1_NODE_KIND_FILE;
    node->revision = 1;
    node->acl_revision = 1;
    node->create_us = plan->now_us;
    status = tree->use.store->driver->plan_insert(tree->use.store, ctx, plan, node, meta, err);
    if (status == COMB_OK)
        status = tree_plan_feed(ctx, plan, &feed, err);
    return status;
}

static enum comb_status plan_content(struct comb_tree *tree, struct comb_ctx *ctx,
                                     struct comb_plan *plan, const struct comb_tree_put *put,
                                     const struct spot *spot, struct comb_node *node,
                                     struct comb_error *err)
{
    const struct comb_fact_chain *chain = &spot->at.chain;
    const struct comb_node *before = spot->existing;
    const struct comb_tree_metadata_change metadata = {.set = put->metadata,
                                                       .n_set = put->n_metadata};
    struct tree_feed feed = {.kind = COMB_FEED_NODE_CONTENT,
                             .node = node,
                             .ancestors =
                                 tree_chain_ids(ctx->arena, chain->links + 1, chain->n_links - 1),
                             .n_ancestors = chain->n_links - 1,
                             .bytes_delta = (int64_t)put->size - (int64_t)before->size};
    const struct comb_tree_claim claim = tree_claim_of(ctx, put->lock_token);
    const struct comb_tree_details *details;
    enum comb_status status = COMB_OK;
    comb_str meta = {0};

    if (!feed.ancestors)
        return comb_error_no_memory(err);
    if (put->n_metadata > 0) {
        status = tree_details(tree, ctx, &before->id, 1, false, &details, err);
        if (status == COMB_OK)
            status = comb_tree_metadata_apply(ctx->arena, details->meta, &metadata, &meta, err);
    }
    if (status != COMB_OK)
        return status;
    node->revision = before->revision + 1;
    status =
        tree->use.store->driver->plan_content(tree->use.store, ctx, plan, node, before->revision,
                                              &claim, put->n_metadata > 0 ? &meta : NULL, err);
    if (status == COMB_OK)
        status = tree_plan_feed(ctx, plan, &feed, err);
    return status;
}

enum comb_status comb_tree_plan_put(struct comb_tree *tree, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_tree_put *put,
                                    struct comb_tree_written *ret_written, struct comb_error *err)
{
    struct comb_tree_written written = {.created = false};
    const struct comb_tree_claim claim = tree_claim_of(ctx, put->lock_token);
    struct spot spot;
    enum comb_status status = find_file(tree, ctx, put, &spot, err);

    if (status == COMB_OK && spot.existing)
        status = tree_claim_check(tree, ctx, plan, &spot.at, &claim, put->field, err);
    if (status == COMB_OK)
        status = comb_tree_plan_decision(ctx, plan, &spot.at.decision, err);
    if (status != COMB_OK)
        return status;
    written.path = spot.path;
    if (spot.existing) {
        written.node = *spot.existing;
        written.blob_before = spot.existing->blob;
    }
    written.node.blob = put->blob;
    written.node.size = put->size;
    written.node.sha256 = put->sha256;
    written.node.media_type = put->media_type;
    written.node.update_us = plan->now_us;
    written.created = !spot.existing;
    status = (spot.existing ? plan_content : plan_new_file)(tree, ctx, plan, put, &spot,
                                                            &written.node, err);
    if (status == COMB_OK)
        *ret_written = written;
    return status;
}

enum comb_status comb_tree_check_put(struct comb_tree *tree, struct comb_ctx *ctx,
                                     const struct comb_tree_put *put, struct comb_error *err)
{
    struct spot spot;

    return find_file(tree, ctx, put, &spot, err);
}
