/* SPDX-License-Identifier: Apache-2.0 */
/* Times in messages and the server's own, which are microseconds since 1970. Threads: any. */
#ifndef COMB_CORE_TIMESTAMP_H
#define COMB_CORE_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "grpcc/wkt.h"

/* us: from 1970 to the end of 9999. NULL: no room in the arena. */
struct google_protobuf_timestamp *comb_timestamp_new(struct grpcc_arena *arena, int64_t us);

/* The same into a field of a message, which stays absent for 0. False: no room. */
bool comb_timestamp_set(struct grpcc_arena *arena, int64_t us,
                        struct google_protobuf_timestamp **ret_field);

/* 0 for NULL. False: no time between 1970 and the end of 9999. What is finer than a microsecond is
 * cut. */
bool comb_timestamp_read(const struct google_protobuf_timestamp *message, int64_t *ret_us);

#endif
