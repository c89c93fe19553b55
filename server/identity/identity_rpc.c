/* SPDX-License-Identifier: Apache-2.0 */
#include "server/identity/identity_rpc.h"

#include "server/identity/methods_rpc.h"

static const struct comb_v1_identity_server METHODS = {
    .create_user = identity_rpc_create_user,
    .get_user = identity_rpc_get_user,
    .list_users = identity_rpc_list_users,
    .update_user = identity_rpc_update_user,
    .delete_user = identity_rpc_delete_user,
    .set_roles = identity_rpc_set_roles,
    .create_role = identity_rpc_create_role,
    .get_role = identity_rpc_get_role,
    .list_roles = identity_rpc_list_roles,
    .update_role = identity_rpc_update_role,
    .delete_role = identity_rpc_delete_role,
    .create_group = identity_rpc_create_group,
    .get_group = identity_rpc_get_group,
    .list_groups = identity_rpc_list_groups,
    .update_group = identity_rpc_update_group,
    .delete_group = identity_rpc_delete_group,
};

enum comb_status comb_identity_rpc_register(struct grpcc_server *server,
                                            struct comb_identity_rpc *rpc, struct comb_error *err)
{
    struct grpcc_error grpcc_err;
    if (comb_v1_identity_register(server, &METHODS, rpc, &grpcc_err) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Identity: %s", grpcc_err.message);
}
