/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An entry may go when nothing is known of it that a new one would not know: no call under way, and
 * all tokens there. Those without a call are in a list, the longest idle one first; where a part is
 * full and that one may not go, a new key shares the part's common entry.
 */
#include "gen/runtime/src/server/limit_keys.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "gen/runtime/src/message/memory.h"
#include "grpcc/limit.h"

enum { PARTS = 16, NS_PER_S = 1000000000, WAIT_S_MAX = 1000000000 };

struct grpcc_limit_entry {
    struct grpcc_limit_entry *next; /* in its bucket */
    struct grpcc_limit_entry *idle_next, *idle_previous;
    uint64_t hash;
    int64_t refilled_ns;
    double tokens;
    unsigned under_way;
    unsigned part;
    bool common;
    unsigned char kind;
    unsigned char length;
    char text[GRPCC_LIMIT_KEY_MAX];
};

struct part {
    pthread_mutex_t lock; /* all below */
    struct grpcc_limit_entry **buckets;
    struct grpcc_limit_entry *idle_first, *idle_last;
    struct grpcc_limit_entry common;
    unsigned n;
    uint64_t shared;
};

struct grpcc_limit_keys {
    double rate, burst;
    uint64_t seed;
    unsigned entries_max; /* of a part */
    unsigned n_buckets;   /* of a part; a power of two */
    struct part parts[PARTS];
};

_Static_assert(GRPCC_LIMIT_KEY_MAX <= UINT8_MAX, "a key's length is kept in a byte");

/* ---- life ---- */

struct grpcc_limit_keys *grpcc_limit_keys_new(unsigned keys_max, double rate, double burst)
{
    struct grpcc_limit_keys *keys = grpcc_memory_zalloc(sizeof(*keys));
    bool complete = keys != NULL;
    if (!keys)
        return NULL;
    keys->rate = rate;
    keys->burst = burst;
    keys->entries_max = (keys_max + PARTS - 1) / PARTS;
    for (keys->n_buckets = 1; keys->n_buckets < keys->entries_max;)
        keys->n_buckets *= 2;
    /* So that nobody can choose keys that meet; without it they are only slower. */
    (void)!getrandom(&keys->seed, sizeof(keys->seed), GRND_NONBLOCK);
    for (unsigned i = 0; i < PARTS; i++) {
        struct part *part = &keys->parts[i];
        pthread_mutex_init(&part->lock, NULL);
        part->buckets = grpcc_memory_zalloc(keys->n_buckets * sizeof(*part->buckets));
        complete &= part->buckets != NULL;
        part->common = (struct grpcc_limit_entry){.tokens = burst, .part = i, .common = true};
    }
    if (complete)
        return keys;
    grpcc_limit_keys_free(keys);
    return NULL;
}

void grpcc_limit_keys_free(struct grpcc_limit_keys *keys)
{
    if (!keys)
        return;
    for (unsigned i = 0; i < PARTS; i++) {
        struct part *part = &keys->parts[i];
        for (unsigned bucket = 0; part->buckets && bucket < keys->n_buckets; bucket++) {
            while (part->buckets[bucket]) {
                struct grpcc_limit_entry *entry = part->buckets[bucket];
                part->buckets[bucket] = entry->next;
                grpcc_memory_free(entry);
            }
        }
        grpcc_memory_free(part->buckets);
        pthread_mutex_destroy(&part->lock);
    }
    grpcc_memory_free(keys);
}

/* ---- finding ---- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
    return hash ^ (hash >> 32);
}

static uint64_t hash_of(const struct grpcc_limit_keys *keys, unsigned kind, const char *text,
                        size_t length)
{
    uint64_t hash = mix(keys->seed, kind << 8 | length), word = 0;
    for (; length >= sizeof(word); text += sizeof(word), length -= sizeof(word)) {
        memcpy(&word, text, sizeof(word));
        hash = mix(hash, word);
    }
    word = 0;
    memcpy(&word, text, length);
    return mix(mix(hash, word), keys->seed);
}

static struct grpcc_limit_entry **bucket_of(const struct grpcc_limit_keys *keys, struct part *part,
                                            uint64_t hash)
{
    return &part->buckets[(hash >> 8) & (keys->n_buckets - 1)];
}

static void idle_remove_locked(struct part *part, struct grpcc_limit_entry *entry)
{
    if (entry->idle_previous)
        entry->idle_previous->idle_next = entry->idle_next;
    else
        part->idle_first = entry->idle_next;
    if (entry->idle_next)
        entry->idle_next->idle_previous = entry->idle_previous;
    else
        part->idle_last = entry->idle_previous;
    entry->idle_next = NULL;
    entry->idle_previous = NULL;
}

static void idle_append_locked(struct part *part, struct grpcc_limit_entry *entry)
{
    entry->idle_previous = part->idle_last;
    entry->idle_next = NULL;
    if (part->idle_last)
        part->idle_last->idle_next = entry;
    else
        part->idle_first = entry;
    part->idle_last = entry;
}

static void refill_locked(const struct grpcc_limit_keys *keys, struct grpcc_limit_entry *entry,
                          int64_t now_ns)
{
    double seconds = (double)(now_ns - entry->refilled_ns) / NS_PER_S;
    if (seconds <= 0)
        return;
    entry->tokens += seconds * keys->rate;
    if (entry->tokens > keys->burst)
        entry->tokens = keys->burst;
    entry->refilled_ns = now_ns;
}

/* Frees the entry that has been idle longest, if nothing is known of it. */
static bool make_room_locked(struct grpcc_limit_keys *keys, struct part *part, int64_t now_ns)
{
    struct grpcc_limit_entry *oldest = part->idle_first;
    if (!oldest)
        return false;
    refill_locked(keys, oldest, now_ns);
    if (keys->rate > 0 && oldest->tokens < keys->burst)
        return false;
    idle_remove_locked(part, oldest);
    struct grpcc_limit_entry **at = bucket_of(keys, part, oldest->hash);
    while (*at != oldest)
        at = &(*at)->next;
    *at = oldest->next;
    grpcc_memory_free(oldest);
    part->n--;
    return true;
}

