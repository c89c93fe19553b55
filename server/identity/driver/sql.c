/* SPDX-License-Identifier: Apache-2.0 */
/* The store of users and roles over the SQL row: what all dialects share. Groups are in groups.c.
 */
#include "server/identity/driver/sql.h"
#include "comb/v1/errors.grpcc.h"
#include "server/backend/sql/sql_read.h"
#include "server/core/memory.h"
#include "server/facts/facts.h"
#include "server/mutation/plan.h"
#include "server/mutation/read.h"

#define ROLE_COLUMNS "SELECT id, name, label, override, built_in, rev, create_us FROM role"
/* ?1 user, ?2 role: a row if there is another */
static const char ADMINISTRATOR_BUT[] =
    "SELECT 1 FROM user_role ur JOIN \"user\" u ON u.id = ur.\"user\""
    " WHERE ur.role = ?2 AND u.id <> ?1 AND u.disabled = 0 LIMIT 1";
/* ?1 id */
static const char ROLE_BY_ID[] = ROLE_COLUMNS " WHERE id = ?1";
/* ?1 name */
static const char ROLE_BY_NAME[] = ROLE_COLUMNS " WHERE name = ?1";
/* ?1 after, ?2 limit */
static const char ROLES[] = ROLE_COLUMNS " WHERE name > ?1 ORDER BY name LIMIT ?2";
/* ?1 id ?2 login ?3 display_name ?4 email ?5 password ?6 disabled ?7 create_us ?8 personal ?9 group
 */
static const char INSERT_USER[] =
    "INSERT INTO \"user\" (id, login, display_name, email, password, disabled,"
    " roles_rev, generation, rev, create_us, personal, group_id)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, 1, 1, ?7, ?8, ?9)";
/* ?1 id ?2 login ?3 display_name ?4 email ?5 password ?6 disabled ?7 before ?8 added to roles_rev
 * ?9 added to generation ?10 group */
static const char UPDATE_USER[] =
    "UPDATE \"user\" SET login = ?2, display_name = ?3, email = ?4, password = ?5,"
    " disabled = ?6, group_id = ?10, rev = rev + 1, roles_rev = roles_rev + ?8,"
    " generation = generation + ?9 WHERE id = ?1 AND rev = ?7";
/* ?1 id ?2 before */
static const char DELETE_USER[] = "DELETE FROM \"user\" WHERE id = ?1 AND rev = ?2";
/* ?1 user */
static const char DELETE_USER_ROLES[] = "DELETE FROM user_role WHERE \"user\" = ?1";
/* ?1 id ?2 name ?3 label ?4 override ?5 create_us */
static const char INSERT_ROLE[] =
    "INSERT INTO role (id, name, label, override, built_in, rev, create_us)"
    " VALUES (?1, ?2, ?3, ?4, 0, 1, ?5)";
/* ?1 id ?2 name ?3 label ?4 override ?5 before */
static const char UPDATE_ROLE[] =
    "UPDATE role SET name = ?2, label = ?3, override = ?4, rev = rev + 1"
    " WHERE id = ?1 AND rev = ?5";
/* ?1 role, ?2 added to rev */
static const char RAISE_MEMBERS[] =
    "UPDATE \"user\" SET roles_rev = roles_rev + 1, rev = rev + ?2 WHERE id IN"
    " (SELECT \"user\" FROM user_role WHERE role = ?1)";
/* ?1 role */
static const char DELETE_ROLE_USERS[] = "DELETE FROM user_role WHERE role = ?1";
/* ?1 id ?2 before */
static const char DELETE_ROLE[] = "DELETE FROM role WHERE id = ?1 AND rev = ?2";

/* ---- reads ---- */

static enum comb_status to_user(struct comb_ctx *ctx, const struct comb_sql_rows *rows, size_t row,
                                struct comb_user *ret_user, struct comb_error *err)
{
    struct comb_user user = {
        .login = comb_sql_at(rows, row, 1)->bytes,
        .display_name = comb_sql_at(rows, row, 2)->bytes,
        .email = comb_sql_at(rows, row, 3)->bytes,
        .password = comb_sql_at(rows, row, 4)->bytes,
        .disabled = comb_sql_at(rows, row, 5)->integer != 0,
        .revision = (uint64_t)comb_sql_at(rows, row, 6)->integer,
        .roles_revision = (uint64_t)comb_sql_at(rows, row, 7)->integer,
        .generation = (uint64_t)comb_sql_at(rows, row, 8)->integer,
        .create_us = comb_sql_at(rows, row, 9)->integer,
    };
    if (!comb_sql_uuid_at(rows, row, 0, &user.id) ||
        !comb_sql_uuid_at(rows, row, 10, &user.personal) ||
        !comb_sql_uuid_at(rows, row, 12, &user.group))
        return comb_sql_row_damaged("user", err);
    enum comb_status status =
        comb_sql_uuids_at(ctx->arena, rows, row, 11, &user.roles, &user.n_roles, err);
    if (status == COMB_OK)
        *ret_user = user;
    return status;
}

