/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of groups over the SQL row. */
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/sql/sql_read.h"
#include "server/facts/facts.h"
#include "server/identity/driver/sql.h"
#include "server/mutation/plan.h"
#include "server/mutation/read.h"

/* The group ?1 and all below it. 16: COMB_GROUP_DEPTH_MAX */
#define SUBTREE                                                                                    \
    "WITH RECURSIVE below(depth, id) AS (SELECT 1, id FROM user_group WHERE id = ?1 UNION ALL"     \
    " SELECT b.depth + 1, g.id FROM below b JOIN user_group g ON g.parent = b.id"                  \
    " WHERE b.depth < 16) "
static const char GROUPS_REVISION[] = "SELECT groups_rev FROM identity_state";
/* ?1 group ?2 limit */
static const char EXTENT[] =
    SUBTREE "SELECT id, (SELECT max(depth) FROM below) FROM below ORDER BY depth, id LIMIT ?2";
/* ?1 group ?2 limit */
static const char USERS_BELOW[] =
    SUBTREE "SELECT count(*) FROM (SELECT 1 FROM \"user\" WHERE group_id IN"
            " (SELECT id FROM below) LIMIT ?2) few";
/* ?1 before */
static const char GROUPS_STAY[] = "SELECT 1 FROM identity_state WHERE groups_rev = ?1";
/* ?1 before, ?2 added to rights_rev */
static const char REARRANGE[] =
    "UPDATE identity_state SET groups_rev = groups_rev + 1, rights_rev = rights_rev + ?2"
    " WHERE groups_rev = ?1";
/* ?1 id ?2 parent ?3 name ?4 label ?5 create_us */
static const char INSERT_GROUP[] =
    "INSERT INTO user_group (id, parent, name, label, rev, create_us)"
    " VALUES (?1, ?2, ?3, ?4, 1, ?5)";
/* ?1 id ?2 parent ?3 name ?4 label ?5 before */
static const char UPDATE_GROUP[] =
    "UPDATE user_group SET parent = ?2, name = ?3, label = ?4, rev = rev + 1"
    " WHERE id = ?1 AND rev = ?5";
/* ?1 group ?2 how many may be in it ?3 so many and one */
static const char FEW_USERS[] =
    SUBTREE "SELECT 1 WHERE (SELECT count(*) FROM (SELECT 1 FROM \"user\" WHERE group_id IN"
            " (SELECT id FROM below) LIMIT ?3) few) <= ?2";
/* ?1 group ?2 its parent */
static const char MOVE_USERS[] = SUBTREE "UPDATE \"user\" SET group_id = ?2, rev = rev + 1"
                                         " WHERE group_id IN (SELECT id FROM below)";
/* ?1 group */
static const char DELETE_BELOW[] =
    SUBTREE "DELETE FROM user_group WHERE id <> ?1 AND id IN (SELECT id FROM below)";
/* ?1 group ?2 before */
static const char DELETE_GROUP[] = "DELETE FROM user_group WHERE id = ?1 AND rev = ?2";

/* ---- reads ---- */

/* The one number that the statement gives. */
static enum comb_status read_number(struct comb_identity_store *self, struct comb_ctx *ctx,
                                    const char *text, const struct comb_sql_value *params,
                                    size_t n_params, uint64_t *ret_number, struct comb_error *err)
{
    const struct comb_sql_rows *rows;
    enum comb_status status = comb_read_rows(identity_sql_of(self)->sql, ctx, COMB_SQL_READ, text,
                                             params, n_params, &rows, err);
    if (status != COMB_OK)
        return status;
    if (rows->n_rows != 1)
        return comb_sql_row_damaged("identity_state", err);
    *ret_number = (uint64_t)comb_sql_at(rows, 0, 0)->integer;
    return COMB_OK;
}

enum comb_status identity_sql_groups_revision(struct comb_identity_store *self,
                                              struct comb_ctx *ctx, uint64_t *ret_revision,
                                              struct comb_error *err)
{
    return read_number(self, ctx, GROUPS_REVISION, NULL, 0, ret_revision, err);
}

