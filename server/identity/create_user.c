/* SPDX-License-Identifier: Apache-2.0 */
/* New users, the first one among them: each with a workspace of his own. */
#include "comb/v1/errors.grpcc.h"
#include "comb/v1/node.grpcc.h"
#include "comb/v1/workspaces.grpcc.h"
#include "server/core/limits.h"
#include "server/identity/internal.h"
#include "server/identity/password.h"
#include "server/mutation/plan.h"

/* What stands before the user's id in the slug of his workspace; he himself calls it "personal". */
#define PERSONAL_SLUG "personal-"

struct creation {
    struct comb_identity *identity;
    const struct comb_identity_new_user *input;
    comb_str password; /* hashed */
    bool first;        /* of the installation: nobody is asked, and nobody may be there */
};

static enum comb_status on_constraint(void *data, size_t statement, struct comb_error *err)
{
    const struct creation *creation = data;
    (void)statement; /* only the login is anybody's choice; all else is new ids */
    return comb_error_set_subject(err, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_LOGIN_TAKEN,
                                  "login", "there is a user with the login %.*s already",
                                  COMB_STR_ARG(creation->input->login));
}

static enum comb_status plan_workspace(struct creation *creation, struct comb_ctx *ctx,
                                       struct comb_plan *plan, const struct comb_user *user,
                                       struct comb_error *err)
{
    const struct comb_identity_parts *parts = &creation->identity->parts;
    char id[COMB_UUID_TEXT_LENGTH + 1];
    comb_uuid_format(&user->id, id);
    char *slug = grpcc_arena_printf(ctx->arena, PERSONAL_SLUG "%s", id);
    struct comb_uuid *root = grpcc_arena_zalloc(ctx->arena, sizeof *root);
    if (!slug || !root)
        return comb_error_no_memory(err);
    struct comb_workspace workspace = {.id = user->personal,
                                       .slug = comb_str_from(slug),
                                       .label = user->login,
                                       .kind = COMB_V1_WORKSPACE_KIND_PERSONAL,
                                       .owner = user->id,
                                       .create_us = plan->now_us,
                                       .roots = root,
                                       .n_roots = 1};
    enum comb_status status = comb_tree_plan_create_root(parts->tree, ctx, plan, &workspace.id,
                                                         root, &workspace.bin, err);
    if (status == COMB_OK)
        status =
            parts->workspaces->driver->plan_insert(parts->workspaces, ctx, plan, &workspace, err);
    const struct comb_entry entry = {.node = *root,
                                     .role = user->id,
                                     .granted_by = user->id,
                                     .rights = COMB_V1_RIGHTS_READ_WRITE,
                                     .create_us = plan->now_us};
    if (status == COMB_OK)
        status = comb_permissions_store_plan_insert(parts->permissions, ctx, plan, &entry, err);
    if (status == COMB_OK)
        status = comb_plan_tell(plan, COMB_FEED_WORKSPACE, &workspace.id, 1, err);
    return status;
}

static enum comb_status plan_user(struct creation *creation, struct comb_ctx *ctx,
                                  struct comb_plan *plan, struct comb_error *err)
{
    struct comb_identity_store *store = creation->identity->parts.store;
    const struct comb_identity_new_user *input = creation->input;
    struct comb_user user = {.id = comb_uuid_new(),
                             .login = input->login,
                             .display_name = input->display_name,
                             .email = input->email,
                             .password = creation->password,
                             .create_us = plan->now_us,
                             .personal = comb_uuid_new()};
    enum comb_status status = identity_resolve_roles(creation->identity, ctx, input->roles,
                                                     input->n_roles, &user.roles, err);
    user.n_roles = input->n_roles;
    if (status == COMB_OK)
        status =
            identity_plan_in_group(creation->identity, ctx, plan, input->group, &user.group, err);
    if (status == COMB_OK)
        status = store->driver->plan_insert_user(store, ctx, plan, &user, err);
    if (status == COMB_OK)
        status = store->driver->plan_set_roles(store, ctx, plan, &user, err);
    if (status == COMB_OK)
        status = comb_plan_tell(plan, COMB_FEED_USER, &user.id, 1, err);
    if (status == COMB_OK)
        status = plan_workspace(creation, ctx, plan, &user, err);
    if (status == COMB_OK)
        status = identity_plan_outcome(ctx, plan, &user.id, err);
    return status;
}

