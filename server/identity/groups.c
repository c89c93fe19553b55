/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of groups. Its arrangement has a number, raised by all that makes, moves or deletes a
 * group. A plan reads that number first, then all it decides on, and is guarded by it under
 * COMB_LOCK_RIGHTS: so no two changes make a cycle, go too deep, or lose a group's users.
 */
#include "comb/v1/errors.grpcc.h"
#include "server/core/limits.h"
#include "server/identity/internal.h"
#include "server/mutation/plan.h"

/* ---- references ---- */

static bool is_root(const struct comb_group *group)
{
    return comb_uuid_equal(&group->id, &comb_role_everybody);
}

static enum comb_status read_path(struct comb_identity *identity, struct comb_ctx *ctx,
                                  comb_str path, struct comb_group *ret_group,
                                  struct comb_error *err)
{
    struct comb_identity_store *store = identity->parts.store;
    struct comb_group group = {.id = comb_role_everybody,
                               .parent = comb_role_everybody,
                               .name = STR(""),
                               .label = STR(""),
                               .path = STR("/"),
                               .revision = 1};
    comb_str rest = path;
    for (size_t depth = 0; rest.len > 0; depth++) {
        comb_str name = comb_str_of(rest.ptr + 1, rest.len - 1);
        const char *end = name.len > 0 ? memchr(name.ptr, '/', name.len) : NULL;
        if (end)
            name.len = (size_t)(end - name.ptr);
        if (rest.ptr[0] != '/' || name.len == 0 || depth == COMB_GROUP_DEPTH_MAX)
            return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_GROUP_NOT_FOUND,
                                  "there is no such group: a group is an id, or a path like "
                                  "/staff/berlin");
        struct comb_uuid parent = group.id;
        enum comb_status status =
            store->driver->get_group(store, ctx, NULL, &parent, name, &group, err);
        if (status != COMB_OK)
            return status;
        rest = comb_str_of(name.ptr + name.len, rest.len - 1 - name.len);
    }
    *ret_group = group;
    return COMB_OK;
}

enum comb_status identity_read_group(struct comb_identity *identity, struct comb_ctx *ctx,
                                     comb_str id_or_path, struct comb_group *ret_group,
                                     struct comb_error *err)
{
    struct comb_identity_store *store = identity->parts.store;
    struct comb_uuid id;
    bool is_id = comb_uuid_parse(id_or_path, &id);
    if (is_id && !comb_uuid_equal(&id, &comb_role_everybody))
        return store->driver->get_group(store, ctx, &id, NULL, STR(""), ret_group, err);
    bool root = is_id || comb_str_equal(id_or_path, STR("/"));
    return read_path(identity, ctx, root ? STR("") : id_or_path, ret_group, err);
}

enum comb_status comb_identity_get_group(struct comb_identity *identity, struct comb_ctx *ctx,
                                         comb_str id_or_path, struct comb_group *ret_group,
                                         struct comb_error *err)
{
    enum comb_status status = comb_facts_sync_wait(identity->parts.facts, ctx, err);
    if (status == COMB_OK)
        status = identity_read_group(identity, ctx, id_or_path, ret_group, err);
    return status;
}

enum comb_status comb_identity_find_group(struct comb_identity *identity, struct comb_ctx *ctx,
                                          comb_str id_or_path, struct comb_uuid *ret_id,
                                          struct comb_error *err)
{
    struct comb_group group;
    enum comb_status status = comb_identity_get_group(identity, ctx, id_or_path, &group, err);
    if (status == COMB_OK)
        *ret_id = group.id;
    return status;
}

enum comb_status comb_identity_are_groups(struct comb_identity *identity, struct comb_ctx *ctx,
                                          const struct comb_uuid *ids, size_t n, bool *ret_are,
                                          struct comb_error *err)
{
    struct comb_identity_store *store = identity->parts.store;
    return store->driver->are_groups(store, ctx, ids, n, ret_are, err);
}

