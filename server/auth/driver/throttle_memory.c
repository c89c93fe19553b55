/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters in a table of fixed size. A key has WAYS places; where all are taken, the least counter
 * goes: who invents logins pushes out other inventions, not the login that is being guessed.
 */
#include <pthread.h>
#include <string.h>

#include "server/auth/throttle_driver.h"
#include "server/core/clock.h"
#include "server/core/hash.h"
#include "server/core/memory.h"
#include "server/core/random.h"

#define SETS 4096
#define WAYS 8

struct place {
    uint8_t key[16]; /* of the keyed hash: who chooses keys cannot choose places */
    struct comb_throttle_counter counter;
};

struct memory {
    struct comb_throttle base;
    uint8_t secret[32];
    pthread_mutex_t lock; /* of places */
    struct place places[SETS][WAYS];
};

static bool is_live(const struct comb_throttle_counter *counter, int64_t now_us)
{
    return counter->failures > 0 &&
           now_us - counter->last_us < COMB_THROTTLE_FORGET_S * COMB_US_PER_S;
}

/* False: no memory to hash with. */
static bool hash_of(const struct memory *memory, comb_str key, uint8_t ret_hash[COMB_SHA256_SIZE])
{
    return comb_hmac_sha256(comb_str_of(memory->secret, sizeof memory->secret), key, ret_hash,
                            NULL) == COMB_OK;
}

static struct place *set_of(struct memory *memory, const uint8_t hash[COMB_SHA256_SIZE])
{
    return memory->places[(hash[16] | (unsigned)hash[17] << 8) % SETS];
}

static struct place *find_locked(struct memory *memory, const uint8_t hash[COMB_SHA256_SIZE])
{
    struct place *set = set_of(memory, hash);
    int64_t now_us = comb_clock_wall_us();
    for (size_t i = 0; i < WAYS; i++) {
        if (memcmp(set[i].key, hash, sizeof set[i].key) == 0 && is_live(&set[i].counter, now_us))
            return &set[i];
    }
    return NULL;
}

static struct place *make_locked(struct memory *memory, const uint8_t hash[COMB_SHA256_SIZE])
{
    struct place *set = set_of(memory, hash);
    struct place *least = &set[0];
    int64_t now_us = comb_clock_wall_us();
    for (size_t i = 0; i < WAYS; i++) {
        if (!is_live(&set[i].counter, now_us)) {
            least = &set[i];
            break;
        }
        if (set[i].counter.failures < least->counter.failures ||
            (set[i].counter.failures == least->counter.failures &&
             set[i].counter.last_us < least->counter.last_us))
            least = &set[i];
    }
    *least = (struct place){0};
    memcpy(least->key, hash, sizeof least->key);
    return least;
}

static void memory_get(struct comb_throttle *self, struct comb_ctx *ctx, comb_str key,
                       struct comb_throttle_counter *ret_counter)
{
    (void)ctx;
    struct memory *memory = (struct memory *)self;
    uint8_t hash[COMB_SHA256_SIZE];
    struct comb_throttle_counter counter = {0};
    if (hash_of(memory, key, hash)) {
        pthread_mutex_lock(&memory->lock);
        const struct place *place = find_locked(memory, hash);
        if (place)
            counter = place->counter;
        pthread_mutex_unlock(&memory->lock);
    }
    *ret_counter = counter;
}

static void memory_add(struct comb_throttle *self, struct comb_ctx *ctx, comb_str key)
{
    (void)ctx;
    struct memory *memory = (struct memory *)self;
    uint8_t hash[COMB_SHA256_SIZE];
    if (!hash_of(memory, key, hash))
        return;
    pthread_mutex_lock(&memory->lock);
    struct place *place = find_locked(memory, hash);
    if (!place)
        place = make_locked(memory, hash);
    if (place->counter.failures < UINT32_MAX)
        place->counter.failures++;
    place->counter.last_us = comb_clock_wall_us();
    pthread_mutex_unlock(&memory->lock);
}

static void memory_clear(struct comb_throttle *self, struct comb_ctx *ctx, comb_str key)
{
    (void)ctx;
    struct memory *memory = (struct memory *)self;
    uint8_t hash[COMB_SHA256_SIZE];
    if (!hash_of(memory, key, hash))
        return;
    pthread_mutex_lock(&memory->lock);
    struct place *place = find_locked(memory, hash);
    if (place)
        *place = (struct place){0};
    pthread_mutex_unlock(&memory->lock);
}

static void memory_close(struct comb_throttle *self)
{
    struct memory *memory = (struct memory *)self;
    pthread_mutex_destroy(&memory->lock);
    comb_memory_free(memory);
}

static const struct comb_throttle_driver memory_driver = {.name = "memory",
                                                          .get = memory_get,
                                                          .add = memory_add,
                                                          .clear = memory_clear,
                                                          .close = memory_close};

enum comb_status comb_throttle_memory_new(struct comb_throttle **ret_throttle,
                                          struct comb_error *err)
{
    struct memory *memory = comb_memory_zalloc(sizeof *memory);
    if (!memory)
        return comb_error_no_memory(err);
    memory->base.driver = &memory_driver;
    comb_random(memory->secret, sizeof memory->secret);
    pthread_mutex_init(&memory->lock, NULL);
    *ret_throttle = &memory->base;
    return COMB_OK;
}
