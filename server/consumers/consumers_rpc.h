/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of comb.v1.Admin about consumers: they are called by its handler. */
#ifndef COMB_CONSUMERS_RPC_H
#define COMB_CONSUMERS_RPC_H

#include "comb/v1/admin.grpcc.h"
#include "grpcc/server.h"
#include "server/consumers/consumer.h"
#include "server/rpc/rpc.h"

/* A change that waits longer for its effect is worth a warning. */
#define COMB_CONSUMERS_LAG_WARN_MS 300000

struct comb_consumers_rpc {
    struct comb_consumers *consumers;
    struct comb_sealer *sealer;
};

/* self: struct comb_consumers_rpc, which lives as long as calls come. */
void comb_consumers_rpc_list(void *self, struct grpcc_call *call,
                             const struct comb_v1_admin_consumers_request *request);
void comb_consumers_rpc_list_set_aside(void *self, struct grpcc_call *call,
                                       const struct comb_v1_admin_list_set_aside_request *request);
void comb_consumers_rpc_retry_set_aside(
    void *self, struct grpcc_call *call,
    const struct comb_v1_admin_retry_set_aside_request *request);

/* Adds warnings to what a check found; where the sql row does not answer, its own check has said
 * so. Blocks. */
enum comb_status comb_consumers_rpc_warn(void *self, struct comb_ctx *ctx,
                                         struct comb_v1_admin_check_response *response,
                                         struct comb_error *err) COMB_MUST_CHECK;

#endif
