/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/timestamp.h"

#include <time.h>

#include "server/core/clock.h"

#define NS_PER_US 1000

struct google_protobuf_timestamp *comb_timestamp_new(struct grpcc_arena *arena, int64_t us)
{
    const struct timespec time = {.tv_sec = (time_t)(us / COMB_US_PER_S),
                                  .tv_nsec = (long)(us % COMB_US_PER_S) * NS_PER_US};
    return grpcc_timestamp_new(arena, &time);
}

bool comb_timestamp_set(struct grpcc_arena *arena, int64_t us,
                        struct google_protobuf_timestamp **ret_field)
{
    *ret_field = us == 0 ? NULL : comb_timestamp_new(arena, us);
    return us == 0 || *ret_field;
}

bool comb_timestamp_read(const struct google_protobuf_timestamp *message, int64_t *ret_us)
{
    struct timespec time = {0};
    if (message && (!grpcc_timestamp_to_timespec(message, &time) || time.tv_sec < 0))
        return false;
    *ret_us = (int64_t)time.tv_sec * COMB_US_PER_S + time.tv_nsec / NS_PER_US;
    return true;
}
