/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/checkers/rights.h"

/* The newest change that the read must know of, where no other had begun before its end; n: it may
 * see either. */
static size_t change_for(const struct rights_op *changes, size_t n, const struct rights_op *read,
                         int64_t bound_ns)
{
    size_t last = n;
    for (size_t i = 0; i < n && changes[i].begin_ns <= read->end_ns; i++)
        last = i;
    if (last < n && changes[last].end_ns + bound_ns > read->begin_ns)
        return n;
    return last;
}

void rights_check(const struct rights_op *changes, size_t n_changes, const struct rights_op *reads,
                  size_t n_reads, int64_t bound_ns, struct rights_report *report)
{
    *report = (struct rights_report){{0}, {0}};
    for (size_t i = 0; i < n_reads; i++) {
        size_t at = change_for(changes, n_changes, &reads[i], bound_ns);
        if (at == n_changes)
            continue;
        report->judged[changes[at].allowed]++;
        if (reads[i].allowed != changes[at].allowed)
            report->violations[changes[at].allowed]++;
    }
}
