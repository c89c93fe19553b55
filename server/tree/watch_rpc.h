/* SPDX-License-Identifier: Apache-2.0 */
/* The slot Watch of comb.v1.Tree. */
#ifndef COMB_TREE_WATCH_RPC_H
#define COMB_TREE_WATCH_RPC_H

#include "server/tree/tree.h"

/* As the generated table wants it; the call goes on after it has returned, and holds no worker. */
void comb_tree_rpc_watch(struct comb_tree *tree, struct grpcc_call *call,
                         const struct comb_v1_tree_watch_request *request);

#endif
