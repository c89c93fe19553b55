/* SPDX-License-Identifier: Apache-2.0 */
/* The rule of a method (comb.v1.rpc), read once, at start, from the options in its descriptor. */
#ifndef COMB_RPC_METHOD_RULE_H
#define COMB_RPC_METHOD_RULE_H

#include "comb/v1/options.grpcc.h"
#include "grpcc/descriptor.h"
#include "grpcc/server.h"
#include "server/core/error.h"
#include "server/core/str.h"

/* The number of the extension (comb.v1.rpc) of MethodOptions. */
#define COMB_RPC_RULE_FIELD 50701

/*
 * Decodes the rule of method into arena; repeated occurrences are merged.
 * FAILED_PRECONDITION where the option is missing, malformed or incomplete: the server does not
 * start.
 */
enum comb_status comb_method_rule_read(struct grpcc_arena *arena, const struct grpcc_method *method,
                                       const struct comb_v1_method_rule **ret_rule,
                                       struct comb_error *err) COMB_MUST_CHECK;

/* The runtime's configuration that follows from a rule; tag is left to the caller. */
struct grpcc_method_config comb_method_rule_config(const struct comb_v1_method_rule *rule);

#endif
