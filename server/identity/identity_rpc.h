/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Identity: from messages to the domain and back. */
#ifndef COMB_IDENTITY_RPC_H
#define COMB_IDENTITY_RPC_H

#include "server/identity/identity.h"
#include "server/rpc/rpc.h"

/* What the service works with; kept by the caller, lives longer than the server. */
struct comb_identity_rpc {
    struct comb_identity *identity;
    struct comb_sealer *sealer;
};

/* Adds the service to the server, before it starts. */
enum comb_status comb_identity_rpc_register(struct grpcc_server *server,
                                            struct comb_identity_rpc *rpc,
                                            struct comb_error *err) COMB_MUST_CHECK;

#endif
