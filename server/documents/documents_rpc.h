/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Documents: messages to and from the domain. */
#ifndef COMB_DOCUMENTS_RPC_H
#define COMB_DOCUMENTS_RPC_H

#include "grpcc/server.h"
#include "server/documents/documents.h"
#include "server/rpc/rpc.h"

struct comb_documents_rpc {
    struct comb_documents *documents;
    struct comb_sealer *sealer;
};

/* Adds the service; rpc must live until the server is freed. */
enum comb_status comb_documents_rpc_register(struct grpcc_server *server,
                                             struct comb_documents_rpc *rpc,
                                             struct comb_error *err) COMB_MUST_CHECK;

#endif