/* The entry of the key, made where it is new; the common one where there is no place. */
static struct grpcc_limit_entry *entry_locked(struct grpcc_limit_keys *keys, struct part *part,
                                              const struct grpcc_limit_request *request,
                                              uint64_t hash, int64_t now_ns)
{
    struct grpcc_limit_entry **bucket = bucket_of(keys, part, hash);
    for (struct grpcc_limit_entry *entry = *bucket; entry; entry = entry->next)
        if (entry->hash == hash && entry->kind == request->kind &&
            entry->length == request->length &&
            memcmp(entry->text, request->text, request->length) == 0)
            return entry;
    struct grpcc_limit_entry *entry = NULL;
    if (part->n < keys->entries_max || make_room_locked(keys, part, now_ns))
        entry = grpcc_memory_zalloc(sizeof(*entry));
    if (!entry) {
        part->shared++;
        return &part->common;
    }
    entry->hash = hash;
    entry->kind = (unsigned char)request->kind;
    entry->length = (unsigned char)request->length;
    memcpy(entry->text, request->text, request->length);
    entry->tokens = keys->burst;
    entry->refilled_ns = now_ns;
    entry->part = (unsigned)(part - keys->parts);
    entry->next = *bucket;
    *bucket = entry;
    part->n++;
    idle_append_locked(part, entry);
    return entry;
}

/* ---- taking ---- */

static enum grpcc_limit_verdict take_locked(const struct grpcc_limit_keys *keys, struct part *part,
                                            struct grpcc_limit_entry *entry,
                                            const struct grpcc_limit_request *request,
                                            int64_t now_ns, int64_t *ret_wait_ns)
{
    if (request->at_once && entry->under_way >= request->at_once)
        return GRPCC_LIMIT_CROWDED;
    if (request->rated) {
        refill_locked(keys, entry, now_ns);
        if (entry->tokens < 1) {
            double wait_s = (1 - entry->tokens) / keys->rate;
            *ret_wait_ns =
                wait_s < WAIT_S_MAX ? (int64_t)(wait_s * NS_PER_S) : (int64_t)WAIT_S_MAX * NS_PER_S;
            return GRPCC_LIMIT_TOO_FAST;
        }
        entry->tokens -= 1;
    }
    if (entry->under_way++ == 0 && !entry->common)
        idle_remove_locked(part, entry);
    return GRPCC_LIMIT_ADMITTED;
}

enum grpcc_limit_verdict grpcc_limit_enter(struct grpcc_limit_keys *keys,
                                           const struct grpcc_limit_request *given, int64_t now_ns,
                                           struct grpcc_limit_entry **ret_entry,
                                           int64_t *ret_wait_ns)
{
    struct grpcc_limit_request request = *given;
    if (request.length > GRPCC_LIMIT_KEY_MAX)
        request.length = GRPCC_LIMIT_KEY_MAX;
    uint64_t hash = hash_of(keys, request.kind, request.text, request.length);
    struct part *part = &keys->parts[hash % PARTS];
    pthread_mutex_lock(&part->lock);
    struct grpcc_limit_entry *entry = entry_locked(keys, part, &request, hash, now_ns);
    enum grpcc_limit_verdict verdict =
        take_locked(keys, part, entry, &request, now_ns, ret_wait_ns);
    pthread_mutex_unlock(&part->lock);
    *ret_entry = entry;
    return verdict;
}

void grpcc_limit_leave(struct grpcc_limit_keys *keys, struct grpcc_limit_entry *entry)
{
    struct part *part = &keys->parts[entry->part];
    pthread_mutex_lock(&part->lock);
    if (--entry->under_way == 0 && !entry->common)
        idle_append_locked(part, entry);
    pthread_mutex_unlock(&part->lock);
}

void grpcc_limit_keys_count(struct grpcc_limit_keys *keys, uint32_t *ret_kept, uint64_t *ret_shared)
{
    uint32_t kept = 0;
    uint64_t shared = 0;
    for (unsigned i = 0; i < PARTS; i++) {
        pthread_mutex_lock(&keys->parts[i].lock);
        kept += keys->parts[i].n;
        shared += keys->parts[i].shared;
        pthread_mutex_unlock(&keys->parts[i].lock);
    }
    *ret_kept = kept;
    *ret_shared = shared;
}
