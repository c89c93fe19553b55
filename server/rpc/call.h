/* SPDX-License-Identifier: Apache-2.0 */
/* What the dispatcher keeps for a call, in the call's arena. For server/rpc alone. */
#ifndef COMB_RPC_CALL_H
#define COMB_RPC_CALL_H

#include "comb/v1/options.grpcc.h"
#include "grpcc/server.h"
#include "server/audit/audit.h"
#include "server/core/ctx.h"

/* A login's bytes in the access log; what is longer is cut. */
#define COMB_LOG_LOGIN_MAX 255

struct comb_dispatch;

struct comb_rpc_call {
    struct comb_ctx ctx;
    struct grpcc_call *call;
    const struct comb_v1_method_rule *rule; /* NULL: not a method of comb.v1 */
    const struct comb_dispatch *dispatch;
    comb_str bearer;
    int64_t begin_ns;
    struct comb_audit *audit; /* NULL: none */
    bool has_intent;          /* `intent` has been recorded, and waits for its outcome */
    struct comb_uuid intent;
    int reason;                         /* of the error that ends it; 0: none */
    bool is_ambiguous;                  /* nobody knows whether it was done */
    char log_id[17];                    /* of an internal fault, for the log line; "" */
    char login[COMB_LOG_LOGIN_MAX + 1]; /* for the access log, see comb_dispatch_user() */
};

#endif
