/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/search/world.h"

#include <stdlib.h>

static void add(struct world *w, const struct comb_consumer *consumer)
{
    must_ok(comb_consumers_add(w->consumers, consumer, &w->tree->test.err), &w->tree->test.err);
}

void world_start(struct world *w)
{
    const struct comb_consumers_options options = {
        .sql = w->tree->sql, .store = w->leases, .poll_ms = 20};
    const struct comb_search_contents_parts parts = {w->store, w->tree->store, w->extract, w->slow,
                                                     w->source};
    struct comb_error *err = &w->tree->test.err;
    struct comb_consumer consumer;
    must_ok(comb_search_indexer_new(w->store, w->tree->store, &w->indexer, err), err);
    must_ok(comb_consumers_new(&options, &w->consumers, err), err);
    comb_search_indexer_consumer(w->indexer, &consumer);
    add(w, &consumer);
    if (w->extract) {
        must_ok(comb_search_contents_new(&parts, &w->contents, err), err);
        comb_search_contents_consumer(w->contents, &consumer);
        add(w, &consumer);
        comb_search_contents_slow_consumer(w->contents, &consumer);
        add(w, &consumer);
    }
    must_ok(comb_consumers_start(w->consumers, err), err);
}

void world_stop(struct world *w)
{
    comb_consumers_free(w->consumers);
    comb_search_contents_free(w->contents);
    comb_search_indexer_free(w->indexer);
    w->consumers = NULL;
    w->contents = NULL;
    w->indexer = NULL;
}

int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    void *tree = NULL;
    struct comb_error err;
    assert_non_null(w);
    assert_int_equal(fixture_setup(&tree), 0);
    w->tree = tree;
    must_ok(comb_sql_migrate_schema(w->tree->sql, comb_consumers_schemas, &err), &err);
    must_ok(comb_consumers_store_open(w->tree->sql, &w->leases, &err), &err);
    w->store = search_driver_open();
    *state = w;
    return 0;
}

int world_teardown(void **state)
{
    struct world *w = *state;
    void *tree = w->tree;
    world_stop(w);
    comb_extract_free(w->extract);
    comb_extract_free(w->slow);
    search_driver_close(w->store);
    comb_consumers_store_close(w->leases);
    fixture_teardown(&tree);
    free(w);
    return 0;
}

struct comb_consumer_place world_place(struct world *w, const char *consumer)
{
    struct comb_consumer_place place;
    must_ok(w->leases->driver->place(w->leases, next(w->tree), comb_str_from(consumer), &place,
                                     &w->tree->test.err),
            &w->tree->test.err);
    return place;
}

uint64_t world_epoch(struct world *w, const char *consumer)
{
    return world_place(w, consumer).epoch;
}

size_t world_hits(struct world *w, const char *word, enum comb_search_field field)
{
    struct comb_search_term term = {.term = comb_str_from(word)};
    const struct comb_search_condition words = {
        .kind = COMB_SEARCH_WORDS, .field = field, .key = STR(""), .terms = &term, .n_terms = 1};
    struct comb_search_scan scan = {.query = &words, .max = 100};
    struct comb_uuid last;
    size_t n = 0;
    for (bool more = true; more;) {
        struct comb_search_found found;
        must_ok(w->store->driver->scan(w->store, next(w->tree), &scan, &found, &w->tree->test.err),
                &w->tree->test.err);
        for (size_t i = 0; i < found.n; i++) {
            n += found.candidates[i].holds & 1;
            last = found.candidates[i].id;
            scan.before = &last;
        }
        more = found.more;
    }
    return n;
}
