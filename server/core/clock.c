/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t advanced_ns;

static int64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now); /* cannot fail for these clocks */
    return (int64_t)now.tv_sec * COMB_NS_PER_S + now.tv_nsec +
           atomic_load_explicit(&advanced_ns, memory_order_relaxed);
}

int64_t comb_clock_wall_us(void)
{
    return now_ns(CLOCK_REALTIME) / 1000;
}

int64_t comb_clock_monotonic_ns(void)
{
    return now_ns(CLOCK_MONOTONIC);
}

int64_t comb_clock_in_ms(int64_t ms)
{
    return comb_clock_monotonic_ns() + ms * COMB_NS_PER_MS;
}

int64_t comb_clock_boottime_ns(void)
{
    return now_ns(CLOCK_BOOTTIME);
}

int64_t comb_clock_steady_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * COMB_NS_PER_S + now.tv_nsec;
}

void comb_clock_advance_ns(int64_t ns)
{
    atomic_fetch_add_explicit(&advanced_ns, ns, memory_order_relaxed);
}