static enum comb_status sql_get_user(struct comb_identity_store *self, struct comb_ctx *ctx,
                                     const struct comb_uuid *id, comb_str login,
                                     struct comb_user *ret_user, struct comb_error *err)
{
    const struct identity_dialect *dialect = identity_sql_of(self)->dialect;
    const struct comb_sql_value key = id ? comb_sql_uuid(id) : comb_sql_text(login);
    const struct comb_sql_rows *rows;
    enum comb_status status =
        comb_read_rows(identity_sql_of(self)->sql, ctx, COMB_SQL_READ,
                       id ? dialect->user_by_id : dialect->user_by_login, &key, 1, &rows, err);
    if (status != COMB_OK)
        return status;
    if (rows->n_rows == 0)
        return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_USER_NOT_FOUND,
                              "there is no such user");
    return to_user(ctx, rows, 0, ret_user, err);
}

static enum comb_status sql_list_users(struct comb_identity_store *self, struct comb_ctx *ctx,
                                       comb_str prefix, const struct comb_uuid *group,
                                       comb_str after, size_t max,
                                       const struct comb_user **ret_users, size_t *ret_n,
                                       struct comb_error *err)
{
    /* Logins are ASCII: no character that a login may have comes behind DEL. */
    char *end = grpcc_arena_printf(ctx->arena, "%.*s\x7f", COMB_STR_ARG(prefix));
    if (!end)
        return comb_error_no_memory(err);
    const struct comb_sql_value params[] = {
        comb_sql_text(after), comb_sql_text(prefix), comb_sql_text(comb_str_from(end)),
        comb_sql_integer((int64_t)max), comb_sql_uuid(group ? group : &comb_role_everybody)};
    const struct identity_dialect *dialect = identity_sql_of(self)->dialect;
    const struct comb_sql_rows *rows;
    enum comb_status status = comb_read_rows(identity_sql_of(self)->sql, ctx, COMB_SQL_SCAN,
                                             group ? dialect->users_of_group : dialect->users,
                                             params, group ? 5 : 4, &rows, err);
    if (status != COMB_OK)
        return status;
    struct comb_user *users = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *users);
    if (!users)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows; i++) {
        status = to_user(ctx, rows, i, &users[i], err);
        if (status != COMB_OK)
            return status;
    }
    *ret_users = users;
    *ret_n = rows->n_rows;
    return COMB_OK;
}

static enum comb_status sql_has_administrator_but(struct comb_identity_store *self,
                                                  struct comb_ctx *ctx,
                                                  const struct comb_uuid *user, bool *ret_has,
                                                  struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_uuid(user),
                                            comb_sql_uuid(&comb_role_administrators)};
    const struct comb_sql_rows *rows;
    enum comb_status status = comb_read_rows(identity_sql_of(self)->sql, ctx, COMB_SQL_READ,
                                             ADMINISTRATOR_BUT, params, 2, &rows, err);
    if (status == COMB_OK)
        *ret_has = rows->n_rows > 0;
    return status;
}

static enum comb_status to_role(const struct comb_sql_rows *rows, size_t row,
                                struct comb_role *ret_role, struct comb_error *err)
{
    struct comb_role role = {
        .name = comb_sql_at(rows, row, 1)->bytes,
        .label = comb_sql_at(rows, row, 2)->bytes,
        .override = comb_sql_at(rows, row, 3)->integer != 0,
        .built_in = comb_sql_at(rows, row, 4)->integer != 0,
        .revision = (uint64_t)comb_sql_at(rows, row, 5)->integer,
        .create_us = comb_sql_at(rows, row, 6)->integer,
    };
    if (!comb_sql_uuid_at(rows, row, 0, &role.id))
        return comb_sql_row_damaged("role", err);
    *ret_role = role;
    return COMB_OK;
}

static enum comb_status sql_get_role(struct comb_identity_store *self, struct comb_ctx *ctx,
                                     const struct comb_uuid *id, comb_str name,
                                     struct comb_role *ret_role, struct comb_error *err)
{
    const struct comb_sql_value key = id ? comb_sql_uuid(id) : comb_sql_text(name);
    const struct comb_sql_rows *rows;
    enum comb_status status = comb_read_rows(identity_sql_of(self)->sql, ctx, COMB_SQL_READ,
                                             id ? ROLE_BY_ID : ROLE_BY_NAME, &key, 1, &rows, err);
    if (status != COMB_OK)
        return status;
    if (rows->n_rows == 0)
        return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_ROLE_NOT_FOUND,
                              "there is no such role");
    return to_role(rows, 0, ret_role, err);
}

