/* SPDX-License-Identifier: Apache-2.0 */
#include "comb/v1/errors.grpcc.h"
#include "server/identity/internal.h"
#include "server/mutation/plan.h"

enum comb_status comb_identity_get_role(struct comb_identity *identity, struct comb_ctx *ctx,
                                        comb_str id_or_name, struct comb_role *ret_role,
                                        struct comb_error *err)
{
    enum comb_status status = comb_facts_sync_wait(identity->parts.facts, ctx, err);
    if (status == COMB_OK)
        status = identity_read_role(identity, ctx, id_or_name, ret_role, err);
    return status;
}

enum comb_status comb_identity_list_roles(struct comb_identity *identity, struct comb_ctx *ctx,
                                          comb_str after, size_t max,
                                          const struct comb_role **ret_roles, size_t *ret_n,
                                          struct comb_error *err)
{
    struct comb_identity_store *store = identity->parts.store;
    enum comb_status status = comb_facts_sync_wait(identity->parts.facts, ctx, err);
    if (status == COMB_OK)
        status = store->driver->list_roles(store, ctx, after, max, ret_roles, ret_n, err);
    return status;
}

/* One call, over all attempts to write it. */
struct role_change {
    struct comb_identity *identity;
    comb_str role, expected_etag;
    const struct comb_identity_role_fields *fields; /* NULL: it is deleted */
};

static enum comb_status on_constraint(void *data, size_t statement, struct comb_error *err)
{
    const struct role_change *change = data;
    (void)statement; /* only the name is unique */
    return comb_error_set_subject(err, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_ROLE_TAKEN, "name",
                                  "there is a role %.*s already",
                                  COMB_STR_ARG(change->fields->name));
}

static enum comb_status check_fields(const struct comb_identity_role_fields *fields,
                                     struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    if (fields->fields == 0)
        status = comb_error_field(err, "update_mask", "names nothing to change");
    if (status == COMB_OK && (fields->fields & COMB_IDENTITY_ROLE_NAME))
        status = identity_check_name(fields->name, "name", err);
    if (status == COMB_OK && (fields->fields & COMB_IDENTITY_ROLE_LABEL))
        status = identity_check_label(fields->label, "label", err);
    return status;
}

static void apply(const struct comb_identity_role_fields *fields, struct comb_role *role)
{
    if (fields->fields & COMB_IDENTITY_ROLE_NAME)
        role->name = fields->name;
    if (fields->fields & COMB_IDENTITY_ROLE_LABEL)
        role->label = fields->label;
    if (fields->fields & COMB_IDENTITY_ROLE_OVERRIDE)
        role->override = fields->override;
}

static enum comb_status built_in(const struct comb_role *role, const char *what,
                                 struct comb_error *err)
{
    return comb_error_set(err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_BUILT_IN,
                          "the role %.*s is built in: it cannot be %s", COMB_STR_ARG(role->name),
                          what);
}

/* Runs decide and reads the role that it named as its outcome; ret_role NULL: it is gone. */
static enum comb_status run(struct role_change *change, struct comb_ctx *ctx,
                            const struct comb_request_key *key, comb_mutation_decide decide,
                            struct comb_role *ret_role, struct comb_error *err)
{
    struct comb_identity_store *store = change->identity->parts.store;
    struct comb_outcome outcome;
    enum comb_status status = comb_mutation_run(change->identity->parts.mutations, ctx, key, decide,
                                                change, &outcome, err);
    if (status != COMB_OK || !ret_role)
        return status;
    struct comb_uuid id;
    status = identity_outcome_id(&outcome, &id, err);
    if (status == COMB_OK)
        status = store->driver->get_role(store, ctx, &id, STR(""), ret_role, err);
    return status;
}

/* ---- create ---- */

static enum comb_status create_once(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    struct role_change *change = data;
    struct comb_identity_store *store = change->identity->parts.store;
    plan->kind = COMB_SQL_WRITE;
    plan->on_constraint = on_constraint;
    struct comb_role role = {.id = comb_uuid_new(), .create_us = plan->now_us};
    apply(change->fields, &role);
    enum comb_status status = identity_plan_administrator(change->identity, ctx, plan, err);
    if (status == COMB_OK)
        status = store->driver->plan_insert_role(store, ctx, plan, &role, err);
    if (status == COMB_OK)
        status = comb_plan_tell(plan, COMB_FEED_ROLE, &role.id, 1, err);
    if (status == COMB_OK)
        status = identity_plan_outcome(ctx, plan, &role.id, err);
    return status;
}

