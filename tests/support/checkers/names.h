/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks the names of one folder for linearizability: whether there is an order of all operations,
 * in keeping with their times, in which each gives what it gave (the search of Wing and Gong, with
 * what was visited remembered, as Lowe does). A move takes two names at once, so that the names
 * cannot be judged one by one.
 */
#ifndef COMB_TESTS_CHECKERS_NAMES_H
#define COMB_TESTS_CHECKERS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAMES_MAX 4
#define NAMES_OPS_MAX 28
/* Ids of nodes are small numbers from 1 on. */
#define NAMES_ID_MAX 63

enum names_kind {
    NAMES_CREATE, /* makes a node under name; DONE gives its id, which must be a new one */
    NAMES_REMOVE, /* removes what name is */
    NAMES_MOVE,   /* gives what name is the name `to`; DONE gives its id */
    NAMES_LOOK    /* a strong read: DONE gives the id */
};
enum names_outcome {
    NAMES_DONE,
    NAMES_MISSING, /* there was nothing under name */
    NAMES_TAKEN    /* there was something under name (create) or to (move) */
};
struct names_op {
    enum names_kind kind;
    unsigned name, to;
    enum names_outcome outcome;
    unsigned id;
    int64_t begin_ns, end_ns;
};

enum names_verdict {
    NAMES_LINEARIZABLE,
    NAMES_NOT_LINEARIZABLE,
    NAMES_UNDECIDED /* more to remember than there is room for */
};

/* From an empty folder on. n: at most NAMES_OPS_MAX. */
enum names_verdict names_check(const struct names_op *ops, size_t n);

#endif
