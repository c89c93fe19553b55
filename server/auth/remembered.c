/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/remembered.h"

#include <pthread.h>

#include "server/core/clock.h"
#include "server/core/hash.h"
#include "server/core/map.h"
#include "server/core/memory.h"

/* A principal with all that it points to. */
struct entry {
    struct comb_principal principal;
    bool dead; /* forgotten; found no more, replaced or cleared with the others */
    char bytes[];
};

struct auth_remembered {
    pthread_mutex_t lock; /* of all below */
    struct comb_map map;
    size_t max;
    uint64_t era;
};

enum comb_status auth_remembered_new(size_t max, struct auth_remembered **ret_remembered,
                                     struct comb_error *err)
{
    struct auth_remembered *remembered = comb_memory_zalloc(sizeof *remembered);
    if (!remembered)
        return comb_error_no_memory(err);
    remembered->max = max;
    pthread_mutex_init(&remembered->lock, NULL);
    comb_map_init(&remembered->map, max, comb_memory_free);
    *ret_remembered = remembered;
    return COMB_OK;
}

void auth_remembered_free(struct auth_remembered *remembered)
{
    if (!remembered)
        return;
    comb_map_done(&remembered->map);
    pthread_mutex_destroy(&remembered->lock);
    comb_memory_free(remembered);
}

uint64_t auth_remembered_era(struct auth_remembered *remembered)
{
    pthread_mutex_lock(&remembered->lock);
    uint64_t era = remembered->era;
    pthread_mutex_unlock(&remembered->lock);
    return era;
}

/* The token itself is not kept: a hash in a core dump opens nothing. */
static bool hash_of(comb_str bearer, uint8_t ret_hash[COMB_SHA256_SIZE])
{
    return comb_sha256(bearer, ret_hash, NULL) == COMB_OK;
}

static size_t bytes_of(const struct comb_principal *principal)
{
    return principal->n_scopes * sizeof principal->scopes[0] + principal->login.len;
}

/* Copies what principal points to behind it. room: bytes_of(principal), aligned for a scope. */
static void copy_into(struct comb_principal *ret_principal, char *room,
                      const struct comb_principal *principal)
{
    size_t scopes_size = principal->n_scopes * sizeof principal->scopes[0];
    *ret_principal = *principal;
    if (scopes_size > 0)
        memcpy(room, principal->scopes, scopes_size);
    if (principal->login.len > 0)
        memcpy(room + scopes_size, principal->login.ptr, principal->login.len);
    ret_principal->scopes = (const struct comb_scope *)(void *)room;
    ret_principal->login.ptr = room + scopes_size;
}

void auth_remembered_add(struct auth_remembered *remembered, comb_str bearer,
                         const struct comb_principal *principal, uint64_t era)
{
    uint8_t hash[COMB_SHA256_SIZE];
    if (!hash_of(bearer, hash))
        return;
    struct entry *entry = comb_memory_zalloc(sizeof *entry + bytes_of(principal));
    if (!entry)
        return;
    copy_into(&entry->principal, entry->bytes, principal);
    pthread_mutex_lock(&remembered->lock);
    /* Full: all go, and those in use come back. Simpler than an order of use, and as rare. */
    if (remembered->map.n >= remembered->max)
        comb_map_clear(&remembered->map);
    bool added =
        remembered->era == era &&
        comb_map_put(&remembered->map, comb_str_of(hash, sizeof hash), entry, NULL) == COMB_OK;
    pthread_mutex_unlock(&remembered->lock);
    if (!added)
        comb_memory_free(entry);
}

const struct comb_principal *auth_remembered_find(struct auth_remembered *remembered,
                                                  struct grpcc_arena *arena, comb_str bearer)
{
    uint8_t hash[COMB_SHA256_SIZE];
    if (!hash_of(bearer, hash))
        return NULL;
    struct comb_principal *found = NULL;
    int64_t now_us = comb_clock_wall_us();
    pthread_mutex_lock(&remembered->lock);
    const struct entry *entry = comb_map_get(&remembered->map, comb_str_of(hash, sizeof hash));
    if (entry && !entry->dead &&
        (entry->principal.expire_us == 0 || entry->principal.expire_us > now_us)) {
        found = grpcc_arena_alloc(arena, sizeof *found);
        char *room = grpcc_arena_alloc(arena, bytes_of(&entry->principal));
        if (found && room)
            copy_into(found, room, &entry->principal);
        else
            found = NULL;
    }
    pthread_mutex_unlock(&remembered->lock);
    return found;
}

void auth_remembered_forget(struct auth_remembered *remembered, const struct comb_uuid *id)
{
    pthread_mutex_lock(&remembered->lock);
    remembered->era++;
    struct comb_map_cursor cursor = {0};
    comb_str key;
    void *value;
    while (comb_map_next(&remembered->map, &cursor, &key, &value)) {
        struct entry *entry = value;
        if (!id || comb_uuid_equal(&entry->principal.user, id) ||
            comb_uuid_equal(&entry->principal.token, id))
            entry->dead = true;
    }
    pthread_mutex_unlock(&remembered->lock);
}
