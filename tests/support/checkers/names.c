/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/checkers/names.h"

#include <stdlib.h>
#include <string.h>

/* What is remembered at most; a power of two. */
#define VISITED_MAX (1u << 18)
#define ID_BITS 6

/* What name holds which id (0: none), and which operations have been given their place. */
struct place {
    uint32_t done;
    unsigned char ids[NAMES_MAX];
};

struct search {
    const struct names_op *ops;
    size_t n;
    uint64_t *visited; /* keys of places, 0: free */
    size_t n_visited;
};

static uint64_t key_of(const struct place *place)
{
    uint64_t key = place->done;
    for (size_t i = 0; i < NAMES_MAX; i++)
        key = key << ID_BITS | place->ids[i];
    return key + 1;
}

/* False: it was there, or there is no room (then n_visited says so). */
static bool visit(struct search *search, const struct place *place)
{
    uint64_t key = key_of(place);
    size_t at = (key * 0x9e3779b97f4a7c15u) >> 46;
    if (search->n_visited >= VISITED_MAX / 2) {
        search->n_visited = VISITED_MAX;
        return false;
    }
    while (search->visited[at] && search->visited[at] != key)
        at = (at + 1) % VISITED_MAX;
    if (search->visited[at])
        return false;
    search->visited[at] = key;
    search->n_visited++;
    return true;
}

/* Whether op gives what it gave in this place; changes the names as it would. */
static bool apply(const struct names_op *op, unsigned char ids[NAMES_MAX])
{
    unsigned there = ids[op->name];
    if (op->kind == NAMES_CREATE) {
        if (op->outcome == NAMES_DONE && !there)
            ids[op->name] = (unsigned char)op->id;
        return op->outcome == NAMES_DONE ? !there : op->outcome == NAMES_TAKEN && there;
    }
    if (op->outcome == NAMES_MISSING || !there)
        return op->outcome == NAMES_MISSING && !there;
    if (op->kind == NAMES_LOOK)
        return op->outcome == NAMES_DONE && there == op->id;
    if (op->kind == NAMES_REMOVE) {
        ids[op->name] = 0;
        return op->outcome == NAMES_DONE;
    }
    if (op->outcome == NAMES_TAKEN)
        return ids[op->to] != 0;
    if (ids[op->to] || there != op->id)
        return false;
    ids[op->to] = (unsigned char)there;
    ids[op->name] = 0;
    return true;
}

/* Whether nothing that is left had ended before op began. */
static bool may_be_next(const struct search *search, const struct place *place, size_t op)
{
    for (size_t i = 0; i < search->n; i++)
        if (!(place->done >> i & 1) && search->ops[i].end_ns < search->ops[op].begin_ns)
            return false;
    return true;
}

static bool can_be_ended(struct search *search, const struct place *place)
{
    if (place->done == (UINT32_C(1) << search->n) - 1)
        return true;
    if (!visit(search, place))
        return false;
    for (size_t i = 0; i < search->n; i++) {
        struct place next = *place;
        next.done |= UINT32_C(1) << i;
        if (next.done != place->done && may_be_next(search, place, i) &&
            apply(&search->ops[i], next.ids) && can_be_ended(search, &next))
            return true;
    }
    return false;
}

enum names_verdict names_check(const struct names_op *ops, size_t n)
{
    struct search search = {.ops = ops, .n = n};
    struct place start = {0};
    if (n > NAMES_OPS_MAX)
        return NAMES_UNDECIDED;
    search.visited = calloc(VISITED_MAX, sizeof *search.visited);
    if (!search.visited)
        return NAMES_UNDECIDED;
    bool ended = can_be_ended(&search, &start);
    free(search.visited);
    if (ended)
        return NAMES_LINEARIZABLE;
    return search.n_visited == VISITED_MAX ? NAMES_UNDECIDED : NAMES_NOT_LINEARIZABLE;
}
