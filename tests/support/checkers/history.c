/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/checkers/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const char *const history_rule_names[HISTORY_RULES] = {"own writes", "monotonic reads", "bound",
                                                       "linearizability", "future"};

static int by_object_and_begin(const void *a, const void *b)
{
    const struct history_op *left = a, *right = b;
    if (left->object != right->object) {
        return left->object < right->object ? -1 : 1;
    }
    return (left->begin_ns > right->begin_ns) - (left->begin_ns < right->begin_ns);
}

static void blame(struct history_report *report, enum history_rule rule,
                  const struct history_op *op, const struct history_op *earlier)
{
    if (report->total == 0) {
        snprintf(report->first, sizeof report->first,
                 "%s: client %u %s version %" PRIu64 " of object %u at %" PRId64 "..%" PRId64
                 ", though client %u %s %" PRIu64 " at %" PRId64 "..%" PRId64,
                 history_rule_names[rule], op->client, op->write ? "made" : "saw", op->version,
                 op->object, op->begin_ns, op->end_ns, earlier->client,
                 earlier->write ? "made" : "saw", earlier->version, earlier->begin_ns,
                 earlier->end_ns);
    }
    report->violations[rule]++;
    report->total++;
}

/* What op must not fall behind, given that other ended before op began. */
static void compare_with_past(struct history_report *report, const struct history_op *op,
                              const struct history_op *other, int64_t bound_ns)
{
    if (op->version >= other->version) {
        if (op->write && other->write && op->version == other->version) {
            blame(report, HISTORY_LINEAR, op, other);
        }
        return;
    }
    if (op->write) {
        if (other->write || other->strong) {
            blame(report, HISTORY_LINEAR, op, other);
        }
        return;
    }
    if (other->client == op->client) {
        blame(report, other->write ? HISTORY_OWN_WRITES : HISTORY_MONOTONIC, op, other);
    }
    if (op->strong && (other->write || other->strong)) {
        blame(report, HISTORY_LINEAR, op, other);
    }
    if (other->write && other->end_ns <= op->begin_ns - bound_ns) {
        blame(report, HISTORY_BOUND, op, other);
    }
}

static void check_object(const struct history_op *ops, size_t n, int64_t bound_ns,
                         struct history_report *report)
{
    for (size_t i = 0; i < n; i++) {
        const struct history_op *made = NULL; /* who wrote the version that i saw */
        for (size_t j = 0; j < n; j++) {
            if (ops[j].write && ops[j].version == ops[i].version) {
                made = &ops[j];
            }
            if (j != i && ops[j].end_ns <= ops[i].begin_ns) {
                compare_with_past(report, &ops[i], &ops[j], bound_ns);
            }
        }
        if (!ops[i].write && made != NULL && made->begin_ns > ops[i].end_ns) {
            blame(report, HISTORY_FUTURE, &ops[i], made);
        }
    }
}

void history_check(struct history_op *ops, size_t n, int64_t bound_ns,
                   struct history_report *ret_report)
{
    *ret_report = (struct history_report){0};
    qsort(ops, n, sizeof *ops, by_object_and_begin);
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first; end < n && ops[end].object == ops[first].object; end++) {
        }
        check_object(ops + first, end - first, bound_ns, ret_report);
    }
}
