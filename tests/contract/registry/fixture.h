/* SPDX-License-Identifier: Apache-2.0 */
/* What the suite of the registry knows of a driver: how to open one that is empty, and again. */
#ifndef TESTS_CONTRACT_REGISTRY_FIXTURE_H
#define TESTS_CONTRACT_REGISTRY_FIXTURE_H

#include "server/registry/directory.h"
#include "tests/support/support.h"

struct fixture {
    struct test_ctx t;
    struct comb_registry *registry;
    struct comb_directory *directory;
};

/* Opens a registry that holds nothing yet. One file per driver. */
enum comb_status driver_open(struct comb_registry **ret_registry, struct comb_error *err);

int setup(void **state);
int teardown(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

void sleep_ms(long ms);
void put(struct fixture *f, const char *service, const char *id, const char *body, uint32_t ttl_ms);
enum comb_status heartbeat(struct fixture *f, const char *service, const char *id);
void drop(struct fixture *f, const char *service, const char *id);
/* Waits until the directory has the entry with that body (NULL: does not have it), a minute at
 * most. */
void await_entry(struct fixture *f, const char *service, const char *id, const char *body);
/* Waits until the directory is stale, or not. */
void await_stale(struct fixture *f, bool stale);

#endif
