/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facts as single blocks of bytes, which is how memory keeps them: the struct, then the arrays
 * and strings that it points to, in the order of its members. A copied block is made whole again by
 * _repair, which sets its pointers.
 */
#ifndef COMB_FACTS_FACT_H
#define COMB_FACTS_FACT_H

#include "server/facts/facts.h"

struct comb_fact_node {
    bool exists; /* false: known not to exist, and all else is zero */
    struct comb_node node;
    const struct comb_entry *entries;
    size_t n_entries;
};

/* Of (parent, name). */
struct comb_fact_child {
    struct comb_uuid id; /* nil: known not to exist */
};

/* A block in arena with all that the fact holds; NULL: no room. */
void *comb_fact_node_pack(struct grpcc_arena *arena, const struct comb_fact_node *fact,
                          size_t *ret_size) COMB_MUST_CHECK;
void *comb_fact_subjects_pack(struct grpcc_arena *arena, const struct comb_subjects *subjects,
                              size_t *ret_size) COMB_MUST_CHECK;
void *comb_fact_workspace_pack(struct grpcc_arena *arena,
                               const struct comb_workspace_fact *workspace,
                               size_t *ret_size) COMB_MUST_CHECK;

/* Gives the block itself, its pointers set to what lies in it. */
struct comb_fact_node *comb_fact_node_repair(void *block);
struct comb_subjects *comb_fact_subjects_repair(void *block);
struct comb_workspace_fact *comb_fact_workspace_repair(void *block);

#endif
