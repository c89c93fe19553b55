/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail's part in a call that changes another store than SQL. For server/rpc alone. */
#ifndef COMB_RPC_AUDITED_H
#define COMB_RPC_AUDITED_H

#include "server/rpc/rpc.h"

/* Texts of a request that one record names. */
#define COMB_RPC_TARGETS_MAX 16

/* Records that the call is about to be done, where its method's rule asks for that. Blocks. */
enum comb_status comb_rpc_intend(struct grpcc_call *call, const char *request_id,
                                 const ProtobufCMessage *request,
                                 struct comb_error *err) COMB_MUST_CHECK;

#endif
