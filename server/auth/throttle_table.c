/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/throttle_table.h"

#include <pthread.h>
#include <string.h>

#include "server/auth/throttle.h"
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

struct comb_throttle_table {
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
static bool hash_of(const struct comb_throttle_table *table, comb_str key,
                    uint8_t ret_hash[COMB_SHA256_SIZE])
{
    return comb_hmac_sha256(comb_str_of(table->secret, sizeof table->secret), key, ret_hash,
                            NULL) == COMB_OK;
}

static struct place *set_of(struct comb_throttle_table *table, const uint8_t hash[COMB_SHA256_SIZE])
{
    return table->places[(hash[16] | (unsigned)hash[17] << 8) % SETS];
}

static struct place *find_locked(struct comb_throttle_table *table,
                                 const uint8_t hash[COMB_SHA256_SIZE])
{
    struct place *set = set_of(table, hash);
    int64_t now_us = comb_clock_wall_us();
    for (size_t i = 0; i < WAYS; i++) {
        if (memcmp(set[i].key, hash, sizeof set[i].key) == 0 && is_live(&set[i].counter, now_us))
            return &set[i];
    }
    return NULL;
}

static struct place *make_locked(struct comb_throttle_table *table,
                                 const uint8_t hash[COMB_SHA256_SIZE])
{
    struct place *set = set_of(table, hash);
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

struct comb_throttle_counter comb_throttle_table_get(struct comb_throttle_table *table,
                                                     comb_str key)
{
    uint8_t hash[COMB_SHA256_SIZE];
    struct comb_throttle_counter counter = {0};
    if (!hash_of(table, key, hash))
        return counter;
    pthread_mutex_lock(&table->lock);
    const struct place *place = find_locked(table, hash);
    if (place)
        counter = place->counter;
    pthread_mutex_unlock(&table->lock);
    return counter;
}

void comb_throttle_table_add(struct comb_throttle_table *table, comb_str key)
{
    uint8_t hash[COMB_SHA256_SIZE];
    if (!hash_of(table, key, hash))
        return;
    pthread_mutex_lock(&table->lock);
    struct place *place = find_locked(table, hash);
    if (!place)
        place = make_locked(table, hash);
    if (place->counter.failures < UINT32_MAX)
        place->counter.failures++;
    place->counter.last_us = comb_clock_wall_us();
    pthread_mutex_unlock(&table->lock);
}

void comb_throttle_table_clear(struct comb_throttle_table *table, comb_str key)
{
    uint8_t hash[COMB_SHA256_SIZE];
    if (!hash_of(table, key, hash))
        return;
    pthread_mutex_lock(&table->lock);
    struct place *place = find_locked(table, hash);
    if (place)
        *place = (struct place){0};
    pthread_mutex_unlock(&table->lock);
}

enum comb_status comb_throttle_table_new(struct comb_throttle_table **ret_table,
                                         struct comb_error *err)
{
    struct comb_throttle_table *table = comb_memory_zalloc(sizeof *table);
    if (!table)
        return comb_error_no_memory(err);
    comb_random(table->secret, sizeof table->secret);
    pthread_mutex_init(&table->lock, NULL);
    *ret_table = table;
    return COMB_OK;
}

void comb_throttle_table_free(struct comb_throttle_table *table)
{
    if (!table)
        return;
    pthread_mutex_destroy(&table->lock);
    comb_memory_free(table);
}
