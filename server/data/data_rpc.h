/* SPDX-License-Identifier: Apache-2.0 */
/* The service comb.v1.Data: converts between messages and the domain. */
#ifndef COMB_DATA_RPC_H
#define COMB_DATA_RPC_H

#include "server/rpc/rpc.h"

struct comb_data;

/* What the service works with; kept by the caller, lives longer than the server. */
struct comb_data_rpc {
    struct comb_data *data;
    struct comb_sealer *sealer;
};

/* Adds the service to the server, before it starts. */
enum comb_status comb_data_rpc_register(struct grpcc_server *server, struct comb_data_rpc *rpc,
                                        struct comb_error *err) COMB_MUST_CHECK;

#endif
