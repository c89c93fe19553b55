/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the store over the SQL row share; nobody else includes it. */
#ifndef COMB_IDENTITY_DRIVER_SQL_H
#define COMB_IDENTITY_DRIVER_SQL_H

#include "server/identity/driver/dialect.h"

struct identity_sql {
    struct comb_identity_store base;
    const struct identity_dialect *dialect;
    struct comb_sql *sql;
};

static inline const struct identity_sql *identity_sql_of(const struct comb_identity_store *self)
{
    return (const struct identity_sql *)self;
}

/* The slots of groups. */
enum comb_status identity_sql_groups_revision(struct comb_identity_store *self,
                                              struct comb_ctx *ctx, uint64_t *ret_revision,
                                              struct comb_error *err);
enum comb_status identity_sql_get_group(struct comb_identity_store *self, struct comb_ctx *ctx,
                                        const struct comb_uuid *id, const struct comb_uuid *parent,
                                        comb_str name, struct comb_group *ret_group,
                                        struct comb_error *err);
enum comb_status identity_sql_list_groups(struct comb_identity_store *self, struct comb_ctx *ctx,
                                          const struct comb_uuid *parent, comb_str after,
                                          size_t max, const struct comb_group **ret_groups,
                                          size_t *ret_n, struct comb_error *err);
enum comb_status identity_sql_group_extent(struct comb_identity_store *self, struct comb_ctx *ctx,
                                           const struct comb_uuid *group, size_t max_groups,
                                           size_t max_users, struct comb_group_extent *ret_extent,
                                           struct comb_error *err);
enum comb_status identity_sql_are_groups(struct comb_identity_store *self, struct comb_ctx *ctx,
                                         const struct comb_uuid *ids, size_t n, bool *ret_are,
                                         struct comb_error *err);
enum comb_status identity_sql_plan_groups(struct comb_identity_store *self, struct comb_ctx *ctx,
                                          struct comb_plan *plan, uint64_t revision,
                                          bool rearranged, bool raise_rights,
                                          struct comb_error *err);
enum comb_status identity_sql_plan_insert_group(struct comb_identity_store *self,
                                                struct comb_ctx *ctx, struct comb_plan *plan,
                                                const struct comb_group *group,
                                                struct comb_error *err);
enum comb_status identity_sql_plan_update_group(struct comb_identity_store *self,
                                                struct comb_ctx *ctx, struct comb_plan *plan,
                                                const struct comb_group *group, uint64_t before,
                                                struct comb_error *err);
enum comb_status identity_sql_plan_delete_group(struct comb_identity_store *self,
                                                struct comb_ctx *ctx, struct comb_plan *plan,
                                                const struct comb_group *group, size_t max_users,
                                                struct comb_error *err);

#endif
