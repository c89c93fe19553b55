/* SPDX-License-Identifier: Apache-2.0 */
/* A constant load of unary calls, and what became of them. */
#ifndef GRPCC_TESTING_LOAD_H
#define GRPCC_TESTING_LOAD_H

#include <grpcc/channel.h>
#include <pthread.h>
#include <stdbool.h>

enum { LOAD_WORKERS = 8, LOAD_BACKENDS = 2 };

struct load;

struct load_worker {
    struct load *load;
    pthread_t thread;
};

struct load {
    struct grpcc_channel *channel;
    int ports[LOAD_BACKENDS]; /* whose answers are counted */
    struct load_worker workers[LOAD_WORKERS];

    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    bool stop;
    unsigned long calls;
    unsigned long answers[LOAD_BACKENDS];
    unsigned long failures;
    char first_failure[256];
};

/* Takes the channel. Returns when both backends have answered: calls that fail until then are not
 * of the load. */
void load_start(struct load *load, struct grpcc_channel *channel, const int ports[LOAD_BACKENDS]);
/* Waits until that backend has answered n calls more than now, or a call has failed. */
void load_wait(struct load *load, unsigned backend, unsigned long n);
/* Ends the load, frees the channel; fails the test where a call failed. The number of calls. */
unsigned long load_stop(struct load *load, const char *name);

#endif
