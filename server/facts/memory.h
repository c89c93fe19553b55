/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounded memory under the facts: immutable values by key, each with the position of the
 * snapshot that it was read in. Any thread; many read at once.
 *
 * Time is counted in ticks, one for each answer of a poll that has been applied. Who fills notes
 * the tick before the store is asked, and a value is refused whose key was invalidated at a later
 * tick. So none is kept that an invalidation missed:
 * - one that was applied by then was visible to its poll before the store was asked, and so is
 *   visible to what the store answers: the value is right;
 * - one that is applied later, but before the value arrives, refuses it, perhaps needlessly;
 * - one that is applied after the value has arrived removes it.
 * That needs no order of positions, only that a later snapshot sees what an earlier one saw.
 *
 * What was invalidated last is remembered by the hash of the key, in a table of fixed size (keys
 * that share a slot refuse too much, never too little).
 */
#ifndef COMB_FACTS_MEMORY_H
#define COMB_FACTS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/error.h"
#include "server/core/str.h"

struct comb_facts_memory;

enum comb_facts_memory_kind {
    COMB_FACTS_MEMORY_NODE = 0,
    COMB_FACTS_MEMORY_CHILD,
    COMB_FACTS_MEMORY_SUBJECTS,
    COMB_FACTS_MEMORY_WORKSPACE,
    COMB_FACTS_MEMORY_KINDS
};

#define COMB_FACTS_MEMORY_KEY_MAX 288

struct comb_facts_memory_key {
    enum comb_facts_memory_kind kind;
    size_t len;
    unsigned char bytes[COMB_FACTS_MEMORY_KEY_MAX];
};

/* The key of kind and the two strings behind one another. False: too long to be remembered. */
bool comb_facts_memory_key_init(struct comb_facts_memory_key *key, enum comb_facts_memory_kind kind,
                                comb_str first, comb_str second) COMB_MUST_CHECK;

/* A copy of the value in arena. False: not known, or no room in arena. */
bool comb_facts_memory_get(struct comb_facts_memory *memory,
                           const struct comb_facts_memory_key *key, struct grpcc_arena *arena,
                           void **ret_value, uint64_t *ret_sequence) COMB_MUST_CHECK;

/*
 * Remembers a copy of the value, which was read at sequence and asked for at tick; what is there
 * already and newer stays.
 * cheap: the first to go where room is short (things known not to exist: anybody can ask for any
 * number of those). False: refused, because the key was invalidated after tick.
 */
bool comb_facts_memory_put(struct comb_facts_memory *memory,
                           const struct comb_facts_memory_key *key, const void *value, size_t size,
                           uint64_t sequence, uint64_t tick, bool cheap);

/* The key's value changed: forget what was asked for before tick. */
void comb_facts_memory_invalidate(struct comb_facts_memory *memory,
                                  const struct comb_facts_memory_key *key, uint64_t tick);
/* All values of the kind. */
void comb_facts_memory_invalidate_kind(struct comb_facts_memory *memory,
                                       enum comb_facts_memory_kind kind, uint64_t tick);

/* Bytes that all values hold, their bookkeeping included; never above bytes_max. */
size_t comb_facts_memory_bytes(struct comb_facts_memory *memory);

enum comb_status comb_facts_memory_new(size_t bytes_max, struct comb_facts_memory **ret_memory,
                                       struct comb_error *err) COMB_MUST_CHECK;
void comb_facts_memory_free(struct comb_facts_memory *memory);

#endif
