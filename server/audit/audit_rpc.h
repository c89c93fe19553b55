/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Audit. */
#ifndef COMB_AUDIT_RPC_H
#define COMB_AUDIT_RPC_H

#include "grpcc/server.h"
#include "server/audit/audit.h"
#include "server/audit/indexer.h"
#include "server/rpc/rpc.h"

struct comb_audit_rpc {
    struct comb_audit *audit;
    struct comb_audit_indexer *indexer;
    struct comb_sealer *sealer;
};

/* rpc must live as long as the server. */
enum comb_status comb_audit_rpc_register(struct grpcc_server *server, struct comb_audit_rpc *rpc,
                                         struct comb_error *err) COMB_MUST_CHECK;

#endif
