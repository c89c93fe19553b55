/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/cond.h"

#include <time.h>

#include "server/core/clock.h"

/* On the kernel's clock, which tests do not move. A time that is over stays over. */
static struct timespec kernel_time(int64_t until_ns)
{
    int64_t left_ns = until_ns - comb_clock_monotonic_ns();
    int64_t kernel_ns = comb_clock_steady_ns() + (left_ns > 0 ? left_ns : 0);
    return (struct timespec){.tv_sec = (time_t)(kernel_ns / COMB_NS_PER_S),
                             .tv_nsec = (long)(kernel_ns % COMB_NS_PER_S)};
}

void comb_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool comb_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ns)
{
    if (until_ns == INT64_MAX)
        return pthread_cond_wait(cond, lock) == 0;
    const struct timespec until = kernel_time(until_ns);
    return pthread_cond_timedwait(cond, lock, &until) == 0;
}

bool comb_mutex_lock_until(pthread_mutex_t *lock, int64_t until_ns)
{
    if (until_ns == INT64_MAX)
        return pthread_mutex_lock(lock) == 0;
    const struct timespec until = kernel_time(until_ns);
    return pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, &until) == 0;
}
