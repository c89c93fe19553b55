/* SPDX-License-Identifier: Apache-2.0 */
/* What the suite of the cache knows of a driver: how to open one that is empty, and again. */
#ifndef TESTS_CONTRACT_CACHE_FIXTURE_H
#define TESTS_CONTRACT_CACHE_FIXTURE_H

#include "server/cache/cache_driver.h"
#include "tests/support/support.h"

struct fixture {
    struct test_ctx t;
    struct comb_cache *cache;
    char url[128];
};

/* Writes the URL of a cache that holds nothing yet. One file per driver, as the next. */
void driver_url(char *ret_url, size_t size);
enum comb_status driver_open(const struct comb_store_options *options,
                             struct comb_cache **ret_cache, struct comb_error *err);

int setup(void **state);
int teardown(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

struct comb_cache *open_cache(struct fixture *f, const char *url);

/* One key, value or counter at a time. */
struct comb_cache_key key_at(const char *name, uint64_t incarnation, uint64_t sequence);
void put(struct fixture *f, struct comb_cache_key key, comb_str value, uint32_t ttl_ms);
/* ptr NULL: not there. */
comb_str get(struct fixture *f, struct comb_cache_key key);
void must_hold(struct fixture *f, struct comb_cache_key key, comb_str value);
void must_miss(struct fixture *f, struct comb_cache_key key);
struct comb_cache_counter count(struct fixture *f, const char *name, uint32_t add, bool reset);

#endif
