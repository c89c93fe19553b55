/* SPDX-License-Identifier: Apache-2.0 */
/* A tree, an index, and the consumers that keep the one like the other. */
#ifndef TESTS_CONTRACT_SEARCH_WORLD_H
#define TESTS_CONTRACT_SEARCH_WORLD_H

#include "server/search/contents.h"
#include "server/search/indexer.h"
#include "tests/contract/search/driver.h"
#include "tests/contract/tree/fixture.h"

struct world {
    struct fixture *tree;
    struct comb_search_store *store;
    struct comb_consumers_store *leases;
    /* While they run. */
    struct comb_search_indexer *indexer;
    struct comb_search_contents *contents;
    struct comb_consumers *consumers;
    /* Set before the start: contents are kept too. */
    struct comb_extract *extract, *slow;
    struct comb_search_source source;
};

/* For cmocka. The consumers do not run yet. */
int world_setup(void **state);
int world_teardown(void **state);
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

void world_start(struct world *w);
void world_stop(struct world *w);
/* Of a consumer that has been held. */
struct comb_consumer_place world_place(struct world *w, const char *consumer);
/* The same. */
uint64_t world_epoch(struct world *w, const char *consumer);
/* How many documents have the word. */
size_t world_hits(struct world *w, const char *word, enum comb_search_field field);

#endif