static enum comb_status sql_list_roles(struct comb_identity_store *self, struct comb_ctx *ctx,
                                       comb_str after, size_t max,
                                       const struct comb_role **ret_roles, size_t *ret_n,
                                       struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_text(after), comb_sql_integer((int64_t)max)};
    const struct comb_sql_rows *rows;
    enum comb_status status = comb_read_rows(identity_sql_of(self)->sql, ctx, COMB_SQL_SCAN, ROLES,
                                             params, 2, &rows, err);
    if (status != COMB_OK)
        return status;
    struct comb_role *roles = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *roles);
    if (!roles)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows; i++) {
        status = to_role(rows, i, &roles[i], err);
        if (status != COMB_OK)
            return status;
    }
    *ret_roles = roles;
    *ret_n = rows->n_rows;
    return COMB_OK;
}

/* ---- pieces of plans ---- */

static enum comb_status sql_plan_insert_user(struct comb_identity_store *self, struct comb_ctx *ctx,
                                             struct comb_plan *plan, const struct comb_user *user,
                                             struct comb_error *err)
{
    (void)self;
    const struct comb_sql_value params[] = {
        comb_sql_uuid(&user->id),          comb_sql_text(user->login),
        comb_sql_text(user->display_name), comb_sql_text(user->email),
        comb_sql_text(user->password),     comb_sql_integer(user->disabled),
        comb_sql_integer(user->create_us), comb_sql_uuid(&user->personal),
        comb_sql_uuid(&user->group)};
    return comb_plan_add(ctx, plan, INSERT_USER, params, 9, true, err);
}

static enum comb_status sql_plan_update_user(struct comb_identity_store *self, struct comb_ctx *ctx,
                                             struct comb_plan *plan, const struct comb_user *user,
                                             uint64_t before, const struct comb_user_change *change,
                                             struct comb_error *err)
{
    (void)self;
    const struct comb_sql_value params[] = {comb_sql_uuid(&user->id),
                                            comb_sql_text(user->login),
                                            comb_sql_text(user->display_name),
                                            comb_sql_text(user->email),
                                            comb_sql_text(user->password),
                                            comb_sql_integer(user->disabled),
                                            comb_sql_integer((int64_t)before),
                                            comb_sql_integer(change->raise_roles_revision),
                                            comb_sql_integer(change->raise_generation),
                                            comb_sql_uuid(&user->group)};
    return comb_plan_add(ctx, plan, UPDATE_USER, params, 10, true, err);
}

static enum comb_status sql_plan_delete_user(struct comb_identity_store *self, struct comb_ctx *ctx,
                                             struct comb_plan *plan, const struct comb_uuid *user,
                                             uint64_t before, struct comb_error *err)
{
    (void)self;
    const struct comb_sql_value params[] = {comb_sql_uuid(user), comb_sql_integer((int64_t)before)};
    enum comb_status status = comb_plan_add(ctx, plan, DELETE_USER, params, 2, true, err);
    if (status == COMB_OK)
        status = comb_plan_add(ctx, plan, DELETE_USER_ROLES, params, 1, false, err);
    return status;
}

static enum comb_status sql_plan_set_roles(struct comb_identity_store *self, struct comb_ctx *ctx,
                                           struct comb_plan *plan, const struct comb_user *user,
                                           struct comb_error *err)
{
    const struct identity_dialect *dialect = identity_sql_of(self)->dialect;
    const struct comb_sql_value id = comb_sql_uuid(&user->id);
    const struct comb_sql_value roles =
        comb_sql_blob(comb_str_of(user->roles, user->n_roles * sizeof user->roles[0]));
    const struct comb_sql_value check[] = {roles, comb_sql_integer((int64_t)user->n_roles)};
    const struct comb_sql_value insert[] = {id, roles};
    enum comb_status status = comb_plan_add(ctx, plan, DELETE_USER_ROLES, &id, 1, false, err);
    if (status == COMB_OK && user->n_roles > 0)
        status = comb_plan_add(ctx, plan, dialect->check_roles, check, 2, true, err);
    if (status == COMB_OK && user->n_roles > 0)
        status = comb_plan_add(ctx, plan, dialect->insert_user_roles, insert, 2, false, err);
    return status;
}

static enum comb_status sql_plan_other_administrator(struct comb_identity_store *self,
                                                     struct comb_ctx *ctx, struct comb_plan *plan,
                                                     const struct comb_uuid *user,
                                                     struct comb_error *err)
{
    (void)self;
    const struct comb_sql_value params[] = {comb_sql_uuid(user),
                                            comb_sql_uuid(&comb_role_administrators)};
    return comb_plan_add(ctx, plan, ADMINISTRATOR_BUT, params, 2, true, err);
}

