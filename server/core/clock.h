/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks. Tests move them forward together, but one. Threads: any. */
#ifndef COMB_CORE_CLOCK_H
#define COMB_CORE_CLOCK_H

#include <stdint.h>

#define COMB_NS_PER_MS 1000000LL
#define COMB_NS_PER_S 1000000000LL
#define COMB_US_PER_S 1000000LL

/* Wall clock, microseconds since 1970: for people and for what is stored, never for order. */
int64_t comb_clock_wall_us(void);
/* CLOCK_MONOTONIC: deadlines and durations. */
int64_t comb_clock_monotonic_ns(void);
/* The same, ms from now. */
int64_t comb_clock_in_ms(int64_t ms);
/* CLOCK_BOOTTIME: counts while the machine sleeps; for bounds that must not stretch. */
int64_t comb_clock_boottime_ns(void);

/* CLOCK_MONOTONIC of this machine, which tests do not move: how long another process has been
 * silent. */
int64_t comb_clock_steady_ns(void);

/*
 * For tests: from then on the three other clocks stand that much further, in this process. Threads
 * that already wait on the kernel's clock do not notice.
 */
void comb_clock_advance_ns(int64_t ns);

#endif
