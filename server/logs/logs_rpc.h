/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Logs: from messages to the domain and back. */
#ifndef COMB_LOGS_RPC_H
#define COMB_LOGS_RPC_H

#include "grpcc/server.h"
#include "server/logs/logs.h"

struct comb_sealer;
struct comb_logs_tails;

struct comb_logs_rpc {
    struct comb_logs *logs;
    struct comb_sealer *sealer;
    struct comb_logs_tails *tails; /* of _init */
};

/* Starts the thread of who follows. */
enum comb_status comb_logs_rpc_init(struct comb_logs_rpc *rpc, struct comb_logs *logs,
                                    struct comb_sealer *sealer,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* Who follows is told to go elsewhere. */
void comb_logs_rpc_drain(struct comb_logs_rpc *rpc);
/* Copes with one that was not made. */
void comb_logs_rpc_done(struct comb_logs_rpc *rpc);

/* rpc must live longer than the server. */
enum comb_status comb_logs_rpc_register(struct grpcc_server *server, struct comb_logs_rpc *rpc,
                                        struct comb_error *err) COMB_MUST_CHECK;

#endif
