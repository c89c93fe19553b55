/* SPDX-License-Identifier: Apache-2.0 */
/* The service comb.v1.Permissions. */
#ifndef COMB_PERMISSIONS_RPC_H
#define COMB_PERMISSIONS_RPC_H

#include "server/permissions/permissions.h"
#include "server/rpc/rpc.h"

/* What the handlers work with; borrowed. */
struct comb_permissions_rpc {
    struct comb_permissions *permissions;
    struct comb_sealer *sealer; /* of page tokens */
};
/* Adds the service to server; rpc must live as long as it. */
enum comb_status comb_permissions_rpc_register(struct grpcc_server *server,
                                               struct comb_permissions_rpc *rpc,
                                               struct comb_error *err) COMB_MUST_CHECK;

#endif
