/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of users: their fields, their roles, their end. */
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/auth/throttle.h"
#include "server/core/clock.h"
#include "server/core/limits.h"
#include "server/identity/internal.h"
#include "server/identity/password.h"
#include "server/mutation/plan.h"

/* What users may change of themselves. */
#define OWN_FIELDS (COMB_IDENTITY_DISPLAY_NAME | COMB_IDENTITY_EMAIL | COMB_IDENTITY_PASSWORD)

/* One call, over all attempts to write it. */
struct change {
    struct comb_identity *identity;
    comb_str user, expected_etag;
    const struct comb_identity_update *update; /* of update_user */
    comb_str password;                         /* the new one, hashed at the first attempt */
    const comb_str *roles;                     /* of set_roles */
    size_t n_roles;
};

/* ---- what changes share ---- */

enum comb_status identity_resolve_roles(struct comb_identity *identity, struct comb_ctx *ctx,
                                        const comb_str *roles, size_t n,
                                        const struct comb_uuid **ret_ids, struct comb_error *err)
{
    if (n > COMB_USER_ROLES_MAX)
        return comb_error_field(err, "roles", "a user has at most %d roles", COMB_USER_ROLES_MAX);
    struct comb_uuid *ids = grpcc_arena_calloc(ctx->arena, n, sizeof *ids);
    if (!ids)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        struct comb_role role;
        enum comb_status status = identity_read_role(identity, ctx, roles[i], &role, err);
        if (status != COMB_OK)
            return status;
        if (comb_uuid_equal(&role.id, &comb_role_everybody))
            return comb_error_field(err, "roles", "everybody has the role \"everybody\"");
        for (size_t j = 0; j < i; j++) {
            if (comb_uuid_equal(&ids[j], &role.id))
                return comb_error_field(err, "roles", "the role %.*s is named twice",
                                        COMB_STR_ARG(role.name));
        }
        ids[i] = role.id;
    }
    *ret_ids = ids;
    return COMB_OK;
}

enum comb_status identity_user_of_outcome(struct comb_identity *identity, struct comb_ctx *ctx,
                                          const struct comb_outcome *outcome,
                                          struct comb_user *ret_user, struct comb_error *err)
{
    struct comb_identity_store *store = identity->parts.store;
    struct comb_uuid id;
    enum comb_status status = identity_outcome_id(outcome, &id, err);
    if (status == COMB_OK)
        status = store->driver->get_user(store, ctx, &id, STR(""), ret_user, err);
    return status;
}

/* Called where user is about to stop being an administrator: somebody else must be one. */
static enum comb_status plan_other_administrator(struct comb_identity *identity,
                                                 struct comb_ctx *ctx, struct comb_plan *plan,
                                                 const struct comb_user *user,
                                                 struct comb_error *err)
{
    struct comb_identity_store *store = identity->parts.store;
    if (user->disabled || !comb_user_is_administrator(user))
        return COMB_OK;
    bool has = false;
    enum comb_status status =
        store->driver->has_administrator_but(store, ctx, &user->id, &has, err);
    if (status != COMB_OK)
        return status;
    if (!has)
        return comb_error_set(err, COMB_FAILED_PRECONDITION,
                              COMB_V1_ERROR_REASON_LAST_ADMINISTRATOR,
                              "%.*s is the last administrator who can log in; make another one "
                              "first",
                              COMB_STR_ARG(user->login));
    return store->driver->plan_other_administrator(store, ctx, plan, &user->id, err);
}

static void lock_rights(struct comb_plan *plan)
{
    plan->kind = COMB_SQL_WRITE_LOCKED;
    plan->lock = COMB_LOCK_RIGHTS;
}

/* ---- update ---- */

static enum comb_status on_constraint(void *data, size_t statement, struct comb_error *err)
{
    const struct change *change = data;
    (void)statement; /* only the login is unique */
    return comb_error_set_subject(err, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_LOGIN_TAKEN,
                                  "login", "there is a user with the login %.*s already",
                                  COMB_STR_ARG(change->update->login));
}

static enum comb_status may_update(const struct comb_ctx *ctx, const struct comb_subjects *caller,
                                   const struct comb_user *user, unsigned fields,
                                   struct comb_error *err)
{
    if (ctx->principal->n_scopes > 0)
        return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_SCOPE_EXCEEDED,
                              "users are changed with a token without scopes");
    bool is_self = comb_uuid_equal(&user->id, &caller->user);
    if (caller->administrator || (is_self && (fields & ~(unsigned)OWN_FIELDS) == 0))
        return COMB_OK;
    return comb_error_set(
        err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
        is_self ? "only administrators may change a login or a group or disable a user"
                : "only administrators may change other users");
}

