/* SPDX-License-Identifier: Apache-2.0 */
/* The store of permission entries over the SQL row. Its statements are the same in all dialects,
 * but for the one that reads. */
#include "server/backend/sql/sql_read.h"
#include "server/core/memory.h"
#include "server/permissions/driver/schema.h"

/* The guard of both changes: who decided on these entries decides again. */
static const char RAISE_ACL_REVISION[] =
    "UPDATE node SET acl_rev = acl_rev + 1 WHERE id = ?1 AND acl_rev = ?2";
static const char INSERT_ENTRY[] =
    "INSERT INTO entry (node, role, rights, expire_us, create_us, granted_by)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
static const char SET_ENTRY[] =
    "INSERT INTO entry (node, role, rights, expire_us, create_us, granted_by)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (node, role) DO UPDATE SET"
    " rights = excluded.rights, expire_us = excluded.expire_us, create_us = excluded.create_us,"
    " granted_by = excluded.granted_by";
static const char DELETE_ENTRY[] = "DELETE FROM entry WHERE node = ?1 AND role = ?2";
static const char DELETE_ROLE[] = "DELETE FROM entry WHERE role = ?1";

#define ENTRY_PARAMS 6

struct permissions_sql {
    struct comb_permissions_store base;
    struct comb_sql *sql;
    const struct comb_permissions_dialect *dialect;
};

static enum comb_status add(struct comb_ctx *ctx, struct comb_plan *plan, const char *text,
                            const struct comb_sql_value *params, size_t n_params, bool guard,
                            struct comb_error *err)
{
    if (plan->n_statements == COMB_PLAN_STATEMENTS_MAX) {
        return comb_error_set(err, COMB_INTERNAL, 0, "a plan has too many statements");
    }
    struct comb_sql_value *copy = grpcc_arena_memdup(ctx->arena, params, n_params * sizeof *params);
    if (copy == NULL) {
        return comb_error_no_memory(err);
    }
    for (size_t i = 0; i < n_params; i++) { /* ids point into the caller's structs */
        comb_str *bytes = &copy[i].bytes;
        if (copy[i].type == COMB_SQL_BLOB) {
            bytes->ptr = grpcc_arena_memdup(ctx->arena, bytes->ptr, bytes->len);
            if (bytes->ptr == NULL) {
                return comb_error_no_memory(err);
            }
        }
    }
    plan->statements[plan->n_statements++] = (struct comb_sql_statement){
        .text = text, .params = copy, .n_params = n_params, .guard = guard};
    return COMB_OK;
}

static enum comb_status add_raise(struct comb_ctx *ctx, struct comb_plan *plan,
                                  const struct comb_uuid *node, uint64_t acl_revision,
                                  struct comb_error *err)
{
    struct comb_sql_value params[] = {comb_sql_uuid(node), comb_sql_integer((int64_t)acl_revision)};
    return add(ctx, plan, RAISE_ACL_REVISION, params, 2, true, err);
}

static enum comb_status add_entry(struct comb_ctx *ctx, struct comb_plan *plan, const char *text,
                                  const struct comb_entry *entry, struct comb_error *err)
{
    struct comb_sql_value params[ENTRY_PARAMS] = {
        comb_sql_uuid(&entry->node),        comb_sql_uuid(&entry->role),
        comb_sql_integer(entry->rights),    comb_sql_integer(entry->expire_us),
        comb_sql_integer(entry->create_us), comb_sql_uuid(&entry->granted_by),
    };
    return add(ctx, plan, text, params, ENTRY_PARAMS, false, err);
}

static enum comb_status sql_plan_grant(struct comb_permissions_store *self, struct comb_ctx *ctx,
                                       struct comb_plan *plan, const struct comb_entry *entry,
                                       uint64_t acl_revision, struct comb_error *err)
{
    (void)self;
    enum comb_status status = add_raise(ctx, plan, &entry->node, acl_revision, err);
    return status == COMB_OK ? add_entry(ctx, plan, SET_ENTRY, entry, err) : status;
}