enum comb_status comb_identity_list_groups(struct comb_identity *identity, struct comb_ctx *ctx,
                                           comb_str parent, comb_str after, size_t max,
                                           const struct comb_group **ret_groups, size_t *ret_n,
                                           struct comb_error *err)
{
    struct comb_identity_store *store = identity->parts.store;
    struct comb_group above;
    enum comb_status status = comb_identity_get_group(identity, ctx, parent, &above, err);
    if (status == COMB_OK)
        status =
            store->driver->list_groups(store, ctx, &above.id, after, max, ret_groups, ret_n, err);
    return status;
}

enum comb_status identity_plan_in_group(struct comb_identity *identity, struct comb_ctx *ctx,
                                        struct comb_plan *plan, comb_str group,
                                        struct comb_uuid *ret_id, struct comb_error *err)
{
    struct comb_identity_store *store = identity->parts.store;
    struct comb_group found;
    uint64_t revision;
    enum comb_status status = store->driver->groups_revision(store, ctx, &revision, err);
    if (status == COMB_OK)
        status = identity_read_group(identity, ctx, group, &found, err);
    if (status == COMB_OK && !is_root(&found))
        status = store->driver->plan_groups(store, ctx, plan, revision, false, false, err);
    if (status == COMB_OK)
        *ret_id = found.id;
    return status;
}

/* ---- what changes share ---- */

/* One call, over all attempts to write it. */
struct group_change {
    struct comb_identity *identity;
    comb_str group, expected_etag;
    const struct comb_identity_group_fields *fields; /* of create and update */
    bool recursive;                                  /* of delete */
};

static enum comb_status on_constraint(void *data, size_t statement, struct comb_error *err)
{
    const struct group_change *change = data;
    (void)statement; /* only the name in its place is unique */
    return comb_error_set_subject(err, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_GROUP_TAKEN,
                                  "name", "there is a group %.*s there already",
                                  COMB_STR_ARG(change->fields->name));
}

static enum comb_status check_fields(const struct comb_identity_group_fields *fields,
                                     struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    if (fields->fields == 0)
        status = comb_error_field(err, "update_mask", "names nothing to change");
    if (status == COMB_OK && (fields->fields & COMB_IDENTITY_GROUP_NAME))
        status = identity_check_name(fields->name, "name", err);
    if (status == COMB_OK && (fields->fields & COMB_IDENTITY_GROUP_LABEL))
        status = identity_check_label(fields->label, "label", err);
    return status;
}

/* The lock, the caller's standing, and the number of the arrangement, before anything is read. */
static enum comb_status begin(struct group_change *change, struct comb_ctx *ctx,
                              struct comb_plan *plan, uint64_t *ret_revision,
                              struct comb_error *err)
{
    struct comb_identity_store *store = change->identity->parts.store;
    plan->kind = COMB_SQL_WRITE_LOCKED;
    plan->lock = COMB_LOCK_RIGHTS;
    plan->on_constraint = change->fields ? on_constraint : NULL;
    enum comb_status status = identity_plan_administrator(change->identity, ctx, plan, err);
    if (status == COMB_OK)
        status = store->driver->groups_revision(store, ctx, ret_revision, err);
    return status;
}

/* The group that is changed; the root is not. */
static enum comb_status read_changed(struct group_change *change, struct comb_ctx *ctx,
                                     struct comb_group *ret_group, struct comb_error *err)
{
    enum comb_status status =
        identity_read_group(change->identity, ctx, change->group, ret_group, err);
    if (status == COMB_OK && is_root(ret_group))
        return comb_error_set(err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_BUILT_IN,
                              "all users are in the root: it cannot be changed or deleted");
    if (status == COMB_OK)
        status = identity_check_etag(change->expected_etag, ret_group->revision, err);
    return status;
}

