/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Search: messages to and from the domain. */
#ifndef COMB_SEARCH_RPC_H
#define COMB_SEARCH_RPC_H

#include "comb/v1/operations.grpcc.h"
#include "grpcc/server.h"
#include "server/rpc/rpc.h"
#include "server/search/search.h"

struct comb_search_rpc {
    struct comb_search *search;
    struct comb_sealer *sealer;
    /* Starts building the index anew, for an administrator; the operation in ctx's arena. Blocks.
     */
    enum comb_status (*reindex)(void *data, struct comb_ctx *ctx,
                                const struct comb_request_key *key,
                                struct comb_v1_operation **ret_operation, struct comb_error *err);
    void *data;
};

/* Adds the service; rpc must live until the server is freed. */
enum comb_status comb_search_rpc_register(struct grpcc_server *server, struct comb_search_rpc *rpc,
                                          struct comb_error *err) COMB_MUST_CHECK;

#endif
