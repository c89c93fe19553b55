/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What loads do to the configuration, the vault, the registry and events, and who listens to the
 * latter: he must hear the numbers that were published in order, and be told wherever one that was
 * acknowledged does not come.
 */
#ifndef TESTS_FAULT_STORE_LOAD_ROWS_H
#define TESTS_FAULT_STORE_LOAD_ROWS_H

#include "tests/fault/store_load.h"

/* Places that these loads write over and over. */
#define STORE_LOAD_SLOTS 64

/* Call and verification of one load each. Before a place is written it is read: an answer that is
 * older than what was acknowledged ends the call with DATA_LOSS. */
enum grpcc_status store_load_set(struct store_load *load, struct grpcc_arena *arena,
                                 unsigned number, struct grpcc_error *err);
enum grpcc_status store_load_is_set(struct store_load *load, struct grpcc_arena *arena,
                                    unsigned number, struct grpcc_error *err);
enum grpcc_status store_load_hide(struct store_load *load, struct grpcc_arena *arena,
                                  unsigned number, struct grpcc_error *err);
enum grpcc_status store_load_is_hidden(struct store_load *load, struct grpcc_arena *arena,
                                       unsigned number, struct grpcc_error *err);
enum grpcc_status store_load_enter(struct store_load *load, struct grpcc_arena *arena,
                                   unsigned number, struct grpcc_error *err);
enum grpcc_status store_load_is_entered(struct store_load *load, struct grpcc_arena *arena,
                                        unsigned number, struct grpcc_error *err);
enum grpcc_status store_load_publish(struct store_load *load, struct grpcc_arena *arena,
                                     unsigned number, struct grpcc_error *err);

/* Who listens. */
struct store_ear {
    struct comb_client *client;
    pthread_t thread;
    atomic_bool stop, listens;
    atomic_llong newest;  /* number heard; -1 */
    unsigned char *heard; /* by number: was it, and was a loss told right before it */
    unsigned n_heard, n_told, n_ends;
    char wrong[GRPCC_STATUS_MESSAGE_MAX + 1]; /* "", or the first thing that must not be */
};

/* What he made of the numbers that a load published. */
struct store_ear_sum {
    unsigned missed;  /* acknowledged, and not heard */
    unsigned silent;  /* of these, where no loss was told between those that were heard */
    unsigned phantom; /* refused for certain, and heard all the same */
};

/* He hears what is published when this returns. */
void store_ear_start(struct store_ear *ear, const struct combd *combd);
/* Publishes through `load`, which is stopped, until he hears it; then ends him. Fails the test
 * where he was told what must not be. */
void store_ear_stop(struct store_ear *ear, struct store_load *load, struct store_ear_sum *ret_sum);

#endif
