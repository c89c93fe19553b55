/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks the history of concurrent clients against what is promised about reads (docs: consistency;
 * DESIGN 4.5, CONSISTENCY 9). An object is anything whose versions grow with each write: a node
 * with its revision, a folder with the number of a name in it, an entry with an acl_revision.
 *
 * Times are of one clock; an operation was in force at some moment between its begin and its end.
 */
#ifndef COMB_TESTS_CHECKERS_HISTORY_H
#define COMB_TESTS_CHECKERS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct history_op {
    unsigned client; /* operations of one client follow one another */
    unsigned object;
    bool write;       /* made the version; else saw it */
    bool strong;      /* a read that promises to be linearizable */
    uint64_t version; /* of the object; 0: as it was at the beginning */
    int64_t begin_ns, end_ns;
};

enum history_rule {
    HISTORY_OWN_WRITES = 0, /* a client sees what it wrote before */
    HISTORY_MONOTONIC,      /* a client never sees less than it saw before */
    HISTORY_BOUND,          /* a read sees all that was acknowledged the bound before it began */
    HISTORY_LINEAR,         /* a strong read sees all that was acknowledged or seen by a strong read
                               before it began; a later write has a later version */
    HISTORY_FUTURE,         /* nobody sees what had not begun to be written */
    HISTORY_RULES
};
extern const char *const history_rule_names[HISTORY_RULES];

struct history_report {
    size_t violations[HISTORY_RULES];
    size_t total;
    char first[256]; /* the first violation, in words; "" without */
};

/* Sorts ops. Quadratic in the operations of one object: for some thousands. */
void history_check(struct history_op *ops, size_t n, int64_t bound_ns,
                   struct history_report *ret_report);

#endif