static enum comb_status create_once(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    struct creation *creation = data;
    /* His roles must be there when he is. */
    plan->kind = COMB_SQL_WRITE_LOCKED;
    plan->lock = COMB_LOCK_RIGHTS;
    plan->on_constraint = on_constraint;
    enum comb_status status;
    bool wanted = true;
    if (creation->first)
        status = comb_identity_is_empty(creation->identity, ctx, &wanted, err);
    else
        status = identity_plan_administrator(creation->identity, ctx, plan, err);
    if (status != COMB_OK || !wanted)
        return status;
    return plan_user(creation, ctx, plan, err);
}

static enum comb_status create_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    const struct creation *creation = data;
    return comb_tree_decide(creation->identity->parts.tree, create_once, data, ctx, plan, err);
}

static enum comb_status check_input(const struct comb_identity_new_user *input,
                                    struct comb_error *err)
{
    enum comb_status status = identity_check_name(input->login, "login", err);
    if (status == COMB_OK)
        status = identity_check_label(input->display_name, "display_name", err);
    if (status == COMB_OK)
        status = identity_check_label(input->email, "email", err);
    if (status == COMB_OK && input->password.len > 0)
        status = comb_password_check(input->password, "password", err);
    return status;
}

static enum comb_status create(struct creation *creation, struct comb_ctx *ctx,
                               const struct comb_request_key *key, struct comb_outcome *ret_outcome,
                               struct comb_error *err)
{
    const struct comb_identity_new_user *input = creation->input;
    enum comb_status status = check_input(input, err);
    if (status == COMB_OK && input->password.len > 0)
        status = comb_password_hash(ctx, input->password, &creation->password, err);
    if (status == COMB_OK)
        status = comb_mutation_run(creation->identity->parts.mutations, ctx, key, create_decide,
                                   creation, ret_outcome, err);
    return status;
}

enum comb_status comb_identity_create_user(struct comb_identity *identity, struct comb_ctx *ctx,
                                           const struct comb_request_key *key,
                                           const struct comb_identity_new_user *new_user,
                                           struct comb_user *ret_user, struct comb_error *err)
{
    struct creation creation = {.identity = identity, .input = new_user};
    struct comb_outcome outcome;
    enum comb_status status = create(&creation, ctx, key, &outcome, err);
    if (status == COMB_OK)
        status = identity_user_of_outcome(identity, ctx, &outcome, ret_user, err);
    return status;
}

/* ---- first start ---- */

enum comb_status comb_identity_is_empty(struct comb_identity *identity, struct comb_ctx *ctx,
                                        bool *ret_empty, struct comb_error *err)
{
    struct comb_identity_store *store = identity->parts.store;
    const struct comb_user *users;
    size_t n;
    enum comb_status status =
        store->driver->list_users(store, ctx, STR(""), NULL, STR(""), 1, &users, &n, err);
    if (status == COMB_OK)
        *ret_empty = n == 0;
    return status;
}

enum comb_status comb_identity_bootstrap(struct comb_identity *identity, struct comb_ctx *ctx,
                                         comb_str login, comb_str password, bool *ret_created,
                                         struct comb_error *err)
{
    char role[COMB_UUID_TEXT_LENGTH + 1];
    comb_uuid_format(&comb_role_administrators, role);
    const comb_str roles[] = {comb_str_from(role)};
    const struct comb_identity_new_user input = {.login = login,
                                                 .password = password,
                                                 .display_name = STR("Administrator"),
                                                 .roles = roles,
                                                 .n_roles = 1};
    const struct comb_request_key key = {.id = comb_uuid_new()};
    struct creation creation = {.identity = identity, .input = &input, .first = true};
    struct comb_outcome outcome = {0};
    enum comb_status status = create(&creation, ctx, &key, &outcome, err);
    /* Somebody else, starting at the same time, was first. */
    if (status == COMB_ALREADY_EXISTS)
        status = COMB_OK;
    if (status == COMB_OK)
        *ret_created = outcome.bytes.len > 0;
    return status;
}
