/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of facts, and which of them a change makes wrong. */
#include "comb/v1/node.grpcc.h"
#include "server/facts/internal.h"

/* Tell apart the three keys of a workspace. */
#define BY_SLUG STR("s")
#define BY_USER STR("u")
#define BY_END STR("n")

bool comb_facts_key_of_node(struct comb_facts_memory_key *key, const struct comb_uuid *id)
{
    return comb_facts_memory_key_init(key, COMB_FACTS_MEMORY_NODE, comb_uuid_bytes(id),
                                      (comb_str){0});
}

bool comb_facts_key_of_child(struct comb_facts_memory_key *key, const struct comb_uuid *parent,
                             comb_str name)
{
    return comb_facts_memory_key_init(key, COMB_FACTS_MEMORY_CHILD, comb_uuid_bytes(parent), name);
}

bool comb_facts_key_of_subjects(struct comb_facts_memory_key *key, const struct comb_uuid *user)
{
    return comb_facts_memory_key_init(key, COMB_FACTS_MEMORY_SUBJECTS, comb_uuid_bytes(user),
                                      (comb_str){0});
}

bool comb_facts_key_of_slug(struct comb_facts_memory_key *key, comb_str slug)
{
    return comb_facts_memory_key_init(key, COMB_FACTS_MEMORY_WORKSPACE, BY_SLUG, slug);
}

bool comb_facts_key_of_personal(struct comb_facts_memory_key *key, const struct comb_uuid *user)
{
    return comb_facts_memory_key_init(key, COMB_FACTS_MEMORY_WORKSPACE, BY_USER,
                                      comb_uuid_bytes(user));
}

bool comb_facts_key_of_end(struct comb_facts_memory_key *key, const struct comb_uuid *node)
{
    return comb_facts_memory_key_init(key, COMB_FACTS_MEMORY_WORKSPACE, BY_END,
                                      comb_uuid_bytes(node));
}

void comb_facts_forget(struct comb_facts *facts, uint64_t tick)
{
    for (int kind = 0; kind < COMB_FACTS_MEMORY_KINDS; kind++) {
        comb_facts_memory_invalidate_kind(facts->memory, (enum comb_facts_memory_kind)kind, tick);
    }
}

/*
 * A name that points to a node is checked against the node whenever it is used (resolve.c), so
 * forgetting the node is enough for the place that it left. A name that is known to be free must be
 * forgotten when a node takes it.
 */
static void forget_name_taken(struct comb_facts *facts, struct grpcc_arena *arena,
                              const struct comb_feed_record *record, uint64_t tick)
{
    const struct comb_feed_entry *entry = &record->entry;
    struct comb_v1_node *node;
    struct comb_facts_memory_key key;
    if (entry->n_ancestors > 0 &&
        comb_v1_node_unpack(arena, NULL, entry->payload.ptr, entry->payload.len, &node, NULL) ==
            GRPCC_OK &&
        comb_facts_key_of_child(&key, &entry->ancestors[0], comb_str_from(node->name))) {
        comb_facts_memory_invalidate(facts->memory, &key, tick);
    } else { /* it cannot be told which */
        comb_facts_memory_invalidate_kind(facts->memory, COMB_FACTS_MEMORY_CHILD, tick);
    }
}

static void apply_to_node(struct comb_facts *facts, struct grpcc_arena *arena,
                          const struct comb_feed_record *record, uint64_t tick)
{
    struct comb_facts_memory_key key;
    if (comb_facts_key_of_node(&key, &record->entry.subject)) {
        comb_facts_memory_invalidate(facts->memory, &key, tick);
    }
    switch (record->entry.kind) {
    case COMB_FEED_NODE_CREATED:
    case COMB_FEED_NODE_MOVED:
    case COMB_FEED_NODE_RECYCLED:
    case COMB_FEED_NODE_RESTORED:
        forget_name_taken(facts, arena, record, tick);
        break;
    default:
        break;
    }
}

void comb_facts_apply(struct comb_facts *facts, struct grpcc_arena *arena,
                      const struct comb_feed_record *record, uint64_t tick)
{
    struct comb_facts_memory_key key;
    if (facts->options.seeded_bug_no_invalidation) {
        return;
    }
    switch (record->entry.kind) {
    case COMB_FEED_USER:
        if (comb_facts_key_of_subjects(&key, &record->entry.subject)) {
            comb_facts_memory_invalidate(facts->memory, &key, tick);
        }
        if (comb_facts_key_of_personal(&key, &record->entry.subject)) {
            comb_facts_memory_invalidate(facts->memory, &key, tick);
        }
        break;
    case COMB_FEED_ROLE: /* any user may have it, or be in it */
    case COMB_FEED_GROUP:
        comb_facts_memory_invalidate_kind(facts->memory, COMB_FACTS_MEMORY_SUBJECTS, tick);
        break;
    case COMB_FEED_WORKSPACE: /* rare; its old slug and roots are not told */
        comb_facts_memory_invalidate_kind(facts->memory, COMB_FACTS_MEMORY_WORKSPACE, tick);
        break;
    case COMB_FEED_TOKEN: /* nothing here rests on these */
    case COMB_FEED_NODE_LOCKED:
    case COMB_FEED_NODE_UNLOCKED:
        break;
    default:
        apply_to_node(facts, arena, record, tick);
        break;
    }
}
