/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Config: from messages to the domain and back. */
#ifndef COMB_CONFIG_RPC_H
#define COMB_CONFIG_RPC_H

#include "server/config/config.h"
#include "server/rpc/rpc.h"

/* What the service works with; kept by the caller, lives longer than the server. */
struct comb_config_rpc {
    struct comb_config *config;
    struct comb_sealer *sealer;
};

/* Adds the service to the server, before it starts. */
enum comb_status comb_config_rpc_register(struct grpcc_server *server, struct comb_config_rpc *rpc,
                                          struct comb_error *err) COMB_MUST_CHECK;

#endif
