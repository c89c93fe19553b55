/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of permission entries: pieces of plans, and where roles have entries at all. For
 * decisions entries are read through server/facts, together with the chain that they are on; what
 * is decided about them is the domain's.
 *
 * A plan_ slot adds statements to a plan, whose parameters live in ctx->arena; it never blocks, and
 * fails only without room (RESOURCE_EXHAUSTED) or where the plan is full (INTERNAL: a bug).
 * Threads: any, at once.
 */
#ifndef COMB_PERMISSIONS_STORE_H
#define COMB_PERMISSIONS_STORE_H

#include "server/facts/facts.h"
#include "server/mutation/mutation.h"

struct comb_permissions_store;

#define COMB_PERMISSIONS_ROLES_MAX 1000
#define COMB_PERMISSIONS_READABLE_MAX 9999

struct comb_permissions_store_driver {
    const char *name; /* "sql" */
    /* Sets the entry of a role on a node and raises the node's acl_revision; guarded by that it is
     * acl_revision before. */
    enum comb_status (*plan_grant)(struct comb_permissions_store *self, struct comb_ctx *ctx,
                                   struct comb_plan *plan, const struct comb_entry *entry,
                                   uint64_t acl_revision, struct comb_error *err);
    /* Removes the entry, which must be there; guarded in the same way. */
    enum comb_status (*plan_revoke)(struct comb_permissions_store *self, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_uuid *node,
                                    const struct comb_uuid *role, uint64_t acl_revision,
                                    struct comb_error *err);
    /* An entry on a node that the same plan makes: nobody can have decided anything on it. */
    enum comb_status (*plan_insert)(struct comb_permissions_store *self, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_entry *entry,
                                    struct comb_error *err);
    /* Removes all entries of a role (or user) that the same plan deletes: no decision can rest on
     * them any more, so no acl_revision is raised. */
    enum comb_status (*plan_forget)(struct comb_permissions_store *self, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_uuid *role,
                                    struct comb_error *err);
    /* Nodes on which an entry of one of n roles, up to COMB_PERMISSIONS_ROLES_MAX, that has not
     * expired by now_us lets read, in no order: up to max, at most
     * COMB_PERMISSIONS_READABLE_MAX. Whether it can be read there, the rule says. Blocks; errors:
     * those of the sql row. */
    enum comb_status (*readable)(struct comb_permissions_store *self, struct comb_ctx *ctx,
                                 const struct comb_uuid *roles, size_t n, int64_t now_us,
                                 size_t max, const struct comb_uuid **ret_nodes, size_t *ret_n,
                                 struct comb_error *err);
    void (*close)(struct comb_permissions_store *self);
};

struct comb_permissions_store {
    const struct comb_permissions_store_driver *driver;
};

enum comb_status comb_permissions_store_plan_grant(struct comb_permissions_store *store,
                                                   struct comb_ctx *ctx, struct comb_plan *plan,
                                                   const struct comb_entry *entry,
                                                   uint64_t acl_revision,
                                                   struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_permissions_store_plan_revoke(struct comb_permissions_store *store,
                                                    struct comb_ctx *ctx, struct comb_plan *plan,
                                                    const struct comb_uuid *node,
                                                    const struct comb_uuid *role,
                                                    uint64_t acl_revision,
                                                    struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_permissions_store_plan_insert(struct comb_permissions_store *store,
                                                    struct comb_ctx *ctx, struct comb_plan *plan,
                                                    const struct comb_entry *entry,
                                                    struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_permissions_store_plan_forget(struct comb_permissions_store *store,
                                                    struct comb_ctx *ctx, struct comb_plan *plan,
                                                    const struct comb_uuid *role,
                                                    struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_permissions_store_close(struct comb_permissions_store *store);

/* The table entry, for comb_sql_migrate_schema. */
extern const struct comb_sql_schema *const comb_permissions_schemas[];

/* Over an open row, whose schema has been migrated, and which must live longer. */
enum comb_status comb_permissions_store_open(struct comb_sql *sql,
                                             struct comb_permissions_store **ret_store,
                                             struct comb_error *err) COMB_MUST_CHECK;

#endif
