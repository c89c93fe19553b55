/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is derived from the change feed, held against it. Each kind of derived data is one entry of
 * derived_kinds: a function that lists what is there, once, and says which file is missing, twice,
 * or there though it should not be. Failures end the test.
 */
#ifndef TESTS_FAULT_DERIVED_CHECKS_H
#define TESTS_FAULT_DERIVED_CHECKS_H

#include "comb/client.h"

/* What is in a file of this number, at least one line, and the length. Each DERIVED_CELL files
 * share the word "cell" with their number divided by that. */
size_t derived_text(unsigned file, char *text, size_t size);
#define DERIVED_CELL 100

/* The changes of the test's folder, read from the beginning of the feed. */
struct derived_feed {
    struct derived_node {
        char id[40], name[64];
        unsigned changes; /* that the feed tells of it */
    } * nodes;            /* by id */
    unsigned n, n_changes;
};

void derived_feed_read(struct derived_feed *feed, struct comb_client *client, const char *cursor,
                       unsigned n_max);
/* NULL: the feed does not know it. */
struct derived_node *derived_feed_find(const struct derived_feed *feed, const char *id);
void derived_feed_done(struct derived_feed *feed);

struct derived_kind {
    const char *name;
    void (*check)(const struct derived_feed *feed, struct comb_client *client);
};
extern const struct derived_kind derived_kinds[];
extern const unsigned derived_kinds_count;

#endif