/* Users who change their own password show that they know the old one. */
static enum comb_status check_old_password(struct change *change, struct comb_ctx *ctx,
                                           const struct comb_user *user, struct comb_error *err)
{
    struct comb_throttle *throttle = change->identity->parts.throttle;
    enum comb_status status = comb_throttle_check(throttle, ctx, user->login, err);
    bool matches = false;
    if (status == COMB_OK)
        status =
            comb_password_verify(ctx, user->password, change->update->old_password, &matches, err);
    if (status != COMB_OK || matches)
        return status;
    comb_throttle_fail(throttle, ctx, user->login);
    return comb_error_set_subject(err, COMB_UNAUTHENTICATED,
                                  COMB_V1_ERROR_REASON_CREDENTIALS_INVALID, "old_password",
                                  "the old password is wrong");
}

static enum comb_status apply_password(struct change *change, struct comb_ctx *ctx,
                                       const struct comb_subjects *caller, struct comb_user *user,
                                       struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    if (!caller->administrator)
        status = check_old_password(change, ctx, user, err);
    if (status == COMB_OK && change->password.len == 0)
        status = comb_password_hash(ctx, change->update->password, &change->password, err);
    if (status == COMB_OK)
        user->password = change->password;
    return status;
}

static void apply_fields(const struct comb_identity_update *update, struct comb_user *user)
{
    if (update->fields & COMB_IDENTITY_LOGIN)
        user->login = update->login;
    if (update->fields & COMB_IDENTITY_DISPLAY_NAME)
        user->display_name = update->display_name;
    if (update->fields & COMB_IDENTITY_EMAIL)
        user->email = update->email;
    if (update->fields & COMB_IDENTITY_DISABLED)
        user->disabled = update->disabled;
}

/* What decides about a user's rights, for the audit trail: "enabled, group ID, roles ID ID"; NULL:
 * no room. */
static const char *rights_text(struct comb_ctx *ctx, const struct comb_user *user)
{
    char id[COMB_UUID_TEXT_LENGTH + 1];
    comb_uuid_format(&user->group, id);
    char *text = grpcc_arena_printf(ctx->arena, "%s, group %s, roles",
                                    user->disabled ? "disabled" : "enabled", id);
    for (size_t i = 0; text && i < user->n_roles; i++) {
        comb_uuid_format(&user->roles[i], id);
        text = grpcc_arena_printf(ctx->arena, "%s %s", text, id);
    }
    return text;
}

static enum comb_status plan_rights(struct comb_ctx *ctx, struct comb_plan *plan,
                                    const struct comb_user *before, const struct comb_user *after,
                                    struct comb_error *err)
{
    const char *was = rights_text(ctx, before), *is = rights_text(ctx, after);
    if (!was || !is)
        return comb_error_no_memory(err);
    plan->before = comb_str_from(was);
    plan->after = comb_str_from(is);
    return COMB_OK;
}

/* after: with the fields changed. */
static enum comb_status plan_update(struct change *change, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_user *before,
                                    const struct comb_user *after, struct comb_error *err)
{
    const struct comb_identity_parts *parts = &change->identity->parts;
    bool new_password = (change->update->fields & COMB_IDENTITY_PASSWORD) != 0;
    bool new_state = before->disabled != after->disabled;
    bool new_group = !comb_uuid_equal(&before->group, &after->group);
    bool ends_tokens = new_password || (new_state && after->disabled);
    /* Whatever ends tokens also raises roles_revision: the guard of a write that the user has
     * begun compares that one. */
    const struct comb_user_change raise = {.raise_roles_revision =
                                               ends_tokens || new_state || new_group,
                                           .raise_generation = ends_tokens};
    enum comb_status status = COMB_OK;
    if (new_state && after->disabled)
        status = plan_other_administrator(change->identity, ctx, plan, before, err);
    if (status == COMB_OK && (new_state || new_group))
        status = plan_rights(ctx, plan, before, after, err);
    if (status == COMB_OK)
        status = parts->store->driver->plan_update_user(parts->store, ctx, plan, after,
                                                        before->revision, &raise, err);
    bool is_self = comb_uuid_equal(&before->id, &ctx->principal->user);
    if (status == COMB_OK && new_password && is_self && !after->disabled)
        status = parts->sessions->driver->plan_keep_session(
            parts->sessions, ctx, plan, &ctx->principal->token, before->generation + 1, err);
    if (status == COMB_OK)
        status = comb_plan_tell(plan, COMB_FEED_USER, &before->id, before->revision + 1, err);
    return status;
}

