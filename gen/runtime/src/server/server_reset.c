/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/server/server_reset.h"

#include "gen/runtime/src/core/core.h"

/* Places where a peer's entry may be. */
enum { WAYS = 4 };

void grpcc_resets_init(struct grpcc_resets *resets)
{
    pthread_mutex_init(&resets->lock, NULL);
}

void grpcc_resets_done(struct grpcc_resets *resets)
{
    pthread_mutex_destroy(&resets->lock);
}

/* FNV-1a over the name and, so that nobody can choose whom he collides with, where the table
 * happens to lie. */
static uint64_t hash_of(const struct grpcc_resets *resets, const char *peer)
{
    uint64_t hash = 0xcbf29ce484222325 ^ (uint64_t)(uintptr_t)resets;
    for (; *peer; peer++)
        hash = (hash ^ (unsigned char)*peer) * 0x100000001b3;
    return (hash ^ hash >> 32) | 1;
}

static void roll(struct grpcc_reset_entry *entry, int64_t now_ns)
{
    if (entry->count && now_ns - entry->window_ns < GRPCC_NS_PER_S)
        return;
    entry->window_ns = now_ns;
    entry->count = 0;
    entry->told = false;
}

/* The peer's entry, or one in place of the least active of those that share its places. */
static struct grpcc_reset_entry *entry_locked(struct grpcc_resets *resets, uint64_t peer,
                                              int64_t now_ns)
{
    struct grpcc_reset_entry *set =
        &resets->entries[(peer >> 1) % (GRPCC_RESET_ENTRIES / WAYS) * WAYS];
    struct grpcc_reset_entry *least = set;
    for (struct grpcc_reset_entry *entry = set; entry < set + WAYS; entry++) {
        roll(entry, now_ns);
        if (entry->peer == peer)
            return entry;
        if (entry->count < least->count)
            least = entry;
    }
    *least = (struct grpcc_reset_entry){.peer = peer, .window_ns = now_ns};
    return least;
}

bool grpcc_resets_note(struct grpcc_resets *resets, const char *peer, unsigned max)
{
    int64_t now_ns = grpcc_now_ns();
    uint64_t hash = hash_of(resets, peer);
    pthread_mutex_lock(&resets->lock);
    struct grpcc_reset_entry *entry = entry_locked(resets, hash, now_ns);
    roll(&resets->all, now_ns);
    resets->all.count++;
    bool crowded = resets->all.count / GRPCC_RESETS_ALL >= max;
    bool exceeded = ++entry->count > (crowded ? max / 10 : max) && !entry->told;
    entry->told = entry->told || exceeded;
    pthread_mutex_unlock(&resets->lock);
    return exceeded;
}
