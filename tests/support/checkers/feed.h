/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks what a feed of changes tells against what was acknowledged: each change once, and those of
 * one node in the order of their revisions.
 */
#ifndef COMB_TESTS_CHECKERS_FEED_H
#define COMB_TESTS_CHECKERS_FEED_H

#include <stddef.h>
#include <stdint.h>

#define FEED_ID_BYTES 40

/* The change that made this revision of the node. */
struct feed_entry {
    char id[FEED_ID_BYTES];
    uint64_t revision;
};

struct feed_report {
    size_t missing;      /* acknowledged, and not told */
    size_t twice;        /* told more than once */
    size_t out_of_order; /* told after a later one of the same node */
    size_t unexplained;  /* of a node that was changed: told, and acknowledged to nobody */
    size_t later;        /* answers with the revision that another change made */
    char first[128];     /* the first of the first three kinds, in words; "" without */
};

/* feed: in its order. Sorts the acknowledged ones; one that stands there twice counts once: a
 * change to what is there already is answered with the revision that there is. */
void feed_check(struct feed_entry *acknowledged, size_t n_acknowledged,
                const struct feed_entry *feed, size_t n_feed, struct feed_report *ret_report);

#endif