static enum comb_status update_once(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    struct change *change = data;
    plan->on_constraint = on_constraint;
    lock_rights(plan);
    struct comb_subjects caller;
    struct comb_user before;
    enum comb_status status = identity_plan_caller(change->identity, ctx, plan, &caller, err);
    if (status == COMB_OK)
        status = identity_read_user(change->identity, ctx, change->user, &before, err);
    if (status == COMB_OK)
        status = may_update(ctx, &caller, &before, change->update->fields, err);
    if (status == COMB_OK)
        status = identity_check_etag(change->expected_etag, before.revision, err);
    if (status != COMB_OK)
        return status;
    struct comb_user after = before;
    apply_fields(change->update, &after);
    if (change->update->fields & COMB_IDENTITY_PASSWORD)
        status = apply_password(change, ctx, &caller, &after, err);
    if (status == COMB_OK && (change->update->fields & COMB_IDENTITY_GROUP))
        status = identity_plan_in_group(change->identity, ctx, plan, change->update->group,
                                        &after.group, err);
    if (status == COMB_OK)
        status = plan_update(change, ctx, plan, &before, &after, err);
    if (status == COMB_OK)
        status = identity_plan_outcome(ctx, plan, &before.id, err);
    return status;
}

static enum comb_status update_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    const struct change *change = data;
    return comb_tree_decide(change->identity->parts.tree, update_once, data, ctx, plan, err);
}

static enum comb_status check_update(const struct comb_identity_update *update,
                                     struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    if (update->fields == 0)
        status = comb_error_field(err, "update_mask", "names nothing to change");
    if (status == COMB_OK && (update->fields & COMB_IDENTITY_LOGIN))
        status = identity_check_name(update->login, "login", err);
    if (status == COMB_OK && (update->fields & COMB_IDENTITY_DISPLAY_NAME))
        status = identity_check_label(update->display_name, "display_name", err);
    if (status == COMB_OK && (update->fields & COMB_IDENTITY_EMAIL))
        status = identity_check_label(update->email, "email", err);
    if (status == COMB_OK && (update->fields & COMB_IDENTITY_PASSWORD))
        status = comb_password_check(update->password, "password", err);
    return status;
}

enum comb_status comb_identity_update_user(struct comb_identity *identity, struct comb_ctx *ctx,
                                           const struct comb_request_key *key,
                                           const struct comb_identity_update *update,
                                           struct comb_user *ret_user, struct comb_error *err)
{
    struct change change = {.identity = identity,
                            .user = update->user,
                            .expected_etag = update->expected_etag,
                            .update = update};
    struct comb_outcome outcome;
    enum comb_status status = check_update(update, err);
    if (status == COMB_OK)
        status = comb_mutation_run(identity->parts.mutations, ctx, key, update_decide, &change,
                                   &outcome, err);
    if (status == COMB_OK)
        status = identity_user_of_outcome(identity, ctx, &outcome, ret_user, err);
    return status;
}

/* ---- what administrators alone do ---- */

/* The user, where the caller is an administrator and expects him as he is. */
static enum comb_status begin(struct change *change, struct comb_ctx *ctx, struct comb_plan *plan,
                              struct comb_user *ret_user, struct comb_error *err)
{
    lock_rights(plan);
    enum comb_status status = identity_plan_administrator(change->identity, ctx, plan, err);
    if (status == COMB_OK)
        status = identity_read_user(change->identity, ctx, change->user, ret_user, err);
    if (status == COMB_OK)
        status = identity_check_etag(change->expected_etag, ret_user->revision, err);
    return status;
}

static enum comb_status set_roles_once(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                       struct comb_error *err)
{
    struct change *change = data;
    struct comb_identity_store *store = change->identity->parts.store;
    struct comb_user before;
    enum comb_status status = begin(change, ctx, plan, &before, err);
    if (status != COMB_OK)
        return status;
    struct comb_user after = before;
    after.n_roles = change->n_roles;
    status = identity_resolve_roles(change->identity, ctx, change->roles, change->n_roles,
                                    &after.roles, err);
    if (status == COMB_OK && !comb_user_is_administrator(&after))
        status = plan_other_administrator(change->identity, ctx, plan, &before, err);
    if (status == COMB_OK)
        status = plan_rights(ctx, plan, &before, &after, err);
    const struct comb_user_change raise = {.raise_roles_revision = true};
    if (status == COMB_OK)
        status =
            store->driver->plan_update_user(store, ctx, plan, &after, before.revision, &raise, err);
    if (status == COMB_OK)
        status = store->driver->plan_set_roles(store, ctx, plan, &after, err);
    if (status == COMB_OK)
        status = comb_plan_tell(plan, COMB_FEED_USER, &before.id, before.revision + 1, err);
    if (status == COMB_OK)
        status = identity_plan_outcome(ctx, plan, &before.id, err);
    return status;
}

