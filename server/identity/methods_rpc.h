/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of comb.v1.Identity; self is a struct comb_identity_rpc. For identity_rpc.c alone. */
#ifndef COMB_IDENTITY_METHODS_RPC_H
#define COMB_IDENTITY_METHODS_RPC_H

#include "comb/v1/identity.grpcc.h"
#include "server/identity/identity_rpc.h"

void identity_rpc_create_user(void *self, struct grpcc_call *call,
                              const struct comb_v1_identity_create_user_request *request);
void identity_rpc_get_user(void *self, struct grpcc_call *call,
                           const struct comb_v1_identity_get_user_request *request);
void identity_rpc_list_users(void *self, struct grpcc_call *call,
                             const struct comb_v1_identity_list_users_request *request);
void identity_rpc_update_user(void *self, struct grpcc_call *call,
                              const struct comb_v1_identity_update_user_request *request);
void identity_rpc_delete_user(void *self, struct grpcc_call *call,
                              const struct comb_v1_identity_delete_user_request *request);
void identity_rpc_set_roles(void *self, struct grpcc_call *call,
                            const struct comb_v1_identity_set_roles_request *request);
void identity_rpc_create_role(void *self, struct grpcc_call *call,
                              const struct comb_v1_identity_create_role_request *request);
void identity_rpc_get_role(void *self, struct grpcc_call *call,
                           const struct comb_v1_identity_get_role_request *request);
void identity_rpc_list_roles(void *self, struct grpcc_call *call,
                             const struct comb_v1_identity_list_roles_request *request);
void identity_rpc_update_role(void *self, struct grpcc_call *call,
                              const struct comb_v1_identity_update_role_request *request);
void identity_rpc_delete_role(void *self, struct grpcc_call *call,
                              const struct comb_v1_identity_delete_role_request *request);
void identity_rpc_create_group(void *self, struct grpcc_call *call,
                               const struct comb_v1_identity_create_group_request *request);
void identity_rpc_get_group(void *self, struct grpcc_call *call,
                            const struct comb_v1_identity_get_group_request *request);
void identity_rpc_list_groups(void *self, struct grpcc_call *call,
                              const struct comb_v1_identity_list_groups_request *request);
void identity_rpc_update_group(void *self, struct grpcc_call *call,
                               const struct comb_v1_identity_update_group_request *request);
void identity_rpc_delete_group(void *self, struct grpcc_call *call,
                               const struct comb_v1_identity_delete_group_request *request);

#endif
