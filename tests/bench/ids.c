/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/ids.h"

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

/* Time, process and a counter: unique in one run, and no cost beside the call's. */
char *new_request_id(struct grpcc_arena *arena)
{
    static atomic_ullong counter;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    unsigned long long n = atomic_fetch_add(&counter, 1);
    return grpcc_arena_printf(arena, "%08llx-%04llx-7%03llx-8%03x-%012llx",
                              (unsigned long long)(ms >> 16), (unsigned long long)(ms & 0xffff),
                              n >> 36 & 0xfff, (unsigned)getpid() & 0xfff, n & 0xfffffffffULL);
}
