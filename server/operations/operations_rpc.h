/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Operations. */
#ifndef COMB_OPERATIONS_RPC_H
#define COMB_OPERATIONS_RPC_H

#include "grpcc/server.h"
#include "server/operations/operations.h"
#include "server/rpc/rpc.h"

struct comb_operations_rpc {
    struct comb_operations *operations;
    struct comb_sealer *sealer;
};

/* rpc must live as long as the server. */
enum comb_status comb_operations_rpc_register(struct grpcc_server *server,
                                              struct comb_operations_rpc *rpc,
                                              struct comb_error *err) COMB_MUST_CHECK;

#endif