static enum comb_status sql_plan_insert_role(struct comb_identity_store *self, struct comb_ctx *ctx,
                                             struct comb_plan *plan, const struct comb_role *role,
                                             struct comb_error *err)
{
    (void)self;
    const struct comb_sql_value params[] = {
        comb_sql_uuid(&role->id), comb_sql_text(role->name), comb_sql_text(role->label),
        comb_sql_integer(role->override), comb_sql_integer(role->create_us)};
    return comb_plan_add(ctx, plan, INSERT_ROLE, params, 5, true, err);
}

static enum comb_status plan_raise_members(struct comb_identity_store *self, struct comb_ctx *ctx,
                                           struct comb_plan *plan, const struct comb_uuid *role,
                                           bool with_revision, struct comb_error *err)
{
    (void)self;
    const struct comb_sql_value params[] = {comb_sql_uuid(role), comb_sql_integer(with_revision)};
    return comb_plan_add(ctx, plan, RAISE_MEMBERS, params, 2, false, err);
}

static enum comb_status sql_plan_update_role(struct comb_identity_store *self, struct comb_ctx *ctx,
                                             struct comb_plan *plan, const struct comb_role *role,
                                             uint64_t before, bool raise_members,
                                             struct comb_error *err)
{
    const struct comb_sql_value params[] = {
        comb_sql_uuid(&role->id), comb_sql_text(role->name), comb_sql_text(role->label),
        comb_sql_integer(role->override), comb_sql_integer((int64_t)before)};
    enum comb_status status = comb_plan_add(ctx, plan, UPDATE_ROLE, params, 5, true, err);
    if (status == COMB_OK && raise_members)
        status = plan_raise_members(self, ctx, plan, &role->id, false, err);
    return status;
}

static enum comb_status sql_plan_delete_role(struct comb_identity_store *self, struct comb_ctx *ctx,
                                             struct comb_plan *plan, const struct comb_uuid *role,
                                             uint64_t before, struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_uuid(role), comb_sql_integer((int64_t)before)};
    enum comb_status status = comb_plan_add(ctx, plan, DELETE_ROLE, params, 2, true, err);
    if (status == COMB_OK)
        status = plan_raise_members(self, ctx, plan, role, true, err);
    if (status == COMB_OK)
        status = comb_plan_add(ctx, plan, DELETE_ROLE_USERS, params, 1, false, err);
    return status;
}

static void sql_close(struct comb_identity_store *self)
{
    comb_memory_free(self);
}

static const struct comb_identity_store_driver driver = {
    .name = "sql",
    .get_user = sql_get_user,
    .list_users = sql_list_users,
    .has_administrator_but = sql_has_administrator_but,
    .get_role = sql_get_role,
    .list_roles = sql_list_roles,
    .groups_revision = identity_sql_groups_revision,
    .get_group = identity_sql_get_group,
    .list_groups = identity_sql_list_groups,
    .group_extent = identity_sql_group_extent,
    .are_groups = identity_sql_are_groups,
    .plan_insert_user = sql_plan_insert_user,
    .plan_update_user = sql_plan_update_user,
    .plan_delete_user = sql_plan_delete_user,
    .plan_set_roles = sql_plan_set_roles,
    .plan_other_administrator = sql_plan_other_administrator,
    .plan_insert_role = sql_plan_insert_role,
    .plan_update_role = sql_plan_update_role,
    .plan_delete_role = sql_plan_delete_role,
    .plan_groups = identity_sql_plan_groups,
    .plan_insert_group = identity_sql_plan_insert_group,
    .plan_update_group = identity_sql_plan_update_group,
    .plan_delete_group = identity_sql_plan_delete_group,
    .close = sql_close,
};

const struct comb_sql_schema *const comb_identity_schemas[] = {
    &comb_identity_schema_sqlite,
    &comb_identity_schema_postgres,
    NULL,
};

enum comb_status comb_identity_store_open(struct comb_sql *sql,
                                          struct comb_identity_store **ret_store,
                                          struct comb_error *err)
{
    const struct comb_sql_schema *schema = comb_sql_schema_of(sql, comb_identity_schemas, err);
    if (!schema)
        return COMB_INTERNAL;
    struct identity_sql *store = comb_memory_zalloc(sizeof *store);
    if (!store)
        return comb_error_no_memory(err);
    store->base.driver = &driver;
    store->dialect = schema->dialect;
    store->sql = sql;
    *ret_store = &store->base;
    return COMB_OK;
}
