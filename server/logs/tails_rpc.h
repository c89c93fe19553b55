/* SPDX-License-Identifier: Apache-2.0 */
/* Logs.Tail. For server/logs alone. */
#ifndef COMB_LOGS_TAILS_RPC_H
#define COMB_LOGS_TAILS_RPC_H

#include "grpcc/server.h"
#include "server/logs/logs.h"

/* Calls that one replica serves at a time. */
#define COMB_LOGS_TAILS_MAX 64

struct comb_logs_tails;

enum comb_status comb_logs_tails_new(struct comb_logs *logs, struct comb_logs_tails **ret_tails,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* Ends all, and takes none any more. */
void comb_logs_tails_drain(struct comb_logs_tails *tails);
/* Ends all, waits, frees. NULL is fine. */
void comb_logs_tails_free(struct comb_logs_tails *tails);

/* Takes the call. */
void comb_logs_tails_add(struct comb_logs_tails *tails, struct grpcc_call *call,
                         const struct comb_log_filter *filter);

#endif
