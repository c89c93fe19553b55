/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps repeated attempts from making an outage worse: gRFC A6's throttling, for hedges. */
#ifndef GRPCC_SRC_BUDGET_H
#define GRPCC_SRC_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>

enum { GRPCC_BUDGET_TOKENS_DEFAULT = 100 };
#define GRPCC_BUDGET_RATIO_DEFAULT 0.1

/* Counted in thousandths of a token, as core does it. */
struct grpcc_budget {
    int max;
    int ratio;
    atomic_int left;
};

void grpcc_budget_init(struct grpcc_budget *budget, unsigned tokens, double ratio);
void grpcc_budget_note_ok(struct grpcc_budget *budget);
void grpcc_budget_note_failure(struct grpcc_budget *budget);
/* Whether an attempt more may be made. */
bool grpcc_budget_allows(const struct grpcc_budget *budget);

#endif