static enum comb_status create_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    const struct role_change *change = data;
    return comb_tree_decide(change->identity->parts.tree, create_once, data, ctx, plan, err);
}

enum comb_status comb_identity_create_role(struct comb_identity *identity, struct comb_ctx *ctx,
                                           const struct comb_request_key *key,
                                           const struct comb_identity_role_fields *fields,
                                           struct comb_role *ret_role, struct comb_error *err)
{
    struct comb_identity_role_fields all = *fields;
    all.fields = COMB_IDENTITY_ROLE_NAME | COMB_IDENTITY_ROLE_LABEL | COMB_IDENTITY_ROLE_OVERRIDE;
    struct role_change change = {.identity = identity, .fields = &all};
    enum comb_status status = check_fields(&all, err);
    if (status == COMB_OK)
        status = run(&change, ctx, key, create_decide, ret_role, err);
    return status;
}

/* ---- update and delete ---- */

static enum comb_status begin(struct role_change *change, struct comb_ctx *ctx,
                              struct comb_plan *plan, struct comb_role *ret_role,
                              struct comb_error *err)
{
    plan->kind = COMB_SQL_WRITE_LOCKED;
    plan->lock = COMB_LOCK_RIGHTS;
    enum comb_status status = identity_plan_administrator(change->identity, ctx, plan, err);
    if (status == COMB_OK)
        status = identity_read_role(change->identity, ctx, change->role, ret_role, err);
    if (status == COMB_OK)
        status = identity_check_etag(change->expected_etag, ret_role->revision, err);
    return status;
}

static enum comb_status update_once(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    struct role_change *change = data;
    struct comb_identity_store *store = change->identity->parts.store;
    struct comb_role before;
    enum comb_status status = begin(change, ctx, plan, &before, err);
    if (status != COMB_OK)
        return status;
    plan->on_constraint = on_constraint;
    struct comb_role after = before;
    apply(change->fields, &after);
    bool reorders = before.override != after.override;
    if (before.built_in && (reorders || !comb_str_equal(before.name, after.name)))
        return built_in(&before, "renamed or reordered", err);
    status =
        store->driver->plan_update_role(store, ctx, plan, &after, before.revision, reorders, err);
    if (status == COMB_OK)
        status = comb_plan_tell(plan, COMB_FEED_ROLE, &before.id, before.revision + 1, err);
    if (status == COMB_OK)
        status = identity_plan_outcome(ctx, plan, &before.id, err);
    return status;
}

static enum comb_status update_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    const struct role_change *change = data;
    return comb_tree_decide(change->identity->parts.tree, update_once, data, ctx, plan, err);
}

enum comb_status comb_identity_update_role(struct comb_identity *identity, struct comb_ctx *ctx,
                                           const struct comb_request_key *key, comb_str role,
                                           comb_str expected_etag,
                                           const struct comb_identity_role_fields *fields,
                                           struct comb_role *ret_role, struct comb_error *err)
{
    struct role_change change = {
        .identity = identity, .role = role, .expected_etag = expected_etag, .fields = fields};
    enum comb_status status = check_fields(fields, err);
    if (status == COMB_OK)
        status = run(&change, ctx, key, update_decide, ret_role, err);
    return status;
}

static enum comb_status delete_once(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    struct role_change *change = data;
    const struct comb_identity_parts *parts = &change->identity->parts;
    struct comb_role role;
    enum comb_status status = begin(change, ctx, plan, &role, err);
    if (status == COMB_OK && role.built_in)
        status = built_in(&role, "deleted", err);
    if (status == COMB_OK)
        status = parts->store->driver->plan_delete_role(parts->store, ctx, plan, &role.id,
                                                        role.revision, err);
    /* Its members' roles_revision stands for the entries too: nobody else had them. */
    if (status == COMB_OK)
        status = comb_permissions_store_plan_forget(parts->permissions, ctx, plan, &role.id, err);
    if (status == COMB_OK)
        status = comb_plan_tell(plan, COMB_FEED_ROLE, &role.id, role.revision + 1, err);
    return status;
}

static enum comb_status delete_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    const struct role_change *change = data;
    return comb_tree_decide(change->identity->parts.tree, delete_once, data, ctx, plan, err);
}

enum comb_status comb_identity_delete_role(struct comb_identity *identity, struct comb_ctx *ctx,
                                           const struct comb_request_key *key, comb_str role,
                                           comb_str expected_etag, struct comb_error *err)
{
    struct role_change change = {
        .identity = identity, .role = role, .expected_etag = expected_etag};
    return run(&change, ctx, key, delete_decide, NULL, err);
}
