/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of users, groups and roles. Rows and statements; no rules of names, no rights, no
 * decisions.
 *
 * Slots: any thread, at once. Those that read block and obey ctx's deadline; what they return lives
 * in ctx->arena. plan_ slots never block: they add statements to a plan, whose parameters live in
 * ctx->arena, and fail only without room.
 */
#ifndef COMB_IDENTITY_STORE_H
#define COMB_IDENTITY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/ctx.h"
#include "server/mutation/mutation.h"

struct comb_user {
    struct comb_uuid id;
    comb_str login, display_name, email;
    comb_str password; /* as comb_password_hash() made it; "": none, he cannot log in */
    bool disabled;
    uint64_t revision;
    uint64_t roles_revision; /* raised by all that may change what he may do; groups' part in it */
    uint64_t generation;     /* raised by all that must end his tokens */
    int64_t create_us;
    struct comb_uuid personal;     /* workspace */
    struct comb_uuid group;        /* comb_role_everybody: the root, which has no row */
    const struct comb_uuid *roles; /* assigned, in order */
    size_t n_roles;
};

struct comb_role {
    struct comb_uuid id;
    comb_str name, label;
    bool override, built_in;
    uint64_t revision;
    int64_t create_us;
};

struct comb_group {
    struct comb_uuid id;     /* also of its role */
    struct comb_uuid parent; /* comb_role_everybody: the root */
    comb_str name, label;
    comb_str path; /* "/outermost/name"; never written */
    uint64_t revision;
    int64_t create_us;
};

/* What is below a group, and in it. */
struct comb_group_extent {
    const struct comb_uuid *groups; /* itself first; as many as were asked for */
    size_t n_groups;
    size_t height;  /* groups below one another, itself the first */
    size_t n_users; /* of all of them, as far as they were counted */
};

struct comb_identity_store;

/* What of a user changes beside his row. */
struct comb_user_change {
    bool raise_roles_revision;
    bool raise_generation;
};

struct comb_identity_store_driver {
    const char *name; /* "sql" */

