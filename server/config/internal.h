/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef COMB_CONFIG_INTERNAL_H
#define COMB_CONFIG_INTERNAL_H

#include "server/config/config.h"
#include "server/config/mirror.h"

struct config_watch;

/* All watches, and the thread that serves them. */
struct config_watches {
    struct comb_config *config;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    bool stopping, dirty;
    struct config_watch *first;
    size_t n;
};

struct comb_config {
    struct comb_config_store *store;
    struct comb_facts *facts;
    struct config_mirror mirror;
    struct config_watches watches;
};

/* ---- watch.c ---- */

enum comb_status config_watches_start(struct comb_config *config,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* Ends all watches; does nothing a second time. */
void config_watches_stop(struct config_watches *watches);
/* There may be something to tell. Any thread. */
void config_watches_wake(void *watches);

#endif
