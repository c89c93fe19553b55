/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of workspaces. Rows and statements; no rights, no rules of slugs.
 *
 * Slots: any thread, at once. Those that read block and obey ctx's deadline; what they return lives
 * in ctx->arena. plan_ slots never block and fail only without room.
 */
#ifndef COMB_WORKSPACES_STORE_H
#define COMB_WORKSPACES_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "server/core/ctx.h"
#include "server/mutation/mutation.h"

struct comb_workspace {
    struct comb_uuid id;
    comb_str slug, label, description;
    int kind; /* comb.v1.WorkspaceKind */
    struct comb_uuid owner, bin;
    uint64_t revision;
    int64_t create_us;
    const struct comb_uuid *roots; /* at least one */
    size_t n_roots;
};

struct comb_workspaces_store;

struct comb_workspaces_store_driver {
    const char *name; /* "sql" */
    /* By id, or where id is NULL by slug. NOT_FOUND, reason WORKSPACE_NOT_FOUND. */
    enum comb_status (*get)(struct comb_workspaces_store *self, struct comb_ctx *ctx,
                            const struct comb_uuid *id, comb_str slug,
                            struct comb_workspace *ret_workspace, struct comb_error *err);
    /* Up to max workspaces by slug, those after `after`. */
    enum comb_status (*list)(struct comb_workspaces_store *self, struct comb_ctx *ctx,
                             comb_str after, size_t max,
                             const struct comb_workspace **ret_workspaces, size_t *ret_n,
                             struct comb_error *err);
    /* With its roots; the revision begins at 1. Violates UNIQUE where the slug is taken. */
    enum comb_status (*plan_insert)(struct comb_workspaces_store *self, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_workspace *workspace,
                                    struct comb_error *err);
    /* Slug, label and description; guarded by revision `before`. Violates UNIQUE where the slug is
     * taken. */
    enum comb_status (*plan_update)(struct comb_workspaces_store *self, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_workspace *workspace,
                                    uint64_t before, struct comb_error *err);
    void (*close)(struct comb_workspaces_store *self);
};

struct comb_workspaces_store {
    const struct comb_workspaces_store_driver *driver;
};

/* Over an open row, which must live longer. */
enum comb_status comb_workspaces_store_open(struct comb_sql *sql,
                                            struct comb_workspaces_store **ret_store,
                                            struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_workspaces_store_close(struct comb_workspaces_store *store);

/* Tables workspace and workspace_root, for comb_sql_migrate_schema. */
extern const struct comb_sql_schema *const comb_workspaces_schemas[];

#endif
