/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRPCC_SRC_CLIENT_POLICY_H
#define GRPCC_SRC_CLIENT_POLICY_H

#include "gen/runtime/src/client/client.h"

/* grpcc_unary_start() of a policy's channel. Policies know no events: what they answer, wherever
 * they do, is told there. */
void grpcc_policy_unary_start(struct grpcc_channel *channel, const struct grpcc_method *method,
                              struct grpcc_arena *arena, const struct grpcc_call_options *options,
                              const ProtobufCMessage *request, grpcc_unary_done done, void *data,
                              struct grpcc_client_call **ret_call);

#endif
