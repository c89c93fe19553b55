/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/client/budget.h"

enum { TOKEN = 1000 };

void grpcc_budget_init(struct grpcc_budget *budget, unsigned tokens, double ratio)
{
    budget->max = (int)tokens * TOKEN;
    budget->ratio = ratio < (double)tokens ? (int)(ratio * TOKEN) : budget->max;
    atomic_store(&budget->left, budget->max);
}

static void add(struct grpcc_budget *budget, int amount)
{
    int before = atomic_load(&budget->left), after;
    do {
        after = before + amount;
        after = after < 0 ? 0 : after > budget->max ? budget->max : after;
    } while (before != after && !atomic_compare_exchange_weak(&budget->left, &before, after));
}

void grpcc_budget_note_ok(struct grpcc_budget *budget)
{
    add(budget, budget->ratio);
}

void grpcc_budget_note_failure(struct grpcc_budget *budget)
{
    add(budget, -TOKEN);
}

bool grpcc_budget_allows(const struct grpcc_budget *budget)
{
    return atomic_load(&budget->left) > budget->max / 2;
}
