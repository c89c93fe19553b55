/* SPDX-License-Identifier: Apache-2.0 */
/* What the suite of the configuration knows of a driver: how to open one, and again. */
#ifndef COMB_TESTS_CONTRACT_CONFIG_FIXTURE_H
#define COMB_TESTS_CONTRACT_CONFIG_FIXTURE_H

#include <pthread.h>

#include "server/config/config_driver.h"
#include "tests/support/support.h"

struct config_fixture {
    struct comb_config_store *store;
    struct test_ctx test;
    char url[512]; /* the driver's; the same one gives the same values */
};

/* ---- one file for each driver ---- */

/* A URL where there is nothing yet. */
void driver_url(char *ret_url, size_t size);
enum comb_status driver_open(const struct comb_store_options *options,
                             struct comb_config_store **ret_store, struct comb_error *err);

/* ---- fixture.c ---- */

int config_setup(void **state);
int config_teardown(void **state);
/* Closes, where it is open, and opens. */
void config_reopen(struct config_fixture *f);

/* A batch of one, with a new request key; has_expected where expected is not negative. */
enum comb_status config_try_set(struct config_fixture *f, const char *path, const char *value,
                                int64_t expected, int64_t *ret_revision);
int64_t config_set(struct config_fixture *f, const char *path, const char *value);
/* value NULL: there is none. The revision. */
int64_t config_must_hold(struct config_fixture *f, const char *path, const char *value);

/* Counts what an observer is told, and keeps the values. */
struct config_witness {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int everything, changes, lost, found; /* how often */
    int refuse;                           /* so many calls, as without memory */
    int64_t revision;
    bool in_order;
    char path[128], value[128]; /* of the newest one; "-" for none */
};
void config_witness_init(struct config_witness *witness);
struct comb_config_observer config_witness_observer(struct config_witness *witness);
/* Waits until the newest value of path is value; fails after a minute. */
void config_await_value(struct config_witness *witness, const char *path, const char *value);
/* Waits until *counter, a member of witness, is at least n; fails after a minute. */
void config_await_count(struct config_witness *witness, const int *counter, int n);

#endif
