/* SPDX-License-Identifier: Apache-2.0 */
/* Hedging: several attempts of one unary call at once. See struct grpcc_hedge_policy. */
#ifndef GRPCC_SRC_CLIENT_HEDGE_H
#define GRPCC_SRC_CLIENT_HEDGE_H

#include "gen/runtime/src/client/client.h"

/* options.hedge, or NULL where the options are none or older. */
const struct grpcc_hedge_policy *grpcc_hedge_of(const struct grpcc_call_options *options);

/* As grpcc_unary() and grpcc_unary_start(), of a channel with a core. */
enum grpcc_status grpcc_hedge_unary(struct grpcc_channel *channel,
                                    const struct grpcc_method *method, struct grpcc_arena *arena,
                                    const struct grpcc_call_options *options,
                                    const ProtobufCMessage *request, void **ret_response,
                                    struct grpcc_error *err) GRPCC_MUST_CHECK;
void grpcc_hedge_unary_start(struct grpcc_channel *channel, const struct grpcc_method *method,
                             struct grpcc_arena *arena, const struct grpcc_call_options *options,
                             const ProtobufCMessage *request, grpcc_unary_done done, void *data,
                             struct grpcc_client_call **ret_call);

/* An attempt's status is there; takes core's reference to it. On the poller. */
void grpcc_hedge_attempt_ended(struct grpcc_hedge *hedge, struct grpcc_client_call *attempt);

#endif
