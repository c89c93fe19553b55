/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which nodes a caller can read at all, where these are few: for who looks for what he may read
 * among very many. Nothing is decided here. Whoever can read a node has an entry that lets him on
 * it or above it, so all that lies below such entries is more than he can read, and nothing that he
 * can read is missing; the rule says the rest.
 */
#ifndef COMB_PERMISSIONS_REACH_H
#define COMB_PERMISSIONS_REACH_H

#include "server/facts/facts.h"
#include "server/permissions/permissions_store.h"
#include "server/tree/tree_store.h"

/* Nodes that are few, and entries above them that are looked at. */
#define COMB_REACH_MAX 5000
#define COMB_REACH_ENTRIES_MAX 1000
/* Of comb_reach_question.within. */
#define COMB_REACH_WITHIN_MAX 8

/* All borrowed. */
struct comb_reach_parts {
    struct comb_facts *facts;
    struct comb_permissions_store *store;
    struct comb_tree_store *tree;
};

/* Folders of each of which only what lies below counts, besides; up to COMB_REACH_WITHIN_MAX. */
struct comb_reach_question {
    struct comb_uuid within[COMB_REACH_WITHIN_MAX];
    size_t n_within;
};

struct comb_reach {
    bool are_few;                /* else the rest says nothing */
    const struct comb_uuid *ids; /* falling, each once */
    size_t n;
};

/* As new as the store is now. In ctx's arena; blocks. Errors: those of the facts and of the sql
 * row. */
enum comb_status comb_reach_find(const struct comb_reach_parts *parts, struct comb_ctx *ctx,
                                 const struct comb_reach_question *question,
                                 struct comb_reach *ret_reach,
                                 struct comb_error *err) COMB_MUST_CHECK;

#endif
