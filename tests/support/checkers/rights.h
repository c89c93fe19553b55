/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks what reads were allowed while one writer grants and revokes the right to read: a read that
 * began the bound after a revocation was acknowledged is refused, one after a grant is allowed,
 * until the next change begins.
 */
#ifndef COMB_TESTS_CHECKERS_RIGHTS_H
#define COMB_TESTS_CHECKERS_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A change to `allowed`, or a read that was allowed or not. */
struct rights_op {
    bool allowed;
    int64_t begin_ns, end_ns;
};

struct rights_report {
    size_t judged[2];     /* reads that had to be refused [0], allowed [1] */
    size_t violations[2]; /* allowed though revoked [0], refused though granted [1] */
};

/* Changes: one after another, in order. */
void rights_check(const struct rights_op *changes, size_t n_changes, const struct rights_op *reads,
                  size_t n_reads, int64_t bound_ns, struct rights_report *report);

#endif
