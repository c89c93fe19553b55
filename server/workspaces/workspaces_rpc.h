/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Workspaces: from messages to the domain and back. */
#ifndef COMB_WORKSPACES_RPC_H
#define COMB_WORKSPACES_RPC_H

#include "server/rpc/rpc.h"
#include "server/workspaces/workspaces.h"

/* What the service works with; kept by the caller, lives longer than the server. */
struct comb_workspaces_rpc {
    struct comb_workspaces *workspaces;
    struct comb_sealer *sealer;
};

/* Adds the service to the server, before it starts. */
enum comb_status comb_workspaces_rpc_register(struct grpcc_server *server,
                                              struct comb_workspaces_rpc *rpc,
                                              struct comb_error *err) COMB_MUST_CHECK;

#endif
