/* SPDX-License-Identifier: Apache-2.0 */
/* The store of workspaces over the SQL row: what all dialects share. */
#include "comb/v1/errors.grpcc.h"
#include "server/backend/sql/sql_read.h"
#include "server/core/memory.h"
#include "server/mutation/plan.h"
#include "server/mutation/read.h"
#include "server/workspaces/driver/dialect.h"

/* ?1 id ?2 slug ?3 label ?4 description ?5 kind ?6 owner ?7 bin ?8 create_us */
static const char INSERT[] =
    "INSERT INTO workspace (id, slug, label, description, kind, owner, bin, rev,"
    " create_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8)";
/* ?1 workspace ?2 position ?3 node */
static const char INSERT_ROOT[] =
    "INSERT INTO workspace_root (workspace, position, node) VALUES (?1, ?2, ?3)";
/* ?1 id ?2 slug ?3 label ?4 description ?5 before */
static const char UPDATE[] =
    "UPDATE workspace SET slug = ?2, label = ?3, description = ?4, rev = rev + 1"
    " WHERE id = ?1 AND rev = ?5";

struct workspaces_sql {
    struct comb_workspaces_store base;
    const struct workspaces_dialect *dialect;
    struct comb_sql *sql;
};

static const struct workspaces_dialect *dialect_of(const struct comb_workspaces_store *self)
{
    return ((const struct workspaces_sql *)self)->dialect;
}

static struct comb_sql *sql_of(const struct comb_workspaces_store *self)
{
    return ((const struct workspaces_sql *)self)->sql;
}

static enum comb_status to_workspace(struct comb_ctx *ctx, const struct comb_sql_rows *rows,
                                     size_t row, struct comb_workspace *ret_workspace,
                                     struct comb_error *err)
{
    struct comb_workspace workspace = {
        .slug = comb_sql_at(rows, row, 1)->bytes,
        .label = comb_sql_at(rows, row, 2)->bytes,
        .description = comb_sql_at(rows, row, 3)->bytes,
        .kind = (int)comb_sql_at(rows, row, 4)->integer,
        .revision = (uint64_t)comb_sql_at(rows, row, 7)->integer,
        .create_us = comb_sql_at(rows, row, 8)->integer,
    };
    if (!comb_sql_uuid_at(rows, row, 0, &workspace.id) ||
        !comb_sql_uuid_at(rows, row, 5, &workspace.owner) ||
        !comb_sql_uuid_at(rows, row, 6, &workspace.bin))
        return comb_sql_row_damaged("workspace", err);
    enum comb_status status =
        comb_sql_uuids_at(ctx->arena, rows, row, 9, &workspace.roots, &workspace.n_roots, err);
    if (status == COMB_OK)
        *ret_workspace = workspace;
    return status;
}

static enum comb_status sql_get(struct comb_workspaces_store *self, struct comb_ctx *ctx,
                                const struct comb_uuid *id, comb_str slug,
                                struct comb_workspace *ret_workspace, struct comb_error *err)
{
    const struct workspaces_dialect *dialect = dialect_of(self);
    const struct comb_sql_value key = id ? comb_sql_uuid(id) : comb_sql_text(slug);
    const struct comb_sql_rows *rows;
    enum comb_status status =
        comb_read_rows(sql_of(self), ctx, COMB_SQL_READ, id ? dialect->by_id : dialect->by_slug,
                       &key, 1, &rows, err);
    if (status != COMB_OK)
        return status;
    if (rows->n_rows == 0)
        return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_WORKSPACE_NOT_FOUND,
                              "there is no such workspace");
    return to_workspace(ctx, rows, 0, ret_workspace, err);
}

static enum comb_status sql_list(struct comb_workspaces_store *self, struct comb_ctx *ctx,
                                 comb_str after, size_t max,
                                 const struct comb_workspace **ret_workspaces, size_t *ret_n,
                                 struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_text(after), comb_sql_integer((int64_t)max)};
    const struct comb_sql_rows *rows;
    enum comb_status status = comb_read_rows(sql_of(self), ctx, COMB_SQL_SCAN,
                                             dialect_of(self)->list, params, 2, &rows, err);
    if (status != COMB_OK)
        return status;
    struct comb_workspace *found = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *found);
    if (!found)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows; i++) {
        status = to_workspace(ctx, rows, i, &found[i], err);
        if (status != COMB_OK)
            return status;
    }
    *ret_workspaces = found;
    *ret_n = rows->n_rows;
    return COMB_OK;
}

static enum comb_status sql_plan_insert(struct comb_workspaces_store *self, struct comb_ctx *ctx,
                                        struct comb_plan *plan,
                                        const struct comb_workspace *workspace,
                                        struct comb_error *err)
{
    (void)self;
    const struct comb_sql_value params[] = {
        comb_sql_uuid(&workspace->id),     comb_sql_text(workspace->slug),
        comb_sql_text(workspace->label),   comb_sql_text(workspace->description),
        comb_sql_integer(workspace->kind), comb_sql_uuid(&workspace->owner),
        comb_sql_uuid(&workspace->bin),    comb_sql_integer(workspace->create_us)};
    enum comb_status status = comb_plan_add(ctx, plan, INSERT, params, 8, true, err);
    for (size_t i = 0; status == COMB_OK && i < workspace->n_roots; i++) {
        const struct comb_sql_value root[] = {comb_sql_uuid(&workspace->id),
                                              comb_sql_integer((int64_t)i),
                                              comb_sql_uuid(&workspace->roots[i])};
        status = comb_plan_add(ctx, plan, INSERT_ROOT, root, 3, true, err);
    }
    return status;
}

static enum comb_status sql_plan_update(struct comb_workspaces_store *self, struct comb_ctx *ctx,
                                        struct comb_plan *plan,
                                        const struct comb_workspace *workspace, uint64_t before,
                                        struct comb_error *err)
{
    (void)self;
    const struct comb_sql_value params[] = {
        comb_sql_uuid(&workspace->id), comb_sql_text(workspace->slug),
        comb_sql_text(workspace->label), comb_sql_text(workspace->description),
        comb_sql_integer((int64_t)before)};
    return comb_plan_add(ctx, plan, UPDATE, params, 5, true, err);
}

static void sql_close(struct comb_workspaces_store *self)
{
    comb_memory_free(self);
}

static const struct comb_workspaces_store_driver driver = {
    .name = "sql",
    .get = sql_get,
    .list = sql_list,
    .plan_insert = sql_plan_insert,
    .plan_update = sql_plan_update,
    .close = sql_close,
};

const struct comb_sql_schema *const comb_workspaces_schemas[] = {
    &comb_workspaces_schema_sqlite,
    &comb_workspaces_schema_postgres,
    NULL,
};

enum comb_status comb_workspaces_store_open(struct comb_sql *sql,
                                            struct comb_workspaces_store **ret_store,
                                            struct comb_error *err)
{
    const struct comb_sql_schema *schema = comb_sql_schema_of(sql, comb_workspaces_schemas, err);
    if (!schema)
        return COMB_INTERNAL;
    struct workspaces_sql *store = comb_memory_zalloc(sizeof *store);
    if (!store)
        return comb_error_no_memory(err);
    store->base.driver = &driver;
    store->dialect = schema->dialect;
    store->sql = sql;
    *ret_store = &store->base;
    return COMB_OK;
}
