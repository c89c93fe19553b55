/* SPDX-License-Identifier: Apache-2.0 */
/* A search index over the store that the test is linked with, and documents as the tests write
 * them. */
#ifndef TESTS_CONTRACT_SEARCH_FIXTURE_H
#define TESTS_CONTRACT_SEARCH_FIXTURE_H

#include "server/search/hits.h"
#include "tests/contract/search/driver.h"
#include "tests/support/support.h"

struct fixture {
    struct test_ctx t;
    struct comb_search_store *store;
    const struct comb_search_store_driver *driver;
};

/* For cmocka. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

/* A document: what is left out is 0 or "". */
struct doc {
    unsigned id; /* the higher, the newer */
    struct comb_search_version version;
    const char *name;
    const char *text;                /* its content, of the same version; NULL: it has none */
    const char *space, *key, *value; /* of its metadata */
    const char *media;
    bool is_folder;
    int64_t size, modified_us;
    unsigned parent, owner;
};

/* Ids of a version 7 UUID; equal numbers, equal ids. */
struct comb_uuid doc_id(unsigned number);
/* Both parts, in the test's arena. content.blob is nil: it has none. */
struct made {
    struct comb_search_document document;
    struct comb_search_content content;
};
struct made doc_make(struct fixture *f, const struct doc *doc);
/* Writes both parts of n documents, in the one order or the other. */
void made_put(struct fixture *f, const struct made *made, size_t n, bool content_first);
void doc_put(struct fixture *f, const struct doc *doc);
/* The content alone. */
void doc_read(struct fixture *f, const struct doc *doc);
void doc_remove(struct fixture *f, unsigned id, uint64_t epoch, uint64_t revision);

/* Names of the hits, one blank between them; page by page, `size` hits each. */
const char *hits_by(struct fixture *f, const char *query, size_t size, size_t examined_max);
#define must_hit(f, query, expected) assert_string_equal(hits_by(f, query, 100, 0), expected)
/* The same of a few documents alone, which are known from the beginning. */
const char *hits_among(struct fixture *f, const struct comb_search_few *few, const char *query,
                       size_t size, size_t examined_max);

/* The same by looking at each of n documents, whose terms outlive the test's arena: copied. */
void plain_hits_of(const struct made *made, size_t n);
const char *plain_hits(struct fixture *f, const char *query);

#endif