static enum comb_status sql_plan_revoke(struct comb_permissions_store *self, struct comb_ctx *ctx,
                                        struct comb_plan *plan, const struct comb_uuid *node,
                                        const struct comb_uuid *role, uint64_t acl_revision,
                                        struct comb_error *err)
{
    (void)self;
    struct comb_sql_value params[] = {comb_sql_uuid(node), comb_sql_uuid(role)};
    enum comb_status status = add_raise(ctx, plan, node, acl_revision, err);
    return status == COMB_OK ? add(ctx, plan, DELETE_ENTRY, params, 2, true, err) : status;
}

static enum comb_status sql_plan_insert(struct comb_permissions_store *self, struct comb_ctx *ctx,
                                        struct comb_plan *plan, const struct comb_entry *entry,
                                        struct comb_error *err)
{
    (void)self;
    return add_entry(ctx, plan, INSERT_ENTRY, entry, err);
}

static enum comb_status sql_plan_forget(struct comb_permissions_store *self, struct comb_ctx *ctx,
                                        struct comb_plan *plan, const struct comb_uuid *role,
                                        struct comb_error *err)
{
    (void)self;
    struct comb_sql_value param = comb_sql_uuid(role);
    return add(ctx, plan, DELETE_ROLE, &param, 1, false, err);
}

static enum comb_status sql_readable(struct comb_permissions_store *self, struct comb_ctx *ctx,
                                     const struct comb_uuid *roles, size_t n, int64_t now_us,
                                     size_t max, const struct comb_uuid **ret_nodes, size_t *ret_n,
                                     struct comb_error *err)
{
    const struct permissions_sql *store = (const struct permissions_sql *)self;
    const struct comb_sql_value params[] = {comb_sql_blob(comb_str_of(roles, n * sizeof *roles)),
                                            comb_sql_integer((int64_t)n), comb_sql_integer(now_us),
                                            comb_sql_integer((int64_t)max)};
    const struct comb_sql_statement statement = {store->dialect->readable, params, 4, false};
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, &statement, 1};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(store->sql, ctx, &request, &result, err);
    if (status != COMB_OK)
        return status;
    const struct comb_sql_rows *rows = &result->rows[0];
    struct comb_uuid *nodes = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *nodes);
    if (nodes == NULL)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows; i++) {
        if (!comb_sql_uuid_at(rows, i, 0, &nodes[i]))
            return comb_sql_row_damaged("entry", err);
    }
    *ret_nodes = nodes;
    *ret_n = rows->n_rows;
    return COMB_OK;
}

static void sql_close(struct comb_permissions_store *self)
{
    comb_memory_free(self);
}

static const struct comb_permissions_store_driver driver = {
    .name = "sql",
    .plan_grant = sql_plan_grant,
    .plan_revoke = sql_plan_revoke,
    .plan_insert = sql_plan_insert,
    .plan_forget = sql_plan_forget,
    .readable = sql_readable,
    .close = sql_close,
};

const struct comb_sql_schema *const comb_permissions_schemas[] = {
    &comb_permissions_schema_sqlite,
    &comb_permissions_schema_postgres,
    NULL,
};

enum comb_status comb_permissions_store_open(struct comb_sql *sql,
                                             struct comb_permissions_store **ret_store,
                                             struct comb_error *err)
{
    const struct comb_sql_schema *schema = comb_sql_schema_of(sql, comb_permissions_schemas, err);
    if (schema == NULL) {
        return COMB_INTERNAL;
    }
    struct permissions_sql *store = comb_memory_zalloc(sizeof *store);
    if (store == NULL) {
        return comb_error_no_memory(err);
    }
    store->base.driver = &driver;
    store->sql = sql;
    store->dialect = schema->dialect;
    *ret_store = &store->base;
    return COMB_OK;
}
