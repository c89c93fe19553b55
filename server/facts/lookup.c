/* SPDX-License-Identifier: Apache-2.0 */
#include "server/facts/lookup.h"

#include "server/core/limits.h"
#include "server/facts/fact.h"

#define LINKS_ROOM_FIRST 16

bool comb_lookup_name_is_possible(comb_str name)
{
    return name.len > 0 && name.len <= COMB_NAME_BYTES_MAX &&
           memchr(name.ptr, '/', name.len) == NULL;
}

bool comb_lookup_misses_child_only(const struct comb_lookup *lookup)
{
    return lookup->missing_below && !lookup->missing_above &&
           lookup->down.n + 1 == lookup->n_parts &&
           comb_lookup_name_is_possible(lookup->parts[lookup->down.n]);
}

bool comb_lookup_push(struct comb_lookup *lookup, struct comb_lookup_links *links,
                      const struct comb_fact_node *fact)
{
    if (links->n == links->room) {
        size_t room = links->room == 0 ? LINKS_ROOM_FIRST : links->room * 2;
        struct comb_fact_link *grown = grpcc_arena_calloc(lookup->ctx->arena, room, sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        if (links->n > 0) {
            memcpy(grown, links->links, links->n * sizeof *grown);
        }
        links->links = grown;
        links->room = room;
    }
    links->links[links->n++] = (struct comb_fact_link){
        .node = &fact->node, .entries = fact->entries, .n_entries = fact->n_entries};
    return true;
}

const struct comb_uuid *comb_lookup_deepest(const struct comb_lookup *lookup)
{
    if (lookup->down.n > 0) {
        return &lookup->down.links[lookup->down.n - 1].node->id;
    }
    return comb_uuid_is_nil(&lookup->start) ? NULL : &lookup->start;
}

/* A value of memory; NULL: not known. */
static void *recall(struct comb_lookup *lookup, const struct comb_facts_memory_key *key)
{
    void *value;
    uint64_t sequence;
    if (!comb_facts_memory_get(lookup->facts->memory, key, lookup->ctx->arena, &value, &sequence)) {
        return NULL;
    }
    if (lookup->sequence < sequence) {
        lookup->sequence = sequence;
    }
    return value;
}

static const struct comb_fact_node *recall_node(struct comb_lookup *lookup,
                                                const struct comb_uuid *id)
{
    struct comb_facts_memory_key key;
    void *value = comb_facts_key_of_node(&key, id) ? recall(lookup, &key) : NULL;
    return value == NULL ? NULL : comb_fact_node_repair(value);
}

static const struct comb_workspace_fact *recall_workspace(struct comb_lookup *lookup,
                                                          const struct comb_facts_memory_key *key)
{
    void *value = recall(lookup, key);
    return value == NULL ? NULL : comb_fact_workspace_repair(value);
}

static void remember_subjects(struct comb_lookup *lookup)
{
    struct comb_facts_memory_key key;
    void *value = comb_facts_key_of_subjects(&key, &lookup->user) ? recall(lookup, &key) : NULL;
    if (value != NULL) {
        lookup->subjects = *comb_fact_subjects_repair(value);
        lookup->missing &= ~(unsigned)COMB_LOOKUP_SUBJECTS;
    }
}

static void remember_workspace(struct comb_lookup *lookup)
{
    struct comb_facts_memory_key key;
    bool possible = lookup->personal ? comb_facts_key_of_personal(&key, &lookup->user)
                                     : comb_facts_key_of_slug(&key, lookup->slug);
    if (!possible) { /* no slug is that long */
        lookup->missing &= ~(unsigned)COMB_LOOKUP_WORKSPACE;
        return;
    }
    const struct comb_workspace_fact *workspace = recall_workspace(lookup, &key);
    if (workspace != NULL) {
        lookup->workspace = *workspace;
        lookup->missing &= ~(unsigned)COMB_LOOKUP_WORKSPACE;
        if (workspace->n_roots > 0) {
            lookup->start = workspace->roots[0];
        }
    }
}

/* The start and what is above it. *ret_known: memory has all of it, or knows that the start does
 * not exist. */
static bool remember_above(struct comb_lookup *lookup, bool *ret_known)
{
    struct comb_uuid id = lookup->start;
    *ret_known = false;
    while (!comb_uuid_equal(&id, &comb_node_super_root) && lookup->up.n < COMB_FACTS_CHAIN_MAX) {
        const struct comb_fact_node *fact = recall_node(lookup, &id);
        if (fact == NULL || (!fact->exists && lookup->up.n > 0)) {
            lookup->up.n = 0;
            return true;
        }
        if (!fact->exists) {
            break;
        }
        if (!comb_lookup_push(lookup, &lookup->up, fact)) {
            return false;
        }
        id = fact->node.parent;
    }
    *ret_known = true;
    return true;
}

/* As far down the path as memory goes. *ret_known: to its end, or to a name that is known to be
 * free. */
static bool remember_below(struct comb_lookup *lookup, bool *ret_known)
{
    *ret_known = false;
    for (size_t i = 0; i < lookup->n_parts; i++) {
        const struct comb_uuid *parent = comb_lookup_deepest(lookup);
        struct comb_facts_memory_key key;
        if (!comb_lookup_name_is_possible(lookup->parts[i]) ||
            !comb_facts_key_of_child(&key, parent, lookup->parts[i])) {
            break;
        }
        const struct comb_fact_child *child = recall(lookup, &key);
        if (child == NULL) {
            return true;
        }
        if (comb_uuid_is_nil(&child->id)) {
            break;
        }
        const struct comb_fact_node *fact = recall_node(lookup, &child->id);
        /* The name is what led here, but only the node itself knows where it is by now. */
        if (fact == NULL || !fact->exists || !comb_uuid_equal(&fact->node.parent, parent) ||
            !comb_str_equal(fact->node.name, lookup->parts[i])) {
            return true;
        }
        if (!comb_lookup_push(lookup, &lookup->down, fact)) {
            return false;
        }
    }
    *ret_known = true;
    return true;
}

/* The workspace in which the chain ends. */
static void remember_end(struct comb_lookup *lookup)
{
    struct comb_facts_memory_key key;
    if (lookup->up.n == 0) { /* no chain */
        return;
    }
    const struct comb_uuid *end = &lookup->up.links[lookup->up.n - 1].node->id;
    const struct comb_workspace_fact *workspace =
        comb_facts_key_of_end(&key, end) ? recall_workspace(lookup, &key) : NULL;
    if (workspace == NULL) {
        lookup->missing_end = true;
    } else {
        lookup->end = *workspace;
    }
}

static bool remember_chain(struct comb_lookup *lookup)
{
    bool by_slug = lookup->wanted & COMB_LOOKUP_WORKSPACE;
    bool above, below = true;
    if (by_slug && (lookup->missing & COMB_LOOKUP_WORKSPACE)) {
        lookup->missing_above = true; /* the start itself is not known */
        return true;
    }
    if (by_slug && comb_uuid_is_nil(&lookup->start)) { /* no such workspace */
        lookup->missing &= ~(unsigned)COMB_LOOKUP_CHAIN;
        return true;
    }
    if (!remember_above(lookup, &above)) {
        return false;
    }
    if (!above) {
        lookup->missing_above = lookup->missing_end = true;
    } else if (lookup->up.n > 0) {
        remember_end(lookup);
        if (!remember_below(lookup, &below)) {
            return false;
        }
        lookup->missing_below = !below;
    }
    if (above && below && !lookup->missing_end) {
        lookup->missing &= ~(unsigned)COMB_LOOKUP_CHAIN;
    }
    return true;
}

bool comb_lookup_remember(struct comb_lookup *lookup)
{
    lookup->missing = lookup->wanted;
    struct comb_position position = comb_facts_position(lookup->facts);
    lookup->incarnation = position.incarnation;
    lookup->sequence = position.sequence;
    if (lookup->wanted & COMB_LOOKUP_SUBJECTS) {
        remember_subjects(lookup);
    }
    if (lookup->wanted & COMB_LOOKUP_WORKSPACE) {
        remember_workspace(lookup);
    }
    return !(lookup->wanted & COMB_LOOKUP_CHAIN) || remember_chain(lookup);
}

/* Puts the two halves together, nearest first. False: no room. */
static bool compose_chain(struct comb_lookup *lookup, struct comb_fact_chain *ret_chain)
{
    size_t n = lookup->down.n + lookup->up.n;
    struct comb_fact_chain chain = {.workspace = lookup->end};
    if (lookup->up.n > 0 && !comb_uuid_is_nil(&lookup->end.id)) {
        struct comb_fact_link *links = grpcc_arena_calloc(lookup->ctx->arena, n, sizeof *links);
        if (links == NULL) {
            return false;
        }
        for (size_t i = 0; i < lookup->down.n; i++) {
            links[i] = lookup->down.links[lookup->down.n - 1 - i];
        }
        memcpy(links + lookup->down.n, lookup->up.links, lookup->up.n * sizeof *links);
        chain.links = links;
        chain.n_links = n;
        chain.n_resolved = lookup->down.n;
        chain.found = lookup->down.n == lookup->n_parts;
        chain.recycled = comb_uuid_equal(&links[n - 1].node->id, &lookup->end.bin);
    }
    *ret_chain = chain;
    return true;
}

void comb_lookup_end(struct comb_lookup *lookup, enum comb_status status,
                     const struct comb_error *err)
{
    struct comb_error no_room;
    struct comb_fact_chain chain = {0};
    if (status == COMB_OK && (lookup->wanted & COMB_LOOKUP_CHAIN) &&
        !compose_chain(lookup, &chain)) {
        status = comb_error_no_memory(&no_room);
        err = &no_room;
    }
    if (status == COMB_OK) {
        if (lookup->ret_subjects != NULL) {
            *lookup->ret_subjects = lookup->subjects;
        }
        if (lookup->ret_workspace != NULL) {
            *lookup->ret_workspace = lookup->workspace;
        }
        if (lookup->ret_chain != NULL) {
            *lookup->ret_chain = chain;
        }
        comb_ctx_reach(lookup->ctx, (struct comb_position){lookup->incarnation, lookup->sequence});
        err = NULL;
    }
    lookup->done(lookup->data, status, err);
}