static enum comb_status finish(struct comb_ctx *ctx, struct comb_plan *plan,
                               const struct comb_group *group, struct comb_error *err)
{
    enum comb_status status =
        comb_plan_tell(plan, COMB_FEED_GROUP, &group->id, group->revision, err);
    if (status == COMB_OK)
        status = identity_plan_outcome(ctx, plan, &group->id, err);
    return status;
}

/* Runs decide and reads the group that it named as its outcome; ret_group NULL: it is gone. */
static enum comb_status run(struct group_change *change, struct comb_ctx *ctx,
                            const struct comb_request_key *key, comb_mutation_decide decide,
                            struct comb_group *ret_group, struct comb_error *err)
{
    struct comb_identity_store *store = change->identity->parts.store;
    struct comb_outcome outcome;
    struct comb_uuid id;
    enum comb_status status = comb_mutation_run(change->identity->parts.mutations, ctx, key, decide,
                                                change, &outcome, err);
    if (status == COMB_OK && ret_group)
        status = identity_outcome_id(&outcome, &id, err);
    if (status == COMB_OK && ret_group)
        status = store->driver->get_group(store, ctx, &id, NULL, STR(""), ret_group, err);
    return status;
}

/* Names of a path: "/" has none. */
static size_t depth_of(const struct comb_group *group)
{
    size_t depth = 0;
    for (size_t i = 0; !is_root(group) && i < group->path.len; i++)
        depth += group->path.ptr[i] == '/';
    return depth;
}

static enum comb_status too_deep(struct comb_error *err)
{
    return comb_error_set_subject(err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_GROUP_PLACE,
                                  "parent", "groups go at most %d deep", COMB_GROUP_DEPTH_MAX);
}

/* ---- create ---- */

static enum comb_status create_once(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    struct group_change *change = data;
    struct comb_identity_store *store = change->identity->parts.store;
    struct comb_group above;
    uint64_t revision;
    enum comb_status status = begin(change, ctx, plan, &revision, err);
    if (status == COMB_OK)
        status = identity_read_group(change->identity, ctx, change->fields->parent, &above, err);
    if (status != COMB_OK)
        return status;
    if (depth_of(&above) >= COMB_GROUP_DEPTH_MAX)
        return too_deep(err);
    const struct comb_group group = {.id = comb_uuid_new(),
                                     .parent = above.id,
                                     .name = change->fields->name,
                                     .label = change->fields->label,
                                     .revision = 1,
                                     .create_us = plan->now_us};
    status = store->driver->plan_groups(store, ctx, plan, revision, true, false, err);
    if (status == COMB_OK)
        status = store->driver->plan_insert_group(store, ctx, plan, &group, err);
    if (status == COMB_OK)
        status = finish(ctx, plan, &group, err);
    return status;
}

static enum comb_status create_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    const struct group_change *change = data;
    return comb_tree_decide(change->identity->parts.tree, create_once, data, ctx, plan, err);
}

enum comb_status comb_identity_create_group(struct comb_identity *identity, struct comb_ctx *ctx,
                                            const struct comb_request_key *key,
                                            const struct comb_identity_group_fields *fields,
                                            struct comb_group *ret_group, struct comb_error *err)
{
    struct comb_identity_group_fields all = *fields;
    all.fields = COMB_IDENTITY_GROUP_NAME | COMB_IDENTITY_GROUP_LABEL | COMB_IDENTITY_GROUP_PARENT;
    struct group_change change = {.identity = identity, .fields = &all};
    enum comb_status status = check_fields(&all, err);
    if (status == COMB_OK)
        status = run(&change, ctx, key, create_decide, ret_group, err);
    return status;
}

/* ---- update ---- */

