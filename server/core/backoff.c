/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/backoff.h"

#include "server/core/random.h"

/* Beyond this the ceiling is reached whatever the first wait is. */
#define DOUBLINGS_MAX 31

uint32_t comb_backoff_next_ms(struct comb_backoff *backoff)
{
    unsigned doublings = backoff->failures < DOUBLINGS_MAX ? backoff->failures : DOUBLINGS_MAX;
    uint64_t most_ms = (uint64_t)backoff->first_ms << doublings;
    if (most_ms > backoff->most_ms)
        most_ms = backoff->most_ms;
    if (backoff->failures < DOUBLINGS_MAX)
        backoff->failures++;
    uint32_t random = 0;
    comb_random(&random, sizeof random);
    return 1 + (uint32_t)(random % most_ms);
}

void comb_backoff_reset(struct comb_backoff *backoff)
{
    backoff->failures = 0;
}
