/* SPDX-License-Identifier: Apache-2.0 */
/* Many small messages in one stream of comb.bench.Echo, as fast as flow control lets them. */
#ifndef TESTS_BENCH_FLOW_H
#define TESTS_BENCH_FLOW_H

#include <stdint.h>

#include "grpcc/channel.h"

/* Seconds that the stream took. Exit the program where it fails or another number of messages
 * arrives. */
double flow_up(struct grpcc_channel *channel, const struct grpcc_call_options *options, char *text,
               uint32_t messages);
double flow_down(struct grpcc_channel *channel, const struct grpcc_call_options *options,
                 char *text, uint32_t messages);

#endif
