/* SPDX-License-Identifier: Apache-2.0 */
#include "server/facts/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "server/core/memory.h"
#include "server/core/random.h"

#define SHARDS 16
/* Slots of a shard that remember the last invalidation. */
#define INVALIDATIONS 2048
/* A bucket for so many bytes of the bound: about one value each. */
#define BYTES_PER_BUCKET 256
#define BUCKETS_MIN 64
/* What malloc adds to a block, as far as the bound is concerned. */
#define BLOCK_OVERHEAD 16
/* A value may take at most this part of a shard, or it is not remembered. */
#define VALUE_SHARE 4

struct value {
    struct value *next;          /* in its bucket */
    struct value *newer, *older; /* the ring of its shard, in order of arrival */
    uint64_t hash;
    uint64_t sequence; /* of the position that it was read at */
    uint64_t tick;     /* of the memory, before it was asked for */
    atomic_bool used;  /* since the hand went over it */
    enum comb_facts_memory_kind kind;
    size_t key_len, size;
    /* The value, then the key. */
    _Alignas(max_align_t) unsigned char bytes[];
};

struct shard {
    pthread_rwlock_t lock;
    struct value **buckets;
    struct value *hand; /* of the clock: the next one to be looked at; NULL: the shard is empty */
    size_t bytes;
    uint64_t invalidated[INVALIDATIONS];
};

struct comb_facts_memory {
    struct shard shards[SHARDS];
    size_t n_buckets; /* of a shard, a power of two */
    size_t shard_bytes_max;
    uint64_t seed[2];
    /* Values of a kind that were asked for before this tick are as good as gone. */
    _Atomic uint64_t floors[COMB_FACTS_MEMORY_KINDS];
};

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 under a seed of this process: names are chosen by callers, who must not be able to
 * choose names that meet in one bucket. */