static enum comb_status set_roles_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                         struct comb_error *err)
{
    const struct change *change = data;
    return comb_tree_decide(change->identity->parts.tree, set_roles_once, data, ctx, plan, err);
}

enum comb_status comb_identity_set_roles(struct comb_identity *identity, struct comb_ctx *ctx,
                                         const struct comb_request_key *key, comb_str user,
                                         comb_str expected_etag, const comb_str *roles,
                                         size_t n_roles, struct comb_user *ret_user,
                                         struct comb_error *err)
{
    struct change change = {.identity = identity,
                            .user = user,
                            .expected_etag = expected_etag,
                            .roles = roles,
                            .n_roles = n_roles};
    struct comb_outcome outcome;
    enum comb_status status = comb_mutation_run(identity->parts.mutations, ctx, key,
                                                set_roles_decide, &change, &outcome, err);
    if (status == COMB_OK)
        status = identity_user_of_outcome(identity, ctx, &outcome, ret_user, err);
    return status;
}

/* The roots of his workspace go to its bin, where an administrator finds them. */
static enum comb_status plan_recycle_personal(struct comb_identity *identity, struct comb_ctx *ctx,
                                              struct comb_plan *plan, const struct comb_user *user,
                                              struct comb_error *err)
{
    const struct comb_identity_parts *parts = &identity->parts;
    const struct comb_tree_claim unasked = {.unasked = true};
    struct comb_workspace workspace;
    enum comb_status status = parts->workspaces->driver->get(
        parts->workspaces, ctx, &user->personal, STR(""), &workspace, err);
    if (status == COMB_NOT_FOUND)
        return COMB_OK;
    for (size_t i = 0; status == COMB_OK && i < workspace.n_roots; i++) {
        struct comb_fact_chain chain;
        status = comb_facts_chain_wait(parts->facts, ctx, &workspace.roots[i], &chain, err);
        if (status == COMB_OK && chain.found && !chain.recycled)
            status = comb_tree_plan_recycle(parts->tree, ctx, plan, &chain, &unasked, NULL, err);
    }
    if (status == COMB_OK)
        status = comb_plan_tell(plan, COMB_FEED_WORKSPACE, &workspace.id, workspace.revision, err);
    return status;
}

static enum comb_status delete_once(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    struct change *change = data;
    const struct comb_identity_parts *parts = &change->identity->parts;
    struct comb_user user;
    enum comb_status status = begin(change, ctx, plan, &user, err);
    if (status == COMB_OK)
        status = plan_other_administrator(change->identity, ctx, plan, &user, err);
    if (status == COMB_OK)
        status = parts->store->driver->plan_delete_user(parts->store, ctx, plan, &user.id,
                                                        user.revision, err);
    if (status == COMB_OK)
        status =
            parts->sessions->driver->plan_forget_user(parts->sessions, ctx, plan, &user.id, err);
    /* Entries for a subject that nobody has any more decide nothing, so no acl_rev is raised. */
    if (status == COMB_OK)
        status = comb_permissions_store_plan_forget(parts->permissions, ctx, plan, &user.id, err);
    if (status == COMB_OK)
        status = comb_plan_tell(plan, COMB_FEED_USER, &user.id, user.revision + 1, err);
    if (status == COMB_OK)
        status = plan_recycle_personal(change->identity, ctx, plan, &user, err);
    return status;
}

static enum comb_status delete_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    const struct change *change = data;
    return comb_tree_decide(change->identity->parts.tree, delete_once, data, ctx, plan, err);
}

enum comb_status comb_identity_delete_user(struct comb_identity *identity, struct comb_ctx *ctx,
                                           const struct comb_request_key *key, comb_str user,
                                           comb_str expected_etag, struct comb_error *err)
{
    struct change change = {.identity = identity, .user = user, .expected_etag = expected_etag};
    struct comb_outcome outcome;
    return comb_mutation_run(identity->parts.mutations, ctx, key, delete_decide, &change, &outcome,
                             err);
}