static enum comb_status to_group(const struct comb_sql_rows *rows, size_t row,
                                 struct comb_group *ret_group, struct comb_error *err)
{
    struct comb_group group = {
        .name = comb_sql_at(rows, row, 2)->bytes,
        .label = comb_sql_at(rows, row, 3)->bytes,
        .revision = (uint64_t)comb_sql_at(rows, row, 4)->integer,
        .create_us = comb_sql_at(rows, row, 5)->integer,
        .path = comb_sql_at(rows, row, 6)->bytes,
    };
    if (!comb_sql_uuid_at(rows, row, 0, &group.id) ||
        !comb_sql_uuid_at(rows, row, 1, &group.parent))
        return comb_sql_row_damaged("user_group", err);
    *ret_group = group;
    return COMB_OK;
}

enum comb_status identity_sql_get_group(struct comb_identity_store *self, struct comb_ctx *ctx,
                                        const struct comb_uuid *id, const struct comb_uuid *parent,
                                        comb_str name, struct comb_group *ret_group,
                                        struct comb_error *err)
{
    const struct identity_dialect *dialect = identity_sql_of(self)->dialect;
    const struct comb_sql_value params[] = {comb_sql_uuid(id ? id : parent), comb_sql_text(name)};
    const struct comb_sql_rows *rows;
    enum comb_status status = comb_read_rows(identity_sql_of(self)->sql, ctx, COMB_SQL_READ,
                                             id ? dialect->group_by_id : dialect->group_by_name,
                                             params, id ? 1 : 2, &rows, err);
    if (status != COMB_OK)
        return status;
    if (rows->n_rows == 0)
        return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_GROUP_NOT_FOUND,
                              "there is no such group");
    return to_group(rows, 0, ret_group, err);
}

enum comb_status identity_sql_list_groups(struct comb_identity_store *self, struct comb_ctx *ctx,
                                          const struct comb_uuid *parent, comb_str after,
                                          size_t max, const struct comb_group **ret_groups,
                                          size_t *ret_n, struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_uuid(parent), comb_sql_text(after),
                                            comb_sql_integer((int64_t)max)};
    const struct comb_sql_rows *rows;
    enum comb_status status =
        comb_read_rows(identity_sql_of(self)->sql, ctx, COMB_SQL_SCAN,
                       identity_sql_of(self)->dialect->groups, params, 3, &rows, err);
    if (status != COMB_OK)
        return status;
    struct comb_group *groups = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *groups);
    if (!groups)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows && status == COMB_OK; i++)
        status = to_group(rows, i, &groups[i], err);
    *ret_groups = groups;
    *ret_n = rows->n_rows;
    return status;
}

enum comb_status identity_sql_group_extent(struct comb_identity_store *self, struct comb_ctx *ctx,
                                           const struct comb_uuid *group, size_t max_groups,
                                           size_t max_users, struct comb_group_extent *ret_extent,
                                           struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_uuid(group),
                                            comb_sql_integer((int64_t)max_groups)};
    const struct comb_sql_value few[] = {params[0], comb_sql_integer((int64_t)max_users)};
    const struct comb_sql_rows *rows;
    uint64_t n_users = 0;
    enum comb_status status = comb_read_rows(identity_sql_of(self)->sql, ctx, COMB_SQL_SCAN, EXTENT,
                                             params, 2, &rows, err);
    if (status == COMB_OK)
        status = read_number(self, ctx, USERS_BELOW, few, 2, &n_users, err);
    if (status != COMB_OK)
        return status;
    struct comb_uuid *groups = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *groups);
    if (!groups)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows; i++) {
        if (!comb_sql_uuid_at(rows, i, 0, &groups[i]))
            return comb_sql_row_damaged("user_group", err);
    }
    *ret_extent = (struct comb_group_extent){
        .groups = groups,
        .n_groups = rows->n_rows,
        .height = rows->n_rows > 0 ? (size_t)comb_sql_at(rows, 0, 1)->integer : 0,
        .n_users = (size_t)n_users};
    return COMB_OK;
}

