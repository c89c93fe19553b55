/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Tree: from messages to the domain and back. */
#ifndef COMB_TREE_RPC_H
#define COMB_TREE_RPC_H

#include "server/rpc/rpc.h"
#include "server/tree/tree.h"

/* Adds the service to the server, before it starts; tree and sealer outlive it. */
enum comb_status comb_tree_rpc_register(struct grpcc_server *server, struct comb_tree *tree,
                                        struct comb_sealer *sealer,
                                        struct comb_error *err) COMB_MUST_CHECK;

#endif
