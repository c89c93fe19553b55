/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/server/health.h"

#include <pthread.h>
#include <string.h>

#include "gen/runtime/src/message/memory.h"

struct entry {
    struct entry *next;
    enum grpcc_serving serving;
    char service[];
};

struct grpcc_health {
    pthread_mutex_t lock; /* all below */
    struct entry *entries;
    struct grpcc_health_watcher *watchers;
    bool shut;
    bool closed;
};

struct grpcc_health *grpcc_health_new(void)
{
    struct grpcc_health *health = grpcc_memory_zalloc(sizeof(*health));
    if (health)
        pthread_mutex_init(&health->lock, NULL);
    return health;
}

void grpcc_health_free(struct grpcc_health *health)
{
    if (!health)
        return;
    while (health->entries) {
        struct entry *entry = health->entries;
        health->entries = entry->next;
        grpcc_memory_free(entry);
    }
    pthread_mutex_destroy(&health->lock);
    grpcc_memory_free(health);
}

static struct entry *find_locked(struct grpcc_health *health, const char *service)
{
    struct entry *entry = health->entries;
    while (entry && strcmp(entry->service, service) != 0)
        entry = entry->next;
    return entry;
}

static int get_locked(struct grpcc_health *health, const char *service)
{
    const struct entry *entry = find_locked(health, service);
    return entry ? (int)entry->serving : GRPCC_SERVICE_UNKNOWN;
}

/* Claims every watcher that is idle and was told something else. */
static struct grpcc_health_watcher *claim_locked(struct grpcc_health *health)
{
    struct grpcc_health_watcher *to_tell = NULL;
    for (struct grpcc_health_watcher *watcher = health->watchers; watcher;
         watcher = watcher->next) {
        int serving = get_locked(health, watcher->service);
        if (watcher->sending || watcher->told == serving)
            continue;
        watcher->sending = true;
        watcher->told = serving;
        watcher->next_to_tell = to_tell;
        to_tell = watcher;
    }
    return to_tell;
}

static void tell(struct grpcc_health_watcher *to_tell)
{
    while (to_tell) {
        struct grpcc_health_watcher *watcher = to_tell;
        to_tell = watcher->next_to_tell; /* read first: its send may be its end */
        watcher->send(watcher, watcher->told);
    }
}

static struct entry *add_locked(struct grpcc_health *health, const char *service)
{
    size_t size = strlen(service) + 1;
    struct entry *entry = grpcc_memory_alloc(sizeof(*entry) + size);
    if (!entry)
        return NULL;
    memcpy(entry->service, service, size);
    entry->next = health->entries;
    health->entries = entry;
    return entry;
}

bool grpcc_health_set(struct grpcc_health *health, const char *service, enum grpcc_serving serving)
{
    struct grpcc_health_watcher *to_tell = NULL;
    pthread_mutex_lock(&health->lock);
    struct entry *entry = find_locked(health, service);
    if (!entry)
        entry = add_locked(health, service);
    if (entry) {
        entry->serving = health->shut ? GRPCC_NOT_SERVING : serving;
        to_tell = claim_locked(health);
    }
    pthread_mutex_unlock(&health->lock);
    tell(to_tell);
    return entry != NULL;
}

void grpcc_health_shut(struct grpcc_health *health)
{
    pthread_mutex_lock(&health->lock);
    health->shut = true;
    for (struct entry *entry = health->entries; entry; entry = entry->next)
        entry->serving = GRPCC_NOT_SERVING;
    struct grpcc_health_watcher *to_tell = claim_locked(health);
    pthread_mutex_unlock(&health->lock);
    tell(to_tell);
}

int grpcc_health_get(struct grpcc_health *health, const char *service)
{
    pthread_mutex_lock(&health->lock);
    int serving = get_locked(health, service);
    pthread_mutex_unlock(&health->lock);
    return serving;
}

void grpcc_health_each(struct grpcc_health *health,
                       void (*visit)(void *data, const char *service, enum grpcc_serving serving),
                       void *data)
{
    pthread_mutex_lock(&health->lock);
    for (const struct entry *entry = health->entries; entry; entry = entry->next)
        visit(data, entry->service, entry->serving);
    pthread_mutex_unlock(&health->lock);
}

static void unlink_locked(struct grpcc_health *health, struct grpcc_health_watcher *watcher)
{
    if (watcher->previous)
        watcher->previous->next = watcher->next;
    else
        health->watchers = watcher->next;
    if (watcher->next)
        watcher->next->previous = watcher->previous;
    watcher->linked = false;
}

static void link_locked(struct grpcc_health *health, struct grpcc_health_watcher *watcher)
{
    watcher->next = health->watchers;
    watcher->previous = NULL;
    if (watcher->next)
        watcher->next->previous = watcher;
    health->watchers = watcher;
    watcher->linked = true;
}

void grpcc_health_close(struct grpcc_health *health)
{
    struct grpcc_health_watcher *to_end = NULL;
    pthread_mutex_lock(&health->lock);
    health->closed = true;
    while (health->watchers) {
        struct grpcc_health_watcher *watcher = health->watchers;
        unlink_locked(health, watcher);
        if (watcher->sending)
            continue; /* the end of that send is its end */
        watcher->next_to_tell = to_end;
        to_end = watcher;
    }
    pthread_mutex_unlock(&health->lock);
    while (to_end) {
        struct grpcc_health_watcher *watcher = to_end;
        to_end = watcher->next_to_tell;
        watcher->end(watcher);
    }
}

void grpcc_health_watch(struct grpcc_health *health, struct grpcc_health_watcher *watcher)
{
    pthread_mutex_lock(&health->lock);
    if (!health->closed)
        link_locked(health, watcher);
    watcher->sending = true;
    int serving = get_locked(health, watcher->service);
    watcher->told = serving;
    pthread_mutex_unlock(&health->lock);
    watcher->send(watcher, serving);
}

bool grpcc_health_sent(struct grpcc_health *health, struct grpcc_health_watcher *watcher, bool ok)
{
    pthread_mutex_lock(&health->lock);
    if (!ok && watcher->linked)
        unlink_locked(health, watcher);
    bool out = !watcher->linked;
    int serving = get_locked(health, watcher->service);
    bool again = !out && serving != watcher->told;
    watcher->sending = again;
    watcher->told = serving;
    pthread_mutex_unlock(&health->lock);
    if (again)
        watcher->send(watcher, serving);
    return out;
}

bool grpcc_health_unwatch(struct grpcc_health *health, struct grpcc_health_watcher *watcher)
{
    pthread_mutex_lock(&health->lock);
    bool linked = watcher->linked;
    if (linked)
        unlink_locked(health, watcher);
    bool idle = !watcher->sending;
    pthread_mutex_unlock(&health->lock);
    return linked && idle;
}
