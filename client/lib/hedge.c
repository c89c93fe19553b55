/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait before a read is sent a second time, and how often at most. */
#include "client/lib/internal.h"

enum { PERCENT_DEFAULT = 10, BUDGET_HEDGE = 100, BUDGET_HEDGES_MAX = 10 };
/* Latencies are counted in buckets of a quarter of a doubling, and forgotten by halves. */
enum { STEPS = 4, COUNTED = 1024, COUNTED_MIN = 32 };
/* Bounds of the measured delay: not below what a thread needs to wake up. */
#define DELAY_NS_MIN (INT64_C(1) * COMB_NS_PER_MS)

void comb_hedging_init(struct comb_client *client, const struct comb_client_options *options)
{
    struct comb_hedging *hedging = &client->hedging;
    hedging->on = options->hedge_ms != 0;
    hedging->fixed_ns = options->hedge_ms > 0 ? options->hedge_ms * COMB_NS_PER_MS : 0;
    hedging->percent = options->hedge_percent ? (int)options->hedge_percent : PERCENT_DEFAULT;
    hedging->percent = hedging->percent > BUDGET_HEDGE ? BUDGET_HEDGE : hedging->percent;
    atomic_store(&hedging->budget, BUDGET_HEDGES_MAX * BUDGET_HEDGE);
}

int64_t comb_hedging_delay_ns(struct comb_client *client)
{
    struct comb_hedging *hedging = &client->hedging;
    if (!hedging->on)
        return 0;
    return hedging->fixed_ns ? hedging->fixed_ns : atomic_load(&hedging->p95_ns);
}

/* The upper end of bucket i, in microseconds: 1, 1.25, 1.5, 1.75, 2, 2.5 ... */
static int64_t bucket_us(size_t i)
{
    return ((INT64_C(1) << (i / STEPS)) * (int64_t)(STEPS + i % STEPS) + STEPS - 1) / STEPS;
}

static size_t bucket_of(int64_t us)
{
    size_t i = 0;
    while (i < COMB_HEDGE_BUCKETS - 1 && bucket_us(i) < us)
        i++;
    return i;
}

/* Halves all counts. Two threads at once make it a little wrong, which does not matter. */
static void measure(struct comb_hedging *hedging)
{
    unsigned counts[COMB_HEDGE_BUCKETS], total = 0, below = 0;
    for (size_t i = 0; i < COMB_HEDGE_BUCKETS; i++) {
        counts[i] = atomic_load(&hedging->counts[i]);
        total += counts[i];
    }
    size_t at = 0;
    while (at < COMB_HEDGE_BUCKETS - 1 && (below += counts[at]) * 20 < total * 19)
        at++;
    int64_t delay_ns = bucket_us(at) * COMB_NS_PER_US;
    atomic_store(&hedging->p95_ns, delay_ns > DELAY_NS_MIN ? delay_ns : DELAY_NS_MIN);
    if (total < COUNTED)
        return;
    for (size_t i = 0; i < COMB_HEDGE_BUCKETS; i++)
        atomic_store(&hedging->counts[i], counts[i] / 2);
}

void comb_hedging_note(struct comb_client *client, int64_t took_ns)
{
    struct comb_hedging *hedging = &client->hedging;
    if (!hedging->on)
        return;
    if (atomic_load(&hedging->budget) < BUDGET_HEDGES_MAX * BUDGET_HEDGE)
        atomic_fetch_add(&hedging->budget, hedging->percent);
    if (hedging->fixed_ns)
        return;
    atomic_fetch_add(&hedging->counts[bucket_of(took_ns / COMB_NS_PER_US)], 1);
    if (atomic_fetch_add(&hedging->n, 1) % COUNTED_MIN == COUNTED_MIN - 1)
        measure(hedging);
}

bool comb_hedging_take(struct comb_client *client)
{
    atomic_int *budget = &client->hedging.budget;
    if (atomic_fetch_sub(budget, BUDGET_HEDGE) >= BUDGET_HEDGE)
        return true;
    atomic_fetch_add(budget, BUDGET_HEDGE);
    return false;
}
