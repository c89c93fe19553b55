/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Tree: from messages to the domain and back. */
#ifndef COMB_TREE_RPC_H
#define COMB_TREE_RPC_H

#include "server/rpc/rpc.h"
#include "server/tree/tree.h"

/* What the handlers stand on; borrowed, lives as long as the server. */
struct comb_tree_rpc {
    struct comb_tree *tree;
    struct comb_sealer *sealer;
};

/* Adds the service to the server, before it starts. */
enum comb_status comb_tree_rpc_register(struct grpcc_server *server,
                                        const struct comb_tree_rpc *parts,
                                        struct comb_error *err) COMB_MUST_CHECK;

#endif
