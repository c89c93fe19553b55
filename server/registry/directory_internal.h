/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the directory share. */
#ifndef COMB_DIRECTORY_INTERNAL_H
#define COMB_DIRECTORY_INTERNAL_H

#include <pthread.h>

#include "server/core/map.h"
#include "server/registry/directory.h"

/* The replica's own entry: announce.c. */
struct directory_announcement {
    struct comb_directory_self self;
    pthread_t thread;
    pthread_mutex_t lock; /* of stopping and changed */
    pthread_cond_t wake;
    bool stopping, changed;
};

struct comb_directory {
    struct comb_registry *registry;
    struct directory_announcement *announcement; /* NULL: none */

    pthread_mutex_t lock;  /* of all below; a leaf */
    struct comb_map items; /* "SERVICE/ID" -> struct directory_item */
    uint64_t position;     /* of the newest change; the first has 1 */
    uint64_t floor;        /* who stands before it may have missed that something went */
    size_t n_gone;         /* items that are gone and not forgotten */
    bool stale;
    uint64_t state; /* counts the changes of stale */
    void (*wake)(void *data);
    void *wake_data;
};

#endif