/* Puts the group below what the fields name. */
static enum comb_status place(struct group_change *change, struct comb_ctx *ctx,
                              struct comb_group *group, struct comb_error *err)
{
    struct comb_identity_store *store = change->identity->parts.store;
    struct comb_group above;
    struct comb_group_extent extent;
    enum comb_status status =
        identity_read_group(change->identity, ctx, change->fields->parent, &above, err);
    if (status == COMB_OK)
        status = store->driver->group_extent(store, ctx, &group->id, 1, 0, &extent, err);
    if (status != COMB_OK)
        return status;
    bool below = comb_str_equal(above.path, group->path) ||
                 (above.path.len > group->path.len && above.path.ptr[group->path.len] == '/' &&
                  comb_str_starts_with(above.path, group->path));
    if (below)
        return comb_error_set_subject(err, COMB_FAILED_PRECONDITION,
                                      COMB_V1_ERROR_REASON_GROUP_PLACE, "parent",
                                      "%.*s cannot go below itself", COMB_STR_ARG(group->path));
    if (depth_of(&above) + extent.height > COMB_GROUP_DEPTH_MAX)
        return too_deep(err);
    group->parent = above.id;
    return COMB_OK;
}

/* Where rights follow the place, it is recorded: the id of the group above, before and after. */
static enum comb_status record_place(struct comb_ctx *ctx, struct comb_plan *plan,
                                     const struct comb_group *before,
                                     const struct comb_group *after, struct comb_error *err)
{
    char was[COMB_UUID_TEXT_LENGTH + 1], is[COMB_UUID_TEXT_LENGTH + 1];
    comb_uuid_format(&before->parent, was);
    comb_uuid_format(&after->parent, is);
    const char *old_place = grpcc_arena_printf(ctx->arena, "in group %s", was);
    const char *new_place = grpcc_arena_printf(ctx->arena, "in group %s", is);
    if (!old_place || !new_place)
        return comb_error_no_memory(err);
    plan->before = comb_str_from(old_place);
    plan->after = comb_str_from(new_place);
    return COMB_OK;
}

static enum comb_status update_once(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    struct group_change *change = data;
    struct comb_identity_store *store = change->identity->parts.store;
    struct comb_group before;
    uint64_t revision;
    enum comb_status status = begin(change, ctx, plan, &revision, err);
    if (status == COMB_OK)
        status = read_changed(change, ctx, &before, err);
    if (status != COMB_OK)
        return status;
    struct comb_group after = before;
    if (change->fields->fields & COMB_IDENTITY_GROUP_NAME)
        after.name = change->fields->name;
    if (change->fields->fields & COMB_IDENTITY_GROUP_LABEL)
        after.label = change->fields->label;
    if (change->fields->fields & COMB_IDENTITY_GROUP_PARENT)
        status = place(change, ctx, &after, err);
    bool moves = !comb_uuid_equal(&before.parent, &after.parent);
    if (status == COMB_OK && moves)
        status = record_place(ctx, plan, &before, &after, err);
    if (status == COMB_OK)
        status = store->driver->plan_groups(store, ctx, plan, revision, moves, moves, err);
    if (status == COMB_OK)
        status = store->driver->plan_update_group(store, ctx, plan, &after, before.revision, err);
    after.revision = before.revision + 1;
    if (status == COMB_OK)
        status = finish(ctx, plan, &after, err);
    return status;
}

static enum comb_status update_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    const struct group_change *change = data;
    return comb_tree_decide(change->identity->parts.tree, update_once, data, ctx, plan, err);
}

enum comb_status comb_identity_update_group(struct comb_identity *identity, struct comb_ctx *ctx,
                                            const struct comb_request_key *key, comb_str group,
                                            comb_str expected_etag,
                                            const struct comb_identity_group_fields *fields,
                                            struct comb_group *ret_group, struct comb_error *err)
{
    struct group_change change = {
        .identity = identity, .group = group, .expected_etag = expected_etag, .fields = fields};
    enum comb_status status = check_fields(fields, err);
    if (status == COMB_OK)
        status = run(&change, ctx, key, update_decide, ret_group, err);
    return status;
}