enum comb_status identity_sql_are_groups(struct comb_identity_store *self, struct comb_ctx *ctx,
                                         const struct comb_uuid *ids, size_t n, bool *ret_are,
                                         struct comb_error *err)
{
    const struct comb_sql_value param = comb_sql_blob(comb_str_of(ids, n * sizeof *ids));
    const struct comb_sql_rows *rows;
    enum comb_status status =
        comb_read_rows(identity_sql_of(self)->sql, ctx, COMB_SQL_READ,
                       identity_sql_of(self)->dialect->are_groups, &param, 1, &rows, err);
    for (size_t i = 0; status == COMB_OK && i < n; i++) {
        ret_are[i] = false;
        for (size_t j = 0; j < rows->n_rows && !ret_are[i]; j++)
            ret_are[i] = comb_str_equal(comb_sql_at(rows, j, 0)->bytes, comb_uuid_bytes(&ids[i]));
    }
    return status;
}

/* ---- pieces of plans ---- */

enum comb_status identity_sql_plan_groups(struct comb_identity_store *self, struct comb_ctx *ctx,
                                          struct comb_plan *plan, uint64_t revision,
                                          bool rearranged, bool raise_rights,
                                          struct comb_error *err)
{
    (void)self;
    const struct comb_sql_value params[] = {comb_sql_integer((int64_t)revision),
                                            comb_sql_integer(raise_rights)};
    return comb_plan_add(ctx, plan, rearranged ? REARRANGE : GROUPS_STAY, params,
                         rearranged ? 2 : 1, true, err);
}

enum comb_status identity_sql_plan_insert_group(struct comb_identity_store *self,
                                                struct comb_ctx *ctx, struct comb_plan *plan,
                                                const struct comb_group *group,
                                                struct comb_error *err)
{
    (void)self;
    const struct comb_sql_value params[] = {
        comb_sql_uuid(&group->id), comb_sql_uuid(&group->parent), comb_sql_text(group->name),
        comb_sql_text(group->label), comb_sql_integer(group->create_us)};
    return comb_plan_add(ctx, plan, INSERT_GROUP, params, 5, true, err);
}

enum comb_status identity_sql_plan_update_group(struct comb_identity_store *self,
                                                struct comb_ctx *ctx, struct comb_plan *plan,
                                                const struct comb_group *group, uint64_t before,
                                                struct comb_error *err)
{
    (void)self;
    const struct comb_sql_value params[] = {
        comb_sql_uuid(&group->id), comb_sql_uuid(&group->parent), comb_sql_text(group->name),
        comb_sql_text(group->label), comb_sql_integer((int64_t)before)};
    return comb_plan_add(ctx, plan, UPDATE_GROUP, params, 5, true, err);
}

enum comb_status identity_sql_plan_delete_group(struct comb_identity_store *self,
                                                struct comb_ctx *ctx, struct comb_plan *plan,
                                                const struct comb_group *group, size_t max_users,
                                                struct comb_error *err)
{
    (void)self;
    const struct comb_sql_value id = comb_sql_uuid(&group->id);
    const struct comb_sql_value few[] = {id, comb_sql_integer((int64_t)max_users),
                                         comb_sql_integer((int64_t)max_users + 1)};
    const struct comb_sql_value move[] = {id, comb_sql_uuid(&group->parent)};
    const struct comb_sql_value last[] = {id, comb_sql_integer((int64_t)group->revision)};
    enum comb_status status = comb_plan_add(ctx, plan, FEW_USERS, few, 3, true, err);
    if (status == COMB_OK && max_users > 0)
        status = comb_plan_add(ctx, plan, MOVE_USERS, move, 2, false, err);
    if (status == COMB_OK)
        status = comb_plan_add(ctx, plan, DELETE_BELOW, &id, 1, false, err);
    if (status == COMB_OK)
        status = comb_plan_add(ctx, plan, DELETE_GROUP, last, 2, true, err);
    return status;
}