static uint64_t key_hash(const struct comb_facts_memory *memory,
                         const struct comb_facts_memory_key *key)
{
    const uint64_t *seed = memory->seed;
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d,
                     seed[0] ^ 0x6c7967656e657261, seed[1] ^ 0x7465646279746573};
    v[3] ^= key->kind;
    uint64_t word;
    size_t at = 0;
    for (; at + sizeof word <= key->len; at += sizeof word) {
        memcpy(&word, key->bytes + at, sizeof word);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = 0;
    memcpy(&word, key->bytes + at, key->len - at);
    word |= (uint64_t)key->len << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

bool comb_facts_memory_key_init(struct comb_facts_memory_key *key, enum comb_facts_memory_kind kind,
                                comb_str first, comb_str second)
{
    if (first.len > sizeof key->bytes || second.len > sizeof key->bytes - first.len) {
        return false;
    }
    key->kind = kind;
    key->len = first.len + second.len;
    if (first.len > 0) {
        memcpy(key->bytes, first.ptr, first.len);
    }
    if (second.len > 0) {
        memcpy(key->bytes + first.len, second.ptr, second.len);
    }
    return true;
}

static struct shard *shard_of(struct comb_facts_memory *memory, uint64_t hash)
{
    return &memory->shards[hash % SHARDS];
}

static struct value **bucket_of(const struct comb_facts_memory *memory, struct shard *shard,
                                uint64_t hash)
{
    return &shard->buckets[(hash / SHARDS) & (memory->n_buckets - 1)];
}

static uint64_t *invalidated_of(struct shard *shard, uint64_t hash)
{
    return &shard->invalidated[(hash >> 40) % INVALIDATIONS];
}

static bool value_is(const struct value *value, const struct comb_facts_memory_key *key,
                     uint64_t hash)
{
    return value->hash == hash && value->kind == key->kind && value->key_len == key->len &&
           memcmp(value->bytes + value->size, key->bytes, key->len) == 0;
}

static size_t value_bytes(const struct value *value)
{
    return sizeof *value + value->size + value->key_len + BLOCK_OVERHEAD;
}

/* The link that points to the value of the key, or to NULL at the end of its bucket. */
static struct value **find_locked(struct comb_facts_memory *memory, struct shard *shard,
                                  const struct comb_facts_memory_key *key, uint64_t hash)
{
    struct value **link = bucket_of(memory, shard, hash);
    while (*link != NULL && !value_is(*link, key, hash)) {
        link = &(*link)->next;
    }
    return link;
}

static void remove_locked(struct shard *shard, struct value **link)
{
    struct value *value = *link;
    *link = value->next;
    if (value->newer == value) {
        shard->hand = NULL;
    } else {
        value->newer->older = value->older;
        value->older->newer = value->newer;
        if (shard->hand == value) {
            shard->hand = value->newer;
        }
    }
    shard->bytes -= value_bytes(value);
    comb_memory_free(value);
}

/* The clock: goes around the ring, spares once what was used since the last time. */
static void make_room_locked(struct comb_facts_memory *memory, struct shard *shard, size_t bytes)
{
    while (shard->hand != NULL && shard->bytes + bytes > memory->shard_bytes_max) {
        struct value *value = shard->hand;
        if (atomic_load_explicit(&value->used, memory_order_relaxed)) {
            atomic_store_explicit(&value->used, false, memory_order_relaxed);
            shard->hand = value->newer;
            continue;
        }
        struct value **link = bucket_of(memory, shard, value->hash);
        while (*link != value) {
            link = &(*link)->next;
        }
        remove_locked(shard, link);
    }
}

static void insert_locked(struct comb_facts_memory *memory, struct shard *shard,
                          struct value *value)
{
    struct value **bucket = bucket_of(memory, shard, value->hash);
    value->next = *bucket;
    *bucket = value;
    if (shard->hand == NULL) {
        value->newer = value->older = value;
        shard->hand = value;
    } else { /* behind the hand: looked at last */
        value->newer = shard->hand;
        value->older = shard->hand->older;
        value->older->newer = value;
        value->newer->older = value;
    }
    shard->bytes += value_bytes(value);
}

static uint64_t floor_of(struct comb_facts_memory *memory, enum comb_facts_memory_kind kind)
{
    return atomic_load_explicit(&memory->floors[kind], memory_order_acquire);
}

bool comb_facts_memory_get(struct comb_facts_memory *memory,
                           const struct comb_facts_memory_key *key, struct grpcc_arena *arena,
                           void **ret_value, uint64_t *ret_sequence)
{
    uint64_t hash = key_hash(memory, key);
    struct shard *shard = shard_of(memory, hash);
    bool known = false;
    pthread_rwlock_rdlock(&shard->lock);
    struct value *value = *find_locked(memory, shard, key, hash);
    if (value != NULL && value->tick >= floor_of(memory, key->kind)) {
        void *copy = grpcc_arena_memdup(arena, value->bytes, value->size);
        if (copy != NULL) {
            *ret_value = copy;
            *ret_sequence = value->sequence;
            known = true;
        }
        if (!atomic_load_explicit(&value->used, memory_order_relaxed)) {
            atomic_store_explicit(&value->used, true, memory_order_relaxed);
        }
    }
    pthread_rwlock_unlock(&shard->lock);
    return known;
}

static struct value *value_new(const struct comb_facts_memory_key *key, uint64_t hash,
                               const void *bytes, size_t size)
{
    struct value *value = comb_memory_alloc(sizeof *value + size + key->len);
    if (value == NULL) {
        return NULL;
    }
    *value = (struct value){.hash = hash, .kind = key->kind, .key_len = key->len, .size = size};
    memcpy(value->bytes, bytes, size);
    memcpy(value->bytes + size, key->bytes, key->len);
    return value;
}

bool comb_facts_memory_put(struct comb_facts_memory *memory,
                           const struct comb_facts_memory_key *key, const void *bytes, size_t size,
                           uint64_t sequence, uint64_t tick, bool cheap)
{
    uint64_t hash = key_hash(memory, key);
    struct shard *shard = shard_of(memory, hash);
    struct value *value = NULL;
    if (size <= memory->shard_bytes_max / VALUE_SHARE) {
        value = value_new(key, hash, bytes, size);
    }
    if (value == NULL) {
        return true; /* Too large, or no memory: not remembered, and nothing is wrong. */
    }
    value->sequence = sequence;
    value->tick = tick;
    atomic_store_explicit(&value->used, !cheap, memory_order_relaxed);

    pthread_rwlock_wrlock(&shard->lock);
    bool fresh = tick >= *invalidated_of(shard, hash) && tick >= floor_of(memory, key->kind);
    if (fresh) {
        struct value **known = find_locked(memory, shard, key, hash);
        if (*known == NULL || (*known)->tick < floor_of(memory, key->kind) ||
            (*known)->sequence < sequence) {
            if (*known != NULL) {
                remove_locked(shard, known);
            }
            make_room_locked(memory, shard, value_bytes(value));
            insert_locked(memory, shard, value);
            value = NULL;
        }
    }
    pthread_rwlock_unlock(&shard->lock);
    comb_memory_free(value);
    return fresh;
}

void comb_facts_memory_invalidate(struct comb_facts_memory *memory,
                                  const struct comb_facts_memory_key *key, uint64_t tick)
{
    uint64_t hash = key_hash(memory, key);
    struct shard *shard = shard_of(memory, hash);
    pthread_rwlock_wrlock(&shard->lock);
    uint64_t *invalidated = invalidated_of(shard, hash);
    if (*invalidated < tick) {
        *invalidated = tick;
    }
    struct value **link = find_locked(memory, shard, key, hash);
    if (*link != NULL && (*link)->tick < tick) {
        remove_locked(shard, link);
    }
    pthread_rwlock_unlock(&shard->lock);
}

void comb_facts_memory_invalidate_kind(struct comb_facts_memory *memory,
                                       enum comb_facts_memory_kind kind, uint64_t tick)
{
    if (atomic_load_explicit(&memory->floors[kind], memory_order_relaxed) < tick) {
        atomic_store_explicit(&memory->floors[kind], tick, memory_order_release);
    }
}

size_t comb_facts_memory_bytes(struct comb_facts_memory *memory)
{
    size_t bytes = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_rwlock_rdlock(&memory->shards[i].lock);
        bytes += memory->shards[i].bytes;
        pthread_rwlock_unlock(&memory->shards[i].lock);
    }
    return bytes;
}