    /* By id, or where id is NULL by login. NOT_FOUND, reason USER_NOT_FOUND. */
    enum comb_status (*get_user)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                 const struct comb_uuid *id, comb_str login,
                                 struct comb_user *ret_user, struct comb_error *err);
    /* Up to max users by login, those after `after` whose login begins with prefix; group NULL: of
     * all groups. */
    enum comb_status (*list_users)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                   comb_str prefix, const struct comb_uuid *group, comb_str after,
                                   size_t max, const struct comb_user **ret_users, size_t *ret_n,
                                   struct comb_error *err);
    /* Whether an enabled user other than this one has the role "administrators". */
    enum comb_status (*has_administrator_but)(struct comb_identity_store *self,
                                              struct comb_ctx *ctx, const struct comb_uuid *user,
                                              bool *ret_has, struct comb_error *err);
    /* By id, or where id is NULL by name. NOT_FOUND, reason ROLE_NOT_FOUND. */
    enum comb_status (*get_role)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                 const struct comb_uuid *id, comb_str name,
                                 struct comb_role *ret_role, struct comb_error *err);
    enum comb_status (*list_roles)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                   comb_str after, size_t max, const struct comb_role **ret_roles,
                                   size_t *ret_n, struct comb_error *err);

    /* The number of the groups' arrangement: raised when one is made, moved or deleted. Read before
     * what a plan decides on, and guarded by it, it holds the whole tree still. */
    enum comb_status (*groups_revision)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                        uint64_t *ret_revision, struct comb_error *err);
    /* By id, or where id is NULL by name below parent. NOT_FOUND, reason GROUP_NOT_FOUND. */
    enum comb_status (*get_group)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                  const struct comb_uuid *id, const struct comb_uuid *parent,
                                  comb_str name, struct comb_group *ret_group,
                                  struct comb_error *err);
    enum comb_status (*list_groups)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                    const struct comb_uuid *parent, comb_str after, size_t max,
                                    const struct comb_group **ret_groups, size_t *ret_n,
                                    struct comb_error *err);
    /* Tells at most max_groups groups and counts no more than max_users users. */
    enum comb_status (*group_extent)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                     const struct comb_uuid *group, size_t max_groups,
                                     size_t max_users, struct comb_group_extent *ret_extent,
                                     struct comb_error *err);
    /* Which of n ids, at most COMB_NODE_ENTRIES_MAX, are groups. */
    enum comb_status (*are_groups)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                   const struct comb_uuid *ids, size_t n, bool *ret_are,
                                   struct comb_error *err);

    /* ---- pieces of plans; user, role: the row as it will be; before: its revision now, guarded
     * ---- */

    /* Revisions and generation begin at 1. Violates UNIQUE where the login is taken. */
    enum comb_status (*plan_insert_user)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                         struct comb_plan *plan, const struct comb_user *user,
                                         struct comb_error *err);
    /* Login, display name, e-mail, password, disabled, group. Violates UNIQUE. */
    enum comb_status (*plan_update_user)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                         struct comb_plan *plan, const struct comb_user *user,
                                         uint64_t before, const struct comb_user_change *change,
                                         struct comb_error *err);
    /* With his assigned roles. */
    enum comb_status (*plan_delete_user)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                         struct comb_plan *plan, const struct comb_uuid *user,
                                         uint64_t before, struct comb_error *err);
    /* Replaces the assigned roles; guarded: all of them must exist. Raises no revision. */
    enum comb_status (*plan_set_roles)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                       struct comb_plan *plan, const struct comb_user *user,
                                       struct comb_error *err);
    /* Guard: has_administrator_but(user). */
    enum comb_status (*plan_other_administrator)(struct comb_identity_store *self,
                                                 struct comb_ctx *ctx, struct comb_plan *plan,
                                                 const struct comb_uuid *user,
                                                 struct comb_error *err);
    /* Violates UNIQUE where the name is taken. */
    enum comb_status (*plan_insert_role)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                         struct comb_plan *plan, const struct comb_role *role,
                                         struct comb_error *err);
    /* Name, label, override; raises roles_revision of all members where asked. Violates UNIQUE. */
    enum comb_status (*plan_update_role)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                         struct comb_plan *plan, const struct comb_role *role,
                                         uint64_t before, bool raise_members,
                                         struct comb_error *err);
    /* Takes the role from all members, whose revision and roles_revision are raised. */
    enum comb_status (*plan_delete_role)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                         struct comb_plan *plan, const struct comb_uuid *role,
                                         uint64_t before, struct comb_error *err);

    /* Guard: the groups are arranged as they were at that number. Raises it, and the number that is
     * part of every user's roles_revision, where asked: all decisions under way are made again. */
    enum comb_status (*plan_groups)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                    struct comb_plan *plan, uint64_t revision, bool rearranged,
                                    bool raise_rights, struct comb_error *err);
    /* Violates UNIQUE where the name is taken there. */
    enum comb_status (*plan_insert_group)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                          struct comb_plan *plan, const struct comb_group *group,
                                          struct comb_error *err);
    /* Parent, name, label. Violates UNIQUE. */
    enum comb_status (*plan_update_group)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                          struct comb_plan *plan, const struct comb_group *group,
                                          uint64_t before, struct comb_error *err);
    /* With all below it; guarded: of all of them no more than max_users users, who go to the group
     * above it and whose revision is raised. */
    enum comb_status (*plan_delete_group)(struct comb_identity_store *self, struct comb_ctx *ctx,
                                          struct comb_plan *plan, const struct comb_group *group,
                                          size_t max_users, struct comb_error *err);

    void (*close)(struct comb_identity_store *self);
};

struct comb_identity_store {
    const struct comb_identity_store_driver *driver;
};

/* Over an open row, which must live longer. */
enum comb_status comb_identity_store_open(struct comb_sql *sql,
                                          struct comb_identity_store **ret_store,
                                          struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_identity_store_close(struct comb_identity_store *store);

/* Tables user, role, user_role, user_group, identity_state, and the built-in roles, for
 * comb_sql_migrate_schema. */
extern const struct comb_sql_schema *const comb_identity_schemas[];

#endif
