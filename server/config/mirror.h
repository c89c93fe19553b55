/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store has told: all values, and the newest changes. For reads while it is away, and for
 * watches.
 */
#ifndef COMB_CONFIG_MIRROR_H
#define COMB_CONFIG_MIRROR_H

#include <pthread.h>

#include "server/config/config.h"
#include "server/core/map.h"

/* One entry with its texts behind it, in one piece of memory. */
struct config_kept {
    struct comb_config_entry entry;
    uint64_t sequence; /* of recent changes: 1, 2, … */
    char texts[];
};

struct config_mirror {
    pthread_mutex_t lock; /* of all below */
    struct comb_map entries;
    struct config_kept *recent[COMB_CONFIG_RECENT_MAX]; /* by sequence, in turn */
    uint64_t sequence;                                  /* of the newest change */
    /* Everything was told anew at that sequence: what follows from before is void. */
    uint64_t anew;
    int64_t revision, anew_revision;
    bool known; /* the store has told everything at least once */
    bool stale; /* it is away */
    /* Called without the lock when there is something new. */
    void (*wake)(void *data);
    void *data;
};

void config_mirror_init(struct config_mirror *mirror, void (*wake)(void *data), void *data);
void config_mirror_done(struct config_mirror *mirror);
struct comb_config_observer config_mirror_observer(struct config_mirror *mirror);

/* As comb_config_store_get() and _list(), from memory. UNAVAILABLE: nothing is known yet. */
enum comb_status config_mirror_get(struct config_mirror *mirror, struct grpcc_arena *arena,
                                   comb_str path, struct comb_config_entry *ret_entry,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* path ("" : all): itself, where with_self, and what is below it. */
enum comb_status config_mirror_list(struct config_mirror *mirror, struct grpcc_arena *arena,
                                    comb_str path, bool with_self, comb_str after, size_t limit,
                                    struct comb_config_entries *ret_entries,
                                    struct comb_error *err) COMB_MUST_CHECK;

/* Whether path is `at` ("": of everything) or lies below it. */
bool config_path_is_at(comb_str path, comb_str at);
/* A copy in arena; false: no room. */
bool config_entry_copy(struct grpcc_arena *arena, const struct comb_config_entry *entry,
                       struct comb_config_entry *ret_entry) COMB_MUST_CHECK;

#endif
