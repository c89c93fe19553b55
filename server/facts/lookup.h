/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question on its way: what memory had of the answer, and what is missing. Lives in the arena
 * of its call; one thread at a time.
 */
#ifndef COMB_FACTS_LOOKUP_H
#define COMB_FACTS_LOOKUP_H

#include "server/facts/internal.h"

enum comb_lookup_part {
    COMB_LOOKUP_SUBJECTS = 1u << 0,
    COMB_LOOKUP_WORKSPACE = 1u << 1, /* of the slug */
    COMB_LOOKUP_CHAIN = 1u << 2
};

struct comb_lookup_links {
    struct comb_fact_link *links;
    size_t n, room;
};

struct comb_lookup {
    struct comb_facts *facts;
    struct comb_ctx *ctx;
    struct comb_facts_waiter waiter;

    /* The question. */
    unsigned wanted; /* bits of comb_lookup_part */
    bool personal;   /* the workspace is the user's own */
    bool presume_free;
    struct comb_uuid user, start;
    comb_str slug;
    const comb_str *parts;
    size_t n_parts;

    /* What is still missing. */
    unsigned missing;
    bool missing_above; /* of the chain: the start, what is above it, and all below */
    bool missing_below; /* of the chain: what is below its deepest known link */
    bool missing_end;   /* the workspace in which the chain ends */

    /* The answer. down: from the start's child on; up: the start, its parent and so on. */
    struct comb_subjects subjects;
    struct comb_workspace_fact workspace, end;
    struct comb_lookup_links down, up;
    uint64_t incarnation, sequence; /* newest snapshot of all that went into it */
    uint64_t snapshot;              /* of what has been fetched */
    uint64_t tick;                  /* of memory, before that was asked for */

    /* Who asked: where the answer goes. Each may be NULL. */
    struct comb_subjects *ret_subjects;
    struct comb_workspace_fact *ret_workspace;
    struct comb_fact_chain *ret_chain;
    comb_facts_done done;
    void *data;
};

/* Takes from memory what it has; lookup->missing says what it has not. False: no room in the arena.
 */
bool comb_lookup_remember(struct comb_lookup *lookup) COMB_MUST_CHECK;
/* Asks the store for what is missing, in one request; ends the lookup from a thread of the store.
 */
void comb_lookup_fetch(struct comb_lookup *lookup);
/* All of the chain is known but the last part of the path. */
bool comb_lookup_misses_child_only(const struct comb_lookup *lookup);
/* Gives the answer, or the failure. */
void comb_lookup_end(struct comb_lookup *lookup, enum comb_status status,
                     const struct comb_error *err);

/* Adds a link at the end. False: no room. */
bool comb_lookup_push(struct comb_lookup *lookup, struct comb_lookup_links *links,
                      const struct comb_fact_node *fact) COMB_MUST_CHECK;
/* Whether a node can have this name at all; what cannot exist is not asked for. */
bool comb_lookup_name_is_possible(comb_str name);
/* The folder from which the path goes on: the deepest link of the way down so far, else the start.
 * NULL: not known. */
const struct comb_uuid *comb_lookup_deepest(const struct comb_lookup *lookup);

#endif