/* ---- delete ---- */

static enum comb_status check_extent(const struct group_change *change,
                                     const struct comb_group *group,
                                     const struct comb_group_extent *extent, struct comb_error *err)
{
    size_t below = extent->n_groups - 1;
    if (!change->recursive && (below > 0 || extent->n_users > 0))
        return comb_error_set(err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_GROUP_NOT_EMPTY,
                              "%.*s holds %s: move or delete them first, or delete it recursively",
                              COMB_STR_ARG(group->path), below > 0 ? "groups" : "users");
    if (below > COMB_GROUP_DELETE_GROUPS_MAX)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_GROUP_NOT_EMPTY,
                              "more than %d groups are below %.*s: delete some of those first",
                              COMB_GROUP_DELETE_GROUPS_MAX, COMB_STR_ARG(group->path));
    if (extent->n_users > COMB_GROUP_DELETE_USERS_MAX)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_GROUP_NOT_EMPTY,
                              "more than %d users are in %.*s: move them to another group first",
                              COMB_GROUP_DELETE_USERS_MAX, COMB_STR_ARG(group->path));
    return COMB_OK;
}

static enum comb_status plan_delete(struct group_change *change, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_group *group,
                                    const struct comb_group_extent *extent, uint64_t revision,
                                    struct comb_error *err)
{
    const struct comb_identity_parts *parts = &change->identity->parts;
    struct comb_identity_store *store = parts->store;
    size_t max_users = change->recursive ? COMB_GROUP_DELETE_USERS_MAX : 0;
    enum comb_status status =
        store->driver->plan_groups(store, ctx, plan, revision, true, true, err);
    if (status == COMB_OK)
        status = store->driver->plan_delete_group(store, ctx, plan, group, max_users, err);
    for (size_t i = 0; status == COMB_OK && i < extent->n_groups; i++)
        status = comb_permissions_store_plan_forget(parts->permissions, ctx, plan,
                                                    &extent->groups[i], err);
    if (status == COMB_OK)
        status = comb_plan_tell(plan, COMB_FEED_GROUP, &group->id, group->revision + 1, err);
    return status;
}

static enum comb_status delete_once(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    struct group_change *change = data;
    struct comb_identity_store *store = change->identity->parts.store;
    struct comb_group group;
    struct comb_group_extent extent;
    uint64_t revision;
    enum comb_status status = begin(change, ctx, plan, &revision, err);
    if (status == COMB_OK)
        status = read_changed(change, ctx, &group, err);
    /* Itself, and one more of either than may go with it. */
    if (status == COMB_OK)
        status =
            store->driver->group_extent(store, ctx, &group.id, COMB_GROUP_DELETE_GROUPS_MAX + 2,
                                        COMB_GROUP_DELETE_USERS_MAX + 1, &extent, err);
    if (status == COMB_OK && extent.n_groups == 0)
        return comb_error_set(err, COMB_ABORTED, COMB_V1_ERROR_REASON_CONTENTION,
                              "the group went away meanwhile");
    if (status == COMB_OK)
        status = check_extent(change, &group, &extent, err);
    if (status == COMB_OK)
        status = plan_delete(change, ctx, plan, &group, &extent, revision, err);
    return status;
}

static enum comb_status delete_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    const struct group_change *change = data;
    return comb_tree_decide(change->identity->parts.tree, delete_once, data, ctx, plan, err);
}

enum comb_status comb_identity_delete_group(struct comb_identity *identity, struct comb_ctx *ctx,
                                            const struct comb_request_key *key, comb_str group,
                                            comb_str expected_etag, bool recursive,
                                            struct comb_error *err)
{
    struct group_change change = {.identity = identity,
                                  .group = group,
                                  .expected_etag = expected_etag,
                                  .recursive = recursive};
    return run(&change, ctx, key, delete_decide, NULL, err);
}
