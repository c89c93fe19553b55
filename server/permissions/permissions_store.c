/* SPDX-License-Identifier: Apache-2.0 */
#include "server/permissions/permissions_store.h"

#include <assert.h>

enum comb_status comb_permissions_store_plan_grant(struct comb_permissions_store *store,
                                                   struct comb_ctx *ctx, struct comb_plan *plan,
                                                   const struct comb_entry *entry,
                                                   uint64_t acl_revision, struct comb_error *err)
{
    assert(entry->rights != 0 && !comb_uuid_is_nil(&entry->role));
    return store->driver->plan_grant(store, ctx, plan, entry, acl_revision, err);
}

enum comb_status comb_permissions_store_plan_revoke(struct comb_permissions_store *store,
                                                    struct comb_ctx *ctx, struct comb_plan *plan,
                                                    const struct comb_uuid *node,
                                                    const struct comb_uuid *role,
                                                    uint64_t acl_revision, struct comb_error *err)
{
    return store->driver->plan_revoke(store, ctx, plan, node, role, acl_revision, err);
}

enum comb_status comb_permissions_store_plan_insert(struct comb_permissions_store *store,
                                                    struct comb_ctx *ctx, struct comb_plan *plan,
                                                    const struct comb_entry *entry,
                                                    struct comb_error *err)
{
    assert(entry->rights != 0 && !comb_uuid_is_nil(&entry->role));
    return store->driver->plan_insert(store, ctx, plan, entry, err);
}

enum comb_status comb_permissions_store_plan_forget(struct comb_permissions_store *store,
                                                    struct comb_ctx *ctx, struct comb_plan *plan,
                                                    const struct comb_uuid *role,
                                                    struct comb_error *err)
{
    return store->driver->plan_forget(store, ctx, plan, role, err);
}

void comb_permissions_store_close(struct comb_permissions_store *store)
{
    if (store != NULL) {
        store->driver->close(store);
    }
}
