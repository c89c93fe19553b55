/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Operations. */
#ifndef COMB_OPERATIONS_RPC_H
#define COMB_OPERATIONS_RPC_H

#include "comb/v1/operations.grpcc.h"
#include "grpcc/server.h"
#include "server/operations/operations.h"
#include "server/rpc/rpc.h"

struct comb_operations_rpc {
    struct comb_operations *operations;
    struct comb_sealer *sealer;
};

/* An operation as it goes out; all of it in arena. */
enum comb_status comb_operations_message(struct grpcc_arena *arena,
                                         const struct comb_operation *operation,
                                         struct comb_v1_operation **ret_message,
                                         struct comb_error *err) COMB_MUST_CHECK;

/* rpc must live as long as the server. */
enum comb_status comb_operations_rpc_register(struct grpcc_server *server,
                                              struct comb_operations_rpc *rpc,
                                              struct comb_error *err) COMB_MUST_CHECK;

#endif
