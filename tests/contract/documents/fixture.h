/* SPDX-License-Identifier: Apache-2.0 */
/* Documents over a docs row of the driver that the test is linked with. */
#ifndef TESTS_CONTRACT_DOCUMENTS_FIXTURE_H
#define TESTS_CONTRACT_DOCUMENTS_FIXTURE_H

#include "server/docs/docs.h"
#include "server/documents/documents.h"
#include "tests/support/support.h"

struct fixture {
    struct comb_docs *docs;
    struct comb_documents_store *store;
    struct comb_documents *documents;
    struct test_ctx admin, user, other; /* three callers */
    char name[32];                      /* of a store that no other test has */
};

/* cmocka's; state: the fixture. */
int fixture_setup_all(void **state);
int fixture_teardown_all(void **state);
/* A new, private store of documents, and callers with time. */
int fixture_setup(void **state);

/* Short forms; must succeed. expected -1: whatever it is. */
int64_t put(struct fixture *f, struct test_ctx *as, const char *id, const char *body);
void declare(struct fixture *f, const char *name, bool by_owner, const char *path,
             const char *then);
/* Ids of all pages of a query, separated by blanks, in text; pages of `max`. */
void find(struct fixture *f, struct test_ctx *as, const struct comb_document_query *query,
          size_t max, char *ret_text, size_t size);
struct comb_request_key key_new(void);

#endif