enum comb_status comb_facts_memory_new(size_t bytes_max, struct comb_facts_memory **ret_memory,
                                       struct comb_error *err)
{
    struct comb_facts_memory *memory = comb_memory_zalloc(sizeof *memory);
    if (memory == NULL) {
        return comb_error_no_memory(err);
    }
    comb_random(memory->seed, sizeof memory->seed);
    memory->shard_bytes_max = bytes_max / SHARDS;
    memory->n_buckets = BUCKETS_MIN;
    while (memory->n_buckets * BYTES_PER_BUCKET < memory->shard_bytes_max) {
        memory->n_buckets *= 2;
    }
    bool whole = true;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &memory->shards[i];
        pthread_rwlock_init(&shard->lock, NULL);
        shard->buckets = comb_memory_zalloc(memory->n_buckets * sizeof *shard->buckets);
        whole = whole && shard->buckets != NULL;
    }
    if (!whole) {
        comb_facts_memory_free(memory);
        return comb_error_no_memory(err);
    }
    *ret_memory = memory;
    return COMB_OK;
}

void comb_facts_memory_free(struct comb_facts_memory *memory)
{
    if (memory == NULL) {
        return;
    }
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &memory->shards[i];
        for (size_t b = 0; shard->buckets != NULL && b < memory->n_buckets; b++) {
            while (shard->buckets[b] != NULL) {
                remove_locked(shard, &shard->buckets[b]);
            }
        }
        comb_memory_free(shard->buckets);
        pthread_rwlock_destroy(&shard->lock);
    }
    comb_memory_free(memory);
}
